//! The gallery: the sample with its pictures.

use std::path::Path;

use eval::{DrawnMatch, GalleryPair, GalleryPicture, LabelGallery};
use rayon::prelude::*;
use sc_imagenet::LabelledPair;

use super::checks::{CheckReport, Checks};
use super::pictures::Pictures;
use super::survey::{ShownImage, Survey};
use super::{figures, tables};

/// What is shown of a data set in `folder`. Pairs whose images cannot be had are left out, and a note says so.
pub fn gallery(
    folder: &Path,
    survey: &Survey,
    checked: Option<(&Checks, &CheckReport)>,
    pictures: &Pictures<'_>,
) -> LabelGallery {
    let name = folder.canonicalize().ok().and_then(|path| Some(path.file_name()?.to_string_lossy().into_owned()));
    let mut notes = Vec::new();
    if !survey.indexed {
        notes.push("There is no index of images: how many were judged and rejected is not known.".to_owned());
    }
    let drawn: Vec<_> = survey.pairs().into_par_iter().map(|pair| drawn_pair(pair, pictures)).collect();
    let (mut pairs, mut missing) = (Vec::new(), Vec::new());
    for pair in drawn {
        match pair {
            Ok(pair) => pairs.push(pair),
            Err(reason) => missing.push(reason),
        }
    }
    if let Some(first) = missing.first() {
        notes.push(format!("{} of {} pairs are not drawn: {first}.", missing.len(), missing.len() + pairs.len()));
    }
    notes.extend(checked.iter().flat_map(|(_, report)| tables::check_notes(report)));
    let [kept, rejected] =
        survey.images().map(|images| images.into_par_iter().map(|image| picture(image, pictures)).collect::<Vec<_>>());
    LabelGallery {
        title: format!("Labels of {}", name.unwrap_or_else(|| folder.display().to_string())),
        facts: tables::facts(survey),
        notes,
        tables: tables::counts(survey),
        checked: checked.map(|(_, report)| tables::checked(report)).unwrap_or_default(),
        coverage: checked.and_then(|(checks, _)| figures::coverage(&checks.curve())),
        reliability: checked.and_then(|(_, report)| report.reliability.as_deref()).map(figures::reliability),
        pairs,
        kept,
        rejected,
    }
}

fn drawn_pair(pair: &LabelledPair, pictures: &Pictures<'_>) -> Result<GalleryPair, String> {
    let points = pair.source.points.iter().zip(&pair.target.points).enumerate();
    let matches = points.map(|(index, (&source, &target))| DrawnMatch {
        source,
        target,
        confidence: pair.confidences.get(index).copied().unwrap_or(1.0),
    });
    Ok(GalleryPair {
        name: format!("{} ({})", pair.name().text, pair.split.name()),
        class: pair.category.clone(),
        source: pictures.load(&pair.category, &pair.source.image)?,
        target: pictures.load(&pair.category, &pair.target.image)?,
        boxes: [pair.source.object_box, pair.target.object_box],
        matches: matches.collect(),
        confident: !pair.confidences.is_empty(),
        cycle_errors: pair.cycle_errors.clone(),
    })
}

fn picture(image: &ShownImage, pictures: &Pictures<'_>) -> GalleryPicture {
    let mut lines = Vec::new();
    if let Some(rejection) = &image.rejection {
        let detail = if rejection.detail.is_empty() { String::new() } else { format!(": {}", rejection.detail) };
        lines.push(format!("{}{detail}", rejection.reason));
    } else {
        lines.push(format!("{} key points as a source", image.points.len()));
    }
    let score = image.score.map(|score| format!("score {score:.2}"));
    let cells = image.cells.map(|cells| format!("{cells} discriminative cells"));
    let judged: Vec<String> = score.into_iter().chain(cells).collect();
    if !judged.is_empty() {
        lines.push(judged.join(", "));
    }
    GalleryPicture {
        name: format!("{}/{}", image.class, image.id),
        class: image.class.clone(),
        image: pictures.load(&image.class, &image.id),
        object_box: image.object_box,
        points: image.points.clone(),
        lines,
    }
}

//! Scores written down: JSON, Markdown, figures, and the report in one HTML file.

use std::path::Path;

use anyhow::{Context, Result};
use eval::{
    BenchmarkSection, ClassScores, DrawnPair, Figure, FigureFont, HtmlReport, KeyPointPair, MethodScores, PairGroup,
    PckCurve, Prediction, Protocol, best_and_worst, published_scores, score_pair,
};
use sc_imagenet::DecodeLimits;
use tracing::warn;

use crate::atomic;
use crate::benchmark::Benchmark;
use crate::score::Scored;

/// Pairs drawn of each group.
const DRAWN: usize = 6;

/// Writes `<name>.json`, `<name>.md` and the figures of a benchmark into `folder`.
///
/// # Errors
///
/// A full disk.
pub fn write_scores(folder: &Path, section: &BenchmarkSection) -> Result<()> {
    let BenchmarkSection { report, curves, classes, .. } = section;
    let name = &report.benchmark;
    let figures = folder.join("figures");
    std::fs::create_dir_all(&figures).with_context(|| format!("cannot create {}", figures.display()))?;
    atomic::write(&folder.join(format!("{name}.json")), &serde_json::to_vec_pretty(report)?)?;
    let mut markdown = report.markdown(true);
    let mut drawn = vec![("curves", Figure::PckCurves(curves))];
    if let Some(classes) = classes {
        markdown += &format!("\n{}", classes.markdown());
        drawn.push(("classes", Figure::ClassBars(classes)));
    }
    atomic::write(&folder.join(format!("{name}.md")), markdown.as_bytes())?;
    let font = FigureFont::of_system();
    for (kind, figure) in drawn {
        atomic::write(&figures.join(format!("{name}-{kind}.svg")), figure.svg()?.as_bytes())?;
        match &font {
            Ok(font) => {
                let mut png = std::io::Cursor::new(Vec::new());
                figure.pixels(font, 2)?.write_to(&mut png, image::ImageFormat::Png)?;
                atomic::write(&figures.join(format!("{name}-{kind}.png")), png.get_ref())?;
            }
            Err(error) => warn!("no PNG figures, SVG only: {error}"),
        }
    }
    Ok(())
}

/// The section of a benchmark in the report: table, curves, classes, and the best and the worst pairs of the last method
/// that is scored.
///
/// # Errors
///
/// Images that cannot be decoded.
pub fn section(scored: &Scored) -> Result<BenchmarkSection> {
    let Benchmark { pairs, protocol, name, notes, .. } = scored.benchmark;
    let mut notes = notes.clone();
    let alpha = scored.benchmark.shown_alpha();
    for method in scored.scores.iter().filter(|method| method.invalid() > 0) {
        notes.push(format!(
            "{}: {} predictions are no finite numbers and count as wrong.",
            method.method,
            method.invalid()
        ));
    }
    let mut drawn = Vec::new();
    if let (Some(last), Some(made)) = (scored.scores.last(), scored.predictions.last()) {
        let middle = protocol.alphas.len() / 2;
        let (best, worst) = best_and_worst(pairs, &last.pairs, middle, DRAWN);
        for (group, indices) in [(PairGroup::Best, best), (PairGroup::Worst, worst)] {
            for index in indices {
                drawn.extend(drawn_pair(&pairs[index], &made[index], protocol, alpha, group, &mut notes)?);
            }
        }
    }
    Ok(BenchmarkSection {
        report: scored.report.clone(),
        notes,
        curves: curves(scored)?,
        classes: Some(ClassScores::new(protocol, &scored.scores, alpha)),
        pairs: drawn,
        published: published_scores(name),
    })
}

/// Writes the report.
///
/// # Errors
///
/// A full disk.
pub fn write_html(
    path: &Path,
    title: &str,
    facts: Vec<(String, String)>,
    sections: Vec<BenchmarkSection>,
) -> Result<()> {
    let report = HtmlReport { title: title.to_owned(), facts, sections };
    atomic::write(path, report.html().as_bytes())
}

/// The curves over twenty thresholds up to the largest one asked for.
fn curves(scored: &Scored) -> Result<Vec<PckCurve>> {
    let Benchmark { pairs, protocol, .. } = scored.benchmark;
    let largest = protocol.alphas.iter().copied().fold(0.2, f64::max);
    let alphas: Vec<f64> = (1..=20).map(|step| largest * f64::from(step) / 20.0).collect();
    let fine = protocol.clone().with_alphas(&alphas);
    let mut curves = Vec::new();
    for (method, made) in scored.scores.iter().zip(&scored.predictions) {
        let scores: Result<Vec<_>, _> =
            pairs.iter().zip(*made).map(|(pair, made)| score_pair(pair, &made.points, &fine)).collect();
        curves.push(PckCurve::new(&fine, &MethodScores { method: method.method.clone(), pairs: scores? }));
    }
    Ok(curves)
}

fn drawn_pair(
    pair: &KeyPointPair,
    made: &Prediction,
    protocol: &Protocol,
    alpha: f64,
    group: PairGroup,
    notes: &mut Vec<String>,
) -> Result<Option<DrawnPair>> {
    let (asked, predicted) = (protocol.direction.asked(pair), protocol.direction.predicted(pair));
    let mut images = Vec::new();
    for path in [&asked.path, &predicted.path] {
        match sc_imagenet::decode(path, &DecodeLimits::default()) {
            Ok(image) => images.push(image),
            Err(error) => {
                notes.push(format!("{} is not drawn: {error}", pair.id));
                return Ok(None);
            }
        }
    }
    let [source, target] = images.try_into().ok().context("two images are decoded")?;
    let Some(length) = protocol.length_of(predicted) else { return Ok(None) };
    Ok(Some(DrawnPair {
        id: pair.id.clone(),
        class: pair.class.clone(),
        method: made.method.clone(),
        group,
        source,
        target,
        points: asked.points.clone(),
        predicted: made.points.clone(),
        truth: predicted.points.clone(),
        scale: protocol.frame.scale(predicted.size),
        length,
        alpha,
    }))
}

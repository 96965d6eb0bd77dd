//! The layout of SC-ImageNet: pairs of ImageNet images whose key points are pseudo-labels.
//!
//! It is the layout that published loaders split on `-` and `:`, so that names with more of them are refused. The
//! fields of difficulty must be there and say nothing.

use std::path::{Path, PathBuf};

use super::checks::{AnnotationFrame, Checks, Place};
use super::error::BenchmarkError;
use super::files::{self, ImageSizes, find_base, place};
use super::name::{BenchmarkName, BenchmarkSplit};
use super::pair_json::{PairFileImage, parse_pair_layout, parse_sc_imagenet_pair};
use super::spair::{COLON, folder_of};
use super::{ReadPairs, ap_10k};
use crate::key_points::{KeyPointPair, PairImage, tight_box};
use crate::protocol::{Length, Protocol};

const NAME: BenchmarkName = BenchmarkName::ScImageNet;

pub(super) const LAYOUT: &str = "\
SC-IMAGENET/
  Layout/large/{trn,val}.txt                   a pair a line: <number>-<source id>-<target id>:<category>
  PairAnnotation/{trn,val}/<line>.json
  JPEGImages/<category>/<category>_<id>.JPEG
";

/// The data set's folder.
pub(super) fn find(root: &Path) -> Option<PathBuf> {
    find_base(root, &["SC-IMAGENET", "SC-ImageNet", "sc-imagenet"], |base| {
        base.join("Layout/large").is_dir() && base.join("PairAnnotation").is_dir() && !ap_10k::looks_like(base)
    })
}

pub(super) fn read(
    root: &Path,
    split: BenchmarkSplit,
    annotated_in: Option<AnnotationFrame>,
) -> Result<ReadPairs, BenchmarkError> {
    let missing = "the folder Layout/large or PairAnnotation".to_owned();
    let base = find(root).ok_or_else(|| BenchmarkError::Layout { name: NAME, root: root.to_owned(), missing })?;
    let split = folder_of(split);
    let list = base.join("Layout/large").join(format!("{split}.txt"));
    let bytes = files::read_needed(NAME, &list, || format!("the {split} split"), "")?;
    let (mut sizes, mut checks) = (ImageSizes::default(), Checks::new(NAME.annotation_frame(), annotated_in));
    let mut pairs = Vec::new();
    for line in parse_pair_layout(&list, &bytes)? {
        let file_path = base.join("PairAnnotation").join(split).join(format!("{}.json", line.id));
        let bytes = files::read_needed(NAME, &file_path, || place(&list, line.line), COLON)?;
        let file = parse_sc_imagenet_pair(&file_path, &bytes)?;
        if file.category != line.category {
            let problem = format!("is `{}`, the pair's name says `{}`", file.category, line.category);
            return Err(BenchmarkError::Key { path: file_path, key: "category".to_owned(), problem });
        }
        let place_of = Place::file(&file_path);
        let mut side = |key: &str, id: &str, image: PairFileImage| {
            let file = format!("{}_{id}.JPEG", line.category);
            let path = base.join("JPEGImages").join(&line.category).join(file);
            let size = sizes.of_needed(NAME, &path, || place(&list, line.line))?;
            let canvas = checks.canvas(&path, size, None, None)?;
            let points = checks.points(&canvas, &image.points, place_of, &format!("{key}_kps"))?;
            let sides = checks.object_box(&canvas, image.object_box, place_of, &format!("{key}_bndbox"))?;
            Ok::<_, BenchmarkError>(PairImage {
                path,
                size: canvas.size(),
                key_point_box: tight_box(&points).unwrap_or_default(),
                points,
                object_box: Some(sides),
                unshared: Vec::new(),
            })
        };
        let ids = (0..).zip(&file.source.points).map(|(id, _)| id).collect();
        pairs.push(KeyPointPair {
            source: side("src", &line.source, file.source)?,
            target: side("trg", &line.target, file.target)?,
            id: line.id,
            class: line.category,
            ids,
            difficulty: None,
            agreements: file.agreements.unwrap_or_default(),
        });
    }
    let notes = vec!["the key points are pseudo-labels: a score says how far two matchers agree".to_owned()];
    let default_protocol = Protocol { length: Length::Bbox, ..Protocol::default() };
    Ok(ReadPairs { pairs, default_protocol, notes, counts: checks.counts })
}

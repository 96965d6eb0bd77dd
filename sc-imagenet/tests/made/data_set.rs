//! Labels as a matcher might make them, and whole folders as maps.

// no test uses all of it
#![allow(dead_code)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use proptest::collection::vec;
use proptest::prelude::*;
use sc_imagenet::{
    BuildIdentity, DatasheetFacts, ImagePlacement, ImageRejection, Journal, JudgedImage, LabelledPair,
    LayoutStatistics, MergeError, MergeOptions, PairDifficulty, PairSide, Record, Shard, Split, merge, part_folder,
};

pub const MAX_POINTS: usize = 40;

pub fn identity() -> BuildIdentity {
    BuildIdentity::new("c0ffee", &serde_json::json!({"consistency": {"cycle_share": 0.5}, "seed": 7}))
}

pub fn facts() -> DatasheetFacts {
    DatasheetFacts {
        title: "Cups and lamps".to_owned(),
        images: "drawn for a test".to_owned(),
        program: "a test".to_owned(),
        seed: 7,
        weights: "none".to_owned(),
        weights_sha256: "00".to_owned(),
        licence_note: "Do what you like with it.".to_owned(),
        notes: vec!["A remark.".to_owned()],
    }
}

/// A pair of images 24 × 18 pixels in size; its numbers follow from its own.
pub fn pair(number: u64, class: &str, source: &str, target: &str) -> LabelledPair {
    let points = 1 + number as usize % 5;
    let side = |image: &str, shift: f32| PairSide {
        image: image.to_owned(),
        points: (0..points).map(|i| [i as f32 * 1.1 + shift, 17.0 / (i + 1) as f32]).collect(),
        object_box: [0.0, 0.5, 20.25 + shift, 17.5],
        size: Some([24, 18]),
    };
    LabelledPair {
        number,
        split: if number % 4 == 3 { Split::Validation } else { Split::Train },
        category: class.to_owned(),
        source: side(source, 0.0),
        target: side(target, 0.3),
        confidences: (0..points).map(|i| 1.0 / (i + 2) as f32).collect(),
        cycle_errors: (0..points).map(|i| i as f32 / 3.0).collect(),
        agreements: (0..points).map(|i| 0.25 * (i % 5) as f32).collect(),
        difficulty: PairDifficulty::default(),
    }
}

/// A judged image; every third is rejected.
pub fn image(number: u64, class: &str, id: &str) -> JudgedImage {
    let rejected = number % 3 == 2;
    JudgedImage {
        number,
        class: class.to_owned(),
        id: id.to_owned(),
        rejection: rejected.then(|| ImageRejection {
            reason: "few discriminative cells".to_owned(),
            detail: format!("{number} of 100"),
            threshold: number.is_multiple_of(2).then(|| "consistency.partners".to_owned()),
        }),
        score: (!rejected).then_some(number as f32 / 10.0),
        discriminative_cells: number as u32,
        blocks: 3,
        object_box: (!rejected).then_some([0.0, 1.0, 10.5, 12.0]),
        size: Some([24, 18]),
        origin: None,
    }
}

/// The work of a small build of two classes, a unit an image: what became of it, and its pairs with two others.
pub fn work(images_a_class: u64) -> Vec<Vec<Record>> {
    let unit = |number: u64| {
        let class = if number < images_a_class { "cup" } else { "lamp" };
        let id = |shift: u64| format!("{}", 8 + (number + shift) % images_a_class);
        let judged = image(number, class, &id(0));
        let pairs = (0..2).map(|slot| pair(number * 10 + slot, class, &id(0), &id(slot + 1)));
        let pairs = if judged.kept() { pairs.collect() } else { Vec::new() };
        vec![Record::Image(judged), Record::Pairs { source: number, pairs }]
    };
    (0..2 * images_a_class).map(unit).collect()
}

/// Does the units of `work` that fall to a shard, and finishes it.
pub fn build_shard(out: &Path, shard: Shard, work: &[Vec<Record>]) -> PathBuf {
    let part = part_folder(out, shard);
    let (mut journal, finished) = Journal::open(&part, &identity(), shard, MAX_POINTS).unwrap();
    for unit in shard.range(work.len()) {
        if finished.kept(unit as u64).is_none() {
            journal.append(&work[unit]).unwrap();
        }
    }
    journal.finish().unwrap();
    part
}

/// Files by their paths within a folder.
pub type Files = BTreeMap<PathBuf, Vec<u8>>;

pub fn merge_into(out: &Path, parts: &[PathBuf], images: ImagePlacement<'_>) -> Result<LayoutStatistics, MergeError> {
    merge(
        parts,
        out,
        &MergeOptions { images, max_points: MAX_POINTS, facts: facts(), ..MergeOptions::default() },
        |_, _| (),
    )
}

/// The data set of these parts, without images.
pub fn merged(parts: &[PathBuf]) -> Files {
    let out = tempfile::tempdir().unwrap();
    merge_into(out.path(), parts, ImagePlacement::LeaveOut).unwrap();
    snapshot(out.path())
}

/// The data set of a build in one part.
pub fn single(work: &[Vec<Record>]) -> Files {
    let folder = tempfile::tempdir().unwrap();
    merged(&[build_shard(folder.path(), Shard::WHOLE, work)])
}

/// Every file under a folder by its path: content, or where a link points. Parts of builds are left out.
pub fn snapshot(root: &Path) -> Files {
    let mut files = BTreeMap::new();
    let mut waiting = vec![root.to_owned()];
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let relative = path.strip_prefix(root).unwrap().to_owned();
            if relative.starts_with("parts") {
                continue;
            }
            if let Ok(target) = fs::read_link(&path) {
                files.insert(relative, target.into_os_string().into_encoded_bytes());
            } else if path.is_dir() {
                waiting.push(path);
            } else {
                files.insert(relative, fs::read(&path).unwrap());
            }
        }
    }
    files
}

fn side(image: &'static str, points: usize) -> impl Strategy<Value = PairSide> {
    let size = prop_oneof![Just(None), (1_u32..5000, 1_u32..5000).prop_map(|(w, h)| Some([w, h]))];
    (size, vec((0.0_f32..1.0, 0.0_f32..1.0), points), 0.0_f32..0.4, 0.5_f32..1.0).prop_map(
        move |(size, points, low, high)| {
            let [width, height] = size.unwrap_or([300, 200]).map(|length| length as f32);
            PairSide {
                image: image.to_owned(),
                points: points.into_iter().map(|(x, y)| [x * width - 0.5, y * height - 0.5]).collect(),
                object_box: [low * width, low * height, high * width, high * height],
                size,
            }
        },
    )
}

/// Any pair with this number that can be written.
pub fn any_pair(number: u64) -> impl Strategy<Value = LabelledPair> {
    (1_usize..=MAX_POINTS).prop_flat_map(move |points| {
        let confidences = prop_oneof![Just(Vec::new()), vec(0.0_f32..=1.0, points)];
        let agreements = confidences.clone();
        let cycle_errors = prop_oneof![Just(Vec::new()), vec(0.0_f32..100.0, points)];
        let of_points = (confidences, cycle_errors, agreements);
        (side("a_1", points), side("b", points), of_points, any::<bool>(), -2_i64..4).prop_map(
            move |(source, target, (confidences, cycle_errors, agreements), validation, level)| LabelledPair {
                number,
                split: if validation { Split::Validation } else { Split::Train },
                category: "n01440764".to_owned(),
                source,
                target,
                confidences,
                cycle_errors,
                agreements,
                difficulty: PairDifficulty { viewpoint: level, scale: 0, truncation: level + 1, occlusion: 2 },
            },
        )
    })
}

//! The JSON file of a pair.
//!
//! The keys that every loader needs come first, in a fixed order; ours, which loaders pass over, come behind.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::LayoutError;
use crate::labelled_pair::{LabelledPair, PairDifficulty, PairSide};
use crate::names::PairName;
use crate::split::Split;

/// The most points that are read of a pair: far more than any loader takes.
const MOST_POINTS: usize = 100_000;

#[derive(Serialize)]
struct Written<'a> {
    src_kps: &'a [[f32; 2]],
    trg_kps: &'a [[f32; 2]],
    src_bndbox: [i64; 4],
    trg_bndbox: [i64; 4],
    category: &'a str,
    viewpoint_variation: i64,
    scale_variation: i64,
    truncation: i64,
    occlusion: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    src_imsize: Option<[u32; 3]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trg_imsize: Option<[u32; 3]>,
    #[serde(skip_serializing_if = "<[f32]>::is_empty")]
    confidence: &'a [f32],
    #[serde(skip_serializing_if = "<[f32]>::is_empty")]
    cycle_error: &'a [f32],
    #[serde(skip_serializing_if = "<[f32]>::is_empty")]
    agreement: &'a [f32],
    provenance: &'a str,
}

/// The annotation of a pair; `provenance` says which build it is of.
pub(super) fn to_json(pair: &LabelledPair, provenance: &str) -> Vec<u8> {
    // Width, height and channels, as SPair-71k has them.
    let size = |side: &PairSide| side.size.map(|[width, height]| [width, height, 3]);
    let written = Written {
        src_kps: &pair.source.points,
        trg_kps: &pair.target.points,
        src_bndbox: pair.source.whole_box(),
        trg_bndbox: pair.target.whole_box(),
        category: &pair.category,
        viewpoint_variation: pair.difficulty.viewpoint,
        scale_variation: pair.difficulty.scale,
        truncation: pair.difficulty.truncation,
        occlusion: pair.difficulty.occlusion,
        src_imsize: size(&pair.source),
        trg_imsize: size(&pair.target),
        confidence: &pair.confidences,
        cycle_error: &pair.cycle_errors,
        agreement: &pair.agreements,
        provenance,
    };
    match serde_json::to_vec(&written) {
        Ok(mut bytes) => {
            bytes.push(b'\n');
            bytes
        }
        Err(error) => panic!("a pair that JSON cannot hold: {error}"),
    }
}

#[derive(Deserialize)]
struct Read {
    src_kps: Option<Vec<Option<[Option<f64>; 2]>>>,
    trg_kps: Option<Vec<Option<[Option<f64>; 2]>>>,
    src_bndbox: Option<[Option<f64>; 4]>,
    trg_bndbox: Option<[Option<f64>; 4]>,
    category: Option<String>,
    viewpoint_variation: Option<i64>,
    scale_variation: Option<i64>,
    truncation: Option<i64>,
    occlusion: Option<i64>,
    src_imsize: Option<Vec<u32>>,
    trg_imsize: Option<Vec<u32>>,
    confidence: Option<Vec<Option<f64>>>,
    cycle_error: Option<Vec<Option<f64>>>,
    agreement: Option<Vec<Option<f64>>>,
}

/// The pair called `name` from the bytes of its annotation; `path` is what errors name.
pub(super) fn from_json(path: &Path, bytes: &[u8], split: Split, name: &PairName) -> Result<LabelledPair, LayoutError> {
    let keys = Keys { path };
    let read: Read =
        serde_json::from_slice(bytes).map_err(|source| LayoutError::Json { path: path.to_owned(), source })?;
    let side = |side: &str, image: &str, points, object_box, size: Option<Vec<u32>>| {
        Ok::<_, LayoutError>(PairSide {
            image: image.to_owned(),
            points: keys.points(&format!("{side}_kps"), points)?,
            object_box: keys.object_box(&format!("{side}_bndbox"), object_box)?,
            size: size.map(|size| keys.size(&format!("{side}_imsize"), &size)).transpose()?,
        })
    };
    let source = side("src", &name.source, read.src_kps, read.src_bndbox, read.src_imsize)?;
    let target = side("trg", &name.target, read.trg_kps, read.trg_bndbox, read.trg_imsize)?;
    let count = source.points.len();
    if target.points.len() != count {
        let problem = format!("has {} points, `src_kps` has {count}", target.points.len());
        return Err(keys.wrong("trg_kps", problem));
    }
    let category = keys.there("category", read.category)?;
    if category != name.category {
        return Err(keys.wrong("category", format!("is `{category}`, the pair's name says `{}`", name.category)));
    }
    Ok(LabelledPair {
        number: name.number,
        split,
        category,
        source,
        target,
        confidences: keys.one_a_point("confidence", read.confidence, count)?,
        cycle_errors: keys.one_a_point("cycle_error", read.cycle_error, count)?,
        agreements: keys.one_a_point("agreement", read.agreement, count)?,
        difficulty: PairDifficulty {
            viewpoint: keys.there("viewpoint_variation", read.viewpoint_variation)?,
            scale: keys.there("scale_variation", read.scale_variation)?,
            truncation: keys.there("truncation", read.truncation)?,
            occlusion: keys.there("occlusion", read.occlusion)?,
        },
    })
}

/// Checks of the values under the keys of one file.
struct Keys<'a> {
    path: &'a Path,
}

impl Keys<'_> {
    fn wrong(&self, key: &str, problem: impl Into<String>) -> LayoutError {
        LayoutError::Key { path: self.path.to_owned(), key: key.to_owned(), problem: problem.into() }
    }

    fn there<T>(&self, key: &str, value: Option<T>) -> Result<T, LayoutError> {
        value.ok_or_else(|| self.wrong(key, "is missing or null"))
    }

    fn number(&self, key: &str, value: Option<f64>) -> Result<f32, LayoutError> {
        let value = self.there(key, value)? as f32;
        if value.is_finite() { Ok(value) } else { Err(self.wrong(key, "is too large for a number of pixels")) }
    }

    fn points(&self, key: &str, points: Option<Vec<Option<[Option<f64>; 2]>>>) -> Result<Vec<[f32; 2]>, LayoutError> {
        let points = self.there(key, points)?;
        if points.is_empty() || points.len() > MOST_POINTS {
            return Err(self.wrong(key, format!("has {} points, expected 1 to {MOST_POINTS}", points.len())));
        }
        let point = |(index, point): (usize, Option<[Option<f64>; 2]>)| {
            let key = format!("{key}[{index}]");
            let [x, y] = self.there(&key, point)?;
            Ok([self.number(&key, x)?, self.number(&key, y)?])
        };
        points.into_iter().enumerate().map(point).collect()
    }

    fn object_box(&self, key: &str, sides: Option<[Option<f64>; 4]>) -> Result<[f32; 4], LayoutError> {
        let mut found = [0.0; 4];
        for (found, side) in found.iter_mut().zip(self.there(key, sides)?) {
            *found = self.number(key, side)?;
        }
        let [left, top, right, bottom] = found;
        if right <= left || bottom <= top {
            return Err(self.wrong(key, format!("is [{left}, {top}, {right}, {bottom}], which holds nothing")));
        }
        Ok(found)
    }

    fn size(&self, key: &str, size: &[u32]) -> Result<[u32; 2], LayoutError> {
        match size {
            [width, height, ..] if *width > 0 && *height > 0 => Ok([*width, *height]),
            _ => Err(self.wrong(key, "is no width and height")),
        }
    }

    fn one_a_point(&self, key: &str, values: Option<Vec<Option<f64>>>, points: usize) -> Result<Vec<f32>, LayoutError> {
        let Some(values) = values else {
            return Ok(Vec::new());
        };
        if values.len() != points {
            return Err(self.wrong(key, format!("has {} entries, `src_kps` has {points}", values.len())));
        }
        values.into_iter().enumerate().map(|(index, value)| self.number(&format!("{key}[{index}]"), value)).collect()
    }
}

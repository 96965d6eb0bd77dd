//! The JSON files of SPair-71k, and of the data sets laid out as it is.
//!
//! Every value is checked: a pair that comes out of here has as many points in the source as in the target, finite
//! coordinates, boxes that are boxes, and names that are plain file names.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::checks::check_box;
use super::error::BenchmarkError;
use super::files::{bad_line, is_plain_name, lines, without_mark};
use super::rows::{MOST_POINTS, checked, shortened};
use crate::key_points::{Difficulty, PixelBox};

/// A line of a layout list, `<number>-<source>-<target>:<category>`, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PairName {
    /// The whole line: what the pair is called.
    pub id: String,
    /// Its line in the list, from 1.
    pub line: u64,
    /// The source image without folder and extension.
    pub source: String,
    /// The target image without folder and extension.
    pub target: String,
    /// The class.
    pub category: String,
}

/// Reads the list of pairs of a layout from its bytes; `path` is what errors name. Blank lines are passed over.
///
/// # Errors
///
/// [`BenchmarkError`] with the line that is no pair, or whose names cannot be file names.
pub fn parse_pair_layout(path: &Path, bytes: &[u8]) -> Result<Vec<PairName>, BenchmarkError> {
    let pair = |(line, text): (u64, &str)| {
        PairName::new(line, text).ok_or_else(|| {
            let form = "<number>-<source>-<target>:<category>, with no other `-` or `:`";
            bad_line(path, line, format!("`{}` is no pair of the form {form}", shortened(text)))
        })
    };
    lines(path, bytes).map(|line| line.and_then(pair)).collect()
}

impl PairName {
    fn new(line: u64, text: &str) -> Option<Self> {
        let (images, category) = text.split_once(':')?;
        let mut parts = images.split('-');
        let (number, source, target) = (parts.next()?, parts.next()?, parts.next()?);
        let plain = parts.next().is_none()
            && !category.contains(':')
            && !number.is_empty()
            && number.bytes().all(|byte| byte.is_ascii_digit())
            && [source, target, category].into_iter().all(is_plain_name);
        let owned = str::to_owned;
        let names = (owned(source), owned(target), owned(category));
        plain.then_some(Self { id: owned(text), line, source: names.0, target: names.1, category: names.2 })
    }
}

/// One image of a pair file.
#[derive(Clone, Debug, PartialEq)]
pub struct PairFileImage {
    /// The image's file name, where the file gives it.
    pub name: Option<String>,
    /// `(width, height)` in pixels, where the file gives it.
    pub size: Option<(u32, u32)>,
    /// The shared key points, `[x, y]` in pixels.
    pub points: Vec<[f32; 2]>,
    /// The object's box.
    pub object_box: PixelBox,
}

/// What a pair file says.
#[derive(Clone, Debug, PartialEq)]
pub struct PairFile {
    /// The class.
    pub category: String,
    /// The source.
    pub source: PairFileImage,
    /// The target; it has as many points as the source.
    pub target: PairFileImage,
    /// Which of the class's key points each point is, where the file says; as many as points.
    pub ids: Option<Vec<u16>>,
    /// The share of other images that agree about each label, 0..=1, where the file says; as many as points.
    pub agreements: Option<Vec<f32>>,
    /// The four fields of difficulty, where all are in the range of SPair-71k.
    pub difficulty: Option<Difficulty>,
}

/// The keys of a pair file; everything else in it is passed over.
#[derive(Deserialize)]
struct RawPair {
    category: Option<String>,
    src_imname: Option<String>,
    trg_imname: Option<String>,
    src_imsize: Option<Vec<u32>>,
    trg_imsize: Option<Vec<u32>>,
    src_bndbox: Option<[Option<f64>; 4]>,
    trg_bndbox: Option<[Option<f64>; 4]>,
    src_kps: Option<Vec<Option<[Option<f64>; 2]>>>,
    trg_kps: Option<Vec<Option<[Option<f64>; 2]>>>,
    kps_ids: Option<Vec<KeyPointId>>,
    agreement: Option<Vec<Option<f64>>>,
    viewpoint_variation: Option<i64>,
    scale_variation: Option<i64>,
    truncation: Option<i64>,
    occlusion: Option<i64>,
}

/// The published files have the number as a string.
#[derive(Deserialize)]
#[serde(untagged)]
enum KeyPointId {
    Number(u64),
    Text(String),
}

/// Reads a pair file of SPair-71k from its bytes; `path` is what errors name.
///
/// # Errors
///
/// [`BenchmarkError`] with the key that is missing or wrong.
pub fn parse_spair_pair(path: &Path, bytes: &[u8]) -> Result<PairFile, BenchmarkError> {
    let keys = Keys { path };
    let raw: RawPair = keys.parse(bytes)?;
    let pair = keys.pair(raw)?;
    keys.there("src_imname", pair.source.name.as_ref())?;
    keys.there("trg_imname", pair.target.name.as_ref())?;
    keys.there("src_imsize", pair.source.size)?;
    keys.there("trg_imsize", pair.target.size)?;
    keys.there("kps_ids", pair.ids.as_ref())?;
    if pair.difficulty.is_none() {
        let problem = "and the three keys like it must be 0 to 2 (viewpoint, scale) and 0 to 3 (truncation, occlusion)";
        return Err(keys.wrong("viewpoint_variation", problem));
    }
    Ok(pair)
}

/// Reads a pair file of SC-ImageNet from its bytes: no names, sizes and ids, and fields of difficulty that may hold any
/// integer.
///
/// # Errors
///
/// [`BenchmarkError`] with the key that is missing or wrong.
pub fn parse_sc_imagenet_pair(path: &Path, bytes: &[u8]) -> Result<PairFile, BenchmarkError> {
    let keys = Keys { path };
    let pair = keys.pair(keys.parse(bytes)?)?;
    Ok(PairFile { difficulty: None, ..pair })
}

/// Reads an image file of SPair-71k from its bytes: every key point that the image shows, by number.
///
/// # Errors
///
/// [`BenchmarkError`] with the key that is missing or wrong.
pub fn parse_spair_image(path: &Path, bytes: &[u8]) -> Result<BTreeMap<u16, [f32; 2]>, BenchmarkError> {
    #[derive(Deserialize)]
    struct RawImage {
        kps: Option<BTreeMap<String, Option<[Option<f64>; 2]>>>,
    }
    let keys = Keys { path };
    let raw: RawImage = keys.parse(bytes)?;
    let mut points = BTreeMap::new();
    for (number, point) in keys.there("kps", raw.kps)? {
        let place = format!("kps.{}", shortened(&number));
        let id = number.parse().map_err(|_| keys.wrong(&place, "is no number of a key point"))?;
        if let Some(point) = point {
            points.insert(id, keys.point(&place, point)?);
        }
    }
    Ok(points)
}

/// Checks of the values under the keys of one file.
pub(super) struct Keys<'a> {
    /// The file, for errors.
    pub(super) path: &'a Path,
}

impl Keys<'_> {
    pub(super) fn parse<T: DeserializeOwned>(&self, bytes: &[u8]) -> Result<T, BenchmarkError> {
        let bytes = without_mark(bytes);
        serde_json::from_slice(bytes).map_err(|source| {
            let not_a_number = source.is_syntax() && bytes.windows(3).any(|word| word == b"NaN");
            let hint = if not_a_number { "; the file has `NaN`, which is no JSON" } else { "" };
            BenchmarkError::Json { path: self.path.to_owned(), source, hint }
        })
    }

    pub(super) fn wrong(&self, key: &str, problem: impl Into<String>) -> BenchmarkError {
        BenchmarkError::Key { path: self.path.to_owned(), key: key.to_owned(), problem: problem.into() }
    }

    pub(super) fn there<T>(&self, key: &str, value: Option<T>) -> Result<T, BenchmarkError> {
        value.ok_or_else(|| self.wrong(key, "is missing or null"))
    }

    pub(super) fn point(&self, key: &str, point: [Option<f64>; 2]) -> Result<[f32; 2], BenchmarkError> {
        let axis = |value| checked(self.there(key, value)?).map_err(|problem| self.wrong(key, problem));
        Ok([axis(point[0])?, axis(point[1])?])
    }

    /// `(width, height)` of at least one pixel.
    pub(super) fn size(&self, key: &str, sides: &[u32]) -> Result<(u32, u32), BenchmarkError> {
        match sides {
            [width @ 1..=1_000_000, height @ 1..=1_000_000, ..] => Ok((*width, *height)),
            _ => Err(self.wrong(key, "is no width and height of an image")),
        }
    }

    /// A box whose right and bottom are not before its left and top, and which is not a point.
    pub(super) fn object_box(&self, key: &str, sides: [Option<f64>; 4]) -> Result<PixelBox, BenchmarkError> {
        let [left, top, right, bottom] = sides;
        let ([left, top], [right, bottom]) = (self.point(key, [left, top])?, self.point(key, [right, bottom])?);
        let sides = [left, top, right, bottom];
        check_box(sides).map_err(|problem| self.wrong(key, problem))?;
        Ok(sides)
    }

    fn points(&self, key: &str, points: Vec<Option<[Option<f64>; 2]>>) -> Result<Vec<[f32; 2]>, BenchmarkError> {
        if points.is_empty() || points.len() > MOST_POINTS {
            return Err(self.wrong(key, format!("has {} points, expected 1 to {MOST_POINTS}", points.len())));
        }
        let point = |(index, point)| {
            let place = format!("{key}[{index}]");
            self.point(&place, self.there(&place, point)?)
        };
        points.into_iter().enumerate().map(point).collect()
    }

    fn image(
        &self,
        side: &str,
        name: Option<String>,
        size: Option<Vec<u32>>,
        points: Option<Vec<Option<[Option<f64>; 2]>>>,
        object_box: Option<[Option<f64>; 4]>,
    ) -> Result<PairFileImage, BenchmarkError> {
        let key = |key: &str| format!("{side}_{key}");
        if let Some(name) = name.as_ref().filter(|name| !is_plain_name(name)) {
            return Err(self.wrong(&key("imname"), format!("is `{}`, which is no file name", shortened(name))));
        }
        Ok(PairFileImage {
            name,
            size: size.map(|sides| self.size(&key("imsize"), &sides)).transpose()?,
            points: self.points(&key("kps"), self.there(&key("kps"), points)?)?,
            object_box: self.object_box(&key("bndbox"), self.there(&key("bndbox"), object_box)?)?,
        })
    }

    fn pair(&self, raw: RawPair) -> Result<PairFile, BenchmarkError> {
        let source = self.image("src", raw.src_imname, raw.src_imsize, raw.src_kps, raw.src_bndbox)?;
        let target = self.image("trg", raw.trg_imname, raw.trg_imsize, raw.trg_kps, raw.trg_bndbox)?;
        let count = source.points.len();
        if target.points.len() != count {
            let problem = format!("has {count} points, `trg_kps` has {}", target.points.len());
            return Err(self.wrong("src_kps", problem));
        }
        let ids = raw.kps_ids.map(|ids| self.ids(ids, count)).transpose()?;
        let agreements = raw.agreement.map(|shares| self.shares("agreement", shares, count)).transpose()?;
        let level = |key: &str, value: Option<i64>, largest: u8| {
            let value = self.there(key, value)?;
            Ok::<_, BenchmarkError>(u8::try_from(value).ok().filter(|level| *level <= largest))
        };
        let viewpoint = level("viewpoint_variation", raw.viewpoint_variation, 2)?;
        let scale = level("scale_variation", raw.scale_variation, 2)?;
        let truncation = level("truncation", raw.truncation, 3)?;
        let occlusion = level("occlusion", raw.occlusion, 3)?;
        let difficulty = (|| {
            Some(Difficulty { viewpoint: viewpoint?, scale: scale?, truncation: truncation?, occlusion: occlusion? })
        })();
        Ok(PairFile { category: self.there("category", raw.category)?, source, target, ids, agreements, difficulty })
    }

    /// A number in 0..=1 for each point.
    fn shares(&self, key: &str, shares: Vec<Option<f64>>, count: usize) -> Result<Vec<f32>, BenchmarkError> {
        if shares.len() != count {
            return Err(self.wrong(key, format!("has {} entries, `src_kps` has {count}", shares.len())));
        }
        let share = |(index, share)| {
            let place = format!("{key}[{index}]");
            match self.there(&place, share)? {
                share if (0.0..=1.0).contains(&share) => Ok(share as f32),
                share => Err(self.wrong(&place, format!("is {share}, expected 0 to 1"))),
            }
        };
        shares.into_iter().enumerate().map(share).collect()
    }

    fn ids(&self, ids: Vec<KeyPointId>, count: usize) -> Result<Vec<u16>, BenchmarkError> {
        if ids.len() != count {
            return Err(self.wrong("kps_ids", format!("has {} entries, `src_kps` has {count}", ids.len())));
        }
        let mut numbers = Vec::with_capacity(count);
        for id in ids {
            let number = match &id {
                KeyPointId::Number(number) => u16::try_from(*number).ok(),
                KeyPointId::Text(text) => text.parse().ok(),
            };
            let number =
                number.ok_or_else(|| self.wrong("kps_ids", "has an entry that is no number of a key point"))?;
            if numbers.contains(&number) {
                return Err(self.wrong("kps_ids", format!("has {number} twice")));
            }
            numbers.push(number);
        }
        Ok(numbers)
    }
}

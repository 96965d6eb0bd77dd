//! AP-10K in pairs: SPair's layout, with pair files that are SPair's or that name two image annotations.
//!
//! The second kind is what the geometry-aware literature prepares: no list, but a file a pair whose `src_json_path` and
//! `trg_json_path` name files in `ImageAnnotation/<family>/<species>/`, each with `width`, `height`, `bbox` (left, top,
//! width, height) and `keypoints` (17 times x, y, visibility; visibility 0 = absent). The class is what follows the `:` of
//! the file's name: a species, a family where two species are paired, `all` where two families are.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path, PathBuf};

use serde::Deserialize;

use super::checks::{Checks, Declared, Place};
use super::error::BenchmarkError;
use super::files::{self, ImageSizes, find_base, is_plain_name};
use super::name::{BenchmarkName, BenchmarkSplit};
use super::pair_json::Keys;
use super::rows::{MOST_POINTS, shortened};
use super::spair::{self, COLON, folder_of, read_layout};
use super::{ReadOptions, ReadPairs, SpairSize};
use crate::key_points::{KeyPointImage, KeyPointPair};
use crate::protocol::{Length, Protocol};

const NAME: BenchmarkName = BenchmarkName::Ap10k;

pub(super) const LAYOUT: &str = "\
ap-10k/
  PairAnnotation/{trn,val,test,test_cross_species,test_cross_family}/<number>-<source>-<target>:<class>.json
  ImageAnnotation/<family>/<species>/<name>.json
  JPEGImages/<family>/<species>/<name>.jpg
or as SPair-71k, with Layout/{large,small}/<split>.txt and one folder a class in ImageAnnotation and JPEGImages
";

/// The data set's folder.
pub(super) fn find(root: &Path) -> Option<PathBuf> {
    find_base(root, &["ap-10k", "AP-10K", "ap10k"], |base| base.join("PairAnnotation").is_dir())
}

/// Whether a folder in SPair's layout is AP-10K: by its name, or because it has pairs and no list of them.
pub(super) fn looks_like(base: &Path) -> bool {
    let name = base.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    let paired = base.join("PairAnnotation").is_dir() && spair::has_image_annotations(base);
    paired && (name.starts_with("ap-10k") || name.starts_with("ap10k") || !base.join("Layout").is_dir())
}

/// The two image annotations that a pair file names, as paths below `ImageAnnotation/`.
///
/// # Errors
///
/// [`BenchmarkError`] with the key that is missing or names no such path.
pub fn parse_ap_10k_pair(path: &Path, bytes: &[u8]) -> Result<[PathBuf; 2], BenchmarkError> {
    #[derive(Deserialize)]
    struct RawPair {
        src_json_path: Option<String>,
        trg_json_path: Option<String>,
    }
    let keys = Keys { path };
    let raw: RawPair = keys.parse(bytes)?;
    let below = |key: &str, value: Option<String>| {
        let value = keys.there(key, value)?;
        let mut parts = Path::new(&value).components().skip_while(|part| part.as_os_str() != "ImageAnnotation").skip(1);
        let rest: PathBuf = parts.by_ref().collect();
        let plain = rest.components().all(|part| matches!(part, Component::Normal(_)));
        if !plain || rest.extension().is_none_or(|extension| extension != "json") {
            let problem =
                format!("is `{}`, expected …/ImageAnnotation/<family>/<species>/<name>.json", shortened(&value));
            return Err(keys.wrong(key, problem));
        }
        Ok(rest)
    };
    Ok([below("src_json_path", raw.src_json_path)?, below("trg_json_path", raw.trg_json_path)?])
}

/// Reads an image annotation of AP-10K from its bytes; the image's path and class are left empty.
///
/// # Errors
///
/// [`BenchmarkError`] with the key that is missing or wrong.
pub fn parse_ap_10k_image(path: &Path, bytes: &[u8]) -> Result<KeyPointImage, BenchmarkError> {
    #[derive(Deserialize)]
    struct RawImage {
        width: Option<u32>,
        height: Option<u32>,
        bbox: Option<[Option<f64>; 4]>,
        keypoints: Option<Vec<Option<f64>>>,
    }
    let keys = Keys { path };
    let raw: RawImage = keys.parse(bytes)?;
    let size = keys.size("width", &[keys.there("width", raw.width)?, keys.there("height", raw.height)?])?;
    let [left, top, width, height] = keys.there("bbox", raw.bbox)?;
    let sum = |start: Option<f64>, length: Option<f64>| Some(start? + length?);
    let object_box = keys.object_box("bbox", [left, top, sum(left, width), sum(top, height)])?;
    let values = keys.there("keypoints", raw.keypoints)?;
    if values.is_empty() || !values.len().is_multiple_of(3) || values.len() / 3 > MOST_POINTS {
        return Err(keys.wrong("keypoints", format!("has {} numbers, expected three a key point", values.len())));
    }
    let mut key_points = Vec::with_capacity(values.len() / 3);
    for (index, point) in values.chunks_exact(3).enumerate() {
        let place = format!("keypoints[{index}]");
        let &[x, y, visibility] = point else { continue };
        let shown = keys.there(&place, visibility)? > 0.0;
        key_points.push(if shown { Some(keys.point(&place, [x, y])?) } else { None });
    }
    Ok(KeyPointImage { path: PathBuf::new(), class: String::new(), size, key_points, object_box: Some(object_box) })
}

pub(super) fn read(root: &Path, split: BenchmarkSplit, options: &ReadOptions) -> Result<ReadPairs, BenchmarkError> {
    let missing = |missing: String| BenchmarkError::Layout { name: NAME, root: root.to_owned(), missing };
    let base = find(root).ok_or_else(|| missing("the folder PairAnnotation".to_owned()))?;
    let folder = folder_of(split);
    if base.join("Layout").is_dir() {
        let size = if options.spair_size == SpairSize::Small { "small" } else { "large" };
        return read_layout(NAME, &base, size, folder, options.annotated_in);
    }
    let pairs_folder = base.join("PairAnnotation").join(folder);
    let checks = Checks::new(NAME.annotation_frame(), options.annotated_in);
    let mut reader = Reader { base: &base, known: BTreeMap::new(), sizes: ImageSizes::default(), checks };
    let (mut pairs, mut pointless) = (Vec::new(), 0);
    let mut any = false;
    for (id, path) in pair_files(&pairs_folder).map_err(|error| match error {
        BenchmarkError::Io { .. } => missing(format!("the folder PairAnnotation/{folder}")),
        error => error,
    })? {
        any = true;
        match reader.pair(id, &path)? {
            Some(pair) => pairs.push(pair),
            None => pointless += 1,
        }
    }
    if !any {
        return Err(missing(format!("any file <number>-<source>-<target>:<class>.json in PairAnnotation/{folder}")));
    }
    let mut notes = Vec::new();
    if pointless > 0 {
        notes.push(format!("{pointless} pairs have no key point that both images show and are left out"));
    }
    let default_protocol = Protocol { length: Length::Bbox, ..Protocol::default() };
    Ok(ReadPairs { pairs, default_protocol, notes, counts: reader.checks.counts })
}

/// The pair files of a folder and their names without extension, by name.
fn pair_files(folder: &Path) -> Result<BTreeMap<String, PathBuf>, BenchmarkError> {
    let io = |source| BenchmarkError::Io { path: folder.to_owned(), source };
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).map_err(io)? {
        let path = entry.map_err(io)?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            found.insert(path.file_stem().unwrap_or_default().to_string_lossy().into_owned(), path);
        }
    }
    Ok(found)
}

struct Reader<'a> {
    base: &'a Path,
    known: BTreeMap<PathBuf, KeyPointImage>,
    sizes: ImageSizes,
    checks: Checks,
}

impl Reader<'_> {
    fn pair(&mut self, id: String, path: &Path) -> Result<Option<KeyPointPair>, BenchmarkError> {
        let class = id.rsplit_once(':').map(|(_, class)| class.to_owned()).filter(|class| is_plain_name(class));
        let class = class.ok_or_else(|| BenchmarkError::Content {
            path: path.to_owned(),
            problem: format!("the file's name does not end in `:<class>.json`{COLON}"),
        })?;
        let [source, target] = parse_ap_10k_pair(path, &files::read(path)?)?;
        let source = KeyPointImage { class: class.clone(), ..self.image(path, &source)? };
        let target = KeyPointImage { class, ..self.image(path, &target)? };
        Ok(KeyPointPair::new(&source, &target).map(|pair| KeyPointPair { id, ..pair }))
    }

    fn image(&mut self, pair: &Path, below: &Path) -> Result<KeyPointImage, BenchmarkError> {
        if let Some(image) = self.known.get(below) {
            return Ok(image.clone());
        }
        let file = self.base.join("ImageAnnotation").join(below);
        let bytes = files::read_needed(NAME, &file, || pair.display().to_string(), "")?;
        let image = parse_ap_10k_image(&file, &bytes)?;
        let path = self.base.join("JPEGImages").join(below).with_extension("jpg");
        let image = self.checked(&file, KeyPointImage { path, ..image })?;
        self.known.insert(below.to_owned(), image.clone());
        Ok(image)
    }

    fn checked(&mut self, file: &Path, image: KeyPointImage) -> Result<KeyPointImage, BenchmarkError> {
        let (place, declared) = (Place::file(file), Declared { size: image.size, field: "width, height" });
        let canvas = self.checks.declared_canvas(&mut self.sizes, &image.path, None, declared, place)?;
        let mut key_points = image.key_points;
        for (index, point) in key_points.iter_mut().enumerate() {
            if let Some(point) = point {
                *point = self.checks.point(&canvas, *point, place, || format!("keypoints[{index}]"))?;
            }
        }
        let object_box =
            image.object_box.map(|sides| self.checks.object_box(&canvas, sides, place, "bbox")).transpose()?;
        Ok(KeyPointImage { size: canvas.size(), key_points, object_box, ..image })
    }
}

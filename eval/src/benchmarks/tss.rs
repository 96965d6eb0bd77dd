//! TSS: pairs of images with dense flow and foreground masks, in three subsets.
//!
//! `flowK.flo` and `maskK.png` lie on the grid of `imageK.png`; flow K points into the other image. This reader finds
//! the files and checks that masks are as large as their images; it opens no flow. A flow lies on the pixels as they are
//! stored, so that an image or mask with an EXIF orientation is refused.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::error::BenchmarkError;
use super::files::{self, ImageSizes, find_base, without_mark};
use super::name::BenchmarkName;

const NAME: BenchmarkName = BenchmarkName::Tss;

/// The three subsets, in the order of the published tables.
pub const TSS_SUBSETS: [&str; 3] = ["FG3DCar", "JODS", "PASCAL"];

pub(super) const LAYOUT: &str = "\
TSS_CVPR2016/
  {FG3DCar,JODS,PASCAL}/<pair>/
    image1.png  image2.png
    mask1.png   mask2.png
    flow1.flo   flow2.flo
    flip_gt.txt                                0, or 1: mirror the other image before matching
";

/// A pair of TSS. Arrays hold what belongs to image 1, then what belongs to image 2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TssPair {
    /// `<subset>/<pair>`.
    pub id: String,
    /// One of [`TSS_SUBSETS`].
    pub subset: &'static str,
    /// The images.
    pub images: [PathBuf; 2],
    /// Their `(width, height)` in pixels.
    pub sizes: [(u32, u32); 2],
    /// The foreground masks, each of its image's size.
    pub masks: [PathBuf; 2],
    /// The flows, each on its image's grid and into the other image.
    pub flows: [PathBuf; 2],
    /// Whether the other image is to be mirrored before matching.
    pub flip: bool,
}

/// Finds every pair of TSS, subset by subset and then by name.
///
/// # Errors
///
/// [`BenchmarkError`] where a subset or a file of a pair is missing, a mask is not of its image's size, or an image is stored
/// turned.
pub fn read_tss(root: &Path) -> Result<Vec<TssPair>, BenchmarkError> {
    let missing = |missing: String| BenchmarkError::Layout { name: NAME, root: root.to_owned(), missing };
    let base = find(root).ok_or_else(|| missing("the folders FG3DCar, JODS and PASCAL".to_owned()))?;
    let mut sizes = ImageSizes::default();
    let mut pairs = Vec::new();
    for subset in TSS_SUBSETS {
        let folders = folders(&base.join(subset))?;
        if folders.is_empty() {
            return Err(missing(format!("any pair in the folder {subset}")));
        }
        for (name, folder) in folders {
            pairs.push(pair(subset, &name, &folder, &mut sizes)?);
        }
    }
    Ok(pairs)
}

/// Reads `flip_gt.txt` from its bytes: 0 or 1.
///
/// # Errors
///
/// [`BenchmarkError`] where it is neither.
pub fn parse_tss_flip(path: &Path, bytes: &[u8]) -> Result<bool, BenchmarkError> {
    match without_mark(bytes).trim_ascii() {
        b"0" => Ok(false),
        b"1" => Ok(true),
        _ => Err(BenchmarkError::Content { path: path.to_owned(), problem: "expected 0 or 1 alone".to_owned() }),
    }
}

/// The data set's folder.
pub(super) fn find(root: &Path) -> Option<PathBuf> {
    find_base(root, &["TSS_CVPR2016", "TSS", "tss"], |base| TSS_SUBSETS.iter().all(|subset| base.join(subset).is_dir()))
}

fn folders(subset: &Path) -> Result<BTreeMap<String, PathBuf>, BenchmarkError> {
    let io = |source| BenchmarkError::Io { path: subset.to_owned(), source };
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(subset).map_err(io)? {
        let path = entry.map_err(io)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() && !name.starts_with('.') {
            found.insert(name, path);
        }
    }
    Ok(found)
}

fn pair(subset: &'static str, name: &str, folder: &Path, sizes: &mut ImageSizes) -> Result<TssPair, BenchmarkError> {
    let needed_by = || format!("the pair {subset}/{name}");
    let both = |stem: &str, extension: &str| [1, 2].map(|number| folder.join(format!("{stem}{number}.{extension}")));
    let (images, masks, flows) = (both("image", "png"), both("mask", "png"), both("flow", "flo"));
    let mut found = [(0, 0); 2];
    for ((image, mask), size) in images.iter().zip(&masks).zip(&mut found) {
        *size = upright_size(sizes, image, needed_by)?;
        let of_mask = upright_size(sizes, mask, needed_by)?;
        if of_mask != *size {
            let problem = format!("the mask is {} x {}, its image {} x {}", of_mask.0, of_mask.1, size.0, size.1);
            return Err(BenchmarkError::Content { path: mask.clone(), problem });
        }
    }
    for flow in &flows {
        if !flow.is_file() {
            return Err(BenchmarkError::Missing { name: NAME, path: flow.clone(), needed_by: needed_by(), hint: "" });
        }
    }
    let flip = folder.join("flip_gt.txt");
    let flip = parse_tss_flip(&flip, &files::read_needed(NAME, &flip, needed_by, "")?)?;
    Ok(TssPair { id: format!("{subset}/{name}"), subset, images, sizes: found, masks, flows, flip })
}

fn upright_size(
    sizes: &mut ImageSizes,
    path: &Path,
    needed_by: impl Fn() -> String,
) -> Result<(u32, u32), BenchmarkError> {
    let size = sizes.of_needed(NAME, path, needed_by)?;
    if size.is_turned() {
        let problem = format!(
            "the image is stored turned (EXIF orientation {}), and the flow lies on its pixels as they are stored; save it \
             as it is stored, without the orientation",
            size.orientation()
        );
        return Err(BenchmarkError::Content { path: path.to_owned(), problem });
    }
    Ok(size.stored)
}

//! The images of a run: found, checked, decoded, and what the frozen blocks say of each.

mod extractor;
mod prepare;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use burn::tensor::{Device, Tensor};
use corr_volume::{Normalisation, preprocess};
use eval::Split;
use image::RgbImage;
use sc_imagenet::{CheckConfig, ClassTree, DecodeLimits, Half, ImageSet, check, decode};
use tracing::{info, warn};

use crate::cache_folder::cache_subfolder;
use crate::progress;
use crate::short_hash::short_hash;
use crate::sources::tell_passed_over;

pub use extractor::{Asked, Extractor, Fetched};

/// Raised whenever the same bytes are decoded or preprocessed to other values than before: what is kept of images under an
/// earlier number is made anew.
pub const READING: u32 = 2;

/// Finds and checks the images of class folders; what is refused goes to the log.
///
/// # Errors
///
/// Folders that are missing, empty, or hold no usable class.
pub fn find(folders: &[String], split: Split, min_images_per_class: usize) -> Result<ImageSet> {
    let mut sets = Vec::new();
    for folder in folders {
        let tree = ClassTree::walk(Path::new(folder))?;
        let tree = match split {
            Split::All => tree,
            Split::Train => tree.half(Half::Even),
            Split::Val => tree.half(Half::Odd),
        };
        let bar = progress::count(tree.image_count(), "checking images");
        let config = CheckConfig { min_images_per_class, ..CheckConfig::default() };
        let checked = check(&tree, &config, Some(&verdicts(folder)?), |done, _| bar.set_position(done as u64))?;
        bar.finish_and_clear();
        for refused in &checked.report.refused {
            warn!("{folder}: refused {}: {}", refused.path, refused.reason);
        }
        for (class, reason) in checked.report.left_out() {
            warn!("{folder}: class {class} is left out: {reason}");
        }
        tell_passed_over(folder, &checked.report.passed_over);
        tell_nested(folder, &tree);
        info!("{folder}: {} images in {} classes", checked.images.len(), checked.images.classes().len());
        sets.push(checked.images);
    }
    Ok(ImageSet::join(sets))
}

/// Says how many images lie in folders within their class's, and where a class has no others: that may be a folder of classes.
fn tell_nested(folder: &str, tree: &ClassTree) {
    if tree.nested_count() > 0 {
        info!("{folder}: {} of the images lie in folders within their class's folder", tree.nested_count());
    }
    for class in tree.classes().iter().filter(|class| class.nested() > 0 && class.nested() == class.files.len()) {
        warn!("{folder}: all images of class {} lie in folders within its folder; is it one class?", class.name);
    }
}

/// Where the verdicts on a folder's images are kept.
fn verdicts(folder: &str) -> Result<PathBuf> {
    let path = std::path::absolute(folder).with_context(|| format!("{folder} is no path"))?;
    let name = short_hash(path.to_string_lossy().as_bytes());
    Ok(cache_subfolder("checked")?.join(format!("{name}.jsonl")))
}

/// Decodes and preprocesses one image to `[1, 3, side, side]`.
///
/// # Errors
///
/// An image that cannot be decoded.
pub fn input_of(path: &Path, side: usize, normalisation: &Normalisation, device: &Device) -> Result<Tensor<4>> {
    let image = decode(path, &DecodeLimits::default())?;
    Ok(to_input(&image, side, normalisation, device))
}

/// Preprocesses a decoded image to `[1, 3, side, side]`.
pub fn to_input(image: &RgbImage, side: usize, normalisation: &Normalisation, device: &Device) -> Tensor<4> {
    preprocess(image, (side, side), normalisation, device)
}

/// An image as it is, or mirrored left to right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// As it is.
    AsIs,
    /// Mirrored.
    Mirrored,
}

impl View {
    /// The view of an image or map `[b, c, h, w]`.
    pub fn of<const D: usize>(self, map: Tensor<D>) -> Tensor<D> {
        match self {
            View::AsIs => map,
            View::Mirrored => map.flip([D - 1]),
        }
    }

    fn name(self) -> &'static str {
        match self {
            View::AsIs => "",
            View::Mirrored => "mirrored",
        }
    }
}

//! The images of a run: found, checked, decoded, and what the frozen blocks say of each.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use burn::tensor::{Device, Tensor};
use corr_volume::{Backbone, Normalisation, preprocess};
use eval::Split;
use image::RgbImage;
use refine_cascade::{Padding, Warp, warp_images};
use sc_imagenet::{CheckConfig, ClassTree, DecodeLimits, Half, ImageSet, check, decode, decode_bytes};
use sha2::{Digest, Sha256};
use tracing::{info, warn};

use crate::cache_folder::cache_folder;
use crate::feature_cache::FeatureCache;
use crate::network::{FrozenFeatures, Layout};
use crate::progress;

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
        info!("{folder}: {} images in {} classes", checked.images.len(), checked.images.classes().len());
        sets.push(checked.images);
    }
    Ok(ImageSet::join(sets))
}

/// Where the verdicts on a folder's images are kept.
fn verdicts(folder: &str) -> Result<PathBuf> {
    let path = std::path::absolute(folder).with_context(|| format!("{folder} is no path"))?;
    let name: String =
        Sha256::digest(path.to_string_lossy().as_bytes()).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let parent = cache_folder().join("checked");
    std::fs::create_dir_all(&parent).with_context(|| format!("cannot create {}", parent.display()))?;
    Ok(parent.join(format!("{name}.jsonl")))
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

/// Runs the frozen blocks of the backbone that a run starts from, with a cache of what they say.
pub struct Extractor {
    /// The backbone as it was before the cascade's training, without autodiff.
    pub backbone: Backbone,
    /// What is kept of it.
    pub layout: Layout,
    cache: Option<FeatureCache>,
    setting: String,
    device: Device,
}

impl Extractor {
    /// An extractor; `identity` names the backbone's parameters (a hash of them), `cache_mib` limits the cache on disk
    /// (0: no cache).
    ///
    /// # Errors
    ///
    /// A cache folder that cannot be created.
    pub fn new(
        backbone: Backbone,
        layout: Layout,
        identity: &str,
        cache_mib: u64,
        device: &Device,
    ) -> Result<Extractor> {
        let cache = (cache_mib > 0)
            .then(|| FeatureCache::open(&cache_folder().join("features"), cache_mib << 20))
            .transpose()?;
        let setting = format!("{identity} {layout:?} {}", crate::device::device_name(device));
        Ok(Extractor { backbone, layout, cache, setting, device: device.clone() })
    }

    /// The preprocessed image `[1, 3, side, side]`.
    ///
    /// # Errors
    ///
    /// An image that cannot be decoded.
    pub fn input(&self, path: &Path) -> Result<Tensor<4>> {
        input_of(path, self.layout.input, &self.backbone.normalisation(), &self.device)
    }

    /// The deepest block's output `[1, c, h, w]` for an image at another scale (its side rounded to 32 pixels).
    ///
    /// # Errors
    ///
    /// As [`Extractor::frozen`].
    pub fn deepest_at(&mut self, path: &Path, scale: f64) -> Result<Tensor<4>> {
        let side = ((self.layout.input as f64 * scale / 32.0).round() as usize).max(1) * 32;
        let block = self.layout.layers[self.layout.layers.len() - 1];
        let maps = self.cached(path, &format!("block {block} at {side}"), |extractor, image| {
            let input = to_input(image, side, &extractor.backbone.normalisation(), &extractor.device);
            extractor.backbone.forward_from(input, 0, &[block])
        })?;
        maps.into_iter().next().with_context(|| format!("{}: no features", path.display()))
    }

    /// What the frozen blocks say of an image file, from the cache or computed and kept.
    ///
    /// # Errors
    ///
    /// A file that cannot be read or decoded, a cache that cannot be written.
    pub fn frozen(&mut self, path: &Path) -> Result<FrozenFeatures> {
        self.frozen_view(path, View::AsIs)
    }

    /// As [`Extractor::frozen`], of the image or of its mirror image.
    ///
    /// # Errors
    ///
    /// As [`Extractor::frozen`].
    pub fn frozen_view(&mut self, path: &Path, view: View) -> Result<FrozenFeatures> {
        let maps = self.cached(path, view.name(), |extractor, image| {
            let input = to_input(image, extractor.layout.input, &extractor.backbone.normalisation(), &extractor.device);
            extractor.layout.frozen(&extractor.backbone, view.of(input)).into_maps()
        })?;
        FrozenFeatures::from_maps(maps, &self.layout)
            .with_context(|| format!("{}: the cached features are of another layout", path.display()))
    }

    /// What training needs of a warped view of an image; kept in the cache under `name`, if it has one.
    ///
    /// # Errors
    ///
    /// As [`Extractor::frozen`].
    pub fn warped(&mut self, path: &Path, view: View, warp: &Warp, name: Option<&str>) -> Result<FrozenFeatures> {
        let compute = |extractor: &Extractor, image: &RgbImage| {
            let input = to_input(image, extractor.layout.input, &extractor.backbone.normalisation(), &extractor.device);
            let warped = warp_images(view.of(input), std::slice::from_ref(warp), Padding::Zero);
            extractor.layout.prefix(&extractor.backbone, warped).into_maps()
        };
        let maps = match name {
            Some(name) => self.cached(path, &format!("{} {name}", view.name()), compute)?,
            None => compute(self, &decode(path, &DecodeLimits::default())?),
        };
        Ok(self.layout.prefix_of_maps(maps))
    }

    fn cached(
        &mut self,
        path: &Path,
        what: &str,
        compute: impl FnOnce(&Extractor, &RgbImage) -> Vec<Tensor<4>>,
    ) -> Result<Vec<Tensor<4>>> {
        let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        let key = FeatureCache::key(&bytes, &format!("{} {what}", self.setting));
        if let Some(maps) = self.cache.as_ref().and_then(|cache| cache.load(&key, &self.device)) {
            return Ok(maps);
        }
        let image = match decode_bytes(&bytes, &DecodeLimits::default()) {
            Ok(image) => image,
            Err(refusal) => bail!("{}: {refusal}", path.display()),
        };
        let maps = compute(self, &image);
        if let Some(cache) = &mut self.cache {
            cache.store(&key, &maps)?;
        }
        Ok(maps)
    }

    /// Fills the cache for all of `paths`, with a progress line.
    ///
    /// # Errors
    ///
    /// As [`Extractor::frozen`].
    pub fn prepare<'a>(&mut self, paths: impl ExactSizeIterator<Item = &'a Path>) -> Result<()> {
        if self.cache.is_none() {
            return Ok(());
        }
        let bar = progress::count(paths.len(), "frozen features");
        for path in paths {
            self.frozen(path)?;
            bar.inc(1);
        }
        bar.finish_and_clear();
        Ok(())
    }

    /// The device that features lie on.
    pub fn device(&self) -> &Device {
        &self.device
    }
}

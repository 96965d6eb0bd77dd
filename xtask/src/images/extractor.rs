//! What the frozen blocks say of images: from the cache, or by decoding, warping and running them.

use std::path::Path;

use anyhow::{Context, Result, anyhow};
use burn::tensor::{Device, Tensor, TensorData};
use corr_volume::Backbone;
use eval::matcher::{Augmentation, augment};
use image::RgbImage;
use refine_cascade::{Padding, Warp, warp_images};
use sc_imagenet::{DecodeLimits, decode_bytes};

use super::{READING, View, input_of, to_input};
use crate::cache_folder::cache_folder;
use crate::device::{device_name, host};
use crate::feature_cache::FeatureCache;
use crate::network::{FrozenFeatures, Layout};

/// Runs the frozen blocks of the backbone that a run starts from, with a cache of what they say. Threads share it.
pub struct Extractor {
    /// The backbone as it was before the cascade's training, without autodiff.
    pub backbone: Backbone,
    /// What is kept of it.
    pub layout: Layout,
    /// How many threads may work ahead of who asks; 0: none.
    pub threads: usize,
    pub(super) cache: Option<FeatureCache>,
    setting: String,
    device: Device,
    on_host: bool,
}

/// What is asked of the frozen blocks about an image.
#[derive(Clone, Debug)]
pub enum Asked {
    /// Everything that training and scoring need: [`Layout::frozen`] of a view of the image.
    Frozen(View),
    /// The deepest block's output alone, for the image at this many pixels a side.
    Deepest {
        /// Pixels a side, a multiple of 32.
        side: usize,
    },
    /// [`Layout::frozen`] of an image that was changed first.
    Augmented(Augmentation),
    /// [`Layout::prefix`] of a warped view of the image.
    Warped {
        /// The view that is warped.
        view: View,
        /// The warp.
        warp: Warp,
        /// The name under which the cache keeps it; nothing is kept without one.
        name: Option<String>,
    },
}

/// An answer on the way, made of host memory alone, so that any thread may make it.
pub enum Fetched {
    /// The blocks' outputs.
    Maps(Vec<TensorData>),
    /// The network's input `[1, 3, s, s]`, where the network runs on another device, and where to keep what it says.
    Input {
        /// The input.
        input: TensorData,
        /// The key in the cache.
        key: Option<String>,
    },
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
        threads: usize,
        device: &Device,
    ) -> Result<Extractor> {
        let cache = (cache_mib > 0)
            .then(|| FeatureCache::open(&cache_folder().join("features"), cache_mib << 20))
            .transpose()?;
        let setting = setting(&backbone, &layout, identity, device);
        let on_host = *device == host();
        Ok(Extractor { backbone, layout, threads, cache, setting, device: device.clone(), on_host })
    }

    /// The preprocessed image `[1, 3, side, side]`.
    ///
    /// # Errors
    ///
    /// An image that cannot be decoded.
    pub fn input(&self, path: &Path) -> Result<Tensor<4>> {
        input_of(path, self.layout.input, &self.backbone.normalisation(), &self.device)
    }

    /// The deepest block's output `[1, c, h, w]` for an image at another scale, see [`Extractor::at_scale`].
    ///
    /// # Errors
    ///
    /// As [`Extractor::frozen`].
    pub fn deepest_at(&self, path: &Path, scale: f64) -> Result<Tensor<4>> {
        let asked = self.at_scale(scale);
        self.deepest(path, self.fetch(path, &asked)?, &asked)
    }

    /// The question for the deepest block's output for an image at a scale of the usual input, its side rounded to 32
    /// pixels.
    pub fn at_scale(&self, scale: f64) -> Asked {
        Asked::Deepest { side: ((self.layout.input as f64 * scale / 32.0).round() as usize).max(1) * 32 }
    }

    /// What the frozen blocks say of an image file, from the cache or computed and kept.
    ///
    /// # Errors
    ///
    /// A file that cannot be read or decoded, a cache that cannot be written.
    pub fn frozen(&self, path: &Path) -> Result<FrozenFeatures> {
        let asked = Asked::Frozen(View::AsIs);
        self.features(path, self.fetch(path, &asked)?, &asked)
    }

    /// The part of an answer that any thread may do, at any time: reads the image file, and then the features from the
    /// cache, or decodes, resizes and warps the image; on the host it runs the network too. What comes of it depends on
    /// the file and the question alone.
    ///
    /// # Errors
    ///
    /// As [`Extractor::frozen`].
    pub fn fetch(&self, path: &Path, asked: &Asked) -> Result<Fetched> {
        let (bytes, key) = self.read(path, asked)?;
        if let (Some(cache), Some(key)) = (&self.cache, &key)
            && let Some(maps) = cache.load(key)
        {
            return Ok(Fetched::Maps(maps));
        }
        self.make(path, &bytes, asked, key)
    }

    /// As [`Extractor::fetch`], but only what the cache does not have yet.
    pub(super) fn fetch_missing(&self, path: &Path, asked: &Asked) -> Result<Option<Fetched>> {
        let (bytes, key) = self.read(path, asked)?;
        if let (Some(cache), Some(key)) = (&self.cache, &key)
            && cache.contains(key)
        {
            return Ok(None);
        }
        self.make(path, &bytes, asked, key).map(Some)
    }

    /// The rest of an answer to [`Asked::Frozen`] or [`Asked::Warped`]: what was fetched, on the device. Of a warped view
    /// there is what [`Layout::prefix`] gives.
    ///
    /// # Errors
    ///
    /// As [`Extractor::frozen`].
    pub fn features(&self, path: &Path, fetched: Fetched, asked: &Asked) -> Result<FrozenFeatures> {
        let maps = self.finish(fetched, asked)?;
        if let Asked::Warped { .. } = asked {
            return Ok(self.layout.prefix_of_maps(maps));
        }
        FrozenFeatures::from_maps(maps, &self.layout)
            .with_context(|| format!("{}: the cached features are of another layout", path.display()))
    }

    /// The rest of an answer to [`Asked::Deepest`]: `[1, c, h, w]` on the device.
    ///
    /// # Errors
    ///
    /// As [`Extractor::frozen`].
    pub fn deepest(&self, path: &Path, fetched: Fetched, asked: &Asked) -> Result<Tensor<4>> {
        let maps = self.finish(fetched, asked)?;
        maps.into_iter().next().with_context(|| format!("{}: no features", path.display()))
    }

    /// What the frozen blocks say of an image in memory, `[1, c, h, w]` each, as [`Layout::frozen`] has them or, of
    /// [`Asked::Deepest`], that block's output alone. Nothing is kept. Any thread may ask.
    pub fn run_image(&self, image: &RgbImage, asked: &Asked) -> Vec<Tensor<4>> {
        let input = self.input_on_host(image, asked);
        let input = if self.on_host { input } else { Tensor::from_data(input.into_data(), &self.device) };
        self.run(input, asked)
    }

    /// The device that features lie on.
    pub fn device(&self) -> &Device {
        &self.device
    }

    fn read(&self, path: &Path, asked: &Asked) -> Result<(Vec<u8>, Option<String>)> {
        let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        let key = match (&self.cache, self.name(asked)) {
            (Some(_), Some(name)) => Some(FeatureCache::key(&bytes, &format!("{} {name}", self.setting))),
            _ => None,
        };
        Ok((bytes, key))
    }

    /// What distinguishes a question from others about the same image; `None` where the answer is not to be kept.
    fn name(&self, asked: &Asked) -> Option<String> {
        match asked {
            Asked::Frozen(view) => Some(view.name().to_owned()),
            Asked::Augmented(augmentation) => Some(augmentation.name()),
            Asked::Deepest { side } => Some(format!("block {} at {side}", self.deepest_block())),
            Asked::Warped { view, name, .. } => name.as_ref().map(|name| format!("{} {name}", view.name())),
        }
    }

    fn deepest_block(&self) -> usize {
        self.layout.layers[self.layout.layers.len() - 1]
    }

    fn make(&self, path: &Path, bytes: &[u8], asked: &Asked, key: Option<String>) -> Result<Fetched> {
        let image = decode_bytes(bytes, &DecodeLimits::default())
            .map_err(|refusal| anyhow!("{}: {refusal}", path.display()))?;
        let input = self.input_on_host(&image, asked);
        if !self.on_host {
            return Ok(Fetched::Input { input: input.into_data(), key });
        }
        let maps: Vec<TensorData> = self.run(input, asked).into_iter().map(Tensor::into_data).collect();
        if let (Some(cache), Some(key)) = (&self.cache, &key) {
            cache.store(key, &maps)?;
        }
        Ok(Fetched::Maps(maps))
    }

    /// What the network is to see, `[1, 3, s, s]`, in host memory.
    fn input_on_host(&self, image: &RgbImage, asked: &Asked) -> Tensor<4> {
        let input = |side: usize| to_input(image, side, &self.backbone.normalisation(), &host());
        match asked {
            Asked::Frozen(view) => view.of(input(self.layout.input)),
            Asked::Augmented(augmentation) => {
                let side = self.layout.input;
                to_input(&augment(image, augmentation), side, &self.backbone.normalisation(), &host())
            }
            Asked::Deepest { side } => input(*side),
            Asked::Warped { view, warp, .. } => {
                warp_images(view.of(input(self.layout.input)), std::slice::from_ref(warp), Padding::Zero)
            }
        }
    }

    /// Runs the frozen blocks on inputs `[b, 3, s, s]`.
    fn run(&self, input: Tensor<4>, asked: &Asked) -> Vec<Tensor<4>> {
        match asked {
            Asked::Frozen(_) | Asked::Augmented(_) => self.layout.frozen(&self.backbone, input).into_maps(),
            Asked::Deepest { .. } => self.backbone.forward_from(input, 0, &[self.deepest_block()]),
            Asked::Warped { .. } => self.layout.prefix(&self.backbone, input).into_maps(),
        }
    }

    fn finish(&self, fetched: Fetched, asked: &Asked) -> Result<Vec<Tensor<4>>> {
        match fetched {
            Fetched::Maps(maps) => Ok(maps.into_iter().map(|map| Tensor::from_data(map, &self.device)).collect()),
            Fetched::Input { input, key } => Ok(self.run_batch(vec![(input, key)], asked)?.swap_remove(0)),
        }
    }

    /// Runs the frozen blocks on several inputs at once, and keeps what they say of each under its key.
    pub(super) fn run_batch(
        &self,
        inputs: Vec<(TensorData, Option<String>)>,
        asked: &Asked,
    ) -> Result<Vec<Vec<Tensor<4>>>> {
        let (inputs, keys): (Vec<_>, Vec<_>) = inputs.into_iter().unzip();
        let inputs = inputs.into_iter().map(|input| Tensor::from_data(input, &self.device)).collect();
        let maps = self.run(Tensor::cat(inputs, 0), asked);
        let mut answers = Vec::with_capacity(keys.len());
        for (index, key) in keys.iter().enumerate() {
            let answer: Vec<Tensor<4>> = maps.iter().map(|map| map.clone().narrow(0, index, 1)).collect();
            if let (Some(cache), Some(key)) = (&self.cache, key) {
                cache.store(key, &answer.iter().map(Tensor::to_data).collect::<Vec<_>>())?;
            }
            answers.push(answer);
        }
        Ok(answers)
    }
}

/// What features depend on besides the image: how it is read, the network with its weights, what is kept, the device. The
/// same weights make other maps where a block's stride is another (a dilated backbone's).
fn setting(backbone: &Backbone, layout: &Layout, identity: &str, device: &Device) -> String {
    let strides: Vec<usize> = (0..backbone.block_count()).map(|block| backbone.stride(block)).collect();
    let name = backbone.name();
    format!("reading {READING} {name} strides {strides:?} {identity} {layout:?} {}", device_name(device))
}

#[cfg(test)]
mod tests {
    use corr_volume::{BackboneConfig, BackboneName, BatchNormMode};
    use image::Rgb;

    use super::*;

    fn extractor(name: BackboneName, layers: &[usize], first_tuned: Option<usize>) -> Extractor {
        let device = host();
        device.seed(3);
        let backbone = BackboneConfig { name, dilated: false }.init(&device).with_batch_norm(BatchNormMode::Frozen);
        let layout = Layout { input: 64, layers: layers.to_vec(), first_tuned };
        Extractor::new(backbone, layout, "", 0, 0, &device).unwrap()
    }

    fn picture(shade: u32) -> RgbImage {
        RgbImage::from_fn(50, 40, |x, y| Rgb([(x * 5 + shade) as u8, (y * 6) as u8, (x * y + 3 * shade) as u8]))
    }

    fn png(image: &RgbImage) -> Vec<u8> {
        let mut bytes = Vec::new();
        image.write_to(&mut std::io::Cursor::new(&mut bytes), image::ImageFormat::Png).unwrap();
        bytes
    }

    /// What the cache keeps of an image must not depend on which others were at hand when it was made.
    #[test]
    fn a_batch_says_of_each_image_what_the_network_says_of_it_alone_bit_for_bit() {
        let _generator = crate::train::small_run::generator();
        let tries = [
            (BackboneName::EfficientNetLite0, &[10, 12, 14][..], Some(8)),
            (BackboneName::Small, &[3, 5][..], Some(4)),
        ];
        for (name, layers, first_tuned) in tries {
            let extractor = extractor(name, layers, first_tuned);
            let warp = Warp::affine([[0.9, 0.1], [-0.1, 1.1]], [0.05, 0.0]);
            let warped = Asked::Warped { view: View::Mirrored, warp, name: None };
            for asked in [Asked::Frozen(View::AsIs), extractor.at_scale(1.5), warped] {
                let inputs = [1, 40, 90].map(|shade| extractor.input_on_host(&picture(shade), &asked).into_data());
                let together = extractor.run_batch(inputs.iter().map(|input| (input.clone(), None)).collect(), &asked);
                let together = together.unwrap();
                assert_eq!(together.len(), inputs.len());
                for (input, together) in inputs.into_iter().zip(together) {
                    let alone = extractor.run(Tensor::from_data(input, &host()), &asked);
                    assert_eq!(alone.len(), together.len());
                    for (alone, together) in alone.into_iter().zip(together) {
                        alone.into_data().assert_eq(&together.into_data(), true);
                    }
                }
            }
        }
    }

    #[test]
    fn a_dilated_backbone_of_the_same_weights_has_features_of_its_own() {
        let layout = Layout { input: 64, layers: vec![14], first_tuned: None };
        let name = BackboneName::EfficientNetLite0;
        let of = |dilated: bool, identity: &str| {
            setting(&BackboneConfig { name, dilated }.init(&host()), &layout, identity, &host())
        };
        assert_eq!(of(false, "weights"), of(false, "weights"));
        assert_ne!(of(false, "weights"), of(true, "weights"));
        assert_ne!(of(false, "weights"), of(false, "others"));
    }

    #[test]
    fn an_answer_is_the_same_on_a_thread_of_its_own() {
        let _generator = crate::train::small_run::generator();
        let extractor = std::sync::Arc::new(extractor(BackboneName::EfficientNetLite0, &[10, 12, 14], Some(8)));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.png");
        std::fs::write(&path, png(&picture(7))).unwrap();
        let here = extractor.frozen(&path).unwrap().into_maps();
        let (other, asked) = (std::sync::Arc::clone(&extractor), Asked::Frozen(View::AsIs));
        let (path_there, asked_there) = (path.clone(), asked.clone());
        let fetched = crate::ahead::in_order(2, 2, std::iter::once(move || other.fetch(&path_there, &asked_there)));
        let there = fetched.map(|fetched| extractor.features(&path, fetched.unwrap(), &asked).unwrap().into_maps());
        let there: Vec<Tensor<4>> = there.flatten().collect();
        assert!(there.len() == here.len() && !here.is_empty());
        for (here, there) in here.into_iter().zip(there) {
            here.into_data().assert_eq(&there.into_data(), true);
        }
    }
}

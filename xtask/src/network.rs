//! The one network that learns: backbone, classifier, region matcher and students, and what it makes of an image.

use std::sync::{Mutex, PoisonError};

use anyhow::Result;
use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, Tensor};
use corr_volume::{Backbone, BackboneConfig, Grid, hyperpixel, l2_normalise};
use mil_matching::{Classifier, ClassifierConfig, RegionMatcher, RegionMatcherConfig};
use refine_cascade::{Cascade, CascadeConfig};
use sha2::{Digest, Sha256};

use crate::config::TrainConfig;

/// Everything that learns.
#[derive(Module, Debug)]
pub struct Network {
    /// Image to feature maps.
    pub backbone: Backbone,
    /// Image level.
    pub classifier: Classifier,
    /// Region level.
    pub regions: RegionMatcher,
    /// The students.
    pub cascade: Cascade,
    /// The mean hyperpixel of the training images `[1, d, 1, 1]`, which is taken off every hyperpixel. It does not learn.
    pub centre: Param<Tensor<4>>,
}

/// Which blocks give what; fixed by the configuration.
#[derive(Clone, Debug)]
pub struct Layout {
    /// Pixels a side of the input.
    pub input: usize,
    /// The hyperpixel's blocks, ascending.
    pub layers: Vec<usize>,
    /// The first block that learns.
    pub first_tuned: Option<usize>,
}

/// What the frozen blocks say of a batch of images: all that training and scoring need of them.
#[derive(Clone, Debug)]
pub struct FrozenFeatures {
    /// The input of the first block that learns `[b, c, h, w]`.
    pub tuned_input: Option<Tensor<4>>,
    /// The hyperpixel's blocks as they were before training, each `[b, c_l, h_l, w_l]`.
    pub layers: Vec<Tensor<4>>,
}

impl Network {
    /// The network of a configuration on `backbone`.
    pub fn init(config: &TrainConfig, backbone: Backbone, classes: usize, device: &Device) -> Network {
        let channels: usize = config.backbone.layers.iter().map(|&layer| backbone.channels(layer)).sum();
        let deepest = backbone.channels(config.deepest());
        Network {
            classifier: ClassifierConfig::new(deepest, classes).init(device),
            regions: RegionMatcherConfig {
                channels,
                rank: config.region_matcher.rank,
                choice_temperature: config.region_matcher.choice_temperature,
                selection_temperature: config.region_matcher.selection_temperature,
            }
            .init(device),
            cascade: CascadeConfig::new(channels)
                .with_stages(config.student.stages)
                .with_hidden(config.student.hidden)
                .init(device),
            centre: Param::from_tensor(Tensor::zeros([1, channels, 1, 1], device)).set_require_grad(false),
            backbone,
        }
    }

    /// The hyperpixel of blocks `[b, c_l, h_l, w_l]`, centred, unit length over channels: `[b, d, h, w]`.
    pub fn hyperpixel(&self, layers: &[Tensor<4>]) -> Tensor<4> {
        let [.., height, width] = layers[0].dims();
        let centre = self.centre.val();
        let joined = hyperpixel(layers, Grid::new(height, width));
        let centre = if joined.is_autodiff() { centre } else { centre.inner() };
        l2_normalise(joined - centre)
    }

    /// Centres hyperpixels on the mean of these: frozen blocks, image by image.
    pub fn with_centre(mut self, images: impl Iterator<Item = Result<Vec<Tensor<4>>>>) -> Result<Network> {
        let mut sum: Option<Tensor<4>> = None;
        let mut count = 0;
        for layers in images {
            let layers = layers?;
            let [.., height, width] = layers[0].dims();
            let mean = hyperpixel(&layers, Grid::new(height, width)).mean_dim(2).mean_dim(3);
            sum = Some(match sum {
                Some(sum) => sum + mean,
                None => mean,
            });
            count += 1;
        }
        if let Some(sum) = sum {
            let device = self.centre.val().device();
            let mean = sum.div_scalar(count as f64).to_data();
            self.centre = Param::from_tensor(Tensor::from_data(mean, &device)).set_require_grad(false);
        }
        Ok(self)
    }

    /// The backbone of a configuration with random weights.
    pub fn random_backbone(config: &TrainConfig, device: &Device) -> Backbone {
        BackboneConfig { name: config.backbone.name, dilated: config.backbone.dilated }.init(device)
    }

    /// The students' features g_1 … g_K, each `[b, d, h, w]`.
    pub fn stages(&self, layout: &Layout, frozen: &FrozenFeatures) -> Vec<Tensor<4>> {
        self.cascade.forward(self.hyperpixel(&self.layers(layout, frozen)))
    }

    /// The hyperpixel's blocks `[b, c_l, h_l, w_l]` as the network has them now.
    pub fn layers(&self, layout: &Layout, frozen: &FrozenFeatures) -> Vec<Tensor<4>> {
        match (layout.first_tuned, &frozen.tuned_input) {
            (Some(first), Some(input)) => {
                let tuned: Vec<usize> = layout.layers.iter().copied().filter(|&layer| layer >= first).collect();
                let below = layout.layers.len() - tuned.len();
                let mut layers = frozen.layers[..below].to_vec();
                layers.extend(self.backbone.forward_from(input.clone(), first, &tuned));
                layers
            }
            _ => frozen.layers.clone(),
        }
    }

    /// [`digest_of`] the network.
    pub fn digest(&self) -> String {
        digest_of(self)
    }

    /// The parameters as bytes.
    ///
    /// # Errors
    ///
    /// Never for a network in memory.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        // `valid` flushes batch norm's running statistics, which are written late.
        Ok(self.valid().into_record().into_bytes()?.to_vec())
    }

    /// The network with the parameters that [`Network::to_bytes`] gave.
    ///
    /// # Errors
    ///
    /// Where they are those of another network.
    pub fn with_bytes(self, bytes: Vec<u8>) -> Result<Network> {
        let bytes = burn::tensor::Bytes::from_bytes_vec(bytes);
        Ok(self.try_load_record(burn::store::ModuleRecord::from_bytes(bytes)?)?)
    }
}

/// What `init` makes with the device's generator seeded, whatever other threads draw: parameters are drawn at once, in their
/// fixed order, and not when they are first used.
pub fn seeded<M: Module>(device: &Device, seed: u64, init: impl FnOnce() -> M) -> M {
    static GENERATOR: Mutex<()> = Mutex::new(());
    struct Drawer;
    impl ModuleVisitor for Drawer {
        fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
            drop(parameter.val());
        }
    }
    let _alone = GENERATOR.lock().unwrap_or_else(PoisonError::into_inner);
    device.seed(seed);
    let module = init();
    module.visit(&mut Drawer);
    module
}

/// SHA-256 of all parameter values in their fixed order, in hexadecimal digits: two modules of one configuration have the
/// same exactly if they are the same.
pub fn digest_of(module: &impl Module) -> String {
    struct Hasher(Sha256);
    impl ModuleVisitor for Hasher {
        fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
            self.0.update(parameter.val().to_data().as_bytes());
        }
    }
    let mut hasher = Hasher(Sha256::new());
    module.valid().visit(&mut hasher);
    hasher.0.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Layout {
    /// The layout of a configuration.
    pub fn of(config: &TrainConfig) -> Layout {
        Layout {
            input: config.backbone.input,
            layers: config.backbone.layers.clone(),
            first_tuned: config.first_tuned(),
        }
    }

    /// The grid of the hyperpixel: that of its first block.
    pub fn grid(&self, backbone: &Backbone) -> Grid {
        Grid::square(self.input.div_ceil(backbone.stride(self.layers[0])))
    }

    /// Runs the frozen blocks on preprocessed images `[b, 3, s, s]`. `backbone` is the one that training starts from.
    pub fn frozen(&self, backbone: &Backbone, images: Tensor<4>) -> FrozenFeatures {
        let before = self.first_tuned.filter(|&first| first > 0).map(|first| first - 1);
        let mut keep = self.layers.clone();
        keep.extend(before);
        keep.sort_unstable();
        keep.dedup();
        let maps = backbone.forward_from(images.clone(), 0, &keep);
        let of = |block: &usize| maps[keep.binary_search(block).unwrap_or_default()].clone();
        let tuned_input = match self.first_tuned {
            Some(0) => Some(images),
            _ => before.as_ref().map(of),
        };
        FrozenFeatures { tuned_input, layers: self.layers.iter().map(of).collect() }
    }

    /// As [`Layout::frozen`], but only what a network in training needs: no block is run that the network runs itself.
    pub fn prefix(&self, backbone: &Backbone, images: Tensor<4>) -> FrozenFeatures {
        let Some(first) = self.first_tuned else { return self.frozen(backbone, images) };
        if first == 0 {
            return FrozenFeatures { tuned_input: Some(images), layers: Vec::new() };
        }
        let mut keep: Vec<usize> = self.layers.iter().copied().filter(|&layer| layer < first).collect();
        keep.push(first - 1);
        keep.dedup();
        let mut maps = backbone.forward_from(images, 0, &keep);
        let tuned_input = maps.last().cloned();
        maps.truncate(self.layers.iter().filter(|&&layer| layer < first).count());
        FrozenFeatures { tuned_input, layers: maps }
    }

    /// The features that [`Layout::prefix`] gave, from their list of maps.
    pub fn prefix_of_maps(&self, mut maps: Vec<Tensor<4>>) -> FrozenFeatures {
        let tuned_input = self.first_tuned.and_then(|_| maps.pop());
        FrozenFeatures { tuned_input, layers: maps }
    }
}

impl FrozenFeatures {
    /// Several batches as one.
    pub fn cat(parts: &[FrozenFeatures]) -> FrozenFeatures {
        let inputs: Vec<Tensor<4>> = parts.iter().filter_map(|part| part.tuned_input.clone()).collect();
        let count = parts.iter().map(|part| part.layers.len()).min().unwrap_or_default();
        FrozenFeatures {
            tuned_input: (!inputs.is_empty()).then(|| Tensor::cat(inputs, 0)),
            layers: (0..count)
                .map(|layer| Tensor::cat(parts.iter().map(|part| part.layers[layer].clone()).collect(), 0))
                .collect(),
        }
    }

    /// The same maps with autodiff enabled, so that they can meet parameters that learn.
    pub fn autodiff(self) -> FrozenFeatures {
        FrozenFeatures {
            tuned_input: self.tuned_input.map(Tensor::autodiff),
            layers: self.layers.into_iter().map(Tensor::autodiff).collect(),
        }
    }

    /// As a list of maps for the feature cache: the layers, then the tuned input.
    pub fn into_maps(self) -> Vec<Tensor<4>> {
        self.layers.into_iter().chain(self.tuned_input).collect()
    }

    /// The features that [`FrozenFeatures::into_maps`] listed; `None` where the list is another layout's.
    pub fn from_maps(mut maps: Vec<Tensor<4>>, layout: &Layout) -> Option<FrozenFeatures> {
        let expected = layout.layers.len() + usize::from(layout.first_tuned.is_some());
        if maps.len() != expected {
            return None;
        }
        let tuned_input = layout.first_tuned.and_then(|_| maps.pop());
        Some(FrozenFeatures { tuned_input, layers: maps })
    }
}

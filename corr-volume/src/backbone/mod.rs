//! The networks that turn an image into feature maps: which there are, and what one can ask of them.

mod block;
mod conv_norm;
mod depthwise;
mod efficientnet;
mod inverted_residual;
mod name;
mod small;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::preprocess::Normalisation;
use block::{Block, Layer};
use efficientnet::{Head, Variant};

pub use conv_norm::BatchNormMode;
pub use name::{BackboneName, UnknownBackbone};

/// Which network, and at which resolution it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackboneConfig {
    /// The architecture.
    pub name: BackboneName,
    /// Keeps the last blocks of an EfficientNet at stride 16 instead of 32: the block that would halve the map does
    /// not, and those after it space their kernels by 2 (à trous). The values at every second cell are those of the
    /// undilated network. [`Small`](BackboneName::Small) ends at stride 8 and ignores this.
    #[serde(default)]
    pub dilated: bool,
}

impl BackboneConfig {
    /// The undilated network called `name`.
    pub fn new(name: BackboneName) -> Self {
        Self { name, dilated: false }
    }

    /// The network with random weights on `device`. Real ones come from [`load_weights`](crate::load_weights).
    ///
    /// Batch normalisation is [`Training`](BatchNormMode::Training) for [`Small`](BackboneName::Small), which is
    /// trained from scratch, and [`Frozen`](BatchNormMode::Frozen) for the others.
    pub fn init(&self, device: &Device) -> Backbone {
        let variant = match self.name {
            BackboneName::EfficientNetLite0 => Variant::Lite0,
            BackboneName::EfficientNetLite2 => Variant::Lite2,
            BackboneName::Small => {
                return Backbone {
                    stem: None,
                    blocks: small::blocks(device),
                    head: None,
                    name: self.name,
                    batch_norm: BatchNormMode::Training,
                };
            }
        };
        let blocks = efficientnet::blocks(variant, self.dilated, device);
        let channels = blocks[blocks.len() - 1].channels;
        Backbone {
            stem: Some(efficientnet::stem(device)),
            blocks,
            head: Some(Head::init(channels, device)),
            name: self.name,
            batch_norm: BatchNormMode::Frozen,
        }
    }
}

/// A network of numbered blocks, each of which can be asked for its output.
///
/// To tune the last blocks only, run the first ones once on a plain device ([`Module::valid`]), keep their output, and
/// call [`forward_from`](Self::forward_from) with it: blocks that do not run get no gradient.
#[derive(Module, Debug)]
pub struct Backbone {
    stem: Option<Layer>,
    blocks: Vec<Block>,
    head: Option<Head>,
    #[module(skip)]
    name: BackboneName,
    #[module(skip)]
    batch_norm: BatchNormMode,
}

impl Backbone {
    /// Runs the blocks from `first` to the last one in `keep`, and returns the outputs of those in `keep`, in that
    /// order.
    ///
    /// # Shapes
    ///
    /// - `x`: the input of block `first`. With `first = 0` the preprocessed image `[batch, 3, height, width]` (the stem
    ///   runs before block 0), else the output of block `first − 1`.
    /// - result: one `[batch, channels(l), ⌈height / stride(l)⌉, ⌈width / stride(l)⌉]` for each `l` in `keep`.
    ///
    /// # Panics
    ///
    /// If `keep` is empty, does not ascend strictly, or has a block before `first` or beyond the last; or if `x` has
    /// not the channels that block `first` takes.
    pub fn forward_from(&self, x: Tensor<4>, first: usize, keep: &[usize]) -> Vec<Tensor<4>> {
        self.check_request(&x, first, keep);
        let mut x = match &self.stem {
            Some(stem) if first == 0 => stem.forward(x, self.batch_norm),
            _ => x,
        };
        let last = keep[keep.len() - 1];
        let mut kept = Vec::with_capacity(keep.len());
        for (index, block) in self.blocks[..=last].iter().enumerate().skip(first) {
            x = block.forward(x, self.batch_norm);
            if keep.contains(&index) {
                kept.push(x.clone());
            }
        }
        kept
    }

    fn check_request(&self, x: &Tensor<4>, first: usize, keep: &[usize]) {
        let count = self.block_count();
        assert!(!keep.is_empty(), "no block to keep");
        assert!(keep.is_sorted_by(|a, b| a < b), "blocks to keep must ascend, got {keep:?}");
        assert!(
            keep[0] >= first && keep[keep.len() - 1] < count,
            "blocks to keep must lie in {first}..{count}, got {keep:?}"
        );
        let expected = if first == 0 { 3 } else { self.channels(first - 1) };
        let channels = x.dims()[1];
        assert!(channels == expected, "block {first} of {} takes {expected} channels, got {channels}", self.name);
    }

    /// ImageNet's 1000 logits `[batch, 1000]` from the last block's output, or `None` for a network without such a
    /// head.
    pub fn logits(&self, last_block_output: Tensor<4>) -> Option<Tensor<2>> {
        self.head.as_ref().map(|head| head.logits(last_block_output, self.batch_norm))
    }

    /// Which architecture this is.
    pub fn name(&self) -> BackboneName {
        self.name
    }

    /// How image values are to be scaled for this network.
    pub fn normalisation(&self) -> Normalisation {
        Normalisation::EFFICIENTNET_LITE
    }

    /// How many blocks there are; they are numbered from 0.
    pub fn block_count(&self) -> usize {
        self.blocks.len()
    }

    /// Channels of a block's output.
    ///
    /// # Panics
    ///
    /// If there is no such block.
    pub fn channels(&self, block: usize) -> usize {
        self.blocks[block].channels
    }

    /// Image pixels per cell of a block's output.
    ///
    /// # Panics
    ///
    /// If there is no such block.
    pub fn stride(&self, block: usize) -> usize {
        self.blocks[block].stride
    }

    /// The same network whose depthwise convolutions no longer learn (everything else still does). Their gradients cost
    /// more than all others of an EfficientNet together, and a short tuning hardly moves them.
    pub fn with_frozen_depthwise(mut self) -> Self {
        for block in &mut self.blocks {
            block.layers = std::mem::take(&mut block.layers).into_iter().map(Layer::freeze_depthwise).collect();
        }
        self
    }

    /// Which statistics batch normalisation uses at present.
    pub fn batch_norm(&self) -> BatchNormMode {
        self.batch_norm
    }

    /// The same network with other batch normalisation. The mode is no part of a checkpoint: set it again after loading
    /// one.
    pub fn with_batch_norm(mut self, mode: BatchNormMode) -> Self {
        self.batch_norm = mode;
        self
    }
}

//! EfficientNet-Lite: inverted residual blocks without squeeze-and-excitation, ReLU6 throughout.
//!
//! Tan and Le, *EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks*, ICML 2019; the Lite variants
//! are described in TensorFlow's `tpu/models/official/efficientnet/lite`.

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Tensor};

use super::block::{Activation, Block, Layer};
use super::conv_norm::{BatchNormMode, ConvNormConfig};

const EPSILON: f64 = 1e-3;
const STEM_CHANNELS: usize = 32;
const HEAD_CHANNELS: usize = 1280;
const CLASSES: usize = 1000;
/// With dilation, the stage that would go below this stride keeps it.
const DILATED_STRIDE: usize = 16;

/// One row of the architecture's table: blocks of equal shape, of which the first may have a stride.
struct Stage {
    blocks: usize,
    kernel: usize,
    stride: usize,
    expand: usize,
    output: usize,
}

const fn stage(blocks: usize, kernel: usize, stride: usize, expand: usize, output: usize) -> Stage {
    Stage { blocks, kernel, stride, expand, output }
}

const LITE0: [Stage; 7] = [
    stage(1, 3, 1, 1, 16),
    stage(2, 3, 2, 6, 24),
    stage(2, 5, 2, 6, 40),
    stage(3, 3, 2, 6, 80),
    stage(3, 5, 1, 6, 112),
    stage(4, 5, 2, 6, 192),
    stage(1, 3, 1, 6, 320),
];

const LITE2: [Stage; 7] = [
    stage(1, 3, 1, 1, 16),
    stage(3, 3, 2, 6, 24),
    stage(3, 5, 2, 6, 48),
    stage(4, 3, 2, 6, 88),
    stage(4, 5, 1, 6, 120),
    stage(5, 5, 2, 6, 208),
    stage(1, 3, 1, 6, 352),
];

/// Which member of the family.
#[derive(Clone, Copy)]
pub(super) enum Variant {
    Lite0,
    Lite2,
}

impl Variant {
    fn stages(self) -> &'static [Stage] {
        match self {
            Self::Lite0 => &LITE0,
            Self::Lite2 => &LITE2,
        }
    }
}

/// What stands before block 0: a 3×3 convolution of stride 2.
pub(super) fn stem(device: &Device) -> Layer {
    let conv = ConvNormConfig {
        input: 3,
        output: STEM_CHANNELS,
        kernel: 3,
        stride: 2,
        dilation: 1,
        depthwise: false,
        epsilon: EPSILON,
    };
    Layer::new(conv.init(device), Activation::Relu6)
}

/// The inverted residual blocks.
pub(super) fn blocks(variant: Variant, dilated: bool, device: &Device) -> Vec<Block> {
    let mut blocks = Vec::new();
    let (mut input, mut total, mut dilation) = (STEM_CHANNELS, 2, 1);
    for stage in variant.stages() {
        for index in 0..stage.blocks {
            let wanted = if index == 0 { stage.stride } else { 1 };
            let kept = dilated && total * wanted > DILATED_STRIDE;
            let stride = if kept { 1 } else { wanted };
            total *= stride;
            blocks.push(Block {
                layers: inverted_residual(stage, input, stride, dilation, device),
                residual: stride == 1 && input == stage.output,
                channels: stage.output,
                stride: total,
            });
            // The block that gives up its stride still sees its input at the old spacing; those after it do not.
            if kept {
                dilation *= wanted;
            }
            input = stage.output;
        }
    }
    blocks
}

/// Expand the channels by 1×1, filter each of them, project back by 1×1.
fn inverted_residual(stage: &Stage, input: usize, stride: usize, dilation: usize, device: &Device) -> Vec<Layer> {
    let inner = input * stage.expand;
    let expand = ConvNormConfig::pointwise(input, inner, EPSILON);
    let depthwise = ConvNormConfig {
        input: inner,
        output: inner,
        kernel: stage.kernel,
        stride,
        dilation,
        depthwise: true,
        epsilon: EPSILON,
    };
    let project = ConvNormConfig::pointwise(inner, stage.output, EPSILON);
    let expand = (stage.expand != 1).then(|| Layer::new(expand.init(device), Activation::Relu6));
    let depthwise = Layer::new(depthwise.init(device), Activation::Relu6);
    let project = Layer::new(project.init(device), Activation::Identity);
    expand.into_iter().chain([depthwise, project]).collect()
}

/// What classifies ImageNet: a 1×1 convolution, the mean over all cells, a linear layer.
#[derive(Module, Debug)]
pub(super) struct Head {
    layer: Layer,
    classifier: Linear,
}

impl Head {
    /// The head for a last block of `input` channels.
    pub fn init(input: usize, device: &Device) -> Self {
        let conv = ConvNormConfig::pointwise(input, HEAD_CHANNELS, EPSILON);
        Self {
            layer: Layer::new(conv.init(device), Activation::Relu6),
            classifier: LinearConfig::new(HEAD_CHANNELS, CLASSES).init(device),
        }
    }

    /// `[b, c, h, w]` to `[b, 1000]`.
    pub fn logits(&self, last: Tensor<4>, mode: BatchNormMode) -> Tensor<2> {
        let features = self.layer.forward(last, mode);
        let pooled = features.mean_dim(3).mean_dim(2).flatten::<2>(1, 3);
        self.classifier.forward(pooled)
    }
}

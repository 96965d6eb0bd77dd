//! Layers and blocks: what the networks' numbered parts are made of.

use burn::module::Module;
use burn::tensor::Tensor;
use burn::tensor::activation::relu;

use super::conv_norm::{BatchNormMode, ConvNorm};
use super::inverted_residual;

/// What follows the normalisation.
#[derive(Clone, Copy, Debug)]
pub(super) enum Activation {
    Identity,
    Relu,
    Relu6,
}

impl Activation {
    fn apply(self, x: Tensor<4>) -> Tensor<4> {
        match self {
            Self::Identity => x,
            Self::Relu => relu(x),
            Self::Relu6 => relu6(x),
        }
    }
}

/// `min(max(x, 0), 6)`. Where gradients are wanted it is a difference of two rectifiers, whose backward pass costs a
/// quarter of that of a clamp and is the same but for rounding.
fn relu6(x: Tensor<4>) -> Tensor<4> {
    if x.device().is_autodiff() { relu(x.clone()) - relu(x - 6.0) } else { x.clamp(0.0, 6.0) }
}

/// Convolution, normalisation, activation.
#[derive(Module, Debug)]
pub(super) struct Layer {
    pub conv: ConvNorm,
    #[module(skip)]
    pub activation: Activation,
}

impl Layer {
    pub fn new(conv: ConvNorm, activation: Activation) -> Self {
        Self { conv, activation }
    }

    pub fn freeze_depthwise(self) -> Self {
        Self { conv: self.conv.freeze_depthwise(), ..self }
    }

    pub fn forward(&self, x: Tensor<4>, mode: BatchNormMode) -> Tensor<4> {
        self.activation.apply(self.conv.forward(x, mode))
    }
}

/// Layers one after the other; with `residual` their input is added to their output.
#[derive(Module, Debug)]
pub(super) struct Block {
    pub layers: Vec<Layer>,
    pub residual: bool,
    /// Channels of the output.
    pub channels: usize,
    /// Image pixels per cell of the output.
    pub stride: usize,
}

impl Block {
    pub fn forward(&self, x: Tensor<4>, mode: BatchNormMode) -> Tensor<4> {
        if let Some(output) = inverted_residual::infer(self, &x) {
            return output;
        }
        let input = self.residual.then(|| x.clone());
        let output = self.layers.iter().fold(x, |x, layer| layer.forward(x, mode));
        match input {
            Some(input) => output + input,
            None => output,
        }
    }
}

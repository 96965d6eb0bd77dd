//! A small plain network for 128×128 images, to be trained from scratch on a processor in minutes.

use burn::tensor::Device;

use super::block::{Activation, Block, Layer};
use super::conv_norm::ConvNormConfig;

/// Output channels and stride of each 3×3 convolution; together they make a stride of 8.
const BLOCKS: [(usize, usize); 6] = [(16, 2), (24, 2), (32, 1), (48, 2), (64, 1), (96, 1)];

/// Six blocks of 3×3 convolution, batch normalisation and ReLU. The convolutions are ordinary ones, because without a
/// kernel of its own a depthwise one costs more than it saves.
pub(super) fn blocks(device: &Device) -> Vec<Block> {
    let (mut input, mut total) = (3, 1);
    BLOCKS
        .map(|(output, stride)| {
            let conv =
                ConvNormConfig { input, output, kernel: 3, stride, dilation: 1, depthwise: false, epsilon: 1e-5 };
            input = output;
            total *= stride;
            let layers = vec![Layer::new(conv.init(device), Activation::Relu)];
            Block { layers, residual: false, channels: output, stride: total }
        })
        .into()
}

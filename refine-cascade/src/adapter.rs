//! One student: a residual adapter on the shared hyperpixel.

use burn::config::Config;
use burn::module::{Initializer, Module};
use burn::nn::PaddingConfig2d;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::tensor::{Device, Tensor, activation::relu};
use corr_volume::l2_normalise;

/// Configuration of an [`Adapter`].
#[derive(Config, Debug)]
pub struct AdapterConfig {
    /// Channels of the features.
    pub channels: usize,
    /// Channels between the two convolutions.
    pub hidden: usize,
}

/// `g ← normalise(g + A(g))`, A = 1×1 convolution → ReLU → 3×3 convolution.
///
/// The last layer starts at zero, so that a new student answers exactly as its teacher.
#[derive(Module, Debug)]
pub struct Adapter {
    reduce: Conv2d,
    spread: Conv2d,
}

impl AdapterConfig {
    /// A new adapter, the identity on features of unit length.
    ///
    /// # Panics
    ///
    /// If a number of channels is 0.
    pub fn init(&self, device: &Device) -> Adapter {
        assert!(
            self.channels > 0 && self.hidden > 0,
            "an adapter has channels and hidden channels, not {} and {}",
            self.channels,
            self.hidden
        );
        Adapter {
            reduce: Conv2dConfig::new([self.channels, self.hidden], [1, 1]).init(device),
            spread: Conv2dConfig::new([self.hidden, self.channels], [3, 3])
                .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
                .with_initializer(Initializer::Zeros)
                .init(device),
        }
    }
}

impl Adapter {
    /// # Shapes
    ///
    /// - features: `[b, channels, h, w]`, unit length over channels
    /// - output: the same
    pub fn forward(&self, features: Tensor<4>) -> Tensor<4> {
        let hidden = relu(convolve(features.clone(), &self.reduce));
        l2_normalise(features + convolve(hidden, &self.spread))
    }
}

/// A convolution that keeps the map's size.
///
/// Where gradients are wanted it is written as a product of matrices over shifted copies of the map: the CPU backend's
/// backward pass of a convolution takes the gradient of its weight for one with a kernel as large as the map, which costs
/// several times as much.
fn convolve(maps: Tensor<4>, layer: &Conv2d) -> Tensor<4> {
    if !maps.device().is_autodiff() {
        return layer.forward(maps);
    }
    let weight = layer.weight.val();
    let [output, channels, size, _] = weight.dims();
    let [batch, _, height, width] = maps.dims();
    let reach = size / 2;
    let copies = if reach == 0 {
        maps
    } else {
        let padded = maps.pad((reach, reach, reach, reach), 0.0);
        let shifted =
            (0..size * size).map(|place| padded.clone().narrow(2, place / size, height).narrow(3, place % size, width));
        Tensor::cat(shifted.collect(), 1)
    };
    let rows = size * size * channels;
    let weight = weight.permute([0, 2, 3, 1]).reshape([1, output, rows]);
    let product = weight.matmul(copies.reshape([batch, rows, height * width])).reshape([batch, output, height, width]);
    match &layer.bias {
        Some(bias) => product + bias.val().reshape([1, output, 1, 1]),
        None => product,
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Distribution, Tolerance};

    use super::*;

    #[test]
    fn the_product_of_matrices_is_the_convolution() {
        let device = Device::flex();
        device.seed(3);
        for size in [1, 3] {
            let layer = Conv2dConfig::new([5, 7], [size, size])
                .with_padding(PaddingConfig2d::Explicit(size / 2, size / 2, size / 2, size / 2))
                .init(&device.clone().autodiff());
            let maps = Tensor::<4>::random([2, 5, 4, 6], Distribution::Normal(0.0, 1.0), &device);
            let product = convolve(maps.clone().autodiff(), &layer).inner();
            let convolution = convolve(maps, &layer.valid());
            product.into_data().assert_approx_eq::<f32>(&convolution.into_data(), Tolerance::absolute(1e-4));
        }
    }
}

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
        let hidden = relu(self.reduce.forward(features.clone()));
        l2_normalise(features + self.spread.forward(hidden))
    }
}

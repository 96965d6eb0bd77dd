//! One student: a residual adapter on the shared hyperpixel.

mod cell_major;
mod operation;
mod residual;
mod winograd;

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
    ///
    /// On the CPU one operation with a gradient of its own, whose 3×3 convolution takes 16 multiplications where the
    /// definition takes 36; elsewhere a composition of the backend's operations. They agree to rounding.
    pub fn forward(&self, features: Tensor<4>) -> Tensor<4> {
        if let (Some(reduce_bias), Some(spread_bias)) = (&self.reduce.bias, &self.spread.bias)
            && operation::runs_on(&features.device())
        {
            let reduce = (self.reduce.weight.val(), reduce_bias.val());
            return operation::layer(features, reduce, (self.spread.weight.val(), spread_bias.val()));
        }
        self.composed(features)
    }

    fn composed(&self, features: Tensor<4>) -> Tensor<4> {
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

    fn random<const D: usize>(shape: [usize; D], device: &Device) -> Tensor<D> {
        Tensor::random(shape, Distribution::Normal(0.0, 1.0), device)
    }

    /// An adapter none of whose parameters is zero.
    fn adapter(channels: usize, hidden: usize, device: &Device) -> Adapter {
        let mut adapter = AdapterConfig::new(channels, hidden).init(device);
        let noise = |dims| random(dims, device).mul_scalar(0.3).require_grad();
        adapter.spread.weight = adapter.spread.weight.map(|weight| noise(weight.dims()));
        for layer in [&mut adapter.reduce, &mut adapter.spread] {
            layer.bias = layer
                .bias
                .take()
                .map(|bias| bias.map(|bias| random(bias.dims(), device).mul_scalar(0.1).require_grad()));
        }
        adapter
    }

    #[test]
    fn the_product_of_matrices_is_the_convolution() {
        let device = Device::flex();
        device.seed(3);
        for size in [1, 3] {
            let layer = Conv2dConfig::new([5, 7], [size, size])
                .with_padding(PaddingConfig2d::Explicit(size / 2, size / 2, size / 2, size / 2))
                .init(&device.clone().autodiff());
            let maps = random([2, 5, 4, 6], &device);
            let product = convolve(maps.clone().autodiff(), &layer).inner();
            let convolution = convolve(maps, &layer.valid());
            product.into_data().assert_approx_eq::<f32>(&convolution.into_data(), Tolerance::absolute(1e-4));
        }
    }

    #[test]
    fn the_operation_and_the_composition_have_the_same_values_and_gradients() {
        let device = Device::flex().autodiff();
        device.seed(5);
        // More images than a group, odd and even maps, a single cell, and a cell without features.
        for (batch, channels, hidden, height, width) in
            [(5, 6, 4, 5, 3), (2, 7, 9, 4, 6), (1, 3, 2, 1, 1), (4, 2, 3, 1, 7), (6, 5, 5, 6, 6), (3, 17, 120, 2, 3)]
        {
            let adapter = adapter(channels, hidden, &device);
            let features = random([batch, channels, height, width], &device).require_grad();
            let weights = random([batch, channels, height, width], &device);
            let run = |layer: &dyn Fn(Tensor<4>) -> Tensor<4>| {
                let output = layer(features.clone());
                let gradients = (output.clone() * weights.clone()).sum().backward();
                let mut all = vec![output.inner().into_data()];
                all.extend(features.grad(&gradients).map(|gradient| gradient.into_data()));
                for layer in [&adapter.reduce, &adapter.spread] {
                    all.extend(layer.weight.val().grad(&gradients).map(|gradient| gradient.into_data()));
                    let bias = layer.bias.as_ref().and_then(|bias| bias.val().grad(&gradients));
                    all.extend(bias.map(|gradient| gradient.into_data()));
                }
                all
            };
            let (fused, composed) = (run(&|maps| adapter.forward(maps)), run(&|maps| adapter.composed(maps)));
            assert_eq!((fused.len(), composed.len()), (6, 6), "a value and five gradients");
            for (fused, composed) in fused.iter().zip(&composed) {
                fused.assert_approx_eq::<f32>(composed, Tolerance::rel_abs(1e-4, 1e-5));
            }
        }
    }

    #[test]
    fn a_cell_that_comes_to_nothing_is_zero_and_passes_no_gradient() {
        let device = Device::flex().autodiff();
        let adapter = AdapterConfig::new(3, 2).init(&device);
        let features = Tensor::<4>::zeros([1, 3, 2, 2], &device).require_grad();
        let output = adapter.forward(features.clone());
        let gradients = output.clone().sum().backward();
        let gradient = features.grad(&gradients).expect("features are tracked");
        assert_eq!(output.inner().abs().sum().into_scalar::<f32>(), 0.0);
        assert_eq!(gradient.abs().sum().into_scalar::<f32>(), 0.0);
    }

    #[test]
    fn the_number_of_threads_leaves_no_trace() {
        let device = Device::flex().autodiff();
        device.seed(7);
        let adapter = adapter(20, 24, &device);
        let features = random([6, 20, 7, 8], &device).require_grad();
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool of threads");
            pool.install(|| {
                let output = adapter.forward(features.clone());
                let gradients = output.clone().square().sum().backward();
                let gradient = adapter.spread.weight.val().grad(&gradients).expect("parameters are tracked");
                (output.inner().into_data(), gradient.into_data())
            })
        };
        let one = run(1);
        for threads in [2, 4] {
            assert!(run(threads) == one, "{threads} threads gave other values than one");
        }
    }
}

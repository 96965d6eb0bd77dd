//! Convolution over both grids of a volume at once.

mod convolve;
mod kernel;
mod layout;
mod operation;

use burn::config::Config;
use burn::module::{Initializer, Module, Param};
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Device, Tensor};

/// Configuration of a [`Conv4d`].
#[derive(Config, Debug)]
pub struct Conv4dConfig {
    /// Channels of the input and of the output.
    pub channels: [usize; 2],
    /// Cells along each axis of the kernel, odd.
    pub kernel: usize,
}

/// A four-dimensional convolution of stride 1, with zeros beyond the borders.
///
/// ```text
/// out[b, o, i, j] = bias[o] + Σ_c Σ_u Σ_v weight[o, c, u, v] · in[b, c, i + u, j + v]
/// ```
///
/// `i` and `j` are cells of the source and the target grid, `u` and `v` offsets of up to `k / 2` cells along each axis.
#[derive(Module, Debug)]
pub struct Conv4d {
    /// `[c_out, c_in, k, k, k, k]`, the source's rows and columns before the target's.
    pub weight: Param<Tensor<6>>,
    /// `[c_out]`.
    pub bias: Param<Tensor<1>>,
}

impl Conv4dConfig {
    /// A layer with weights and bias drawn evenly from ±1/√n, n being the number of inputs of an output, by the device's
    /// generator.
    ///
    /// # Panics
    ///
    /// If a number of channels is 0 or the kernel's size is not odd.
    pub fn init(&self, device: &Device) -> Conv4d {
        let Self { channels: [inputs, outputs], kernel } = *self;
        assert!(inputs > 0 && outputs > 0, "a convolution has channels, not {inputs} and {outputs}");
        assert!(kernel % 2 == 1, "a kernel with a middle has an odd size, not {kernel}");
        let bound = 1.0 / ((inputs * kernel.pow(4)) as f64).sqrt();
        let uniform = Initializer::Uniform { min: -bound, max: bound };
        Conv4d {
            weight: uniform.init([outputs, inputs, kernel, kernel, kernel, kernel], device),
            bias: uniform.init([outputs], device),
        }
    }
}

impl Conv4d {
    /// # Shapes
    ///
    /// - volumes: `[b, c_in, h_s, w_s, h_t, w_t]`
    /// - output: `[b, c_out, h_s, w_s, h_t, w_t]`
    ///
    /// On the CPU one operation with a gradient of its own, elsewhere a composition of the backend's operations. They agree
    /// to rounding.
    ///
    /// # Panics
    ///
    /// If the volumes have another number of channels than the layer.
    pub fn forward(&self, volumes: Tensor<6>) -> Tensor<6> {
        let (weight, bias) = (self.weight.val(), self.bias.val());
        let (channels, wanted) = (volumes.dims()[1], weight.dims()[1]);
        assert_eq!(channels, wanted, "volumes of {channels} channels for a layer that takes {wanted}");
        if operation::runs_on(&volumes.device()) {
            return operation::on_host(volumes, weight, bias);
        }
        composed(volumes, weight, bias)
    }
}

/// The sum over the offsets of source cells of two-dimensional convolutions over target cells.
fn composed(volumes: Tensor<6>, weight: Tensor<6>, bias: Tensor<1>) -> Tensor<6> {
    let [batch, inputs, rows, columns, height, width] = volumes.dims();
    let [outputs, _, kernel, ..] = weight.dims();
    let reach = kernel / 2;
    // Target planes as images, one behind the other along an axis of their own.
    let planes = volumes.permute([0, 2, 3, 1, 4, 5]).reshape([batch, rows, columns, inputs * height * width]);
    let padded = planes.permute([0, 3, 1, 2]).pad((reach, reach, reach, reach), 0.0).permute([0, 2, 3, 1]);
    let convolved = (0..kernel * kernel).map(|tap| {
        let (down, across) = (tap / kernel, tap % kernel);
        let seen = padded.clone().narrow(1, down, rows).narrow(2, across, columns);
        let seen = seen.reshape([batch * rows * columns, inputs, height, width]);
        let weight: Tensor<6> = weight.clone().narrow(2, down, 1).narrow(3, across, 1);
        let options = ConvOptions::new([1, 1], [reach, reach], [1, 1], 1);
        burn::tensor::module::conv2d(seen, weight.reshape([outputs, inputs, kernel, kernel]), None, options)
    });
    let sum = convolved.reduce(|sum, part| sum + part).unwrap_or_else(|| unreachable!("a kernel has taps"));
    let sum = sum.reshape([batch, rows, columns, outputs, height, width]).permute([0, 3, 1, 2, 4, 5]);
    sum + bias.reshape([1, outputs, 1, 1, 1, 1])
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Distribution, Tolerance};

    use super::*;

    #[test]
    fn the_composition_is_the_operation() {
        let device = Device::flex().autodiff();
        device.seed(5);
        let random = |dims: [usize; 6]| Tensor::<6>::random(dims, Distribution::Normal(0.0, 1.0), &device);
        for (channels, kernel, grids) in
            [([1, 8], 3, [4, 5, 6, 3]), ([3, 2], 5, [3, 4, 2, 7]), ([2, 5], 1, [1, 1, 2, 1])]
        {
            let [a, b, c, d] = grids;
            let input = random([2, channels[0], a, b, c, d]).require_grad();
            let upstream = random([2, channels[1], a, b, c, d]);
            let layer = Conv4dConfig::new(channels, kernel).init(&device);
            let results = [operation::on_host, composed].map(|convolve| {
                let output = convolve(input.clone(), layer.weight.val(), layer.bias.val());
                let gradients = (output.clone() * upstream.clone()).sum().backward();
                let of = |found: Option<Tensor<6>>| found.expect("a gradient").into_data();
                [
                    output.into_data(),
                    of(input.grad(&gradients)),
                    of(layer.weight.val().grad(&gradients)),
                    layer.bias.val().grad(&gradients).expect("a gradient").into_data(),
                ]
            });
            for (own, other) in results[0].iter().zip(&results[1]) {
                own.assert_approx_eq::<f32>(other, Tolerance::absolute(1e-3));
            }
        }
    }
}

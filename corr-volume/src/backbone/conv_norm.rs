//! A convolution and its batch normalisation, the unit that every backbone is built from.

use burn::module::{Initializer, Module, Param};
use burn::nn::{BatchNorm, BatchNormConfig};
use burn::tensor::module::conv2d;
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Device, Tensor};

use super::depthwise::{Shape, depthwise_conv};

/// Which statistics batch normalisation uses.
///
/// Off an autodiff device both modes use the running statistics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchNormMode {
    /// The running statistics, always; they never change. For pretrained blocks, tuned or not.
    ///
    /// The normalisation is folded into the convolution, so that it costs no pass over the activations:
    ///
    /// ```text
    /// conv(x, w)·γ/σ + β − μ·γ/σ  =  conv(x, w·γ/σ) + (β − μ·γ/σ),   σ = √(variance + ε)
    /// ```
    ///
    /// Gradients reach `w`, `γ` and `β` through the folding, exactly as without it.
    Frozen,
    /// The batch's own statistics on an autodiff device, which also move the running ones. For training from scratch.
    Training,
}

/// What a [`ConvNorm`] is made of.
#[derive(Clone, Copy, Debug)]
pub(super) struct ConvNormConfig {
    pub input: usize,
    pub output: usize,
    pub kernel: usize,
    pub stride: usize,
    pub dilation: usize,
    pub depthwise: bool,
    pub epsilon: f64,
}

impl ConvNormConfig {
    /// A 1×1 convolution.
    pub fn pointwise(input: usize, output: usize, epsilon: f64) -> Self {
        Self { input, output, kernel: 1, stride: 1, dilation: 1, depthwise: false, epsilon }
    }

    pub fn init(&self, device: &Device) -> ConvNorm {
        let fan_in = if self.depthwise { 1 } else { self.input };
        let shape = [self.output, fan_in, self.kernel, self.kernel];
        let fan_in = fan_in * self.kernel * self.kernel;
        // He et al. 2015: gain √2 for a rectifier, so that activations keep their variance.
        let he = Initializer::KaimingNormal { gain: 2f64.sqrt(), fan_out_only: false };
        ConvNorm {
            weight: he.init_with(shape, Some(fan_in), None, device),
            norm: BatchNormConfig::new(self.output).with_epsilon(self.epsilon).init(device),
            stride: self.stride,
            dilation: self.dilation,
            depthwise: self.depthwise,
            weight_learns: true,
        }
    }
}

/// Convolution without bias, then batch normalisation. Padding is TensorFlow's `SAME`.
#[derive(Module, Debug)]
pub(super) struct ConvNorm {
    weight: Param<Tensor<4>>,
    norm: BatchNorm,
    stride: usize,
    dilation: usize,
    depthwise: bool,
    weight_learns: bool,
}

impl ConvNorm {
    /// `[b, c_in, h, w]` to `[b, c_out, ⌈h / stride⌉, ⌈w / stride⌉]`.
    pub fn forward(&self, x: Tensor<4>, mode: BatchNormMode) -> Tensor<4> {
        if mode == BatchNormMode::Training && x.device().is_autodiff() {
            return self.norm.forward(self.convolve(x, self.weight.val(), None));
        }
        let (weight, bias) = self.folded();
        let weight = if self.weight_learns || !weight.is_autodiff() { weight } else { weight.inner().autodiff() };
        self.convolve(x, weight, Some(bias))
    }

    /// Weight and bias of the convolution with the normalisation by running statistics folded into it.
    pub fn folded(&self) -> (Tensor<4>, Tensor<1>) {
        let mean = self.norm.running_mean.value_sync();
        let deviation = (self.norm.running_var.value_sync() + self.norm.epsilon).sqrt();
        let scale = self.norm.gamma.val() / deviation;
        let bias = self.norm.beta.val() - mean * scale.clone();
        let [channels] = scale.dims();
        (self.weight.val() * scale.reshape([channels, 1, 1, 1]), bias)
    }

    /// Whether every channel is convolved for itself.
    pub fn is_depthwise(&self) -> bool {
        self.depthwise
    }

    /// What a depthwise convolution of maps of this shape is made of.
    pub fn depthwise_shape(&self, [batch, channels, height, width]: [usize; 4]) -> Shape {
        let [_, _, rows, columns] = self.weight.dims();
        let (stride, dilation) = (self.stride, self.dilation);
        let padding = [(height, rows), (width, columns)].map(|(l, k)| same_padding(l, k, stride, dilation));
        Shape { batch, channels, input: [height, width], kernel: [rows, columns], stride, dilation, padding }
    }

    /// Stops a depthwise convolution's weight from learning. β still does, and γ by the mean that it scales alone.
    pub fn freeze_depthwise(mut self) -> Self {
        self.weight_learns &= !self.depthwise;
        self
    }

    fn convolve(&self, x: Tensor<4>, weight: Tensor<4>, bias: Option<Tensor<1>>) -> Tensor<4> {
        let [_, _, height, width] = x.dims();
        let [_, _, kernel, _] = weight.dims();
        if kernel == 1 && self.stride == 1 {
            return pointwise_conv(x, weight, bias);
        }
        if self.depthwise {
            let [channels, ..] = weight.dims();
            let bias = bias.unwrap_or_else(|| Tensor::zeros([channels], &x.device()));
            let shape = self.depthwise_shape(x.dims());
            return depthwise_conv(x, weight, bias, shape);
        }
        let padding = [height, width].map(|length| same_padding(length, kernel, self.stride, self.dilation));
        let options = ConvOptions::new_with_padding([self.stride; 2], padding, [self.dilation; 2], 1);
        conv2d(x, weight, bias, options)
    }
}

/// A 1×1 convolution.
///
/// Where gradients are wanted it is written as a product of matrices: the backward pass of a convolution takes the
/// gradient of its weight for one with a kernel as large as the map, which costs four times as much.
fn pointwise_conv(x: Tensor<4>, weight: Tensor<4>, bias: Option<Tensor<1>>) -> Tensor<4> {
    if !x.device().is_autodiff() {
        return conv2d(x, weight, bias, ConvOptions::new([1; 2], [0; 2], [1; 2], 1));
    }
    let [batch, input, height, width] = x.dims();
    let [output, ..] = weight.dims();
    let product = weight.reshape([1, output, input]).matmul(x.reshape([batch, input, height * width]));
    let product = match bias {
        Some(bias) => product + bias.reshape([1, output, 1]),
        None => product,
    };
    product.reshape([batch, output, height, width])
}

/// Cells to add before and after an axis so that the output has `⌈length / stride⌉` cells; the odd one goes after.
fn same_padding(length: usize, kernel: usize, stride: usize, dilation: usize) -> (usize, usize) {
    let output = length.div_ceil(stride);
    let reach = (output - 1) * stride + (kernel - 1) * dilation + 1;
    let total = reach.saturating_sub(length);
    (total / 2, total - total / 2)
}

#[cfg(test)]
mod tests {
    use super::same_padding;

    #[test]
    fn padding_is_that_of_tensorflow() {
        assert_eq!(same_padding(224, 3, 2, 1), (0, 1));
        assert_eq!(same_padding(225, 3, 2, 1), (1, 1));
        assert_eq!(same_padding(20, 5, 2, 1), (1, 2));
        assert_eq!(same_padding(20, 5, 1, 2), (4, 4));
        assert_eq!(same_padding(7, 1, 2, 1), (0, 0));
    }
}

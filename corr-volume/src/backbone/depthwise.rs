//! The depthwise convolution, in one place so that a faster kernel can take its place.

use burn::tensor::Tensor;
use burn::tensor::module::conv2d;
use burn::tensor::ops::ConvOptions;

/// Convolves every channel with its own kernel and adds its bias.
///
/// ```text
/// y[b, c, i, j] = bias[c] + Σ_uv weight[c, 0, u, v] · x[b, c, m(i, u) − top, m(j, v) − left]
/// m(i, u) = i·stride + u·dilation
/// ```
///
/// `x` is `[batch, channels, height, width]` and zero outside, `weight` is `[channels, 1, kernel, kernel]`, `bias` is
/// `[channels]`, and `padding` is `[(top, bottom), (left, right)]` in cells of `x`.
pub(super) fn depthwise_conv(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    stride: usize,
    dilation: usize,
    padding: [(usize, usize); 2],
) -> Tensor<4> {
    let [channels, ..] = weight.dims();
    let options = ConvOptions::new_with_padding([stride; 2], padding, [dilation; 2], channels);
    conv2d(x, weight, bias, options)
}

use burn::tensor::{Device, Tensor, TensorData};

use rayon::prelude::*;

use crate::{Grid, vectorised};

/// Features below this norm are treated as absent.
const SMALLEST_NORM: f64 = 1e-6;

/// Divides the features of every cell by their Euclidean norm over the channels.
///
/// ```text
/// y[b, :, r, c] = x[b, :, r, c] / |x[b, :, r, c]|
/// ```
///
/// `[b, channels, h, w]` to the same shape. A cell whose norm is below 1e-6 becomes zero and passes no gradient, so
/// that neither the result nor its gradient is ever NaN.
pub fn l2_normalise(features: Tensor<4>) -> Tensor<4> {
    let device = features.device();
    if device == Device::flex() && !device.is_autodiff() {
        return normalised_at_once(features, &device);
    }
    let squares = features.clone().square().sum_dim(1);
    let absent = squares.clone().lower_scalar(SMALLEST_NORM * SMALLEST_NORM);
    let inverse = squares.mask_fill(absent.clone(), 1.0).sqrt().recip().mask_fill(absent, 0.0);
    features * inverse
}

/// [`l2_normalise`] on the CPU where no gradient is wanted, in two passes over the features instead of eight.
fn normalised_at_once(features: Tensor<4>, device: &Device) -> Tensor<4> {
    let shape = features.dims();
    let cells = shape[2] * shape[3];
    let mut values: Vec<f32> =
        features.try_into_vec_as().unwrap_or_else(|error| panic!("reading from the CPU backend: {error}"));
    values.par_chunks_mut(shape[1] * cells).for_each(|map| {
        let mut inverse = vec![0.0f32; cells];
        vectorised(
            #[inline(always)]
            || {
                for channel in map.chunks_exact(cells) {
                    inverse.iter_mut().zip(channel).for_each(|(square, value)| *square += value * value);
                }
                for square in inverse.iter_mut() {
                    let absent = *square < (SMALLEST_NORM * SMALLEST_NORM) as f32;
                    *square = if absent { 0.0 } else { square.sqrt().recip() };
                }
                for channel in map.chunks_exact_mut(cells) {
                    channel.iter_mut().zip(&inverse).for_each(|(value, inverse)| *value *= inverse);
                }
            },
        );
    });
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// Resizes feature maps to another grid by bilinear interpolation.
///
/// `[b, channels, h, w]` to `[b, channels, to.height, to.width]`. Edges of the maps coincide (half-pixel centres,
/// PyTorch's `align_corners=False`), samples beyond the outermost cell centres are clamped to them, and nothing is
/// smoothed when the result is smaller. Computed as one matrix product an axis with fixed weights, so it is
/// differentiable wherever a matrix product is.
pub fn resize_bilinear(features: Tensor<4>, to: Grid) -> Tensor<4> {
    let [batch, channels, height, width] = features.dims();
    let device = features.device();
    let mut features = features;
    if width != to.width {
        features = features
            .reshape([batch * channels * height, width])
            .matmul(axis_weights(width, to.width, &device))
            .reshape([batch, channels, height, to.width]);
    }
    if height != to.height {
        features = features
            .swap_dims(2, 3)
            .reshape([batch * channels * to.width, height])
            .matmul(axis_weights(height, to.height, &device))
            .reshape([batch, channels, to.width, to.height])
            .swap_dims(2, 3);
    }
    features
}

/// Joins layers of a backbone into one descriptor for each cell: every layer is normalised per cell, resized to `grid`,
/// all are concatenated over the channels and normalised again (Min et al., *Hyperpixel Flow*, ICCV 2019).
///
/// Layers `[b, channels, h, w]`, with any channels and sizes, to `[b, sum of channels, grid.height, grid.width]`, of
/// unit length in every cell. Because each layer arrives with unit length, each has the same say whatever its scale
/// and width.
///
/// # Panics
///
/// If there is no layer, or the layers' batches differ.
pub fn hyperpixel(layers: &[Tensor<4>], grid: Grid) -> Tensor<4> {
    assert!(!layers.is_empty(), "a hyperpixel needs at least one layer");
    let batch = layers[0].dims()[0];
    let resized = layers
        .iter()
        .enumerate()
        .map(|(i, layer)| {
            let own = layer.dims()[0];
            assert_eq!(own, batch, "layer {i} holds {own} images where layer 0 holds {batch}");
            resize_bilinear(l2_normalise(layer.clone()), grid)
        })
        .collect();
    l2_normalise(Tensor::cat(resized, 1))
}

/// `[from, to]`: column `o` holds the two weights that sample position `(o + 1/2) * from / to - 1/2` of an axis of
/// `from` cells.
fn axis_weights(from: usize, to: usize, device: &Device) -> Tensor<2> {
    let mut weights = vec![0.0_f32; from * to];
    let last = (from - 1) as f64;
    for o in 0..to {
        let position = ((o as f64 + 0.5) * from as f64 / to as f64 - 0.5).clamp(0.0, last);
        let left = position.floor() as usize;
        let share = (position - left as f64) as f32;
        weights[left * to + o] = 1.0 - share;
        if left + 1 < from {
            weights[(left + 1) * to + o] = share;
        }
    }
    Tensor::from_data(TensorData::new(weights, [from, to]), device)
}

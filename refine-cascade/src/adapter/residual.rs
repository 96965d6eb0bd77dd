//! A student's layer and its gradient on slices: `g ← normalise(g + W₂ ∗ relu(W₁ g + b₁) + b₂)`.

use corr_volume::{Grid, Matrix, multiply, transpose, vectorised};
use rayon::prelude::*;

use super::cell_major::{padded, sums_of_columns};
use super::winograd::{Kernel, Tiling, adjoint_convolve, convolve, kernel_gradient};

/// Images whose products are in memory at a time.
const GROUP: usize = 2;

/// Into how many blocks the channels are divided where the first layer's gradient is summed; fixed, so that the number
/// of threads leaves no trace in the sums.
const BLOCKS: usize = 4;

/// Features below this norm are treated as absent, as [`corr_volume::l2_normalise`] does.
const SMALLEST_NORM: f32 = 1e-6;

#[derive(Clone, Copy)]
pub(super) struct Shape {
    pub(super) channels: usize,
    pub(super) hidden: usize,
    pub(super) grid: Grid,
}

/// Row-major values of the layer's parameters.
#[derive(Clone, Copy)]
pub(super) struct Parameters<'a> {
    /// `[hidden, channels]`.
    pub(super) reduce: &'a [f32],
    /// `[hidden]`.
    pub(super) reduce_bias: &'a [f32],
    /// `[channels, hidden, 3, 3]`.
    pub(super) spread: &'a [f32],
    /// `[channels]`.
    pub(super) spread_bias: &'a [f32],
}

/// What the gradient needs to know besides inputs and outputs.
#[derive(Clone, Debug)]
pub(super) struct Memory {
    /// `[b, cells, hidden]`, cell-major and padded, after the ReLU.
    hidden: Vec<f32>,
    /// `[b, cells]`: one over the norm of each cell, 0 where there was none.
    inverse: Vec<f32>,
}

/// As the parameters, and `[b, channels, cells]` for the features.
pub(super) struct Gradients {
    pub(super) features: Vec<f32>,
    pub(super) reduce: Vec<f32>,
    pub(super) reduce_bias: Vec<f32>,
    pub(super) spread: Vec<f32>,
    pub(super) spread_bias: Vec<f32>,
}

/// The layer on features `[b, channels, cells]`; the result is as the features.
pub(super) fn evaluate(features: &[f32], parameters: Parameters<'_>, shape: Shape) -> (Vec<f32>, Memory) {
    let Shape { channels, hidden, grid } = shape;
    let (cells, width) = (grid.cells(), padded(hidden));
    let whole = channels * cells;
    let batch = features.len() / whole;

    let mut weights = vec![0.0; channels * width];
    transpose(parameters.reduce, channels, &mut weights, width, hidden, channels);
    let mut bias = parameters.reduce_bias.to_vec();
    bias.resize(width, 0.0);
    let mut maps = vec![0.0; batch * cells * width];
    maps.par_chunks_exact_mut(cells * width).zip(features.par_chunks_exact(whole)).for_each(|(map, features)| {
        let features = Matrix::by_rows(features, channels, cells, cells).transposed();
        multiply(map, width, false, features, Matrix::by_rows(&weights, channels, width, width));
        vectorised(
            #[inline(always)]
            || {
                for cell in map.chunks_exact_mut(width) {
                    cell.iter_mut().zip(&bias).for_each(|(value, bias)| *value = (*value + bias).max(0.0));
                }
            },
        );
    });
    drop(weights);

    let (kernel, tiling) = (Kernel::forward(parameters.spread, hidden), Tiling::new(grid));
    let mut room = kernel.room(GROUP.min(batch), tiling);
    let mut output = vec![0.0; features.len()];
    let mut inverse = vec![0.0; batch * cells];
    let groups = output.chunks_mut(GROUP * whole).zip(inverse.chunks_mut(GROUP * cells));
    let inputs = maps.chunks(GROUP * cells * width).zip(features.chunks(GROUP * whole));
    for ((output, inverse), (maps, features)) in groups.zip(inputs) {
        let outputs = output.par_chunks_exact_mut(whole).zip(inverse.par_chunks_exact_mut(cells));
        let images = outputs.zip(features.par_chunks_exact(whole));
        convolve(&kernel, maps, width, tiling, &mut room, images, |map, ((output, inverse), features)| {
            transpose(map, padded(channels), output, cells, cells, channels);
            normalise_sum(features, parameters.spread_bias, output, inverse);
        });
    }
    (output, Memory { hidden: maps, inverse })
}

/// `change ← (features + change + bias) / |features + change + bias|` cell by cell.
fn normalise_sum(features: &[f32], bias: &[f32], change: &mut [f32], inverse: &mut [f32]) {
    let cells = inverse.len();
    vectorised(
        #[inline(always)]
        || {
            inverse.fill(0.0);
            for ((change, features), bias) in change.chunks_exact_mut(cells).zip(features.chunks_exact(cells)).zip(bias)
            {
                for ((change, feature), square) in change.iter_mut().zip(features).zip(inverse.iter_mut()) {
                    *change += feature + bias;
                    *square += *change * *change;
                }
            }
            for square in inverse.iter_mut() {
                *square = if *square < SMALLEST_NORM * SMALLEST_NORM { 0.0 } else { square.sqrt().recip() };
            }
            for change in change.chunks_exact_mut(cells) {
                change.iter_mut().zip(inverse.iter()).for_each(|(change, inverse)| *change *= inverse);
            }
        },
    );
}

/// The gradient of what [`evaluate`] normalised, cell-major and padded, from that of its output, `upstream`.
pub(super) fn differentiate_norm(output: &[f32], memory: &Memory, mut upstream: Vec<f32>, shape: Shape) -> Vec<f32> {
    let (cells, width) = (shape.grid.cells(), padded(shape.channels));
    let whole = shape.channels * cells;
    let mut sum = vec![0.0; memory.inverse.len() * width];
    sum.par_chunks_exact_mut(cells * width)
        .zip(upstream.par_chunks_exact_mut(whole))
        .zip(output.par_chunks_exact(whole))
        .zip(memory.inverse.par_chunks_exact(cells))
        .for_each(|(((sum, upstream), output), inverse)| {
            through_normalisation(output, inverse, upstream);
            transpose(upstream, cells, sum, width, shape.channels, cells);
        });
    sum
}

/// Gradients of everything that went into [`evaluate`], given that of what it normalised, `sum`.
///
/// What is no longer needed is overwritten: `sum` becomes the gradient of the features, the memory's hidden maps become
/// their own gradient.
pub(super) fn differentiate(
    features: &[f32],
    parameters: Parameters<'_>,
    memory: Memory,
    mut sum: Vec<f32>,
    shape: Shape,
) -> Gradients {
    let Shape { channels, hidden, grid } = shape;
    let (cells, whole) = (grid.cells(), channels * grid.cells());
    let (of_channels, of_hidden) = (padded(channels), padded(hidden));
    let (tiling, batch) = (Tiling::new(grid), features.len() / whole);
    let mut maps = memory.hidden;

    let spread = kernel_gradient((&sum, channels), (&maps, hidden), tiling, GROUP.min(batch));
    let spread_bias = sums_of_columns(&sum, of_channels, channels);

    let kernel = Kernel::adjoint(parameters.spread, hidden);
    let mut room = kernel.room(GROUP.min(batch), tiling);
    let groups = sum.chunks(GROUP * cells * of_channels).zip(maps.chunks_mut(GROUP * cells * of_hidden));
    for (sum, maps) in groups {
        adjoint_convolve(&kernel, sum, of_channels, tiling, &mut room, maps, |gradient, map| {
            // Where the ReLU was closed nothing passes.
            let values = map.iter_mut().zip(gradient);
            values.for_each(|(value, gradient)| *value = if *value > 0.0 { *gradient } else { 0.0 });
        });
    }
    drop((kernel, room));

    // Channels by hidden channels, as the operands lie; the parameter lies the other way round.
    let mut turned = vec![0.0; channels * of_hidden];
    let block = channels.div_ceil(BLOCKS);
    turned.par_chunks_mut(block * of_hidden).enumerate().for_each(|(index, gradient)| {
        for (maps, features) in maps.chunks_exact(cells * of_hidden).zip(features.chunks_exact(whole)) {
            let rows = gradient.len() / of_hidden;
            let features = Matrix::by_rows(&features[index * block * cells..], rows, cells, cells);
            multiply(gradient, of_hidden, true, features, Matrix::by_rows(maps, cells, of_hidden, of_hidden));
        }
    });
    let mut reduce = vec![0.0; hidden * channels];
    transpose(&turned, of_hidden, &mut reduce, channels, channels, hidden);
    let reduce_bias = sums_of_columns(&maps, of_hidden, hidden);

    let mut weights = turned;
    weights.clear();
    weights.resize(hidden * of_channels, 0.0);
    for (to, from) in weights.chunks_exact_mut(of_channels).zip(parameters.reduce.chunks_exact(channels)) {
        to[..channels].copy_from_slice(from);
    }
    let mut gradient = vec![0.0; features.len()];
    sum.par_chunks_exact_mut(cells * of_channels)
        .zip(maps.par_chunks_exact(cells * of_hidden))
        .zip(gradient.par_chunks_exact_mut(whole))
        .for_each(|((sum, maps), gradient)| {
            let maps = Matrix::by_rows(maps, cells, hidden, of_hidden);
            multiply(sum, of_channels, true, maps, Matrix::by_rows(&weights, hidden, of_channels, of_channels));
            transpose(sum, of_channels, gradient, cells, cells, channels);
        });
    Gradients { features: gradient, reduce, reduce_bias, spread, spread_bias }
}

/// `(upstream − output ⟨output, upstream⟩) / norm`, cell by cell and in place.
fn through_normalisation(output: &[f32], inverse: &[f32], upstream: &mut [f32]) {
    let cells = inverse.len();
    let mut along = vec![0.0; cells];
    vectorised(
        #[inline(always)]
        || {
            for (output, upstream) in output.chunks_exact(cells).zip(upstream.chunks_exact(cells)) {
                let values = along.iter_mut().zip(output).zip(upstream);
                values.for_each(|((along, output), upstream)| *along += output * upstream);
            }
            for (upstream, output) in upstream.chunks_exact_mut(cells).zip(output.chunks_exact(cells)) {
                let values = upstream.iter_mut().zip(output).zip(&along).zip(inverse);
                for (((upstream, output), along), inverse) in values {
                    *upstream = (*upstream - output * along) * inverse;
                }
            }
        },
    );
}

//! A student's layer and its gradient on slices: `g ← normalise(g + W₂ ∗ relu(W₁ g + b₁) + b₂)`.

use corr_volume::{Grid, Matrix, multiply, vectorised};
use rayon::prelude::*;

use super::winograd::{self, Tiling};

/// Images whose patches are in memory at a time.
const GROUP: usize = 2;

/// Into how many blocks the hidden channels are divided where their weights' gradient is summed.
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
    /// `[b, hidden, cells]`, after the ReLU.
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
    let cells = grid.cells();
    let batch = features.len() / (channels * cells);
    let mut maps = vec![0.0; batch * hidden * cells];
    maps.par_chunks_mut(hidden * cells).zip(features.par_chunks(channels * cells)).for_each(|(map, features)| {
        let weights = Matrix::by_rows(parameters.reduce, hidden, channels, channels);
        multiply(map, cells, false, weights, Matrix::by_rows(features, channels, cells, cells));
        for (map, bias) in map.chunks_exact_mut(cells).zip(parameters.reduce_bias) {
            map.iter_mut().for_each(|value| *value = (*value + bias).max(0.0));
        }
    });
    let kernel = winograd::kernel(parameters.spread, hidden);
    let mut output = vec![0.0; features.len()];
    let mut inverse = vec![0.0; batch * cells];
    let groups = output.chunks_mut(GROUP * channels * cells).zip(inverse.chunks_mut(GROUP * cells));
    let inputs = maps.chunks(GROUP * hidden * cells).zip(features.chunks(GROUP * channels * cells));
    let mut places = Vec::new();
    for ((output, inverse), (maps, features)) in groups.zip(inputs) {
        let images = inverse.len() / cells;
        let tiling = Tiling::new(grid, images);
        places.resize(tiling.places(hidden), 0.0);
        winograd::inputs(&maps.chunks(hidden * cells).collect::<Vec<_>>(), tiling, &mut places);
        let mut change = vec![0.0; output.len()];
        winograd::convolve(&kernel, parameters.spread_bias, &places, tiling, &mut change);
        let outputs = output.par_chunks_mut(channels * cells).zip(inverse.par_chunks_mut(cells));
        outputs.zip(features.par_chunks(channels * cells)).enumerate().for_each(
            |(image, ((output, inverse), features))| {
                let change = change[image * cells..].chunks(images * cells);
                normalised_sum(features, change, output, inverse);
            },
        );
    }
    (output, Memory { hidden: maps, inverse })
}

/// `output = (features + change) / |features + change|` cell by cell.
fn normalised_sum<'a>(
    features: &[f32],
    mut change: impl Iterator<Item = &'a [f32]>,
    output: &mut [f32],
    inverse: &mut [f32],
) {
    let cells = inverse.len();
    vectorised(
        #[inline(always)]
        || {
            inverse.fill(0.0);
            for ((output, features), change) in
                output.chunks_exact_mut(cells).zip(features.chunks_exact(cells)).zip(&mut change)
            {
                let values = output.iter_mut().zip(features).zip(change).zip(inverse.iter_mut());
                for (((output, feature), change), square) in values {
                    *output = feature + change;
                    *square += *output * *output;
                }
            }
            for square in inverse.iter_mut() {
                *square = if *square < SMALLEST_NORM * SMALLEST_NORM { 0.0 } else { square.sqrt().recip() };
            }
            for output in output.chunks_exact_mut(cells) {
                output.iter_mut().zip(inverse.iter()).for_each(|(output, inverse)| *output *= inverse);
            }
        },
    );
}

/// Gradients of everything that went into [`evaluate`], given its output and `upstream`, the gradient of that.
///
/// What is no longer needed is overwritten: `upstream` becomes the gradient of the features, the memory's hidden maps
/// become their own gradient.
pub(super) fn differentiate(
    features: &[f32],
    parameters: Parameters<'_>,
    output: &[f32],
    memory: Memory,
    upstream: Vec<f32>,
    shape: Shape,
) -> Gradients {
    let Shape { channels, hidden, grid } = shape;
    let cells = grid.cells();
    let (whole, hidden_map) = (channels * cells, hidden * cells);
    let (mut sum, Memory { hidden: mut maps, inverse }) = (upstream, memory);
    sum.par_chunks_mut(whole)
        .zip(output.par_chunks(whole))
        .zip(inverse.par_chunks(cells))
        .for_each(|((sum, output), inverse)| through_normalisation(output, inverse, sum));

    // The kernel's gradient first: it and the kernel itself are not needed at the same time.
    let mut of_kernel = vec![0.0; channels * hidden * winograd::PLACES];
    let (mut products, mut places) = (Vec::new(), Vec::new());
    for (sum, maps) in sum.chunks(GROUP * whole).zip(maps.chunks(GROUP * hidden_map)) {
        let tiling = Tiling::new(grid, sum.len() / whole);
        products.resize(tiling.places(channels), 0.0);
        winograd::adjoint_outputs(&sum.chunks(whole).collect::<Vec<_>>(), tiling, &mut products);
        places.resize(tiling.places(hidden), 0.0);
        winograd::inputs(&maps.chunks(hidden_map).collect::<Vec<_>>(), tiling, &mut places);
        winograd::add_kernel_gradient(&products, &places, tiling, &mut of_kernel);
    }
    drop(places);
    let spread = winograd::adjoint_kernel(&of_kernel, hidden);
    drop(of_kernel);
    let spread_bias = sums_of_channels(&sum, channels, cells);

    let kernel = winograd::kernel(parameters.spread, hidden);
    for (sum, maps) in sum.chunks(GROUP * whole).zip(maps.chunks_mut(GROUP * hidden_map)) {
        let images = sum.len() / whole;
        let tiling = Tiling::new(grid, images);
        products.resize(tiling.places(channels), 0.0);
        winograd::adjoint_outputs(&sum.chunks(whole).collect::<Vec<_>>(), tiling, &mut products);
        let mut by_channel = vec![0.0; maps.len()];
        winograd::adjoint_inputs(&kernel, &products, tiling, hidden, &mut by_channel);
        maps.par_chunks_mut(hidden_map).enumerate().for_each(|(image, map)| {
            let from = by_channel[image * cells..].chunks(images * cells);
            for (map, from) in map.chunks_exact_mut(cells).zip(from) {
                // Where the ReLU was closed nothing passes.
                map.iter_mut().zip(from).for_each(|(map, from)| *map = if *map > 0.0 { *from } else { 0.0 });
            }
        });
    }
    drop((kernel, products));
    let of_hidden = maps;

    let mut reduce = vec![0.0; hidden * channels];
    let block = hidden.div_ceil(BLOCKS);
    reduce.par_chunks_mut(block * channels).enumerate().for_each(|(index, gradient)| {
        let rows = gradient.len() / channels;
        for (of_hidden, features) in of_hidden.chunks(hidden_map).zip(features.chunks(whole)) {
            let of_hidden = Matrix::by_rows(&of_hidden[index * block * cells..], rows, cells, cells);
            let features = Matrix::by_rows(features, channels, cells, cells).transposed();
            multiply(gradient, channels, true, of_hidden, features);
        }
    });
    let reduce_bias = sums_of_channels(&of_hidden, hidden, cells);

    sum.par_chunks_mut(whole).zip(of_hidden.par_chunks(hidden_map)).for_each(|(sum, of_hidden)| {
        let weights = Matrix::by_rows(parameters.reduce, hidden, channels, channels).transposed();
        multiply(sum, cells, true, weights, Matrix::by_rows(of_hidden, hidden, cells, cells));
    });
    Gradients { features: sum, reduce, reduce_bias, spread, spread_bias }
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

/// Sum of `[b, channels, cells]` over images and cells.
fn sums_of_channels(maps: &[f32], channels: usize, cells: usize) -> Vec<f32> {
    let mut sums = vec![0.0; channels];
    for map in maps.chunks_exact(channels * cells) {
        for (sum, values) in sums.iter_mut().zip(map.chunks_exact(cells)) {
            let mut lanes = [0.0f32; 16];
            for values in values.chunks(16) {
                lanes.iter_mut().zip(values).for_each(|(lane, value)| *lane += value);
            }
            *sum += lanes.iter().sum::<f32>();
        }
    }
    sums
}

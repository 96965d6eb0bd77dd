//! The convolution and its gradients on slices.

use rayon::prelude::*;

use super::kernel::{AddProducts, Correlate, packed};
use super::layout::{LANES, Layout, Shape};

/// `[b, c_in, …]` to `[b, c_out, …]`, pairs on threads. `bias` may be empty: none.
pub(super) fn convolve(volumes: &[f32], weights: &[f32], bias: &[f32], shape: Shape) -> Vec<f32> {
    let layout = Layout::new(shape);
    let weights = packed(weights, shape.weights());
    let [inputs, outputs] = shape.channels;
    let mut results = vec![0.0; volumes.len() / inputs * outputs];
    let pairs =
        results.par_chunks_exact_mut(outputs * shape.scores()).zip(volumes.par_chunks_exact(inputs * shape.scores()));
    pairs.for_each_init(
        || (layout.planes(inputs), vec![0.0; outputs * layout.outputs]),
        |(planes, sums), (result, volume)| {
            layout.load(volume, planes);
            for cell in 0..shape.source_cells() {
                let seen = &seen_planes(cell, &layout, shape);
                let (taps, weights) = (&layout.taps, &weights);
                Correlate { planes, seen, taps, weights, channels: outputs, sums }.run();
                for (channel, sums) in sums.chunks_exact(layout.outputs).enumerate() {
                    let place = channel * shape.scores() + cell * shape.target_cells();
                    let bias = bias.get(channel).copied().unwrap_or_default();
                    layout.store(sums, bias, &mut result[place..][..shape.target_cells()]);
                }
            }
        },
    );
    results
}

/// Gradient of the volumes, from that of the outputs: a convolution with the weights turned round.
pub(super) fn volume_gradient(upstream: &[f32], weights: &[f32], shape: Shape) -> Vec<f32> {
    let [inputs, outputs] = shape.channels;
    let count = shape.taps() * shape.taps();
    let mut turned = Vec::with_capacity(weights.len());
    for input in 0..inputs {
        for output in 0..outputs {
            turned.extend(weights[(output * inputs + input) * count..][..count].iter().rev());
        }
    }
    convolve(upstream, &turned, &[], shape.reversed())
}

/// Gradient of the weights, from that of the outputs. Each pair's is computed alone, and they are added in their order.
pub(super) fn weight_gradient(volumes: &[f32], upstream: &[f32], shape: Shape) -> Vec<f32> {
    let layout = Layout::new(shape);
    let [inputs, outputs] = shape.channels;
    let pairs =
        volumes.par_chunks_exact(inputs * shape.scores()).zip(upstream.par_chunks_exact(outputs * shape.scores()));
    let gradients: Vec<Vec<f32>> = pairs
        .map_init(
            || (layout.planes(inputs), layout.planes(outputs)),
            |(planes, upstream_planes), (volume, upstream)| {
                layout.load(volume, planes);
                layout.load(upstream, upstream_planes);
                let mut sums = vec![0.0; outputs * shape.weights() * LANES];
                for cell in 0..shape.source_cells() {
                    AddProducts {
                        planes,
                        seen: &seen_planes(cell, &layout, shape),
                        taps: &layout.taps,
                        // An upstream plane from its first cell on lies as outputs do, with zeros between the rows.
                        upstream: &upstream_planes[cell * layout.plane + layout.first..],
                        distance: shape.source_cells() * layout.plane,
                        outputs: layout.outputs,
                        channels: outputs,
                        sums: &mut sums,
                    }
                    .run();
                }
                sums.chunks_exact(LANES).map(|parts| parts.iter().sum()).collect()
            },
        )
        .collect();
    let mut total = vec![0.0; outputs * shape.weights()];
    for gradient in gradients {
        total.iter_mut().zip(gradient).for_each(|(total, part): (&mut f32, f32)| *total += part);
    }
    total
}

/// Gradient of the bias, from that of the outputs.
pub(super) fn bias_gradient(upstream: &[f32], shape: Shape) -> Vec<f32> {
    let outputs = shape.channels[1];
    let mut gradient = vec![0.0; outputs];
    for (at, scores) in upstream.chunks_exact(shape.scores()).enumerate() {
        // Plane by plane: fewer numbers in a sum, less rounding.
        gradient[at % outputs] +=
            scores.chunks_exact(shape.target_cells()).map(|row| row.iter().sum::<f32>()).sum::<f32>();
    }
    gradient
}

/// Where the planes that a source cell sees begin, of all input channels, and the first of the weights of each.
fn seen_planes(cell: usize, layout: &Layout, shape: Shape) -> Vec<(usize, usize)> {
    let of_channel = |channel: usize| {
        shape.seen_from(cell).map(move |(tap, seen)| {
            let plane = (channel * shape.source_cells() + seen) * layout.plane;
            (plane, (channel * shape.taps() + tap) * shape.taps())
        })
    };
    (0..shape.channels[0]).flat_map(of_channel).collect()
}

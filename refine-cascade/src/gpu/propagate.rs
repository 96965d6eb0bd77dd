//! Propagation: neighbours that move alike support each other.
#![expect(clippy::needless_range_loop, reason = "kernels count; they have no iterators over slices")]

use burn::tensor::Tensor;
use burn_cubecl::tensor::CubeTensor;
use corr_volume::Grid;
use corr_volume::gpu::buffers::{buffer, floats, tensor};
use cubecl::prelude::*;

use super::vote::elementwise;
use crate::propagate::gaussian_taps;

/// Sum over shifts of both images by the same number of rows; what leaves a grid counts as zero. One unit has one
/// match.
#[cube(launch)]
fn vertical_kernel(
    evidence: &[f32],
    taps: &[f32],
    sums: &mut [f32],
    source_height: usize,
    source_width: usize,
    target_height: usize,
    target_width: usize,
    radius: usize,
) {
    if ABSOLUTE_POS >= sums.len() {
        terminate!();
    }
    let columns = target_height * target_width;
    let source_row = ABSOLUTE_POS / columns / source_width % source_height;
    let target_row = ABSOLUTE_POS % columns / target_width;
    let step = source_width * columns + target_width;
    let mut sum = 0.0f32;
    for tap in 0..2 * radius + 1 {
        let from_source = source_row + tap;
        let from_target = target_row + tap;
        let inside = from_source >= radius
            && from_target >= radius
            && from_source < source_height + radius
            && from_target < target_height + radius;
        if inside {
            sum += taps[tap] * evidence[ABSOLUTE_POS + tap * step - radius * step];
        }
    }
    sums[ABSOLUTE_POS] = sum;
}

/// Sum over shifts by the same number of columns, of a mirrored target by as many to the other side; in place times the
/// evidence, or instead of it.
#[cube(launch)]
fn horizontal_kernel(
    vertical: &[f32],
    taps: &[f32],
    evidence: &mut [f32],
    source_width: usize,
    columns: usize,
    target_width: usize,
    radius: usize,
    #[comptime] own: bool,
    #[comptime] mirror: bool,
) {
    if ABSOLUTE_POS >= evidence.len() {
        terminate!();
    }
    let source_column = ABSOLUTE_POS / columns % source_width;
    let target_column = ABSOLUTE_POS % target_width;
    let mut sum = 0.0f32;
    for tap in 0..2 * radius + 1 {
        let from_source = source_column + tap;
        let mut from_target = target_column + tap;
        if mirror {
            from_target = target_column + 2 * radius - tap;
        }
        let inside = from_source >= radius
            && from_target >= radius
            && from_source < source_width + radius
            && from_target < target_width + radius;
        if inside {
            let row_shifted = ABSOLUTE_POS + tap * columns - radius * columns;
            sum += taps[tap] * vertical[row_shifted + from_target - target_column - radius];
        }
    }
    if own {
        sum *= evidence[ABSOLUTE_POS];
    }
    evidence[ABSOLUTE_POS] = sum;
}

/// In place: `T²`.
#[cube(launch)]
fn square_kernel(evidence: &mut [f32]) {
    if ABSOLUTE_POS >= evidence.len() {
        terminate!();
    }
    let own = evidence[ABSOLUTE_POS];
    evidence[ABSOLUTE_POS] = own * own;
}

/// `E = T · L` in place, `L_ij = Σ_δ G(δ) T_{i+δ, j+δ}`; `E = L` without `own`.
pub(super) fn propagate(evidence: &CubeTensor, source: Grid, target: Grid, radius: usize, own: bool, mirror: bool) {
    let (count, units) = elementwise(evidence);
    let client = &evidence.client;
    if radius == 0 {
        if own {
            square_kernel::launch(client, count, units, evidence.clone().into_buffer_arg());
        }
        return;
    }
    let [pairs, rows, columns] = evidence.meta.shape().dims();
    let taps = taps(evidence, &gaussian_taps(radius, radius as f64 / 2.0));
    let vertical = floats(evidence, [pairs, rows, columns]);
    vertical_kernel::launch(
        client,
        count.clone(),
        units,
        evidence.clone().into_buffer_arg(),
        taps.clone().into_buffer_arg(),
        vertical.clone().into_buffer_arg(),
        source.height,
        source.width,
        target.height,
        target.width,
        radius,
    );
    horizontal_kernel::launch(
        client,
        count,
        units,
        vertical.into_buffer_arg(),
        taps.into_buffer_arg(),
        evidence.clone().into_buffer_arg(),
        source.width,
        columns,
        target.width,
        radius,
        own,
        mirror,
    );
}

/// The taps of a Gaussian on the device of a buffer.
pub(super) fn taps(beside: &CubeTensor, taps: &[f32]) -> CubeTensor {
    let device = tensor::<3>(beside.clone()).device();
    buffer(Tensor::<1>::from_floats(taps, &device))
}

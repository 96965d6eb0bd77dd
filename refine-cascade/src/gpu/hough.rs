//! The regularised Hough transform over 2-D offsets.
#![expect(clippy::needless_range_loop, reason = "kernels count; they have no iterators over slices")]

use burn::tensor::Tensor;
use burn_cubecl::tensor::CubeTensor;
use corr_volume::Grid;
use corr_volume::gpu::buffers::{floats, tensor};
use cubecl::prelude::*;

use super::propagate::taps;
use super::vote::elementwise;
use crate::propagate::gaussian_taps;

/// Evidence by offset, one unit a bin: it sums the bin's diagonal source row by source row, in a fixed order, so that
/// nothing has to be atomic. Neighbouring units read neighbouring cells.
#[cube(launch)]
fn histogram_kernel(
    evidence: &[f32],
    bins: &mut [f32],
    source_height: usize,
    source_width: usize,
    target_height: usize,
    target_width: usize,
    #[comptime] mirror: bool,
) {
    if ABSOLUTE_POS >= bins.len() {
        terminate!();
    }
    let across = source_width + target_width - 1;
    let down = source_height + target_height - 1;
    let columns = target_height * target_width;
    let pair = ABSOLUTE_POS / (across * down);
    let bin_row = ABSOLUTE_POS / across % down;
    let bin_column = ABSOLUTE_POS % across;
    let mut sum = 0.0f32;
    for source_row in 0..source_height {
        // Row of the target, and below its column, with the source's largest index added to stay above 0.
        let target_row = source_row + bin_row;
        if target_row + 1 >= source_height && target_row + 1 < source_height + target_height {
            let mut row_sum = 0.0f32;
            for source_column in 0..source_width {
                let target_column = source_column + bin_column;
                if target_column + 1 >= source_width && target_column + 1 < source_width + target_width {
                    let row = (pair * source_height + source_row) * source_width + source_column;
                    let mut column = target_column + 1 - source_width;
                    if mirror {
                        column = target_width - 1 - column;
                    }
                    row_sum += evidence[row * columns + (target_row + 1 - source_height) * target_width + column];
                }
            }
            sum += row_sum;
        }
    }
    bins[ABSOLUTE_POS] = sum;
}

/// Two-dimensional Gaussian over the bins, zero outside; one unit a bin.
#[cube(launch)]
fn smooth_kernel(bins: &[f32], taps: &[f32], smooth: &mut [f32], down: usize, across: usize, radius: usize) {
    if ABSOLUTE_POS >= smooth.len() {
        terminate!();
    }
    let row = ABSOLUTE_POS / across % down;
    let column = ABSOLUTE_POS % across;
    let mut sum = 0.0f32;
    for tap_row in 0..2 * radius + 1 {
        if row + tap_row >= radius && row + tap_row < down + radius {
            let mut row_sum = 0.0f32;
            for tap_column in 0..2 * radius + 1 {
                if column + tap_column >= radius && column + tap_column < across + radius {
                    let shifted = ABSOLUTE_POS + tap_row * across + tap_column;
                    row_sum += taps[tap_column] * bins[shifted - radius * across - radius];
                }
            }
            sum += taps[tap_row] * row_sum;
        }
    }
    smooth[ABSOLUTE_POS] = sum;
}

/// In place: `V_ij = E_ij H(j − i)`.
#[cube(launch)]
fn enhance_kernel(
    evidence: &mut [f32],
    bins: &[f32],
    source_height: usize,
    source_width: usize,
    target_height: usize,
    target_width: usize,
    #[comptime] mirror: bool,
) {
    if ABSOLUTE_POS >= evidence.len() {
        terminate!();
    }
    let across = source_width + target_width - 1;
    let down = source_height + target_height - 1;
    let columns = target_height * target_width;
    let source_column = ABSOLUTE_POS / columns % source_width;
    let source_row = ABSOLUTE_POS / columns / source_width % source_height;
    let pair = ABSOLUTE_POS / columns / source_width / source_height;
    let target_row = ABSOLUTE_POS % columns / target_width;
    let mut target_column = ABSOLUTE_POS % target_width;
    if mirror {
        target_column = target_width - 1 - target_column;
    }
    let bin_row = target_row + source_height - 1 - source_row;
    let bin_column = target_column + source_width - 1 - source_column;
    evidence[ABSOLUTE_POS] *= bins[(pair * down + bin_row) * across + bin_column];
}

/// Evidence summed by the offset `j − i`, of the mirrored target where asked for.
pub(super) struct OffsetHistogram {
    /// `[pairs, source.height + target.height − 1, source.width + target.width − 1]`.
    bins: CubeTensor,
    source: Grid,
    target: Grid,
    mirror: bool,
}

impl OffsetHistogram {
    /// `evidence` `[pairs, source cells, target cells]`.
    pub(super) fn of(evidence: &CubeTensor, source: Grid, target: Grid, mirror: bool) -> Self {
        let [pairs, ..]: [usize; 3] = evidence.meta.shape().dims();
        let bins = floats(evidence, [pairs, source.height + target.height - 1, source.width + target.width - 1]);
        let (count, units) = elementwise(&bins);
        histogram_kernel::launch(
            &evidence.client,
            count,
            units,
            evidence.clone().into_buffer_arg(),
            bins.clone().into_buffer_arg(),
            source.height,
            source.width,
            target.height,
            target.width,
            mirror,
        );
        Self { bins, source, target, mirror }
    }

    /// Smooths with a normalised Gaussian of `2·radius + 1` bins a side, zero outside.
    pub(super) fn smoothed(self, radius: usize, sigma: f64) -> Self {
        let mut weights = gaussian_taps(radius, sigma);
        let sum: f32 = weights.iter().sum();
        weights.iter_mut().for_each(|weight| *weight /= sum);
        let [pairs, down, across] = self.bins.meta.shape().dims();
        let smooth = floats(&self.bins, [pairs, down, across]);
        let (count, units) = elementwise(&smooth);
        smooth_kernel::launch(
            &smooth.client,
            count,
            units,
            self.bins.clone().into_buffer_arg(),
            taps(&self.bins, &weights).into_buffer_arg(),
            smooth.clone().into_buffer_arg(),
            down,
            across,
            radius,
        );
        Self { bins: smooth, ..self }
    }

    /// The largest bin of each pair as a share of all evidence, `[pairs]`, 0 where there is none.
    pub(super) fn peaks(&self, evidence: &CubeTensor) -> Tensor<1> {
        let whole = tensor::<3>(evidence.clone());
        let [pairs, rows, columns] = whole.dims();
        let total = whole.reshape([pairs, rows * columns]).sum_dim(1);
        let nothing = total.clone().lower_equal_elem(0.0);
        let largest = tensor::<3>(self.bins.clone()).flatten::<2>(1, 2).max_dim(1);
        let share = largest / total.mask_fill(nothing.clone(), 1.0);
        share.mask_fill(nothing, 0.0).reshape([pairs])
    }

    /// `V_ij = E_ij H(j − i)`, in place.
    pub(super) fn enhance(self, evidence: &CubeTensor) {
        let (count, units) = elementwise(evidence);
        enhance_kernel::launch(
            &evidence.client,
            count,
            units,
            evidence.clone().into_buffer_arg(),
            self.bins.into_buffer_arg(),
            self.source.height,
            self.source.width,
            self.target.height,
            self.target.width,
            self.mirror,
        );
    }
}

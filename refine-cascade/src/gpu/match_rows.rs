//! What each row of a volume adds to the match loss.

use burn_cubecl::tensor::CubeTensor;
use corr_volume::gpu::buffers::{cubes, floats};
use corr_volume::gpu::tile::{
    COLUMN_STAGE, COLUMNS, ROW_STAGE, ROWS, SIDE, UNIT_COLUMNS, UNIT_ROWS, UNIT_SCORES, UNITS, cube_in_pair,
    score_tile, workgroup,
};
use cubecl::prelude::*;

use super::match_targets::Targets;

/// Smaller than any logit: where a running maximum begins.
const LOWEST: f32 = -1e30;

/// What the loss needs of every row.
pub(super) struct RowSums {
    /// `log Σ_j exp(C_ij / τ)`, `[pairs, cells]`.
    pub(super) logs: CubeTensor,
    /// `Σ_j Q_ij C_ij / τ`, `[pairs, cells]`.
    pub(super) hits: CubeTensor,
}

/// One workgroup has 64 rows and goes over all columns. A unit keeps, for each of its rows, the largest logit so far
/// and the sum of exponentials relative to it; at the end the 16 units of a row are put together.
#[cube(launch)]
fn rows_kernel(
    rows: &[f32],
    columns: &[f32],
    votes: &[f32],
    bells: &[f32],
    lifts: &[f32],
    logs: &mut [f32],
    hits_out: &mut [f32],
    row_count: usize,
    height: usize,
    width: usize,
    depth: usize,
    label_stride: usize,
    cell_stride: usize,
    sharpness: f32,
    #[comptime] voted: bool,
) {
    let pair = CUBE_POS_Z as usize;
    let column_count = height * width;
    let unit_row = UNIT_POS_Y as usize;
    let unit_column = UNIT_POS_X as usize;
    let first_row = cube_in_pair() * ROWS;

    let mut row_stage = Shared::<[f32]>::new_slice(ROW_STAGE);
    let mut column_stage = Shared::<[f32]>::new_slice(COLUMN_STAGE);
    let mut scores = Array::<f32>::new(UNIT_SCORES);
    let mut highest = Array::<f32>::new(UNIT_ROWS);
    let mut sums = Array::<f32>::new(UNIT_ROWS);
    let mut hits = Array::<f32>::new(UNIT_ROWS);
    #[unroll]
    for r in 0..UNIT_ROWS {
        highest[r] = LOWEST;
        sums[r] = 0.0f32;
        hits[r] = 0.0f32;
    }

    for tile in 0..column_count.div_ceil(COLUMNS) {
        let first_column = tile * COLUMNS;
        score_tile(
            rows,
            columns,
            &mut row_stage,
            &mut column_stage,
            &mut scores,
            pair,
            first_row,
            first_column,
            row_count,
            column_count,
            depth,
        );
        #[unroll]
        for c in 0..UNIT_COLUMNS {
            let column = first_column + unit_column + c * SIDE;
            if column < column_count {
                #[unroll]
                for r in 0..UNIT_ROWS {
                    let row = first_row + unit_row + r * SIDE;
                    if row < row_count {
                        let logit = scores[r * UNIT_COLUMNS + c] * sharpness;
                        let above = max(highest[r], logit);
                        sums[r] = sums[r] * (highest[r] - above).exp() + (logit - above).exp();
                        highest[r] = above;
                        let label = pair * row_count + row;
                        let bell = label * (width + height);
                        let mut share = bells[bell + column % width] * bells[bell + width + column / width];
                        if comptime!(voted) {
                            let vote = pair * row_count * column_count + row * label_stride + column * cell_stride;
                            share += max(votes[vote], 0.0f32) * lifts[label];
                        }
                        hits[r] += share * logit;
                    }
                }
            }
        }
    }

    let mut unit_highest = Shared::<[f32]>::new_slice(UNITS);
    let mut unit_sums = Shared::<[f32]>::new_slice(UNITS);
    let mut unit_hits = Shared::<[f32]>::new_slice(UNITS);
    #[unroll]
    for r in 0..UNIT_ROWS {
        unit_highest[UNIT_POS as usize] = highest[r];
        unit_sums[UNIT_POS as usize] = sums[r];
        unit_hits[UNIT_POS as usize] = hits[r];
        sync_cube();
        let row = first_row + unit_row + r * SIDE;
        if unit_column == 0 && row < row_count {
            let mut above = LOWEST.runtime();
            for other in 0..SIDE {
                above = max(above, unit_highest[unit_row * SIDE + other]);
            }
            let mut sum = 0.0f32;
            let mut hit = 0.0f32;
            for other in 0..SIDE {
                let at = unit_row * SIDE + other;
                sum += unit_sums[at] * (unit_highest[at] - above).exp();
                hit += unit_hits[at];
            }
            let at = pair * row_count + row;
            logs[at] = above + sum.ln();
            hits_out[at] = hit;
        }
        sync_cube();
    }
}

impl RowSums {
    /// Rows are the cells of `source` `[pairs, depth, h, w]`, which the labels are for, columns those of `target`.
    pub(super) fn of(source: &CubeTensor, target: &CubeTensor, targets: &Targets, tau: f64) -> Self {
        let [pairs, depth, height, width] = source.meta.shape().dims();
        let row_count = height * width;
        let sums = Self { logs: floats(source, [pairs, row_count]), hits: floats(source, [pairs, row_count]) };
        let [label_stride, cell_stride] = targets.strides;
        rows_kernel::launch(
            &source.client,
            cubes(row_count.div_ceil(ROWS), pairs),
            workgroup(),
            source.clone().into_buffer_arg(),
            target.clone().into_buffer_arg(),
            targets.votes.clone().into_buffer_arg(),
            targets.bells.clone().into_buffer_arg(),
            targets.lifts.clone().into_buffer_arg(),
            sums.logs.clone().into_buffer_arg(),
            sums.hits.clone().into_buffer_arg(),
            row_count,
            targets.grid.height,
            targets.grid.width,
            depth,
            label_stride,
            cell_stride,
            (1.0 / tau) as f32,
            targets.voted,
        );
        sums
    }
}

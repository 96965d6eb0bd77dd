//! Gradient of the match loss in one feature map.

use burn::tensor::Tensor;
use burn_cubecl::tensor::CubeTensor;
use corr_volume::gpu::buffers::{buffer, cubes, floats, tensor};
use corr_volume::gpu::tile::{
    COLUMN_STAGE, COLUMNS, DEPTH, ROW_STAGE, ROW_STRIDE, ROWS, SIDE, UNIT_COLUMNS, UNIT_ROWS, UNIT_SCORES, UNITS,
    cube_in_pair, score_tile, workgroup,
};
use cubecl::prelude::*;

use super::match_rows::RowSums;
use super::match_targets::Targets;

/// Whose cells a launch has as rows: the image in whose features it differentiates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Rows {
    /// The source's, for which the labels are.
    Source,
    /// The target's.
    Target,
}

/// Channels of the result that a workgroup has in its registers at a time.
const CHANNELS: usize = ROWS;
/// Numbers of a label, see [`of_labels`].
const LABEL_NUMBERS: usize = 4;
/// Size of the shared memory for the derivatives of a tile.
const TILE_STAGE: usize = COLUMNS * ROW_STRIDE;

/// One workgroup has 64 rows and goes over all columns, 32 at a time: their scores again, from these the derivatives,
/// which go to shared memory, and the product of these with the columns' features, added to the rows' gradient. A unit
/// adds to the same places of the gradient each time, so that nothing has to be atomic.
///
/// The memory through which rows come for the scores is used once more for the columns in the product.
#[cube(launch)]
fn gradients_kernel(
    rows: &[f32],
    columns: &[f32],
    bells: &[f32],
    votes: &[f32],
    labels: &[f32],
    gradients: &mut [f32],
    row_count: usize,
    column_count: usize,
    height: usize,
    width: usize,
    depth: usize,
    label_stride: usize,
    cell_stride: usize,
    sharpness: f32,
    #[comptime] rows_are: Rows,
    #[comptime] voted: bool,
) {
    let pair = CUBE_POS_Z as usize;
    let unit = UNIT_POS as usize;
    let unit_row = UNIT_POS_Y as usize;
    let unit_column = UNIT_POS_X as usize;
    let first_row = cube_in_pair() * ROWS;

    let mut row_stage = Shared::<[f32]>::new_slice(ROW_STAGE);
    let mut column_stage = Shared::<[f32]>::new_slice(COLUMN_STAGE);
    let mut derivatives = Shared::<[f32]>::new_slice(TILE_STAGE);
    let mut scores = Array::<f32>::new(UNIT_SCORES);
    let mut sums = Array::<f32>::new(UNIT_ROWS * UNIT_ROWS);

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
            #[unroll]
            for r in 0..UNIT_ROWS {
                let row = first_row + unit_row + r * SIDE;
                let column = first_column + unit_column + c * SIDE;
                let mut derivative = 0.0f32;
                if row < row_count && column < column_count {
                    let mut label_cell = row;
                    let mut cell = column;
                    let mut label = pair * row_count + row;
                    if comptime!(rows_are == Rows::Target) {
                        label_cell = column;
                        cell = row;
                        label = pair * column_count + column;
                    }
                    let bell = label * (width + height);
                    let mut share = bells[bell + cell % width] * bells[bell + width + cell / width];
                    let numbers = label * LABEL_NUMBERS;
                    if comptime!(voted) {
                        let pair_votes = pair * row_count * column_count;
                        let vote = votes[pair_votes + label_cell * label_stride + cell * cell_stride];
                        share += max(vote, 0.0f32) * labels[numbers + 3];
                    }
                    let probability = (scores[r * UNIT_COLUMNS + c] * sharpness - labels[numbers]).exp();
                    derivative = labels[numbers + 2] * (labels[numbers + 1] * probability - share);
                }
                derivatives[(unit_column + c * SIDE) * ROW_STRIDE + unit_row + r * SIDE] = derivative;
            }
        }
        sync_cube();

        for chunk in 0..depth.div_ceil(CHANNELS) {
            let first_channel = chunk * CHANNELS;
            #[unroll]
            for s in 0..UNIT_ROWS * UNIT_ROWS {
                sums[s] = 0.0f32;
            }
            for half in 0..COLUMNS / DEPTH {
                #[unroll]
                for load in 0..DEPTH * CHANNELS / UNITS {
                    let slot = unit + load * UNITS;
                    let step = slot % DEPTH;
                    let channel = slot / DEPTH;
                    let column = first_column + half * DEPTH + step;
                    let mut value = 0.0f32;
                    if first_channel + channel < depth && column < column_count {
                        value = columns[(pair * depth + first_channel + channel) * column_count + column];
                    }
                    row_stage[step * ROW_STRIDE + channel] = value;
                }
                sync_cube();
                #[unroll]
                for step in 0..DEPTH {
                    let mut features = Array::<f32>::new(UNIT_ROWS);
                    #[unroll]
                    for k in 0..UNIT_ROWS {
                        features[k] = row_stage[step * ROW_STRIDE + unit_row + k * SIDE];
                    }
                    #[unroll]
                    for r in 0..UNIT_ROWS {
                        let at = (half * DEPTH + step) * ROW_STRIDE + unit_column + r * SIDE;
                        let derivative = derivatives[at];
                        #[unroll]
                        for k in 0..UNIT_ROWS {
                            sums[k * UNIT_ROWS + r] += features[k] * derivative;
                        }
                    }
                }
                sync_cube();
            }
            #[unroll]
            for k in 0..UNIT_ROWS {
                #[unroll]
                for r in 0..UNIT_ROWS {
                    let channel = first_channel + unit_row + k * SIDE;
                    let row = first_row + unit_column + r * SIDE;
                    if channel < depth && row < row_count {
                        let at = (pair * depth + channel) * row_count + row;
                        let mut sum = sums[k * UNIT_ROWS + r];
                        if tile > 0 {
                            sum += gradients[at];
                        }
                        gradients[at] = sum;
                    }
                }
            }
        }
    }
}

/// Gradient in `rows` `[pairs, depth, h, w]`, whose matches are the cells of `columns`; `labels` from [`of_labels`].
pub(super) fn gradients(
    rows: &CubeTensor,
    columns: &CubeTensor,
    rows_are: Rows,
    targets: &Targets,
    labels: &CubeTensor,
    tau: f64,
) -> CubeTensor {
    let [pairs, depth, height, width] = rows.meta.shape().dims();
    let [_, _, column_height, column_width] = columns.meta.shape().dims();
    let gradients = floats(rows, [pairs, depth, height, width]);
    let [label_stride, cell_stride] = targets.strides;
    gradients_kernel::launch(
        &rows.client,
        cubes((height * width).div_ceil(ROWS), pairs),
        workgroup(),
        rows.clone().into_buffer_arg(),
        columns.clone().into_buffer_arg(),
        targets.bells.clone().into_buffer_arg(),
        targets.votes.clone().into_buffer_arg(),
        labels.clone().into_buffer_arg(),
        gradients.clone().into_buffer_arg(),
        height * width,
        column_height * column_width,
        targets.grid.height,
        targets.grid.width,
        depth,
        label_stride,
        cell_stride,
        (1.0 / tau) as f32,
        rows_are,
        targets.voted,
    );
    gradients
}

/// What a derivative needs of its label, in one buffer `[pairs, labels, 4]`, for adapters that bind no more than 8 of them
/// at a time: the logarithm of the row's sum, the target's sum, `w_i / (W τ)` and what a vote is multiplied with.
///
/// `factors` `[pairs, labels]` are the third.
pub(super) fn of_labels(sums: &RowSums, targets: &Targets, factors: Tensor<2>) -> CubeTensor {
    let logs = tensor::<2>(sums.logs.clone());
    let lifts = if targets.voted { tensor(targets.lifts.clone()) } else { logs.zeros_like() };
    buffer(Tensor::stack::<3>(vec![logs, tensor(targets.mass.clone()), factors, lifts], 2))
}

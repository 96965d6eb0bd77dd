//! Largest score of every row of a volume that is never held, and its cell.

use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::buffers::{cubes, floats, integers};
use super::tile::{
    COLUMN_STAGE, COLUMNS, ROW_STAGE, ROWS, SIDE, UNIT_COLUMNS, UNIT_ROWS, UNIT_SCORES, UNITS, cube_in_pair,
    score_tile, workgroup,
};

/// Keeps the ratios of the filter finite, as in [`soft_mutual`](crate::soft_mutual).
const EPSILON: f32 = crate::mutual::EPSILON as f32;

/// What becomes of a score `c = max(0, <row, column>)` before it is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Filter {
    /// Nothing.
    None,
    /// Soft mutual nearest neighbours; the rows are the source's cells.
    RowsAreSource,
    /// Soft mutual nearest neighbours; the rows are the target's cells. Other than above only in the order of its
    /// products: both directions have to see the same number.
    RowsAreTarget,
}

/// One score after the filter; `row_best` and `column_best` are the largest of its row and of its column before it.
#[cube]
pub(super) fn filtered(score: f32, row_best: f32, column_best: f32, #[comptime] filter: Filter) -> f32 {
    match filter {
        Filter::None => score,
        Filter::RowsAreSource => score * (score / (row_best + EPSILON)) * (score / (column_best + EPSILON)),
        Filter::RowsAreTarget => score * (score / (column_best + EPSILON)) * (score / (row_best + EPSILON)),
    }
}

/// One workgroup has 64 rows and goes over all columns, each unit over its own in rising order; at the end the 16 units
/// of a row are compared. `>` alone moves a unit to another cell, so that the lower index wins a tie.
#[cube(launch)]
fn best_kernel(
    rows: &[f32],
    columns: &[f32],
    row_best: &[f32],
    column_best: &[f32],
    scores_out: &mut [f32],
    cells_out: &mut [i32],
    row_count: usize,
    column_count: usize,
    depth: usize,
    #[comptime] filter: Filter,
) {
    let pair = CUBE_POS_Z as usize;
    let unit_row = UNIT_POS_Y as usize;
    let unit_column = UNIT_POS_X as usize;
    let first_row = cube_in_pair() * ROWS;

    let mut row_stage = Shared::<[f32]>::new_slice(ROW_STAGE);
    let mut column_stage = Shared::<[f32]>::new_slice(COLUMN_STAGE);
    let mut scores = Array::<f32>::new(UNIT_SCORES);
    let mut best = Array::<f32>::new(UNIT_ROWS);
    let mut cells = Array::<i32>::new(UNIT_ROWS);
    let mut own_best = Array::<f32>::new(UNIT_ROWS);
    #[unroll]
    for r in 0..UNIT_ROWS {
        best[r] = -1.0f32;
        cells[r] = 0i32;
        own_best[r] = 0.0f32;
        if comptime!(filter != Filter::None) {
            let row = first_row + unit_row + r * SIDE;
            if row < row_count {
                own_best[r] = row_best[pair * row_count + row];
            }
        }
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
                let mut other_best = 0.0f32;
                if comptime!(filter != Filter::None) {
                    other_best = column_best[pair * column_count + column];
                }
                #[unroll]
                for r in 0..UNIT_ROWS {
                    let score = max(scores[r * UNIT_COLUMNS + c], 0.0f32);
                    let score = filtered(score, own_best[r], other_best, filter);
                    if score > best[r] {
                        best[r] = score;
                        cells[r] = column as i32;
                    }
                }
            }
        }
    }

    let mut unit_best = Shared::<[f32]>::new_slice(UNITS);
    let mut unit_cells = Shared::<[i32]>::new_slice(UNITS);
    #[unroll]
    for r in 0..UNIT_ROWS {
        unit_best[UNIT_POS as usize] = best[r];
        unit_cells[UNIT_POS as usize] = cells[r];
        sync_cube();
        let row = first_row + unit_row + r * SIDE;
        if unit_column == 0 && row < row_count {
            let mut score = unit_best[unit_row * SIDE];
            let mut cell = unit_cells[unit_row * SIDE];
            for other in 1..SIDE {
                let other_score = unit_best[unit_row * SIDE + other];
                let other_cell = unit_cells[unit_row * SIDE + other];
                if other_score > score || (other_score == score && other_cell < cell) {
                    score = other_score;
                    cell = other_cell;
                }
            }
            scores_out[pair * row_count + row] = score;
            cells_out[pair * row_count + row] = cell;
        }
        sync_cube();
    }
}

/// Largest score of every row, `[pairs, rows]`, and the number of its column, the lower one of equal ones.
pub(super) struct Best {
    pub(super) scores: CubeTensor,
    pub(super) cells: CubeTensor,
}

/// `rows` `[pairs, depth, h, w]` against `columns`, unfiltered, or filtered by the largest unfiltered scores of both.
pub(super) fn best_of_rows(
    rows: &CubeTensor,
    columns: &CubeTensor,
    filter: Filter,
    unfiltered: Option<(&Best, &Best)>,
) -> Best {
    let [pairs, depth, height, width] = rows.meta.shape().dims();
    let [_, _, column_height, column_width] = columns.meta.shape().dims();
    let (row_count, column_count) = (height * width, column_height * column_width);
    let best = Best { scores: floats(rows, [pairs, row_count]), cells: integers(rows, [pairs, row_count]) };
    // A kernel without a filter does not read these two.
    let (row_best, column_best) = unfiltered.map_or((rows, columns), |(a, b)| (&a.scores, &b.scores));
    best_kernel::launch(
        &rows.client,
        cubes(row_count.div_ceil(ROWS), pairs),
        workgroup(),
        rows.clone().into_buffer_arg(),
        columns.clone().into_buffer_arg(),
        row_best.clone().into_buffer_arg(),
        column_best.clone().into_buffer_arg(),
        best.scores.clone().into_buffer_arg(),
        best.cells.clone().into_buffer_arg(),
        row_count,
        column_count,
        depth,
        filter,
    );
    best
}

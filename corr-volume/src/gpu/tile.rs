//! One tile of a volume, in the registers of a workgroup's units.
//!
//! A workgroup has 16 by 16 units and computes 64 rows by 32 columns of `rows^T columns`: unit (x, y) has the 4 rows
//! `y + 16 r` and the 2 columns `x + 16 c` of the tile. Features come through shared memory, 16 channels at a time.
//! Together with a tile's own result in shared memory, as the gradients of the match loss need it, this stays below the
//! 16 KiB that every adapter has.

#![allow(missing_docs, reason = "`#[cube]` makes a module of each function, which no comment reaches")]

use cubecl::prelude::*;

/// Units along each side of a workgroup.
pub const SIDE: usize = 16;
/// Units of a workgroup.
pub const UNITS: usize = SIDE * SIDE;
/// Rows of a tile.
pub const ROWS: usize = 64;
/// Columns of a tile.
pub const COLUMNS: usize = 32;
/// Rows of a tile that one unit has.
pub const UNIT_ROWS: usize = ROWS / SIDE;
/// Columns of a tile that one unit has.
pub const UNIT_COLUMNS: usize = COLUMNS / SIDE;
/// Scores of a tile that one unit has.
pub const UNIT_SCORES: usize = UNIT_ROWS * UNIT_COLUMNS;
/// Channels that are in shared memory at a time.
pub const DEPTH: usize = 16;
/// Distance of two channels of the rows in shared memory: odd, so that units that write one row of it down the channels
/// do not meet in one bank.
pub const ROW_STRIDE: usize = ROWS + 1;
/// Size of the shared memory for rows.
pub const ROW_STAGE: usize = DEPTH * ROW_STRIDE;
/// Size of the shared memory for columns.
pub const COLUMN_STAGE: usize = DEPTH * COLUMNS;

/// The workgroup of every kernel here.
pub fn workgroup() -> CubeDim {
    CubeDim::new_2d(SIDE as u32, SIDE as u32)
}

/// Number of this workgroup among those of its pair, see [`cubes`](crate::gpu::buffers::cubes).
#[cube]
pub fn cube_in_pair() -> usize {
    CUBE_POS_Y as usize * CUBE_COUNT_X as usize + CUBE_POS_X as usize
}

/// Scores of one tile: `scores[r * UNIT_COLUMNS + c]` is that of the unit's row r and column c, 0 outside the volume.
///
/// `rows` is `[pairs, depth, row_count]`, `columns` `[pairs, depth, column_count]`. Channels are added in their order,
/// whatever the tile, so that equal features have equal scores, and a volume and its transpose the same ones. Every
/// unit of the workgroup has to call this.
#[cube]
pub fn score_tile(
    rows: &[f32],
    columns: &[f32],
    row_stage: &mut Shared<[f32]>,
    column_stage: &mut Shared<[f32]>,
    scores: &mut Array<f32>,
    pair: usize,
    first_row: usize,
    first_column: usize,
    row_count: usize,
    column_count: usize,
    depth: usize,
) {
    let unit = UNIT_POS as usize;
    let unit_row = UNIT_POS_Y as usize;
    let unit_column = UNIT_POS_X as usize;
    #[unroll]
    for s in 0..UNIT_SCORES {
        scores[s] = 0.0f32;
    }
    for chunk in 0..depth.div_ceil(DEPTH) {
        let first_channel = chunk * DEPTH;
        #[unroll]
        for load in 0..DEPTH * ROWS / UNITS {
            let slot = unit + load * UNITS;
            let channel = slot / ROWS;
            let row = slot % ROWS;
            let mut value = 0.0f32;
            if first_channel + channel < depth && first_row + row < row_count {
                value = rows[(pair * depth + first_channel + channel) * row_count + first_row + row];
            }
            row_stage[channel * ROW_STRIDE + row] = value;
        }
        #[unroll]
        for load in 0..DEPTH * COLUMNS / UNITS {
            let slot = unit + load * UNITS;
            let channel = slot / COLUMNS;
            let column = slot % COLUMNS;
            let mut value = 0.0f32;
            if first_channel + channel < depth && first_column + column < column_count {
                value = columns[(pair * depth + first_channel + channel) * column_count + first_column + column];
            }
            column_stage[channel * COLUMNS + column] = value;
        }
        sync_cube();
        // Unrolled: a loop here would be most of the work.
        #[unroll]
        for channel in 0..DEPTH {
            let mut row_values = Array::<f32>::new(UNIT_ROWS);
            #[unroll]
            for r in 0..UNIT_ROWS {
                row_values[r] = row_stage[channel * ROW_STRIDE + unit_row + r * SIDE];
            }
            #[unroll]
            for c in 0..UNIT_COLUMNS {
                let column_value = column_stage[channel * COLUMNS + unit_column + c * SIDE];
                #[unroll]
                for r in 0..UNIT_ROWS {
                    scores[r * UNIT_COLUMNS + c] += row_values[r] * column_value;
                }
            }
        }
        sync_cube();
    }
}

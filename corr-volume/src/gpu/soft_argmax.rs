//! The answer of every row: the mean of cells round its best one.

use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::best::{Best, Filter, filtered};
use super::buffers::{cubes, floats};
use super::tile::cube_in_pair;
use crate::readout::SMALLEST_SCORE;
use crate::{Grid, Readout};

/// Units of a workgroup, which has one row. A window of the default readout has some 150 cells.
const WINDOW_UNITS: usize = 64;

/// A readout as the one sum that all of them are.
///
/// ```text
/// p = sum_j w_j (x_j, y_j) / sum_j w_j,   w_j = exp(beta (exp(-fall d_j^2) c_j / c_best - 1))
/// ```
///
/// over the cells at most `reach` columns and rows from the best one. Rows without a positive score have `w = 1` and
/// `empty_reach`.
struct Window {
    beta: f32,
    fall: f32,
    reach: usize,
    empty_reach: usize,
}

impl Window {
    fn of(readout: Readout, grid: Grid) -> Self {
        let whole = grid.height.max(grid.width);
        match readout {
            Readout::Hard => Self { beta: 1.0, fall: 0.0, reach: 0, empty_reach: 0 },
            Readout::Kernel { beta, sigma } => Self {
                beta: beta as f32,
                fall: (0.5 / (sigma * sigma)) as f32,
                reach: kernel_reach(beta, sigma, grid.cells()).map_or(whole, |reach| whole.min(reach)),
                empty_reach: whole,
            },
            Readout::Windowed { beta, radius } => {
                Self { beta: beta as f32, fall: 0.0, reach: radius.min(whole), empty_reach: radius.min(whole) }
            }
        }
    }
}

/// Cells further away than this, all together, have less than 1.6e-8 of the best cell's weight; none where there is no
/// such distance.
///
/// The bell at distance d is the most that `bell c / c_best` can be, so that a cell weighs at most
/// `exp(beta (bell - 1))`, and all of them at most e^-18 where `bell <= 1 - (ln(cells) + 18) / beta`.
fn kernel_reach(beta: f64, sigma: f64, cells: usize) -> Option<usize> {
    let least = 1.0 - ((cells as f64).ln() + 18.0) / beta;
    (least > 0.0).then(|| (-2.0 * least.ln()).sqrt() * sigma).map(|distance| distance.ceil() as usize)
}

#[cube(launch)]
fn soft_argmax_kernel(
    rows: &[f32],
    columns: &[f32],
    row_best: &[f32],
    column_best: &[f32],
    scores: &[f32],
    cells: &[i32],
    points: &mut [f32],
    row_count: usize,
    height: usize,
    width: usize,
    depth: usize,
    beta: f32,
    fall: f32,
    reach: usize,
    empty_reach: usize,
    smallest: f32,
    #[comptime] filter: Filter,
) {
    let pair = CUBE_POS_Z as usize;
    let row = cube_in_pair();
    if row >= row_count {
        terminate!();
    }
    let unit = UNIT_POS as usize;
    let column_count = height * width;
    let at = pair * row_count + row;
    let best_score = scores[at];
    let best_cell = cells[at] as usize;
    let best_x = best_cell % width;
    let best_y = best_cell / width;

    let mut reach = reach;
    let mut scale = 0.0f32;
    let mut shift = 0.0f32;
    if best_score < smallest {
        reach = empty_reach;
    } else {
        scale = 1.0f32 / best_score;
        shift = 1.0f32;
    }
    let mut left = 0usize;
    if best_x > reach {
        left = best_x - reach;
    }
    let mut top = 0usize;
    if best_y > reach {
        top = best_y - reach;
    }
    let across = min(best_x + reach + 1, width) - left;
    let down = min(best_y + reach + 1, height) - top;

    let mut sum = 0.0f32;
    let mut sum_x = 0.0f32;
    let mut sum_y = 0.0f32;
    let mut slot = unit;
    while slot < across * down {
        let x = left + slot % across;
        let y = top + slot / across;
        let column = y * width + x;
        let mut score = 0.0f32;
        for channel in 0..depth {
            let row_value = rows[(pair * depth + channel) * row_count + row];
            let column_value = columns[(pair * depth + channel) * column_count + column];
            score += row_value * column_value;
        }
        let mut own_best = 0.0f32;
        let mut other_best = 0.0f32;
        if comptime!(filter != Filter::None) {
            own_best = row_best[at];
            other_best = column_best[pair * column_count + column];
        }
        let score = filtered(max(score, 0.0f32), own_best, other_best, filter);
        let from_x = x as f32 - best_x as f32;
        let from_y = y as f32 - best_y as f32;
        let bell = (-fall * (from_x * from_x + from_y * from_y)).exp();
        let weight = (beta * (bell * (score * scale) - shift)).exp();
        sum += weight;
        sum_x += weight * from_x;
        sum_y += weight * from_y;
        slot += WINDOW_UNITS;
    }

    let mut sums = Shared::<[f32]>::new_slice(WINDOW_UNITS);
    let mut sums_x = Shared::<[f32]>::new_slice(WINDOW_UNITS);
    let mut sums_y = Shared::<[f32]>::new_slice(WINDOW_UNITS);
    sums[unit] = sum;
    sums_x[unit] = sum_x;
    sums_y[unit] = sum_y;
    sync_cube();
    if unit == 0 {
        for other in 1..WINDOW_UNITS {
            sum += sums[other];
            sum_x += sums_x[other];
            sum_y += sums_y[other];
        }
        points[at * 2] = best_x as f32 + sum_x / sum;
        points[at * 2 + 1] = best_y as f32 + sum_y / sum;
    }
}

/// Answers `[pairs, rows, 2]` of all rows, `(x, y)` on the grid of the columns, of which `best` are the best ones.
pub(super) fn soft_argmax(
    rows: &CubeTensor,
    columns: &CubeTensor,
    best: &Best,
    filter: Filter,
    unfiltered: Option<(&Best, &Best)>,
    readout: Readout,
) -> CubeTensor {
    let [pairs, depth, row_height, row_width] = rows.meta.shape().dims();
    let [_, _, height, width] = columns.meta.shape().dims();
    let row_count = row_height * row_width;
    let window = Window::of(readout, Grid::new(height, width));
    let points = floats(rows, [pairs, row_count, 2]);
    // A kernel without a filter does not read these two.
    let (row_best, column_best) = unfiltered.map_or((rows, columns), |(a, b)| (&a.scores, &b.scores));
    soft_argmax_kernel::launch(
        &rows.client,
        cubes(row_count, pairs),
        CubeDim::new_1d(WINDOW_UNITS as u32),
        rows.clone().into_buffer_arg(),
        columns.clone().into_buffer_arg(),
        row_best.clone().into_buffer_arg(),
        column_best.clone().into_buffer_arg(),
        best.scores.clone().into_buffer_arg(),
        best.cells.clone().into_buffer_arg(),
        points.clone().into_buffer_arg(),
        row_count,
        height,
        width,
        depth,
        window.beta,
        window.fall,
        window.reach,
        window.empty_reach,
        SMALLEST_SCORE,
        filter,
    );
    points
}

#[cfg(test)]
mod tests {
    use super::kernel_reach;

    #[test]
    fn what_the_kernel_leaves_out_weighs_nothing() {
        for (beta, sigma, cells) in [(50.0, 5.0, 400), (50.0, 5.0, 4096), (200.0, 3.0, 400), (30.0, 20.0, 900)] {
            let reach = kernel_reach(beta, sigma, cells).unwrap() as f64 + 1.0;
            let bell = (-reach * reach / (2.0 * sigma * sigma)).exp();
            assert!(cells as f64 * (beta * (bell - 1.0)).exp() < 1.6e-8, "beta {beta}, sigma {sigma}, {cells} cells");
        }
        assert_eq!(kernel_reach(5.0, 5.0, 400), None, "a flat softmax leaves nothing out");
    }
}

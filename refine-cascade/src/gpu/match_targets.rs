//! What the match loss wants of each row: a Gaussian round its label, and a share of its votes.

use burn_cubecl::tensor::CubeTensor;
use corr_volume::Grid;
use corr_volume::gpu::buffers::{cubes, floats};
use corr_volume::gpu::tile::{SIDE, UNITS, cube_in_pair, workgroup};
use cubecl::prelude::*;

use super::lines::Lines;

/// Less than this a Gaussian over a whole axis is taken for nothing, as in
/// [`gaussian_targets`](crate::gaussian_targets).
const NOTHING: f32 = 1e-12;

/// A row without a vote of this size has none: the smallest normal f32, which every device tells from zero.
const SMALLEST_VOTE: f32 = f32::MIN_POSITIVE;

/// Votes for the targets of one direction.
pub(super) struct Votes {
    /// `[pairs, source cells, target cells]`.
    pub(super) values: CubeTensor,
    /// Of a target, the part that is its votes.
    pub(super) share: f32,
    /// Whose cells the labels are for: the columns of the values, not their rows.
    pub(super) of_columns: bool,
}

/// The target of each label, `Q_ij = bell_i(x_j) bell_i(y_j) + lift_i max(0, vote_ij)`.
pub(super) struct Targets {
    /// `[pairs, cells, width + height]`: along x, then along y; the product of both sums to what the votes leave, or to 0
    /// far outside.
    pub(super) bells: CubeTensor,
    /// `[pairs, cells]`: what a vote is multiplied with, 0 in a row without any. Of no meaning where nothing is voted.
    pub(super) lifts: CubeTensor,
    /// `[pairs, cells]`: the sum over all target cells.
    pub(super) mass: CubeTensor,
    /// Of no meaning where nothing is voted.
    pub(super) votes: CubeTensor,
    /// How far the votes of two labels, and those of one label for two cells, lie apart.
    pub(super) strides: [usize; 2],
    pub(super) voted: bool,
    pub(super) grid: Grid,
}

/// One workgroup has 16 lines of votes, each the work of 16 units; neighbouring units read neighbouring votes.
///
/// Divided by the largest vote first, since a sum of small ones could be nothing.
#[cube(launch)]
fn lifts_kernel(
    votes: &[f32],
    lifts: &mut [f32],
    count: usize,
    length: usize,
    distance: usize,
    step: usize,
    share: f32,
    smallest: f32,
    #[comptime] along_rows: bool,
) {
    let pair = CUBE_POS_Z as usize;
    let mut line_in_cube = UNIT_POS_X as usize;
    let mut lane = UNIT_POS_Y as usize;
    if along_rows {
        line_in_cube = UNIT_POS_Y as usize;
        lane = UNIT_POS_X as usize;
    }
    let line = cube_in_pair() * SIDE + line_in_cube;
    let first = pair * count * length + line * distance;

    let mut shared = Shared::<[f32]>::new_slice(UNITS);
    let mut largest = 0.0f32;
    if line < count {
        let mut cell = lane;
        while cell < length {
            largest = max(largest, votes[first + cell * step]);
            cell += SIDE;
        }
    }
    shared[line_in_cube * SIDE + lane] = largest;
    sync_cube();
    for other in 0..SIDE {
        largest = max(largest, shared[line_in_cube * SIDE + other]);
    }
    sync_cube();
    let mut sum = 0.0f32;
    if line < count && largest >= smallest {
        let mut cell = lane;
        while cell < length {
            sum += max(votes[first + cell * step], 0.0f32) / largest;
            cell += SIDE;
        }
    }
    shared[line_in_cube * SIDE + lane] = sum;
    sync_cube();
    if lane == 0 && line < count {
        let mut lift = 0.0f32;
        if largest >= smallest {
            let mut whole = 0.0f32;
            for other in 0..SIDE {
                whole += shared[line_in_cube * SIDE + other];
            }
            lift = share / whole / largest;
        }
        lifts[pair * count + line] = lift;
    }
}

/// One unit has one label.
#[cube(launch)]
fn bells_kernel(
    points: &[f32],
    lifts: &[f32],
    bells: &mut [f32],
    mass: &mut [f32],
    width: usize,
    height: usize,
    fall: f32,
    share: f32,
    #[comptime] voted: bool,
) {
    if ABSOLUTE_POS >= mass.len() {
        terminate!();
    }
    let mut votes_share = 0.0f32;
    if comptime!(voted) {
        let lift = lifts[ABSOLUTE_POS];
        if lift > 0.0f32 {
            votes_share = share;
        }
    }
    let left = 1.0f32 - votes_share;
    let first = ABSOLUTE_POS * (width + height);
    let x = points[ABSOLUTE_POS * 2];
    let y = points[ABSOLUTE_POS * 2 + 1];
    let mut sum_x = 0.0f32;
    for column in 0..width {
        let distance = x - column as f32;
        sum_x += (-fall * distance * distance).exp();
    }
    let mut sum_y = 0.0f32;
    for row in 0..height {
        let distance = y - row as f32;
        sum_y += (-fall * distance * distance).exp();
    }
    let divisor_x = max(sum_x, NOTHING);
    let divisor_y = max(sum_y, NOTHING);
    for column in 0..width {
        let distance = x - column as f32;
        bells[first + column] = left * ((-fall * distance * distance).exp() / divisor_x);
    }
    for row in 0..height {
        let distance = y - row as f32;
        bells[first + width + row] = (-fall * distance * distance).exp() / divisor_y;
    }
    mass[ABSOLUTE_POS] = votes_share + left * (sum_x / divisor_x) * (sum_y / divisor_y);
}

impl Targets {
    /// `points` `[pairs, cells, 2]`, (x, y) in cells of `grid`.
    pub(super) fn new(points: &CubeTensor, grid: Grid, sigma: f64, votes: Option<Votes>) -> Self {
        let [pairs, cells, _] = points.meta.shape().dims();
        let bells = floats(points, [pairs, cells, grid.width + grid.height]);
        let mass = floats(points, [pairs, cells]);
        let voted = votes.is_some();
        // Without votes, kernels do not read these.
        let (mut values, mut lifts, mut strides, mut share) = (points.clone(), points.clone(), [0, 0], 0.0);
        if let Some(votes) = votes {
            lifts = votes.lifts();
            strides = if votes.of_columns { [1, cells] } else { [grid.cells(), 1] };
            (values, share) = (votes.values, votes.share);
        }
        let units = CubeDim::new_1d(64);
        bells_kernel::launch(
            &points.client,
            cubecl::calculate_cube_count_elemwise(&points.client, pairs * cells, units),
            units,
            points.clone().into_buffer_arg(),
            lifts.clone().into_buffer_arg(),
            bells.clone().into_buffer_arg(),
            mass.clone().into_buffer_arg(),
            grid.width,
            grid.height,
            (0.5 / (sigma * sigma)) as f32,
            share,
            voted,
        );
        Self { bells, lifts, mass, votes: values, strides, voted, grid }
    }
}

impl Votes {
    /// What each label's votes are multiplied with to sum to the share, `[pairs, cells]`.
    fn lifts(&self) -> CubeTensor {
        let [pairs, rows, columns] = self.values.meta.shape().dims();
        let lines = Lines::of(rows, columns, !self.of_columns);
        let lifts = floats(&self.values, [pairs, lines.count]);
        lifts_kernel::launch(
            &self.values.client,
            cubes(lines.count.div_ceil(SIDE), pairs),
            workgroup(),
            self.values.clone().into_buffer_arg(),
            lifts.clone().into_buffer_arg(),
            lines.count,
            lines.length,
            lines.distance,
            lines.step,
            self.share,
            SMALLEST_VOTE,
            !self.of_columns,
        );
        lifts
    }
}

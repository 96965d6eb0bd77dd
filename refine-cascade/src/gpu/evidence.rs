//! Correlations to masked evidence.

use burn_cubecl::tensor::CubeTensor;
use corr_volume::gpu::buffers::{cubes, floats};
use corr_volume::gpu::tile::{SIDE, UNITS, cube_in_pair, workgroup};
use cubecl::prelude::*;

use super::lines::Lines;
use super::vote::elementwise;
use crate::VoteConfig;

/// Smaller than any logit: where a maximum begins.
const LOWEST: f32 = -1e30;

/// Maximum and scale of the softmax along one axis of a volume: `softmax = exp((C − peak) / τ) scale²`.
struct Softmax {
    /// `[pairs, lines]`.
    peaks: CubeTensor,
    /// `[pairs, lines]`: one over the root of the sum of exponentials.
    scales: CubeTensor,
}

/// One workgroup has 16 lines, each the work of 16 units; neighbouring units read neighbouring cells.
#[cube(launch)]
fn softmax_kernel(
    values: &[f32],
    peaks: &mut [f32],
    scales: &mut [f32],
    count: usize,
    length: usize,
    distance: usize,
    step: usize,
    sharpness: f32,
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
    let mut peak = LOWEST.runtime();
    if line < count {
        let mut cell = lane;
        while cell < length {
            peak = max(peak, values[first + cell * step]);
            cell += SIDE;
        }
    }
    shared[line_in_cube * SIDE + lane] = peak;
    sync_cube();
    for other in 0..SIDE {
        peak = max(peak, shared[line_in_cube * SIDE + other]);
    }
    sync_cube();
    let mut sum = 0.0f32;
    if line < count {
        let mut cell = lane;
        while cell < length {
            sum += ((values[first + cell * step] - peak) * sharpness).exp();
            cell += SIDE;
        }
    }
    shared[line_in_cube * SIDE + lane] = sum;
    sync_cube();
    if lane == 0 && line < count {
        let mut whole = 0.0f32;
        for other in 0..SIDE {
            whole += shared[line_in_cube * SIDE + other];
        }
        peaks[pair * count + line] = peak;
        scales[pair * count + line] = 1.0f32 / whole.sqrt();
    }
}

impl Softmax {
    fn of(values: &CubeTensor, temperature: f32, along_rows: bool) -> Self {
        let [pairs, rows, columns] = values.meta.shape().dims();
        let lines = Lines::of(rows, columns, along_rows);
        let shape = [pairs, lines.count];
        let softmax = Self { peaks: floats(values, shape), scales: floats(values, shape) };
        softmax_kernel::launch(
            &values.client,
            cubes(lines.count.div_ceil(SIDE), pairs),
            workgroup(),
            values.clone().into_buffer_arg(),
            softmax.peaks.clone().into_buffer_arg(),
            softmax.scales.clone().into_buffer_arg(),
            lines.count,
            lines.length,
            lines.distance,
            lines.step,
            1.0 / temperature,
            along_rows,
        );
        softmax
    }
}

/// In place: `√(softmax_j(C / τ) · softmax_i(C / τ))`, one exponential for both directions.
#[cube(launch)]
fn mutual_kernel(
    values: &[f32],
    mutual: &mut [f32],
    row_peaks: &[f32],
    row_scales: &[f32],
    column_peaks: &[f32],
    column_scales: &[f32],
    columns: usize,
    rows: usize,
    sharpness: f32,
) {
    if ABSOLUTE_POS >= mutual.len() {
        terminate!();
    }
    let row = ABSOLUTE_POS / columns;
    let column = row / rows * columns + ABSOLUTE_POS % columns;
    let middle = 0.5f32 * (row_peaks[row] + column_peaks[column]);
    let share = ((values[ABSOLUTE_POS] - middle) * sharpness).exp();
    mutual[ABSOLUTE_POS] = share * row_scales[row] * column_scales[column];
}

/// How a score becomes evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Power {
    One,
    Two,
    Three,
    Any,
}

/// `m_i m_j max(0, C_ij)^p`.
#[cube(launch)]
fn evidence_kernel(
    values: &[f32],
    source_mask: &[f32],
    target_mask: &[f32],
    evidence: &mut [f32],
    rows: usize,
    columns: usize,
    exponent: f32,
    #[comptime] power: Power,
    #[comptime] masked: bool,
) {
    if ABSOLUTE_POS >= evidence.len() {
        terminate!();
    }
    let score = max(values[ABSOLUTE_POS], 0.0f32);
    let mut raised = 0.0f32;
    match power {
        Power::One => raised = score,
        Power::Two => raised = score * score,
        Power::Three => raised = score * score * score,
        Power::Any => {
            if score > 0.0f32 {
                raised = score.powf(exponent);
            }
        }
    };
    if masked {
        let row = ABSOLUTE_POS / columns;
        let column = row / rows * columns + ABSOLUTE_POS % columns;
        raised *= source_mask[row] * target_mask[column];
    }
    evidence[ABSOLUTE_POS] = raised;
}

/// Evidence `[pairs, rows, columns]` of volumes of this shape; masks are `[pairs, h, w]`.
pub(super) fn evidence(
    values: &CubeTensor,
    source_mask: &CubeTensor,
    target_mask: &CubeTensor,
    config: &VoteConfig,
) -> CubeTensor {
    let [pairs, rows, columns] = values.meta.shape().dims();
    let result = floats(values, [pairs, rows, columns]);
    let (count, units) = elementwise(&result);
    let mut scores = values.clone();
    if config.temperature > 0.0 {
        let (along_rows, along_columns) =
            (Softmax::of(values, config.temperature, true), Softmax::of(values, config.temperature, false));
        scores = floats(values, [pairs, rows, columns]);
        mutual_kernel::launch(
            &values.client,
            count.clone(),
            units,
            values.clone().into_buffer_arg(),
            scores.clone().into_buffer_arg(),
            along_rows.peaks.into_buffer_arg(),
            along_rows.scales.into_buffer_arg(),
            along_columns.peaks.into_buffer_arg(),
            along_columns.scales.into_buffer_arg(),
            columns,
            rows,
            1.0 / config.temperature,
        );
    }
    let power = match config.power {
        1.0 => Power::One,
        2.0 => Power::Two,
        3.0 => Power::Three,
        _ => Power::Any,
    };
    evidence_kernel::launch(
        &values.client,
        count,
        units,
        scores.into_buffer_arg(),
        source_mask.clone().into_buffer_arg(),
        target_mask.clone().into_buffer_arg(),
        result.clone().into_buffer_arg(),
        rows,
        columns,
        config.power,
        power,
        config.mask,
    );
    result
}

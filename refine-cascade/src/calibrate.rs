//! Local affine calibration of the matches of one pair, in f64.

use corr_volume::Grid;

use crate::filter::Candidates;
use crate::labels::LabelConfig;

/// What is summed in the window: w·(1, x, y, x², xy, y², u, ux, uy, v, vx, vy) for the cell (x, y)
/// with the match (u, v), and 1 for every kept cell.
const MOMENTS: usize = 13;

type Moments = [f64; MOMENTS];

/// Moves every kept match towards the affine map that its neighbourhood agrees on, and weighs it
/// down by how far it lies off that map.
///
/// ```text
/// min_A,t  Σ_k w_k G(k − i) |A k + t − p_k|²  +  ridge ‖A − I‖²
/// p_i ← blend · (A i + t) + (1 − blend) · p_i
/// w_i ← w_i exp(−|A i + t − p_i|² / 2σ²)
/// ```
///
/// Solved in closed form round the weighted means, which takes t out of the system: the ridge
/// pulls a fit of few cells towards a translation, and nothing depends on where the origin is.
pub(crate) fn calibrate(candidates: &mut Candidates, source: Grid, target: Grid, config: &LabelConfig) {
    let moments = window_sums(moments(candidates, source), source, config.window);
    for (cell, sums) in moments.iter().enumerate() {
        let weight = &mut candidates.weights[cell];
        if *weight <= 0.0 {
            continue;
        }
        let (row, column) = source.row_col(cell);
        let Some(fit) = fit_at([column as f64, row as f64], sums, config) else {
            *weight = 0.0;
            continue;
        };
        let point = &mut candidates.points[cell];
        let residual = (fit[0] - point[0]).powi(2) + (fit[1] - point[1]).powi(2);
        *weight *= (-residual / (2.0 * config.sigma.powi(2))).exp();
        let size = [target.width, target.height];
        for ((point, fit), size) in point.iter_mut().zip(fit).zip(size) {
            let blended = config.blend * fit + (1.0 - config.blend) * *point;
            *point = blended.clamp(-0.5, size as f64 - 0.5);
        }
    }
}

fn moments(candidates: &Candidates, source: Grid) -> Vec<Moments> {
    candidates
        .points
        .iter()
        .zip(&candidates.weights)
        .enumerate()
        .map(|(cell, ([u, v], w))| {
            let (row, column) = source.row_col(cell);
            let (x, y) = (column as f64, row as f64);
            let kept = if *w > 0.0 { 1.0 } else { 0.0 };
            let terms = [1.0, x, y, x * x, x * y, y * y];
            let matches = [*u, u * x, u * y, *v, v * x, v * y];
            let mut moments = [kept; MOMENTS];
            let weighted = terms.iter().chain(&matches).map(|term| w * term);
            for (moment, term) in moments.iter_mut().zip(weighted) {
                *moment = term;
            }
            moments
        })
        .collect()
}

/// The affine fit at one cell, or `None` where the window cannot tell.
fn fit_at([x, y]: [f64; 2], sums: &Moments, config: &LabelConfig) -> Option<[f64; 2]> {
    let [w, wx, wy, wxx, wxy, wyy, wu, wux, wuy, wv, wvx, wvy, support] = *sums;
    if support < config.min_support || w <= 0.0 {
        return None;
    }
    let (mean_x, mean_y) = (wx / w, wy / w);
    let xx = wxx - wx * mean_x + config.ridge;
    let xy = wxy - wx * mean_y;
    let yy = wyy - wy * mean_y + config.ridge;
    let determinant = xx * yy - xy * xy;
    if determinant.is_nan() || determinant <= 1e-12 * (xx + yy).powi(2) {
        return None;
    }
    let at = |mean: f64, to_x: f64, to_y: f64| {
        let a = (to_x * yy - to_y * xy) / determinant;
        let b = (to_y * xx - to_x * xy) / determinant;
        mean + a * (x - mean_x) + b * (y - mean_y)
    };
    let (mean_u, mean_v) = (wu / w, wv / w);
    let fit = [
        at(mean_u, wux - wx * mean_u + config.ridge, wuy - wy * mean_u),
        at(mean_v, wvx - wx * mean_v, wvy - wy * mean_v + config.ridge),
    ];
    fit.iter().all(|value| value.is_finite()).then_some(fit)
}

/// Gaussian-weighted sums round every cell, cut off at three σ, zero outside the grid.
fn window_sums(moments: Vec<Moments>, grid: Grid, sigma: f64) -> Vec<Moments> {
    let radius = (3.0 * sigma).round() as usize;
    let tap = |d: usize| match d {
        0 => 1.0,
        d => (-0.5 * (d as f64 / sigma).powi(2)).exp(),
    };
    let taps: Vec<f64> = (0..=radius).map(tap).collect();
    let along = |from: &[Moments], size: usize, step: usize, at: fn((usize, usize)) -> usize| {
        let sum_at = |cell: usize| {
            let here = at(grid.row_col(cell));
            let first = cell - here * step;
            let mut sum = [0.0; MOMENTS];
            for there in here.saturating_sub(radius)..=(here + radius).min(size - 1) {
                let tap = taps[here.abs_diff(there)];
                for (sum, value) in sum.iter_mut().zip(&from[first + there * step]) {
                    *sum += tap * value;
                }
            }
            sum
        };
        (0..grid.cells()).map(sum_at).collect::<Vec<_>>()
    };
    let across = along(&moments, grid.width, 1, |(_, column)| column);
    along(&across, grid.height, grid.width, |(row, _)| row)
}

//! One row's point, from the cells round its peak that count.

use crate::exponential::exp;
use crate::readout::SMALLEST_SCORE;
use crate::{Grid, Readout};

/// Cells that together weigh less than this share of the peak are left out.
const TAIL: f64 = 1e-8;

/// Cells that are weighed at a time.
const LANES: usize = 16;

/// A logit whose exponential adds nothing.
const NOTHING: f32 = -1e4;

/// Reads points from rows over one grid, exactly as [`Readout`] defines them, up to a share of 1e-8.
///
/// Since a row is divided by its largest score, the peak's logit is `beta`, and a cell at distance d weighs at most
/// `exp(beta (exp(−d² / 2 sigma²) − 1))` of it. Beyond the distance at which all cells of the grid together weigh less
/// than [`TAIL`], none is looked at.
pub(super) struct SoftPeak {
    grid: Grid,
    readout: Readout,
    beta: f32,
    /// The Gaussian at distances 0, 1, … in one axis.
    bell: Vec<f32>,
    radius: usize,
}

impl SoftPeak {
    pub(super) fn new(readout: Readout, grid: Grid) -> Self {
        let longest = grid.height.max(grid.width);
        let (beta, bell, radius) = match readout {
            Readout::Hard => (1.0, Vec::new(), 0),
            Readout::Windowed { beta, radius } => (beta, vec![1.0; longest], radius),
            Readout::Kernel { beta, sigma } => {
                let gaussian = |d: usize| (-0.5 * (d as f64 / sigma).powi(2)).exp();
                let least = 1.0 - ((grid.cells() as f64).ln() - TAIL.ln()) / beta;
                let radius = (1..longest).take_while(|d| gaussian(*d) >= least).count();
                (beta, (0..longest).map(|d| gaussian(d) as f32).collect(), radius)
            }
        };
        Self { grid, readout, beta: beta as f32, bell, radius }
    }

    /// The point `(x, y)` of a row whose first largest score is `peak`, at the cell `best`.
    #[inline(always)]
    pub(super) fn point(&self, row: &[f32], best: usize, peak: f32) -> [f32; 2] {
        let Grid { height, width } = self.grid;
        let (middle_x, middle_y) = (best % width, best / width);
        let absent = peak < SMALLEST_SCORE;
        match self.readout {
            Readout::Hard => return [middle_x as f32, middle_y as f32],
            Readout::Kernel { .. } if absent => return [(width - 1) as f32 * 0.5, (height - 1) as f32 * 0.5],
            _ => {}
        }
        let range =
            |middle: usize, size: usize| middle.saturating_sub(self.radius)..(middle + self.radius + 1).min(size);
        let (columns, rows) = (range(middle_x, width), range(middle_y, height));
        let scale = if absent { 0.0 } else { self.beta / peak };
        let (mut sum, mut x, mut y) = (0.0, 0.0, 0.0);
        for first in columns.clone().step_by(LANES) {
            let count = (columns.end - first).min(LANES);
            let (mut slope, mut shift, mut places) = ([0.0; LANES], [NOTHING; LANES], [0.0; LANES]);
            for lane in 0..count {
                slope[lane] = self.bell[(first + lane).abs_diff(middle_x)] * scale;
                shift[lane] = -self.beta;
                places[lane] = (first + lane) as f32 - middle_x as f32;
            }
            let (mut weights, mut vertical) = ([0.0f32; LANES], [0.0f32; LANES]);
            for place in rows.clone() {
                let start = place * width + first;
                let mut scores = [0.0; LANES];
                match row.get(start..start + LANES) {
                    Some(whole) => scores.copy_from_slice(whole),
                    None => scores[..count].copy_from_slice(&row[start..start + count]),
                }
                let bell = self.bell[place.abs_diff(middle_y)];
                let distance = place as f32 - middle_y as f32;
                for lane in 0..LANES {
                    let weight = exp(scores[lane] * bell * slope[lane] + shift[lane]);
                    weights[lane] += weight;
                    vertical[lane] += weight * distance;
                }
            }
            for lane in 0..LANES {
                sum += weights[lane];
                x += weights[lane] * places[lane];
                y += vertical[lane];
            }
        }
        [middle_x as f32 + x / sum, middle_y as f32 + y / sum]
    }
}

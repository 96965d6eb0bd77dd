//! The bipath loss and its gradient in the features.

use std::ops::Range;

use corr_volume::exponential::exp;
use corr_volume::{Grid, Matrix, vectorised};

use super::bilinear::corners;
use super::features::{Features, bands, pull_back, scores};
use super::lanes::{add_scaled, dot, raise};
use super::log_sums::{LogSums, Sums};
use super::softmax::{clamp, unclamp};
use super::{LEAST_WEIGHT, Lesson, Outcome, of_pairs};
use crate::warp_loss::surest_cells;

/// How the bipath loss of a batch is computed.
#[derive(Clone, Copy)]
pub(crate) struct Bipath<'a> {
    /// Features of the warped images, of those in the middle of the way, and of the originals.
    pub features: [Features<'a>; 3],
    /// Grid of the originals.
    pub grid: Grid,
    /// Where the warped images' cells lie in the originals.
    pub known: Lesson<'a>,
    pub tau: f32,
    pub epsilon: f32,
    /// Share of the cells with a weight that are scored.
    pub surest: f64,
}

impl Bipath<'_> {
    /// The loss, with its gradients in the three features if `gradients`.
    ///
    /// Which cells are scored, and so the sum of their weights, is known at the end only: it is the gradients' scale.
    pub fn outcome(&self, gradients: bool) -> Outcome<3> {
        let (sums, gradients) = of_pairs(self.features, gradients, |index, out| self.pair(index).run(out));
        let (loss, weight) = sums.iter().fold((0.0, 0.0), |sum, pair| (sum.0 + pair.0, sum.1 + pair.1));
        let scale = 1.0 / f64::max(weight, LEAST_WEIGHT);
        Outcome { loss: (loss * scale) as f32, scale: scale as f32, gradients }
    }

    fn pair(&self, index: usize) -> Pair<'_> {
        let [warped, middle, original] = self.features.map(|features| features.image(index));
        let known = self.known.pair(index, warped.cells);
        Pair {
            warped,
            middle,
            original,
            weights: known.weights,
            arrivals: known.points.chunks_exact(2).map(|at| corners([at[0], at[1]], self.grid)).collect(),
            inverse: 1.0 / self.tau,
            epsilon: self.epsilon,
            surest: self.surest,
        }
    }
}

struct Pair<'a> {
    warped: Features<'a>,
    middle: Features<'a>,
    original: Features<'a>,
    weights: &'a [f32],
    arrivals: Vec<[(usize, f32); 4]>,
    inverse: f32,
    epsilon: f32,
    surest: f64,
}

/// What a band of cells of the image in the middle needs.
///
/// `there` is `[warped cells, band]`: scores, then `P(W(A) → B)`, then its gradient. `back` is `[original cells, band]`:
/// scores, then `P(B → A)` transposed and not yet divided by its sums (`scales` are their inverses), then its gradient.
#[derive(Default)]
struct Band {
    there: Vec<f32>,
    back: Vec<f32>,
    scales: Vec<f32>,
    clamped_there: Vec<usize>,
    clamped_back: Vec<usize>,
}

impl Pair<'_> {
    /// `−Σ w log(p + ε)` over the surest cells and `Σ w`; gradients of the former into `out`.
    fn run(&self, mut out: Option<[&mut [f32]; 3]>) -> (f64, f64) {
        let bands = bands(self.middle.cells, self.warped.cells + 2 * self.original.cells);
        let kept = bands.len() == 1;
        let mut band = Band::default();
        let mut sums = Sums::new(self.warped.cells, self.inverse);
        for range in bands.clone() {
            self.score(range.clone(), &mut band);
            vectorised(
                #[inline(always)]
                || {
                    for (cell, row) in band.there.chunks_exact(range.len()).enumerate() {
                        if self.weights[cell] > 0.0 {
                            sums.add_to_row(cell, row);
                        }
                    }
                },
            );
        }
        let sums = sums.finish();
        let mut probabilities = vec![0.0f32; self.warped.cells];
        for range in bands.clone() {
            if !kept {
                self.score(range.clone(), &mut band);
            }
            self.score_back(range.clone(), &mut band);
            vectorised(
                #[inline(always)]
                || self.probabilities(range.len(), &mut band, &sums, &mut probabilities),
            );
        }
        let mut slopes = vec![0.0f32; self.warped.cells];
        let (mut loss, mut weight) = (0.0, 0.0);
        for cell in surest_cells(&probabilities, self.weights, self.surest) {
            let arriving = probabilities[cell] + self.epsilon;
            loss -= f64::from(self.weights[cell]) * f64::from(arriving).ln();
            weight += f64::from(self.weights[cell]);
            slopes[cell] = -self.weights[cell] / arriving;
        }
        let Some([of_warped, of_middle, of_original]) = &mut out else {
            return (loss, weight);
        };
        let mut of_back = Vec::new();
        for range in bands {
            let width = range.len();
            if !kept {
                self.score(range.clone(), &mut band);
                self.score_back(range.clone(), &mut band);
                let mut again = vec![0.0f32; self.warped.cells];
                vectorised(
                    #[inline(always)]
                    || self.probabilities(width, &mut band, &sums, &mut again),
                );
            }
            of_back.clear();
            of_back.resize(band.back.len(), 0.0);
            vectorised(
                #[inline(always)]
                || self.gradients(width, &mut band, &mut of_back, &probabilities, &slopes),
            );
            unclamp(&mut band.there, &band.clamped_there);
            unclamp(&mut band.back, &band.clamped_back);
            let there = Matrix::by_rows(&band.there, self.warped.cells, width, width);
            let back = Matrix::by_rows(&band.back, self.original.cells, width, width);
            let (all, whole) = (0..self.warped.cells, 0..self.original.cells);
            pull_back(self.middle, range.clone(), there.transposed(), of_warped, all.clone(), true);
            pull_back(self.middle, range.clone(), back.transposed(), of_original, whole.clone(), true);
            pull_back(self.warped, all, there, of_middle, range.clone(), true);
            pull_back(self.original, whole, back, of_middle, range, true);
        }
        (loss, weight)
    }

    fn score(&self, range: Range<usize>, band: &mut Band) {
        band.there.resize(self.warped.cells * range.len(), 0.0);
        scores(self.warped, 0..self.warped.cells, self.middle, range, &mut band.there);
        band.clamped_there = clamp(&mut band.there);
    }

    fn score_back(&self, range: Range<usize>, band: &mut Band) {
        band.back.resize(self.original.cells * range.len(), 0.0);
        scores(self.original, 0..self.original.cells, self.middle, range, &mut band.back);
        band.clamped_back = clamp(&mut band.back);
    }

    /// Both scores become probabilities; adds each cell's probability to arrive at the known point by way of the band.
    #[inline(always)]
    fn probabilities(&self, width: usize, band: &mut Band, sums: &LogSums, probabilities: &mut [f32]) {
        exponentials_of_columns(&mut band.back, width, self.inverse, &mut band.scales);
        let mut arriving = vec![0.0f32; width];
        for (cell, row) in band.there.chunks_exact_mut(width).enumerate() {
            if self.weights[cell] > 0.0 {
                let (peak, log) = (sums.peaks[cell], sums.logs[cell]);
                row.iter_mut().for_each(|score| *score = exp((*score - peak) * self.inverse - log));
                arrive(&mut arriving, &band.back, &band.scales, self.arrivals[cell]);
                probabilities[cell] += dot(row, &arriving);
            }
        }
    }

    /// Both probabilities become gradients. With `p_i = Σ_k P_ik R_ik`, `R_ik = Σ_j B_ij P'_jk` and slope g of the loss in p:
    ///
    /// ```text
    /// there_ik = g_i P_ik (R_ik − p_i) / τ
    /// back_jk  = P'_jk (D_jk − Σ_j P'_jk D_jk) / τ,      D_jk = Σ_i g_i B_ij P_ik
    /// ```
    #[inline(always)]
    fn gradients(&self, width: usize, band: &mut Band, of_back: &mut [f32], probabilities: &[f32], slopes: &[f32]) {
        let mut arriving = vec![0.0f32; width];
        for (cell, row) in band.there.chunks_exact_mut(width).enumerate() {
            let slope = slopes[cell];
            if slope == 0.0 {
                row.fill(0.0);
                continue;
            }
            for (at, share) in self.arrivals[cell] {
                add_scaled(&mut of_back[at * width..][..width], slope * share, row);
            }
            arrive(&mut arriving, &band.back, &band.scales, self.arrivals[cell]);
            let (scale, probability) = (slope * self.inverse, probabilities[cell]);
            row.iter_mut().zip(&arriving).for_each(|(value, arriving)| *value *= scale * (arriving - probability));
        }
        let mut sums = vec![0.0f32; width];
        for (back, gradient) in band.back.chunks_exact_mut(width).zip(of_back.chunks_exact(width)) {
            normalise_and_sum(back, gradient, &band.scales, &mut sums);
        }
        for (back, gradient) in band.back.chunks_exact_mut(width).zip(of_back.chunks_exact(width)) {
            for ((back, gradient), sum) in back.iter_mut().zip(gradient).zip(&sums) {
                *back *= (gradient - sum) * self.inverse;
            }
        }
    }
}

/// `R_k = Σ_j B_j P'_jk` of one cell.
#[inline(always)]
fn arrive(arriving: &mut [f32], back: &[f32], scales: &[f32], at: [(usize, f32); 4]) {
    let width = arriving.len();
    let [a, b, c, d] = at.map(|(cell, _)| &back[cell * width..][..width]);
    let [p, q, r, s] = at.map(|(_, share)| share);
    let scales = &scales[..width];
    for k in 0..width {
        arriving[k] = ((p * a[k] + q * b[k]) + (r * c[k] + s * d[k])) * scales[k];
    }
}

#[inline(always)]
fn normalise_and_sum(back: &mut [f32], gradient: &[f32], scales: &[f32], sums: &mut [f32]) {
    for (((back, gradient), scale), sum) in back.iter_mut().zip(gradient).zip(scales).zip(sums) {
        *back *= scale;
        *sum += *back * gradient;
    }
}

/// `exp((C_jk − max_j C_jk) / τ)` in place, and the inverse of every column's sum.
#[inline(always)]
fn exponentials_of_columns(scores: &mut [f32], width: usize, inverse: f32, scales: &mut Vec<f32>) {
    let mut peaks = vec![f32::NEG_INFINITY; width];
    scores.chunks_exact(width).for_each(|row| raise(&mut peaks, row));
    scales.clear();
    scales.resize(width, 0.0);
    for row in scores.chunks_exact_mut(width) {
        for ((score, sum), peak) in row.iter_mut().zip(scales.iter_mut()).zip(&peaks) {
            *score = exp((*score - peak) * inverse);
            *sum += *score;
        }
    }
    scales.iter_mut().for_each(|sum| *sum = 1.0 / *sum);
}

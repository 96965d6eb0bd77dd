//! Warp supervision and its gradient in the features.

use corr_volume::exponential::exp;
use corr_volume::{Grid, Matrix, vectorised};

use super::bilinear::corners;
use super::features::{Features, bands, pull_back, scores};
use super::lanes::{largest, sum};
use super::softmax::{clamp, unclamp};
use super::{Lesson, Outcome, of_pairs, share_of_weight};

/// How warp supervision of a batch is computed.
#[derive(Clone, Copy)]
pub(crate) struct WarpSupervision<'a> {
    /// Features of the warped and the original images.
    pub features: [Features<'a>; 2],
    /// Grid of the originals.
    pub grid: Grid,
    /// Where the warped images' cells lie in the originals.
    pub known: Lesson<'a>,
    pub tau: f32,
    pub epsilon: f32,
}

impl WarpSupervision<'_> {
    /// The loss, with its gradients in both features if `gradients`.
    pub fn outcome(&self, gradients: bool) -> Outcome<2> {
        let scale = share_of_weight(self.known.weights);
        let (losses, gradients) =
            of_pairs(self.features, gradients, |pair, out| self.pair(pair, out.map(|out| (out, scale as f32))));
        Outcome { loss: (losses.iter().sum::<f64>() * scale) as f32, scale: 1.0, gradients }
    }

    fn pair(&self, index: usize, mut out: Option<([&mut [f32]; 2], f32)>) -> f64 {
        let [warped, original] = self.features.map(|features| features.image(index));
        let known = self.known.pair(index, warped.cells);
        let columns = original.cells;
        let scale = out.as_ref().map_or(0.0, |(_, scale)| *scale);
        let mut band = Vec::new();
        let mut loss = 0.0;
        for rows in bands(warped.cells, columns) {
            band.resize(rows.len() * columns, 0.0);
            scores(warped, rows.clone(), original, 0..columns, &mut band);
            let clamped = clamp(&mut band);
            loss += vectorised(
                #[inline(always)]
                || {
                    let mut loss = 0.0;
                    for (cell, row) in rows.clone().zip(band.chunks_exact_mut(columns)) {
                        let weight = known.weights[cell];
                        if weight > 0.0 {
                            let at = corners([known.points[2 * cell], known.points[2 * cell + 1]], self.grid);
                            let probability = row_gradient(row, at, weight * scale, 1.0 / self.tau, self.epsilon);
                            loss -= f64::from(weight) * f64::from(probability + self.epsilon).ln();
                        } else {
                            row.fill(0.0);
                        }
                    }
                    loss
                },
            );
            if let Some(([of_warped, of_original], _)) = &mut out {
                unclamp(&mut band, &clamped);
                let gradient = Matrix::by_rows(&band, rows.len(), columns, columns);
                pull_back(original, 0..columns, gradient.transposed(), of_warped, rows.clone(), false);
                pull_back(warped, rows, gradient, of_original, 0..columns, true);
            }
        }
        loss
    }
}

/// Scores become their gradient, in place. With P the softmax and B the bilinear weights:
///
/// ```text
/// p = Σ_j B_j P_j,      gradient_j = −w / (p + ε) · P_j (B_j − p) / τ
/// ```
///
/// Returns p.
#[inline(always)]
fn row_gradient(row: &mut [f32], at: [(usize, f32); 4], weight: f32, inverse: f32, epsilon: f32) -> f32 {
    let peak = largest(row);
    row.iter_mut().for_each(|score| *score = exp((*score - peak) * inverse));
    let scale = 1.0 / sum(row);
    let arrivals = at.map(|(cell, share)| (cell, share * row[cell]));
    let probability = arrivals.iter().map(|(_, arrival)| arrival).sum::<f32>() * scale;
    let factor = -weight / (probability + epsilon) * inverse * scale;
    row.iter_mut().for_each(|value| *value *= -factor * probability);
    arrivals.iter().for_each(|(cell, arrival)| row[*cell] += factor * arrival);
    probability
}

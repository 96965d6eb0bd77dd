//! The margin between positive and negative pairs, and its gradient in the features.

use corr_volume::vectorised;
use rayon::prelude::*;

use super::Outcome;
use super::features::{Features, bands, by_channels, scores};
use super::lanes::largest;

/// Less mask than this in a whole image is not divided by.
const LEAST_MASK: f64 = 1e-6;

/// How the margin of a batch is computed.
#[derive(Clone, Copy)]
pub(crate) struct NegativeLoss<'a> {
    /// Source and target features.
    pub features: [Features<'a>; 2],
    /// `[b, source cells]`.
    pub source_mask: &'a [f32],
    /// Source and target of each positive pair, and the target that makes it a negative one.
    pub pairs: &'a [[usize; 2]],
    pub tau: f64,
}

/// The best match of a source cell, and the cell's share in the bag score.
#[derive(Clone, Copy)]
struct Peak {
    cell: usize,
    best: usize,
    score: f32,
    share: f64,
}

impl NegativeLoss<'_> {
    /// The loss, with its gradients in source and target features if `gradients`.
    pub fn outcome(&self, gradients: bool) -> Outcome<2> {
        let [source, target] = self.features;
        let bags: Vec<[Vec<Peak>; 2]> =
            self.pairs.par_iter().map(|[of, with]| [self.peaks(*of, *of), self.peaks(*of, *with)]).collect();
        let score = |peaks: &[Peak]| peaks.iter().map(|peak| peak.share * f64::from(peak.score)).sum::<f64>();
        let margins: Vec<f64> =
            bags.iter().map(|[positive, negative]| (score(negative) - score(positive)) / self.tau).collect();
        let count = margins.len() as f64;
        let loss = margins.iter().map(|margin| softplus(*margin)).sum::<f64>() / count;
        let gradients = gradients.then(|| {
            let mut out = [source, target].map(|features| vec![0.0f32; features.values.len()]);
            for ((margin, bags), [of, with]) in margins.iter().zip(&bags).zip(self.pairs) {
                let slope = 1.0 / (1.0 + (-margin).exp()) / (count * self.tau);
                for (peaks, target, slope) in [(&bags[0], *of, -slope), (&bags[1], *with, slope)] {
                    self.add_gradients(&mut out, peaks, *of, target, slope);
                }
            }
            out
        });
        Outcome { loss: loss as f32, scale: 1.0, gradients }
    }

    /// The best matches of a source's cells that are not masked, the lower index where several are best.
    fn peaks(&self, of: usize, with: usize) -> Vec<Peak> {
        let (source, target) = (self.features[0].image(of), self.features[1].image(with));
        let mask = &self.source_mask[of * source.cells..][..source.cells];
        let total: f64 = mask.iter().map(|weight| f64::from(*weight)).sum();
        let mut band = Vec::new();
        let mut peaks = Vec::new();
        for rows in bands(source.cells, target.cells) {
            band.resize(rows.len() * target.cells, 0.0);
            scores(source, rows.clone(), target, 0..target.cells, &mut band);
            vectorised(
                #[inline(always)]
                || {
                    for (cell, row) in rows.clone().zip(band.chunks_exact(target.cells)) {
                        if mask[cell] != 0.0 {
                            let score = largest(row);
                            let best = row.iter().position(|value| *value == score).unwrap_or(0);
                            let share = f64::from(mask[cell]) / total.max(LEAST_MASK);
                            peaks.push(Peak { cell, best, score, share });
                        }
                    }
                },
            );
        }
        peaks
    }

    /// Adds `slope ·` the gradient of a bag score: only the best match of each cell feels it.
    fn add_gradients(&self, out: &mut [Vec<f32>; 2], peaks: &[Peak], of: usize, with: usize, slope: f64) {
        let (source, target) = (self.features[0].image(of), self.features[1].image(with));
        let steps: Vec<(usize, usize, f32)> =
            peaks.iter().map(|peak| (peak.cell, peak.best, (slope * peak.share) as f32)).collect();
        let add = |from: Features<'_>, out: &mut [f32], cells: usize, towards_target: bool| {
            by_channels(from, cells, out, |from, out| {
                for (from, out) in from.values.chunks_exact(from.cells).zip(out.chunks_exact_mut(cells)) {
                    for (cell, best, step) in &steps {
                        match towards_target {
                            true => out[*best] += step * from[*cell],
                            false => out[*cell] += step * from[*best],
                        }
                    }
                }
            });
        };
        let [of_source, of_target] = out;
        add(target, &mut of_source[of * source.size()..][..source.size()], source.cells, false);
        add(source, &mut of_target[with * target.size()..][..target.size()], target.cells, true);
    }
}

/// `ln(1 + e^x)` without overflow.
fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

//! The regularised Hough transform over 2-D offsets.

use corr_volume::Grid;
use rayon::prelude::*;

use crate::propagate::gaussian_taps;

/// Evidence summed by the offset `j − i` of source cell i and target cell j.
///
/// Bin (dy + source.height − 1, dx + source.width − 1), row-major.
pub(crate) struct OffsetHistogram {
    width: usize,
    bins: Vec<f32>,
    total: f64,
}

impl OffsetHistogram {
    /// Sums each source row for itself and the rows in their order, so that the number of threads
    /// leaves no trace in the result.
    pub(crate) fn of(evidence: &[f32], source: Grid, target: Grid) -> Self {
        let width = source.width + target.width - 1;
        let mut bins = vec![0.0f32; (source.height + target.height - 1) * width];
        let partial: Vec<Vec<f32>> = evidence
            .par_chunks(source.width * target.cells())
            .map(|block| {
                let mut rows = vec![0.0f32; target.height * width];
                for (column, map) in block.chunks_exact(target.cells()).enumerate() {
                    let first = source.width - 1 - column;
                    let offsets = rows.chunks_exact_mut(width);
                    for (bins, row) in offsets.zip(map.chunks_exact(target.width)) {
                        for (bin, value) in bins[first..].iter_mut().zip(row) {
                            *bin += value;
                        }
                    }
                }
                rows
            })
            .collect();
        for (row, rows) in partial.iter().enumerate() {
            let first = (source.height - 1 - row) * width;
            for (bin, value) in bins[first..].iter_mut().zip(rows) {
                *bin += value;
            }
        }
        let total = bins.iter().map(|bin| f64::from(*bin)).sum();
        Self { width, bins, total }
    }

    /// Smooths with a normalised Gaussian of `2·radius + 1` bins a side, zero outside.
    pub(crate) fn smoothed(mut self, radius: usize, sigma: f64) -> Self {
        let mut taps = gaussian_taps(radius, sigma);
        let sum: f32 = taps.iter().sum();
        taps.iter_mut().for_each(|tap| *tap /= sum);
        let mut across = vec![0.0f32; self.bins.len()];
        for (to, from) in across.chunks_exact_mut(self.width).zip(self.bins.chunks_exact(self.width)) {
            for (x, to) in to.iter_mut().enumerate() {
                let low = x.saturating_sub(radius);
                let high = (x + radius).min(self.width - 1);
                *to = (low..=high).map(|k| taps[k + radius - x] * from[k]).sum();
            }
        }
        let height = self.bins.len() / self.width;
        self.bins.fill(0.0);
        for (y, to) in self.bins.chunks_exact_mut(self.width).enumerate() {
            for k in y.saturating_sub(radius)..=(y + radius).min(height - 1) {
                let tap = taps[k + radius - y];
                let from = &across[k * self.width..][..self.width];
                for (to, from) in to.iter_mut().zip(from) {
                    *to += tap * from;
                }
            }
        }
        self
    }

    /// `V_ij = E_ij H(j − i)`, in place.
    pub(crate) fn enhance(&self, evidence: &mut [f32], source: Grid, target: Grid) {
        evidence.par_chunks_mut(source.width * target.cells()).enumerate().for_each(|(row, block)| {
            let offsets = &self.bins[(source.height - 1 - row) * self.width..];
            for (column, map) in block.chunks_exact_mut(target.cells()).enumerate() {
                let first = source.width - 1 - column;
                for (bins, values) in offsets.chunks_exact(self.width).zip(map.chunks_exact_mut(target.width)) {
                    for (value, bin) in values.iter_mut().zip(&bins[first..]) {
                        *value *= bin;
                    }
                }
            }
        });
    }

    /// The largest bin as a share of all evidence, 0 where there is none.
    pub(crate) fn peak(&self) -> f32 {
        if self.total > 0.0 {
            let largest = self.bins.iter().copied().fold(0.0, f32::max);
            (f64::from(largest) / self.total) as f32
        } else {
            0.0
        }
    }
}

//! Logarithms of sums of exponentials, of rows and columns, over bands.

use corr_volume::exponential::exp;

use super::lanes::{larger, largest, raise, sum_exp};

/// What makes scores logarithms of probabilities, for each row (or each column) of scores:
///
/// ```text
/// log P_ij = (C_ij − peak_i) / τ − log_i,      log_i = log Σ_j exp((C_ij − peak_i) / τ)
/// ```
///
/// Peak and logarithm are apart because the sum of the two may have no room for the latter: of two equal scores of 1e9 each
/// has half the probability.
pub(crate) struct LogSums {
    pub peaks: Vec<f32>,
    pub logs: Vec<f32>,
}

/// Sums that are not complete yet.
pub(crate) struct Sums {
    peaks: Vec<f32>,
    sums: Vec<f32>,
    inverse: f32,
}

impl Sums {
    /// Of no scores yet; `inverse` is 1 / τ.
    pub fn new(count: usize, inverse: f32) -> Self {
        Self { peaks: vec![f32::NEG_INFINITY; count], sums: vec![0.0; count], inverse }
    }

    /// More scores of one row.
    #[inline(always)]
    pub fn add_to_row(&mut self, row: usize, scores: &[f32]) {
        let earlier = self.peaks[row];
        let peak = larger(earlier, largest(scores));
        let kept = self.sums[row] * exp((earlier - peak) * self.inverse);
        self.sums[row] = kept + sum_exp(scores, peak, self.inverse);
        self.peaks[row] = peak;
    }

    /// More rows of all columns.
    #[inline(always)]
    pub fn add_to_columns(&mut self, band: &[f32]) {
        let columns = self.peaks.len();
        let mut peaks = self.peaks.clone();
        for row in band.chunks_exact(columns) {
            raise(&mut peaks, row);
        }
        rescale(&mut self.sums, &self.peaks, &peaks, self.inverse);
        for row in band.chunks_exact(columns) {
            add_exponentials(&mut self.sums, row, &peaks, self.inverse);
        }
        self.peaks = peaks;
    }

    /// The logarithms, once all scores have been added.
    pub fn finish(self) -> LogSums {
        LogSums { logs: self.sums.iter().map(|sum| sum.ln()).collect(), peaks: self.peaks }
    }
}

#[inline(always)]
fn rescale(sums: &mut [f32], earlier: &[f32], peaks: &[f32], inverse: f32) {
    for ((sum, earlier), peak) in sums.iter_mut().zip(earlier).zip(peaks) {
        *sum *= exp((earlier - peak) * inverse);
    }
}

#[inline(always)]
fn add_exponentials(sums: &mut [f32], row: &[f32], peaks: &[f32], inverse: f32) {
    for ((sum, value), peak) in sums.iter_mut().zip(row).zip(peaks) {
        *sum += exp((value - peak) * inverse);
    }
}

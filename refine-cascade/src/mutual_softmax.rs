//! How much both images prefer a match.

use corr_volume::exponential::exp;
use corr_volume::vectorised;
use rayon::prelude::*;

/// `√(softmax_j(C_ij / τ) · softmax_i(C_ij / τ))` in place.
pub(crate) fn mutual_softmax(pair: &mut [f32], columns: usize, temperature: f32) {
    let sharpness = temperature.recip();
    let (column_peaks, column_scales) = vectorised(
        #[inline(always)]
        || {
            let mut peaks = vec![f32::NEG_INFINITY; columns];
            for row in pair.chunks_exact(columns) {
                let values = peaks.iter_mut().zip(row);
                values.for_each(|(peak, value)| *peak = if *value > *peak { *value } else { *peak });
            }
            let mut sums = vec![0.0f32; columns];
            for row in pair.chunks_exact(columns) {
                for ((sum, peak), value) in sums.iter_mut().zip(&peaks).zip(row) {
                    *sum += exp((value - peak) * sharpness);
                }
            }
            // √(e^a / s · e^b / t) = e^((a + b) / 2) / √(s t): one exponential for both directions.
            let scales: Vec<f32> = sums.iter().map(|sum| sum.sqrt().recip()).collect();
            (peaks, scales)
        },
    );
    pair.par_chunks_exact_mut(columns).for_each(|row| {
        vectorised(
            #[inline(always)]
            || {
                let peak = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                let mut lanes = [0.0f32; 16];
                for values in row.chunks(lanes.len()) {
                    let values = lanes.iter_mut().zip(values);
                    values.for_each(|(lane, value)| *lane += exp((value - peak) * sharpness));
                }
                let scale = lanes.iter().sum::<f32>().sqrt().recip();
                for ((value, column_peak), column_scale) in row.iter_mut().zip(&column_peaks).zip(&column_scales) {
                    *value = exp((*value - 0.5 * (peak + column_peak)) * sharpness) * scale * column_scale;
                }
            },
        );
    });
}

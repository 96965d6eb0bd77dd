//! What confidences are worth, held against the truth.

use serde::Serialize;

use crate::calibrator::Checked;

/// One bin of a reliability diagram.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ReliabilityBin {
    /// The lowest confidence of the bin; it ends where the next begins.
    pub from: f64,
    /// How many matches are in it.
    pub count: usize,
    /// Their mean confidence; 0 where there are none.
    pub confidence: f64,
    /// The share of them that is right; 0 where there are none.
    pub right: f64,
}

/// How far confidences in 0..=1 keep what they promise, in bins of equal width. Confidences beyond count as the nearest
/// within; matches whose confidence is not finite are left out.
///
/// # Panics
///
/// If there are 0 bins.
pub fn reliability(checked: &[Checked], bins: usize) -> Vec<ReliabilityBin> {
    assert!(bins > 0, "a reliability diagram has at least one bin, got 0");
    let mut sums = vec![(0usize, 0.0, 0usize); bins];
    for one in checked.iter().filter(|one| one.confidence.is_finite()) {
        let confidence = one.confidence.clamp(0.0, 1.0);
        let (count, sum, right) = &mut sums[((confidence * bins as f64) as usize).min(bins - 1)];
        *count += 1;
        *sum += confidence;
        *right += usize::from(one.right);
    }
    let mean = |sum: f64, count: usize| if count == 0 { 0.0 } else { sum / count as f64 };
    sums.into_iter()
        .enumerate()
        .map(|(bin, (count, confidence, right))| ReliabilityBin {
            from: bin as f64 / bins as f64,
            count,
            confidence: mean(confidence, count),
            right: mean(right as f64, count),
        })
        .collect()
}

/// Expected calibration error: how far mean confidence and share of right matches lie apart, the mean over the bins,
/// weighted by their counts. 0 of no matches.
///
/// ```text
/// ECE = Σ_bins  count / total · |confidence − right|
/// ```
///
/// Naeini et al., *Obtaining well calibrated probabilities using Bayesian binning*, AAAI 2015.
pub fn expected_calibration_error(bins: &[ReliabilityBin]) -> f64 {
    let total: usize = bins.iter().map(|bin| bin.count).sum();
    let sum: f64 = bins.iter().map(|bin| bin.count as f64 * (bin.confidence - bin.right).abs()).sum();
    if total == 0 { 0.0 } else { sum / total as f64 }
}

/// What is gained by keeping only matches from some confidence on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct CoveragePoint {
    /// The confidence of the least sure match that is kept.
    pub confidence: f64,
    /// The share of all matches that is kept, above 0 and up to 1.
    pub kept: f64,
    /// The share of those kept that is right.
    pub precision: f64,
}

/// Precision over the share kept, from the surest matches alone to all of them.
///
/// There is one point for each confidence that occurs, since matches of equal confidence are kept or left together; the
/// last one is the precision of all. Matches whose confidence is not finite are left out altogether.
pub fn coverage_curve(checked: &[Checked]) -> Vec<CoveragePoint> {
    let mut sorted: Vec<Checked> = checked.iter().filter(|one| one.confidence.is_finite()).copied().collect();
    sorted.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
    let total = sorted.len() as f64;
    let (mut kept, mut right) = (0.0, 0.0);
    sorted
        .chunk_by(|a, b| a.confidence == b.confidence)
        .map(|equal| {
            kept += equal.len() as f64;
            right += equal.iter().filter(|one| one.right).count() as f64;
            CoveragePoint { confidence: equal[0].confidence, kept: kept / total, precision: right / kept }
        })
        .collect()
}

//! Is one method better than another, and how sure is that?
//!
//! Two methods scored on the same pairs fail on the same hard ones, so the interval of their difference is far narrower
//! than their own intervals suggest. The paired bootstrap draws the pairs' images once, as [`average`](crate::average()) does,
//! and averages both methods over the same draw.

use crate::average::{Bootstrap, Terms, quantile, resample};
use crate::pck::PairScore;
use crate::protocol::Average;

/// How much better method A is than method B at one threshold.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct PairedDifference {
    /// Average of A minus average of B, as shares (−1..=1).
    pub difference: f64,
    /// Lower end of the 95 % interval.
    pub low: f64,
    /// Upper end of the 95 % interval.
    pub high: f64,
    /// Share of resamples in which A is better than B. Resamples in which both are equal are in neither share.
    pub better: f64,
    /// Share of resamples in which A is worse than B.
    pub worse: f64,
}

/// Compares two methods' scores on the same pairs, in the same order, at each threshold: the difference of the
/// averages, with the percentile interval of a bootstrap over the pairs' images (those of `a`), which weighs the pairs of both
/// methods alike. Without resamples the interval is the difference itself, and both shares are 0.
///
/// # Panics
///
/// If there are no pairs, a pair has no points, the two lists are not of the same pairs (class and number of points are
/// compared), or were scored at different numbers of thresholds.
pub fn paired_bootstrap(
    a: &[PairScore],
    b: &[PairScore],
    average: Average,
    bootstrap: Bootstrap,
) -> Vec<PairedDifference> {
    assert_eq!(a.len(), b.len(), "two methods are compared on the same pairs");
    for (index, (of_a, of_b)) in a.iter().zip(b).enumerate() {
        let (of_a, of_b) = ((&of_a.class, of_a.points), (&of_b.class, of_b.points));
        assert_eq!(of_a, of_b, "pair {index} is not the same for both methods (class, points)");
    }
    let [of_a, of_b] = [a, b].map(|scores| Terms::new(scores, a, average));
    assert_eq!(of_a.thresholds(), of_b.thresholds(), "the methods were scored at different thresholds");
    let [values_a, values_b] = [&of_a, &of_b].map(Terms::value);
    // One seed makes one stream of draws, and both methods have the same images and groups.
    let resampled = resample(&of_a, bootstrap).into_iter().zip(resample(&of_b, bootstrap));
    let compared = values_a.into_iter().zip(values_b).zip(resampled).map(|((a, b), (of_a, of_b))| {
        let difference = a - b;
        let mut differences: Vec<f64> = of_a.into_iter().zip(of_b).map(|(a, b)| a - b).collect();
        let share = |kind: fn(&f64) -> bool| {
            let count = differences.iter().filter(|difference| kind(difference)).count();
            count as f64 / differences.len().max(1) as f64
        };
        let (better, worse) = (share(|difference| *difference > 0.0), share(|difference| *difference < 0.0));
        differences.sort_unstable_by(f64::total_cmp);
        let end = |q| quantile(&differences, q).unwrap_or(difference);
        PairedDifference { difference, low: end(0.025), high: end(0.975), better, worse }
    });
    compared.collect()
}

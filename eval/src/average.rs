//! Pairs' scores become one number: the averages of a [`Protocol`](crate::Protocol), and how sure they are.

use std::collections::{BTreeMap, HashMap};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::pck::PairScore;
use crate::protocol::Average;

/// The averaged score of a set of pairs at one threshold, as a share (0..=1), with its bootstrap interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pck {
    /// The averaged share of right points.
    pub value: f64,
    /// Lower end of the 95 % interval.
    pub low: f64,
    /// Upper end of the 95 % interval.
    pub high: f64,
}

/// How often and from which seed pairs are resampled for a 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bootstrap {
    /// Number of resamples; 0 leaves the interval at the value itself.
    pub resamples: usize,
    /// Seed of the draws: with one seed, methods scored on the same pairs are resampled alike.
    pub seed: u64,
}

impl Default for Bootstrap {
    /// 1000 resamples, seed 0.
    fn default() -> Self {
        Self { resamples: 1000, seed: 0 }
    }
}

/// Averages pairs' scores at each threshold, with percentile intervals of a bootstrap over pairs (within each class where
/// the average is by category, so that no resample loses a class).
///
/// # Panics
///
/// If there are no pairs, a pair has no points, or the pairs were scored at different numbers of thresholds.
pub fn average(scores: &[PairScore], average: Average, bootstrap: Bootstrap) -> Vec<Pck> {
    let terms = Terms::new(scores, average);
    let (values, resampled) = (terms.value(), resample(&terms, bootstrap));
    let with_interval = |(value, mut means): (f64, Vec<f64>)| {
        means.sort_unstable_by(f64::total_cmp);
        Pck { value, low: quantile(&means, 0.025).unwrap_or(value), high: quantile(&means, 0.975).unwrap_or(value) }
    };
    values.into_iter().zip(resampled).map(with_interval).collect()
}

/// The mean over the pairs of each class at each threshold, as shares.
pub fn class_means(scores: &[PairScore]) -> BTreeMap<String, Vec<f64>> {
    let mut classes: BTreeMap<String, Vec<PairScore>> = BTreeMap::new();
    for score in scores {
        classes.entry(score.class.clone()).or_default().push(score.clone());
    }
    let bare = Bootstrap { resamples: 0, seed: 0 };
    let means = |scores: Vec<PairScore>| average(&scores, Average::Image, bare).iter().map(|pck| pck.value).collect();
    classes.into_iter().map(|(class, scores)| (class, means(scores))).collect()
}

/// The pairs' contributions to an average: a weighted mean within each group, then the mean over groups.
///
/// Pairs that contribute the same are one kind: a benchmark of ten thousand pairs has some hundred kinds, and a
/// resample has to be counted by kind only.
pub(crate) struct Terms {
    /// The kinds of the pairs of each group: one group, or one a class.
    groups: Vec<Vec<usize>>,
    /// Weight of each kind.
    weights: Vec<f64>,
    /// Weighted share of right points, `[kind * thresholds + threshold]`.
    weighted: Vec<f64>,
    thresholds: usize,
}

impl Terms {
    /// # Panics
    ///
    /// If there are no pairs, a pair has no points, or the pairs were scored at different numbers of thresholds.
    pub(crate) fn new(scores: &[PairScore], average: Average) -> Self {
        assert!(!scores.is_empty(), "there are no pairs to average");
        let thresholds = scores[0].correct.len();
        let (mut weights, mut weighted) = (Vec::new(), Vec::new());
        let mut kinds: HashMap<(usize, &[usize]), usize> = HashMap::new();
        let mut groups: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for score in scores {
            assert!(score.points > 0, "a pair of class {} has no points", score.class);
            assert_eq!(score.correct.len(), thresholds, "pairs were scored at different thresholds");
            let kind = *kinds.entry((score.points, &score.correct)).or_insert_with(|| {
                let weight = if average == Average::Point { score.points as f64 } else { 1.0 };
                let factor = weight / score.points as f64;
                weights.push(weight);
                weighted.extend(score.correct.iter().map(|correct| *correct as f64 * factor));
                weights.len() - 1
            });
            let group = if average == Average::Category { score.class.as_str() } else { "" };
            groups.entry(group).or_default().push(kind);
        }
        Self { groups: groups.into_values().collect(), weights, weighted, thresholds }
    }

    /// At how many thresholds the pairs were scored.
    pub(crate) fn thresholds(&self) -> usize {
        self.thresholds
    }

    /// The average itself, at each threshold.
    pub(crate) fn value(&self) -> Vec<f64> {
        self.mean(|group, draw| group[draw])
    }

    /// The average over as many pairs of each group as it has, the pair of each draw chosen by `choose`.
    fn mean(&self, mut choose: impl FnMut(&[usize], usize) -> usize) -> Vec<f64> {
        let mut mean = vec![0.0; self.thresholds];
        let mut sum = vec![0.0; self.thresholds];
        let mut counts = vec![0u32; self.weights.len()];
        for group in &self.groups {
            counts.fill(0);
            for draw in 0..group.len() {
                counts[choose(group, draw)] += 1;
            }
            sum.fill(0.0);
            let mut weight = 0.0;
            for (kind, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
                let count = f64::from(*count);
                weight += count * self.weights[kind];
                let terms = &self.weighted[kind * self.thresholds..(kind + 1) * self.thresholds];
                sum.iter_mut().zip(terms).for_each(|(sum, term)| *sum += count * term);
            }
            mean.iter_mut().zip(&sum).for_each(|(mean, sum)| *mean += sum / weight);
        }
        mean.iter_mut().for_each(|mean| *mean /= self.groups.len() as f64);
        mean
    }
}

/// The averages of resampled pairs, by threshold and then by resample. The draws depend on the seed and the sizes of
/// the groups alone.
pub(crate) fn resample(terms: &Terms, bootstrap: Bootstrap) -> Vec<Vec<f64>> {
    let mut rng = ChaCha8Rng::seed_from_u64(bootstrap.seed);
    let mut resampled = vec![Vec::with_capacity(bootstrap.resamples); terms.thresholds];
    for _ in 0..bootstrap.resamples {
        let means = terms.mean(|group, _| group[rng.random_range(0..group.len())]);
        for (of_threshold, mean) in resampled.iter_mut().zip(means) {
            of_threshold.push(mean);
        }
    }
    resampled
}

/// The q-quantile of sorted values, linear between the two nearest; `None` for no values.
pub(crate) fn quantile(sorted: &[f64], q: f64) -> Option<f64> {
    let position = q * sorted.len().checked_sub(1)? as f64;
    let (below, above) = (position.floor() as usize, position.ceil() as usize);
    Some(sorted[below] + (sorted[above] - sorted[below]) * (position - position.floor()))
}

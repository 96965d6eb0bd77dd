//! Pairs' scores become one number: the averages of a [`Protocol`](crate::Protocol), and how sure they are.
//!
//! An image is in many pairs, and one that is hard is hard in all of them: pairs are not independent, images are. So images
//! are resampled, not pairs. Of the n images of the pairs each resample draws n with replacement; image i comes w_i times,
//! on both sides of its pairs, and
//!
//! ```text
//! weight of a pair = w_source · w_target
//! image, point     weighted mean over the pairs (point: over their points)
//! category         weighted mean over the pairs of each class, then the mean over the classes that have some weight
//! ```
//!
//! That is the pigeonhole bootstrap (Owen, "The pigeonhole bootstrap", Annals of Applied Statistics 1(2), 2007) with one
//! factor, the image, in two places. It is a little too careful: of what belongs to a pair alone it sees up to three times
//! the variance. Two images that are in no pair but with each other are drawn as one, so that pairs of images of their own
//! are resampled as pairs. A resample in which no pair has weight is drawn anew.

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

/// How often and from which seed images are resampled for a 95 % interval.
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

/// Averages pairs' scores at each threshold, with percentile intervals of a bootstrap over the pairs' images: the pigeonhole
/// bootstrap (Owen 2007), in which a pair weighs as often as both of its images were drawn.
///
/// # Panics
///
/// If there are no pairs, a pair has no points, or the pairs were scored at different numbers of thresholds.
pub fn average(scores: &[PairScore], average: Average, bootstrap: Bootstrap) -> Vec<Pck> {
    let terms = Terms::new(scores, scores, average);
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
/// Pairs that contribute the same are one kind: a benchmark of ten thousand pairs has some hundred kinds, and of a resample
/// only the weight of each kind has to be known.
pub(crate) struct Terms {
    /// The pairs of each group: one group, or one a class.
    groups: Vec<Vec<PairTerm>>,
    /// Weight of each kind.
    weights: Vec<f64>,
    /// Weighted share of right points, `[kind * thresholds + threshold]`.
    weighted: Vec<f64>,
    thresholds: usize,
    /// How many units are drawn: images, and couples of images that are in pairs with each other alone.
    units: usize,
}

/// A pair: its kind, and the units whose counts are multiplied.
struct PairTerm {
    kind: usize,
    units: [usize; 2],
}

/// Stands for the second image of a couple: its count is always 1. Units are numbered from 1.
const NO_UNIT: usize = 0;

impl Terms {
    /// The terms of `scores`; the images are those of `pairs`, which are of the same pairs.
    ///
    /// # Panics
    ///
    /// If there are no pairs, a pair has no points, or the pairs were scored at different numbers of thresholds.
    pub(crate) fn new(scores: &[PairScore], pairs: &[PairScore], average: Average) -> Self {
        assert!(!scores.is_empty(), "there are no pairs to average");
        let thresholds = scores[0].correct.len();
        let (units_of_pairs, units) = units_of(pairs);
        let (mut weights, mut weighted) = (Vec::new(), Vec::new());
        let mut kinds: HashMap<(usize, &[usize]), usize> = HashMap::new();
        let mut groups: BTreeMap<&str, Vec<PairTerm>> = BTreeMap::new();
        for (score, units) in scores.iter().zip(units_of_pairs) {
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
            groups.entry(group).or_default().push(PairTerm { kind, units });
        }
        Self { groups: groups.into_values().collect(), weights, weighted, thresholds, units }
    }

    /// At how many thresholds the pairs were scored.
    pub(crate) fn thresholds(&self) -> usize {
        self.thresholds
    }

    /// The average itself, at each threshold.
    pub(crate) fn value(&self) -> Vec<f64> {
        self.mean(&vec![1; self.units + 1]).unwrap_or_default()
    }

    /// The average with each unit counted so many times; `None` where no pair has weight.
    fn mean(&self, counts: &[u64]) -> Option<Vec<f64>> {
        let mut mean = vec![0.0; self.thresholds];
        let mut sum = vec![0.0; self.thresholds];
        let mut of_kinds = vec![0; self.weights.len()];
        let mut groups = 0;
        for group in &self.groups {
            of_kinds.fill(0);
            for PairTerm { kind, units: [source, target] } in group {
                of_kinds[*kind] += counts[*source] * counts[*target];
            }
            sum.fill(0.0);
            let mut weight = 0.0;
            for (kind, count) in of_kinds.iter().enumerate().filter(|(_, count)| **count > 0) {
                let count = *count as f64;
                weight += count * self.weights[kind];
                let terms = &self.weighted[kind * self.thresholds..(kind + 1) * self.thresholds];
                sum.iter_mut().zip(terms).for_each(|(sum, term)| *sum += count * term);
            }
            if weight > 0.0 {
                groups += 1;
                mean.iter_mut().zip(&sum).for_each(|(mean, sum)| *mean += sum / weight);
            }
        }
        mean.iter_mut().for_each(|mean| *mean /= f64::from(groups));
        (groups > 0).then_some(mean)
    }
}

/// The units of each pair, numbered from 1 in the order in which they come, and how many there are.
fn units_of(pairs: &[PairScore]) -> (Vec<[usize; 2]>, usize) {
    let mut partners: HashMap<u64, Option<u64>> = HashMap::new();
    for &PairScore { images: [source, target], .. } in pairs {
        for (image, partner) in [(source, target), (target, source)] {
            let known = partners.entry(image).or_insert(Some(partner));
            *known = known.filter(|known| *known == partner);
        }
    }
    let mut numbers: HashMap<u64, usize> = HashMap::new();
    let mut number = |image: u64| {
        let next = numbers.len() + 1;
        *numbers.entry(image).or_insert(next)
    };
    let units =
        pairs.iter().map(|&PairScore { images: [source, target], .. }| match [partners[&source], partners[&target]] {
            [Some(_), Some(_)] => [number(source.min(target)), NO_UNIT],
            _ => [number(source), number(target)],
        });
    let units: Vec<[usize; 2]> = units.collect();
    let count = numbers.len();
    (units, count)
}

/// The averages of resampled images, by threshold and then by resample. The draws depend on the seed and the images of the
/// pairs alone.
pub(crate) fn resample(terms: &Terms, bootstrap: Bootstrap) -> Vec<Vec<f64>> {
    let mut rng = ChaCha8Rng::seed_from_u64(bootstrap.seed);
    let mut resampled = vec![Vec::with_capacity(bootstrap.resamples); terms.thresholds];
    let mut counts = vec![0; terms.units + 1];
    for _ in 0..bootstrap.resamples {
        let means = loop {
            counts.fill(0);
            counts[NO_UNIT] = 1;
            for _ in 0..terms.units {
                counts[rng.random_range(1..=terms.units)] += 1;
            }
            if let Some(means) = terms.mean(&counts) {
                break means;
            }
        };
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

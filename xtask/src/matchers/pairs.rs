//! The pairs that a matcher learns from, and how a step draws from them.

use std::cell::RefCell;
use std::fmt;
use std::path::Path;
use std::str::FromStr;

use anyhow::{Context, Result, bail};
use eval::matcher::{AugmentConfig, Augmentation, PointsInCells, Sample, mirror_ids};
use eval::{BenchmarkName, BenchmarkSplit, KeyPointPair, PairImage, PairSelection, ReadOptions, read_pairs};
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::features::Features;
use crate::benchmark::warn_of;

/// How many pairs to learn from; none is all of them. Written as a number, or `all`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PairCount(pub Option<usize>);

impl FromStr for PairCount {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "all" => Ok(Self(None)),
            number => number.parse().map(|count| Self(Some(count))).map_err(|_| "not a number, nor `all`".to_owned()),
        }
    }
}

impl fmt::Display for PairCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(count) => count.fmt(f),
            None => f.write_str("all"),
        }
    }
}

/// Pairs to learn from, and how their images are changed.
pub struct TrainingPairs {
    pairs: Vec<KeyPointPair>,
    augment: AugmentConfig,
    views: usize,
    seed: u64,
    /// The other side of a key point, where the data set says which are left and right.
    opposite: Option<fn(u16) -> u16>,
    /// A round and its order of the pairs, kept while steps draw from it.
    order: RefCell<Option<(usize, Vec<usize>)>>,
}

impl TrainingPairs {
    /// `count` of `pairs`, all where there is no count. Those drawn for a smaller count with the same seed are among them.
    ///
    /// # Errors
    ///
    /// No pair.
    pub fn new(
        mut pairs: Vec<KeyPointPair>,
        count: Option<usize>,
        (augment, views): (AugmentConfig, usize),
        seed: u64,
    ) -> Result<Self> {
        pairs.shuffle(&mut rng(seed, 0, 1));
        pairs.truncate(count.unwrap_or(usize::MAX));
        if pairs.is_empty() {
            bail!("there is no pair to learn from");
        }
        Ok(Self { pairs, augment, views, seed, opposite: None, order: RefCell::new(None) })
    }

    /// The same, as pairs of a data set: where it says which key points are left and right, one image of a pair may be
    /// mirrored without the other.
    pub fn of_benchmark(self, name: BenchmarkName) -> Self {
        Self { opposite: name.opposites(), ..self }
    }

    /// How many pairs.
    pub fn len(&self) -> usize {
        self.pairs.len()
    }

    /// The samples of a step, a pure function of the seed and the step: every pair once before any comes again.
    ///
    /// # Errors
    ///
    /// Images that cannot be read.
    pub fn batch(&self, features: &Features, step: usize, size: usize) -> Result<Vec<Sample>> {
        (0..size).map(|place| self.sample(features, step * size + place)).collect()
    }

    fn sample(&self, features: &Features, drawn: usize) -> Result<Sample> {
        let (round, place) = (drawn / self.pairs.len(), drawn % self.pairs.len());
        let pair = &self.pairs[self.in_round(round, place)];
        let mut rng = rng(self.seed, drawn as u64, 3);
        let share = self.augment.mirror.clamp(0.0, 1.0);
        let mirror = self.views > 0 && rng.random_bool(share);
        let mut change = [&pair.source, &pair.target].map(|image| {
            let view = rng.random_range(0..=self.views);
            self.view(image, view).mirrored(mirror)
        });
        // The target may be mirrored without the source where the points of the other side are known.
        let opposite = self.opposite.filter(|_| self.views > 0 && rng.random_bool(share) != mirror);
        let crossed = opposite.and_then(|opposite| with_opposites(pair, opposite));
        if crossed.is_some() {
            change[1] = change[1].mirrored(!mirror);
        }
        let shown = match shown_points(crossed.as_ref().unwrap_or(pair), &change) {
            Some(shown) => shown,
            // Both crops together have cut off all points: as they are.
            None => {
                return sample_of(features, pair, &[&pair.source, &pair.target].map(|i| Augmentation::none(i.size)));
            }
        };
        sample_of(features, &shown, &change)
    }

    /// Which pair stands at `place` of a round; each round has an order of its own.
    fn in_round(&self, round: usize, place: usize) -> usize {
        let mut kept = self.order.borrow_mut();
        let drawn = kept.take().filter(|(of, _)| *of == round);
        let (_, order) = kept.insert(drawn.unwrap_or_else(|| {
            let mut order: Vec<usize> = (0..self.pairs.len()).collect();
            order.shuffle(&mut rng(self.seed, round as u64, 2));
            (round, order)
        }));
        order[place]
    }

    /// View `index` of an image, the same whenever it is drawn.
    fn view(&self, image: &PairImage, index: usize) -> Augmentation {
        if index == 0 {
            return Augmentation::none(image.size);
        }
        // By the file's name: where a data set lies has no part in what is drawn.
        let name = image.path.file_name().unwrap_or_default().to_string_lossy();
        let of_name = name.bytes().fold(0_u64, |hash, byte| hash.wrapping_mul(31).wrapping_add(u64::from(byte)));
        let keep = image.object_box.unwrap_or(image.key_point_box);
        Augmentation::draw(&self.augment, image.size, keep, &mut rng(of_name, index as u64, 4))
    }
}

fn sample_of(features: &Features, pair: &KeyPointPair, change: &[Augmentation; 2]) -> Result<Sample> {
    let frames = change.map(|change| features.frame(change.size()));
    let moved = moved(pair, change);
    let maps = |image: &PairImage, change: &Augmentation| {
        features.maps(&image.path, (*change != Augmentation::none(image.size)).then_some(change))
    };
    Ok(Sample {
        source: maps(&pair.source, &change[0])?,
        target: maps(&pair.target, &change[1])?,
        points: PointsInCells::of(&moved, frames, features.grid()),
    })
}

/// The pair as it is when one of its images is mirrored: each source point with the target's point of the other side.
/// `None` where no point's other side is in the target.
fn with_opposites(pair: &KeyPointPair, opposite: fn(u16) -> u16) -> Option<KeyPointPair> {
    with_points(pair, &mirror_ids(&pair.ids, opposite))
}

/// The pair with those key points alone that both changed images show; `None` where there is none.
fn shown_points(pair: &KeyPointPair, change: &[Augmentation; 2]) -> Option<KeyPointPair> {
    let shown = |index: &usize| {
        change[0].shows(change[0].point(pair.source.points[*index]))
            && change[1].shows(change[1].point(pair.target.points[*index]))
    };
    let kept: Vec<_> = (0..pair.source.points.len()).filter(shown).map(|index| (index, index)).collect();
    with_points(pair, &kept)
}

/// The pair with the points at these places of the source and of the target; `None` where there are none.
pub(super) fn with_points(pair: &KeyPointPair, places: &[(usize, usize)]) -> Option<KeyPointPair> {
    let (of_source, of_target): (Vec<usize>, Vec<usize>) = places.iter().copied().unzip();
    let side = |image: &PairImage, places: &[usize]| PairImage {
        points: places.iter().map(|&place| image.points[place]).collect(),
        ..image.clone()
    };
    (!places.is_empty()).then(|| KeyPointPair {
        source: side(&pair.source, &of_source),
        target: side(&pair.target, &of_target),
        ids: of_source.iter().map(|&place| pair.ids[place]).collect(),
        agreements: of_source.iter().filter_map(|&place| pair.agreements.get(place).copied()).collect(),
        ..pair.clone()
    })
}

/// The pair with its points and boxes where the changed images have them.
fn moved(pair: &KeyPointPair, change: &[Augmentation; 2]) -> KeyPointPair {
    let side = |image: &PairImage, change: &Augmentation| {
        let moved_box = |[left, top, right, bottom]: [f32; 4]| {
            let (a, b) = (change.point([left, top]), change.point([right, bottom]));
            [a[0].min(b[0]), a[1].min(b[1]), a[0].max(b[0]), a[1].max(b[1])]
        };
        PairImage {
            size: change.size(),
            points: image.points.iter().map(|&point| change.point(point)).collect(),
            key_point_box: moved_box(image.key_point_box),
            object_box: image.object_box.map(moved_box),
            ..image.clone()
        }
    };
    KeyPointPair { source: side(&pair.source, &change[0]), target: side(&pair.target, &change[1]), ..pair.clone() }
}

/// All pairs of a part of a benchmark, and which it is.
///
/// # Errors
///
/// A folder that is no known data set, or has no such part.
pub fn read_training_pairs(
    data: &Path,
    name: Option<BenchmarkName>,
    split: BenchmarkSplit,
) -> Result<(Vec<KeyPointPair>, BenchmarkName)> {
    let name = name.or_else(|| BenchmarkName::detect(data)).with_context(|| {
        format!("{} is not laid out as a known data set; say which with --benchmark", data.display())
    })?;
    let options = ReadOptions { split: Some(split), pair_selection: PairSelection::ALL, ..ReadOptions::default() };
    let read = read_pairs(name, data, &options)?;
    warn_of(name, &read.counts);
    Ok((read.pairs, name))
}

fn rng(seed: u64, number: u64, what: u64) -> ChaCha8Rng {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8..16].copy_from_slice(&number.to_le_bytes());
    key[16..24].copy_from_slice(&what.to_le_bytes());
    ChaCha8Rng::from_seed(key)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn image(points: &[[f32; 2]]) -> PairImage {
        PairImage {
            path: PathBuf::from("cat.jpg"),
            size: (100, 80),
            key_point_box: [0.0, 0.0, 99.0, 79.0],
            object_box: None,
            points: points.to_vec(),
            unshared: Vec::new(),
        }
    }

    #[test]
    fn of_an_animal_in_a_mirror_left_is_right() {
        // Both eyes, the nose, and the left shoulder alone.
        let pair = KeyPointPair {
            id: "cat".to_owned(),
            class: "cat".to_owned(),
            source: image(&[[10.0, 1.0], [20.0, 1.0], [15.0, 5.0], [30.0, 40.0]]),
            target: image(&[[60.0, 2.0], [70.0, 2.0], [65.0, 6.0], [80.0, 41.0]]),
            ids: vec![0, 1, 2, 5],
            difficulty: None,
            agreements: Vec::new(),
        };
        let opposite = BenchmarkName::Ap10k.opposites().unwrap();
        let crossed = with_opposites(&pair, opposite).unwrap();
        assert_eq!(crossed.ids, [0, 1, 2]);
        assert_eq!(crossed.source.points, [[10.0, 1.0], [20.0, 1.0], [15.0, 5.0]]);
        assert_eq!(crossed.target.points, [[70.0, 2.0], [60.0, 2.0], [65.0, 6.0]]);
        // Mirrored, the target's eyes are in the source's order again.
        let mirrored = moved(&crossed, &[Augmentation::none((100, 80)), Augmentation::none((100, 80)).mirrored(true)]);
        assert!(mirrored.target.points[0][0] < mirrored.target.points[1][0]);
        let shoulder =
            KeyPointPair { source: image(&[[30.0, 40.0]]), target: image(&[[80.0, 41.0]]), ids: vec![5], ..pair };
        assert_eq!(with_opposites(&shoulder, opposite), None);
    }

    #[test]
    fn every_pair_comes_once_a_round_in_an_order_of_the_round() {
        let pair = |id: usize| KeyPointPair {
            id: id.to_string(),
            class: "cat".to_owned(),
            source: image(&[[10.0, 1.0]]),
            target: image(&[[60.0, 2.0]]),
            ids: vec![0],
            difficulty: None,
            agreements: Vec::new(),
        };
        let pairs = || TrainingPairs::new((0..20).map(pair).collect(), None, Default::default(), 7).unwrap();
        let (one, other) = (pairs(), pairs());
        let round = |number: usize| -> Vec<usize> { (0..20).map(|place| one.in_round(number, place)).collect() };
        let (first, second) = (round(0), round(1));
        assert_ne!(first, second);
        for drawn in [&first, &second] {
            let mut sorted = drawn.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, Vec::from_iter(0..20));
        }
        // Whoever goes on in the midst of a later round, or goes back, draws the same.
        assert_eq!(
            (other.in_round(1, 5), other.in_round(0, 5), other.in_round(1, 6)),
            (second[5], first[5], second[6])
        );
    }

    #[test]
    fn a_count_is_written_as_it_is_read() {
        for (text, count) in [("0", Some(0)), ("20", Some(20)), ("all", None)] {
            assert_eq!(text.parse(), Ok(PairCount(count)));
            assert_eq!(PairCount(count).to_string(), text);
        }
        assert!("some".parse::<PairCount>().is_err() && "-1".parse::<PairCount>().is_err());
    }

    #[test]
    fn the_other_side_of_the_other_side_is_the_same() {
        let opposite = BenchmarkName::Ap10k.opposites().unwrap();
        for id in 0..17 {
            assert_eq!(opposite(opposite(id)), id);
        }
        assert!(BenchmarkName::Willow.opposites().is_none());
    }
}

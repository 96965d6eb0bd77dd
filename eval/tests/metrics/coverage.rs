//! A 95 % interval has to hold the truth in some 95 of 100 data sets. In each of the simulated ones, images are easy or hard in
//! all of their pairs, and pairs have noise of their own.

use eval::{Average, Bootstrap, PairScore, average, paired_bootstrap};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const DATA_SETS: u64 = 200;
const RESAMPLES: usize = 200;
const POINTS: usize = 1000;
const TRUTH: f64 = 0.5;

/// A draw from a normal distribution of mean 0.
fn normal(rng: &mut ChaCha8Rng, deviation: f64) -> f64 {
    let (u, v): (f64, f64) = (rng.random_range(1e-12..1.0), rng.random_range(0.0..1.0));
    deviation * (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
}

/// What is simulated: all ordered pairs of the images of each class.
struct World {
    classes: usize,
    images: usize,
    /// Deviation of what an image does to all of its pairs, on either side.
    of_images: f64,
    /// Deviation of what belongs to a pair alone.
    of_pairs: f64,
}

impl World {
    fn scores(&self, rng: &mut ChaCha8Rng) -> Vec<PairScore> {
        let mut scores = Vec::new();
        for class in 0..self.classes {
            let effects: Vec<f64> = (0..self.images).map(|_| normal(rng, self.of_images)).collect();
            for source in 0..self.images {
                for target in (0..self.images).filter(|target| *target != source) {
                    let share = TRUTH + effects[source] + effects[target] + normal(rng, self.of_pairs);
                    let id = |image: usize| (class * self.images + image) as u64;
                    scores.push(PairScore {
                        class: class.to_string(),
                        images: [id(source), id(target)],
                        points: POINTS,
                        correct: vec![(share.clamp(0.0, 1.0) * POINTS as f64).round() as usize],
                        invalid: 0,
                    });
                }
            }
        }
        scores
    }

    /// The share of data sets whose interval holds the truth: of images, and of pairs resampled as if they were independent.
    fn coverage(&self, kind: Average) -> [f64; 2] {
        let mut held = [0; 2];
        for seed in 0..DATA_SETS {
            let scores = self.scores(&mut ChaCha8Rng::seed_from_u64(seed));
            let bootstrap = Bootstrap { resamples: RESAMPLES, seed };
            let pck = average(&scores, kind, bootstrap)[0];
            held[0] += usize::from((pck.low..=pck.high).contains(&TRUTH));
            // Pairs with images of their own are resampled one by one.
            let number = |(index, score): (usize, &PairScore)| PairScore {
                images: [2 * index as u64, 2 * index as u64 + 1],
                ..score.clone()
            };
            let independent: Vec<_> = scores.iter().enumerate().map(number).collect();
            let pck = average(&independent, kind, bootstrap)[0];
            held[1] += usize::from((pck.low..=pck.high).contains(&TRUTH));
        }
        held.map(|held| held as f64 / DATA_SETS as f64)
    }
}

#[test]
fn intervals_over_images_hold_the_truth_and_intervals_over_pairs_do_not() {
    let one = World { classes: 1, images: 40, of_images: 0.08, of_pairs: 0.12 };
    let several = World { classes: 3, images: 24, of_images: 0.08, of_pairs: 0.12 };
    for (world, kind) in [(&one, Average::Image), (&several, Average::Category)] {
        let [images, pairs] = world.coverage(kind);
        println!("{kind}: {images} over images, {pairs} over pairs");
        assert!((0.90..=0.99).contains(&images), "{kind}: {images} of intervals over images hold the truth");
        assert!(pairs < 0.6, "{kind}: {pairs} of intervals over pairs hold the truth");
    }
}

#[test]
fn pairs_that_share_no_image_are_resampled_as_pairs() {
    // Half of the pairs are all right, half all wrong: the standard error is .5 / √n.
    let score = |index: usize, images: [u64; 2]| PairScore {
        class: "cup".to_owned(),
        images,
        points: 1,
        correct: vec![index % 2],
        invalid: 0,
    };
    // The same couples in both directions are no more than the couples.
    let couples: Vec<_> = (0..100).map(|index| score(index, [2 * index as u64, 2 * index as u64 + 1])).collect();
    let both_ways: Vec<_> = couples
        .iter()
        .flat_map(|score| [score.clone(), PairScore { images: [score.images[1], score.images[0]], ..score.clone() }])
        .collect();
    for scores in [&couples, &both_ways] {
        let pck = average(scores, Average::Image, Bootstrap::default())[0];
        let half = (pck.high - pck.low) / 2.0;
        assert!((half - 1.96 * 0.05).abs() < 0.01, "{pck:?}");
    }
}

#[test]
fn a_steady_gain_is_sure_although_images_differ() {
    let world = World { classes: 1, images: 12, of_images: 0.08, of_pairs: 0.05 };
    let b = world.scores(&mut ChaCha8Rng::seed_from_u64(1));
    let gain = |score: &PairScore| PairScore { correct: vec![score.correct[0] + 20], ..score.clone() };
    let a: Vec<_> = b.iter().map(gain).collect();
    let found = paired_bootstrap(&a, &b, Average::Image, Bootstrap::default())[0];
    assert!((found.difference - 0.02).abs() < 1e-9 && (found.high - found.low).abs() < 1e-9, "{found:?}");
    assert_eq!(found.better, 1.0);
    let alone = average(&a, Average::Image, Bootstrap::default())[0];
    assert!(alone.high - alone.low > 0.04, "{alone:?}");
}

#[test]
fn few_images_have_an_interval_and_the_same_one_again() {
    let score =
        |images, correct| PairScore { class: "cup".to_owned(), images, points: 2, correct: vec![correct], invalid: 0 };
    // A star, a chain, and an image paired with itself.
    for scores in [
        vec![score([1, 2], 2), score([1, 3], 0)],
        vec![score([1, 2], 2), score([2, 3], 1), score([3, 4], 0)],
        vec![score([1, 1], 2), score([1, 2], 0)],
        vec![score([7, 7], 1)],
    ] {
        for kind in [Average::Image, Average::Point, Average::Category] {
            let pck = average(&scores, kind, Bootstrap::default())[0];
            assert!(0.0 <= pck.low && pck.low <= pck.value && pck.value <= pck.high && pck.high <= 1.0, "{pck:?}");
            assert_eq!(average(&scores, kind, Bootstrap::default())[0], pck);
        }
    }
}

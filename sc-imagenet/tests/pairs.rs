//! Laws of the pair sampler, against the list of all allowed triples.

#[path = "naive/pairs.rs"]
mod naive;

use std::collections::{HashMap, HashSet};

use proptest::prelude::*;
use sc_imagenet::{Balance, PairSampler, TrainPair};

/// Labels of 2 to 5 classes of 2 to 6 images, with gaps between the labels, in any order.
fn labels() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(2..7_usize, 2..6)
        .prop_map(|sizes| sizes.iter().enumerate().flat_map(|(class, &n)| vec![3 * class + 1; n]).collect::<Vec<_>>())
        .prop_shuffle()
}

fn balances() -> impl Strategy<Value = Balance> {
    prop_oneof![Just(Balance::Images), Just(Balance::Classes)]
}

/// How often each value occurs: (least, most) over `all`, those that never occur included.
fn extremes(values: impl Iterator<Item = usize>, all: &HashSet<usize>) -> (usize, usize) {
    let mut counts: HashMap<usize, usize> = all.iter().map(|&value| (value, 0)).collect();
    for value in values {
        *counts.entry(value).or_default() += 1;
    }
    (*counts.values().min().unwrap(), *counts.values().max().unwrap())
}

proptest! {
    #[test]
    fn every_pair_is_an_allowed_one(labels in labels(), balance in balances(), seed: u64, epoch: u64) {
        let allowed: HashSet<TrainPair> = naive::allowed(&labels).into_iter().collect();
        let pairs = PairSampler::new(&labels, seed).with_balance(balance).epoch(epoch);
        prop_assert_eq!(pairs.len(), labels.len());
        for pair in pairs {
            prop_assert!(allowed.contains(&pair), "{:?} of {:?}", pair, labels);
        }
    }

    #[test]
    fn an_epoch_is_a_pure_function_of_seed_and_epoch(
        labels in labels(), balance in balances(), seed: u64, first in 0..50_u64, second in 0..50_u64,
    ) {
        let sampler = PairSampler::new(&labels, seed).with_balance(balance);
        let before = sampler.epoch(first);
        sampler.epoch(second);
        prop_assert_eq!(&before, &sampler.epoch(first));
        prop_assert_eq!(&before, &PairSampler::new(&labels, seed).with_balance(balance).epoch(first));
    }

    #[test]
    fn balance_by_images_uses_every_image_once(labels in labels(), seed: u64, epoch: u64) {
        let pairs = PairSampler::new(&labels, seed).with_balance(Balance::Images).epoch(epoch);
        let all = (0..labels.len()).collect();
        prop_assert_eq!(extremes(pairs.iter().map(|pair| pair.source), &all), (1, 1));
    }

    #[test]
    fn balance_by_classes_uses_classes_and_their_images_alike(labels in labels(), seed: u64, epoch: u64) {
        let pairs = PairSampler::new(&labels, seed).epoch(epoch);
        let classes: HashSet<usize> = labels.iter().copied().collect();
        let (least, most) = extremes(pairs.iter().map(|pair| labels[pair.source]), &classes);
        prop_assert!(most - least <= 1, "classes {}..={}", least, most);
        for class in classes {
            let members = (0..labels.len()).filter(|&image| labels[image] == class).collect();
            let sources = pairs.iter().map(|pair| pair.source).filter(|&image| labels[image] == class);
            let (least, most) = extremes(sources, &members);
            prop_assert!(most - least <= 1, "images of class {}: {}..={}", class, least, most);
        }
    }
}

#[test]
fn all_allowed_pairs_occur_and_equally_often() {
    // Classes of one size, so that every allowed triple has one probability under both balances.
    let labels = [0, 0, 0, 1, 1, 1, 2, 2, 2];
    let allowed = naive::allowed(&labels);
    for balance in [Balance::Images, Balance::Classes] {
        let sampler = PairSampler::new(&labels, 5).with_balance(balance);
        let mut counts: HashMap<TrainPair, f64> = HashMap::new();
        let epochs = 1200;
        for pair in (0..epochs).flat_map(|epoch| sampler.epoch(epoch)) {
            *counts.entry(pair).or_default() += 1.0;
        }
        let expected = (epochs as usize * labels.len()) as f64 / allowed.len() as f64;
        for pair in &allowed {
            // Five standard deviations of a Poisson count of 100.
            let count = counts.get(pair).copied().unwrap_or(0.0);
            assert!((count - expected).abs() < 5.0 * expected.sqrt(), "{balance:?} {pair:?}: {count} of {expected}");
        }
    }
}

#[test]
fn seeds_and_epochs_differ() {
    let labels: Vec<usize> = (0..40).map(|image| image / 10).collect();
    let epochs: HashSet<Vec<TrainPair>> = (0..4)
        .flat_map(|seed| (0..4).map(move |epoch| (seed, epoch)))
        .map(|(s, e)| PairSampler::new(&labels, s).epoch(e))
        .collect();
    assert_eq!(epochs.len(), 16);
}

/// What was drawn on the day the sampler was written: a checkpoint resumed with another release must go on with the same
/// pairs. If this fails after an update of `rand`, that update changes every run.
#[test]
fn the_stream_is_the_one_it_always_was() {
    let drawn: Vec<[usize; 3]> = PairSampler::new(&[0, 0, 0, 1, 1, 2, 2], 42)
        .epoch(3)
        .iter()
        .map(|pair| [pair.source, pair.target, pair.negative])
        .collect();
    assert_eq!(drawn, [[2, 0, 5], [5, 6, 2], [3, 4, 1], [4, 3, 2], [6, 5, 2], [0, 1, 5], [4, 3, 6]]);
}

#[test]
#[should_panic(expected = "at least 2 classes, got 1 in 3 labels")]
fn one_class_gives_no_negatives() {
    PairSampler::new(&[4, 4, 4], 0);
}

#[test]
#[should_panic(expected = "at least 2 images a class, class 9 has 1")]
fn one_image_gives_no_positive() {
    PairSampler::new(&[4, 4, 9], 0);
}

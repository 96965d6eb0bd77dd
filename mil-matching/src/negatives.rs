//! Negative pairs, chosen and checked by class.

use rand::{Rng, RngExt};

/// For each image of a batch the index of an image of another class, drawn uniformly from those in the batch; none where
/// the batch holds no other class.
///
/// Rolling a batch by one gives pairs of *other images*; where two neighbours share a class, that teaches the matcher that
/// a true match is false.
pub fn choose_negatives(classes: &[usize], rng: &mut impl Rng) -> Vec<Option<usize>> {
    classes
        .iter()
        .map(|class| {
            let others: Vec<usize> = (0..classes.len()).filter(|&other| classes[other] != *class).collect();
            (!others.is_empty()).then(|| others[rng.random_range(0..others.len())])
        })
        .collect()
}

/// Makes sure that each pair is negative: one class for each source and each target.
///
/// # Panics
///
/// If the lengths differ, or the two images of a pair share their class.
pub fn check_negatives(source_classes: &[usize], target_classes: &[usize]) {
    assert_eq!(
        source_classes.len(),
        target_classes.len(),
        "classes of {} sources and of {} targets",
        source_classes.len(),
        target_classes.len()
    );
    for (pair, (source, target)) in source_classes.iter().zip(target_classes).enumerate() {
        assert!(source != target, "negative pair {pair} has source class {source} and target class {target}");
    }
}

/// [`check_negatives`] for images of several classes: the two images of a pair may have none in common.
///
/// # Panics
///
/// If the lengths differ, or the two images of a pair share a class.
pub fn check_multi_label_negatives(source_classes: &[Vec<usize>], target_classes: &[Vec<usize>]) {
    assert_eq!(
        source_classes.len(),
        target_classes.len(),
        "classes of {} sources and of {} targets",
        source_classes.len(),
        target_classes.len()
    );
    for (pair, (source, target)) in source_classes.iter().zip(target_classes).enumerate() {
        assert!(
            !source.iter().any(|class| target.contains(class)),
            "negative pair {pair} has source classes {source:?} and target classes {target:?}"
        );
    }
}

use mil_matching::{check_multi_label_negatives, check_negatives, choose_negatives};
use proptest::prelude::*;

use crate::rng;

#[test]
fn other_classes_pass() {
    check_negatives(&[0, 1, 2], &[1, 2, 0]);
    check_multi_label_negatives(&[vec![0, 1], vec![]], &[vec![2], vec![0]]);
}

#[test]
#[should_panic(expected = "negative pair 1 has source class 3 and target class 3")]
fn a_shared_class_panics() {
    check_negatives(&[0, 3], &[1, 3]);
}

#[test]
#[should_panic(expected = "negative pair 0 has source classes [4, 5] and target classes [1, 5]")]
fn one_shared_class_of_several_panics() {
    check_multi_label_negatives(&[vec![4, 5]], &[vec![1, 5]]);
}

#[test]
#[should_panic(expected = "classes of 1 sources and of 2 targets")]
fn lengths_that_differ_panic() {
    check_negatives(&[0], &[1, 1]);
}

proptest! {
    #[test]
    fn chosen_negatives_pass_the_check(classes in prop::collection::vec(0usize..3, 0..12), seed in 0u64..1000) {
        let chosen = choose_negatives(&classes, &mut rng(seed));
        prop_assert_eq!(chosen.len(), classes.len());
        let several = classes.iter().any(|class| *class != classes[0]);
        prop_assert!(chosen.iter().all(|choice| choice.is_some() == several));
        let (sources, targets): (Vec<_>, Vec<_>) = classes
            .iter()
            .zip(&chosen)
            .filter_map(|(class, choice)| choice.map(|other| (*class, classes[other])))
            .unzip();
        check_negatives(&sources, &targets);
        prop_assert_eq!(chosen, choose_negatives(&classes, &mut rng(seed)));
    }
}

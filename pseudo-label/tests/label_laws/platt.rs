use proptest::prelude::*;
use pseudo_label::{Checked, Platt};

use crate::checked;

/// The derivatives of the loss by slope and offset, straight from its definition, a match.
fn gradient(checked: &[Checked], curve: &Platt) -> [f64; 2] {
    let right = checked.iter().filter(|one| one.right).count() as f64;
    let wrong = checked.len() as f64 - right;
    let mut gradient = [0.0; 2];
    for one in checked {
        let target = if one.right { (right + 1.0) / (right + 2.0) } else { 1.0 / (wrong + 2.0) };
        let p = 1.0 / (1.0 + (-(curve.slope * one.confidence + curve.offset)).exp());
        gradient[0] += (p - target) * one.confidence / checked.len() as f64;
        gradient[1] += (p - target) / checked.len() as f64;
    }
    gradient
}

proptest! {
    #[test]
    fn no_curve_that_does_not_fall_is_likelier(checked in checked(1..60)) {
        let fitted = Platt::fit(&checked).expect("there are matches");
        let [by_slope, by_offset] = gradient(&checked, &fitted);
        prop_assert!(fitted.slope >= 0.0);
        prop_assert!(by_offset.abs() < 1e-6, "{:?}: {}", fitted, by_offset);
        // At a slope of 0 the loss may fall on the far side alone.
        if fitted.slope > 0.0 {
            prop_assert!(by_slope.abs() < 1e-6, "{:?}: {}", fitted, by_slope);
        } else {
            prop_assert!(by_slope > -1e-6, "{}", by_slope);
        }
    }

    #[test]
    fn another_scale_of_confidences_gives_the_same_probabilities(
        checked in checked(2..40), scale in 0.01f64..100.0, shift in -10.0f64..10.0,
    ) {
        let moved: Vec<Checked> =
            checked.iter().map(|one| Checked { confidence: one.confidence * scale + shift, ..*one }).collect();
        let (one, other) = (Platt::fit(&checked).expect("matches"), Platt::fit(&moved).expect("matches"));
        for (a, b) in checked.iter().zip(&moved) {
            let (a, b) = (one.apply(a.confidence), other.apply(b.confidence));
            prop_assert!((a - b).abs() < 1e-5, "{} and {}", a, b);
        }
    }
}

#[test]
fn a_logistic_truth_is_found_again() {
    // At each of 101 confidences a thousand matches, as many of them right as the curve says.
    let (slope, offset) = (6.0, -3.5);
    let checked: Vec<Checked> = (0..=100)
        .flat_map(|k| {
            let confidence = f64::from(k) / 100.0;
            let right = (1000.0 / (1.0 + (-(slope * confidence + offset)).exp())).round() as usize;
            (0..1000).map(move |index| Checked { confidence, right: index < right })
        })
        .collect();
    let fitted = Platt::fit(&checked).expect("there are matches");
    assert!((fitted.slope - slope).abs() < 0.02 && (fitted.offset - offset).abs() < 0.02, "{fitted:?}");
}

#[test]
fn matches_that_are_told_apart_without_a_mistake_give_a_finite_curve() {
    let checked: Vec<Checked> =
        (0..100).map(|k| Checked { confidence: f64::from(k) / 100.0, right: k >= 50 }).collect();
    let fitted = Platt::fit(&checked).expect("there are matches");
    assert!(fitted.slope.is_finite() && fitted.slope > 0.0, "{fitted:?}");
    assert!(fitted.apply(0.2) < 0.05 && fitted.apply(0.8) > 0.95, "{fitted:?}");
}

#[test]
fn one_match_is_believed_with_caution() {
    let one = |right: bool| Platt::fit(&[Checked { confidence: 0.7, right }]).expect("a match").apply(0.7);
    assert!((one(true) - 2.0 / 3.0).abs() < 1e-12);
    assert!((one(false) - 1.0 / 3.0).abs() < 1e-12);
}

#[test]
fn confidences_that_mislead_give_a_constant() {
    let checked: Vec<Checked> = (0..10).map(|k| Checked { confidence: f64::from(k), right: k < 5 }).collect();
    let fitted = Platt::fit(&checked).expect("there are matches");
    assert_eq!(fitted.slope, 0.0);
    assert!((fitted.apply(3.0) - 0.5).abs() < 1e-12);
}

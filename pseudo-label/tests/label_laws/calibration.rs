use proptest::prelude::*;
use pseudo_label::{Calibrator, Checked, Isotonic, Platt, expected_calibration_error, reliability};

use crate::{checked, naive};

/// The same matches with their calibrated confidences.
fn calibrated(checked: &[Checked], calibrator: &Calibrator) -> Vec<Checked> {
    checked.iter().map(|one| Checked { confidence: calibrator.apply(one.confidence), ..*one }).collect()
}

proptest! {
    #[test]
    fn isotonic_is_the_least_squares_fit_of_the_min_max_formula(checked in checked(1..25)) {
        let fitted = Isotonic::fit(&checked).expect("there are matches");
        for one in &checked {
            let (got, wanted) = (fitted.apply(one.confidence), naive::isotonic(&checked, one.confidence));
            prop_assert!((got - wanted).abs() < 1e-12, "at {}: {} is not {}", one.confidence, got, wanted);
        }
    }

    #[test]
    fn no_rising_steps_are_nearer_than_the_isotonic_fit(
        checked in checked(1..12), heights in prop::collection::vec(0.0f64..1.0, 12),
    ) {
        let fitted = Isotonic::fit(&checked).expect("there are matches");
        let error = |value: &dyn Fn(f64) -> f64| -> f64 {
            checked.iter().map(|one| (value(one.confidence) - f64::from(u8::from(one.right))).powi(2)).sum()
        };
        // Any rising function: at each confidence the largest height of the matches up to it.
        let steps = |confidence: f64| {
            let below = checked.iter().zip(&heights).filter(|(one, _)| one.confidence <= confidence);
            below.map(|(_, height)| *height).fold(0.0, f64::max)
        };
        prop_assert!(error(&|confidence| fitted.apply(confidence)) <= error(&steps) + 1e-12);
    }

    #[test]
    fn calibration_never_turns_the_order_round(checked in checked(1..40), at in prop::collection::vec(-0.5f64..1.5, 2..20)) {
        let mut at = at;
        at.extend(checked.iter().map(|one| one.confidence));
        at.extend([f64::NEG_INFINITY, f64::INFINITY]);
        at.sort_by(f64::total_cmp);
        let fitted = [
            Calibrator::Uncalibrated,
            Calibrator::Isotonic(Isotonic::fit(&checked).expect("there are matches")),
            Calibrator::Platt(Platt::fit(&checked).expect("there are matches")),
        ];
        for calibrator in fitted {
            let values: Vec<f64> = at.iter().map(|confidence| calibrator.apply(*confidence)).collect();
            prop_assert!(values.is_sorted(), "{}: {:?}", calibrator, values);
            prop_assert!(values.iter().all(|value| (0.0..=1.0).contains(value)));
            prop_assert_eq!(calibrator.apply(f64::NAN), 0.0);
        }
    }

    #[test]
    fn what_isotonic_was_fitted_to_it_calibrates_exactly(checked in checked(1..60), bins in 1usize..20) {
        let calibrator = Calibrator::Isotonic(Isotonic::fit(&checked).expect("there are matches"));
        let error = expected_calibration_error(&reliability(&calibrated(&checked, &calibrator), bins));
        prop_assert!(error < 1e-12, "{}", error);
    }

    #[test]
    fn the_order_of_checked_matches_does_not_matter(
        (one, other) in checked(1..30).prop_flat_map(|all| (Just(all.clone()), Just(all).prop_shuffle())),
    ) {
        prop_assert_eq!(Isotonic::fit(&one), Isotonic::fit(&other));
    }

    #[test]
    fn calibrators_survive_being_stored(checked in checked(1..30)) {
        let fitted = [
            Calibrator::Uncalibrated,
            Calibrator::Isotonic(Isotonic::fit(&checked).expect("there are matches")),
            Calibrator::Platt(Platt::fit(&checked).expect("there are matches")),
        ];
        for calibrator in fitted {
            let text = toml::to_string(&calibrator).expect("it writes");
            prop_assert!(text.contains(&format!("method = \"{calibrator}\"")), "{}", text);
            prop_assert_eq!(toml::from_str::<Calibrator>(&text).expect("it reads what it wrote"), calibrator);
        }
    }
}

fn pairs(pairs: &[(f64, bool)]) -> Vec<Checked> {
    pairs.iter().map(|&(confidence, right)| Checked { confidence, right }).collect()
}

#[test]
fn violators_are_pooled_and_gaps_are_straight_lines() {
    let fitted = Isotonic::fit(&pairs(&[(0.1, false), (0.2, true), (0.4, false), (0.8, true)])).expect("four matches");
    for (confidence, share) in
        [(0.0, 0.0), (0.1, 0.0), (0.15, 0.25), (0.2, 0.5), (0.3, 0.5), (0.4, 0.5), (0.6, 0.75), (0.8, 1.0), (2.0, 1.0)]
    {
        let got = fitted.apply(confidence);
        assert!((got - share).abs() < 1e-12, "at {confidence}: {got} is not {share}");
    }
}

#[test]
fn matches_without_a_confidence_are_left_out_and_of_none_nothing_is_learnt() {
    let some = pairs(&[(0.1, false), (0.9, true)]);
    let mut more = some.clone();
    more.extend(pairs(&[(f64::NAN, true), (f64::INFINITY, false)]));
    assert_eq!(Isotonic::fit(&some), Isotonic::fit(&more));
    assert_eq!(Platt::fit(&some), Platt::fit(&more));
    for nothing in [&[][..], &more[2..]] {
        let error = Isotonic::fit(nothing).expect_err("there is nothing").to_string();
        assert!(error.contains("no match with a known truth"), "{error}");
        assert!(Platt::fit(nothing).is_err());
    }
}

#[test]
fn uncalibrated_is_the_default_and_changes_nothing() {
    let calibrator = Calibrator::default();
    assert_eq!(calibrator.to_string(), "uncalibrated");
    for confidence in [0.0, 0.3, 1.0] {
        assert_eq!(calibrator.apply(confidence), confidence);
    }
}

#[test]
fn a_damaged_calibrator_is_refused_with_what_is_wrong() {
    for (knots, problem) in [
        ("[]", "at least one knot"),
        ("[[0.5, 0.2], [0.1, 0.4]]", "rise"),
        ("[[0.1, 0.4], [0.5, 0.2]]", "rise"),
        ("[[0.1, 1.5]]", "0..=1"),
        ("[[nan, 0.5]]", "finite"),
    ] {
        let text = format!("method = \"isotonic\"\nknots = {knots}");
        let error = toml::from_str::<Calibrator>(&text).expect_err(knots).to_string();
        assert!(error.contains(problem) && error.contains("again"), "{error}");
    }
    assert!(toml::from_str::<Calibrator>("method = \"guess\"").is_err());
    assert!(toml::from_str::<Calibrator>("method = \"platt\"\nslope = 1.0\noffset = 0.0\nmore = 1").is_err());
}

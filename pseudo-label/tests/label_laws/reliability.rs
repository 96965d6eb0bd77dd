use proptest::prelude::*;
use pseudo_label::{Checked, coverage_curve, expected_calibration_error, reliability};

use crate::{checked, naive};

proptest! {
    #[test]
    fn bins_hold_every_match_once(checked in checked(0..60), count in 1usize..20) {
        let bins = reliability(&checked, count);
        prop_assert_eq!(bins.len(), count);
        prop_assert_eq!(bins.iter().map(|bin| bin.count).sum::<usize>(), checked.len());
        for (index, bin) in bins.iter().enumerate().filter(|(_, bin)| bin.count > 0) {
            let end = (index + 1) as f64 / count as f64;
            prop_assert!((bin.from - 1e-9..=end + 1e-9).contains(&bin.confidence));
            prop_assert!((0.0..=1.0).contains(&bin.right));
        }
        let error = expected_calibration_error(&bins);
        prop_assert!((0.0..=1.0).contains(&error));
    }

    #[test]
    fn one_bin_asks_for_the_means_alone(checked in checked(1..60)) {
        let mean = checked.iter().map(|one| one.confidence).sum::<f64>() / checked.len() as f64;
        let error = expected_calibration_error(&reliability(&checked, 1));
        prop_assert!((error - (mean - naive::share_right(&checked, |_| true)).abs()).abs() < 1e-12);
    }

    #[test]
    fn the_curve_is_precision_from_every_confidence_on(checked in checked(0..60)) {
        let curve = coverage_curve(&checked);
        let mut confidences: Vec<f64> = checked.iter().map(|one| one.confidence).collect();
        confidences.sort_by(|a, b| b.total_cmp(a));
        confidences.dedup();
        prop_assert_eq!(curve.iter().map(|point| point.confidence).collect::<Vec<_>>(), confidences);
        for point in &curve {
            let kept = checked.iter().filter(|one| one.confidence >= point.confidence).count();
            prop_assert_eq!(point.kept, kept as f64 / checked.len() as f64);
            prop_assert_eq!(point.precision, naive::share_right(&checked, |confidence| confidence >= point.confidence));
        }
        prop_assert!(curve.is_sorted_by(|a, b| a.kept < b.kept));
        prop_assert_eq!(curve.last().map(|point| point.kept), (!checked.is_empty()).then_some(1.0));
    }
}

#[test]
fn the_error_is_the_weighted_distance_of_promise_and_truth() {
    // Four at .9 of which two are right, one at .1 that is wrong, in two bins.
    let mut checked: Vec<Checked> = (0..4).map(|k| Checked { confidence: 0.9, right: k < 2 }).collect();
    checked.push(Checked { confidence: 0.1, right: false });
    let error = expected_calibration_error(&reliability(&checked, 2));
    assert!((error - (4.0 * 0.4 + 0.1) / 5.0).abs() < 1e-12, "{error}");
}

#[test]
fn matches_without_a_confidence_are_in_no_bin_and_on_no_curve() {
    let checked = [Checked { confidence: f64::NAN, right: true }, Checked { confidence: 1.0, right: true }];
    assert_eq!(reliability(&checked, 4).iter().map(|bin| bin.count).collect::<Vec<_>>(), [0, 0, 0, 1]);
    assert_eq!(coverage_curve(&checked).len(), 1);
    assert_eq!(expected_calibration_error(&reliability(&checked[..1], 4)), 0.0);
}

#[test]
#[should_panic(expected = "at least one bin, got 0")]
fn a_diagram_without_bins_panics() {
    reliability(&[], 0);
}

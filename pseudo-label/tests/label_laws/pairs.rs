use corr_volume::Grid;
use proptest::prelude::*;
use pseudo_label::{
    ConsistencyConfig, Judgement, KeyPointConfig, MatchField, PartnerMatches, cycle_tolerance, judge, match_confidence,
    pair_candidates, pair_key_points, passes,
};

use crate::{grids, levels, shifted};

fn one_to_one(grid: Grid, mask: &[f32], config: &ConsistencyConfig) -> Judgement {
    let (errors, sure) = (vec![0.0; grid.cells()], vec![1.0; grid.cells()]);
    judge(mask, grid, &[PartnerMatches { cycle_errors: &errors, peakedness: &sure }], config)
}

proptest! {
    #[test]
    fn confidence_is_monotone_in_each_and_within_bounds(
        peakedness in 0.0f32..=1.0, error in 0.0f32..5.0, tolerance in 0.01f32..3.0, agreement in 0.0f32..=1.0, by in 0.0f32..1.0,
    ) {
        let confidence = match_confidence(peakedness, error, tolerance, agreement);
        prop_assert!((0.0..=1.0).contains(&confidence));
        prop_assert!(match_confidence((peakedness + by).min(1.0), error, tolerance, agreement) >= confidence);
        prop_assert!(match_confidence(peakedness, error + by, tolerance, agreement) <= confidence);
        prop_assert!(match_confidence(peakedness, error, tolerance + by, agreement) >= confidence);
        prop_assert!(match_confidence(peakedness, error, tolerance, (agreement + by).min(1.0)) >= confidence);
    }

    #[test]
    fn candidates_are_all_the_matches_that_pass_and_no_others(
        (grid, mask, errors, sure, target_mask) in grids().prop_flat_map(|grid| {
            let cells = grid.cells();
            (Just(grid), levels(cells), levels(cells), levels(cells), levels(cells))
        }),
        by in prop::array::uniform2(-2.0f32..2.0), tolerance in 0.0f32..1.0,
    ) {
        let config = ConsistencyConfig { cycle_cells: tolerance, ..Default::default() };
        let matches = PartnerMatches { cycle_errors: &errors, peakedness: &sure };
        let (flat, peaked) = (vec![0.0; grid.cells()], vec![1.0; grid.cells()]);
        let agreeing = PartnerMatches { cycle_errors: &flat, peakedness: &peaked };
        let source = judge(&mask, grid, &[matches, agreeing], &config);
        let target = one_to_one(grid, &target_mask, &config);
        let points = shifted(grid, by);
        let candidates = pair_candidates(&source, &target, MatchField::new(&points, grid), matches, &config);
        let tolerance = cycle_tolerance(&source.object, &config);
        for (cell, point) in points.iter().enumerate() {
            let wanted = source.discriminative[cell] && passes(errors[cell], sure[cell], tolerance, &config)
                && target.object.contains(*point);
            let found: Vec<_> = candidates.iter().filter(|candidate| candidate.cell == cell).collect();
            prop_assert_eq!(found.len(), usize::from(wanted));
            for candidate in found {
                prop_assert_eq!(candidate.target, *point);
                let wanted = match_confidence(sure[cell], errors[cell], tolerance, source.agreement[cell]);
                prop_assert_eq!(candidate.confidence, wanted);
            }
        }
    }
}

#[test]
fn confidence_is_the_product_of_its_evidence() {
    assert_eq!(match_confidence(0.5, 0.0, 1.0, 0.5), 0.25);
    assert!((match_confidence(1.0, 2.0, 2.0, 1.0) - (-0.5f32).exp()).abs() < 1e-6);
    assert_eq!(match_confidence(1.0, 0.0, 0.0, 1.0), 1.0);
    assert_eq!(match_confidence(1.0, 0.1, 0.0, 1.0), 0.0);
    for bad in
        [[f32::NAN, 0.0, 1.0, 1.0], [1.0, f32::NAN, 1.0, 1.0], [1.0, 1.0, f32::NAN, 1.0], [1.0, 0.0, 1.0, f32::NAN]]
    {
        assert_eq!(match_confidence(bad[0], bad[1], bad[2], bad[3]), 0.0, "{bad:?}");
    }
}

#[test]
fn key_points_are_cell_centres_with_targets_between_cells() {
    let (grid, config) = (Grid::new(4, 6), ConsistencyConfig::default());
    let judged = one_to_one(grid, &[1.0; 24], &config);
    let points = shifted(grid, [0.25, 0.0]);
    let (errors, sure) = ([0.5; 24], [0.8; 24]);
    let matches = PartnerMatches { cycle_errors: &errors, peakedness: &sure };
    let field = MatchField::new(&points, grid);
    let choice = KeyPointConfig { most: 5, spacing: 2.0, ..KeyPointConfig::default() };
    let found = pair_key_points(&judged, &judged, field, matches, &config, &choice);
    assert_eq!(found.iter().map(|point| point.cell).collect::<Vec<_>>(), [0, 2, 4, 12, 14]);
    assert_eq!((found[3].source, found[3].target, found[3].cycle_error), ([0.0, 2.0], [0.25, 2.0], 0.5));
    assert!(found.iter().all(|point| point.confidence == match_confidence(0.8, 0.5, 1.0, 1.0)));
}

#[test]
fn a_match_beside_the_partners_object_is_left_out() {
    let (grid, config) = (Grid::new(1, 4), ConsistencyConfig::default());
    let source = one_to_one(grid, &[1.0; 4], &config);
    let target = one_to_one(grid, &[0.0, 1.0, 1.0, 0.0], &config);
    let points = [[0.4, 0.0], [0.6, 0.0], [2.4, 0.0], [f32::NAN, 0.0]];
    let (errors, sure) = ([0.0; 4], [1.0; 4]);
    let matches = PartnerMatches { cycle_errors: &errors, peakedness: &sure };
    let candidates = pair_candidates(&source, &target, MatchField::new(&points, grid), matches, &config);
    assert_eq!(candidates.iter().map(|candidate| candidate.cell).collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn an_image_without_foreground_or_partner_gives_no_key_points() {
    let (grid, config) = (Grid::square(1), ConsistencyConfig::default());
    let points = shifted(grid, [0.0; 2]);
    let field = MatchField::new(&points, grid);
    let matches = PartnerMatches { cycle_errors: &[0.0], peakedness: &[1.0] };
    let good = one_to_one(grid, &[1.0], &config);
    let count =
        |source: &Judgement| pair_key_points(source, &good, field, matches, &config, &KeyPointConfig::default()).len();
    assert_eq!(count(&good), 1);
    assert_eq!(count(&one_to_one(grid, &[0.0], &config)), 0);
    assert_eq!(count(&judge(&[1.0], grid, &[], &config)), 0);
}

#[test]
#[should_panic(expected = "the grid of the source's judgement")]
fn a_field_of_another_image_panics() {
    let (grid, config) = (Grid::square(2), ConsistencyConfig::default());
    let judged = one_to_one(grid, &[1.0; 4], &config);
    let other = Grid::new(1, 4);
    let points = shifted(other, [0.0; 2]);
    let matches = PartnerMatches { cycle_errors: &[0.0; 4], peakedness: &[1.0; 4] };
    pair_candidates(&judged, &judged, MatchField::new(&points, other), matches, &config);
}

use corr_volume::Grid;
use proptest::prelude::*;
use pseudo_label::{CellBox, ConsistencyConfig, Judgement, PartnerMatches, Rejection, judge, passes};

use crate::{grids, levels, naive};

/// Cycle errors and peakedness with one partner.
type Partner = (Vec<f32>, Vec<f32>);

/// An image's grid and mask, and its matches with up to four partners.
fn images() -> impl Strategy<Value = (Grid, Vec<f32>, Vec<Partner>)> {
    grids().prop_flat_map(|grid| {
        let partner = (levels(grid.cells()), levels(grid.cells()));
        (Just(grid), levels(grid.cells()), prop::collection::vec(partner, 0..5))
    })
}

/// Thresholds that some of the levels pass.
fn configs() -> impl Strategy<Value = ConsistencyConfig> {
    (0.0f32..1.0, 0.0f32..0.2, 0.0f32..1.0, 0.0f32..1.0, 0usize..6, 0usize..5).prop_map(
        |(cycle_cells, cycle_share, least_peakedness, partners, least_cells, least_blocks)| ConsistencyConfig {
            cycle_cells,
            cycle_share,
            least_peakedness,
            partners,
            least_cells,
            least_blocks,
            ..Default::default()
        },
    )
}

fn borrowed(partners: &[Partner]) -> Vec<PartnerMatches<'_>> {
    partners.iter().map(|(cycle_errors, peakedness)| PartnerMatches { cycle_errors, peakedness }).collect()
}

/// Cells that pass with every one of so many partners.
fn agreeing(grid: Grid, mask: &[f32], partners: usize, config: &ConsistencyConfig) -> Judgement {
    let (errors, peakedness) = (vec![0.0; grid.cells()], vec![1.0; grid.cells()]);
    let partner = PartnerMatches { cycle_errors: &errors, peakedness: &peakedness };
    judge(mask, grid, &vec![partner; partners], config)
}

proptest! {
    #[test]
    fn discriminative_cells_are_those_of_the_twin((grid, mask, partners) in images(), config in configs()) {
        let partners = borrowed(&partners);
        let got = judge(&mask, grid, &partners, &config);
        prop_assert_eq!(&got.discriminative, &naive::discriminative(&mask, grid, &partners, &config));
        prop_assert_eq!(got.cells, got.discriminative.iter().filter(|one| **one).count());
        prop_assert!((0.0..=1.0).contains(&got.score));
        prop_assert_eq!(got.score > 0.0, got.cells > 0);
        prop_assert!(got.blocks <= got.cells.min(16));
        prop_assert!((got.blocks > 0) == (got.cells > 0));
        prop_assert!(got.agreement.iter().all(|share| (0.0..=1.0).contains(share)));
        let kept = !partners.is_empty() && naive::object_box(&mask, grid, config.foreground).is_some()
            && got.cells >= config.least_cells && got.blocks >= config.least_blocks;
        prop_assert_eq!(got.rejection.is_none(), kept);
    }

    #[test]
    fn stricter_thresholds_believe_no_more(
        (grid, mask, partners) in images(), config in configs(), more in prop::array::uniform4(0.0f32..0.5), counts in 0usize..3,
    ) {
        let partners = borrowed(&partners);
        let loose = judge(&mask, grid, &partners, &config);
        let strict = ConsistencyConfig {
            cycle_cells: config.cycle_cells - more[0],
            cycle_share: config.cycle_share - more[1],
            least_peakedness: config.least_peakedness + more[2],
            partners: config.partners + more[3],
            least_cells: config.least_cells + counts,
            least_blocks: config.least_blocks + counts,
            ..config
        };
        let strict = judge(&mask, grid, &partners, &strict);
        for cell in 0..grid.cells() {
            prop_assert!(loose.discriminative[cell] || !strict.discriminative[cell]);
            prop_assert!(loose.agreement[cell] >= strict.agreement[cell]);
        }
        prop_assert!(loose.score >= strict.score);
        prop_assert!(loose.rejection.is_none() || strict.rejection.is_some());
    }

    #[test]
    fn a_check_switched_off_rejects_nothing((grid, mask, partners) in images(), config in configs()) {
        let partners = borrowed(&partners);
        let all = judge(&mask, grid, &partners, &config);
        for off in [ConsistencyConfig { cycle: false, ..config.clone() }, ConsistencyConfig { peaked: false, ..config }] {
            let fewer = judge(&mask, grid, &partners, &off);
            prop_assert!((0..grid.cells()).all(|cell| fewer.discriminative[cell] || !all.discriminative[cell]));
        }
    }

    #[test]
    fn the_order_of_partners_does_not_matter((grid, mask, mut partners) in images(), config in configs()) {
        let there = judge(&mask, grid, &borrowed(&partners), &config);
        partners.reverse();
        prop_assert_eq!(there, judge(&mask, grid, &borrowed(&partners), &config));
    }
}

#[test]
fn nan_passes_no_check_that_is_on() {
    let config = ConsistencyConfig::default();
    assert!(passes(1.0, 0.3, 1.0, &config));
    assert!(!passes(f32::NAN, 0.9, 1.0, &config));
    assert!(!passes(0.0, f32::NAN, 1.0, &config));
    assert!(passes(f32::NAN, 0.9, 1.0, &ConsistencyConfig { cycle: false, ..config.clone() }));
    assert!(passes(0.0, f32::NAN, 1.0, &ConsistencyConfig { peaked: false, ..config }));
}

#[test]
fn half_of_the_partners_are_enough_and_fewer_are_not() {
    let grid = Grid::new(1, 5);
    let all = [0.0; 5];
    // Cell k passes with the first k partners of four.
    let sure: Vec<Vec<f32>> =
        (0..4).map(|partner| (0..5).map(|cell| f32::from(u8::from(cell > partner))).collect()).collect();
    let partners: Vec<_> = sure.iter().map(|sure| PartnerMatches { cycle_errors: &all, peakedness: sure }).collect();
    let judged = judge(&[1.0; 5], grid, &partners, &ConsistencyConfig::default());
    assert_eq!(judged.agreement, [0.0, 0.25, 0.5, 0.75, 1.0]);
    assert_eq!(judged.discriminative, [false, false, true, true, true]);
    assert_eq!(judged.score, 0.6);
}

#[test]
fn a_share_that_binary_fractions_miss_is_met_exactly() {
    let (errors, sure, unsure) = ([0.0], [1.0], [0.0]);
    for (of, tenths) in [(10, 1), (10, 3), (10, 7), (30, 3), (30, 9), (30, 21)] {
        let partner =
            |passes: bool| PartnerMatches { cycle_errors: &errors, peakedness: if passes { &sure } else { &unsure } };
        let config = ConsistencyConfig { partners: tenths as f32 / of as f32, ..Default::default() };
        let with = |passing: usize| {
            let partners: Vec<_> = (0..of).map(|index| partner(index < passing)).collect();
            judge(&[1.0], Grid::square(1), &partners, &config).discriminative[0]
        };
        assert!(with(tenths) && !with(tenths - 1), "{tenths} of {of}");
    }
}

#[test]
fn no_cell_is_discriminative_without_a_partner_that_agrees() {
    let config = ConsistencyConfig { partners: 0.0, ..Default::default() };
    let (errors, unsure) = ([0.0; 4], [0.0; 4]);
    let partner = PartnerMatches { cycle_errors: &errors, peakedness: &unsure };
    assert_eq!(judge(&[1.0; 4], Grid::square(2), &[partner], &config).cells, 0);
}

#[test]
fn an_image_is_kept_or_the_reason_is_given() {
    let grid = Grid::square(8);
    let config = ConsistencyConfig::default();
    let reason = |mask: &[f32], partners: usize| agreeing(grid, mask, partners, &config).rejection;
    assert_eq!(reason(&[1.0; 64], 1), None);
    assert_eq!(reason(&[1.0; 64], 3), None);
    assert_eq!(reason(&[1.0; 64], 0), Some(Rejection::NoPartner));
    assert_eq!(reason(&[0.0; 64], 1), Some(Rejection::NoForeground));
    assert_eq!(reason(&[f32::NAN; 64], 1), Some(Rejection::NoForeground));
    let mut small = [0.0; 64];
    small[..7].fill(1.0);
    assert_eq!(reason(&small, 1), Some(Rejection::FewCells));

    // Nine cells in a corner of the object hold 2×2 of its blocks at most; ask for five.
    let corner: Vec<f32> = (0..64).map(|cell| f32::from(u8::from(cell / 8 < 3 && cell % 8 < 3))).collect();
    let errors = [0.0; 64];
    let partner = PartnerMatches { cycle_errors: &errors, peakedness: &corner };
    let strict = ConsistencyConfig { least_blocks: 5, ..config };
    let judged = judge(&[1.0; 64], grid, &[partner], &strict);
    assert_eq!((judged.cells, judged.blocks, judged.rejection), (9, 4, Some(Rejection::FewBlocks)));
}

#[test]
fn only_the_largest_part_of_the_mask_is_the_object() {
    // Columns 0 to 2 and column 6 are foreground.
    let grid = Grid::new(4, 8);
    let mask: Vec<f32> = (0..32).map(|cell| f32::from(u8::from(cell % 8 < 3 || cell % 8 == 6))).collect();
    let judged = agreeing(grid, &mask, 1, &ConsistencyConfig::default());
    assert_eq!(judged.object, CellBox { left: 0, top: 0, right: 3, bottom: 4 });
    assert_eq!((judged.cells, judged.score), (12, 1.0));
    let unmasked = agreeing(grid, &mask, 1, &ConsistencyConfig { mask: false, ..Default::default() });
    assert_eq!((unmasked.cells, unmasked.object), (32, CellBox::whole(grid)));
}

#[test]
fn a_large_object_forgives_larger_cycles() {
    let grid = Grid::square(40);
    let (errors, sure) = (vec![1.5; 1600], vec![1.0; 1600]);
    let partner = PartnerMatches { cycle_errors: &errors, peakedness: &sure };
    let config = ConsistencyConfig::default();
    assert_eq!(judge(&vec![1.0; 1600], grid, &[partner], &config).score, 1.0);
    let half: Vec<f32> = (0..1600).map(|cell| f32::from(u8::from(cell / 40 < 20 && cell % 40 < 20))).collect();
    assert_eq!(judge(&half, grid, &[partner], &config).score, 0.0);
}

#[test]
fn a_single_cell_can_be_all_there_is() {
    let config = ConsistencyConfig { least_cells: 1, least_blocks: 1, ..Default::default() };
    let judged = agreeing(Grid::square(1), &[1.0], 1, &config);
    assert_eq!((judged.rejection, judged.score, judged.blocks), (None, 1.0, 1));
}

#[test]
fn reasons_have_the_same_name_in_print_and_in_files() {
    for reason in [Rejection::NoPartner, Rejection::NoForeground, Rejection::FewCells, Rejection::FewBlocks] {
        assert_eq!(toml::Value::try_from(reason).expect("it writes").as_str(), Some(reason.to_string().as_str()));
    }
}

#[test]
#[should_panic(expected = "got 3 and 4")]
fn matches_of_another_size_panic() {
    let partner = PartnerMatches { cycle_errors: &[0.0; 3], peakedness: &[0.0; 4] };
    judge(&[1.0; 4], Grid::square(2), &[partner], &ConsistencyConfig::default());
}

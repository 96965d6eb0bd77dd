use corr_volume::Grid;
use proptest::prelude::*;
use pseudo_label::{Candidate, KeyPointConfig, KeyPointOrder, key_points};

use crate::grids;

/// Candidates of a grid, some of the same cell, many equally sure, some without a value.
fn candidates() -> impl Strategy<Value = (Grid, Vec<Candidate>)> {
    grids().prop_flat_map(|grid| {
        let number = || prop_oneof![8 => (0u8..5).prop_map(|level| f32::from(level) / 4.0), 1 => Just(f32::NAN)];
        let one = (0..grid.cells(), number(), number()).prop_map(|(cell, x, confidence)| Candidate {
            cell,
            target: [x, 0.0],
            confidence,
        });
        (Just(grid), prop::collection::vec(one, 0..40))
    })
}

fn orders() -> impl Strategy<Value = KeyPointOrder> {
    prop_oneof![Just(KeyPointOrder::Confidence), Just(KeyPointOrder::Chance)]
}

fn distance(grid: Grid, a: &Candidate, b: &Candidate) -> f32 {
    let ((a_row, a_column), (b_row, b_column)) = (grid.row_col(a.cell), grid.row_col(b.cell));
    ((a_row as f32 - b_row as f32).powi(2) + (a_column as f32 - b_column as f32).powi(2)).sqrt()
}

proptest! {
    #[test]
    fn chosen_ones_keep_their_distance_and_their_number(
        (grid, candidates) in candidates(), most in 0usize..12, spacing in prop_oneof![Just(0.0f32), 0.0f32..4.0],
    ) {
        let config = KeyPointConfig { most, spacing, ..KeyPointConfig::default() };
        let chosen = key_points(&candidates, grid, &config);
        prop_assert!(chosen.len() <= most);
        for (index, one) in chosen.iter().enumerate() {
            prop_assert!(candidates.contains(one));
            for before in &chosen[..index] {
                prop_assert!(distance(grid, one, before) >= spacing - 1e-6);
                prop_assert!(before.confidence >= one.confidence);
            }
        }
        // Nothing is left out but for a surer one near by, or because there were enough.
        let finite = |one: &&Candidate| one.confidence.is_finite() && one.target[0].is_finite();
        for one in candidates.iter().filter(finite) {
            let suppressed = chosen.iter().any(|held| held.confidence >= one.confidence
                && (held == one || distance(grid, held, one) < spacing + 1e-6));
            prop_assert!(suppressed || chosen.len() == most);
        }
    }

    #[test]
    fn the_order_of_candidates_does_not_matter(
        ((grid, candidates), mixed) in candidates().prop_flat_map(|(grid, candidates)| {
            let mixed = Just(candidates.clone()).prop_shuffle();
            (Just((grid, candidates)), mixed)
        }),
        most in 0usize..12, spacing in 0.0f32..4.0, order in orders(),
    ) {
        let config = KeyPointConfig { most, spacing, order };
        prop_assert_eq!(key_points(&candidates, grid, &config), key_points(&mixed, grid, &config));
    }

    #[test]
    fn fewer_are_the_first_of_more(
        (grid, candidates) in candidates(), most in 0usize..12, more in 0usize..12, order in orders(),
    ) {
        let choose = |most: usize| key_points(&candidates, grid, &KeyPointConfig { most, order, ..Default::default() });
        let (fewer, more) = (choose(most), choose(most + more));
        prop_assert_eq!(&fewer[..], &more[..fewer.len()]);
    }
}

/// Of a hundred candidates, surer from cell to cell, and twenty chosen: chance takes as many from each half, give or take
/// what chance does, and no confidence changes which.
#[test]
fn chance_does_not_ask_how_sure_a_candidate_is() {
    let grid = Grid::square(10);
    let chosen = |confidence: fn(usize) -> f32| {
        let all: Vec<Candidate> = (0..grid.cells())
            .map(|cell| Candidate { cell, target: [(cell * 7 % 10) as f32, 3.0], confidence: confidence(cell) })
            .collect();
        let config = KeyPointConfig { most: 20, spacing: 1.0, order: KeyPointOrder::Chance };
        key_points(&all, grid, &config).iter().map(|one| one.cell).collect::<Vec<_>>()
    };
    let surer = chosen(|cell| cell as f32 / 100.0);
    assert_eq!(surer, chosen(|cell| 1.0 - cell as f32 / 100.0));
    let of_the_sure_half = surer.iter().filter(|&&cell| cell >= 50).count();
    assert!((5..=15).contains(&of_the_sure_half), "{of_the_sure_half} of 20 are of the surer half: {surer:?}");
    assert!(surer.iter().any(|&cell| cell % 10 >= 5) && surer.iter().any(|&cell| cell % 10 < 5), "{surer:?}");
}

#[test]
fn of_neighbours_the_surest_stays() {
    let grid = Grid::new(1, 5);
    let candidate = |cell: usize, confidence: f32| Candidate { cell, target: [0.0; 2], confidence };
    let all = [candidate(0, 0.5), candidate(1, 0.9), candidate(2, 0.7), candidate(3, 0.6), candidate(4, f32::NAN)];
    let cells: Vec<usize> =
        key_points(&all, grid, &KeyPointConfig::default()).iter().map(|candidate| candidate.cell).collect();
    assert_eq!(cells, [1, 3]);
}

#[test]
#[should_panic(expected = "cell 4 lies outside a grid of 2x2")]
fn a_cell_outside_the_grid_panics() {
    let candidate = Candidate { cell: 4, target: [0.0; 2], confidence: 1.0 };
    key_points(&[candidate], Grid::square(2), &KeyPointConfig::default());
}

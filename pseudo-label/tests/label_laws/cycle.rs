use corr_volume::Grid;
use proptest::prelude::*;
use pseudo_label::{MatchField, cycle_ends, cycle_errors, worst_errors};

use crate::{grids, naive, shifted};

proptest! {
    #[test]
    fn identities_close_exactly(grid in grids(), length in 1usize..4) {
        let points = shifted(grid, [0.0; 2]);
        let fields = vec![MatchField::new(&points, grid); length];
        prop_assert_eq!(cycle_errors(&fields), vec![0.0; grid.cells()]);
        prop_assert_eq!(cycle_ends(&fields), points);
    }

    #[test]
    fn a_translation_and_its_inverse_close_inside(grid in grids(), x in -3.0f32..3.0, y in -3.0f32..3.0) {
        let (there, back) = (shifted(grid, [x, y]), shifted(grid, [-x, -y]));
        let errors = cycle_errors(&[MatchField::new(&there, grid), MatchField::new(&back, grid)]);
        for (cell, error) in errors.into_iter().enumerate() {
            let inside = |value: f32, size: usize| (0.0..=(size - 1) as f32).contains(&value);
            if inside(there[cell][0], grid.width) && inside(there[cell][1], grid.height) {
                prop_assert!(error < 1e-5, "cell {}: {}", cell, error);
            }
        }
    }

    #[test]
    fn a_chain_of_three_translations_that_cancel_out_closes_inside(x in -1.0f32..1.0, y in -1.0f32..1.0) {
        let grid = Grid::square(9);
        let steps = [[x, y], [y, -x], [-x - y, x - y]].map(|step| shifted(grid, step));
        let fields = steps.each_ref().map(|points| MatchField::new(points, grid));
        let middle = grid.index(4, 4);
        prop_assert!(cycle_errors(&fields)[middle] < 1e-5);
        prop_assert!((cycle_errors(&fields[..1])[middle] - x.hypot(y)).abs() < 1e-5);
    }

    #[test]
    fn between_cells_a_field_is_the_mean_of_its_neighbours(
        grid in grids(), seed in prop::collection::vec(-4.0f32..9.0, 72), x in -2.0f32..8.0, y in -2.0f32..8.0,
    ) {
        let points: Vec<[f32; 2]> = (0..grid.cells()).map(|cell| [seed[cell], seed[cell + 36]]).collect();
        let got = MatchField::new(&points, grid).at([x, y]);
        let wanted = naive::bilinear(&points, grid, [x, y]);
        for axis in 0..2 {
            prop_assert!((f64::from(got[axis]) - wanted[axis]).abs() < 1e-4, "{:?} is not {:?}", got, wanted);
        }
    }
}

#[test]
fn what_is_not_finite_closes_no_cycle_and_spoils_no_other() {
    let grid = Grid::new(1, 4);
    let home = shifted(grid, [0.0; 2]);
    for nowhere in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut there = home.clone();
        there[1] = [nowhere, 0.0];
        let (there, home) = (MatchField::new(&there, grid), MatchField::new(&home, grid));
        // Lost on the way there, on the way back, and at once.
        for fields in [vec![there, home], vec![home, there], vec![there]] {
            let errors = cycle_errors(&fields);
            assert!(errors[1].is_nan(), "{errors:?}");
            assert_eq!([errors[0], errors[2], errors[3]], [0.0; 3]);
        }
    }
}

#[test]
fn a_field_without_an_answer_at_a_point_has_none_between() {
    let grid = Grid::new(1, 2);
    let points = [[f32::NAN, 0.0], [1.0, 0.0]];
    let field = MatchField::new(&points, grid);
    assert_eq!(field.at([1.0, 0.0]), [1.0, 0.0]);
    assert!(field.at([0.75, 0.0])[0].is_nan());
    assert!(field.at([f32::NAN, 0.0]).iter().all(|value| value.is_nan()));
}

#[test]
fn fields_of_two_grids_close_on_the_first() {
    let (small, large) = (Grid::new(1, 2), Grid::new(1, 4));
    let (there, back) = ([[0.0, 0.0], [3.0, 0.0]], [[0.0, 0.0], [0.0, 0.0], [1.0, 0.0], [1.0, 0.0]]);
    let fields = [MatchField::new(&there, small), MatchField::new(&back, large)];
    assert_eq!(cycle_errors(&fields), [0.0, 0.0]);
}

#[test]
fn the_worst_of_two_errors_is_the_larger_or_none() {
    let worst = worst_errors(&[1.0, 3.0, f32::NAN, 0.0], &[2.0, 1.0, 0.0, f32::NAN]);
    assert_eq!(worst[..2], [2.0, 3.0]);
    assert!(worst[2].is_nan() && worst[3].is_nan());
}

#[test]
#[should_panic(expected = "at least one field, got 0")]
fn a_cycle_of_nothing_panics() {
    cycle_errors(&[]);
}

#[test]
#[should_panic(expected = "one point for each of its cells")]
fn a_field_of_another_size_panics() {
    MatchField::new(&[[0.0; 2]; 3], Grid::square(2));
}

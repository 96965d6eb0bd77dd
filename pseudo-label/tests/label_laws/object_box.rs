use corr_volume::Grid;
use proptest::prelude::*;
use pseudo_label::{CellBox, object_box};

use crate::{grids, levels, naive};

proptest! {
    #[test]
    fn the_box_is_that_of_the_naive_largest_part(
        (grid, mask) in grids().prop_flat_map(|grid| (Just(grid), levels(grid.cells()))), threshold in 0.1f32..1.0,
    ) {
        prop_assert_eq!(object_box(&mask, grid, threshold), naive::object_box(&mask, grid, threshold));
    }

    #[test]
    fn blocks_tile_the_box_and_nothing_else(
        grid in grids(), left in 0usize..6, top in 0usize..6, width in 1usize..7, height in 1usize..7, blocks in 1usize..5,
    ) {
        let (left, top) = (left % grid.width, top % grid.height);
        let cells = CellBox { left, top, right: (left + width).min(grid.width), bottom: (top + height).min(grid.height) };
        let mut last = 0;
        for (row, column) in naive::cells(grid) {
            let block = cells.block(row, column, blocks);
            prop_assert_eq!(block.is_some(), cells.contains([column as f32, row as f32]));
            if let Some(block) = block {
                prop_assert!(block < blocks * blocks);
                last = last.max(block);
            }
        }
        // The last cell is in the last block if there are as many cells as blocks.
        if cells.right - cells.left >= blocks && cells.bottom - cells.top >= blocks {
            prop_assert_eq!(last, blocks * blocks - 1);
        }
    }
}

#[test]
fn a_block_is_a_quarter_of_each_side() {
    let cells = CellBox { left: 2, top: 1, right: 10, bottom: 5 };
    assert_eq!(cells.block(1, 2, 4), Some(0));
    assert_eq!(cells.block(1, 3, 4), Some(0));
    assert_eq!(cells.block(1, 4, 4), Some(1));
    assert_eq!(cells.block(2, 9, 4), Some(7));
    assert_eq!(cells.block(4, 9, 4), Some(15));
    assert_eq!(cells.block(5, 9, 4), None);
}

#[test]
fn a_box_holds_its_cells_to_their_edges() {
    let cells = CellBox { left: 1, top: 0, right: 3, bottom: 1 };
    assert_eq!(cells.corners(), [[0.5, -0.5], [2.5, 0.5]]);
    for (point, inside) in [([0.5, 0.0], true), ([2.4, -0.5], true), ([2.5, 0.0], false), ([0.4, 0.0], false)] {
        assert_eq!(cells.contains(point), inside, "{point:?}");
    }
    assert!(!cells.contains([f32::NAN, 0.0]) && !cells.contains([1.0, f32::NAN]));
}

#[test]
fn diagonal_neighbours_are_two_parts_and_the_first_of_equals_wins() {
    let grid = Grid::square(2);
    let found = object_box(&[0.0, 1.0, 1.0, 0.0], grid, 0.5);
    assert_eq!(found, Some(CellBox { left: 1, top: 0, right: 2, bottom: 1 }));
    assert_eq!(object_box(&[0.0; 4], grid, 0.5), None);
    assert_eq!(object_box(&[f32::NAN; 4], grid, 0.0), None);
}

#[test]
#[should_panic(expected = "a mask over a grid of 2x2")]
fn a_mask_of_another_size_panics() {
    object_box(&[1.0; 3], Grid::square(2), 0.5);
}

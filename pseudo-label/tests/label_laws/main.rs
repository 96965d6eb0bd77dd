//! What is believed, and how far: every function against its naive twin and its laws.

#[path = "../naive/mod.rs"]
mod naive;

mod calibration;
mod configs;
mod consistency;
mod cycle;
mod key_points;
mod object_box;
mod pairs;
mod peakedness;
mod platt;
mod reliability;
mod symmetry;

use corr_volume::Grid;
use proptest::prelude::*;
use pseudo_label::Checked;

/// Grids of up to 6×6 cells, one row and one column among them.
fn grids() -> impl Strategy<Value = Grid> {
    (1usize..7, 1usize..7).prop_map(|(height, width)| Grid::new(height, width))
}

/// One of a few values for each cell, so that many are equal, now and then none.
fn levels(cells: usize) -> impl Strategy<Value = Vec<f32>> {
    let level = prop_oneof![8 => (0u8..5).prop_map(|level| f32::from(level) / 4.0), 1 => Just(f32::NAN)];
    prop::collection::vec(level, cells)
}

/// Checked matches, of few confidences (many are equal) or of many.
fn checked(count: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Checked>> {
    let confidence = prop_oneof![(0u8..9).prop_map(|level| f64::from(level) / 8.0), 0.0f64..1.0];
    let one = (confidence, any::<bool>()).prop_map(|(confidence, right)| Checked { confidence, right });
    prop::collection::vec(one, count)
}

/// A point for each cell: itself and so many cells further.
fn shifted(grid: Grid, by: [f32; 2]) -> Vec<[f32; 2]> {
    naive::cells(grid).iter().map(|(row, column)| [*column as f32 + by[0], *row as f32 + by[1]]).collect()
}

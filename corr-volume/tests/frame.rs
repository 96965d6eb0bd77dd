//! `Grid` and `Frame`: round trips and the few values that can be written down.

use burn::tensor::Device;
use corr_volume::{Frame, Grid};
use proptest::prelude::*;

fn sizes() -> impl Strategy<Value = (u32, u32)> {
    (1..6000_u32, 1..6000_u32)
}

fn grids() -> impl Strategy<Value = Grid> {
    (1..80_usize, 1..80_usize).prop_map(|(height, width)| Grid::new(height, width))
}

/// f32 keeps 24 bits; what is lost in one system is magnified by the scale to the other.
fn assert_same(got: [f32; 2], wanted: [f32; 2], from: (u32, u32), to: (f32, f32)) {
    for (i, (from, to)) in [(from.0 as f32, to.0), (from.1 as f32, to.1)].into_iter().enumerate() {
        let tolerance = 1e-6 * (from + 1.0) * (1.0 + 1.0 / to);
        assert!((got[i] - wanted[i]).abs() <= tolerance, "got {got:?}, wanted {wanted:?} within {tolerance}");
    }
}

proptest! {
    #[test]
    fn input_and_back(original in sizes(), input in sizes(), x in 0.0..1.0_f32, y in 0.0..1.0_f32) {
        let frame = Frame::stretched(original, input);
        let point = [x * original.0 as f32 - 0.5, y * original.1 as f32 - 0.5];
        let back = frame.to_original(frame.to_input(point));
        assert_same(back, point, original, (input.0 as f32, input.1 as f32));
    }

    #[test]
    fn cells_and_back(original in sizes(), grid in grids(), x in 0.0..1.0_f32, y in 0.0..1.0_f32) {
        let frame = Frame::stretched(original, (320, 320));
        let point = [x * original.0 as f32 - 0.5, y * original.1 as f32 - 0.5];
        let cells = frame.to_cells(grid, point);
        prop_assert!((-0.5..=grid.width as f32 - 0.5).contains(&cells[0]));
        prop_assert!((-0.5..=grid.height as f32 - 0.5).contains(&cells[1]));
        assert_same(frame.from_cells(grid, cells), point, original, (grid.width as f32, grid.height as f32));
    }

    #[test]
    fn mirroring_twice_changes_nothing(original in sizes(), x in 0..6000_u32, y in 0..6000_u32) {
        let frame = Frame::stretched(original, (320, 320));
        let point = [x as f32, y as f32];
        prop_assert_eq!(frame.mirror(frame.mirror(point)), point);
    }

    #[test]
    fn a_mirrored_point_lies_in_the_mirrored_cell(original in sizes(), grid in grids(), x in 0.0..1.0_f32) {
        let frame = Frame::stretched(original, (320, 320));
        let point = [x * original.0 as f32 - 0.5, 0.0];
        let cells = frame.to_cells(grid, frame.mirror(point));
        let wanted = grid.width as f32 - 1.0 - frame.to_cells(grid, point)[0];
        prop_assert!((cells[0] - wanted).abs() < 1e-3, "got {}, wanted {}", cells[0], wanted);
    }

    #[test]
    fn index_and_row_col_are_inverse(grid in grids(), cell in 0..6400_usize) {
        let cell = cell % grid.cells();
        let (row, col) = grid.row_col(cell);
        prop_assert_eq!(grid.index(row, col), cell);
    }
}

#[test]
fn edges_not_centres_coincide() {
    let frame = Frame::stretched((100, 50), (200, 25));
    assert_eq!(frame.to_input([-0.5, -0.5]), [-0.5, -0.5]);
    assert_eq!(frame.to_input([99.5, 49.5]), [199.5, 24.5]);
    assert_eq!(frame.to_input([0.0, 0.5]), [0.5, 0.0]);
    assert_eq!(frame.mirror([0.0, 7.0]), [99.0, 7.0]);
}

#[test]
fn a_cell_of_stride_sixteen_is_centred_at_seven_and_a_half() {
    let frame = Frame::stretched((320, 320), (320, 320));
    assert_eq!(frame.from_cells(Grid::square(20), [0.0, 1.0]), [7.5, 23.5]);
}

#[test]
fn points_are_columns_then_rows() {
    let points = Grid::new(2, 3).points(&Device::flex()).try_into_vec_as::<f32>().expect("points are f32");
    assert_eq!(points, [0.0, 0.0, 1.0, 0.0, 2.0, 0.0, 0.0, 1.0, 1.0, 1.0, 2.0, 1.0]);
}

#[test]
fn a_grid_is_read_and_written_by_name() {
    let json = serde_json::to_string(&Grid::new(2, 3)).expect("a grid is written");
    assert_eq!(json, r#"{"height":2,"width":3}"#);
    assert_eq!(serde_json::from_str::<Grid>(&json).expect("a grid is read"), Grid::new(2, 3));
    assert!(serde_json::from_str::<Grid>(r#"{"height":2,"width":3,"depth":4}"#).is_err());
}

#[test]
#[should_panic(expected = "cell (row 2, column 0) lies outside a grid of 2x3")]
fn a_cell_outside_the_grid_is_refused() {
    Grid::new(2, 3).index(2, 0);
}

#[test]
#[should_panic(expected = "got original (0, 5) and input (32, 32)")]
fn an_image_without_pixels_is_refused() {
    Frame::stretched((0, 5), (32, 32));
}

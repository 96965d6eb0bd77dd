use burn::tensor::{Device, Tensor};
use corr_volume::{CorrVolume, Grid};
use proptest::prelude::*;
use refine_cascade::{LabelConfig, anchored, labels};

use crate::naive::{self, tensors::*};

fn made(volume: &CorrVolume, mask: &[f64], config: &LabelConfig) -> (Vec<f64>, Vec<f64>) {
    let grid = volume.source();
    let mask = tensor(mask, [volume.batch(), grid.height, grid.width], &Device::flex());
    let labels = labels(volume, mask, config);
    (numbers(labels.points), numbers(labels.weights))
}

/// A volume with one clear match for each source cell.
fn permutation(matches: &[usize], grid: Grid) -> CorrVolume {
    let cells = grid.cells();
    let score = |k: usize| if matches[k / cells] == k % cells { 1.0 } else { 0.0 };
    let values: Vec<f64> = (0..cells * cells).map(score).collect();
    volume(&values, grid, grid, &Device::flex())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn labels_as_their_naive_twin(
        (height, width) in (1..7usize, 1..7usize),
        (filter, calibrate) in (any::<bool>(), any::<bool>()),
        window in prop_oneof![Just(1.0f64), Just(2.0)],
        seed: u64,
    ) {
        let (source, target) = (Grid::new(height, width), Grid::new(width, height));
        let values = uniform(source.cells() * target.cells(), 0.0, 1.0, seed);
        // The twin reads what the tensor holds: f32 ties and thresholds must be the same.
        let values: Vec<f64> = values.iter().map(|v| f64::from(*v as f32)).collect();
        let mask: Vec<f64> = uniform(source.cells(), 0.0, 1.0, seed ^ 1)
            .iter()
            .map(|v| f64::from(*v as f32))
            .collect();
        let config = LabelConfig { filter, calibrate, window, mask_min: 0.25, ..LabelConfig::default() };
        let (points, weights) = made(&volume(&values, source, target, &Device::flex()), &mask, &config);
        let rows: naive::Volume = values.chunks(target.cells()).map(<[f64]>::to_vec).collect();
        let twin = naive::labels(&rows, source, target, &mask, &config);
        assert_close(&weights, &twin.1, 1e-6, 1e-4);
        assert_close(&points, &twin.0.concat(), 1e-4, 1e-4);
    }

    #[test]
    fn only_order_and_ratios_matter(seed: u64, scale in 1e-12f64..1e3) {
        let grid = Grid::square(4);
        let values = uniform(256, 0.0, 1.0, seed);
        let scaled: Vec<f64> = values.iter().map(|v| v * scale).collect();
        let config = LabelConfig::default();
        let at = |values: &[f64]| made(&volume(values, grid, grid, &Device::flex()), &[1.0; 16], &config);
        let (one, other) = (at(&values), at(&scaled));
        assert_close(&one.0, &other.0, 1e-3, 1e-3);
        assert_close(&one.1, &other.1, 1e-3, 1e-3);
    }
}

#[test]
fn an_affine_field_stays_as_it_is() {
    // A quarter turn: integer cells to integer cells, and an affine map as far from the ridge's
    // translation as a rotation can be.
    let grid = Grid::square(7);
    let turn = |i: usize| {
        let (row, column) = grid.row_col(i);
        grid.index(column, 6 - row)
    };
    let matches: Vec<usize> = (0..49).map(turn).collect();
    let config = LabelConfig { ridge: 1e-9, ..LabelConfig::default() };
    let (points, weights) = made(&permutation(&matches, grid), &[1.0; 49], &config);
    let wanted: Vec<f64> = matches.iter().flat_map(|cell| [(cell % 7) as f64, (cell / 7) as f64]).collect();
    assert_close(&points, &wanted, 1e-5, 0.0);
    assert_close(&weights, &[1.0; 49], 1e-5, 0.0);
}

#[test]
fn a_match_off_the_field_is_moved_and_trusted_less() {
    let grid = Grid::square(7);
    let mut matches: Vec<usize> = (0..49).collect();
    matches.swap(24, 6);
    let (points, weights) = made(&permutation(&matches, grid), &[1.0; 49], &LabelConfig::default());
    assert!(weights[24] < 0.2 && weights[16] > 0.8, "{} {}", weights[24], weights[16]);
    // The centre, voted into the corner (6, 0), comes about half of the way back.
    assert!(points[48] < 5.0 && points[49] > 1.0, "{:?}", &points[48..50]);
}

#[test]
fn cells_that_do_not_return_are_dropped() {
    let grid = Grid::square(4);
    let mut matches: Vec<usize> = (0..16).collect();
    // Cell 15 claims the match of cell 0, which is taken by cell 0 (the first of equals).
    matches[15] = 0;
    let keep_all = LabelConfig { filter: false, calibrate: false, ..LabelConfig::default() };
    let filter = LabelConfig { filter: true, ..keep_all.clone() };
    let volume = permutation(&matches, grid);
    assert_eq!(made(&volume, &[1.0; 16], &keep_all).1[15], 1.0);
    let (_, weights) = made(&volume, &[1.0; 16], &filter);
    assert_eq!((weights[0], weights[15]), (1.0, 0.0));
}

#[test]
fn too_few_neighbours_weigh_nothing() {
    let grid = Grid::square(4);
    let matches: Vec<usize> = (0..16).collect();
    let mut mask = [0.0; 16];
    mask[5] = 1.0;
    let (points, weights) = made(&permutation(&matches, grid), &mask, &LabelConfig::default());
    assert!(weights.iter().all(|w| *w == 0.0));
    assert!(points.iter().all(|p| p.is_finite()));
}

#[test]
fn empty_and_broken_volumes_weigh_nothing() {
    let grid = Grid::square(3);
    for value in [0.0, f64::NAN, f64::INFINITY, -1.0] {
        let volume = volume(&[value; 81], grid, grid, &Device::flex());
        let (points, weights) = made(&volume, &[1.0; 9], &LabelConfig::default());
        assert!(weights.iter().all(|w| *w == 0.0), "{value}: {weights:?}");
        assert!(points.iter().all(|p| p.is_finite()), "{value}: {points:?}");
    }
}

#[test]
fn anchoring_is_the_geometric_mean() {
    let grid = Grid::new(1, 2);
    let device = Device::flex();
    let teacher = volume(&[0.25, -1.0, 0.0, 1.0], grid, grid, &device);
    let raw = volume(&[1.0, 1.0, 0.5, 0.49], grid, grid, &device);
    let found = numbers(anchored(&teacher, &raw).into_values());
    assert_close(&found, &[0.5, 0.0, 0.0, 0.7], 1e-6, 0.0);
}

#[test]
fn masks_multiply_weights() {
    let grid = Grid::new(1, 2);
    let volume = permutation(&[0, 1], grid);
    let config = LabelConfig { calibrate: false, ..LabelConfig::default() };
    let made = labels(&volume, Tensor::ones([1, 1, 2], &Device::flex()), &config);
    let masked = made.masked(tensor(&[0.5, 0.0], [1, 1, 2], &Device::flex()));
    assert_eq!(numbers(masked.weights), [0.5, 0.0]);
}

//! What happens to both images happens to their votes and labels, and it does not matter which image comes first.

use burn::tensor::Device;
use corr_volume::Grid;
use proptest::prelude::*;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use refine_cascade::{LabelConfig, VoteConfig, hough_peak, labels, vote, vote_either};

use crate::naive::tensors::*;
use crate::voting::{configs, grids};

/// What is done to an image.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Motion {
    /// Left becomes right.
    Mirror,
    /// A quarter turn clockwise.
    Turn,
}

impl Motion {
    fn grid(self, grid: Grid) -> Grid {
        match self {
            Motion::Mirror => grid,
            Motion::Turn => Grid::new(grid.width, grid.height),
        }
    }

    /// Where a point of the grid comes to lie.
    fn point(self, [x, y]: [f64; 2], grid: Grid) -> [f64; 2] {
        match self {
            Motion::Mirror => [(grid.width - 1) as f64 - x, y],
            Motion::Turn => [(grid.height - 1) as f64 - y, x],
        }
    }

    fn cell(self, cell: usize, grid: Grid) -> usize {
        let (row, column) = grid.row_col(cell);
        let [x, y] = self.point([column as f64, row as f64], grid);
        self.grid(grid).index(y as usize, x as usize)
    }

    fn of_map<T: Copy>(self, values: &[T], grid: Grid) -> Vec<T> {
        let mut moved = values.to_vec();
        (0..values.len()).for_each(|cell| moved[self.cell(cell, grid)] = values[cell]);
        moved
    }

    fn of_volume(self, values: &[f64], source: Grid, target: Grid) -> Vec<f64> {
        let rows: Vec<Vec<f64>> = values.chunks(target.cells()).map(|row| self.of_map(row, target)).collect();
        let order = self.of_map(&(0..rows.len()).collect::<Vec<_>>(), source);
        order.into_iter().flat_map(|cell| rows[cell].clone()).collect()
    }

    fn of_points(self, points: &[f64], source: Grid, target: Grid) -> Vec<f64> {
        let moved: Vec<[f64; 2]> = points.chunks(2).map(|point| self.point([point[0], point[1]], target)).collect();
        self.of_map(&moved, source).concat()
    }
}

fn motions() -> impl Strategy<Value = Motion> {
    prop_oneof![Just(Motion::Mirror), Just(Motion::Turn)]
}

fn label_configs() -> impl Strategy<Value = LabelConfig> {
    (any::<bool>(), any::<bool>(), prop_oneof![Just(1.0f64), Just(2.0)])
        .prop_map(|(filter, calibrate, window)| LabelConfig { filter, calibrate, window, ..LabelConfig::default() })
}

/// So many numbers of which no two are equal, nor one the half of another: each row has one best cell.
fn distinct(count: usize, seed: u64) -> Vec<f64> {
    let mut values: Vec<f64> = (0..count).map(|k| (k as f64 + 0.5) / count as f64).collect();
    values.shuffle(&mut rand_chacha::ChaCha8Rng::seed_from_u64(seed));
    values
}

/// Weights of 0, a half and 1.
fn mask(grid: Grid, seed: u64) -> Vec<f64> {
    uniform(grid.cells(), 0.0, 1.0, seed).iter().map(|weight| (weight * 3.0).floor() / 2.0).collect()
}

/// Points and weights of the labels of a pair.
fn made(values: &[f64], [source, target]: [Grid; 2], mask: &[f64], config: &LabelConfig) -> (Vec<f64>, Vec<f64>) {
    let device = Device::flex();
    let mask = tensor(mask, [1, source.height, source.width], &device);
    let labels = labels(&volume(values, source, target, &device), mask, config);
    (numbers(labels.points), numbers(labels.weights))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn moving_both_images_moves_the_votes(
        source in grids(), target in grids(), config in configs(), motion in motions(), seed: u64,
    ) {
        // After a turn, mirroring is mirroring top to bottom.
        let config = VoteConfig { mirror: config.mirror && motion == Motion::Mirror, ..config };
        let device = Device::flex();
        let values = uniform(source.cells() * target.cells(), -0.5, 1.0, seed);
        let masks = [uniform(source.cells(), 0.0, 1.0, seed ^ 1), uniform(target.cells(), 0.0, 1.0, seed ^ 2)];
        let voted = |values: &[f64], [source, target]: [Grid; 2], masks: [&[f64]; 2]| {
            let [source_mask, target_mask] =
                [(masks[0], source), (masks[1], target)].map(|(mask, grid)| tensor(mask, [1, grid.height, grid.width], &device));
            let volume = volume(values, source, target, &device);
            let peak = hough_peak(&volume, source_mask.clone(), target_mask.clone(), &config)[0];
            let either = vote_either(&volume, source_mask.clone(), target_mask.clone(), &config);
            (numbers(vote(&volume, source_mask, target_mask, &config).into_values()), f64::from(peak), either)
        };
        let (votes, peak, either) = voted(&values, [source, target], [&masks[0], &masks[1]]);
        let moved_masks = [motion.of_map(&masks[0], source), motion.of_map(&masks[1], target)];
        let (moved, moved_peak, moved_either) = voted(
            &motion.of_volume(&values, source, target),
            [motion.grid(source), motion.grid(target)],
            [&moved_masks[0], &moved_masks[1]],
        );
        // Sums of at most a few thousand positive f32 terms in another order.
        assert_close(&moved, &motion.of_volume(&votes, source, target), 1e-9, 1e-4);
        assert_close(&[moved_peak], &[peak], 1e-9, 1e-4);
        // Of two orientations that are as good, rounding chooses.
        let apart = (either.peaks[0] - either.mirrored_peaks[0]).abs() > 1e-4;
        if motion == Motion::Mirror && apart {
            prop_assert_eq!(&moved_either.mirrored, &either.mirrored);
            let kept = numbers(either.volume.into_values());
            assert_close(&numbers(moved_either.volume.into_values()), &motion.of_volume(&kept, source, target), 1e-9, 1e-4);
        }
    }

    #[test]
    fn moving_both_images_moves_the_labels(
        source in grids(), target in grids(), config in label_configs(), motion in motions(), seed: u64,
    ) {
        let values = distinct(source.cells() * target.cells(), seed);
        let mask = mask(source, seed ^ 1);
        let (points, weights) = made(&values, [source, target], &mask, &config);
        let moved_grids = [motion.grid(source), motion.grid(target)];
        let moved =
            made(&motion.of_volume(&values, source, target), moved_grids, &motion.of_map(&mask, source), &config);
        assert_close(&moved.0, &motion.of_points(&points, source, target), 1e-4, 0.0);
        assert_close(&moved.1, &motion.of_map(&weights, source), 1e-4, 0.0);
    }

    /// An object of 5×5 cells, at two places of each image; nothing else has a match or a mask.
    #[test]
    fn labels_move_with_the_object_in_either_image(
        config in label_configs(), places in prop::array::uniform2((0..8usize, 0..8usize)), seed: u64,
    ) {
        // So far within the target that no fit reaches its border.
        let (source, target, margin) = (Grid::square(12), Grid::square(29), 8);
        let inner = distinct(25 * 25, seed);
        let of_object = mask(Grid::square(5), seed ^ 1);
        let cell = |grid: Grid, place: (usize, usize), k: usize| grid.index(place.0 + k / 5, place.1 + k % 5);
        let at = |in_source: (usize, usize), in_target: (usize, usize)| {
            let mut values = vec![0.0; source.cells() * target.cells()];
            let mut mask = vec![0.0; source.cells()];
            for i in 0..25 {
                mask[cell(source, in_source, i)] = of_object[i];
                for j in 0..25 {
                    let to = cell(target, in_target, j);
                    values[cell(source, in_source, i) * target.cells() + to] = inner[i * 25 + j];
                }
            }
            let (points, weights) = made(&values, [source, target], &mask, &config);
            let of = |i: usize| {
                let cell = cell(source, in_source, i);
                let [x, y] = [0, 1].map(|axis| points[2 * cell + axis]);
                [x - in_target.1 as f64, y - in_target.0 as f64, weights[cell]]
            };
            (0..25).flat_map(of).collect::<Vec<f64>>()
        };
        let [there, elsewhere] = places;
        let inside = |place: (usize, usize)| (margin + place.0, margin + place.1);
        let first = at(there, inside(elsewhere));
        assert_close(&at(elsewhere, inside(elsewhere)), &first, 1e-4, 0.0);
        assert_close(&at(there, inside(there)), &first, 1e-4, 0.0);
    }

    #[test]
    fn labels_of_exchanged_images_are_exchanged(
        source in grids(), target in grids(), config in label_configs(), seed: u64,
    ) {
        // Votes that are products of two numbers: the order of the images rounds nothing otherwise.
        let voting = VoteConfig { power: 1.0, propagate: false, own: false, enhance: false, ..VoteConfig::default() };
        let device = Device::flex();
        let masks = [(mask(source, seed ^ 1), source), (mask(target, seed ^ 2), target)]
            .map(|(mask, grid)| tensor::<3>(&mask, [1, grid.height, grid.width], &device));
        let values = volume(&distinct(source.cells() * target.cells(), seed), source, target, &device);
        let both_ways = |exchanged: bool| {
            let [here, there] = if exchanged { [1, 0] } else { [0, 1] }.map(|image| masks[image].clone());
            let volume = if exchanged { values.transpose() } else { values.clone() };
            let voted = vote(&volume, here.clone(), there.clone(), &voting);
            [labels(&voted, here, &config), labels(&voted.transpose(), there, &config)]
                .map(|labels| (numbers(labels.points), numbers(labels.weights)))
        };
        let ([forward, backward], [other_forward, other_backward]) = (both_ways(false), both_ways(true));
        prop_assert_eq!(forward, other_backward);
        prop_assert_eq!(backward, other_forward);
    }
}

/// The laws above are about something: random labels are moved, dropped and weighed.
#[test]
fn labels_of_distinct_numbers_have_weights_and_are_moved() {
    let grid = Grid::square(5);
    let values = distinct(625, 3);
    let (points, weights) = made(&values, [grid, grid], &[1.0; 25], &LabelConfig::default());
    let kept = weights.iter().filter(|weight| **weight > 0.01).count();
    assert!((2..25).contains(&kept), "{weights:?}");
    assert!(points.iter().any(|coordinate| coordinate.fract() != 0.0), "{points:?}");
    let all = LabelConfig { filter: false, ..LabelConfig::default() };
    let (_, weights) = made(&values, [grid, grid], &[1.0; 25], &all);
    assert!(weights.iter().filter(|weight| **weight > 0.0).count() > 20, "{weights:?}");
}

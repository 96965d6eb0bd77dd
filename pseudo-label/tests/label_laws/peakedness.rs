use burn::tensor::{Device, Tensor, TensorData};
use corr_volume::{CorrVolume, Grid, l2_normalise};
use proptest::prelude::*;
use pseudo_label::{pair_peakedness, peakedness};

use crate::{grids, naive};

proptest! {
    #[test]
    fn peakedness_equals_its_twin(grid in grids(), scores in prop::collection::vec(-1.0f32..1.0, 36), t in 0.02f32..2.0) {
        let scores = &scores[..grid.cells()];
        let got = f64::from(peakedness(scores, grid, t));
        prop_assert!((0.0..=1.0).contains(&got));
        prop_assert!((got - naive::peakedness(scores, grid, t)).abs() < 1e-5);
    }

    #[test]
    fn only_differences_of_scores_count(
        grid in grids(), scores in prop::collection::vec(0u8..64, 36), shift in -3i8..4,
    ) {
        // Sums of such fractions are exact.
        let scores: Vec<f32> = scores[..grid.cells()].iter().map(|score| f32::from(*score) / 64.0).collect();
        let moved: Vec<f32> = scores.iter().map(|score| score + f32::from(shift)).collect();
        prop_assert_eq!(peakedness(&scores, grid, 0.25), peakedness(&moved, grid, 0.25));
    }

    #[test]
    fn a_higher_peak_is_more_peaked(
        grid in grids(), scores in prop::collection::vec(0.0f32..1.0, 36), more in 0.0f32..1.0, place in 0usize..36,
    ) {
        let mut scores = scores[..grid.cells()].to_vec();
        let place = place % scores.len();
        scores[place] = 1.0;
        let before = peakedness(&scores, grid, 0.2);
        scores[place] += more;
        prop_assert!(peakedness(&scores, grid, 0.2) >= before - 1e-6);
    }

    #[test]
    fn a_pair_has_the_peakedness_of_its_volumes_rows(
        source in grids(), target in grids(), values in prop::collection::vec(-1.0f32..1.0, 2 * 2 * 3 * 36),
    ) {
        let device = Device::flex();
        let features = |grid: Grid, from: usize| {
            let values = values[from..from + 2 * 3 * grid.cells()].to_vec();
            l2_normalise(Tensor::from_data(TensorData::new(values, [2, 3, grid.height, grid.width]), &device))
        };
        let (a, b) = (features(source, 0), features(target, 216));
        let got = pair_peakedness(a.clone(), b.clone(), 0.1);
        prop_assert_eq!(got.dims(), [2, source.cells()]);
        let got: Vec<f32> = got.try_into_vec_as().expect("f32");
        let volume: Vec<f32> = CorrVolume::cosine(a, b).values().try_into_vec_as().expect("f32");
        for (got, row) in got.iter().zip(volume.chunks(target.cells())) {
            // The rounding of a cosine can make another of two equal cells the peak.
            let highest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            if row.iter().filter(|score| **score > highest - 1e-5).count() == 1 {
                prop_assert!((f64::from(*got) - naive::peakedness(row, target, 0.1)).abs() < 1e-4);
            }
        }
    }
}

#[test]
fn bands_meet_without_a_seam() {
    let device = Device::flex();
    let values: Vec<f32> = (0..4 * 150).map(|i| ((i * 7919) % 101) as f32 / 50.0 - 1.0).collect();
    let features = l2_normalise(Tensor::<4>::from_data(TensorData::new(values, [1, 4, 10, 15]), &device));
    let got: Vec<f32> = pair_peakedness(features.clone(), features.clone(), 0.05).try_into_vec_as().expect("f32");
    let volume: Vec<f32> = CorrVolume::cosine(features.clone(), features).values().try_into_vec_as().expect("f32");
    assert_eq!((got.len(), volume.len()), (150, 150 * 150));
    for (cell, (got, row)) in got.iter().zip(volume.chunks(150)).enumerate() {
        assert!((got - peakedness(row, Grid::new(10, 15), 0.05)).abs() < 1e-4, "cell {cell}");
    }
}

#[test]
fn one_cell_is_always_the_peak() {
    assert_eq!(peakedness(&[-0.3], Grid::square(1), 0.05), 1.0);
}

#[test]
fn what_is_no_score_is_no_peak() {
    let grid = Grid::square(2);
    for scores in [[0.0, f32::NAN, 0.5, 0.1], [f32::NAN; 4], [f32::INFINITY, 0.0, 0.0, 0.0], [f32::NEG_INFINITY; 4]] {
        assert!(peakedness(&scores, grid, 0.05).is_nan(), "{scores:?}");
    }
    assert_eq!(peakedness(&[f32::NEG_INFINITY, 0.5, 0.5, 0.5], grid, 0.05), 1.0);
}

#[test]
#[should_panic(expected = "above 0, got 0")]
fn a_temperature_of_zero_panics() {
    peakedness(&[0.0], Grid::square(1), 0.0);
}

#[test]
#[should_panic(expected = "batch and channels must agree")]
fn features_of_two_widths_panic() {
    let features = |channels: usize| Tensor::<4>::ones([1, channels, 2, 2], &Device::flex());
    pair_peakedness(features(3), features(4), 0.05);
}

//! Hyperpixels, volumes, the mutual filter and match distributions against their naive twins.

use burn::tensor::{Device, Tensor, TensorData};
use corr_volume::{CorrVolume, Grid, hyperpixel, l2_normalise, resize_bilinear, soft_mutual};
use proptest::prelude::*;

mod naive {
    pub mod features;
    pub mod volume;
}

/// f32 sums of at most a few dozen terms of size one.
const TOLERANCE: f64 = 1e-5;

/// Channels of cells.
fn channels(count: usize, cells: usize) -> impl Strategy<Value = Vec<Vec<f64>>> {
    prop::collection::vec(prop::collection::vec(-1.0..1.0_f64, cells), count)
}

fn features(channels: &[Vec<f64>], grid: Grid) -> Tensor<4> {
    let values: Vec<f32> = channels.iter().flatten().map(|&v| v as f32).collect();
    Tensor::from_data(TensorData::new(values, [1, channels.len(), grid.height, grid.width]), &Device::flex())
}

fn volume(rows: &[Vec<f64>], source: Grid, target: Grid) -> CorrVolume {
    let values: Vec<f32> = rows.iter().flatten().map(|&v| v as f32).collect();
    let values = TensorData::new(values, [1, source.cells(), target.cells()]);
    CorrVolume::new(Tensor::from_data(values, &Device::flex()), source, target)
}

fn numbers<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    let values = tensor.try_into_vec_as::<f32>().expect("the tensor holds f32");
    values.into_iter().map(f64::from).collect()
}

fn assert_close(got: &[f64], wanted: &[f64]) {
    assert_eq!(got.len(), wanted.len());
    for (i, (g, w)) in got.iter().zip(wanted).enumerate() {
        assert!((g - w).abs() <= TOLERANCE, "value {i}: got {g}, wanted {w}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn normalised_features_equal_the_naive_ones(map in channels(3, 6)) {
        let got = numbers(l2_normalise(features(&map, Grid::new(2, 3))));
        assert_close(&got, &naive::features::l2_normalise(&map).concat());
    }

    #[test]
    fn resized_features_equal_the_naive_ones(
        map in channels(2, 12),
        height in 1..8_usize,
        width in 1..8_usize,
    ) {
        let got = numbers(resize_bilinear(features(&map, Grid::new(3, 4)), Grid::new(height, width)));
        let wanted = map.iter().flat_map(|channel| naive::features::resize(channel, (3, 4), (height, width)));
        assert_close(&got, &wanted.collect::<Vec<_>>());
    }

    #[test]
    fn a_cosine_volume_equals_the_naive_one(source in channels(4, 6), target in channels(4, 8)) {
        let (source_grid, target_grid) = (Grid::new(2, 3), Grid::new(4, 2));
        let got = CorrVolume::cosine(features(&source, source_grid), features(&target, target_grid));
        prop_assert_eq!((got.source(), got.target(), got.batch()), (source_grid, target_grid, 1));
        assert_close(&numbers(got.into_values()), &naive::volume::cosine(&source, &target).concat());
    }

    #[test]
    fn the_mutual_filter_equals_the_naive_one(rows in channels(6, 8)) {
        let got = soft_mutual(&volume(&rows, Grid::new(2, 3), Grid::new(4, 2)));
        assert_close(&numbers(got.into_values()), &naive::volume::soft_mutual(&rows).concat());
    }

    #[test]
    fn the_mutual_filter_commutes_with_transposition(rows in channels(6, 8)) {
        let volume = volume(&rows, Grid::new(2, 3), Grid::new(4, 2));
        let before = numbers(soft_mutual(&volume.transpose()).into_values());
        assert_close(&before, &numbers(soft_mutual(&volume).transpose().into_values()));
    }

    #[test]
    fn a_match_distribution_equals_the_naive_softmax(rows in channels(6, 8), tau in 0.02..2.0_f64) {
        let distribution = volume(&rows, Grid::new(2, 3), Grid::new(4, 2)).match_distribution(tau);
        let wanted: Vec<f64> = rows.iter().flat_map(|row| naive::volume::softmax(row, tau)).collect();
        let got = numbers(distribution.values());
        assert_close(&got, &wanted);
        for row in got.chunks(8) {
            assert_close(&[row.iter().sum()], &[1.0]);
        }
        for (log, wanted) in numbers(distribution.log_values()).iter().zip(&wanted) {
            // Logits reach 1 / 0.02 = 50, where f32 resolves 4e-6.
            prop_assert!((log - wanted.ln()).abs() < 1e-4, "got {}, wanted {}", log, wanted.ln());
        }
    }
}

#[test]
fn a_fully_masked_row_has_a_uniform_distribution() {
    for score in [f64::NEG_INFINITY, -1e9, 0.0, 1e9] {
        let volume = volume(&[vec![score; 4]], Grid::square(1), Grid::square(2));
        assert_close(&numbers(volume.match_distribution(1e-6).values()), &[0.25; 4]);
        assert_close(&numbers(volume.match_distribution(0.05).log_values()), &[0.25_f64.ln(); 4]);
    }
}

#[test]
fn a_masked_cell_of_a_row_has_probability_zero() {
    let volume = volume(&[vec![f64::NEG_INFINITY, 0.5, 0.5, -1e9]], Grid::square(1), Grid::square(2));
    assert_close(&numbers(volume.match_distribution(0.05).values()), &[0.0, 0.5, 0.5, 0.0]);
}

#[test]
fn a_cell_without_features_stays_zero() {
    let map = vec![vec![0.0, 3.0], vec![0.0, 4.0]];
    assert_close(&numbers(l2_normalise(features(&map, Grid::new(1, 2)))), &[0.0, 0.6, 0.0, 0.8]);
}

#[test]
fn every_layer_weighs_the_same_in_a_hyperpixel() {
    let large = features(&[vec![300.0; 4], vec![400.0; 4]], Grid::square(2));
    let small = features(&[vec![0.01]], Grid::square(1));
    let joined = hyperpixel(&[large, small], Grid::square(2));
    let half = 0.5_f64.sqrt();
    assert_close(&numbers(joined), &[[0.6 * half; 4], [0.8 * half; 4], [half; 4]].concat());
}

#[test]
#[should_panic(expected = "a volume of 4 source and 6 target cells does not fit grids of 2x2 and 3x3")]
fn a_volume_that_does_not_fit_its_grids_is_refused() {
    volume(&vec![vec![0.0; 6]; 4], Grid::new(2, 2), Grid::new(2, 3));
    CorrVolume::new(Tensor::zeros([1, 4, 6], &Device::flex()), Grid::square(2), Grid::square(3));
}

#[test]
#[should_panic(expected = "batch and channels must agree")]
fn features_of_different_channels_are_refused() {
    let device = Device::flex();
    CorrVolume::cosine(Tensor::zeros([1, 4, 2, 2], &device), Tensor::zeros([1, 5, 2, 2], &device));
}

#[test]
#[should_panic(expected = "layer 1 holds 2 images where layer 0 holds 1")]
fn layers_of_different_batches_are_refused() {
    let device = Device::flex();
    hyperpixel(&[Tensor::zeros([1, 4, 2, 2], &device), Tensor::zeros([2, 4, 2, 2], &device)], Grid::square(2));
}

#[test]
#[should_panic(expected = "a temperature is a number of at least 1e-6, got 0")]
fn a_temperature_of_zero_is_refused() {
    volume(&[vec![0.0]], Grid::square(1), Grid::square(1)).match_distribution(0.0);
}

use burn::tensor::{Device, Tensor};
use mil_matching::{RegionKind, RegionsConfig, assign_regions, region_descriptors};
use proptest::prelude::*;

use crate::naive::{self, matrix, transpose};
use crate::{assert_close, flex, read, rng, uniform, unit_rows};

/// Cells as rows to `[1, channels, height, width]`.
fn hyperpixels(rows: &[f32], channels: usize, height: usize, width: usize) -> Tensor<4> {
    flex(rows, [1, height * width, channels]).swap_dims(1, 2).reshape([1, channels, height, width])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn regions_share_out_the_mask(
        seed in any::<u64>(), channels in 1usize..12, height in 1usize..6, width in 1usize..6, count in 1usize..9,
        temperature in prop_oneof![Just(0.0), 0.01f64..1.0], windows in any::<bool>(), cut in 0.0f32..1.0,
    ) {
        let (batch, cells) = (2, height * width);
        let kind = if windows { RegionKind::Windows } else { RegionKind::KMeans };
        let config = RegionsConfig { kind, count, temperature, ..Default::default() };
        let features = flex(&uniform(seed, batch * channels * cells, -1.0, 1.0), [batch, channels, height, width]);
        let mask: Vec<f32> =
            uniform(seed ^ 1, batch * cells, 0.0, 1.0).iter().map(|&m| if m < cut { 0.0 } else { m }).collect();
        let regions = assign_regions(features.clone(), flex(&mask, [batch, height, width]), &config, &mut rng(seed));
        prop_assert_eq!(regions.dims(), [batch, config.regions(), cells]);
        let values = read(regions.clone());
        prop_assert!(values.iter().all(|u| (0.0..=1.0).contains(u)));
        let sums = read(regions.sum_dim(1));
        assert_close(&sums, &mask.iter().map(|&m| f64::from(m)).collect::<Vec<_>>());
        let again = assign_regions(features, flex(&mask, [batch, height, width]), &config, &mut rng(seed));
        prop_assert_eq!(values, read(again));
    }

    #[test]
    fn descriptors_equal_their_twin(
        seed in any::<u64>(), channels in 1usize..6, height in 1usize..4, width in 1usize..4, count in 1usize..4,
    ) {
        let cells = height * width;
        let rows = unit_rows(seed, cells, channels);
        let mut regions = uniform(seed ^ 1, count * cells, 0.1, 1.0);
        regions[..cells].fill(0.0);
        let got = read(region_descriptors(hyperpixels(&rows, channels, height, width), flex(&regions, [1, count, cells])));
        let wanted = naive::region::region_descriptors(&matrix(&rows, channels), &matrix(&regions, cells));
        // A mean that almost cancels out has no direction to compare; it is a rare one.
        let length = |row: &[f32]| row.iter().map(|value| value * value).sum::<f32>();
        let (clear, cancelled): (Vec<_>, Vec<_>) = got.chunks(channels).zip(&wanted).partition(|(got, _)| length(got) > 0.99 || length(got) == 0.0);
        clear.into_iter().for_each(|(got, wanted)| assert_close(got, wanted));
        prop_assert!(wanted.len() == count && cancelled.len() <= 1, "{} of {} regions are not of unit length", cancelled.len(), count);
        prop_assert!(got[..channels].iter().all(|value| *value == 0.0));
    }
}

/// Four directions, each drawn by a quarter of the cells with a little noise.
fn four_clusters() -> (Vec<f32>, Vec<usize>) {
    let (channels, cells) = (8, 36);
    let noise = uniform(5, channels * cells, -0.1, 0.1);
    let owners: Vec<usize> = (0..cells).map(|cell| cell % 4).collect();
    let rows = owners
        .iter()
        .enumerate()
        .flat_map(|(cell, &owner)| {
            let noise = noise[cell * channels..][..channels].to_vec();
            noise.into_iter().enumerate().map(move |(k, noise)| noise + if k == owner { 1.0 } else { 0.0 })
        })
        .collect();
    (rows, owners)
}

#[test]
fn kmeans_finds_clusters_and_is_hard_at_temperature_zero() {
    let (rows, owners) = four_clusters();
    let ones = || Tensor::ones([1, 6, 6], &Device::flex());
    for seed in 0..5 {
        let config = RegionsConfig { count: 4, temperature: 0.0, ..Default::default() };
        let regions = assign_regions(hyperpixels(&rows, 8, 6, 6), ones(), &config, &mut rng(seed));
        let columns = transpose(&matrix(&read(regions), 36));
        assert!(columns.iter().flatten().all(|u| *u == 0.0 || *u == 1.0));
        for (cell, other) in (0..36).flat_map(|cell| (0..36).map(move |other| (cell, other))) {
            assert_eq!(columns[cell] == columns[other], owners[cell] == owners[other], "cells {cell} and {other}");
        }
    }
}

#[test]
fn the_background_places_no_centre_but_is_assigned() {
    let (mut rows, _) = four_clusters();
    // Half of the cells point a fifth way and have the staircase's background weight.
    let mask: Vec<f32> = (0..36).map(|cell| if cell < 18 { 1.0 } else { 0.5 }).collect();
    for row in rows.chunks_mut(8).skip(18) {
        row.fill(0.0);
        row[7] = 1.0;
    }
    let config = RegionsConfig { count: 4, temperature: 0.0, ..Default::default() };
    let regions = assign_regions(hyperpixels(&rows, 8, 6, 6), flex(&mask, [1, 6, 6]), &config, &mut rng(1));
    let regions = matrix(&read(regions), 36);
    assert!(regions.iter().all(|region| region[..18].iter().any(|u| *u > 0.0)), "every region holds foreground");
    assert_eq!(regions.iter().map(|region| region[18..].iter().sum::<f64>()).sum::<f64>(), 9.0);
}

#[test]
fn fewer_features_than_regions_leave_regions_empty() {
    let rows = [1.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 1.0];
    let ones = Tensor::ones([1, 2, 2], &Device::flex());
    let regions = assign_regions(hyperpixels(&rows, 2, 2, 2), ones, &RegionsConfig::default(), &mut rng(0));
    let held: Vec<bool> = matrix(&read(regions), 4).iter().map(|region| region.iter().sum::<f64>() > 0.0).collect();
    assert_eq!(held.iter().filter(|held| **held).count(), 2, "{held:?}");
}

#[test]
fn a_zero_mask_zero_features_and_a_single_cell_are_no_trouble() {
    for kind in [RegionKind::KMeans, RegionKind::Windows] {
        let config = RegionsConfig { kind, ..Default::default() };
        let zero = flex(&[0.0; 4], [1, 2, 2]);
        let features = hyperpixels(&unit_rows(0, 4, 3), 3, 2, 2);
        let regions = assign_regions(features.clone(), zero, &config, &mut rng(0));
        assert!(read(regions.clone()).iter().all(|u| *u == 0.0));
        assert!(read(region_descriptors(features, regions)).iter().all(|value| *value == 0.0));
        let ones = flex(&[1.0; 4], [1, 2, 2]);
        let regions = assign_regions(hyperpixels(&[0.0; 12], 3, 2, 2), ones, &config, &mut rng(0));
        assert_close(&read(regions.sum_dim(1)), &[1.0; 4]);
        let single = assign_regions(hyperpixels(&[0.3], 1, 1, 1), flex(&[1.0], [1, 1, 1]), &config, &mut rng(0));
        assert_close(&read(single.sum_dim(1)), &[1.0]);
    }
}

#[test]
fn windows_tile_the_grid_at_each_scale() {
    let config = RegionsConfig { kind: RegionKind::Windows, window_scales: vec![1, 2], ..Default::default() };
    let features = hyperpixels(&unit_rows(0, 16, 2), 2, 4, 4);
    let regions = matrix(&read(assign_regions(features, flex(&[1.0; 16], [1, 4, 4]), &config, &mut rng(0))), 16);
    assert_eq!(regions.len(), 5);
    assert!(regions[0].iter().all(|u| *u == 0.5));
    let upper_right: Vec<usize> = (0..16).filter(|&cell| regions[2][cell] > 0.0).collect();
    assert_eq!(upper_right, [2, 3, 6, 7]);
}

#[test]
#[should_panic(expected = "a mask of [1, 2, 3] for hyperpixels of [1, 3, 2, 2]")]
fn a_mask_of_another_size_panics() {
    let features = hyperpixels(&unit_rows(0, 4, 3), 3, 2, 2);
    assign_regions(features, flex(&[1.0; 6], [1, 2, 3]), &RegionsConfig::default(), &mut rng(0));
}

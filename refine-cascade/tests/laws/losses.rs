use burn::tensor::Device;
use corr_volume::Grid;
use proptest::prelude::*;
use refine_cascade::{
    Labels, WarpLossConfig, bilinear_targets, bipath_loss, gaussian_targets, match_loss, negative_loss, soft_targets,
    warp_supervision,
};

use crate::naive::{self, tensors::*};

const SOURCE: Grid = Grid { height: 3, width: 2 };
const TARGET: Grid = Grid { height: 2, width: 4 };

fn known(points: &[f64], weights: &[f64]) -> Labels {
    Labels {
        points: tensor(points, [1, weights.len(), 2], &Device::flex()),
        weights: tensor(weights, [1, weights.len()], &Device::flex()),
    }
}

fn rows(values: &[f64], target: Grid) -> naive::Volume {
    values.chunks(target.cells()).map(<[f64]>::to_vec).collect()
}

fn pairs(points: &[f64]) -> Vec<[f64; 2]> {
    points.chunks(2).map(|p| [p[0], p[1]]).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn match_loss_as_its_naive_twin(seed: u64, tau in 0.03f64..1.0, sigma in 0.5f64..2.0) {
        let values = uniform(48, -1.0, 1.0, seed);
        let points = uniform(12, 0.0, 3.0, seed ^ 1);
        let weights = uniform(6, 0.0, 1.0, seed ^ 2);
        let volume = volume(&values, SOURCE, TARGET, &Device::flex());
        let loss = match_loss(&volume, &known(&points, &weights), tau, sigma).into_scalar::<f32>();
        let twin = naive::match_loss(
            &rows(&values, TARGET), TARGET, &pairs(&points), &weights, tau, sigma,
        );
        assert_close(&[f64::from(loss)], &[twin], 1e-4, 1e-4);
    }

    #[test]
    fn warp_losses_as_their_naive_twins(seed: u64, share in 0.0f64..1.0) {
        let (there, back) = (uniform(48, -1.0, 1.0, seed), uniform(48, -1.0, 1.0, seed ^ 1));
        let points = uniform(12, -0.5, 2.5, seed ^ 2);
        let mut weights = uniform(6, 0.1, 1.0, seed ^ 3);
        weights[2] = 0.0;
        let config = WarpLossConfig { tau: 0.2, surest: share, epsilon: 1e-6 };
        let device = Device::flex();
        let forward = volume(&there, SOURCE, TARGET, &device);
        let backward = volume(&back, TARGET, SOURCE, &device);

        let mut cells: Vec<(f64, f64)> = pairs(&points)
            .into_iter()
            .zip(&weights)
            .enumerate()
            .filter(|(_, (_, w))| **w > 0.0)
            .map(|(i, (point, w))| {
                let rows = (rows(&there, TARGET), rows(&back, SOURCE));
                (naive::bipath(&rows.0, &rows.1, SOURCE, point, i, 0.2), *w)
            })
            .collect();
        cells.sort_by(|a, b| b.0.total_cmp(&a.0));
        cells.truncate((5.0 * share).ceil() as usize);
        let total: f64 = cells.iter().map(|(_, w)| w).sum();
        let twin = cells.iter().map(|(p, w)| -w * (p + 1e-6).ln()).sum::<f64>() / total.max(1e-6);
        let known = known(&points, &weights);
        let loss = bipath_loss(&forward, &backward, &known, &config).into_scalar::<f32>();
        assert_close(&[f64::from(loss)], &[twin], 1e-4, 1e-4);

        let twin: f64 = pairs(&points)
            .into_iter()
            .zip(&weights)
            .enumerate()
            .map(|(i, (point, w))| {
                -w * (naive::arrival(&rows(&there, TARGET), TARGET, point, i, 0.2) + 1e-6).ln()
            })
            .sum();
        let twin = twin / weights.iter().sum::<f64>();
        let loss = warp_supervision(&forward, &known, &config).into_scalar::<f32>();
        assert_close(&[f64::from(loss)], &[twin], 1e-4, 1e-4);
    }

    #[test]
    fn targets_sum_to_one(seed: u64, sigma in 0.3f64..3.0, share in 0.0f64..=1.0) {
        // Within the target's cells; farther outside a narrow Gaussian has nothing to divide by.
        let (xs, ys) = (uniform(6, -0.5, 3.5, seed), uniform(6, -0.5, 1.5, seed ^ 2));
        let points: Vec<f64> = xs.into_iter().zip(ys).flat_map(|(x, y)| [x, y]).collect();
        let points = known(&points, &[1.0; 6]);
        let mut votes = uniform(48, 0.0, 1e-9, seed ^ 1);
        votes[..8].fill(0.0);
        let votes = volume(&votes, SOURCE, TARGET, &Device::flex());
        let targets = [
            gaussian_targets(points.points.clone(), TARGET, sigma),
            bilinear_targets(points.points.clone(), TARGET),
            soft_targets(&points, &votes, sigma, share),
        ];
        for targets in targets {
            assert_close(&numbers(targets.sum_dim(2)), &[1.0; 6], 1e-5, 0.0);
        }
    }
}

#[test]
fn without_weights_every_loss_is_zero() {
    let device = Device::flex();
    let values = uniform(48, -1.0, 1.0, 4);
    let (forward, back) = (volume(&values, SOURCE, TARGET, &device), volume(&values, TARGET, SOURCE, &device));
    let nothing = known(&[1.0; 12], &[0.0; 6]);
    let config = WarpLossConfig::default();
    for loss in [
        match_loss(&forward, &nothing, 0.05, 1.0),
        warp_supervision(&forward, &nothing, &config),
        bipath_loss(&forward, &back, &nothing, &config),
    ] {
        assert_eq!(loss.into_scalar::<f32>(), 0.0);
    }
}

#[test]
fn half_a_voted_row_and_half_a_gaussian() {
    let labels = known(&[0.0; 12], &[1.0; 6]);
    let mut votes = vec![0.0; 48];
    votes[7] = 0.3;
    let votes = volume(&votes, SOURCE, TARGET, &Device::flex());
    let soft = numbers(soft_targets(&labels, &votes, 0.1, 0.5));
    assert_close(&[soft[0], soft[7], soft[8]], &[0.5, 0.5, 1.0], 1e-5, 0.0);
}

#[test]
fn worse_negatives_cost_less() {
    let device = Device::flex();
    let flat = |value: f64| volume(&[value; 48], SOURCE, TARGET, &device);
    let mask = || tensor::<3>(&[1.0, 0.0, 0.5, 1.0, 0.2, 1.0], [1, 3, 2], &device);
    let loss = |negative: f64| negative_loss(&flat(0.6), &flat(negative), mask(), 0.05).into_scalar::<f32>();
    assert_close(&[f64::from(loss(0.6))], &[2f64.ln()], 1e-5, 0.0);
    assert!(loss(0.3) < 0.01 && loss(0.9) > 5.0);
    let nowhere = tensor::<3>(&[0.0; 6], [1, 3, 2], &device);
    let loss = negative_loss(&flat(0.6), &flat(0.9), nowhere, 0.05).into_scalar::<f32>();
    assert_close(&[f64::from(loss)], &[2f64.ln()], 1e-5, 0.0);
}

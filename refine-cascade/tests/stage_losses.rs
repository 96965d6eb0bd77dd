//! A stage's losses together against the same losses one by one, in value and gradient.

#[path = "naive/tensors.rs"]
mod tensors;

use std::ops::Range;

use burn::tensor::{Device, Tensor};
use corr_volume::{CorrVolume, Grid};
use refine_cascade::{
    Labels, StageLosses, StudentLossConfig, WarpLossConfig, bipath_loss_from_features, match_loss_from_features,
    negative_loss_from_features, student_loss, warp_supervision_from_features,
};
use tensors::{assert_close, numbers, tensor, uniform, volume};

const PAIRS: usize = 2;
const CHANNELS: usize = 5;
const SOURCES: Range<usize> = 0..2;
const TARGETS: Range<usize> = 2..4;
const WARPED: Range<usize> = 4..6;
const WEIGHTS: [f64; 5] = [0.7, 1.5, 0.3, 2.0, 0.9];

fn grid() -> Grid {
    Grid::new(4, 3)
}

/// Two sources, two targets and the sources warped.
fn maps(device: &Device) -> Tensor<4> {
    tensor(&uniform(6 * CHANNELS * grid().cells(), -1.0, 1.0, 3), [6, CHANNELS, 4, 3], device)
}

fn labels(seed: u64) -> Labels {
    let cells = grid().cells();
    let device = Device::flex();
    Labels {
        points: tensor(&uniform(PAIRS * cells * 2, -0.5, 4.0, seed), [PAIRS, cells, 2], &device),
        weights: tensor(&uniform(PAIRS * cells, 0.0, 1.0, seed ^ 9), [PAIRS, cells], &device),
    }
}

fn votes() -> CorrVolume {
    volume(&uniform(PAIRS * grid().cells() * grid().cells(), 0.0, 1.0, 5), grid(), grid(), &Device::flex())
}

fn mask() -> Tensor<3> {
    tensor(&uniform(PAIRS * grid().cells(), 0.0, 1.0, 8), [PAIRS, 4, 3], &Device::flex())
}

const NEGATIVES: [[usize; 2]; 2] = [[0, 1], [1, 0]];
const TAU: f64 = 0.2;

/// Every kind of loss, one of them on images that overlap.
fn together(maps: Tensor<4>) -> (Vec<f64>, Tensor<1>) {
    let (scoring, warp) = (StudentLossConfig::default(), WarpLossConfig::default());
    let mut losses = StageLosses::new(maps);
    let [a, b, c, d, e] = WEIGHTS;
    let terms = vec![
        losses.student(a, [SOURCES, TARGETS], &labels(1), &labels(2), Some(&votes()), &scoring),
        losses.one_way(b, [SOURCES, SOURCES], &labels(4), None, &scoring),
        losses.warp_supervision(c, [WARPED, SOURCES], &labels(6), &warp),
        losses.bipath(d, [WARPED, TARGETS, SOURCES], &labels(6), &warp),
        losses.negative(e, [SOURCES, TARGETS], mask(), &NEGATIVES, TAU),
    ];
    (terms.into_iter().map(f64::from).collect(), losses.sum())
}

fn one_by_one(maps: &Tensor<4>) -> Vec<Tensor<1>> {
    let (scoring, warp) = (StudentLossConfig::default(), WarpLossConfig::default());
    let part = |images: Range<usize>| maps.clone().narrow(0, images.start, images.len());
    vec![
        student_loss(part(SOURCES), part(TARGETS), &labels(1), &labels(2), Some(&votes()), &scoring),
        match_loss_from_features(part(SOURCES), part(SOURCES), &labels(4), None, &scoring),
        warp_supervision_from_features(part(WARPED), part(SOURCES), &labels(6), &warp),
        bipath_loss_from_features(part(WARPED), part(TARGETS), part(SOURCES), &labels(6), &warp),
        negative_loss_from_features(part(SOURCES), part(TARGETS), mask(), &NEGATIVES, TAU),
    ]
}

#[test]
fn values_and_the_gradient_are_the_weighted_sums() {
    let leaf = || maps(&Device::flex().autodiff()).require_grad();
    let (of_all, of_each) = (leaf(), leaf());
    let (terms, sum) = together(of_all.clone() * 2.0);
    let each = one_by_one(&(of_each.clone() * 2.0));
    let wanted: Vec<f64> = each.iter().map(|loss| numbers(loss.clone().inner())[0]).collect();
    assert_close(&terms, &wanted, 1e-6, 1e-6);
    let weighted = each.into_iter().zip(WEIGHTS).map(|(loss, weight)| loss * weight).reduce(|sum, loss| sum + loss);
    let weighted = weighted.expect("five losses");
    assert_close(&numbers(sum.clone().inner()), &numbers(weighted.clone().inner()), 1e-5, 1e-6);
    // Twice, so that what arrives from above is felt.
    let [found, wanted] = [(sum, of_all), (weighted, of_each)]
        .map(|(loss, leaf)| numbers(leaf.grad(&(loss * 3.0).backward()).expect("a gradient")));
    let largest = wanted.iter().fold(0.0f64, |most, x| most.max(x.abs()));
    assert!(largest > 0.1);
    assert_close(&found, &wanted, 1e-5 * largest, 0.0);
}

#[test]
fn maps_without_a_gradient_give_the_values_alone() {
    let device = Device::flex();
    let (terms, sum) = together(maps(&device));
    let weighted: f64 = terms.iter().zip(WEIGHTS).map(|(term, weight)| term * weight).sum();
    assert!(!sum.is_tracked());
    assert_close(&numbers(sum), &[weighted], 1e-5, 1e-6);
}

#[test]
fn without_losses_the_sum_is_zero_and_so_is_the_gradient() {
    let leaf = maps(&Device::flex().autodiff()).require_grad();
    let sum = StageLosses::new(leaf.clone()).sum();
    assert_eq!(numbers(sum.clone().inner()), [0.0]);
    assert!(numbers(leaf.grad(&sum.backward()).expect("a gradient")).iter().all(|x| *x == 0.0));
}

#[test]
#[should_panic(expected = "of a stack of 6")]
fn images_outside_the_stack_are_refused() {
    let mut losses = StageLosses::new(maps(&Device::flex()));
    losses.one_way(1.0, [SOURCES, 5..7], &labels(1), None, &StudentLossConfig::default());
}

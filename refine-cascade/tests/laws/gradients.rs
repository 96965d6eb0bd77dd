//! Central differences. f32 forwards: a step of 1e-2 balances rounding against curvature, and
//! leaves errors of some 1e-3.

use burn::module::Module;
use burn::tensor::{Device, Tensor, activation::softmax};
use corr_volume::{CorrVolume, Grid, l2_normalise};
use refine_cascade::{
    AdapterConfig, Labels, WarpLossConfig, bipath_loss, match_loss, match_loss_soft, negative_loss, normalise_rows,
    warp_supervision,
};

use crate::cascade::Shake;
use crate::naive::tensors::*;

const GRID: Grid = Grid { height: 2, width: 3 };

fn check<const D: usize>(start: &[f64], shape: [usize; D], loss: impl Fn(Tensor<D>) -> Tensor<1>) {
    let device = Device::flex().autodiff();
    let leaf = tensor(start, shape, &device).require_grad();
    let gradients = loss(leaf.clone()).backward();
    let gradient = numbers(leaf.grad(&gradients).expect("a gradient"));
    let step = 1e-2;
    let value = |values: &[f64]| f64::from(loss(tensor(values, shape, &device)).into_scalar::<f32>());
    let differences: Vec<f64> = (0..start.len())
        .map(|k| {
            let (mut up, mut down) = (start.to_vec(), start.to_vec());
            up[k] += step;
            down[k] -= step;
            (value(&up) - value(&down)) / (2.0 * step)
        })
        .collect();
    assert!(gradient.iter().any(|g| g.abs() > 4e-2), "no gradient is above what is tolerated: {gradient:?}");
    assert_close(&gradient, &differences, 4e-3, 2e-2);
}

fn wrap(values: Tensor<3>) -> CorrVolume {
    CorrVolume::new(values, GRID, GRID)
}

fn known() -> Labels {
    let device = Device::flex().autodiff();
    Labels {
        points: tensor(&uniform(12, 0.0, 1.4, 1), [1, 6, 2], &device),
        weights: tensor(&uniform(6, 0.2, 1.0, 2), [1, 6], &device),
    }
}

fn config() -> WarpLossConfig {
    WarpLossConfig { tau: 0.5, surest: 1.0, ..WarpLossConfig::default() }
}

#[test]
fn of_the_match_loss() {
    let start = uniform(36, -1.0, 1.0, 3);
    check(&start, [1, 6, 6], |v| match_loss(&wrap(v), &known(), 0.5, 1.0));
}

#[test]
fn of_the_soft_match_loss() {
    let device = Device::flex().autodiff();
    let targets = softmax(tensor::<3>(&uniform(36, 0.0, 2.0, 4), [1, 6, 6], &device), 2);
    check(&uniform(36, -1.0, 1.0, 5), [1, 6, 6], |v| match_loss_soft(&wrap(v), targets.clone(), known().weights, 0.5));
}

#[test]
fn of_warp_supervision() {
    let start = uniform(36, -1.0, 1.0, 6);
    check(&start, [1, 6, 6], |v| warp_supervision(&wrap(v), &known(), &config()));
}

#[test]
fn of_both_ways_of_the_bipath_loss() {
    let start = uniform(72, -1.0, 1.0, 7);
    check(&start, [2, 6, 6], |both| {
        let forward = wrap(both.clone().narrow(0, 0, 1));
        let back = wrap(both.narrow(0, 1, 1));
        bipath_loss(&forward, &back, &known(), &config())
    });
}

#[test]
fn of_the_negative_loss() {
    let device = Device::flex().autodiff();
    let mask = tensor::<3>(&uniform(6, 0.2, 1.0, 8), [1, 2, 3], &device);
    // Row maxima stay where they are within a step.
    let mut start = uniform(72, -0.5, 0.3, 9);
    (0..12).for_each(|row| start[row * 6 + row % 6] = 0.5);
    check(&start, [2, 6, 6], |both| {
        let positive = wrap(both.clone().narrow(0, 0, 1));
        let negative = wrap(both.narrow(0, 1, 1));
        negative_loss(&positive, &negative, mask.clone(), 0.5)
    });
}

#[test]
fn of_the_adapter_in_its_features() {
    let device = Device::flex().autodiff();
    let adapter = AdapterConfig::new(3, 4).init(&device).map(&mut Shake);
    let direction = tensor::<4>(&uniform(18, -1.0, 1.0, 10), [1, 3, 2, 3], &device);
    // Differences across a kink of the ReLU would be wrong by up to half the slope: the mean over
    // the direction keeps them below the tolerance.
    check(&uniform(18, 0.5, 1.5, 11), [1, 3, 2, 3], |features| {
        (adapter.forward(l2_normalise(features)) * direction.clone()).sum()
    });
}

#[test]
fn labels_and_votes_stop_the_gradient() {
    let device = Device::flex().autodiff();
    let leaf = tensor::<3>(&uniform(36, 0.1, 1.0, 12), [1, 6, 6], &device).require_grad();
    // Not a leaf: burn's detached leaf is a leaf of its own, which is tracked.
    let volume = wrap(leaf * 2.0);
    let ones = Tensor::ones([1, 2, 3], &device);
    let voted = refine_cascade::vote(&volume, ones.clone(), ones.clone(), &Default::default());
    let labels = refine_cascade::labels(&voted, ones, &Default::default());
    assert!(!voted.values().is_tracked());
    assert!(!labels.points.is_tracked() && !labels.weights.is_tracked());
    assert!(!refine_cascade::anchored(&volume, &volume).values().is_tracked());
    // While the student's own loss carries one on the same device.
    assert!(match_loss(&volume, &labels, 0.05, 1.0).is_tracked());
    assert!(normalise_rows(&volume).values().is_tracked());
}

//! Points as weights over target cells.

use burn::tensor::{Device, Int, Tensor};
use corr_volume::{CorrVolume, Grid};

use crate::labels::Labels;

/// Less than this a Gaussian over a whole axis is taken for nothing.
const NOTHING: f64 = 1e-12;

/// A Gaussian round each point, summing to 1 over the target cells (to 0 for points far outside).
///
/// # Shapes
///
/// - points: `[b, n, 2]`, (x, y) in target cells; sigma in cells
/// - output: `[b, n, target_cells]`
///
/// # Panics
///
/// If sigma is not above 0.
pub fn gaussian_targets(points: Tensor<3>, target: Grid, sigma: f64) -> Tensor<3> {
    assert!(sigma > 0.0, "sigma is above 0 cells, not {sigma}");
    separable(points, target, |distance| {
        let bell = distance.square().mul_scalar(-0.5 / (sigma * sigma)).exp();
        let sum = bell.clone().sum_dim(2).clamp_min(NOTHING);
        bell / sum
    })
}

/// Bilinear weights of the four cells round each point; a point outside the grid counts as the
/// nearest one inside.
///
/// # Shapes
///
/// - points: `[b, n, 2]`, (x, y) in target cells
/// - output: `[b, n, target_cells]`, rows sum to 1
pub fn bilinear_targets(points: Tensor<3>, target: Grid) -> Tensor<3> {
    let inside = clamp_to(points, target);
    separable(inside, target, |distance| distance.abs().neg().add_scalar(1.0).clamp_min(0.0))
}

/// Soft targets of a label: `(1 − voted_share) · Gaussian(point) + voted_share · voted row`, the
/// row divided by its sum. A row without votes is the Gaussian alone.
///
/// # Shapes
///
/// - labels: of the voted volume
/// - voted: `[b, n, target_cells]`, at least 0
/// - output: `[b, n, target_cells]`; rows sum to 1
///
/// # Panics
///
/// If sigma is not above 0, the share is not in 0..=1, or the shapes disagree.
pub fn soft_targets(labels: &Labels, voted: &CorrVolume, sigma: f64, voted_share: f64) -> Tensor<3> {
    assert!((0.0..=1.0).contains(&voted_share), "the voted row's share is in 0..=1, not {voted_share}");
    let gaussian = gaussian_targets(labels.points.clone(), voted.target(), sigma);
    let votes = voted.detach().relu().into_values();
    // Divided by the largest vote first: products of small evidence underflow a sum's threshold.
    let largest = votes.clone().max_dim(2);
    let empty = largest.clone().lower_equal_elem(0.0);
    let votes = votes / largest.mask_fill(empty.clone(), 1.0);
    let sum = votes.clone().sum_dim(2).clamp_min(NOTHING);
    let [batch, cells, _] = gaussian.dims();
    let share = Tensor::<3>::full([batch, cells, 1], voted_share, &gaussian.device());
    let share = share.mask_fill(empty, 0.0);
    gaussian * share.clone().neg().add_scalar(1.0) + votes / sum * share
}

fn separable(points: Tensor<3>, target: Grid, along: impl Fn(Tensor<3>) -> Tensor<3>) -> Tensor<3> {
    let [batch, count, _] = points.dims();
    let device = points.device();
    let axis = |index: usize, size: usize| {
        let at = points.clone().slice([0..batch, 0..count, index..index + 1]);
        along(at - positions(size, &device))
    };
    let x = axis(0, target.width).reshape([batch, count, 1, target.width]);
    let y = axis(1, target.height).reshape([batch, count, target.height, 1]);
    (y * x).reshape([batch, count, target.cells()])
}

fn clamp_to(points: Tensor<3>, target: Grid) -> Tensor<3> {
    let [batch, count, _] = points.dims();
    let axis = |index: usize, size: usize| {
        points.clone().slice([0..batch, 0..count, index..index + 1]).clamp(0.0, (size - 1) as f64)
    };
    Tensor::cat(vec![axis(0, target.width), axis(1, target.height)], 2)
}

fn positions(size: usize, device: &Device) -> Tensor<3> {
    Tensor::<1, Int>::arange(0..size as i64, device).float().reshape([1, 1, size])
}

//! How far a volume is from key points.

use burn::tensor::{Tensor, activation};
use corr_volume::{CorrVolume, Grid};

use super::KeyPointBatch;

/// Cross entropy of each key point's row with a Gaussian round the right answer, `[1]`.
///
/// ```text
/// L = mean_p −Σ_j q_pj log softmax_j(C[p, j] / τ),   q_pj ∝ exp(−|x_j − y_p|² / 2σ²)
/// ```
///
/// The row of a point between cells is the bilinear mean of its neighbours' rows ([`CorrVolume::sample_rows`]); `τ` is
/// `temperature`, `σ` is `deviation` in cells.
pub fn key_point_cross_entropy(
    volume: &CorrVolume,
    points: &KeyPointBatch,
    temperature: f64,
    deviation: f64,
) -> Tensor<1> {
    let rows = volume.sample_rows(points.source.clone());
    points.mean(row_cross_entropy(rows.div_scalar(temperature), points, volume.target(), deviation))
}

/// Cross entropy of the softmax of each key point's row of `logits` `[b, n, target_cells]` with a Gaussian round the right
/// answer, `[b, n]`.
pub(super) fn row_cross_entropy(logits: Tensor<3>, points: &KeyPointBatch, target: Grid, deviation: f64) -> Tensor<2> {
    let log_shares = activation::log_softmax(logits, 2);
    (log_shares * gaussian_targets(points.target.clone(), target, deviation)).sum_dim(2).squeeze_dim::<2>(2).neg()
}

/// Mean distance in cells between `answers` `[b, n, 2]` and where the key points lie, `[1]`: the average end-point error.
pub fn end_point_error(answers: Tensor<3>, points: &KeyPointBatch) -> Tensor<1> {
    // The root's slope is infinite at 0.
    const SMALLEST: f64 = 1e-8;
    let squares: Tensor<2> = (answers - points.target.clone()).square().sum_dim(2).squeeze_dim::<2>(2);
    points.mean(squares.add_scalar(SMALLEST).sqrt())
}

/// `[b, n, 2]` points to `[b, n, cells]`: a Gaussian round each that sums to one.
fn gaussian_targets(points: Tensor<3>, grid: Grid, deviation: f64) -> Tensor<3> {
    let cells: Tensor<4> = grid.points(&points.device()).unsqueeze_dims(&[0, 0]);
    let distances: Tensor<3> = (cells - points.unsqueeze_dim(2)).square().sum_dim(3).squeeze_dim(3);
    activation::softmax(distances.mul_scalar(-0.5 / (deviation * deviation)), 2)
}

//! What a student learns from labels.

use burn::tensor::{Tensor, activation::log_softmax};
use corr_volume::CorrVolume;

use crate::labels::Labels;
use crate::soft_targets::gaussian_targets;

/// Less weight than this in a whole batch is not divided by.
const LEAST_WEIGHT: f64 = 1e-6;

/// Cross entropy of the match distribution with a Gaussian round each label.
///
/// ```text
/// L = −(1 / Σ w) Σ_i w_i Σ_j Q_ij log softmax_j(C_ij / τ)
/// ```
///
/// OICR's weighting (Tang et al., CVPR 2017): an unsure label costs little. 0, and finite, where
/// every weight is 0.
///
/// # Shapes
///
/// - volume: `[b, source_cells, target_cells]`; labels for its source cells; sigma in cells
/// - output: `[1]`
///
/// # Panics
///
/// If tau or sigma is not above 0, or the labels do not fit the volume.
pub fn match_loss(volume: &CorrVolume, labels: &Labels, tau: f64, sigma: f64) -> Tensor<1> {
    let targets = gaussian_targets(labels.points.clone(), volume.target(), sigma);
    match_loss_soft(volume, targets, labels.weights.clone(), tau)
}

/// The same with targets given as weights over target cells, see
/// [`soft_targets`](crate::soft_targets).
///
/// # Shapes
///
/// - volume: `[b, source_cells, target_cells]`
/// - targets: the same, at least 0
/// - weights: `[b, source_cells]`, at least 0
/// - output: `[1]`
///
/// # Panics
///
/// If tau is not above 0, or the shapes disagree.
pub fn match_loss_soft(volume: &CorrVolume, targets: Tensor<3>, weights: Tensor<2>, tau: f64) -> Tensor<1> {
    assert!(tau > 0.0, "the temperature is above 0, not {tau}");
    let values = volume.values();
    let [batch, source, target] = values.dims();
    assert_eq!(
        (targets.dims(), weights.dims()),
        ([batch, source, target], [batch, source]),
        "targets and weights have to fit a volume of {batch} pairs, {source}×{target} cells"
    );
    let log_probability = log_softmax(values.div_scalar(tau), 2);
    let per_cell = (targets * log_probability).sum_dim(2).reshape([batch, source]);
    weighted_mean(per_cell.neg(), weights)
}

/// `Σ w l / Σ w`, 0 where all weights are.
pub(crate) fn weighted_mean(losses: Tensor<2>, weights: Tensor<2>) -> Tensor<1> {
    let total = weights.clone().sum().clamp_min(LEAST_WEIGHT);
    (losses * weights).sum() / total
}

//! Warp consistency: what must hold for a known warp, whatever the network believes.

use burn::tensor::Tensor;
use corr_volume::CorrVolume;
use serde::{Deserialize, Serialize};

use crate::host::{read, upload};
use crate::labels::Labels;
use crate::match_loss::weighted_mean;
use crate::soft_targets::bilinear_targets;

/// How warp consistency is scored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WarpLossConfig {
    /// Temperature of the match distributions. Default 0.05.
    pub tau: f64,
    /// Share of the cells with a positive weight, image by image, on which the bipath loss is
    /// scored: those it is most sure of. Default 0.6.
    pub surest: f64,
    /// Added to a probability before its logarithm. Default 1e-6.
    pub epsilon: f64,
}

impl Default for WarpLossConfig {
    fn default() -> Self {
        Self { tau: 0.05, surest: 0.6, epsilon: 1e-6 }
    }
}

impl WarpLossConfig {
    pub(crate) fn check(&self) {
        assert!(
            self.tau > 0.0 && self.epsilon > 0.0 && (0.0..=1.0).contains(&self.surest),
            "tau and epsilon are above 0 and the surest share is in 0..=1: {self:?}"
        );
    }
}

/// Warp supervision: `−log P(W(A) → A)` at the known place.
///
/// ```text
/// p_i = Σ_j B_ij softmax_j(C_ij / τ),  B bilinear among the four cells round the known point
/// L = −Σ_i w_i log(p_i + ε) / Σ w
/// ```
///
/// # Shapes
///
/// - volume: `[b, cells of W(A), cells of A]`
/// - known: from [`warp_targets`](crate::warp_targets), [masked](Labels::masked) at will
/// - output: `[1]`; 0 where every weight is
///
/// # Panics
///
/// If the configuration is out of range or the labels do not fit the volume.
pub fn warp_supervision(volume: &CorrVolume, known: &Labels, config: &WarpLossConfig) -> Tensor<1> {
    config.check();
    check_labels(volume, known);
    let bilinear = bilinear_targets(known.points.clone(), volume.target());
    let probability = sum_targets(volume.match_distribution(config.tau).values(), bilinear);
    negative_log(probability, known.weights.clone(), config)
}

/// The bipath constraint: from W(A) through an image B of the same class back to A, the composed
/// match has to be the warp (PWarpC: Truong et al., *Probabilistic Warp Consistency for
/// Weakly-Supervised Semantic Correspondences*, CVPR 2022).
///
/// ```text
/// p_i = Σ_k P(W(A) → B)_ik Σ_j P(B → A)_kj B_ij
/// L = −Σ_{i surest} w_i log(p_i + ε) / Σ_{i surest} w_i
/// ```
///
/// # Shapes
///
/// - forward: `[b, cells of W(A), cells of B]`
/// - back: `[b, cells of B, cells of A]`
/// - known: from [`warp_targets`](crate::warp_targets), [masked](Labels::masked) at will
/// - output: `[1]`; 0 where every weight is
///
/// # Panics
///
/// If the configuration is out of range, the volumes do not compose, or the labels do not fit.
pub fn bipath_loss(forward: &CorrVolume, back: &CorrVolume, known: &Labels, config: &WarpLossConfig) -> Tensor<1> {
    config.check();
    assert_eq!(
        (forward.target(), forward.batch()),
        (back.source(), back.batch()),
        "the way back has to start where the way forward ends"
    );
    check_labels(forward, known);
    let bilinear = bilinear_targets(known.points.clone(), back.target());
    // B · P(B → A)ᵀ first: B is a constant, so that one product less is differentiated.
    let back = back.match_distribution(config.tau).values();
    let arrive = bilinear.matmul(back.swap_dims(1, 2));
    let probability = sum_targets(forward.match_distribution(config.tau).values(), arrive);
    let surest = surest(probability.clone(), known.weights.clone(), config.surest);
    negative_log(probability, known.weights.clone() * surest, config)
}

fn check_labels(volume: &CorrVolume, known: &Labels) {
    let shape = [volume.batch(), volume.source().cells()];
    assert_eq!(
        (known.points.dims(), known.weights.dims()),
        ([shape[0], shape[1], 2], shape),
        "the known matches have to be those of the volume's source cells"
    );
}

fn sum_targets(distribution: Tensor<3>, weights: Tensor<3>) -> Tensor<2> {
    let [batch, cells, _] = distribution.dims();
    (distribution * weights).sum_dim(2).reshape([batch, cells])
}

fn negative_log(probability: Tensor<2>, weights: Tensor<2>, config: &WarpLossConfig) -> Tensor<1> {
    let losses = probability.add_scalar(config.epsilon).log().neg();
    weighted_mean(losses, weights)
}

/// 1 at the [surest cells](surest_cells) of each image, else 0.
fn surest(probability: Tensor<2>, weights: Tensor<2>, share: f64) -> Tensor<2> {
    let shape = probability.dims();
    let device = probability.device();
    let probability = read(probability);
    let weights = read(weights);
    let mut chosen = vec![0.0f32; probability.len()];
    for first in (0..chosen.len()).step_by(shape[1]) {
        let image = first..first + shape[1];
        for cell in surest_cells(&probability[image.clone()], &weights[image], share) {
            chosen[first + cell] = 1.0;
        }
    }
    upload(chosen, shape, &device)
}

/// The most probable share (rounded up) of one image's cells of positive weight, the surest first; of cells that are equally
/// sure the lower index.
pub(crate) fn surest_cells(probability: &[f32], weights: &[f32], share: f64) -> Vec<usize> {
    let mut cells: Vec<usize> = (0..weights.len()).filter(|cell| weights[*cell] > 0.0).collect();
    cells.sort_by(|a, b| probability[*b].total_cmp(&probability[*a]));
    cells.truncate((cells.len() as f64 * share).ceil() as usize);
    cells
}

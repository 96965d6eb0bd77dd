//! Pixel level: cell matches, guided by the region matches, and what they say of the image pair.

use burn::tensor::Tensor;
use burn::tensor::activation::softplus;
use corr_volume::{CorrVolume, Grid, soft_mutual};
use serde::{Deserialize, Serialize};

/// Weights and temperatures of the pixel level.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PixelConfig {
    /// λ, how much the region prior adds to an affinity; 0 ignores it; default 1.
    pub prior_weight: f64,
    /// τ of the match distribution in the bag score, in units of the filtered volume Ĉ (0..=1 + λ); default 0.1.
    pub temperature: f64,
    /// τ_s of the loss, in units of the bag score (0..=1): the margin at which a pair of pairs is told apart; default 0.1.
    pub loss_temperature: f64,
    /// Only cells whose mask is above this speak for the pair, each with its mask as weight; default 0.5, the staircase
    /// mask's background.
    pub foreground: f64,
}

impl Default for PixelConfig {
    fn default() -> Self {
        Self { prior_weight: 1.0, temperature: 0.1, loss_temperature: 0.1, foreground: 0.5 }
    }
}

/// The affinity, raised by the region prior and filtered for mutual nearest neighbours.
///
/// ```text
/// C_ij = max(0, a_ij) (1 + λ P_ij),    Ĉ = soft_mutual(C)
/// ```
///
/// `prior` is [`cell_prior`](crate::cell_prior)'s, `[batch, source_cells, target_cells]`.
///
/// # Panics
///
/// If the prior's shape is not the affinity's, or λ is not a number of at least 0.
pub fn pixel_volume(affinity: &CorrVolume, prior: Tensor<3>, config: &PixelConfig) -> CorrVolume {
    let values = affinity.relu().into_values();
    assert_eq!(prior.dims(), values.dims(), "a prior of {:?} for an affinity of {:?}", prior.dims(), values.dims());
    assert!(
        config.prior_weight.is_finite() && config.prior_weight >= 0.0,
        "the prior's weight must be a number of at least 0, got {}",
        config.prior_weight
    );
    let raised = values * prior.mul_scalar(config.prior_weight).add_scalar(1.0);
    soft_mutual(&CorrVolume::new(raised, affinity.source(), affinity.target()))
}

/// How sure the foreground cells are of their matches, `[batch]` in 0..=1.
///
/// ```text
/// r_i = max_j softmax_j(Ĉ_ij / τ),    s(s→t) = Σ_i m_i r_i / Σ_i m_i  over the cells with m_i > foreground
/// s   = (s(s→t) + s(t→s)) / 2
/// ```
///
/// Masks are `[batch, height, width]` on the volume's grids. A direction without a foreground cell scores 0.
///
/// # Panics
///
/// If a mask's shape does not fit the volume's batch and grids, or τ is not a number above 0.
pub fn pixel_bag_score(
    volume: &CorrVolume,
    source_mask: Tensor<3>,
    target_mask: Tensor<3>,
    config: &PixelConfig,
) -> Tensor<1> {
    let forward = one_way_score(volume, volume.source(), source_mask, config);
    let backward = one_way_score(&volume.transpose(), volume.target(), target_mask, config);
    (forward + backward).div_scalar(2.0)
}

fn one_way_score(volume: &CorrVolume, grid: Grid, mask: Tensor<3>, config: &PixelConfig) -> Tensor<1> {
    let expected = [volume.batch(), grid.height, grid.width];
    assert_eq!(mask.dims(), expected, "a mask of {:?} where the volume wants {expected:?}", mask.dims());
    let mask = mask.reshape([volume.batch(), grid.cells()]);
    let foreground = mask.clone().greater_scalar(config.foreground).float();
    let weights = mask * foreground;
    let surest = volume.match_distribution(config.temperature).values().max_dim(2).squeeze_dim::<2>(2);
    let mass = weights.clone().sum_dim(1).clamp_min(1e-6);
    ((surest * weights).sum_dim(1) / mass).squeeze_dim::<1>(1)
}

/// Ranks positive pairs above negative ones, a mean over the batch of bag scores `[batch]`.
///
/// ```text
/// L_pixel = (1/B) Σ_n softplus((s(negative_n) − s(positive_n)) / τ_s)
/// ```
///
/// Pair n of both is usually one source image with a target of its class and one of another:
/// [`check_negatives`](crate::check_negatives) makes sure of the latter.
///
/// # Panics
///
/// If the lengths differ or τ_s is not a number above 0.
pub fn pixel_loss(negative: Tensor<1>, positive: Tensor<1>, config: &PixelConfig) -> Tensor<1> {
    let (negatives, positives) = (negative.dims(), positive.dims());
    assert_eq!(negatives, positives, "negative scores are {negatives:?}, positive scores {positives:?}");
    assert!(
        config.loss_temperature.is_finite() && config.loss_temperature > 0.0,
        "the loss temperature must be a number above 0, got {}",
        config.loss_temperature
    );
    softplus((negative - positive).div_scalar(config.loss_temperature), 1.0).mean()
}

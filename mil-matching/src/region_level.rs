//! Region level: the loss of the bag scores, and what region matches say of cells.

use burn::tensor::{Tensor, TensorData};

use crate::RegionScores;

/// Bag scores are kept this far from 0 and 1 before a logarithm is taken.
const MARGIN: f64 = 1e-6;

/// Binary cross entropy of bag scores `[batch]`, a mean over the pairs; `positive[n]` says whether pair n shares a class.
///
/// ```text
/// φ̃ = clamp(φ, 1e−6, 1 − 1e−6),   L_region = −(1/B) Σ_n y_n log φ̃_n + (1 − y_n) log(1 − φ̃_n)
/// ```
///
/// Outside the clamp the gradient is zero.
///
/// # Panics
///
/// If there is not one answer for each pair.
pub fn region_loss(bag: Tensor<1>, positive: &[bool]) -> Tensor<1> {
    let [batch] = bag.dims();
    assert_eq!(positive.len(), batch, "{} answers for {batch} pairs", positive.len());
    let wanted: Vec<f32> = positive.iter().map(|&positive| f32::from(u8::from(positive))).collect();
    let wanted = Tensor::<1>::from_data(TensorData::new(wanted, [batch]), &bag.device());
    // y φ + (1 − y)(1 − φ) is the probability of the right answer: one logarithm instead of two.
    let signs = wanted.clone().mul_scalar(2.0).sub_scalar(1.0);
    let right = bag.clamp(MARGIN, 1.0 - MARGIN) * signs + wanted.neg().add_scalar(1.0);
    right.log().mean().neg()
}

/// How far the region matches support each pair of cells, `[batch, source_cells, target_cells]` in 0..=1.
///
/// ```text
/// P_ij = Σ_ab u_ai x̂_ab u_bj,    x̂ = x / max_ab x
/// ```
///
/// `source_regions` `[batch, R_source, source_cells]` and `target_regions` `[batch, R_target, target_cells]` are those of
/// [`assign_regions`](crate::assign_regions) which gave the descriptors of `scores`. Zero where no region matches.
/// Gradients flow to the scores; detach their instances if the prior is to be a constant.
///
/// # Panics
///
/// If batches or region counts do not agree.
pub fn cell_prior(source_regions: Tensor<3>, scores: &RegionScores, target_regions: Tensor<3>) -> Tensor<3> {
    let [batch, rows, columns] = scores.instances.dims();
    let (source, target) = (source_regions.dims(), target_regions.dims());
    assert!(
        source[..2] == [batch, rows] && target[..2] == [batch, columns],
        "regions of {source:?} and {target:?} for scores of {:?}",
        scores.instances.dims()
    );
    let largest = scores.instances.clone().reshape([batch, rows * columns]).max_dim(1).clamp_min(1e-20);
    let relative = scores.instances.clone() / largest.reshape([batch, 1, 1]);
    source_regions.swap_dims(1, 2).matmul(relative).matmul(target_regions)
}

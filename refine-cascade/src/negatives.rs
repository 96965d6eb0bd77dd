//! A margin between pairs that share a class and pairs that do not.

use burn::tensor::{Int, Tensor, activation::softplus};
use corr_volume::CorrVolume;

/// Less mask than this in a whole image is not divided by.
const LEAST_MASK: f64 = 1e-6;

/// How well a volume's source cells are matched: the mask-weighted mean of its row maxima.
///
/// # Shapes
///
/// - volume: `[b, source_cells, target_cells]`
/// - source_mask: `[b, height, width]`
/// - output: `[b]`, in the volume's own units (a cosine for a raw volume)
///
/// # Panics
///
/// If the mask does not fit the volume.
pub fn bag_score(volume: &CorrVolume, source_mask: Tensor<3>) -> Tensor<1> {
    let batch = volume.batch();
    crate::voting::check_mask("source", &source_mask, batch, volume.source());
    let cells = volume.source().cells();
    let mask = source_mask.reshape([batch, cells]);
    let peaks = volume.values().max_dim(2).reshape([batch, cells]);
    let total = mask.clone().sum_dim(1).clamp_min(LEAST_MASK);
    ((peaks * mask).sum_dim(1) / total).reshape([batch])
}

/// `mean softplus((s_negative − s_positive) / τ)` of the bag scores of pairs with the same source.
///
/// Whether the pairs of `negative` really have different classes is the caller's to see to.
///
/// # Shapes
///
/// - positive, negative: `[b, source_cells, target_cells]`, pair by pair with the same source
/// - source_mask: `[b, height, width]`
/// - output: `[1]`
///
/// # Panics
///
/// If tau is not above 0, or a shape disagrees.
pub fn negative_loss(positive: &CorrVolume, negative: &CorrVolume, source_mask: Tensor<3>, tau: f64) -> Tensor<1> {
    assert!(tau > 0.0, "the temperature is above 0, not {tau}");
    let margin = bag_score(negative, source_mask.clone()) - bag_score(positive, source_mask);
    softplus(margin.div_scalar(tau), 1.0).mean()
}

/// [`negative_loss`] of pairs `[of, with]`: of the cosine volumes of source `of` with the targets `of` and `with`.
pub(crate) fn bag_margin(
    source: Tensor<4>,
    target: Tensor<4>,
    source_mask: Tensor<3>,
    pairs: &[[usize; 2]],
    tau: f64,
) -> Tensor<1> {
    let device = source.device();
    let chosen = |which: usize| {
        let indices: Vec<i32> = pairs.iter().map(|pair| pair[which] as i32).collect();
        Tensor::<1, Int>::from_ints(indices.as_slice(), &device)
    };
    let (of, with) = (chosen(0), chosen(1));
    let source = source.select(0, of.clone());
    let positive = CorrVolume::cosine(source.clone(), target.clone().select(0, of.clone()));
    let negative = CorrVolume::cosine(source, target.select(0, with));
    negative_loss(&positive, &negative, source_mask.select(0, of), tau)
}

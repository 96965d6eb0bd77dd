use crate::CorrVolume;

/// Keeps the ratios finite where a row or a column holds no positive score.
pub(crate) const EPSILON: f64 = 1e-5;

/// Soft mutual nearest neighbours: a score counts in full where it is the best of its row and of its column, and in
/// proportion to the best elsewhere (Rocco et al., *Neighbourhood Consensus Networks*, NeurIPS 2018).
///
/// ```text
/// c = max(0, C)
/// result[b, i, j] = c[b, i, j] * c[b, i, j] / (max_j c[b, i, j] + 1e-5) * c[b, i, j] / (max_i c[b, i, j] + 1e-5)
/// ```
///
/// The result lies between 0 and `c`. It commutes with [`CorrVolume::transpose`]. Because of the 1e-5 it is meant for
/// volumes on the scale of cosines, not for voted ones.
pub fn soft_mutual(volume: &CorrVolume) -> CorrVolume {
    let scores = volume.relu().into_values();
    let best_target = scores.clone().max_dim(2).add_scalar(EPSILON);
    let best_source = scores.clone().max_dim(1).add_scalar(EPSILON);
    let filtered = scores.clone() * (scores.clone() / best_target) * (scores / best_source);
    CorrVolume::new(filtered, volume.source(), volume.target())
}

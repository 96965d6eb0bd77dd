//! Anchoring a teacher to the raw affinity.

use corr_volume::CorrVolume;

/// Geometric mean `√(max(0, T) · max(0, C))` of a teacher's volume and the raw one.
///
/// A cascade taught by its own last stage alone drifts; a teacher anchored to what the features
/// said cannot wander where they saw nothing. Carries no gradient.
///
/// # Shapes
///
/// - both volumes and the output: `[b, source_cells, target_cells]`
///
/// # Panics
///
/// If the grids differ.
pub fn anchored(teacher: &CorrVolume, raw: &CorrVolume) -> CorrVolume {
    assert_eq!(
        (teacher.source(), teacher.target()),
        (raw.source(), raw.target()),
        "the teacher's and the raw volume's (source, target) grids have to be the same"
    );
    let product = teacher.detach().relu().into_values() * raw.detach().relu().into_values();
    CorrVolume::new(product.sqrt(), raw.source(), raw.target())
}

//! How far one match is to be trusted, before anything is known of which are right.

/// The confidence of a match, 0..=1, from what can be seen without key points.
///
/// ```text
/// confidence = agreement · peakedness · exp(−½ (cycle error / tolerance)²)
/// ```
///
/// `agreement` is the share of the image's partners with which the cell's match passes the checks, `peakedness` that of the
/// match itself, and a cycle that ends at the tolerance, in the cycle error's unit, still counts .61. Any of the three can
/// take all trust away. It rises with peakedness and agreement and falls with the cycle error, so that matches can be
/// ranked by it; how often a match of some confidence is right is for a [`Calibrator`](crate::Calibrator) to say. 0 where
/// something is not a number.
pub fn match_confidence(peakedness: f32, cycle_error: f32, tolerance: f32, agreement: f32) -> f32 {
    // A tolerance of 0 is met by an error of 0 alone.
    let closeness = if cycle_error == 0.0 { 1.0 } else { (-0.5 * (cycle_error / tolerance).powi(2)).exp() };
    let confidence = agreement * peakedness * closeness;
    if confidence.is_nan() { 0.0 } else { confidence.clamp(0.0, 1.0) }
}

//! The identity map: what a matcher that never looks at the images scores.

/// Answers each point with the same relative position in the other image.
///
/// `x' = (x + 0.5) · W_to / W_from − 0.5`, and likewise for y: both images stretched to one frame, and the point left where
/// it is. Every matcher has to be well above the score of this.
pub fn identity(points: &[[f32; 2]], from: (u32, u32), to: (u32, u32)) -> Vec<[f32; 2]> {
    let axis = |x: f32, from: u32, to: u32| (x + 0.5) * to as f32 / from as f32 - 0.5;
    points.iter().map(|&[x, y]| [axis(x, from.0, to.0), axis(y, from.1, to.1)]).collect()
}

//! Scores that become probabilities, as [`MatchDistribution`](corr_volume::MatchDistribution) makes them.

use corr_volume::vectorised;

use super::lanes::{fold, larger};

/// Scores are clamped to this magnitude before a softmax.
const LARGEST_SCORE: f32 = 1e9;

/// Clamps scores in place and returns the indices of those that were out of range, which feel no gradient. Hardly ever any.
pub(crate) fn clamp(scores: &mut [f32]) -> Vec<usize> {
    let largest = vectorised(
        #[inline(always)]
        || {
            fold(
                scores,
                0.0,
                #[inline(always)]
                |most, score| larger(most, score.abs()),
            )
            .into_iter()
            .fold(0.0, larger)
        },
    );
    if largest <= LARGEST_SCORE {
        return Vec::new();
    }
    let mut clamped = Vec::new();
    for (index, score) in scores.iter_mut().enumerate() {
        if score.abs() > LARGEST_SCORE {
            *score = score.clamp(-LARGEST_SCORE, LARGEST_SCORE);
            clamped.push(index);
        }
    }
    clamped
}

/// Takes the gradient away from where [`clamp`] acted.
pub(crate) fn unclamp(gradient: &mut [f32], clamped: &[usize]) {
    clamped.iter().for_each(|index| gradient[*index] = 0.0);
}

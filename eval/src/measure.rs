//! The ruler that a protocol lays on one pair: scaled distances, and the length that a threshold is a share of.

use crate::key_points::KeyPointPair;
use crate::pck::ScoreError;
use crate::protocol::Protocol;

/// How a protocol measures in the image of a pair that is predicted in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ruler {
    scale: [f64; 2],
    length: f64,
}

impl Ruler {
    /// The ruler for one pair; an error where the protocol needs a box that is not annotated.
    pub(crate) fn new(pair: &KeyPointPair, protocol: &Protocol) -> Result<Self, ScoreError> {
        let image = protocol.direction.predicted(pair);
        let length = protocol.length_of(image).ok_or_else(|| ScoreError::NoBox { pair: pair.id.clone() })?;
        Ok(Self { scale: protocol.frame.scale(image.size), length })
    }

    /// Distance of two points in the frame. NaN, which is within no threshold, where a coordinate is NaN.
    pub(crate) fn distance(&self, p: [f32; 2], q: [f32; 2]) -> f64 {
        let dx = (f64::from(p[0]) - f64::from(q[0])) * self.scale[0];
        let dy = (f64::from(p[1]) - f64::from(q[1])) * self.scale[1];
        (dx * dx + dy * dy).sqrt()
    }

    /// Whether a distance is at most α · L.
    pub(crate) fn within(&self, distance: f64, alpha: f64) -> bool {
        distance <= alpha * self.length
    }
}

/// That there is one prediction for each point asked.
pub(crate) fn check_count(pair: &KeyPointPair, predicted: &[[f32; 2]], protocol: &Protocol) -> Result<(), ScoreError> {
    let expected = protocol.direction.predicted(pair).points.len();
    if predicted.len() == expected {
        return Ok(());
    }
    Err(ScoreError::PointCount { pair: pair.id.clone(), expected, found: predicted.len() })
}

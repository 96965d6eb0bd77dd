//! The percentage of correct key points, PCK, under any [`Protocol`].
//!
//! ```text
//! PCK_pair(α) = share of key points with |predicted − annotated| ≤ α · L      (both sides measured in the frame)
//! ```

use thiserror::Error;

use crate::key_points::{KeyPointPair, PairImage};
use crate::measure::{Ruler, check_count};
use crate::protocol::{Direction, Frame, Length, Protocol};

impl Direction {
    /// The image of a pair in which the points are asked.
    pub fn asked(self, pair: &KeyPointPair) -> &PairImage {
        match self {
            Self::Forward => &pair.source,
            Self::Backward => &pair.target,
        }
    }

    /// The image of a pair in which the points are predicted.
    pub fn predicted(self, pair: &KeyPointPair) -> &PairImage {
        match self {
            Self::Forward => &pair.target,
            Self::Backward => &pair.source,
        }
    }

    /// The ids of a pair's images: of the one asked in, then of the one predicted in.
    pub(crate) fn image_ids(self, pair: &KeyPointPair) -> [u64; 2] {
        let [source, target] = pair.image_ids();
        match self {
            Self::Forward => [source, target],
            Self::Backward => [target, source],
        }
    }
}

/// The right points of one pair, at each threshold of the protocol.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct PairScore {
    /// The class of the pair.
    pub class: String,
    /// What tells its images apart, that of the points asked first: [`KeyPointPair::image_ids`]. Intervals resample images.
    pub images: [u64; 2],
    /// How many points were asked; at least 1.
    pub points: usize,
    /// How many were right, in the order of the protocol's thresholds.
    pub correct: Vec<usize>,
    /// How many predictions were not finite numbers; they count as wrong.
    pub invalid: usize,
}

/// Why a pair's predictions cannot be scored.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum ScoreError {
    /// Not one prediction a point.
    #[error("{pair}: {found} points are predicted, {expected} are asked")]
    PointCount {
        /// The pair's id.
        pair: String,
        /// Points asked.
        expected: usize,
        /// Points predicted.
        found: usize,
    },
    /// `length=bbox` on a benchmark without boxes.
    #[error(
        "{pair}: the benchmark has no box for this image, so length=bbox cannot be scored; use length=bbox-kp or length=img"
    )]
    NoBox {
        /// The pair's id.
        pair: String,
    },
}

/// Scores the predictions for one pair: `predicted[i]` answers point i of the image that the protocol asks in, in pixels
/// of the other image.
///
/// # Errors
///
/// [`ScoreError`] where the number of points differs, or the protocol needs a box that the benchmark does not have.
pub fn score_pair(pair: &KeyPointPair, predicted: &[[f32; 2]], protocol: &Protocol) -> Result<PairScore, ScoreError> {
    check_count(pair, predicted, protocol)?;
    let ruler = Ruler::new(pair, protocol)?;
    let truth = &protocol.direction.predicted(pair).points;
    let distances: Vec<f64> = predicted.iter().zip(truth).map(|(&p, &q)| ruler.distance(p, q)).collect();
    let right = |alpha: &f64| distances.iter().filter(|distance| ruler.within(**distance, *alpha)).count();
    Ok(PairScore {
        class: pair.class.clone(),
        images: protocol.direction.image_ids(pair),
        points: truth.len(),
        correct: protocol.alphas.iter().map(right).collect(),
        invalid: predicted.iter().filter(|point| !point.iter().all(|x| x.is_finite())).count(),
    })
}

impl Protocol {
    /// The length L of the image predicted in, in the protocol's frame; `None` where it is to be that of a box which the
    /// benchmark does not have.
    pub fn length_of(&self, predicted: &PairImage) -> Option<f64> {
        threshold_length(predicted, self.frame, self.length)
    }
}

/// L in the frame; `None` where it needs a box that is not annotated. Each axis is scaled by its own scale, before the
/// longer side is taken.
fn threshold_length(image: &PairImage, frame: Frame, length: Length) -> Option<f64> {
    let scale = frame.scale(image.size);
    let longer_side = |[left, top, right, bottom]: [f32; 4]| {
        let width = (f64::from(right) - f64::from(left)) * scale[0];
        let height = (f64::from(bottom) - f64::from(top)) * scale[1];
        width.max(height)
    };
    match length {
        Length::Img => Some((f64::from(image.size.0) * scale[0]).max(f64::from(image.size.1) * scale[1])),
        Length::Bbox => image.object_box.map(longer_side),
        Length::BboxKp => Some(longer_side(image.key_point_box)),
        Length::BboxPadded => {
            let [_, _, right, bottom] = image.key_point_box;
            Some((f64::from(right) * scale[0]).max(f64::from(bottom) * scale[1]) + 1.0)
        }
    }
}

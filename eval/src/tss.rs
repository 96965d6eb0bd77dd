//! The flow score of TSS (Taniai, Sinha and Sato, "Joint Recovery of Dense Correspondence and Cosegmentation in Two
//! Images", CVPR 2016).
//!
//! ```text
//! score = share of ground-truth pixels whose end-point error |predicted − true| ≤ 0.05 · max(H, W) of the OTHER image
//! subset = mean over its directed pairs,   Avg = mean of the subsets' means
//! ```
//!
//! Each pair counts twice, once in each direction. The authors' kit counts the pixels whose true vector is known. The
//! variant of DenseMatching counts those of them that the foreground mask marks; where the ground truth is known on the
//! foreground alone, as in the published files, the two are equal. Turning a matcher's answers into flow is the
//! caller's work, mirrored by [`Flow::mirrored`] where the pair is flipped and the matcher saw the other image as it
//! is.

use std::path::Path;

use sc_imagenet::{DecodeError, DecodeLimits, decode};
use thiserror::Error;

use crate::flow::{Flow, is_known};
use crate::mask_transfer::ObjectMask;

/// The share of the other image's longer side within which TSS takes a vector for right.
pub const TSS_ALPHA: f64 = 0.05;

/// How many vectors of one directed pair are right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowScore {
    /// Pixels that count: with a known true vector, and in the foreground where a mask was given. At least 1.
    pub pixels: usize,
    /// Those whose predicted vector is right.
    pub right: usize,
    /// Those whose predicted vector is unknown; they count as wrong.
    pub unknown: usize,
}

impl FlowScore {
    /// The share of right pixels, 0..=1.
    pub fn share(&self) -> f64 {
        self.right as f64 / self.pixels as f64
    }
}

/// Why a flow cannot be scored.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum FlowScoreError {
    /// Two grids of different sizes.
    #[error(
        "the {what} is {}x{}, the ground truth {}x{}; a flow has one vector for each pixel of its own image",
        found.0, found.1, expected.0, expected.1
    )]
    Size {
        /// What has another size than the ground truth.
        what: &'static str,
        /// `(width, height)` of the ground truth.
        expected: (u32, u32),
        /// `(width, height)` of it.
        found: (u32, u32),
    },
    /// No pixel has a known true vector.
    #[error(
        "the ground truth knows no pixel{}; leave the pair out",
        if *foreground { " of the foreground" } else { "" }
    )]
    NoPixels {
        /// Whether a mask was given.
        foreground: bool,
    },
}

/// Scores a flow against the ground truth of its image. `other_size` is that of the image that both point into; `alpha`
/// is [`TSS_ALPHA`] for the published score; `foreground` is `None` for the kit's score and the mask of the flow's own
/// image for that of DenseMatching.
///
/// # Errors
///
/// [`FlowScoreError`] where sizes differ or no pixel counts.
pub fn score_flow(
    predicted: &Flow,
    truth: &Flow,
    other_size: (u32, u32),
    foreground: Option<&ObjectMask>,
    alpha: f64,
) -> Result<FlowScore, FlowScoreError> {
    let expected = truth.size();
    let same = |what, found| {
        if found == expected { Ok(()) } else { Err(FlowScoreError::Size { what, expected, found }) }
    };
    same("predicted flow", predicted.size())?;
    if let Some(foreground) = foreground {
        same("mask", foreground.size())?;
    }
    let threshold = alpha * f64::from(other_size.0.max(other_size.1));
    let mut score = FlowScore { pixels: 0, right: 0, unknown: 0 };
    for (index, (&p, &q)) in predicted.vectors().iter().zip(truth.vectors()).enumerate() {
        if !is_known(q) || foreground.is_some_and(|foreground| !foreground.pixels()[index]) {
            continue;
        }
        score.pixels += 1;
        if !is_known(p) {
            score.unknown += 1;
            continue;
        }
        let (du, dv) = (f64::from(p[0]) - f64::from(q[0]), f64::from(p[1]) - f64::from(q[1]));
        score.right += usize::from((du * du + dv * dv).sqrt() <= threshold);
    }
    if score.pixels == 0 { Err(FlowScoreError::NoPixels { foreground: foreground.is_some() }) } else { Ok(score) }
}

/// Reads a mask of TSS: every pixel that is not black is foreground. Some files mark it with 255, others with 1.
///
/// # Errors
///
/// A file that cannot be read or decoded.
pub fn read_foreground(path: &Path) -> Result<ObjectMask, DecodeError> {
    let pixels = decode(path, &DecodeLimits { min_side: 1, ..DecodeLimits::default() })?;
    Ok(ObjectMask::from_pixels(pixels.dimensions(), pixels.pixels().map(|pixel| pixel.0 != [0; 3]).collect()))
}

/// The score of TSS as it is published.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct TssScores {
    /// Each subset in the order of its first pair.
    pub subsets: Vec<TssSubset>,
    /// Mean of the subsets' scores, in percent.
    pub average: f64,
}

/// The score of one subset.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct TssSubset {
    /// `FG3DCar`, `JODS` or `PASCAL`.
    pub subset: String,
    /// Directed pairs scored.
    pub directed_pairs: usize,
    /// Mean over them of the share of right pixels, in percent.
    pub score: f64,
}

impl TssScores {
    /// Averages directed pairs, each with the name of its subset.
    ///
    /// # Panics
    ///
    /// If there are none.
    pub fn new(scores: &[(&str, FlowScore)]) -> Self {
        assert!(!scores.is_empty(), "there are no flows to average");
        let mut subsets: Vec<TssSubset> = Vec::new();
        for (subset, score) in scores {
            let known = subsets.iter().position(|known| known.subset == *subset);
            let index = known.unwrap_or_else(|| {
                subsets.push(TssSubset { subset: (*subset).to_owned(), directed_pairs: 0, score: 0.0 });
                subsets.len() - 1
            });
            subsets[index].directed_pairs += 1;
            subsets[index].score += 100.0 * score.share();
        }
        subsets.iter_mut().for_each(|subset| subset.score /= subset.directed_pairs as f64);
        let average = subsets.iter().map(|subset| subset.score).sum::<f64>() / subsets.len() as f64;
        Self { subsets, average }
    }
}

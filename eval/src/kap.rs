//! Key-point average precision, KAP: does a matcher know which points the other image does not show?
//!
//! PCK asks only about key points that both images show. KAP asks about all that the first image shows, and wants low
//! confidence where there is nothing to find. Candidates are ranked by confidence and summed up as average precision:
//!
//! ```text
//! AP = Σ_k (R_k − R_{k−1}) · P_k      over the distinct confidences, from the highest down
//! P_k = right candidates so far / candidates so far,    R_k = right candidates so far / points to be found
//! ```
//!
//! The metric is that of Mariotti, Mac Aodha and Bilen, "Improving Semantic Correspondence with Viewpoint-Guided
//! Spherical Maps", CVPR 2024. Their public evaluation reads it off whole similarity maps: a point that both images
//! show gives two candidates, a right one with the largest similarity within α · L of the annotation and a wrong one
//! with the largest beyond; a point that the target does not show gives a wrong one with its largest similarity.
//!
//! Predictions on disk hold one answer and one confidence a point. What is built here is our reading of KAP for them,
//! not the published number: each point asked gives one candidate, right if the target shows the point and the answer
//! lies within α · L. A point whose answer is wrong is never found, so that AP stays below 1. Do not print the two in
//! one column. [`average_precision`] takes candidates of any origin, and gives the published number for those of
//! similarity maps, which the authors scale to 0..=1 within each pair.
//!
//! Candidates are pooled as the protocol averages: `point` pools all pairs, `category` pools the pairs of each class
//! and takes the mean over classes (as published), `image` takes the mean over pairs.

use std::collections::BTreeMap;

use thiserror::Error;

use crate::key_points::KeyPointPair;
use crate::measure::{Ruler, check_count};
use crate::pck::ScoreError;
use crate::protocol::{Average, Protocol};

/// What a matcher answers for one pair, confidences included.
#[derive(Clone, Copy, Debug)]
pub struct KapAnswers<'a> {
    /// One `[x, y]` for each point that both images show, in pixels of the image predicted in.
    pub points: &'a [[f32; 2]],
    /// One confidence for each of them, on one scale for all pairs.
    pub confidence: Option<&'a [f32]>,
    /// One confidence for each [`unshared`](crate::PairImage::unshared) point of the image asked in.
    pub unshared_confidence: Option<&'a [f32]>,
}

/// One answer in the ranking.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Candidate {
    /// How sure the matcher is; NaN ranks below everything.
    pub confidence: f32,
    /// Whether it found what was asked.
    pub right: bool,
}

/// The candidates of one pair.
#[derive(Clone, Debug, PartialEq)]
pub struct KapPair {
    /// The class of the pair.
    pub class: String,
    /// How many points are to be found.
    pub wanted: usize,
    /// The candidates at each threshold of the protocol.
    pub candidates: Vec<Vec<Candidate>>,
}

/// Why KAP cannot be computed for a pair.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum KapError {
    /// As for PCK.
    #[error(transparent)]
    Score(#[from] ScoreError),
    /// The predictions say nothing of how sure they are.
    #[error("{pair}: KAP ranks by confidence, and the predictions have no `{field}`; write it, or do not ask for KAP")]
    NoConfidence {
        /// The pair's id.
        pair: String,
        /// What is missing.
        field: &'static str,
    },
    /// Not one confidence a point.
    #[error("{pair}: `{field}` has {found} values for {expected} points")]
    ConfidenceCount {
        /// The pair's id.
        pair: String,
        /// Which list.
        field: &'static str,
        /// Points asked.
        expected: usize,
        /// Confidences given.
        found: usize,
    },
}

/// The candidates of one pair: a right or wrong one for each point that both images show, and a wrong one for each that
/// only the image asked in shows.
///
/// # Errors
///
/// [`KapError`] where confidences are missing (those of unshared points may be where there are no such points) or as
/// many as points they are not, and as [`score_pair`](crate::score_pair).
pub fn kap_candidates(pair: &KeyPointPair, answers: KapAnswers, protocol: &Protocol) -> Result<KapPair, KapError> {
    check_count(pair, answers.points, protocol)?;
    let ruler = Ruler::new(pair, protocol)?;
    let truth = &protocol.direction.predicted(pair).points;
    let unshared = protocol.direction.asked(pair).unshared.len();
    let confidence = confidences(pair, "confidence", answers.confidence, truth.len())?;
    let absent = confidences(pair, "unshared_confidence", answers.unshared_confidence, unshared)?;
    let distances: Vec<f64> = answers.points.iter().zip(truth).map(|(p, q)| ruler.distance(*p, *q)).collect();
    let at = |alpha: &f64| {
        let shared = confidence.iter().zip(&distances);
        let shared = shared.map(|(c, d)| Candidate { confidence: *c, right: ruler.within(*d, *alpha) });
        shared.chain(absent.iter().map(|c| Candidate { confidence: *c, right: false })).collect()
    };
    Ok(KapPair { class: pair.class.clone(), wanted: truth.len(), candidates: protocol.alphas.iter().map(at).collect() })
}

/// KAP at each threshold, as a share (0..=1). Groups of pairs in which nothing is to be found have no AP and are left
/// out.
///
/// # Panics
///
/// If nothing is to be found in any pair, or the pairs have candidates at different numbers of thresholds.
pub fn kap(pairs: &[KapPair], average: Average) -> Vec<f64> {
    let groups: Vec<Vec<&KapPair>> = match average {
        Average::Point => vec![pairs.iter().collect()],
        Average::Image => pairs.iter().map(|pair| vec![pair]).collect(),
        Average::Category => {
            let mut classes: BTreeMap<&str, Vec<&KapPair>> = BTreeMap::new();
            for pair in pairs {
                classes.entry(&pair.class).or_default().push(pair);
            }
            classes.into_values().collect()
        }
    };
    let thresholds = pairs.first().map_or(0, |pair| pair.candidates.len());
    for pair in pairs {
        assert_eq!(pair.candidates.len(), thresholds, "pairs have candidates at different thresholds");
    }
    let of_group = |group: &Vec<&KapPair>, threshold: usize| {
        let candidates: Vec<_> = group.iter().flat_map(|pair| pair.candidates[threshold].iter().copied()).collect();
        average_precision(candidates, group.iter().map(|pair| pair.wanted).sum())
    };
    let at = |threshold| {
        let scores: Vec<f64> = groups.iter().filter_map(|group| of_group(group, threshold)).collect();
        assert!(!scores.is_empty(), "no pair has a point to be found");
        scores.iter().sum::<f64>() / scores.len() as f64
    };
    assert!(!pairs.is_empty(), "there are no pairs to average");
    (0..thresholds).map(at).collect()
}

/// Average precision of candidates, of which `wanted` could be right; `None` where nothing was wanted.
///
/// Candidates of equal confidence enter the ranking together.
pub fn average_precision(mut candidates: Vec<Candidate>, wanted: usize) -> Option<f64> {
    if wanted == 0 {
        return None;
    }
    let rank = |candidate: &Candidate| {
        // +0.0 makes one zero of both.
        if candidate.confidence.is_nan() { f32::NEG_INFINITY } else { candidate.confidence + 0.0 }
    };
    candidates.sort_by(|a, b| rank(b).total_cmp(&rank(a)));
    let (mut seen, mut right, mut sum) = (0, 0, 0.0);
    for tied in candidates.chunk_by(|a, b| rank(a) == rank(b)) {
        let found = tied.iter().filter(|candidate| candidate.right).count();
        seen += tied.len();
        right += found;
        sum += found as f64 / wanted as f64 * (right as f64 / seen as f64);
    }
    Some(sum)
}

/// One of the lists of confidences, checked; no list is needed for no points.
fn confidences<'a>(
    pair: &KeyPointPair,
    field: &'static str,
    given: Option<&'a [f32]>,
    expected: usize,
) -> Result<&'a [f32], KapError> {
    match given {
        Some(list) if list.len() == expected => Ok(list),
        Some(list) => Err(KapError::ConfidenceCount { pair: pair.id.clone(), field, expected, found: list.len() }),
        None if expected == 0 => Ok(&[]),
        None => Err(KapError::NoConfidence { pair: pair.id.clone(), field }),
    }
}

//! From two judged images and the matches between them to key points.

use crate::confidence::match_confidence;
use crate::consistency::{ConsistencyConfig, Judgement, PartnerMatches, cycle_tolerance, passes};
use crate::field::MatchField;
use crate::key_points::{Candidate, KeyPointConfig, key_points};

/// A point of the source image and where it lies in the target image.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KeyPoint {
    /// The source cell.
    pub cell: usize,
    /// Its centre, `(x, y)` in source cell coordinates.
    pub source: [f32; 2],
    /// `(x, y)` in target cell coordinates, between cells as a rule.
    pub target: [f32; 2],
    /// The [`match_confidence`], 0..=1, not yet calibrated.
    pub confidence: f32,
    /// How far from the source point the way back ends, source cells.
    pub cycle_error: f32,
}

/// The matches of a pair that may become key points, by cell.
///
/// A match counts if its source cell is discriminative, if this very match passes the checks (the cell may owe its place
/// to other partners), and if it ends in the box of the target's object. Whether the images were kept is not asked: key
/// points are for pairs of kept images, but a calibrator is fitted to the matches of any.
///
/// # Panics
///
/// If the judgement of the source, the field and the matches are not of one grid.
pub fn pair_candidates(
    source: &Judgement,
    target: &Judgement,
    field: MatchField<'_>,
    matches: PartnerMatches<'_>,
    config: &ConsistencyConfig,
) -> Vec<Candidate> {
    assert_eq!(source.grid, field.grid(), "the grid of the source's judgement, and that of its matches");
    matches.check(source.grid);
    let tolerance = cycle_tolerance(&source.object, config);
    let mut candidates = Vec::new();
    for (cell, discriminative) in source.discriminative.iter().enumerate() {
        let (cycle_error, peakedness) = (matches.cycle_errors[cell], matches.peakedness[cell]);
        let point = field.cell(cell);
        if *discriminative && passes(cycle_error, peakedness, tolerance, config) && target.object.contains(point) {
            let confidence = match_confidence(peakedness, cycle_error, tolerance, source.agreement[cell]);
            candidates.push(Candidate { cell, target: point, confidence });
        }
    }
    candidates
}

/// The key points of a pair in the order of the choice: its [`pair_candidates`], thinned out by
/// [`key_points`](crate::key_points()).
///
/// Confidences are calibrated after this and not before: calibration by steps makes equals of neighbours that the choice
/// has to tell apart.
///
/// # Panics
///
/// As [`pair_candidates`].
pub fn pair_key_points(
    source: &Judgement,
    target: &Judgement,
    field: MatchField<'_>,
    matches: PartnerMatches<'_>,
    config: &ConsistencyConfig,
    choice: &KeyPointConfig,
) -> Vec<KeyPoint> {
    let candidates = pair_candidates(source, target, field, matches, config);
    key_points(&candidates, source.grid, choice)
        .into_iter()
        .map(|Candidate { cell, target, confidence }| {
            let (row, column) = source.grid.row_col(cell);
            let cycle_error = matches.cycle_errors[cell];
            KeyPoint { cell, source: [column as f32, row as f32], target, confidence, cycle_error }
        })
        .collect()
}

//! Which matches of a matcher are to be believed, when nobody has said where anything lies.
//!
//! A matcher answers for every cell of an image, right or wrong. What can be asked of its answers without key points:
//! whether they are sure, whether the way to the other image and back ends where it began, and whether several images of
//! the class agree. This crate asks, keeps the images and the points that pass, and says how far each is to be trusted.
//!
//! 1. [`peakedness`] (of a row of scores) and [`pair_peakedness`] (of a pair's features) tell how sure a match is,
//!    [`cycle_errors`] how far from home a cycle of [`MatchField`]s ends: a pair there and back, or a chain of three images.
//! 2. [`judge`] gathers these over an image's partners: its *discriminative* cells, the box of its object, a score, and
//!    why the image is left out, if it is.
//! 3. [`pair_key_points`] takes two judged images and the matches between them to key points: believed matches that end
//!    on the partner's object, thinned out by [`key_points`], each with its [`match_confidence`].
//! 4. A [`Calibrator`], fitted to matches whose truth is known, makes probabilities of confidences;
//!    [`expected_calibration_error`] and [`coverage_curve`] tell what they are worth.
//!
//! Everything is a pure function of what it is given: no files, no device, no randomness. Values that belong to the cells
//! of an image are slices in row-major order; points are `(x, y)` in cell coordinates, cell centres at integers, and
//! `corr_volume::Frame` takes them to pixels. What is not a number passes no check.
//!
//! ```
//! use corr_volume::{Frame, Grid};
//! use pseudo_label::*;
//!
//! // The object of one image lies one cell further right in the other, and the matcher has found that out.
//! let grid = Grid::square(12);
//! let shifted = |by: f32| -> Vec<[f32; 2]> {
//!     (0..144).map(|cell| [(cell % 12) as f32 + by, (cell / 12) as f32]).collect()
//! };
//! let (there, back) = (shifted(1.0), shifted(-1.0));
//! let (there, back) = (MatchField::new(&there, grid), MatchField::new(&back, grid));
//! let sure = vec![0.9; 144];
//! let inside = |columns: std::ops::Range<usize>| -> Vec<f32> {
//!     (0..144).map(|cell| f32::from(u8::from(columns.contains(&(cell % 12))))).collect()
//! };
//!
//! // Each image is judged by its matches with its partners: here the other one alone.
//! let config = ConsistencyConfig::default();
//! let source_errors = cycle_errors(&[there, back]);
//! let target_errors = cycle_errors(&[back, there]);
//! let source_matches = PartnerMatches { cycle_errors: &source_errors, peakedness: &sure };
//! let target_matches = PartnerMatches { cycle_errors: &target_errors, peakedness: &sure };
//! let source = judge(&inside(2..8), grid, &[source_matches], &config);
//! let target = judge(&inside(3..9), grid, &[target_matches], &config);
//! assert_eq!((source.rejection, source.score), (None, 1.0));
//!
//! let points = pair_key_points(&source, &target, there, source_matches, &config, &KeyPointConfig::default());
//! assert!(!points.is_empty() && points.iter().all(|point| point.target[0] == point.source[0] + 1.0));
//!
//! // To pixels of the original image.
//! let frame = Frame::stretched((640, 480), (192, 192));
//! let [x, y] = frame.from_cells(grid, points[0].target);
//! assert!((0.0..640.0).contains(&x) && (0.0..480.0).contains(&y));
//! ```

mod calibrator;
mod confidence;
mod consistency;
mod cycle;
mod field;
mod isotonic;
mod key_points;
mod object_box;
mod pairs;
mod peakedness;
mod platt;
mod reliability;

pub use calibrator::{Calibrator, Checked, NoChecked};
pub use confidence::match_confidence;
pub use consistency::{ConsistencyConfig, Judgement, PartnerMatches, Rejection, cycle_tolerance, judge, passes};
pub use cycle::{cycle_ends, cycle_errors, worst_errors};
pub use field::MatchField;
pub use isotonic::Isotonic;
pub use key_points::{Candidate, KeyPointConfig, KeyPointOrder, key_points};
pub use object_box::{CellBox, object_box};
pub use pairs::{KeyPoint, pair_candidates, pair_key_points};
pub use peakedness::{pair_peakedness, peakedness};
pub use platt::Platt;
pub use reliability::{CoveragePoint, ReliabilityBin, coverage_curve, expected_calibration_error, reliability};

/// The example of README.md, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

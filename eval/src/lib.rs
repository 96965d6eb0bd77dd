//! Scores of semantic correspondence on key points: benchmark readers, PCK under every protocol in use, reports.
//!
//! Published numbers of one benchmark differ by ten points and more for reasons that have nothing to do with matching:
//! the frame in which distances are measured, the length that a threshold is a share of, the direction, the average. Here
//! all of that is a value, [`Protocol`], whose string stands beside every number:
//!
//! ```text
//! frame=original,length=bbox-kp,direction=forward,average=image
//! ```
//!
//! The way of the data, each step usable alone:
//!
//! 1. A reader turns a folder into [`KeyPointImage`]s: [`read_willow`] for WILLOW-ObjectClass and PF-WILLOW. No pixel is
//!    decoded. [`PairSelection`] turns images into [`KeyPointPair`]s; readers of benchmarks with pair lists make pairs
//!    themselves.
//! 2. Any matcher answers `pair.source.points` with as many points in the target. [`PredictionCache`] keeps the answers
//!    in a file, so that a killed evaluation goes on and a new protocol does not run the matcher again. [`identity`] is the
//!    matcher that does not look.
//! 3. [`score_pair`] compares one pair's answers with the annotation, [`average`] makes one number with a 95 % interval
//!    of many, and [`ScoreReport`] sets methods side by side, as JSON and as a table.
//! 4. [`draw_matches`] and [`warp_source`] show what a number hides.
//!
//! Points are `[x, y]` in pixels of the original image, the centre of its top-left pixel being `[0, 0]`. This crate runs no
//! network and knows no tensor.
//!
//! ```
//! use eval::{Bootstrap, KeyPointImage, MethodScores, PairSelection, Protocol, ScoreReport, identity, score_pair};
//!
//! let image = |name: &str, shift: f32| KeyPointImage {
//!     path: name.into(),
//!     class: "Duck".to_owned(),
//!     size: (100, 80),
//!     key_points: vec![Some([20.0 + shift, 10.0]), Some([70.0 + shift, 60.0]), None],
//!     object_box: None,
//! };
//! let pairs = PairSelection::ALL.pairs(&[image("a.png", 0.0), image("b.png", 4.0)]);
//! assert_eq!(pairs[0].id, "Duck/a--b");
//!
//! let protocol: Protocol = "frame=original,length=bbox-kp".parse()?;
//! let protocol = protocol.with_alphas(&[0.05, 0.10]);
//! let mut scores = Vec::new();
//! for pair in &pairs {
//!     let answers = identity(&pair.source.points, pair.source.size, pair.target.size);
//!     scores.push(score_pair(pair, &answers, &protocol)?);
//! }
//! let methods = [MethodScores { method: "identity".to_owned(), pairs: scores }];
//! let report = ScoreReport::new("two ducks", &protocol, &methods, Bootstrap::default());
//! // Off by 4 pixels, with a box of 50 pixels: wrong within 2.5, right within 5.
//! assert_eq!((report.rows[0].pck, report.rows[1].pck), (0.0, 100.0));
//! print!("{}", report.table(true));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod average;
mod baseline;
mod drawing;
mod key_points;
mod mat;
mod pck;
mod predictions;
mod protocol;
mod report;
mod willow;

pub use average::{Bootstrap, Pck, average, class_means};
pub use baseline::identity;
pub use drawing::{DrawnMatch, draw_matches, side_by_side, warp_source};
pub use key_points::{
    Difficulty, KeyPointImage, KeyPointPair, PairImage, PairSelection, PixelBox, Split, UnknownSplit, UnsharedPoint,
    tight_box,
};
pub use mat::{MatError, MatProblem, Matrix, parse_matrix, read_matrix, write_matrix};
pub use pck::{PairScore, ScoreError, score_pair};
pub use predictions::{CacheKey, Prediction, PredictionCache, PredictionsError};
pub use protocol::{Average, Direction, Frame, Length, Protocol, ProtocolError};
pub use report::{MethodScores, Row, ScoreReport, class_table};
pub use willow::{WillowError, WillowImages, read_willow, write_key_points};

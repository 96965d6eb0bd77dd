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
//!    decoded; sizes are those of what `sc_imagenet::decode` decodes. [`PairSelection`] turns images into
//!    [`KeyPointPair`]s; readers of benchmarks with pair lists make pairs themselves.
//! 2. Any matcher answers `pair.source.points` with as many points in the target. [`PredictionCache`] keeps the answers
//!    in a file, so that a killed evaluation goes on and a new protocol does not run the matcher again. [`identity`] is the
//!    matcher that does not look.
//! 3. [`score_pair`] compares one pair's answers with the annotation, [`average`] makes one number with a 95 % interval
//!    of many, and [`ScoreReport`] sets methods side by side, as JSON and as a table.
//! 4. [`draw_matches`] and [`warp_source`] show what a number hides.
//!
//! Points are `[x, y]` in pixels of the original image as it is shown (with its EXIF orientation), the centre of its
//! top-left pixel being `[0, 0]`. Scoring runs no network and knows no tensor; the matchers that learn are in [`matcher`], behind the feature `matchers`.
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
mod benchmarks;
mod confusion;
mod difficulty;
mod drawing;
mod figure_data;
mod figures;
mod flow;
mod html_report;
mod kap;
mod key_points;
mod markdown;
mod mask_transfer;
mod mat;
#[cfg(feature = "matchers")]
pub mod matcher;
mod measure;
mod outside_predictions;
mod paired_bootstrap;
mod pck;
mod predictions;
mod protocol;
mod published;
mod report;
mod tss;
mod willow;

pub use average::{Bootstrap, Pck, average, class_means};
pub use baseline::identity;
pub use benchmarks::{
    AnnotationError, AnnotationFrame, BenchmarkError, BenchmarkName, BenchmarkSplit, CSV_TEMPLATE, CaltechPair,
    CaltechPairs, CaltechRow, JSONL_TEMPLATE, LeakReport, Oddity, OddityCount, OutlinedImage, PASCAL_CLASSES, PairFile,
    PairFileImage, PairName, PfPascalAnnotation, PfPascalRow, PfWillowRow, ReadCounts, ReadOptions, ReadPairs,
    SpairSize, TSS_SUBSETS, TableImage, TableRow, TssPair, UnknownBenchmark, UnknownFrame, leak_free, missing_images,
    parse_ap_10k_image, parse_ap_10k_pair, parse_caltech_list, parse_csv_table, parse_jsonl_table, parse_pair_layout,
    parse_pf_pascal_annotation, parse_pf_pascal_list, parse_pf_willow_list, parse_sc_imagenet_pair, parse_spair_image,
    parse_spair_pair, parse_tss_flip, read_caltech, read_caltech_list, read_pairs, read_pf_pascal_list, read_tss,
};
pub use confusion::{ConfusionScore, Rivals, score_confusion};
pub use difficulty::{DifficultyField, DifficultyRow, difficulty_rows, difficulty_table};
pub use drawing::{DrawnMatch, draw_matches, side_by_side, warp_source};
pub use figure_data::{
    ClassScores, CoverageCurve, LearningCurve, LearningCurves, PckCurve, Reliability, ReliabilityBar,
};
pub use figures::{Figure, FigureError, FigureFont, FigureFontError};
pub use flow::{Flow, FlowError, FlowProblem, flow_bytes, parse_flow, read_flow, write_flow};
pub use html_report::{
    BenchmarkSection, DrawnPair, GalleryImage, GalleryPair, GalleryPicture, GalleryTable, HtmlReport, LabelGallery,
    PairGroup, best_and_worst,
};
pub use kap::{Candidate, KapAnswers, KapError, KapPair, average_precision, kap, kap_candidates};
pub use key_points::{
    Difficulty, KeyPointImage, KeyPointPair, PairImage, PairSelection, PixelBox, Split, UnknownSplit, UnsharedPoint,
    tight_box,
};
pub use mask_transfer::{
    LocalisationError, MaskScore, MaskTransferError, ObjectMask, compare_masks, localisation_error, score_mask_transfer,
};
pub use mat::{MatError, MatProblem, Matrix, parse_matrix, read_matrix, write_matrix};
pub use outside_predictions::{
    AskedPairs, OutsidePrediction, OutsidePredictionsError, parse_outside_predictions, read_outside_predictions,
};
pub use paired_bootstrap::{PairedDifference, paired_bootstrap};
pub use pck::{PairScore, ScoreError, score_pair};
pub use predictions::{CacheKey, CachedPrediction, Prediction, PredictionCache, PredictionsError, parse_predictions};
pub use protocol::{Average, Direction, Frame, Length, Protocol, ProtocolError};
pub use published::{PublishedScore, published_scores};
pub use report::{MethodScores, Row, ScoreReport, class_table, summary_table};
pub use tss::{FlowScore, FlowScoreError, TSS_ALPHA, TssScores, TssSubset, read_foreground, score_flow};
pub use willow::{WillowError, WillowImages, read_willow, write_key_points};

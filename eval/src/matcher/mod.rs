//! Matchers: two images' feature maps in, a correlation volume and points out, trainable or not.
//!
//! A [`Matcher`] sees what a backbone says of two images, as a list of feature maps `[b, c_l, h_l, w_l]`, one for each of
//! the backbone's blocks that it was made for, in their order. It answers with a [`CorrVolume`]: a score of each source
//! cell against each target cell. A [`TrainableMatcher`] also says how far its answers are from known key points.
//! [`Trainer`] makes one better, whichever it is; [`OnImages`] puts it behind a backbone, images in, points out; and
//! [`score_matcher`] scores that on the pairs of any benchmark.
//!
//! | matcher | learns | source |
//! | --- | --- | --- |
//! | [`Nearest`] | no | cosine of hyperpixels |
//! | [`MutualNearest`] | no | the same behind soft mutual nearest neighbours (NC-Net, 2018) |
//! | [`HoughMatcher`] | no | regularised Hough matching (Hyperpixel Flow, ICCV 2019) |
//! | [`NcNet`] | yes | *Neighbourhood Consensus Networks*, NeurIPS 2018 |
//! | [`Dhpf`] | yes | *Learning to Compose Hypercolumns for Visual Correspondence*, ECCV 2020 |
//! | [`Cats`] | yes | *CATs: Cost Aggregation Transformers for Visual Correspondence*, NeurIPS 2021 |
//!
//! Layers and formulas are derived from the papers. The backbone stays as it is.

mod augment;
mod cats;
mod conv4d;
mod dhpf;
mod hough;
mod key_point_loss;
mod key_points;
mod nc_net;
mod nearest;
mod on_images;
mod schedule;
mod trainer;

pub use augment::{AugmentConfig, Augmentation, augment, mirror_ids};
pub use cats::{Cats, CatsConfig};
pub use conv4d::{Conv4d, Conv4dConfig};
pub use dhpf::{Dhpf, DhpfConfig};
pub use hough::{HoughConfig, HoughMatcher, hough_matching};
pub use key_point_loss::{end_point_error, key_point_cross_entropy};
pub use key_points::{KeyPointBatch, PointsInCells};
pub use nc_net::{NcNet, NcNetConfig, NcNetStart};
pub use nearest::{MutualNearest, Nearest};
pub use on_images::{MatchImagesError, OnImages, score_matcher};
pub use schedule::learning_rate_share;
pub use trainer::{
    NonFiniteLoss, Optimiser, Sample, Trainer, TrainerConfig, TrainerState, TrainerStateError, parameters,
    with_parameters,
};

use burn::module::Module;
use burn::tensor::Tensor;
use corr_volume::{Answers, CorrVolume, Readout};

/// Answers with a volume, and with points read off it.
pub trait Matcher {
    /// The scores of all source cells against all target cells.
    ///
    /// `source` and `target` hold a map `[b, c_l, h_l, w_l]` of each block that the matcher was made for, in that order, of
    /// `b` pairs.
    fn volume(&self, source: &[Tensor<4>], target: &[Tensor<4>]) -> CorrVolume;

    /// Where `points` `[b, n, 2]`, `(x, y)` in source cells, lie in target cells; the volume is one of the matcher's own.
    fn read(&self, volume: &CorrVolume, points: Tensor<3>) -> Answers {
        Readout::default().read(volume, points)
    }
}

/// A matcher with parameters, and a loss that they lower.
pub trait TrainableMatcher: Matcher + Module {
    /// How far the answers are from the key points, `[1]`: the mean over the pairs.
    ///
    /// `source` and `target` are as for [`Matcher::volume`], `points` in the cells of the volume's grids. `noise` names the
    /// step: a loss that draws random numbers draws the same ones for the same `noise`.
    fn loss(&self, source: &[Tensor<4>], target: &[Tensor<4>], points: &KeyPointBatch, noise: u64) -> Tensor<1>;
}

//! One number a channel, learned from key points: all that a matcher of one's own needs.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use corr_volume::{CorrVolume, l2_normalise};
use eval::matcher::{KeyPointBatch, Matcher, TrainableMatcher, key_point_cross_entropy};

/// Weighs the channels of a map before they are compared.
#[derive(Module, Debug)]
pub struct Weighted {
    pub weights: Param<Tensor<1>>,
}

impl Matcher for Weighted {
    fn volume(&self, source: &[Tensor<4>], target: &[Tensor<4>]) -> CorrVolume {
        let weighted =
            |map: &Tensor<4>| l2_normalise(l2_normalise(map.clone()) * self.weights.val().unsqueeze_dims(&[0, 2, 3]));
        CorrVolume::cosine(weighted(&source[0]), weighted(&target[0]))
    }
}

impl TrainableMatcher for Weighted {
    fn loss(&self, source: &[Tensor<4>], target: &[Tensor<4>], points: &KeyPointBatch, _noise: u64) -> Tensor<1> {
        key_point_cross_entropy(&self.volume(source, target), points, 0.05, 0.5)
    }
}

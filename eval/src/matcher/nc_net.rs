//! Neighbourhood consensus: a network learns which matches their neighbours support.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, TensorData, activation::relu};
use corr_volume::{CorrVolume, HostValues};
use serde::{Deserialize, Serialize};

use super::{Conv4d, Conv4dConfig, KeyPointBatch, Matcher, Nearest, TrainableMatcher, key_point_cross_entropy};

/// Keeps ratios finite where a row or a column holds no positive score.
const EPSILON: f64 = 1e-5;

/// What the random weights of the path that carries scores on are multiplied by in [`NcNetStart::Identity`].
const SMALL: f32 = 0.1;

/// How an [`NcNet`] is built and trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NcNetConfig {
    /// Cells along each axis of each layer's kernel, odd.
    pub kernels: Vec<usize>,
    /// Channels of all layers but the last, whose one channel is the scores.
    pub hidden: Vec<usize>,
    /// Whether the network also reads the volume from target to source, and both answers are added.
    pub symmetric: bool,
    /// What the weights are before training.
    pub start: NcNetStart,
    /// Temperature of the loss; scores are at most 1. Default 0.1. At 0.03 a network has been seen to lose all its scores to
    /// the last ReLU.
    pub temperature: f64,
    /// Standard deviation in cells of the Gaussian round the right answer.
    pub deviation: f64,
}

/// The weights of an [`NcNet`] before training.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NcNetStart {
    /// Evenly from ±1/√n, as published. What such a network answers before it is trained is of no use, and with some seeds
    /// (one of five was seen with kernels 3-3 and channels 8-1) the last ReLU leaves no score, so that it never learns.
    Published,
    /// The same, but the first channel of every layer hands the first channel of the layer before on, plus a tenth of its
    /// random weights: untrained, the network answers nearly as soft mutual nearest neighbours, and no score is lost to a ReLU.
    Identity,
}

impl NcNetConfig {
    /// The network of its authors for objects of a class: kernels 5-5-5, channels 16-16-1, symmetric, 180,033 parameters
    /// (Rocco et al., *Neighbourhood Consensus Networks*, NeurIPS 2018, implementation details). A step of training is some
    /// 70 billion multiplications a pair on grids of 16 by 16: work for a GPU.
    ///
    /// Theirs does not learn from key points; temperature and deviation are ours.
    pub fn published() -> Self {
        Self {
            kernels: vec![5, 5, 5],
            hidden: vec![16, 16],
            symmetric: true,
            start: NcNetStart::Published,
            temperature: 0.1,
            deviation: 0.5,
        }
    }

    /// A network that trains on a CPU: kernels 5-3, channels 8-1, [`NcNetStart::Identity`].
    pub fn small() -> Self {
        Self { kernels: vec![5, 3], hidden: vec![8], start: NcNetStart::Identity, ..Self::published() }
    }

    /// A new network, its weights drawn by the device's generator.
    ///
    /// # Panics
    ///
    /// If there is not one kernel more than hidden channels, a kernel is even, a number of channels is 0, or temperature or
    /// deviation is not above 0.
    pub fn init(&self, device: &Device) -> NcNet {
        let Self { kernels, hidden, temperature, deviation, .. } = self;
        let (layers, wanted) = (kernels.len(), hidden.len() + 1);
        assert_eq!(layers, wanted, "{layers} kernels for {wanted} layers: all but the last have hidden channels");
        assert!(
            *temperature > 0.0 && *deviation > 0.0,
            "temperature and deviation are above 0, not {temperature} and {deviation}"
        );
        let mut inputs = 1;
        let layers = kernels.iter().zip(hidden.iter().chain(&[1])).map(|(kernel, outputs)| {
            let layer = Conv4dConfig::new([inputs, *outputs], *kernel).init(device);
            inputs = *outputs;
            match self.start {
                NcNetStart::Published => layer,
                NcNetStart::Identity => hands_scores_on(&layer),
            }
        });
        NcNet { layers: layers.collect(), config: self.clone() }
    }
}

impl Default for NcNetConfig {
    /// [`NcNetConfig::small`].
    fn default() -> Self {
        Self::small()
    }
}

/// The layer with a first channel that is nearly that of its input.
fn hands_scores_on(layer: &Conv4d) -> Conv4d {
    let (weight, bias) = (layer.weight.val(), layer.bias.val());
    let (dims, device) = (weight.dims(), weight.device());
    let [outputs, _, kernel, ..] = dims;
    let mut weights = HostValues::fetch(&weight).values().to_vec();
    let of_first = weights.len() / outputs;
    weights[..of_first].iter_mut().for_each(|weight| *weight *= SMALL);
    let middle = kernel.pow(4) / 2;
    weights[middle] = 1.0;
    let mut biases = HostValues::fetch(&bias).values().to_vec();
    biases[0] = 0.0;
    Conv4d {
        weight: Param::from_tensor(Tensor::from_data(TensorData::new(weights, dims), &device)),
        bias: Param::from_tensor(Tensor::from_data(TensorData::new(biases, [outputs]), &device)),
    }
}

/// Neighbourhood consensus (Rocco et al., NeurIPS 2018): a match is as good as those of its neighbours that agree with it.
///
/// ```text
/// C = mutual(cosine(source, target))
/// V = N(C) + N(Cᵀ)ᵀ,   N = relu ∘ conv4d ∘ … ∘ relu ∘ conv4d     (N(C) alone if not symmetric)
/// answer = mutual(V / max V)
/// ```
///
/// `mutual` is that of [`corr_volume::soft_mutual`]. The division, by each pair's largest score, is ours: neither the small
/// constant of the filter nor the temperature of the loss then depends on the scale of the weights.
///
/// Symmetric, it answers for exchanged images with exactly the transposed volume.
#[derive(Module, Debug)]
pub struct NcNet {
    /// The convolutions, first to last.
    pub layers: Vec<Conv4d>,
    #[module(skip)]
    config: NcNetConfig,
}

impl NcNet {
    /// What it was made from.
    pub fn config(&self) -> &NcNetConfig {
        &self.config
    }

    /// The consensus in any volume of scores on the scale of cosines; the answer's scores lie in 0..=1.
    pub fn filter(&self, volume: &CorrVolume) -> CorrVolume {
        mutual(&self.scored(volume))
    }

    /// `V / max V`.
    fn scored(&self, volume: &CorrVolume) -> CorrVolume {
        let volume = mutual(volume);
        let there = self.convolved(&volume);
        if !self.config.symmetric {
            return in_unit_range(&there);
        }
        let back = self.convolved(&volume.transpose()).transpose();
        let both = there.into_values() + back.into_values();
        in_unit_range(&CorrVolume::new(both, volume.source(), volume.target()))
    }

    /// `N`.
    fn convolved(&self, volume: &CorrVolume) -> CorrVolume {
        let (source, target, batch) = (volume.source(), volume.target(), volume.batch());
        let scores = volume.values().reshape([batch, 1, source.height, source.width, target.height, target.width]);
        let scores = self.layers.iter().fold(scores, |scores, layer| relu(layer.forward(scores)));
        CorrVolume::new(scores.reshape([batch, source.cells(), target.cells()]), source, target)
    }
}

impl Matcher for NcNet {
    fn volume(&self, source: &[Tensor<4>], target: &[Tensor<4>]) -> CorrVolume {
        self.filter(&Nearest.volume(source, target))
    }
}

impl TrainableMatcher for NcNet {
    /// The mean of [`key_point_cross_entropy`] from source to target and from target to source, of the scores before the last
    /// filter: where a right match is not yet the best of its row, the filter's slope is too flat to learn from.
    fn loss(&self, source: &[Tensor<4>], target: &[Tensor<4>], points: &KeyPointBatch, _noise: u64) -> Tensor<1> {
        let volume = self.scored(&Nearest.volume(source, target));
        let NcNetConfig { temperature, deviation, .. } = self.config;
        let there = key_point_cross_entropy(&volume, points, temperature, deviation);
        let back = key_point_cross_entropy(&volume.transpose(), &points.reversed(), temperature, deviation);
        (there + back).div_scalar(2.0)
    }
}

/// Soft mutual nearest neighbours, as [`corr_volume::soft_mutual`], multiplied in an order in which the transposed volume gives
/// the transposed result to the last bit.
fn mutual(volume: &CorrVolume) -> CorrVolume {
    let scores = volume.relu().into_values();
    let of_row = scores.clone() / scores.clone().max_dim(2).add_scalar(EPSILON);
    let of_column = scores.clone() / scores.clone().max_dim(1).add_scalar(EPSILON);
    CorrVolume::new(scores * (of_row * of_column), volume.source(), volume.target())
}

/// Each pair's scores divided by the largest of them.
fn in_unit_range(volume: &CorrVolume) -> CorrVolume {
    let values = volume.values();
    let [batch, rows, columns] = values.dims();
    let largest: Tensor<3> = values.clone().reshape([batch, 1, rows * columns]).max_dim(2);
    CorrVolume::new(values / largest.clamp_min(f64::from(f32::MIN_POSITIVE)), volume.source(), volume.target())
}

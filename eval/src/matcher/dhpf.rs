//! DHPF: hyperpixels whose layers are chosen for each pair of images (Min et al., *Learning to Compose Hypercolumns for
//! Visual Correspondence*, ECCV 2020).

mod gate;

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig};
use burn::tensor::{Device, Tensor, activation};
use corr_volume::{CorrVolume, Grid, l2_normalise, resize_bilinear};
use serde::{Deserialize, Serialize};

use self::gate::{Gate, gumbel_noise};
use super::key_point_loss::row_cross_entropy;
use super::{HoughConfig, KeyPointBatch, Matcher, TrainableMatcher, hough_matching};

/// Sizes of [`Dhpf`] and what its loss weighs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DhpfConfig {
    /// Cells a side of the square grid that all layers are brought to.
    pub grid: usize,
    /// Each layer is reduced to one channel for so many. Published: 8.
    pub reduction: usize,
    /// Hidden units of each layer's gate. Published: 32.
    pub hidden: usize,
    /// The share of pairs in which a layer is to be chosen. Published: 0.5.
    pub target_rate: f64,
    /// The weight of the loss that holds layers to that share. Published: 1.
    pub rate_weight: f64,
    /// An answer within this share of the target's box counts as an easy match. Published: 0.1.
    pub easy: f64,
    /// How matches vote.
    pub hough: HoughConfig,
}

impl DhpfConfig {
    /// The published sizes: reduction to an eighth, gates of 32 hidden units. On all 17 outputs of a ResNet-50 it has
    /// 3,006,800 parameters, on all 34 of a ResNet-101 5,798,608.
    pub fn published() -> Self {
        Self {
            grid: 16,
            reduction: 8,
            hidden: 32,
            target_rate: 0.5,
            rate_weight: 1.0,
            easy: 0.1,
            hough: HoughConfig::default(),
        }
    }
}

impl Default for DhpfConfig {
    /// The published ones for a few layers of a small backbone: all channels are kept, and four of five layers are to be
    /// chosen. At half of five, scores are lower and differ from seed to seed by up to five points of PCK.
    fn default() -> Self {
        Self { reduction: 1, target_rate: 0.8, ..Self::published() }
    }
}

/// The matcher.
///
/// A gate looks at the mean features of both images and decides whether a layer takes part in their match. Layers that do are
/// reduced and joined to a hyperpixel; the positive cosines of that vote by regularised Hough matching.
#[derive(Module, Debug)]
pub struct Dhpf {
    layers: Vec<Layer>,
    #[module(skip)]
    config: DhpfConfig,
}

#[derive(Module, Debug)]
struct Layer {
    gate: Gate,
    reduce: Conv2d,
    norm: BatchNorm,
}

impl DhpfConfig {
    /// The matcher for layers of `channels`.
    ///
    /// # Panics
    ///
    /// If there is no layer, or a layer has fewer channels than are reduced to one.
    pub fn init(&self, channels: &[usize], device: &Device) -> Dhpf {
        assert!(!channels.is_empty(), "layers are chosen from at least one, got none");
        let layer = |&channels: &usize| {
            let reduced = channels / self.reduction.max(1);
            assert!(reduced > 0, "{channels} channels cannot be reduced to one for {}", self.reduction);
            Layer {
                gate: Gate::new(channels, self.hidden, device),
                reduce: Conv2dConfig::new([channels, reduced], [1, 1]).with_bias(false).init(device),
                norm: BatchNormConfig::new(reduced).init(device),
            }
        };
        Dhpf { layers: channels.iter().map(layer).collect(), config: self.clone() }
    }
}

impl Dhpf {
    /// The volume, and whether each layer takes part, `[b, layers]` of ones and zeros with the gradient of their
    /// probabilities. `noise` is added to what gates say, `[b, layers, 2]`.
    fn match_gated(
        &self,
        source: &[Tensor<4>],
        target: &[Tensor<4>],
        noise: Option<Tensor<3>>,
    ) -> (CorrVolume, Tensor<2>) {
        let layers = self.layers.len();
        assert!(
            source.len() == layers && target.len() == layers,
            "maps of {layers} layers are wanted, got {} and {}",
            source.len(),
            target.len()
        );
        let relevance = self.layers.iter().zip(source.iter().zip(target));
        let relevance = relevance.map(|(layer, (source, target))| layer.gate.forward(source.clone(), target.clone()));
        let mut relevance: Tensor<3> = Tensor::stack(relevance.collect(), 1);
        if let Some(noise) = noise {
            relevance = relevance + noise;
        }
        let chosen = gate::choose(relevance);
        let grid = Grid::square(self.config.grid);
        let join = |maps: &[Tensor<4>]| {
            let parts = self.layers.iter().zip(maps).enumerate().map(|(index, (layer, map))| {
                let open: Tensor<4> = chosen.clone().narrow(1, index, 1).unsqueeze_dims(&[2, 3]);
                let reduced = activation::relu(layer.norm.forward(layer.reduce.forward(map.clone())));
                resize_bilinear(reduced, grid) * open
            });
            l2_normalise(Tensor::cat(parts.collect(), 1))
        };
        let volume = CorrVolume::cosine(join(source), join(target));
        (hough_matching(&volume, &self.config.hough), chosen)
    }
}

impl Matcher for Dhpf {
    fn volume(&self, source: &[Tensor<4>], target: &[Tensor<4>]) -> CorrVolume {
        self.match_gated(source, target, None).0
    }
}

impl TrainableMatcher for Dhpf {
    /// Cross entropy of the key points, where easy matches count less, and how far layers are from their rate.
    ///
    /// ```text
    /// L = mean_p ω_p H(q_p, softmax(z(C_p))) + weight · Σ_l (mean_b gate_bl − rate)²
    /// ω_p = min(1, (|answer − truth| / (easy · box))²)
    /// ```
    ///
    /// `z` takes off a row's mean and divides by its deviation, `q` is a narrow Gaussian round the truth.
    fn loss(&self, source: &[Tensor<4>], target: &[Tensor<4>], points: &KeyPointBatch, noise: u64) -> Tensor<1> {
        let batch = source[0].dims()[0];
        let noise = gumbel_noise([batch, self.layers.len(), 2], noise, &source[0].device());
        let (volume, chosen) = self.match_gated(source, target, Some(noise));
        let rows = volume.sample_rows(points.source.clone());
        let entropy = row_cross_entropy(standardised(rows), points, volume.target(), TRUTH_DEVIATION);
        let answers = self.read(&volume.detach(), points.source.clone()).points;
        let errors: Tensor<2> = (answers - points.target.clone()).square().sum_dim(2).squeeze_dim(2);
        let easy = points.length.clone().mul_scalar(self.config.easy).square();
        let weights = (errors / easy).clamp_max(1.0);
        let rates = chosen.mean_dim(0).sub_scalar(self.config.target_rate).square().sum();
        points.mean(entropy * weights.detach()) + rates.mul_scalar(self.config.rate_weight)
    }
}

/// Standard deviation of the truth's Gaussian in cells: the nearest cell has most of it.
const TRUTH_DEVIATION: f64 = 0.5;

/// Rows `[b, n, cells]` without their mean, divided by their standard deviation.
fn standardised(rows: Tensor<3>) -> Tensor<3> {
    // A row of equal scores stays finite.
    const SMALLEST: f64 = 1e-12;
    let centred = rows.clone() - rows.mean_dim(2);
    let variance = centred.clone().square().mean_dim(2);
    centred / variance.add_scalar(SMALLEST).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The channels of a ResNet's outputs, the stem's first.
    fn resnet(blocks: [usize; 4]) -> Vec<usize> {
        let stages = [256, 512, 1024, 2048].into_iter().zip(blocks);
        let stages = stages.flat_map(|(channels, count)| std::iter::repeat_n(channels, count));
        std::iter::once(64).chain(stages).collect()
    }

    #[test]
    fn the_published_learners_have_the_published_numbers_of_parameters() {
        let device = Device::flex();
        // Running means and variances are state, and not learned.
        let running = |channels: &[usize]| -> usize { channels.iter().map(|c| 2 * (c / 8 + 32)).sum() };
        let count = |blocks| {
            let channels = resnet(blocks);
            DhpfConfig::published().init(&channels, &device).num_params() - running(&channels)
        };
        assert_eq!(count([3, 4, 6, 3]), 3_006_800);
        assert_eq!(count([3, 4, 23, 3]), 5_798_608);
    }

    #[test]
    fn a_row_is_standardised_and_equal_scores_stay_finite() {
        let device = Device::flex();
        let rows = Tensor::<3>::from_data([[[1.0_f32, 2.0, 3.0, 6.0], [0.0, 0.0, 0.0, 0.0]]], &device);
        let values: Vec<f32> = standardised(rows).into_data().iter::<f32>().collect();
        let squares: f32 = values[..4].iter().map(|value| value * value).sum();
        assert!((squares / 4.0 - 1.0).abs() < 1e-5 && values[..4].iter().sum::<f32>().abs() < 1e-5);
        assert_eq!(values[4..], [0.0; 4]);
    }
}

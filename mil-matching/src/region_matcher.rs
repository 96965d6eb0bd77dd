//! Which regions of two images belong together, learnt from whether the images share a class.

use burn::module::{Module, Param};
use burn::tensor::activation::softmax;
use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};

/// Sizes and temperatures of a [`RegionMatcher`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegionMatcherConfig {
    /// Length of a region descriptor: the hyperpixels' channels.
    pub channels: usize,
    /// Rank of each form's learnt difference from the cosine; 0, or a rank of at least `channels`, learns the whole
    /// matrix. Default 32.
    #[serde(default = "default_rank")]
    pub rank: usize,
    /// τ_c of the stream that chooses a target region for each source region, in cosines; default 0.1.
    #[serde(default = "default_temperature")]
    pub choice_temperature: f64,
    /// τ_d of the stream that chooses the region pairs which speak for the image pair, in cosines; default 0.1.
    #[serde(default = "default_temperature")]
    pub selection_temperature: f64,
}

fn default_rank() -> usize {
    32
}

fn default_temperature() -> f64 {
    0.1
}

impl RegionMatcherConfig {
    /// The default configuration for descriptors of `channels` values.
    pub fn new(channels: usize) -> Self {
        Self {
            channels,
            rank: default_rank(),
            choice_temperature: default_temperature(),
            selection_temperature: default_temperature(),
        }
    }

    /// A matcher whose two forms are the cosine. Deterministic.
    ///
    /// # Panics
    ///
    /// If there are no channels or a temperature is not a number above 0.
    pub fn init(&self, device: &Device) -> RegionMatcher {
        assert!(self.channels > 0, "a region matcher needs channels, got {}", self.channels);
        for temperature in [self.choice_temperature, self.selection_temperature] {
            assert!(
                temperature.is_finite() && temperature > 0.0,
                "a temperature must be a number above 0, got {temperature}"
            );
        }
        RegionMatcher {
            choice: BilinearForm::cosine(self.channels, self.rank, device),
            selection: BilinearForm::cosine(self.channels, self.rank, device),
            choice_temperature: self.choice_temperature,
            selection_temperature: self.selection_temperature,
        }
    }
}

/// Two-stream scores of region pairs, made by [`RegionMatcherConfig::init`].
///
/// ```text
/// s_ab = d_aᵀ W_s d_b,   d_ab = d_aᵀ W_d d_b                    W = I at first: the cosine
/// x_ab = softmax_b(s_ab / τ_c) · softmax_ab(d_ab / τ_d)
/// φ    = Σ_ab x_ab   ∈ (0, 1)
/// ```
///
/// The first stream asks which target region answers source region a, the second which pairs are worth asking about: the
/// streams of weakly supervised detection (Bilen & Vedaldi, *Weakly Supervised Deep Detection Networks*, CVPR 2016), with
/// target regions in the place of classes. φ is high if the pairs with the surest similarity are also unambiguous. A pair
/// of images with no region in common has neither.
#[derive(Module, Debug)]
pub struct RegionMatcher {
    /// W_s.
    pub choice: BilinearForm,
    /// W_d.
    pub selection: BilinearForm,
    choice_temperature: f64,
    selection_temperature: f64,
}

/// What a [`RegionMatcher`] says of a batch of image pairs.
#[derive(Clone, Debug)]
pub struct RegionScores {
    /// x, `[batch, R_source, R_target]`, at least 0; exactly 0 where either region is empty.
    pub instances: Tensor<3>,
    /// φ, `[batch]`, in 0..=1; 0 if either image has no region.
    pub bag: Tensor<1>,
}

impl RegionMatcher {
    /// Scores of the region pairs: descriptors `[batch, R_source, channels]` and `[batch, R_target, channels]`, each of unit
    /// length, or zero for an empty region, which takes no part.
    ///
    /// # Panics
    ///
    /// If batches differ or the channels are not those of the configuration.
    pub fn forward(&self, source: Tensor<3>, target: Tensor<3>) -> RegionScores {
        let [batch, source_regions, channels] = source.dims();
        let [target_batch, target_regions, target_channels] = target.dims();
        assert!(
            batch == target_batch && channels == target_channels && channels == self.choice.channels(),
            "descriptors of {:?} and {:?} for a matcher of {} channels",
            source.dims(),
            target.dims(),
            self.choice.channels()
        );
        let present = occupied(&source) * occupied(&target).swap_dims(1, 2);
        let absent = present.clone().lower_scalar(0.5);
        let choice = self.choice.forward(source.clone(), target.clone()).div_scalar(self.choice_temperature);
        let choice = softmax(choice.mask_fill(absent.clone(), EXCLUDED), 2);
        let selection = self.selection.forward(source, target).div_scalar(self.selection_temperature);
        let selection = selection.mask_fill(absent, EXCLUDED).reshape([batch, source_regions * target_regions]);
        let selection = softmax(selection, 1).reshape([batch, source_regions, target_regions]);
        // Where everything is excluded the softmax is uniform: the product with `present` makes it 0.
        let instances = choice * selection * present;
        let bag = instances.clone().reshape([batch, source_regions * target_regions]).sum_dim(1).squeeze_dim::<1>(1);
        RegionScores { instances, bag }
    }
}

/// A bilinear form of two vectors that starts as their inner product.
///
/// ```text
/// B(x, y) = xᵀ (I + Δ) y         Δ = Lᵀ R with L [rank, channels], R [rank, channels], or Δ [channels, channels] itself
/// ```
///
/// Only the difference from the inner product is learnt, so that weight decay pulls towards it. At first R (or Δ) is zero;
/// the rows of L are orthonormal (cosine waves), so that every direction of R has a gradient.
#[derive(Module, Debug)]
pub struct BilinearForm {
    /// L `[rank, channels]`, absent where the whole matrix is learnt.
    pub left: Option<Param<Tensor<2>>>,
    /// R `[rank, channels]`, or Δ `[channels, channels]`.
    pub right: Param<Tensor<2>>,
}

impl BilinearForm {
    fn cosine(channels: usize, rank: usize, device: &Device) -> Self {
        if rank == 0 || rank >= channels {
            return Self { left: None, right: Param::from_tensor(Tensor::zeros([channels, channels], device)) };
        }
        let left = TensorData::new(cosine_waves(rank, channels), [rank, channels]);
        Self {
            left: Some(Param::from_tensor(Tensor::from_data(left, device))),
            right: Param::from_tensor(Tensor::zeros([rank, channels], device)),
        }
    }

    fn channels(&self) -> usize {
        self.right.val().dims()[1]
    }

    /// B of every pair of rows: `[batch, n, channels]` and `[batch, m, channels]` to `[batch, n, m]`.
    pub fn forward(&self, x: Tensor<3>, y: Tensor<3>) -> Tensor<3> {
        let right = self.right.val().unsqueeze::<3>();
        let columns = y.clone().swap_dims(1, 2);
        let learnt = match &self.left {
            Some(left) => {
                let x = x.clone().matmul(left.val().transpose().unsqueeze::<3>());
                x.matmul(right.matmul(columns.clone()))
            }
            None => x.clone().matmul(right.matmul(columns.clone())),
        };
        x.matmul(columns) + learnt
    }
}

/// The first `rank` rows of the orthonormal discrete cosine transform of length `channels`, row-major.
fn cosine_waves(rank: usize, channels: usize) -> Vec<f32> {
    let n = channels as f64;
    (0..rank)
        .flat_map(|wave| {
            let scale = if wave == 0 { (1.0 / n).sqrt() } else { (2.0 / n).sqrt() };
            (0..channels)
                .map(move |k| (scale * (std::f64::consts::PI * wave as f64 * (k as f64 + 0.5) / n).cos()) as f32)
        })
        .collect()
}

/// 1 for each descriptor that is not zero, else 0: `[batch, R, 1]`, without gradient.
fn occupied(descriptors: &Tensor<3>) -> Tensor<3> {
    descriptors.clone().detach().square().sum_dim(2).greater_scalar(1e-6).float()
}

/// A logit that no other one is near: e to this power is 0, yet a row of it alone has a softmax.
const EXCLUDED: f64 = -1e9;

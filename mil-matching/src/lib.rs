//! Multiple-instance learning of matching at image, region and pixel level.
//!
//! Nobody says where the points of one image lie in another; only which images share a class is known. That is enough to
//! learn from if a pair of images is taken as a *bag* of possible matches, its *instances*: a pair of one class holds true
//! matches somewhere, a pair of two classes holds none. Each of three levels scores the bag by its instances, has a loss
//! on that score, and hands what it found to the next level:
//!
//! 1. **Image.** A [`Classifier`] on pooled features ([`image_loss`], [`multi_label_loss`], [`image_bag_score`]). Its
//!    activation maps, gathered over input scales by [`combine_maps`], become foreground masks: [`mask`], [`staircase`].
//! 2. **Region.** [`assign_regions`] divides the mask into regions, [`region_descriptors`] describes them, a
//!    [`RegionMatcher`] scores all pairs of them in two streams ([`region_loss`]), and [`cell_prior`] spreads the scores
//!    over the cells.
//! 3. **Pixel.** [`pixel_volume`] raises the affinity by that prior and keeps mutual neighbours; [`pixel_bag_score`] asks
//!    how sure the foreground cells are of their matches, and [`pixel_loss`] ranks positive pairs above negative ones.
//!
//! Negative pairs are chosen by class ([`choose_negatives`]) and checked by class ([`check_negatives`]).
//!
//! Masks are `[batch, height, width]` in 0..=1, region assignments `[batch, R, cells]` with `Σ_r u_ri = m_i`, cells are
//! row-major. Every loss is a mean over its batch, a tensor of one value, differentiable in whatever its scores depend on.
//! Masks and region assignments are constants to the gradient. A zero mask, a constant activation map or an empty region
//! gives zeros, never NaN.
//!
//! This crate reads no files and chooses no device; what is random comes from a generator that the caller passes in.
//!
//! ```
//! use burn::tensor::{Device, Distribution, Tensor};
//! use corr_volume::{CorrVolume, l2_normalise};
//! use mil_matching::*;
//! use rand::SeedableRng;
//!
//! let device = Device::flex();
//! let rng = &mut rand_chacha::ChaCha8Rng::seed_from_u64(0);
//! let features = |seed: u64| {
//!     device.seed(seed);
//!     l2_normalise(Tensor::random([1, 16, 6, 6], Distribution::Normal(0.0, 1.0), &device))
//! };
//! let (source, target) = (features(1), features(2));
//! let whole = Tensor::ones([1, 6, 6], &device);
//!
//! let config = RegionsConfig { count: 4, ..Default::default() };
//! let source_regions = assign_regions(source.clone(), whole.clone(), &config, rng);
//! let target_regions = assign_regions(target.clone(), whole.clone(), &config, rng);
//! let matcher = RegionMatcherConfig::new(16).init(&device);
//! let scores = matcher.forward(
//!     region_descriptors(source.clone(), source_regions.clone()),
//!     region_descriptors(target.clone(), target_regions.clone()),
//! );
//!
//! let pixel = PixelConfig::default();
//! let prior = cell_prior(source_regions, &scores, target_regions);
//! let volume = pixel_volume(&CorrVolume::cosine(source, target), prior, &pixel);
//! let score: f32 = pixel_bag_score(&volume, whole.clone(), whole, &pixel).into_scalar();
//! assert!((0.0..=1.0).contains(&score));
//! ```

mod classifier;
mod host;
mod image_level;
mod mask;
mod negatives;
mod pixel_level;
mod region_level;
mod region_matcher;
mod regions;
mod spherical_kmeans;

pub use classifier::{Classifier, ClassifierConfig, predicted_classes};
pub use image_level::{image_bag_score, image_loss, multi_label_loss};
pub use mask::{MaskConfig, MaskKind, StaircaseConfig, combine_maps, mask, staircase};
pub use negatives::{check_multi_label_negatives, check_negatives, choose_negatives};
pub use pixel_level::{PixelConfig, pixel_bag_score, pixel_loss, pixel_volume};
pub use region_level::{cell_prior, region_loss};
pub use region_matcher::{BilinearForm, RegionMatcher, RegionMatcherConfig, RegionScores};
pub use regions::{RegionKind, RegionsConfig, assign_regions, region_descriptors};

/// The example of README.md, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

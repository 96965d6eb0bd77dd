//! Backbones, hyperpixels, correlation volumes and their readouts on burn tensors.
//!
//! The way from two images to the points of one in the other, as far as nothing is learnt on it:
//!
//! 1. A backbone turns each image into feature maps, and [`hyperpixel`] joins some of these into one descriptor of unit
//!    length for each cell of a [`Grid`].
//! 2. [`CorrVolume::cosine`] scores every source cell against every target cell.
//! 3. [`soft_mutual`] keeps the scores on which both sides agree.
//! 4. A [`Readout`] turns rows of scores into points of the target, each with a confidence. Source points need not be
//!    cell centres.
//! 5. A [`Frame`] takes these points to pixels of the original image. It is the only place where a coordinate is
//!    multiplied by a scale.
//!
//! Everything runs on any burn device and is differentiable where that makes sense. Other crates replace step 3 (learnt
//! scores, voting) and use the rest as it is.
//!
//! Points are `(x, y)`. In *cell coordinates* integers are cell centres, x counts columns and y rows; in pixels the centre
//! of the top-left pixel is `(0, 0)`. Cells are numbered row by row.
//!
//! [`DenseMatch`] is steps 2 to 4 at once and without a volume, for every cell of both images or for points: on the host, or,
//! with the feature `wgpu`, by kernels of its own (module `gpu`) where features are on a GPU and whole cells are asked.
//!
//! This crate reads no files other than weights, chooses no device and trains nothing.
//!
//! ```
//! use burn::tensor::{Device, Distribution, Tensor};
//! use corr_volume::{CorrVolume, Frame, Readout, l2_normalise, soft_mutual};
//!
//! let device = Device::flex();
//! let features = || l2_normalise(Tensor::random([1, 16, 4, 5], Distribution::Normal(0.0, 1.0), &device));
//! let volume = soft_mutual(&CorrVolume::cosine(features(), features()));
//!
//! let frame = Frame::stretched((640, 480), (80, 64));
//! let [x, y] = frame.to_cells(volume.source(), [200.0, 100.0]);
//! let answers = Readout::default().read(&volume, Tensor::from_floats([[[x, y]]], &device));
//!
//! let point = answers.points.try_into_vec_as::<f32>().expect("answers are f32");
//! let [x, y] = frame.from_cells(volume.target(), [point[0], point[1]]);
//! assert!((0.0..640.0).contains(&x) && (0.0..480.0).contains(&y));
//! ```

mod backbone;
mod dense;
pub mod exponential;
mod frame;
#[cfg(feature = "wgpu")]
pub mod gpu;
mod grid;
mod host_values;
mod hyperpixel;
mod mutual;
mod preprocess;
mod product;
mod readout;
mod vectorised;
mod volume;
mod weights;

pub use backbone::{Backbone, BackboneConfig, BackboneName, BatchNormMode, UnknownBackbone};
pub use dense::{CellMatches, DenseMatch, DenseMatches, TopMatches};
pub use frame::Frame;
pub use grid::Grid;
pub use host_values::HostValues;
pub use hyperpixel::{hyperpixel, l2_normalise, resize_bilinear};
pub use mutual::soft_mutual;
pub use preprocess::{Normalisation, preprocess, preprocess_batch};
pub use product::{Matrix, multiply, transpose};
pub use readout::{Answers, Readout, UnknownReadout};
pub use vectorised::vectorised;
pub use volume::{CorrVolume, MatchDistribution, check_pairs};
pub use weights::{KnownWeights, LoadedWeights, Verification, WeightsError, known_weights, load_weights, sha256_of};

/// Compiles and runs the example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct ReadmeExample;

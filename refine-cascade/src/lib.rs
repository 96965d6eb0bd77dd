//! Masked voting, calibrated labels, and the cascade of students that learns from them.
//!
//! Two images of one class have a correlation volume: the cosine of every cell of the one with
//! every cell of the other. This crate makes a better one of it, without any key point.
//!
//! * **Voting** ([`vote`]) multiplies each match with the support of its neighbours that move
//!   alike, and with the offset that the whole pair agrees on. Where two objects may look in
//!   opposite directions, [`vote_either`] tries both.
//! * **Labels** ([`labels`]) keep the voted matches that close the cycle, fit local affine maps to
//!   them, and say where each cell matches, to a fraction of a cell, with a weight.
//! * **Students** ([`Cascade`]) are residual adapters on the shared hyperpixel. The labels for each
//!   come online from the volume of the one before, [`anchored`] to the raw affinity lest
//!   it drifts; [`match_loss`] teaches them, and [`mean_volume`] averages them at inference.
//! * **What is known for certain** keeps them honest: a random [`Warp`] of an image is a pair with
//!   exact matches ([`warp_supervision`]), also by way of a second image ([`bipath_loss`]), and a
//!   pair of two classes should match worse than a pair of one ([`negative_loss`]).
//!
//! Voting, labels and warped images are computed on the host, in parallel, with results that do
//! not depend on the number of threads; they carry no gradient. The losses and the cascade are
//! differentiable on every device. Points are (x, y) in cells, cell centres at integers.
//!
//! With the feature `wgpu`, what is on a GPU stays there in [`vote`], [`hough_peak`], [`vote_either`],
//! [`student_loss`] and [`match_loss_from_features`]: kernels of this crate's own compute these, and no
//! volume is held for the losses. The other losses are composed of tensor operations there, and labels and warped
//! images come to the host.
//!
//! ```
//! use burn::tensor::{Device, Tensor, TensorData};
//! use corr_volume::{CorrVolume, Grid};
//! use refine_cascade::{LabelConfig, VoteConfig, labels, match_loss, vote};
//!
//! let device = Device::flex();
//! let grid = Grid::square(4);
//! // Every cell looks most like itself, and a little like its right-hand neighbour.
//! let look = |i: usize, j: usize| match j.abs_diff(i) {
//!     0 => 1.0f32,
//!     1 => 0.6,
//!     _ => 0.1,
//! };
//! let values: Vec<f32> = (0..256).map(|k| look(k / 16, k % 16)).collect();
//! let values = Tensor::from_data(TensorData::new(values, [1, 16, 16]), &device);
//! let volume = CorrVolume::new(values, grid, grid);
//! let mask = Tensor::ones([1, 4, 4], &device);
//!
//! let voted = vote(&volume, mask.clone(), mask.clone(), &VoteConfig::default());
//! let labels = labels(&voted, mask, &LabelConfig::default());
//! let loss = match_loss(&volume, &labels, 0.05, 1.0).into_scalar::<f32>();
//! assert!(loss.is_finite() && loss > 0.0);
//! ```
#![warn(missing_docs)]

mod adapter;
mod anchor;
mod calibrate;
mod cascade;
mod filter;
mod from_features;
mod fused;
mod given_gradient;
#[cfg(feature = "wgpu")]
mod gpu;
mod host;
mod hough;
mod labels;
mod match_loss;
mod mutual_softmax;
mod negatives;
mod propagate;
mod soft_targets;
mod stage_losses;
mod thin_plate;
mod voting;
mod warp;
mod warp_images;
mod warp_loss;

pub use adapter::{Adapter, AdapterConfig};
pub use anchor::anchored;
pub use cascade::{Cascade, CascadeConfig, mean_volume};
pub use from_features::{
    StudentLossConfig, bipath_loss_from_features, match_loss_from_features, negative_loss_from_features, student_loss,
    warp_supervision_from_features,
};
pub use labels::{LabelConfig, Labels, labels};
pub use match_loss::{match_loss, match_loss_soft};
pub use negatives::{bag_score, negative_loss};
pub use soft_targets::{bilinear_targets, gaussian_targets, soft_targets};
pub use stage_losses::StageLosses;
pub use thin_plate::ThinPlate;
pub use voting::{EitherVote, VoteConfig, hough_peak, normalise_rows, vote, vote_either};
pub use warp::{Warp, WarpConfig};
pub use warp_images::{Padding, warp_images, warp_targets};
pub use warp_loss::{WarpLossConfig, bipath_loss, warp_supervision};

/// The README's example, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

//! The fused operations as kernels for GPUs, on burn's `wgpu` backend (feature `wgpu`).
//!
//! They answer as the operations of the same names in this crate do, up to the order in which `f32` are added. Every
//! sum has a fixed order and nothing is atomic, so that the same device answers with the same bits each time. What
//! they are built from (buffers, tiles of scores) is [`corr_volume::gpu`].
//!
//! | file | what it does |
//! | --- | --- |
//! | `match_loss` | value and gradients of the match losses, for [`student_loss`](crate::student_loss) |
//! | `match_targets` | what the loss wants of each row |
//! | `match_rows` | what the loss needs of each row of the volume |
//! | `match_gradients` | gradient in one feature map |
//! | `vote` | a batch of volumes, for [`vote`](crate::vote), [`vote_either`](crate::vote_either) and [`hough_peak`](crate::hough_peak) |
//! | `evidence` | correlations to masked evidence |
//! | `propagate` | neighbours that move alike |
//! | `hough` | histogram of offsets, smoothed, and what it says of each match |
//! | `lines` | rows and columns as the same thing |

mod evidence;
mod hough;
mod lines;
mod match_gradients;
mod match_loss;
mod match_rows;
mod match_targets;
mod propagate;
mod vote;

pub(crate) use match_loss::match_losses;
pub(crate) use vote::{hough_peaks, vote, vote_either};

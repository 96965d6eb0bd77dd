//! Voting and match losses on a GPU against the same functions on the host. Without a GPU adapter, not even a software one,
//! tests say so and pass.
#![cfg(feature = "wgpu")]

mod losses;
mod tensors;
mod voting;

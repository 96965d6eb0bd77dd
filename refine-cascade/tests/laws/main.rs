//! Laws of every function of the crate: against naive twins, by properties, by central differences.

#[path = "../naive/mod.rs"]
mod naive;

mod cascade;
mod gradients;
mod labels;
mod losses;
mod symmetry;
mod voting;
mod warp;

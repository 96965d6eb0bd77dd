//! Voting and match losses on a GPU against the same functions on the host. Without a GPU adapter, not even a software one,
//! tests are skipped.

#[path = "../../../xtask/tests/skips/mod.rs"]
mod skips;

#[cfg(feature = "wgpu")]
mod losses;
#[cfg(feature = "wgpu")]
mod tensors;
#[cfg(feature = "wgpu")]
mod voting;

#[cfg(not(feature = "wgpu"))]
#[test]
fn kernels_are_compared_where_they_are_built() {
    skips::skip("gpu", "the crate is built without its feature `wgpu`");
}

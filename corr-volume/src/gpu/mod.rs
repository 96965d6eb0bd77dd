//! The fused operations as kernels for GPUs, on burn's `wgpu` backend (feature `wgpu`).
//!
//! A kernel here answers as the composed operations of this crate do, up to the order in which `f32` are added, and
//! holds no volume: scores are computed tile by tile in a workgroup's shared memory and are gone when the tile is
//! done with. Every sum has a fixed order and nothing is atomic, so that the same device answers with the same bits
//! each time.
//!
//! | file | what it does |
//! | --- | --- |
//! | [`buffers`] | burn's tensors to buffers and back, batches in parts |
//! | [`tile`] | one tile of scores in the units' registers; what other kernels are built from |
//! | `best` | largest score of every row, filtered or not, and its cell |
//! | `soft_argmax` | the answer of every row |
//! | `dense` | both directions of a pair, for [`DenseMatch::read`](crate::DenseMatch::read) |
//!
//! [`buffers`] and [`tile`] are public for kernels of other crates. No gradient flows through a kernel, and none
//! chooses a device: [`buffers::on_gpu`] tells whether a tensor lives where they run.

mod best;
pub mod buffers;
mod dense;
mod soft_argmax;
pub mod tile;

pub(crate) use dense::dense_readout;

//! From burn's tensors to the buffers that kernels read and write, and back.

use std::ops::Range;

use burn::tensor::kind::{Autodiff, Basic};
use burn::tensor::{DType, Int, Shape, Tensor};
use burn_cubecl::CubeBackend;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::ops::numeric::empty_device_contiguous_dtype;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::CubeCount;

/// Bytes that a buffer of a kernel has at most where a batch can be split: what the smallest adapters bind.
pub const MAX_BUFFER: usize = 128 << 20;

/// Pairs of a launch at most: more would not fill a GPU any better.
const MAX_PAIRS: usize = 1024;

/// Workgroups along one axis of a launch, at most: what every adapter takes.
const MAX_CUBES: usize = 65_535;

/// Whether kernels can read this tensor: `f32`, at least one of them, on burn's `wgpu` backend, with autodiff or without.
///
/// Not where burn's feature `fusion` is on: there a tensor is a promise of one.
pub fn on_gpu<const D: usize>(tensor: &Tensor<D>) -> bool {
    let readable = tensor.dtype() == DType::F32 && tensor.dims().iter().all(|size| *size > 0);
    readable && tensor.clone().without_autodiff().try_into_primitive::<CubeBackend>().is_ok()
}

/// The row-major `f32` buffer of a tensor, a copy only if the tensor is not laid out so; kernels do not write to it.
///
/// # Panics
///
/// If the tensor is not on a GPU ([`on_gpu`]), its elements are not `f32`, or it has autodiff ([`part`] takes that off).
pub fn buffer<const D: usize>(tensor: Tensor<D>) -> CubeTensor {
    let (dtype, device) = (tensor.dtype(), tensor.device());
    assert!(dtype == DType::F32, "kernels read f32, got a tensor of {dtype:?}");
    let primitive = tensor
        .try_into_primitive::<CubeBackend>()
        .unwrap_or_else(|error| panic!("kernels read plain tensors of a GPU, this one is on {device:?}: {error:?}"));
    into_contiguous(primitive)
}

/// A buffer of `f32` with nothing in it yet, on the device of another.
pub fn floats<const D: usize>(beside: &CubeTensor, shape: [usize; D]) -> CubeTensor {
    empty(beside, shape, DType::F32)
}

/// A buffer of `i32` with nothing in it yet, on the device of another.
pub fn integers<const D: usize>(beside: &CubeTensor, shape: [usize; D]) -> CubeTensor {
    empty(beside, shape, DType::I32)
}

fn empty<const D: usize>(beside: &CubeTensor, shape: [usize; D], dtype: DType) -> CubeTensor {
    empty_device_contiguous_dtype(beside.client.clone(), beside.device.clone(), Shape::from(shape), dtype)
}

/// A buffer of `f32` as the tensor that it holds.
pub fn tensor<const D: usize>(buffer: CubeTensor) -> Tensor<D> {
    Tensor::from_primitive::<CubeBackend>(buffer)
}

/// A buffer of `i32` as the tensor that it holds.
pub fn int_tensor<const D: usize>(buffer: CubeTensor) -> Tensor<D, Int> {
    Tensor::from_primitive::<CubeBackend>(buffer)
}

/// The pairs of a batch, in order, in parts of at most 1024 that keep every buffer below [`MAX_BUFFER`]; `largest` is
/// the number of `f32` that one pair has in the largest of them. A pair that is larger alone is a part of its own: then
/// the adapter's own limit decides.
pub fn parts(batch: usize, largest: usize) -> Vec<Range<usize>> {
    let pairs = (MAX_BUFFER / size_of::<f32>() / largest.max(1)).clamp(1, MAX_PAIRS);
    (0..batch).step_by(pairs).map(|first| first..batch.min(first + pairs)).collect()
}

/// Some pairs of a batched tensor, without autodiff.
pub fn part<const D: usize>(tensor: &Tensor<D>, pairs: &Range<usize>) -> Tensor<D> {
    let tensor = tensor.clone().without_autodiff();
    if pairs.len() == tensor.dims()[0] { tensor } else { tensor.narrow(0, pairs.start, pairs.len()) }
}

/// What was found for the parts of a batch, as one.
pub fn join<const D: usize, K: Basic>(mut parts: Vec<Tensor<D, K>>) -> Tensor<D, K> {
    if parts.len() == 1 { parts.remove(0) } else { Tensor::cat(parts, 0) }
}

/// A kernel's answer as a constant with autodiff, where `input` has that.
pub fn beside<const D: usize, const E: usize, K: Autodiff>(input: &Tensor<E>, answer: Tensor<D, K>) -> Tensor<D, K> {
    match input.gradient_checkpointing_strategy() {
        Some(strategy) => answer.autodiff().with_gradient_checkpointing_strategy(strategy),
        None => answer,
    }
}

/// `count` workgroups for every pair: pairs along z, the workgroups along x and, where these are more than a launch
/// takes, y. A kernel reads its number as [`cube_in_pair`](super::tile::cube_in_pair()), which can be `count` and more.
pub fn cubes(count: usize, pairs: usize) -> CubeCount {
    let along_x = count.min(MAX_CUBES);
    CubeCount::Static(along_x as u32, count.div_ceil(along_x.max(1)) as u32, pairs as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_cover_the_batch_and_fit() {
        let third = MAX_BUFFER / 4 / 3;
        assert_eq!(parts(7, third), [0..3, 3..6, 6..7]);
        assert_eq!(parts(2, 10 * third), [0..1, 1..2], "a pair that is too large alone is a part of its own");
        assert_eq!(parts(4, 1), vec![0..4; 1]);
        assert_eq!(parts(1025, 1), [0..1024, 1024..1025]);
    }

    #[test]
    fn cubes_reach_every_row() {
        for count in [1, 64, MAX_CUBES, MAX_CUBES + 1, 5 * MAX_CUBES - 1] {
            let CubeCount::Static(x, y, z) = cubes(count, 3) else { panic!("a launch of known size") };
            assert!(x as usize * y as usize >= count && z == 3);
            assert!(x as usize <= MAX_CUBES && y as usize <= MAX_CUBES);
        }
    }
}

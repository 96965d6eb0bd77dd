//! Every score and loss against its naive twin, their laws, and their gradients against central differences.

#[path = "../naive/mod.rs"]
mod naive;

mod configs;
mod gradients;
mod image_level;
mod negatives;
mod pixel_level;
mod region_level;
mod region_matcher;
mod regions;

use burn::tensor::{Device, Tensor, TensorData};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn rng(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

/// `count` values, uniform in `low..high`.
fn uniform(seed: u64, count: usize, low: f32, high: f32) -> Vec<f32> {
    let mut rng = rng(seed);
    (0..count).map(|_| rng.random_range(low..high)).collect()
}

/// `count` unit vectors of `channels` values, row after row.
fn unit_rows(seed: u64, count: usize, channels: usize) -> Vec<f32> {
    let mut values = uniform(seed, count * channels, -1.0, 1.0);
    for row in values.chunks_mut(channels) {
        let length = row.iter().map(|value| value * value).sum::<f32>().sqrt();
        row.iter_mut().for_each(|value| *value /= length);
    }
    values
}

fn tensor<const D: usize>(values: &[f32], shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values.to_vec(), shape), device)
}

fn flex<const D: usize>(values: &[f32], shape: [usize; D]) -> Tensor<D> {
    tensor(values, shape, &Device::flex())
}

fn read<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().iter::<f32>().collect()
}

fn widen(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&value| f64::from(value)).collect()
}

/// Rounding of a few hundred `f32` operations on values of about 1.
const TOLERANCE: f64 = 2e-5;

fn assert_close(got: &[f32], wanted: &[f64]) {
    assert_eq!(got.len(), wanted.len());
    for (index, (&got, &wanted)) in got.iter().zip(wanted).enumerate() {
        let error = (f64::from(got) - wanted).abs();
        assert!(error <= TOLERANCE * wanted.abs().max(1.0), "value {index} is {got}, its twin {wanted}");
    }
}

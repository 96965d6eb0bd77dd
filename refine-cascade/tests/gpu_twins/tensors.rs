//! Numbers that can be put on any device, and how they are compared.

use std::sync::OnceLock;

use burn::tensor::{Device, Tensor, TensorData};
use corr_volume::l2_normalise;
use rand::{RngExt, SeedableRng};

use crate::skips::skip;

pub fn adapter() -> Option<Device> {
    static DEVICE: OnceLock<Option<Device>> = OnceLock::new();
    let device = DEVICE.get_or_init(|| Device::wgpu_options().init().ok()).clone();
    if device.is_none() {
        skip("gpu", "there is no GPU adapter");
    }
    device
}

pub fn uniform(count: usize, low: f32, high: f32, seed: u64) -> Vec<f32> {
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
    (0..count).map(|_| rng.random_range(low..high)).collect()
}

pub fn numbers<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.try_into_vec_as::<f32>().expect("the tensor holds f32")
}

/// Within a share of its twin, and of what cancels: 1e-6, eight units in the last place, of the size of a sum's terms.
pub fn assert_close(found: &[f32], wanted: &[f32], share: f32, terms: f32, what: &str) {
    assert_eq!(found.len(), wanted.len(), "{what}");
    for (index, (a, b)) in found.iter().zip(wanted).enumerate() {
        let allowed = share * b.abs() + 1e-6 * terms;
        assert!((a - b).abs() <= allowed, "{what}: element {index} is {a}, wanted {b} ± {allowed}");
    }
}

/// A tensor that can be put on any device.
#[derive(Clone)]
pub struct Host<const D: usize> {
    pub values: Vec<f32>,
    pub shape: [usize; D],
}

impl<const D: usize> Host<D> {
    pub fn uniform(shape: [usize; D], low: f32, high: f32, seed: u64) -> Self {
        Self { values: uniform(shape.iter().product(), low, high, seed), shape }
    }

    pub fn on(&self, device: &Device) -> Tensor<D> {
        Tensor::from_data(TensorData::new(self.values.clone(), self.shape), device)
    }

    pub fn largest(&self) -> f32 {
        self.values.iter().fold(0.0, |largest, value| value.abs().max(largest))
    }

    pub fn map(mut self, change: impl Fn(usize, f32) -> f32) -> Self {
        self.values.iter_mut().enumerate().for_each(|(index, value)| *value = change(index, *value));
        self
    }
}

pub fn features(shape: [usize; 4], seed: u64) -> Host<4> {
    let plain = Host::uniform(shape, -1.0, 1.0, seed);
    Host { values: numbers(l2_normalise(plain.on(&Device::flex()))), shape }
}

//! What the operations work on, drawn from a fixed seed.

use burn::tensor::{Device, Tensor, TensorData};
use corr_volume::l2_normalise;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The seed of everything that the benchmark draws.
pub const SEED: u64 = 0;

/// A stream of inputs; every new one gives the same inputs in the same order.
pub struct Inputs {
    rng: ChaCha8Rng,
}

impl Inputs {
    /// A new stream.
    pub fn new() -> Inputs {
        Inputs { rng: ChaCha8Rng::seed_from_u64(SEED) }
    }

    /// Standard normal maps `[batch, channels, side, side]`.
    pub fn features(&mut self, batch: usize, channels: usize, side: usize) -> Tensor<4> {
        let values = (0..batch * channels * side * side).map(|_| self.normal()).collect();
        upload(values, [batch, channels, side, side])
    }

    /// The same, each cell of unit length over the channels.
    pub fn unit_features(&mut self, batch: usize, channels: usize, side: usize) -> Tensor<4> {
        l2_normalise(self.features(batch, channels, side))
    }

    /// Uniform in 0..1, `[batch, side, side]`.
    pub fn mask(&mut self, batch: usize, side: usize) -> Tensor<3> {
        upload(self.uniform(batch * side * side, 1.0), [batch, side, side])
    }

    /// Points `(x, y)`, each coordinate uniform in 0..extent.
    pub fn points(&mut self, count: usize, extent: f32) -> Vec<[f32; 2]> {
        self.uniform(2 * count, extent).as_chunks::<2>().0.to_vec()
    }

    fn uniform(&mut self, count: usize, extent: f32) -> Vec<f32> {
        (0..count).map(|_| extent * self.rng.random::<f32>()).collect()
    }

    /// Box and Muller's transform of two uniform numbers, the first of them above 0.
    fn normal(&mut self) -> f32 {
        let (radius, angle) = (1.0 - self.rng.random::<f32>(), self.rng.random::<f32>());
        (-2.0 * radius.ln()).sqrt() * (std::f32::consts::TAU * angle).cos()
    }
}

/// Row-major values as a tensor on the CPU.
pub fn upload<const D: usize>(values: Vec<f32>, shape: [usize; D]) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values, shape), &Device::flex())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_are_standard_normal_and_the_same_every_time() {
        let values: Vec<f32> = Inputs::new().features(2, 50, 10).into_data().try_to_vec().unwrap();
        let count = values.len() as f32;
        let mean = values.iter().sum::<f32>() / count;
        let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f32>() / count;
        assert!(mean.abs() < 0.05 && (variance - 1.0).abs() < 0.05, "mean {mean}, variance {variance}");
        assert_eq!(values, Inputs::new().features(2, 50, 10).into_data().try_to_vec::<f32>().unwrap());
    }
}

//! Which layers take part in a match.

use burn::module::Module;
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig};
use burn::tensor::{Device, Tensor, TensorData, activation};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A small network that looks at a layer of both images, and says how much is for leaving it out and for taking it in.
#[derive(Module, Debug)]
pub(super) struct Gate {
    squeeze: Linear,
    norm: BatchNorm,
    decide: Linear,
}

impl Gate {
    pub fn new(channels: usize, hidden: usize, device: &Device) -> Self {
        Self {
            squeeze: LinearConfig::new(channels, hidden).with_bias(false).init(device),
            norm: BatchNormConfig::new(hidden).init(device),
            decide: LinearConfig::new(hidden, 2).with_bias(false).init(device),
        }
    }

    /// Maps `[b, c, h, w]` of both images to `[b, 2]`: out, in.
    pub fn forward(&self, source: Tensor<4>, target: Tensor<4>) -> Tensor<2> {
        let mean = |map: Tensor<4>| -> Tensor<2> { map.flatten::<3>(2, 3).mean_dim(2).squeeze_dim(2) };
        let squeezed: Tensor<3> = self.squeeze.forward(mean(source) + mean(target)).unsqueeze_dim(2);
        let hidden: Tensor<2> = activation::relu(self.norm.forward(squeezed)).squeeze_dim(2);
        self.decide.forward(hidden)
    }
}

/// One where a layer is taken in, zero where it is left out: `[b, layers, 2]` to `[b, layers]`.
///
/// The gradient is that of the probabilities (straight through). The layer that is nearest to being taken in always is: a
/// match needs one.
pub(super) fn choose(relevance: Tensor<3>) -> Tensor<2> {
    let shares: Tensor<2> = activation::softmax(relevance, 2).narrow(2, 1, 1).squeeze_dim(2);
    let most = shares.clone().max_dim(1);
    let chosen = shares.clone().greater_equal(most).bool_or(shares.clone().greater_equal_scalar(0.5)).float();
    shares.clone() + (chosen - shares).detach()
}

/// Noise of the standard Gumbel distribution; the same for the same seed.
pub(super) fn gumbel_noise(shape: [usize; 3], seed: u64, device: &Device) -> Tensor<3> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let uniform = std::iter::repeat_with(|| rng.random_range(f32::EPSILON..1.0));
    let values: Vec<f32> = uniform.map(|u: f32| -(-u.ln()).ln()).take(shape.iter().product()).collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_are_whole_one_at_least_is_made_and_their_gradient_is_that_of_probabilities() {
        let device = Device::flex().autodiff();
        // Out by far, in, just out; and all out, the second least.
        let relevance = [[[5.0_f32, 0.0], [0.0, 1.0], [0.1, 0.0]], [[3.0, 0.0], [1.0, 0.0], [2.0, 0.0]]];
        let relevance = Tensor::<3>::from_data(relevance, &device).require_grad();
        let chosen = choose(relevance.clone());
        assert_eq!(chosen.to_data().iter::<f32>().collect::<Vec<_>>(), [0.0, 1.0, 0.0, 0.0, 1.0, 0.0]);
        let gradients = chosen.sum().backward();
        let gradient: Vec<f32> = relevance.grad(&gradients).unwrap().into_data().iter::<f32>().collect();
        let share = 1.0 / (1.0 + (-1.0_f32).exp());
        assert!((gradient[3] - share * (1.0 - share)).abs() < 1e-6, "{gradient:?}");
    }

    #[test]
    fn noise_has_the_mean_of_its_distribution() {
        let noise = gumbel_noise([100, 100, 2], 3, &Device::flex());
        let mean = noise.mean().into_scalar::<f32>();
        // Euler's constant.
        assert!((mean - 0.577_2).abs() < 0.03, "{mean}");
    }
}

//! What a matcher answers of a pair does not depend on what else is in the batch.

use burn::tensor::{Device, Distribution, Tensor, Tolerance};
use eval::matcher::{CatsConfig, DhpfConfig, Matcher};

/// Layers of this many channels, on grids of 4 and 2 cells a side.
const LAYERS: [(usize, usize); 2] = [(6, 4), (10, 2)];

fn answers_each_pair_as_it_is_alone(matcher: &impl Matcher, device: &Device) {
    let maps = || -> Vec<Tensor<4>> {
        let layer =
            |(channels, side)| Tensor::random([3, channels, side, side], Distribution::Normal(0.0, 1.0), device);
        LAYERS.map(layer).to_vec()
    };
    let (source, target) = (maps(), maps());
    let together = matcher.volume(&source, &target).into_values();
    // Alone, and in a batch in another order.
    for order in [vec![0], vec![1], vec![2], vec![2, 0, 1]] {
        let pick = |maps: &[Tensor<4>]| -> Vec<Tensor<4>> {
            let take = |map: &Tensor<4>| Tensor::cat(order.iter().map(|&at| map.clone().narrow(0, at, 1)).collect(), 0);
            maps.iter().map(take).collect()
        };
        let answers = matcher.volume(&pick(&source), &pick(&target)).into_values();
        let wanted = Tensor::cat(order.iter().map(|&at| together.clone().narrow(0, at, 1)).collect(), 0);
        answers.into_data().assert_approx_eq::<f32>(&wanted.into_data(), Tolerance::absolute(1e-5));
    }
}

#[test]
fn cats() {
    let device = Device::flex();
    device.seed(6);
    let config = CatsConfig { grid: 4, projected: 8, begin_at_correlation: false, ..CatsConfig::default() };
    answers_each_pair_as_it_is_alone(&config.init(&LAYERS.map(|(channels, _)| channels), &device), &device);
}

#[test]
fn dhpf() {
    let device = Device::flex();
    device.seed(8);
    let config = DhpfConfig { grid: 4, hidden: 4, ..DhpfConfig::default() };
    answers_each_pair_as_it_is_alone(&config.init(&LAYERS.map(|(channels, _)| channels), &device), &device);
}

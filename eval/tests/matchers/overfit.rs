//! A matcher that cannot learn eight pairs by heart learns nothing.

use burn::module::Param;
use burn::tensor::{Device, Tensor};
use eval::matcher::{CatsConfig, DhpfConfig, Optimiser, Sample, TrainableMatcher, Trainer, TrainerConfig};

use crate::own_matcher::Weighted;
use crate::pairs::{CHANNELS, SIDE, pairs, pck};

fn overfits(matcher: impl TrainableMatcher, optimiser: Optimiser, learning_rate: f64, steps: usize) {
    let device = Device::flex();
    let samples = pairs(8, &device);
    let config = TrainerConfig { optimiser, learning_rate, steps, ..TrainerConfig::default() };
    let mut trainer = Trainer::new(matcher, config, &device);
    let before = pck(&trainer.matcher(), &samples, 0.05, &device);
    let mut losses = Vec::new();
    while !trainer.is_done() {
        losses.push(trainer.step(&samples).unwrap());
    }
    let after = pck(&trainer.matcher(), &samples, 0.05, &device);
    let (first, last) = (losses[0], losses[losses.len() - 1]);
    println!("before {before:.0} %, after {after:.0} %, loss {first:.3} to {last:.3}");
    assert!(before < 90.0, "{before} % are right before anything is learned: the pairs are too easy");
    assert!(after >= 95.0 && last < first, "{after} % right after {steps} steps, loss {first} to {last}");
}

#[test]
fn cats_learns_eight_pairs_by_heart() {
    let device = Device::flex();
    device.seed(1);
    let config = CatsConfig { grid: SIDE, projected: 16, heads: 4, ..CatsConfig::default() };
    overfits(config.init(&CHANNELS, &device), Optimiser::AdamW, 2e-3, 200);
}

#[test]
fn dhpf_learns_eight_pairs_by_heart() {
    let device = Device::flex();
    device.seed(1);
    // One of the two layers misleads always: no share of the pairs is to be held to it.
    let config = DhpfConfig { grid: SIDE, reduction: 2, rate_weight: 0.0, ..DhpfConfig::default() };
    overfits(config.init(&CHANNELS, &device), Optimiser::Adam, 1e-2, 400);
}

#[test]
fn a_matcher_of_ones_own_is_trained_by_the_same_functions() {
    let device = Device::flex();
    let join = |maps: Vec<Tensor<4>>| vec![Tensor::cat(maps, 1)];
    // Channels that move with the object and channels that mislead, side by side: weights tell them apart.
    let samples = pairs(8, &device).into_iter();
    let samples = samples.map(|one| Sample { source: join(one.source), target: join(one.target), ..one });
    let samples: Vec<Sample> = samples.collect();
    let weights = Param::from_tensor(Tensor::ones([CHANNELS.iter().sum::<usize>()], &device));
    let config = TrainerConfig { learning_rate: 0.1, steps: 60, ..TrainerConfig::default() };
    let mut trainer = Trainer::new(Weighted { weights }, config, &device);
    let before = pck(&trainer.matcher(), &samples, 0.05, &device);
    while !trainer.is_done() {
        trainer.step(&samples).unwrap();
    }
    let after = pck(&trainer.matcher(), &samples, 0.05, &device);
    assert!(after > 90.0 && after > before + 5.0, "{before} % right before, {after} % after");
}

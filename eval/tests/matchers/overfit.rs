//! A matcher that cannot learn eight pairs by heart learns nothing.

use burn::tensor::Device;
use eval::matcher::{CatsConfig, DhpfConfig, Optimiser, TrainableMatcher, Trainer, TrainerConfig};

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

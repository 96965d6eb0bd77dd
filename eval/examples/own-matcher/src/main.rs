//! A matcher of one's own, outside the workspace: trained on WILLOW's key points and scored, with the library alone.
//!
//! ```sh
//! cargo run --release --manifest-path eval/examples/own-matcher/Cargo.toml -- WILLOW-OBJECT efficientnet-lite0.pth
//! ```

mod matcher;

use std::path::Path;

use burn::module::Param;
use burn::tensor::{Device, Tensor};
use corr_volume::{BackboneConfig, BackboneName, BatchNormMode, Verification, load_weights};
use eval::matcher::{OnImages, Trainer, TrainerConfig, score_matcher};
use eval::{BenchmarkName, BenchmarkSplit, Bootstrap, PairSelection, ReadOptions, average, read_pairs};

use crate::matcher::Weighted;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(data), Some(weights)) = (arguments.next(), arguments.next()) else {
        return Err("usage: own-matcher WILLOW-OBJECT WEIGHTS [STEPS]".into());
    };
    let steps = arguments.next().map_or(Ok(60), |steps| steps.parse())?;
    let device = Device::flex();
    let backbone = BackboneConfig { name: BackboneName::EfficientNetLite0, dilated: false }.init(&device);
    let backbone = load_weights(backbone, Path::new(&weights), Verification::default())?.backbone;
    let backbone = backbone.with_batch_norm(BatchNormMode::Frozen);
    let on = OnImages { backbone, blocks: vec![10], input: 256, device: device.clone() };
    let pairs = |split, per_class| {
        let pair_selection = PairSelection { per_class: Some(per_class), seed: 0 };
        let options = ReadOptions { split: Some(split), pair_selection, ..ReadOptions::default() };
        read_pairs(BenchmarkName::Willow, Path::new(&data), &options)
    };
    let (train, scored) = (pairs(BenchmarkSplit::Train, 20)?, pairs(BenchmarkSplit::Val, 20)?);
    let score = |matcher: &Weighted| -> Result<f64, Box<dyn std::error::Error>> {
        let protocol = scored.default_protocol.clone().with_alphas(&[0.1]);
        let scores = score_matcher(matcher, &on, &scored.pairs, &protocol, |_| {})?;
        Ok(100.0 * average(&scores, protocol.average, Bootstrap::default())[0].value)
    };
    let matcher = Weighted { weights: Param::from_tensor(Tensor::ones([on.channels()[0]], &device)) };
    println!("untrained  PCK@.10 {:.1}", score(&matcher)?);
    let samples = train.pairs.iter().map(|pair| on.sample(pair, on.grid())).collect::<Result<Vec<_>, _>>()?;
    let config = TrainerConfig { learning_rate: 0.03, steps, ..TrainerConfig::default() };
    let mut trainer = Trainer::new(matcher, config, &device);
    while !trainer.is_done() {
        let first = 4 * trainer.steps_done() % (samples.len() - 3);
        trainer.step(&samples[first..first + 4])?;
    }
    println!("trained    PCK@.10 {:.1}", score(&trainer.matcher())?);
    Ok(())
}

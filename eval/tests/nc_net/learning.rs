//! That the network learns.

use burn::tensor::{Device, Tensor, TensorData};
use eval::matcher::{
    Matcher, NcNetConfig, Nearest, Optimiser, PointsInCells, Sample, Trainer, TrainerConfig, parameters,
    with_parameters,
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const SIDE: usize = 8;
const CHANNELS: usize = 24;

/// Maps of random numbers, of which the target's are the source's moved by whole cells, drowned in noise.
fn moved_pair(rng: &mut ChaCha8Rng, noise: f32, device: &Device) -> Sample {
    let normal = |rng: &mut ChaCha8Rng| (0..12).map(|_| rng.random::<f32>()).sum::<f32>() - 6.0;
    let shift = [0, 1].map(|_| rng.random_range(-2i64..=2) as isize);
    let source: Vec<f32> = (0..CHANNELS * SIDE * SIDE).map(|_| normal(rng)).collect();
    let mut target: Vec<f32> = (0..CHANNELS * SIDE * SIDE).map(|_| normal(rng)).collect();
    let mut points = PointsInCells { source: Vec::new(), target: Vec::new(), length: SIDE as f32 };
    for row in 0..SIDE {
        for column in 0..SIDE {
            let to = (row.checked_add_signed(shift[0]), column.checked_add_signed(shift[1]));
            if let (Some(y @ ..SIDE), Some(x @ ..SIDE)) = to {
                for channel in 0..CHANNELS {
                    let value = source[(channel * SIDE + row) * SIDE + column];
                    target[(channel * SIDE + y) * SIDE + x] = value + noise * normal(rng);
                }
                points.source.push([column as f32, row as f32]);
                points.target.push([x as f32, y as f32]);
            }
        }
    }
    let map = |values: Vec<f32>| vec![Tensor::from_data(TensorData::new(values, [1, CHANNELS, SIDE, SIDE]), device)];
    Sample { source: map(source), target: map(target), points }
}

/// The share of key points found within .05 of the box.
fn share_found(matcher: &impl Matcher, samples: &[Sample], device: &Device) -> f64 {
    let (mut found, mut asked) = (0, 0);
    for sample in samples {
        let count = sample.points.source.len();
        let points: Vec<f32> = sample.points.source.iter().flatten().copied().collect();
        let points = Tensor::from_data(TensorData::new(points, [1, count, 2]), device);
        let answers = matcher.read(&matcher.volume(&sample.source, &sample.target), points).points;
        let answers = answers.try_into_vec_as::<f32>().expect("f32 on the host");
        let near = |(answer, wanted): (&[f32], &[f32; 2])| {
            (answer[0] - wanted[0]).hypot(answer[1] - wanted[1]) <= 0.05 * sample.points.length
        };
        found += answers.chunks(2).zip(&sample.points.target).filter(|&pair| near(pair)).count();
        asked += count;
    }
    found as f64 / asked as f64
}

fn trained(config: &NcNetConfig, learning_rate: f64, samples: &[Sample]) -> impl Matcher {
    let device = Device::flex();
    let steps = 120;
    let schedule =
        TrainerConfig { optimiser: Optimiser::Adam, learning_rate, steps, warm_up: 5, ..TrainerConfig::default() };
    let mut trainer = Trainer::new(config.init(&device), schedule, &device);
    let mut losses = Vec::new();
    while !trainer.is_done() {
        losses.push(trainer.step(samples).expect("a finite loss"));
    }
    println!("losses {:.3?}", losses.iter().step_by(20).chain(losses.last()).collect::<Vec<_>>());
    trainer.matcher()
}

#[test]
fn eight_pairs_are_learnt_by_heart() {
    let device = Device::flex();
    device.seed(1);
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let samples: Vec<Sample> = (0..8).map(|_| moved_pair(&mut rng, 2.0, &device)).collect();
    let config = NcNetConfig::small();
    let (nearest, before) =
        (share_found(&Nearest, &samples, &device), share_found(&config.init(&device), &samples, &device));
    let net = trained(&config, 5e-3, &samples);
    let after = share_found(&net, &samples, &device);
    let others: Vec<Sample> = (0..8).map(|_| moved_pair(&mut rng, 2.0, &device)).collect();
    let unseen = share_found(&net, &others, &device);
    println!("nearest {nearest:.3}, untrained {before:.3}, trained {after:.3}, on other pairs {unseen:.3}");
    assert!(before < 0.7, "nothing to learn: {before} before training");
    assert!(after >= 0.95, "{after} after training, {before} before");
    assert!(unseen > before, "consensus holds for pairs never seen, too: {unseen}, untrained {before}");
}

#[test]
fn a_network_that_was_saved_goes_on_learning() {
    let device = Device::flex();
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let samples = [moved_pair(&mut rng, 1.0, &device)];
    let config = NcNetConfig::small();
    let saved = parameters(&config.init(&device)).expect("parameters");
    let net = with_parameters(config.init(&device), &saved).expect("a network");
    let schedule = TrainerConfig {
        optimiser: Optimiser::Sgd,
        momentum: 0.0,
        weight_decay: 0.0,
        learning_rate: 0.1,
        steps: 1,
        warm_up: 0,
        gradient_norm: 0.0,
    };
    let mut trainer = Trainer::new(net, schedule, &device);
    trainer.step(&samples).expect("a finite loss");
    assert_ne!(parameters(&trainer.matcher()).expect("parameters"), saved);
}

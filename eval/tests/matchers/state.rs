//! Training that is interrupted, or goes wrong.

use burn::tensor::{Device, Tensor};
use eval::matcher::{CatsConfig, DhpfConfig, Optimiser, TrainableMatcher, Trainer, TrainerConfig, parameters};

use crate::pairs::{CHANNELS, SIDE, pairs};

fn config(optimiser: Optimiser) -> TrainerConfig {
    TrainerConfig { optimiser, learning_rate: 1e-2, steps: 6, warm_up: 2, ..TrainerConfig::default() }
}

/// Six steps at once, and three and three with the state in between: the same parameters, bit for bit.
fn resumes<M: TrainableMatcher>(new: impl Fn() -> M, optimiser: Optimiser) {
    let device = Device::flex();
    let samples = pairs(4, &device);
    let run = |mut trainer: Trainer<M>, steps: usize| {
        for _ in 0..steps {
            trainer.step(&samples).unwrap();
        }
        trainer
    };
    let whole = run(Trainer::new(new(), config(optimiser), &device), 6);
    let half = run(Trainer::new(new(), config(optimiser), &device), 3).state().unwrap();
    let resumed = Trainer::new(new(), config(optimiser), &device).with_state(&half).unwrap();
    assert_eq!(resumed.steps_done(), 3);
    let resumed = run(resumed, 3);
    assert!(resumed.is_done());
    assert!(parameters(&whole.matcher()).unwrap() == parameters(&resumed.matcher()).unwrap());
}

#[test]
fn a_resumed_training_ends_as_an_uninterrupted_one() {
    let device = Device::flex();
    let cats = || CatsConfig { grid: SIDE, projected: 16, heads: 4, ..CatsConfig::default() }.init(&CHANNELS, &device);
    let cats = cats();
    resumes(|| cats.clone(), Optimiser::AdamW);
    let dhpf = DhpfConfig { grid: SIDE, ..DhpfConfig::default() }.init(&CHANNELS, &device);
    resumes(|| dhpf.clone(), Optimiser::Sgd);
    resumes(|| dhpf.clone(), Optimiser::Adam);
}

#[test]
fn a_loss_that_is_no_number_is_an_error_that_names_the_step() {
    let device = Device::flex();
    let mut samples = pairs(2, &device);
    let matcher = DhpfConfig { grid: SIDE, ..DhpfConfig::default() }.init(&CHANNELS, &device);
    let mut trainer = Trainer::new(matcher, config(Optimiser::Adam), &device);
    trainer.step(&samples).unwrap();
    let nothing = Tensor::<4>::full([1, CHANNELS[0], SIDE, SIDE], f32::NAN, &device);
    samples[0].source[0] = nothing;
    let error = trainer.step(&samples).unwrap_err();
    assert_eq!(error.step, 1);
    assert!(error.to_string().contains("step 1"), "{error}");
}

#[test]
fn a_state_of_another_matcher_is_refused() {
    let device = Device::flex();
    let one = DhpfConfig { grid: SIDE, ..DhpfConfig::default() }.init(&CHANNELS, &device);
    let other = DhpfConfig { grid: SIDE, hidden: 5, ..DhpfConfig::default() }.init(&CHANNELS, &device);
    let state = Trainer::new(one, config(Optimiser::Adam), &device).state().unwrap();
    assert!(Trainer::new(other, config(Optimiser::Adam), &device).with_state(&state).is_err());
}

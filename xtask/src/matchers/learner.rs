//! A matcher of any kind, untrained or trained, behind one face.

use anyhow::{Result, bail};
use burn::tensor::{Device, Tensor};
use corr_volume::{Answers, CorrVolume, Readout};
use eval::matcher::{
    Cats, Dhpf, HoughMatcher, Matcher, MutualNearest, NcNet, Nearest, TrainableMatcher, Trainer, TrainerConfig,
    TrainerState, with_parameters,
};
use refine_cascade::{VoteConfig, vote};
use tracing::info;

use crate::config::TrainConfig;
use crate::network::{digest_of, seeded};
use crate::run_folder::{RunFolder, RunKind};

use super::features::Features;
use super::pairs::TrainingPairs;
use super::settings::{MatcherName, MatcherSettings, Phase};

/// A matcher.
#[derive(Clone, Debug)]
pub enum Learner {
    /// NC-Net.
    NcNet(NcNet),
    /// CATs.
    Cats(Box<Cats>),
    /// DHPF.
    Dhpf(Dhpf),
    /// The nearest cell.
    Nearest(Nearest),
    /// The mutually nearest cell.
    Mutual(MutualNearest),
    /// Hough matching.
    Hough(HoughMatcher),
    /// The last student of a run.
    Cascade(CascadeMatcher),
}

/// The last student of a run: cosines of its features, voted between masks.
#[derive(Clone, Debug)]
pub struct CascadeMatcher {
    vote: VoteConfig,
    readout: Readout,
}

impl CascadeMatcher {
    fn of_run(run: &str) -> Result<Self> {
        let run = RunFolder::open(run)?.of_kind(&[RunKind::Train])?;
        let config = TrainConfig::load(TrainConfig::default(), Some(&run.config()), &[])?;
        Ok(Self { vote: config.student.vote, readout: config.student.voted_readout })
    }
}

impl Matcher for CascadeMatcher {
    /// Of the student's features and the masks, as [`Features`] has them.
    fn volume(&self, source: &[Tensor<4>], target: &[Tensor<4>]) -> CorrVolume {
        let mask = |maps: &[Tensor<4>]| maps[1].clone().squeeze_dim(1);
        let volume = CorrVolume::cosine(source[0].clone(), target[0].clone());
        vote(&volume, mask(source), mask(target), &self.vote)
    }

    fn read(&self, volume: &CorrVolume, points: Tensor<3>) -> Answers {
        self.readout.read(volume, points)
    }
}

/// What training needs to go on, and a hash of the parameters' values.
#[derive(Clone, Debug)]
pub struct LearnerState {
    /// What training needs to go on.
    pub trainer: TrainerState,
    /// [`digest_of`] the matcher.
    pub digest: String,
}

/// Calls a generic expression on the matcher that a [`Learner`] holds.
macro_rules! with_matcher {
    ($learner:expr, $matcher:ident => $body:expr) => {
        match $learner {
            Learner::NcNet($matcher) => $body,
            Learner::Cats($matcher) => $body,
            Learner::Dhpf($matcher) => $body,
            Learner::Nearest($matcher) => $body,
            Learner::Mutual($matcher) => $body,
            Learner::Hough($matcher) => $body,
            Learner::Cascade($matcher) => $body,
        }
    };
}

impl Matcher for Learner {
    fn volume(&self, source: &[Tensor<4>], target: &[Tensor<4>]) -> CorrVolume {
        with_matcher!(self, matcher => matcher.volume(source, target))
    }

    fn read(&self, volume: &CorrVolume, points: Tensor<3>) -> Answers {
        with_matcher!(self, matcher => matcher.read(volume, points))
    }
}

impl Learner {
    /// An untrained matcher for blocks of `channels`; its parameters are drawn with `seed`.
    ///
    /// # Errors
    ///
    /// Of the cascade: no such run.
    pub fn new(
        name: MatcherName,
        settings: &MatcherSettings,
        channels: &[usize],
        seed: u64,
        device: &Device,
    ) -> Result<Learner> {
        Ok(match name {
            MatcherName::Cats => Learner::Cats(Box::new(seeded(device, seed, || settings.cats.init(channels, device)))),
            MatcherName::Dhpf => Learner::Dhpf(seeded(device, seed, || settings.dhpf.init(channels, device))),
            MatcherName::NcNet => Learner::NcNet(seeded(device, seed, || settings.nc_net.init(device))),
            MatcherName::Nearest => Learner::Nearest(Nearest),
            MatcherName::Mutual => Learner::Mutual(MutualNearest),
            MatcherName::Hough => Learner::Hough(HoughMatcher { config: settings.hough }),
            MatcherName::Cascade => Learner::Cascade(CascadeMatcher::of_run(&settings.cascade.run)?),
        })
    }

    /// The same with the parameters of a state.
    ///
    /// # Errors
    ///
    /// A state of another matcher.
    pub fn with_parameters(self, bytes: &[u8]) -> Result<Learner> {
        Ok(match self {
            Learner::NcNet(matcher) => Learner::NcNet(with_parameters(matcher, bytes)?),
            Learner::Cats(matcher) => Learner::Cats(Box::new(with_parameters(*matcher, bytes)?)),
            Learner::Dhpf(matcher) => Learner::Dhpf(with_parameters(matcher, bytes)?),
            other => other,
        })
    }

    /// Trains on pairs, from a state on where there is one. `told(step, loss, state)` is called behind every step; the state is
    /// there when a checkpoint is due, and at the end.
    ///
    /// # Errors
    ///
    /// A matcher that does not learn, a loss that is no number, images that cannot be read, and what `told` returns.
    pub fn train(
        self,
        phase: &Phase,
        (pairs, features): (&TrainingPairs, &Features),
        state: Option<&TrainerState>,
        told: impl FnMut(usize, f64, Option<LearnerState>) -> Result<()>,
        device: &Device,
    ) -> Result<Learner> {
        Ok(match self {
            Learner::Cats(matcher) => {
                Learner::Cats(Box::new(train(*matcher, phase, (pairs, features), state, told, device)?))
            }
            Learner::NcNet(matcher) => Learner::NcNet(train(matcher, phase, (pairs, features), state, told, device)?),
            Learner::Dhpf(matcher) => Learner::Dhpf(train(matcher, phase, (pairs, features), state, told, device)?),
            Learner::Nearest(_) | Learner::Mutual(_) | Learner::Hough(_) | Learner::Cascade(_) => {
                bail!("this matcher has nothing to learn")
            }
        })
    }
}

fn train<M: TrainableMatcher>(
    matcher: M,
    phase: &Phase,
    (pairs, features): (&TrainingPairs, &Features),
    state: Option<&TrainerState>,
    mut told: impl FnMut(usize, f64, Option<LearnerState>) -> Result<()>,
    device: &Device,
) -> Result<M> {
    let seen = phase.pairs_seen();
    if seen < pairs.len() {
        info!("{} steps of {} pairs see {seen} of {} pairs", phase.trainer.steps, phase.batch, pairs.len());
    }
    let config: TrainerConfig = phase.trainer.clone();
    let mut trainer = Trainer::new(matcher, config, device);
    if let Some(state) = state {
        trainer = trainer.with_state(state)?;
    }
    while !trainer.is_done() {
        let batch = pairs.batch(features, trainer.steps_done(), phase.batch)?;
        let loss = trainer.step(&batch)?;
        let done = trainer.steps_done();
        let due = trainer.is_done() || (phase.checkpoint_every > 0 && done.is_multiple_of(phase.checkpoint_every));
        let state = due.then(|| -> Result<_> {
            Ok(LearnerState { trainer: trainer.state()?, digest: digest_of(&trainer.matcher()) })
        });
        told(done, loss, state.transpose()?)?;
    }
    Ok(trainer.matcher())
}

//! A run that trains a matcher: its folder, its checkpoints, its metrics.

use std::path::Path;

use anyhow::{Context, Result, bail};
use burn::tensor::Device;
use eval::matcher::TrainerState;
use tracing::info;

use super::features::Features;
use super::learner::{Learner, LearnerState};
use super::pairs::TrainingPairs;
use super::settings::Phase;
use crate::checkpoint::{Checkpoint, RunState};
use crate::progress::{self, ToldSteps};
use crate::run_folder::{RunFolder, RunKind};

/// The last checkpoint of a run.
pub fn last(run: &RunFolder) -> std::path::PathBuf {
    run.checkpoints().join("last.ckpt")
}

/// Trains a matcher in a run's folder, from its last checkpoint on where there is one. A run that is to be made is made, with
/// `config`, when its first step is done.
///
/// # Errors
///
/// A loss that is no number, images that cannot be read, a full disk; the last checkpoint stays.
pub fn train_in(
    run: &RunFolder,
    config: &str,
    learner: Learner,
    phase: &Phase,
    data: (&TrainingPairs, &Features),
    device: &Device,
) -> Result<Learner> {
    let path = last(run);
    let goes_on = run.is_there() && path.exists();
    let state = goes_on.then(|| load_state(&path)).transpose()?;
    let done = state.as_ref().map_or(0, |state| state.step);
    if done > 0 {
        info!("resumed at step {done}");
    }
    if run.is_there() {
        run.rewind(done)?;
    }
    let steps = phase.trainer.steps;
    let bar = progress::steps(steps, done);
    let mut progress = ToldSteps::new(steps, done);
    let told = |step: usize, loss: f64, state: Option<LearnerState>| {
        let message = format!("loss {loss:.3}");
        if bar.is_hidden() {
            progress.at(step, &message);
        }
        bar.set_message(message);
        bar.inc(1);
        run.begin(config)?;
        run.append_metrics(&serde_json::json!({"step": step, "loss": loss}))?;
        if let Some(state) = state {
            save_state(&path, state)?;
            run.has_checkpoint()?;
        }
        Ok(())
    };
    let trained = learner.train(phase, data, state.as_ref(), told, device)?;
    bar.finish_and_clear();
    info!("{steps} steps done in {:.0} s; {}", progress.seconds(), path.display());
    Ok(trained)
}

/// Writes what training needs to go on.
///
/// # Errors
///
/// A full disk, a folder that cannot be written; the file that was there stays.
pub fn save_state(path: &Path, LearnerState { trainer, digest }: LearnerState) -> Result<()> {
    let state = RunState { step: trainer.step, parameters: digest, ..RunState::default() };
    Checkpoint { state, network: trainer.matcher, optimizers: vec![trainer.optimiser] }.save(path)
}

/// Reads what [`save_state`] wrote.
///
/// # Errors
///
/// A missing or damaged file, or one of another kind.
pub fn load_state(path: &Path) -> Result<TrainerState> {
    let checkpoint = Checkpoint::load(path)?;
    let [optimiser] = <[Vec<u8>; 1]>::try_from(checkpoint.optimizers)
        .map_err(|_| anyhow::anyhow!("{} is no checkpoint of a matcher", path.display()))?;
    Ok(TrainerState { step: checkpoint.state.step, matcher: checkpoint.network, optimiser })
}

/// The parameters that a run of a matcher ended with.
///
/// # Errors
///
/// No such run, one that is not done, a damaged checkpoint.
pub fn parameters_of(name: &str, learner: Learner) -> Result<Learner> {
    let run = RunFolder::open(name)?.of_kind(&[RunKind::Pretrain, RunKind::Finetune])?;
    let path = last(&run);
    if !path.exists() {
        bail!("the run {} has no checkpoint yet; go on with it first, with --resume", run.root().display());
    }
    let checkpoint = Checkpoint::load_to_use(&path)?;
    learner
        .with_parameters(&checkpoint.network)
        .with_context(|| format!("{} is of another matcher, or of one of other sizes", path.display()))
}

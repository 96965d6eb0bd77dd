//! A run that trains a matcher: its folder, its checkpoints, its metrics.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use burn::tensor::Device;
use eval::matcher::TrainerState;
use tracing::info;

use super::features::Features;
use super::learner::{Learner, LearnerState};
use super::pairs::TrainingPairs;
use super::settings::Phase;
use crate::checkpoint::{Checkpoint, RunState};
use crate::progress::{self, TOLD_EVERY};
use crate::run_folder::RunFolder;

/// The last checkpoint of a run.
fn last(run: &RunFolder) -> std::path::PathBuf {
    run.checkpoints().join("last.ckpt")
}

/// Trains a matcher in a run's folder, from its last checkpoint on where there is one.
///
/// # Errors
///
/// A loss that is no number, images that cannot be read, a full disk; the last checkpoint stays.
pub fn train_in(
    run: &RunFolder,
    learner: Learner,
    phase: &Phase,
    data: (&TrainingPairs, &Features),
    device: &Device,
) -> Result<Learner> {
    let path = last(run);
    let state = path.exists().then(|| load(&path)).transpose()?;
    let done = state.as_ref().map_or(0, |state| state.step);
    if done > 0 {
        info!("resumed at step {done}");
    }
    run.rewind(done)?;
    let steps = phase.trainer.steps;
    let bar = progress::steps(steps, done);
    let (began, mut told_at) = (Instant::now(), Instant::now());
    let told = |step: usize, loss: f64, state: Option<LearnerState>| {
        bar.set_message(format!("loss {loss:.3}"));
        bar.inc(1);
        if bar.is_hidden() && told_at.elapsed() >= TOLD_EVERY {
            let left = began.elapsed().as_secs_f64() / (step - done) as f64 * (steps - step) as f64;
            info!("step {step}/{steps}, loss {loss:.3}, {left:.0} s left");
            told_at = Instant::now();
        }
        run.append_metrics(&serde_json::json!({"step": step, "loss": loss}))?;
        if let Some(state) = state {
            save(&path, state)?;
        }
        Ok(())
    };
    let trained = learner.train(phase, data, state.as_ref(), told, device)?;
    bar.finish_and_clear();
    info!("{steps} steps done in {:.0} s; {}", began.elapsed().as_secs_f64(), path.display());
    Ok(trained)
}

fn save(path: &Path, LearnerState { trainer, digest }: LearnerState) -> Result<()> {
    let state = RunState { step: trainer.step, parameters: digest, ..RunState::default() };
    Checkpoint { state, network: trainer.matcher, optimizers: vec![trainer.optimiser] }.save(path)
}

fn load(path: &Path) -> Result<TrainerState> {
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
    let run = RunFolder::open(name)?;
    let path = last(&run);
    if !path.exists() {
        bail!("the run {} has no checkpoint yet; go on with it first, with --resume", run.root().display());
    }
    let checkpoint = Checkpoint::load_to_use(&path)?;
    learner
        .with_parameters(&checkpoint.network)
        .with_context(|| format!("{} is of another matcher, or of one of other sizes", path.display()))
}

//! `cargo xtask train`: class folders in, a run folder out.

mod batches;
mod classify;
mod criterion;
mod export;
mod gradients;
#[cfg(test)]
mod learning;
#[cfg(test)]
mod loss_gradients;
#[cfg(test)]
mod parity;
mod seen_images;
mod session;
#[cfg(test)]
pub mod small_run;
mod start;
mod step;
mod validate;

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use clap::Args;
use corr_volume::BackboneName;
use tracing::info;

use crate::config::{DataSection, TrainConfig};
use crate::device::DeviceChoice;
use crate::drawn;
use crate::logging::{self, RunLog};
use crate::run_folder::{RunFolder, RunKind};

pub use start::{load_start, network_of};

/// Learn semantic correspondence from folders of images, one folder a class.
///
/// Nothing but the folders' names is learnt from. Key points (`.mat` files beside the images) are only ever used to
/// report scores. Without --data, drawn objects are generated and learnt from, with nothing to download.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:
  cargo xtask train
      drawn objects, a small backbone from scratch, a table of scores in under ten minutes
  cargo xtask weights fetch efficientnet-lite0
  cargo xtask train --data FOLDER --run mine
      your class folders (FOLDER/<class>/*.jpg) with an ImageNet backbone
  cargo xtask train --config xtask/configs/willow.toml --data WILLOW --seed 1
      a configuration from a file; --data and --set override it
  cargo xtask train --run mine --resume
      go on with a run that was killed")]
pub struct TrainArgs {
    /// A TOML file; keys that it leaves out keep their defaults
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// A folder of class folders; give it several times to join several
    #[arg(long, value_name = "DIR")]
    data: Vec<String>,
    /// The backbone: efficientnet-lite0, efficientnet-lite2, or small (from scratch)
    #[arg(long, value_name = "NAME")]
    backbone: Option<BackboneName>,
    /// A weights file for the backbone, instead of the fetched one
    #[arg(long, value_name = "FILE")]
    weights: Option<String>,
    /// Set one key of the configuration, as in --set train.steps=500
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// The run's name (its folder is runs/NAME) or folder
    #[arg(long, value_name = "NAME", default_value = "default")]
    run: String,
    /// Go on with a run that was interrupted
    #[arg(long)]
    resume: bool,
    /// Replace a run of that name; it is removed when the new one has its first checkpoint
    #[arg(long, conflicts_with = "resume")]
    overwrite: bool,
    /// auto (a hardware GPU if there is one, else the CPU), cpu, wgpu, or wgpu:N
    #[arg(long, default_value_t)]
    device: DeviceChoice,
    /// The seed of everything random
    #[arg(long)]
    seed: Option<u64>,
    /// Name every file that is passed over
    #[arg(long, short)]
    verbose: bool,
    /// Print the effective configuration and stop
    #[arg(long)]
    print_config: bool,
}

impl TrainArgs {
    /// Runs the command.
    ///
    /// # Errors
    ///
    /// Bad configuration, data, weights or disk; a loss that is not finite.
    pub fn run(&self) -> Result<()> {
        RunFolder::check_name(&self.run)?;
        if self.print_config {
            let config = if self.resume { self.resumed()?.1 } else { self.config(None)? };
            print!("{}", config.to_toml()?);
            return Ok(());
        }
        let log = Arc::new(RunLog::default());
        logging::start_verbose(Some(Arc::clone(&log)), self.verbose)?;
        let (run, config) = if self.resume {
            self.resumed()?
        } else {
            let config = self.config(None)?;
            (RunFolder::claim(&self.run, RunKind::Train, self.overwrite)?, config)
        };
        let outcome = self.train(&run, config, &log);
        if outcome.is_err() {
            run.give_up();
        }
        outcome
    }

    fn train(&self, run: &RunFolder, config: TrainConfig, log: &RunLog) -> Result<()> {
        let device = self.device.open()?;
        info!("run {}, device {}", run.root().display(), crate::device::device_name(&device));
        let session = session::Session::open(run.clone(), config, device, self.resume)?;
        // Not before: until the data are read and the start is made there is no folder.
        log.attach(run)?;
        session.run()
    }

    /// The configuration: defaults or that of the run to resume, file, then flags.
    fn config(&self, stored: Option<&TrainConfig>) -> Result<TrainConfig> {
        let mut settings = Vec::new();
        if !self.data.is_empty() {
            settings.push(format!("data.folders={}", serde_json::to_string(&self.data)?));
        }
        if let Some(backbone) = self.backbone {
            settings.push(format!("backbone.name=\"{backbone}\""));
        }
        if let Some(weights) = &self.weights {
            settings.push(format!("backbone.weights={}", serde_json::to_string(weights)?));
        }
        if let Some(seed) = self.seed {
            settings.push(format!("train.seed={seed}"));
        }
        settings.extend(self.set.iter().cloned());
        let base = match stored {
            Some(stored) => stored.clone(),
            None if self.config.is_none() && self.data.is_empty() => drawn::config(),
            None => TrainConfig::default(),
        };
        TrainConfig::load(base, self.config.as_deref(), &settings)
    }

    /// The run to resume, whose configuration must be this one.
    fn resumed(&self) -> Result<(RunFolder, TrainConfig)> {
        let run = match RunFolder::resume(&self.run, RunKind::Train)? {
            Some(run) => run,
            // Says what is there instead.
            None => {
                RunFolder::open(&self.run).context("nothing is there to resume; leave --resume out to start a run")?
            }
        };
        let stored = TrainConfig::load(TrainConfig::default(), Some(&run.config()), &[])?;
        let config = self.config(Some(&stored))?;
        if let Some(difference) = config.first_difference(&stored, &DataSection::WITHOUT_EFFECT)? {
            bail!(
                "cannot resume {} under a changed configuration: {difference} (now / then); leave the flag out, or start \
                 another run",
                run.root().display()
            );
        }
        Ok((run, config))
    }
}

//! A run that was trained, opened to be used.

use std::sync::Arc;

use anyhow::{Context, Result};
use burn::module::Module;
use burn::tensor::Device;
use clap::ValueEnum;

use crate::checkpoint::Checkpoint;
use crate::config::TrainConfig;
use crate::describe::Describer;
use crate::foreground::Foregrounds;
use crate::images::Extractor;
use crate::network::Network;
use crate::run_folder::{RunFolder, RunKind};
use crate::train::{load_start, network_of};

/// Which of a run's checkpoints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Which {
    /// The last one.
    #[default]
    Last,
    /// The most cycle-consistent one.
    Best,
}

/// The parts of a run in use.
pub struct Trained {
    /// Its folder.
    pub run: RunFolder,
    /// Its configuration.
    pub config: TrainConfig,
    /// Steps that the checkpoint has seen.
    pub step: usize,
    /// SHA-256 of the checkpoint's parameters.
    pub parameters: String,
    /// The classes that it was trained on, in the classifier's order.
    pub classes: Vec<String>,
    /// SHA-256 of the weights file that the backbone came from, or of the network that was learnt from scratch.
    pub weights: String,
    /// SHA-256 of the parameters before the cascade's training, which make the masks.
    pub start_parameters: String,
    network: Network,
    extractor: Arc<Extractor>,
    foregrounds: Foregrounds,
}

impl Trained {
    /// Opens a run on a device without autodiff.
    ///
    /// # Errors
    ///
    /// No such run, a damaged checkpoint.
    pub fn open(name: &str, which: Which, device: &Device) -> Result<Trained> {
        Self::with_cache(name, which, device, None)
    }

    /// As [`Trained::open`], for those who look at each image once: features are not kept, and no folder is needed for them.
    ///
    /// # Errors
    ///
    /// As [`Trained::open`].
    pub fn without_cache(name: &str, which: Which, device: &Device) -> Result<Trained> {
        Self::with_cache(name, which, device, Some(0))
    }

    fn with_cache(name: &str, which: Which, device: &Device, cache_mib: Option<u64>) -> Result<Trained> {
        let run = RunFolder::open(name)?.of_kind(&[RunKind::Train])?;
        let mut config = TrainConfig::load(TrainConfig::default(), Some(&run.config()), &[])?;
        config.backbone.cache_mib = cache_mib.unwrap_or(config.backbone.cache_mib);
        let start = load_start(&run, &config, device)?;
        let file = match which {
            Which::Last => "last.ckpt",
            Which::Best => "best.ckpt",
        };
        let checkpoint = Checkpoint::load_to_use(&run.checkpoints().join(file))
            .with_context(|| format!("the run {} has no usable checkpoint yet", run.root().display()))?;
        let network = network_of(checkpoint.network, &checkpoint.state, &config, device)?;
        Ok(Trained {
            foregrounds: Foregrounds::new(start.network.classifier.valid(), &config.mask),
            extractor: start.extractor,
            classes: start.state.classes,
            weights: start.state.weights,
            start_parameters: start.state.parameters,
            network,
            step: checkpoint.state.step,
            parameters: checkpoint.state.parameters,
            run,
            config,
        })
    }

    /// A describer of the run's network.
    pub fn describer(&mut self) -> Describer<'_> {
        Describer::new(&self.extractor, &mut self.foregrounds, &self.network, &self.config)
    }

    /// Its parts, for those who ask from several threads.
    pub fn into_parts(self) -> (Network, Arc<Extractor>, Foregrounds, TrainConfig) {
        (self.network, self.extractor, self.foregrounds, self.config)
    }
}

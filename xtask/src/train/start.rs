//! The network that the cascade's training starts from: weights loaded or learnt from scratch, and a classifier.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use burn::module::Module;
use burn::tensor::Device;
use corr_volume::{BackboneName, BatchNormMode, Verification, load_weights};
use sc_imagenet::ImageSet;
use tracing::info;

use crate::checkpoint::{Checkpoint, RunState};
use crate::config::TrainConfig;
use crate::images::Extractor;
use crate::network::{Layout, Network};
use crate::run_folder::RunFolder;
use crate::train::classify::{train_from_scratch, train_head};
use crate::train::seen_images;
use crate::weights::known_path;

/// The start of a run: its network, the extractor of its frozen blocks, and what to record of it.
pub struct Start {
    /// The network before the cascade's training.
    pub network: Network,
    /// Its frozen blocks.
    pub extractor: Arc<Extractor>,
    /// Step 0.
    pub state: RunState,
}

/// Where a run keeps its start.
pub fn start_path(run: &RunFolder) -> PathBuf {
    run.checkpoints().join("start.ckpt")
}

/// Makes the start of a new run and keeps it in the run's folder, which is made only then, or loads the one that is there.
/// `folders` are those that the images are from.
///
/// # Errors
///
/// Weights that are missing or damaged, images that cannot be decoded, a loss that is not finite, a full disk; images that are
/// not those of the start that is there.
pub fn start(
    run: &RunFolder,
    config: &TrainConfig,
    images: &ImageSet,
    folders: &[String],
    device: &Device,
) -> Result<Start> {
    if run.is_there() && start_path(run).exists() {
        seen_images::check(run, images, folders)?;
        return load_start(run, config, device);
    }
    let seen = seen_images::read(images, folders)?;
    device.seed(config.train.seed);
    let backbone = Network::random_backbone(config, device);
    let classes = images.classes().to_vec();
    let (mut network, weights) = if config.backbone.name == BackboneName::Small {
        let network = Network::init(config, backbone, classes.len(), device);
        info!("training the backbone from scratch on {} images of {} classes", images.len(), classes.len());
        (train_from_scratch(network, images, config, device)?, String::new())
    } else {
        let path = known_path(config.backbone.name, &config.backbone.weights)?;
        let loaded = load_weights(backbone, &path, Verification::default())?;
        info!("backbone {} from {}", config.backbone.name, path.display());
        (Network::init(config, loaded.backbone, classes.len(), device), loaded.sha256)
    };
    let identity = if weights.is_empty() { network.digest() } else { weights.clone() };
    let extractor = extractor_of(config, &network, &identity, device)?;
    extractor.prepare(paths(images), std::iter::empty())?;
    if !weights.is_empty() {
        network = train_head(network, &extractor, images, config)?;
    }
    if config.backbone.centre {
        let frozen = extractor.each_frozen(paths(images).map(Path::to_owned));
        network = network.with_centre(frozen.map(|frozen| Ok(frozen?.layers)))?;
    }
    let state = RunState { weights: identity, parameters: network.digest(), classes, ..RunState::default() };
    let checkpoint = Checkpoint { state: state.clone(), network: network.to_bytes()?, optimizers: Vec::new() };
    run.begin(&config.to_toml()?)?;
    seen_images::write(run, &seen)?;
    checkpoint.save(&start_path(run))?;
    Ok(Start { network, extractor, state })
}

/// Loads the start that a run kept.
///
/// # Errors
///
/// A missing or damaged checkpoint.
pub fn load_start(run: &RunFolder, config: &TrainConfig, device: &Device) -> Result<Start> {
    let checkpoint = Checkpoint::load_to_use(&start_path(run))?;
    let network = network_of(checkpoint.network, &checkpoint.state, config, device)?;
    let extractor = extractor_of(config, &network, &checkpoint.state.weights, device)?;
    Ok(Start { network, extractor, state: checkpoint.state })
}

/// The network of a checkpoint, from its record and its state.
///
/// # Errors
///
/// A checkpoint of another architecture.
pub fn network_of(record: Vec<u8>, state: &RunState, config: &TrainConfig, device: &Device) -> Result<Network> {
    let backbone = Network::random_backbone(config, device).with_batch_norm(BatchNormMode::Frozen);
    Network::init(config, backbone, state.classes.len(), device)
        .with_bytes(record)
        .context("the checkpoint is not of this configuration's network")
}

/// The images' files.
pub fn paths(images: &ImageSet) -> impl Iterator<Item = &Path> + Clone {
    images.images().iter().map(|image| image.path.as_path())
}

fn extractor_of(config: &TrainConfig, network: &Network, identity: &str, device: &Device) -> Result<Arc<Extractor>> {
    let backbone = network.backbone.valid();
    let plain = device.clone().inner();
    let (cache_mib, threads) = (config.backbone.cache_mib, config.data.threads());
    Ok(Arc::new(Extractor::new(backbone, Layout::of(config), identity, cache_mib, threads, &plain)?))
}

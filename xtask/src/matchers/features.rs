//! What the frozen backbone says of images and of their changed views, kept in memory and on disk.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use anyhow::{Context, Result, bail};
use burn::tensor::{Device, Tensor};
use corr_volume::{BackboneConfig, BackboneName, BatchNormMode, Frame, Grid, Verification, load_weights};
use eval::matcher::{Augmentation, Matcher};
use eval::{KeyPointPair, PairScore, Protocol};

use super::settings::{MatcherName, MatcherSettings};
use crate::foreground::Foregrounds;
use crate::images::{Asked, Extractor, View};
use crate::network::{Layout, Network, seeded};
use crate::trained::{Trained, Which};
use crate::weights::known_path;

/// Feature maps in memory, at most.
const KEPT_BYTES: usize = 1 << 30;

/// A frozen backbone with what it said of images. Threads share it.
pub struct Features {
    extractor: Arc<Extractor>,
    /// Of a cascade: what makes a student's features and a mask of the frozen blocks.
    cascade: Option<(Network, Foregrounds)>,
    on_images: eval::matcher::OnImages,
    grid: Grid,
    /// What names the parameters: a hash of them or of their file.
    identity: String,
    /// By file, and the name of what was done to the image.
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    maps: HashMap<(PathBuf, String), Vec<Tensor<4>>>,
    bytes: usize,
}

impl Features {
    /// The backbone of a matcher's settings, with its weights.
    ///
    /// # Errors
    ///
    /// Weights that are missing or damaged, a block that the backbone has not.
    pub fn open(name: MatcherName, settings: &MatcherSettings, device: &Device) -> Result<Features> {
        if name == MatcherName::Cascade {
            return Self::of_run(&settings.cascade.run, device);
        }
        let backbone = &settings.backbone;
        // Drawn with a seed of its own: where there are no weights, all matchers look through the same one.
        let empty = seeded(device, 0, || BackboneConfig { name: backbone.name, dilated: false }.init(device));
        let last = backbone.blocks.last().copied().unwrap_or_default();
        if last >= empty.block_count() {
            bail!(
                "`backbone.blocks` asks for block {last}, {} has blocks 0 to {}",
                backbone.name,
                empty.block_count() - 1
            );
        }
        let (loaded, identity) = if backbone.name == BackboneName::Small && backbone.weights.is_empty() {
            (empty, "random".to_owned())
        } else {
            let path = known_path(backbone.name, &backbone.weights)?;
            let loaded = load_weights(empty, &path, Verification::default())?;
            (loaded.backbone, loaded.sha256)
        };
        let network = loaded.with_batch_norm(BatchNormMode::Frozen);
        let layout = Layout { input: backbone.input, layers: backbone.blocks.clone(), first_tuned: None };
        let on_images = eval::matcher::OnImages {
            backbone: network.clone(),
            blocks: backbone.blocks.clone(),
            input: backbone.input,
            device: device.clone(),
        };
        let extractor = Extractor::new(network, layout, &identity, settings.cache_mib, 0, device)?;
        let grid = match name {
            MatcherName::Cats => Grid::square(settings.cats.grid),
            MatcherName::Dhpf => Grid::square(settings.dhpf.grid),
            _ => on_images.grid(),
        };
        Ok(Features {
            extractor: Arc::new(extractor),
            cascade: None,
            on_images,
            grid,
            identity,
            kept: Mutex::default(),
        })
    }

    /// What the last student of a run says of images, and their masks.
    fn of_run(run: &str, device: &Device) -> Result<Features> {
        if run.is_empty() {
            bail!("say which run the cascade is of: --set cascade.run=NAME");
        }
        let trained = Trained::open(run, Which::Last, device)?;
        let identity = format!("{} {}", trained.start_parameters, trained.parameters);
        let (network, extractor, foregrounds, config) = trained.into_parts();
        let on_images = eval::matcher::OnImages {
            backbone: extractor.backbone.clone(),
            blocks: config.backbone.layers.clone(),
            input: config.backbone.input,
            device: device.clone(),
        };
        let grid = on_images.grid();
        let cascade = Some((network, foregrounds));
        Ok(Features { extractor, cascade, on_images, grid, identity, kept: Mutex::default() })
    }

    /// What names the parameters that features come from: a hash of them or of their file.
    pub fn identity(&self) -> &str {
        &self.identity
    }

    /// The last student's features and the mask of an image, `[1, d, h, w]` and `[1, 1, h, w]`. The classifier guesses the class.
    fn student(&self, path: &Path, network: &Network, foregrounds: &Foregrounds) -> Result<Vec<Tensor<4>>> {
        let extractor = &self.extractor;
        let frozen = extractor.frozen(path)?;
        let features = network.stages(&extractor.layout, &frozen).pop().context("the run has no student")?;
        let deepest = &frozen.layers[frozen.layers.len() - 1];
        let mask = foregrounds.make(None, deepest, Grid::of(&features), |scale| extractor.deepest_at(path, scale))?;
        Ok(vec![features, mask.unsqueeze_dim(1)])
    }

    /// Channels of each block.
    pub fn channels(&self) -> Vec<usize> {
        self.on_images.channels()
    }

    /// The grid that the matcher answers on.
    pub fn grid(&self) -> Grid {
        self.grid
    }

    /// The coordinate systems of an image of `size`.
    pub fn frame(&self, size: (u32, u32)) -> Frame {
        self.on_images.frame(size)
    }

    /// The maps of an image file, changed first where it says how.
    ///
    /// # Errors
    ///
    /// An image that cannot be read or decoded.
    pub fn maps(&self, path: &Path, change: Option<&Augmentation>) -> Result<Vec<Tensor<4>>> {
        if let Some((network, foregrounds)) = &self.cascade {
            return self.kept_or(path, String::new(), || self.student(path, network, foregrounds));
        }
        let asked = change.map_or(Asked::Frozen(View::AsIs), |change| Asked::Augmented(*change));
        let name = change.map(Augmentation::name).unwrap_or_default();
        self.kept_or(path, name, || {
            Ok(self.extractor.features(path, self.extractor.fetch(path, &asked)?, &asked)?.layers)
        })
    }

    /// What is kept of an image under a name, or what `make` makes, which is kept then.
    fn kept_or(
        &self,
        path: &Path,
        name: String,
        make: impl FnOnce() -> Result<Vec<Tensor<4>>>,
    ) -> Result<Vec<Tensor<4>>> {
        let key = (path.to_owned(), name);
        if let Some(maps) = self.lock().maps.get(&key) {
            return Ok(maps.clone());
        }
        let maps = make()?;
        let bytes: usize = maps.iter().map(|map| 4 * map.dims().iter().product::<usize>()).sum();
        let mut kept = self.lock();
        if kept.bytes + bytes <= KEPT_BYTES && kept.maps.insert(key, maps.clone()).is_none() {
            kept.bytes += bytes;
        }
        Ok(maps)
    }

    /// Where the matcher puts the key points of a pair, under a protocol, and how many of them are right.
    ///
    /// # Errors
    ///
    /// Images that cannot be read.
    pub fn score(&self, matcher: &impl Matcher, pair: &KeyPointPair, protocol: &Protocol) -> Result<PairScore> {
        let from = self.maps(&protocol.direction.asked(pair).path, None)?;
        let to = self.maps(&protocol.direction.predicted(pair).path, None)?;
        Ok(self.on_images.score_maps(matcher, [&from, &to], pair, protocol)?)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

//! A network of the default configuration that has learnt nothing: it costs what a trained one does.

use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use burn::tensor::Device;
use corr_volume::{Frame, Grid};

use super::inputs::SEED;
use crate::config::TrainConfig;
use crate::describe::{Describer, Description, Method};
use crate::foreground::Foregrounds;
use crate::images::Extractor;
use crate::label::Matcher;
use crate::network::{Layout, Network};
use crate::score::match_points;

/// Classes that its classifier tells apart.
const CLASSES: usize = 20;

/// The network with all that is needed to ask it, without a cache on disk.
pub struct Untrained {
    /// The default configuration.
    pub config: TrainConfig,
    network: Network,
    extractor: Arc<Extractor>,
    foregrounds: Foregrounds,
}

impl Untrained {
    /// The network with weights drawn from the benchmark's seed.
    pub fn new() -> Result<Untrained> {
        let (config, device) = (TrainConfig::default(), Device::flex());
        device.seed(SEED);
        let backbone = Network::random_backbone(&config, &device);
        let network = Network::init(&config, backbone.clone(), CLASSES, &device);
        Ok(Untrained {
            foregrounds: Foregrounds::new(network.classifier.clone(), &config.mask),
            extractor: Arc::new(Extractor::new(backbone, Layout::of(&config), "untrained", 0, 1, &device)?),
            network,
            config,
        })
    }

    /// A describer of the network.
    pub fn describer(&mut self) -> Describer<'_> {
        Describer::new(&self.extractor, &mut self.foregrounds, &self.network, &self.config)
    }

    /// What `label` asks, of a single class.
    pub fn into_matcher(self) -> Matcher {
        let Untrained { config, network, extractor, foregrounds } = self;
        Matcher::of_parts(network, extractor, foregrounds, config, vec!["drawn".to_owned()])
    }

    /// The hyperpixel's grid.
    pub fn grid(&self) -> Grid {
        self.extractor.layout.grid(&self.extractor.backbone)
    }

    /// The hyperpixel's channels.
    pub fn channels(&self) -> usize {
        self.config.backbone.layers.iter().map(|&layer| self.extractor.backbone.channels(layer)).sum()
    }

    /// What `match` answers by.
    pub fn method(&self) -> Method {
        Method::best(&self.config)
    }

    /// What `match` does: describes two image files of `size` pixels, masks included, and matches the centre of every
    /// cell. Nothing is remembered from one call to the next.
    ///
    /// # Errors
    ///
    /// Files that cannot be read.
    pub fn match_files(&mut self, files: [&Path; 2], size: (u32, u32)) -> Result<Vec<[f32; 2]>> {
        self.foregrounds = Foregrounds::new(self.network.classifier.clone(), &self.config.mask);
        let (grid, method, input) = (self.grid(), self.method(), self.config.backbone.input as u32);
        let frame = Frame::stretched(size, (input, input));
        let centre = |cell| {
            let (row, column) = grid.row_col(cell);
            frame.from_cells(grid, [column as f32, row as f32])
        };
        let points: Vec<[f32; 2]> = (0..grid.cells()).map(centre).collect();
        let mut describer = self.describer();
        let described: Vec<Description> =
            files.iter().map(|file| describer.describe(file, None)).collect::<Result<_>>()?;
        Ok(match_points(&describer, (&described[0], size), (&described[1], size), &points, method)?.0)
    }
}

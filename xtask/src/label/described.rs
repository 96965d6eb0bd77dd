//! What the network says of an image, and of a pair of them.

use std::sync::Arc;

use anyhow::{Context, Result};
use burn::tensor::Tensor;
use corr_volume::{CorrVolume, Grid};
use image::RgbImage;
use pseudo_label::peakedness;
use refine_cascade::vote;

use crate::config::{StudentSection, TrainConfig};
use crate::foreground::Foregrounds;
use crate::images::{Asked, Extractor, View};
use crate::network::{FrozenFeatures, Network};
use crate::trained::Trained;

use super::settings::LabelSettings;

/// A trained network that any thread may ask.
pub struct Matcher {
    network: Network,
    extractor: Arc<Extractor>,
    foregrounds: Foregrounds,
    /// The run's configuration.
    pub config: TrainConfig,
    /// The classes it was trained on.
    pub classes: Vec<String>,
}

/// What is kept of an image while its block is matched.
#[derive(Clone)]
pub struct Described {
    /// The last student's features `[1, d, h, w]`.
    features: Tensor<4>,
    mask: Tensor<3>,
    /// The mask, one value a cell.
    pub mask_values: Vec<f32>,
    /// Width and height of the image.
    pub size: (u32, u32),
}

impl Described {
    /// The grid of its cells.
    pub fn grid(&self) -> Grid {
        Grid::of(&self.features)
    }
}

/// The matches of every cell of two images with the other.
pub struct PairMatches {
    /// Those of the first image's cells, and those of the second's.
    pub ways: [Way; 2],
}

/// The matches of an image's cells with another image.
pub struct Way {
    /// `(x, y)` in the other's cells.
    pub points: Vec<[f32; 2]>,
    /// How peaked each match distribution is.
    pub peakedness: Vec<f32>,
}

impl Matcher {
    /// The matcher of a run.
    pub fn new(trained: Trained) -> Matcher {
        let classes = trained.classes.clone();
        let (network, extractor, foregrounds, config) = trained.into_parts();
        Matcher { network, extractor, foregrounds, config, classes }
    }

    /// SHA-256 of the parameters that matches come from.
    pub fn parameters(&self) -> String {
        self.network.digest()
    }

    /// Pixels a side of the network's input.
    pub fn input(&self) -> u32 {
        self.extractor.layout.input as u32
    }

    /// Describes an image of a class: one pass of the backbone, and one more for each further scale of the masks. The
    /// classifier is told the class where it knows it, and guesses otherwise.
    ///
    /// # Errors
    ///
    /// Features of another layout, which is a fault of the run.
    pub fn describe(&self, image: &RgbImage, class: &str) -> Result<Described> {
        let extractor = &self.extractor;
        let maps = extractor.run_image(image, &Asked::Frozen(View::AsIs));
        let frozen = FrozenFeatures::from_maps(maps, &extractor.layout).context("the run's features")?;
        let features = self.network.stages(&extractor.layout, &frozen).pop().context("the run has no student")?;
        let label = self.classes.iter().position(|known| known == class);
        let deepest = &frozen.layers[frozen.layers.len() - 1];
        let mask = self.foregrounds.make(label, deepest, Grid::of(&features), |scale| {
            let maps = extractor.run_image(image, &extractor.at_scale(scale));
            maps.into_iter().next().context("the deepest block says nothing")
        })?;
        let mask_values = numbers(&mask)?;
        Ok(Described { features, mask, mask_values, size: image.dimensions() })
    }

    /// Matches two images both ways.
    ///
    /// # Errors
    ///
    /// A device that fails.
    pub fn match_pair(&self, one: &Described, other: &Described, settings: &LabelSettings) -> Result<PairMatches> {
        let student: &StudentSection = &self.config.student;
        let volume = CorrVolume::cosine(one.features.clone(), other.features.clone());
        let (answering, readout) = match settings.voted {
            true => (vote(&volume, one.mask.clone(), other.mask.clone(), &student.vote), student.voted_readout),
            false => (volume.clone(), student.readout),
        };
        let way = |scores: &CorrVolume, answering: &CorrVolume| -> Result<Way> {
            let points = numbers(&readout.read_cells(answering).points)?.as_chunks::<2>().0.to_vec();
            let rows = numbers(&scores.values())?;
            let cells = scores.target().cells();
            let temperature = settings.consistency.temperature;
            let peakedness =
                rows.chunks_exact(cells).map(|row| peakedness(row, scores.target(), temperature)).collect();
            Ok(Way { points, peakedness })
        };
        Ok(PairMatches { ways: [way(&volume, &answering)?, way(&volume.transpose(), &answering.transpose())?] })
    }
}

fn numbers<const D: usize>(tensor: &Tensor<D>) -> Result<Vec<f32>> {
    let values = tensor.to_data().try_into_vec::<f32>();
    values.map_err(|error| anyhow::anyhow!("the device answered with no f32: {error:?}"))
}

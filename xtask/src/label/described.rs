//! What the network says of an image, and of a pair of them.

use std::sync::Arc;

use anyhow::{Context, Result};
use burn::tensor::Tensor;
use corr_volume::{CorrVolume, DenseMatch, Grid};
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
        Matcher::of_parts(network, extractor, foregrounds, config, classes)
    }

    /// The matcher of a network, its frozen blocks, what makes its masks, and the classes that these know.
    pub fn of_parts(
        network: Network,
        extractor: Arc<Extractor>,
        foregrounds: Foregrounds,
        config: TrainConfig,
        classes: Vec<String>,
    ) -> Matcher {
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
        let temperature = settings.consistency.temperature;
        if settings.voted {
            self.match_voted(one, other, temperature)
        } else {
            self.match_plain(one, other, temperature)
        }
    }

    /// By the voted volume; how peaked a match is, the volume says before it is voted.
    fn match_voted(&self, one: &Described, other: &Described, temperature: f32) -> Result<PairMatches> {
        let student: &StudentSection = &self.config.student;
        let volume = CorrVolume::cosine(one.features.clone(), other.features.clone());
        let voted = vote(&volume, one.mask.clone(), other.mask.clone(), &student.vote);
        let way = |scores: &CorrVolume, voted: &CorrVolume| -> Result<Way> {
            let rows = numbers(&scores.values())?;
            let rows = rows.chunks_exact(scores.target().cells());
            Ok(Way {
                points: points(&student.voted_readout.read_cells(voted).points)?,
                peakedness: rows.map(|row| peakedness(row, scores.target(), temperature)).collect(),
            })
        };
        Ok(PairMatches { ways: [way(&volume, &voted)?, way(&volume.transpose(), &voted.transpose())?] })
    }

    /// By the features as they are, whose volume is never made.
    fn match_plain(&self, one: &Described, other: &Described, temperature: f32) -> Result<PairMatches> {
        let dense = DenseMatch::unfiltered(self.config.student.readout);
        let of_row = |row: &[f32], target: Grid| peakedness(row, target, temperature);
        let (matches, [there, back]) = dense.read_rows(one.features.clone(), other.features.clone(), of_row);
        Ok(PairMatches {
            ways: [
                Way { points: points(&matches.forward.points)?, peakedness: there },
                Way { points: points(&matches.backward.points)?, peakedness: back },
            ],
        })
    }
}

fn points(points: &Tensor<3>) -> Result<Vec<[f32; 2]>> {
    Ok(numbers(points)?.as_chunks::<2>().0.to_vec())
}

fn numbers<const D: usize>(tensor: &Tensor<D>) -> Result<Vec<f32>> {
    let values = tensor.to_data().try_into_vec::<f32>();
    values.map_err(|error| anyhow::anyhow!("the device answered with no f32: {error:?}"))
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Distribution, TensorData};
    use corr_volume::{Readout, l2_normalise, resize_bilinear};
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::bench::Untrained;
    use crate::drawn;
    use crate::network::Layout;
    use crate::train::small_run::generator;

    fn described(grid: Grid) -> Described {
        let device = Device::flex();
        let coarse = Tensor::random([1, 16, 4, 4], Distribution::Normal(0.0, 1.0), &device);
        let mask = Tensor::ones([1, grid.height, grid.width], &device);
        Described {
            features: l2_normalise(resize_bilinear(coarse, grid)),
            mask_values: vec![1.0; grid.cells()],
            mask,
            size: (64, 64),
        }
    }

    #[test]
    fn unvoted_matches_are_those_of_the_volume() {
        let _generator = generator();
        let mut matcher = Untrained::new().unwrap().into_matcher();
        Device::flex().seed(4);
        let (one, other) = (described(Grid::new(9, 8)), described(Grid::new(7, 10)));
        let settings = LabelSettings { voted: false, ..LabelSettings::default() };
        for readout in
            [Readout::Hard, Readout::Kernel { beta: 35.0, sigma: 10.0 }, Readout::Kernel { beta: 2.0, sigma: 3.0 }]
        {
            matcher.config.student.readout = readout;
            let found = matcher.match_pair(&one, &other, &settings).unwrap();
            let volume = CorrVolume::cosine(one.features.clone(), other.features.clone());
            for (way, volume) in found.ways.iter().zip([volume.clone(), volume.transpose()]) {
                let wanted = points(&readout.read_cells(&volume).points).unwrap();
                let near = |(a, b): (&[f32; 2], &[f32; 2])| (0..2).all(|axis| (a[axis] - b[axis]).abs() < 1e-3);
                assert!(way.points.len() == wanted.len() && way.points.iter().zip(&wanted).all(near), "{readout:?}");
                let rows = numbers(&volume.values()).unwrap();
                for (found, row) in way.peakedness.iter().zip(rows.chunks_exact(volume.target().cells())) {
                    let wanted = peakedness(row, volume.target(), settings.consistency.temperature);
                    assert!((found - wanted).abs() < 1e-4, "{found}, wanted {wanted}");
                }
            }
        }
    }

    const SIDES: [[usize; 2]; 2] = [[6, 5], [7, 8]];

    /// A matcher that is never shown an image.
    fn matcher() -> Matcher {
        let (config, device) = (drawn::config(), Device::flex());
        let network = Network::init(&config, Network::random_backbone(&config, &device), 2, &device);
        let (backbone, foregrounds) =
            (network.backbone.clone(), Foregrounds::new(network.classifier.clone(), &config.mask));
        let extractor = Arc::new(Extractor::new(backbone, Layout::of(&config), "none", 0, 0, &device).unwrap());
        Matcher { network, extractor, foregrounds, config, classes: Vec::new() }
    }

    fn random([height, width]: [usize; 2], seed: u64) -> Described {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut numbers = |count: usize| (0..count).map(|_| rng.random_range(-1.0..1.0)).collect::<Vec<f32>>();
        let features = TensorData::new(numbers(16 * height * width), [1, 16, height, width]);
        let mask_values: Vec<f32> = numbers(height * width).into_iter().map(f32::abs).collect();
        let mask = TensorData::new(mask_values.clone(), [1, height, width]);
        let device = Device::flex();
        Described {
            features: l2_normalise(Tensor::from_data(features, &device)),
            mask: Tensor::from_data(mask, &device),
            mask_values,
            size: (width as u32, height as u32),
        }
    }

    fn mirrored(one: &Described) -> Described {
        let mask = one.mask.clone().flip([2]);
        Described {
            features: one.features.clone().flip([3]),
            mask_values: numbers(&mask).unwrap(),
            mask,
            size: one.size,
        }
    }

    fn mirrored_way(way: &Way, grid: Grid, other: Grid) -> Way {
        let right = (other.width - 1) as f32;
        let points: Vec<[f32; 2]> = way.points.iter().map(|[x, y]| [right - x, *y]).collect();
        Way { points: flipped(&points, grid), peakedness: flipped(&way.peakedness, grid) }
    }

    fn flipped<T: Copy>(values: &[T], grid: Grid) -> Vec<T> {
        values.chunks(grid.width).flat_map(|row| row.iter().rev().copied()).collect()
    }

    fn assert_same(one: &Way, other: &Way) {
        assert_eq!((one.points.len(), one.peakedness.len()), (other.points.len(), other.peakedness.len()));
        for (a, b) in one.points.iter().flatten().zip(other.points.iter().flatten()) {
            assert!((a - b).abs() < 1e-3, "{:?} and {:?}", one.points, other.points);
        }
        for (a, b) in one.peakedness.iter().zip(&other.peakedness) {
            assert!((a - b).abs() < 1e-4, "{:?} and {:?}", one.peakedness, other.peakedness);
        }
    }

    #[test]
    fn matches_of_exchanged_images_are_exchanged_and_of_mirrored_ones_mirrored() {
        let _generator = generator();
        let matcher = matcher();
        for (seed, voted) in [(1, true), (2, false), (3, true), (4, false)] {
            let settings = LabelSettings { voted, ..LabelSettings::default() };
            let [a, b] = [random(SIDES[0], seed), random(SIDES[1], seed + 10)];
            let found = |one: &Described, other: &Described| matcher.match_pair(one, other, &settings).unwrap().ways;
            let [there, back] = found(&a, &b);
            let [other_back, other_there] = found(&b, &a);
            assert_same(&other_there, &there);
            assert_same(&other_back, &back);
            let [mirrored_there, mirrored_back] = found(&mirrored(&a), &mirrored(&b));
            assert_same(&mirrored_there, &mirrored_way(&there, a.grid(), b.grid()));
            assert_same(&mirrored_back, &mirrored_way(&back, b.grid(), a.grid()));
            // They are the matches of these images: of others they are others.
            assert!(there.points != found(&a, &random(SIDES[1], seed + 20))[0].points);
        }
    }
}

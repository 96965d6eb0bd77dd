//! What a trained run says of an image, and of a pair: the library behind `eval`, `match` and validation.

use std::fmt;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use anyhow::{Result, bail};
use burn::module::Module;
use burn::tensor::Tensor;
use corr_volume::{
    Answers, BackboneName, BatchNormMode, CorrVolume, DenseMatch, Grid, Readout, hyperpixel, l2_normalise,
};
use refine_cascade::{VoteConfig, vote};

use crate::config::TrainConfig;
use crate::foreground::Foregrounds;
use crate::images::{Extractor, input_of};
use crate::network::Network;

/// Everything that is asked of one image, on its grid.
#[derive(Clone)]
pub struct Description {
    /// The hyperpixel before training `[1, d, h, w]`.
    pub raw: Tensor<4>,
    /// What needs no learning, where the run's backbone was learnt from scratch.
    pub baselines: Option<Baselines>,
    /// The students' features g_1 … g_K, each `[1, d, h, w]`.
    pub stages: Vec<Tensor<4>>,
    /// The foreground mask `[1, h, w]`.
    pub mask: Tensor<3>,
}

/// Features that need no learning.
#[derive(Clone)]
pub struct Baselines {
    /// Each cell's mean colour as a unit vector `[1, 3, h, w]`.
    pub colours: Tensor<4>,
    /// The hyperpixel of a backbone that has learnt nothing `[1, d, h, w]`.
    pub untrained: Tensor<4>,
}

/// A network in use: it learns no more.
pub struct Describer<'a> {
    /// The frozen blocks.
    pub extractor: &'a Arc<Extractor>,
    /// The masks.
    pub foregrounds: &'a mut Foregrounds,
    /// The network to ask, without autodiff.
    pub network: Network,
    /// The run's configuration.
    pub config: &'a TrainConfig,
}

/// Which volume of a pair answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Colours instead of features.
    Rgb,
    /// The features of the backbone before anything was learnt.
    Untrained,
    /// The raw affinity, answers in whole cells.
    RawHard,
    /// The raw affinity.
    Raw,
    /// The raw affinity, voted in full, as labels are made from it.
    RawVoted,
    /// The raw affinity, voted and read exactly as a student's voted volume is: what [`Method::StageVoted`] has to beat.
    RawSmoothed,
    /// Student k, from 1.
    Stage(usize),
    /// Student k's volume, voted.
    StageVoted(usize),
}

impl Method {
    /// Further baselines of a run whose backbone was learnt from scratch: what colours and random features can do.
    pub fn baselines(config: &TrainConfig) -> Vec<Method> {
        if config.backbone.name == BackboneName::Small { vec![Method::Rgb, Method::Untrained] } else { Vec::new() }
    }

    /// The methods that a run of `stages` students is scored by.
    pub fn all(stages: usize) -> Vec<Method> {
        let mut methods = vec![Method::RawHard, Method::Raw, Method::RawVoted, Method::RawSmoothed];
        methods.extend((1..=stages).map(Method::Stage));
        methods.push(Method::StageVoted(stages));
        methods
    }

    /// The method that scores best on the data sets that were tried (LAB.md): the last stage, voted.
    pub fn best(config: &TrainConfig) -> Method {
        Method::StageVoted(config.student.stages)
    }

    /// Whether a run can answer by this method.
    ///
    /// # Errors
    ///
    /// A stage or a baseline that the run has not; its methods are named.
    pub fn check(self, config: &TrainConfig) -> Result<()> {
        let stages = config.student.stages;
        let has = match self {
            Method::Stage(stage) | Method::StageVoted(stage) => (1..=stages).contains(&stage),
            Method::Rgb | Method::Untrained => Method::baselines(config).contains(&self),
            _ => true,
        };
        if !has {
            let methods = Method::baselines(config).into_iter().chain(Method::all(stages));
            let names: Vec<String> = methods.map(Method::name).collect();
            bail!("this run has no method {}; it has {}", self.name(), names.join(", "));
        }
        Ok(())
    }

    /// Its name in tables and JSON.
    pub fn name(self) -> String {
        self.to_string()
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Method::Rgb => f.write_str("raw-rgb"),
            Method::Untrained => f.write_str("untrained"),
            Method::RawHard => f.write_str("raw-hard"),
            Method::Raw => f.write_str("raw"),
            Method::RawVoted => f.write_str("raw-voted"),
            Method::RawSmoothed => f.write_str("raw-smoothed"),
            Method::Stage(stage) => write!(f, "stage-{stage}"),
            Method::StageVoted(stage) => write!(f, "stage-{stage}-voted"),
        }
    }
}

impl FromStr for Method {
    type Err = String;

    /// A name as [`Method::name`] gives it. A run may have fewer students, or no such baselines.
    fn from_str(text: &str) -> Result<Self, String> {
        let plain =
            [Method::Rgb, Method::Untrained, Method::RawHard, Method::Raw, Method::RawVoted, Method::RawSmoothed];
        if let Some(method) = plain.into_iter().find(|method| method.name() == text) {
            return Ok(method);
        }
        let stage = text.strip_prefix("stage-").and_then(|rest| {
            let (number, voted) = rest.strip_suffix("-voted").map_or((rest, false), |number| (number, true));
            let number = number.parse().ok().filter(|number: &usize| *number > 0)?;
            Some(if voted { Method::StageVoted(number) } else { Method::Stage(number) })
        });
        // `+2` and `02` are numbers too.
        stage.filter(|method| method.name() == text).ok_or_else(|| {
            let names: Vec<String> = plain.iter().map(Method::to_string).collect();
            format!("{text:?} is no method; there are {}, stage-N and stage-N-voted", names.join(", "))
        })
    }
}

/// What a method compares, how the volume of it is voted, where it is, and how it is read.
struct Recipe<'d> {
    features: [&'d Tensor<4>; 2],
    vote: Option<&'d VoteConfig>,
    readout: Readout,
}

impl<'a> Describer<'a> {
    /// A describer of `network`, with or without autodiff.
    pub fn new(
        extractor: &'a Arc<Extractor>,
        foregrounds: &'a mut Foregrounds,
        network: &Network,
        config: &'a TrainConfig,
    ) -> Describer<'a> {
        Describer { extractor, foregrounds, network: network.valid(), config }
    }

    /// Fills the cache with what [`Describer::describe`] will ask for of these image files.
    ///
    /// # Errors
    ///
    /// As [`Extractor::prepare`].
    pub fn prepare<'p>(&self, paths: impl Iterator<Item = &'p Path> + Clone) -> Result<()> {
        self.extractor.prepare(paths, self.foregrounds.scales().iter().copied())
    }

    /// Describes an image file. Without a label the predicted class makes the mask.
    ///
    /// # Errors
    ///
    /// A file that cannot be decoded.
    pub fn describe(&mut self, path: &Path, label: Option<usize>) -> Result<Description> {
        let frozen = self.extractor.frozen(path)?;
        let raw = self.network.hyperpixel(&frozen.layers);
        let deepest = &frozen.layers[frozen.layers.len() - 1];
        let mask = self.foregrounds.of(path, label, deepest, Grid::of(&raw), self.extractor)?;
        let stages = self.network.stages(&self.extractor.layout, &frozen);
        let baselines = if Method::baselines(self.config).is_empty() { None } else { Some(self.baselines(path)?) };
        Ok(Description { raw, stages, mask, baselines })
    }

    fn baselines(&self, path: &Path) -> Result<Baselines> {
        let extractor = self.extractor;
        let grid = extractor.layout.grid(&extractor.backbone);
        let normalisation = extractor.backbone.normalisation();
        let device = extractor.device();
        let colours = input_of(path, grid.width, &normalisation, device)?;
        device.seed(self.config.train.seed);
        let untrained = Network::random_backbone(self.config, device).with_batch_norm(BatchNormMode::Frozen);
        let features = extractor.layout.frozen(&untrained, extractor.input(path)?);
        let untrained = hyperpixel(&features.layers, grid);
        Ok(Baselines { colours: l2_normalise(colours), untrained })
    }

    /// The volume by which a method answers, and the readout for it.
    ///
    /// # Panics
    ///
    /// If the method's stage is not one of the run's, or a baseline is asked for that the run has not.
    pub fn volume(&self, source: &Description, target: &Description, method: Method) -> (CorrVolume, Readout) {
        let Recipe { features, vote: voting, readout } = self.recipe(source, target, method);
        let volume = CorrVolume::cosine(features[0].clone(), features[1].clone());
        let volume = match voting {
            Some(config) => vote(&volume, source.mask.clone(), target.mask.clone(), config),
            None => volume,
        };
        (volume, readout)
    }

    /// Where `points` of the source, `[1, n, 2]` in its cells, lie in the target, in its cells: the readout of
    /// [`Describer::volume`], which is not made where nothing votes it.
    ///
    /// # Panics
    ///
    /// As [`Describer::volume`].
    pub fn answers(&self, source: &Description, target: &Description, points: Tensor<3>, method: Method) -> Answers {
        let Recipe { features, vote: voting, readout } = self.recipe(source, target, method);
        if voting.is_some() {
            let (volume, readout) = self.volume(source, target, method);
            return readout.read(&volume, points);
        }
        DenseMatch::unfiltered(readout).read_at(features[0].clone(), features[1].clone(), points)
    }

    fn recipe<'d>(&'d self, source: &'d Description, target: &'d Description, method: Method) -> Recipe<'d> {
        let student = &self.config.student;
        let baselines = |of: &'d Description| match &of.baselines {
            Some(baselines) => baselines,
            None => panic!("{method:?} is asked of a run whose backbone was not learnt from scratch"),
        };
        let features = |of: &'d Description| match method {
            Method::Rgb => &baselines(of).colours,
            Method::Untrained => &baselines(of).untrained,
            Method::RawHard | Method::Raw | Method::RawVoted | Method::RawSmoothed => &of.raw,
            Method::Stage(stage) | Method::StageVoted(stage) => &of.stages[stage - 1],
        };
        let (vote, readout) = match method {
            Method::RawHard => (None, Readout::Hard),
            Method::RawVoted => (Some(&self.config.vote), student.readout),
            Method::RawSmoothed | Method::StageVoted(_) => (Some(&student.vote), student.voted_readout),
            Method::Rgb | Method::Untrained | Method::Raw | Method::Stage(_) => (None, student.readout),
        };
        Recipe { features: [features(source), features(target)], vote, readout }
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Distribution, TensorData};
    use corr_volume::resize_bilinear;

    use super::*;
    use crate::bench::Untrained;
    use crate::train::small_run::generator;

    #[test]
    fn a_name_is_read_as_it_is_written_and_nothing_else_is() {
        let mut methods = vec![Method::Rgb, Method::Untrained, Method::StageVoted(1), Method::Stage(12)];
        methods.extend(Method::all(3));
        for method in methods {
            assert_eq!(method.name().parse(), Ok(method));
        }
        for text in ["", "stage", "stage-", "stage-0", "stage-+1", "stage-01", "stage-1-vote", "Raw", "raw-smooth"] {
            let message = text.parse::<Method>().unwrap_err();
            assert!(message.contains("raw-smoothed, stage-N and stage-N-voted"), "{message}");
        }
    }

    /// Two images' descriptions with features as smooth as a network's: neighbouring cells look alike.
    fn described(untrained: &Untrained) -> [Description; 2] {
        let (grid, device) = (untrained.grid(), Device::flex());
        device.seed(3);
        let features = || {
            let coarse = Tensor::random([1, 24, 5, 5], Distribution::Normal(0.0, 1.0), &device);
            l2_normalise(resize_bilinear(coarse, grid))
        };
        [(); 2].map(|()| Description {
            raw: features(),
            baselines: Some(Baselines { colours: features(), untrained: features() }),
            stages: (0..untrained.config.student.stages).map(|_| features()).collect(),
            mask: Tensor::ones([1, grid.height, grid.width], &device),
        })
    }

    #[test]
    fn every_method_answers_as_its_volume_is_read() {
        let _generator = generator();
        let mut untrained = Untrained::new().unwrap();
        let [source, target] = described(&untrained);
        let mut methods = vec![Method::Rgb, Method::Untrained, Method::StageVoted(1)];
        methods.extend(Method::all(untrained.config.student.stages));
        let places = [3.0, 4.0, 7.25, 11.5, -2.0, 30.0, 18.9, 0.3];
        let points = || Tensor::<3>::from_data(TensorData::new(places.to_vec(), [1, 4, 2]), &Device::flex());
        let describer = untrained.describer();
        for method in methods {
            let (volume, readout) = describer.volume(&source, &target, method);
            let wanted = readout.read(&volume, points());
            let found = describer.answers(&source, &target, points(), method);
            let numbers = |tensor: TensorData| tensor.try_into_vec::<f32>().unwrap();
            let found = [found.points.into_data(), found.confidence.into_data()].map(numbers).concat();
            let wanted = [wanted.points.into_data(), wanted.confidence.into_data()].map(numbers).concat();
            for (found, wanted) in found.iter().zip(&wanted) {
                assert!((found - wanted).abs() < 1e-3, "{method}: {found}, wanted {wanted}");
            }
        }
    }

    #[test]
    fn raw_features_are_smoothed_exactly_as_a_student_of_the_same_features_is_voted() {
        let _generator = generator();
        let mut untrained = Untrained::new().unwrap();
        let [mut source, mut target] = described(&untrained);
        for described in [&mut source, &mut target] {
            described.stages[0] = described.raw.clone();
        }
        let describer = untrained.describer();
        let [(smoothed, one), (voted, other)] =
            [Method::RawSmoothed, Method::StageVoted(1)].map(|method| describer.volume(&source, &target, method));
        assert_eq!(one, other);
        assert_eq!(smoothed.values().into_data(), voted.values().into_data());
        let (in_full, _) = describer.volume(&source, &target, Method::RawVoted);
        assert_ne!(in_full.values().into_data(), voted.values().into_data());
    }

    #[test]
    fn a_run_has_the_methods_of_its_stages() {
        let config = TrainConfig::default();
        let stages = config.student.stages;
        assert!(Method::best(&config).check(&config).is_ok());
        for missing in [Method::Stage(0), Method::StageVoted(stages + 1), Method::Rgb] {
            let message = missing.check(&config).unwrap_err().to_string();
            assert!(message.contains(&missing.name()) && message.contains("stage-1"), "{message}");
        }
    }
}

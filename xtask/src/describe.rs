//! What a trained run says of an image, and of a pair: the library behind `eval`, `match` and validation.

use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use anyhow::{Result, bail};
use burn::module::Module;
use burn::tensor::Tensor;
use corr_volume::{BackboneName, BatchNormMode, CorrVolume, Grid, Readout, hyperpixel, l2_normalise};
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
    /// The raw affinity, voted.
    RawVoted,
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
        let mut methods = vec![Method::RawHard, Method::Raw, Method::RawVoted];
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
        match self {
            Method::Rgb => "raw-rgb".to_owned(),
            Method::Untrained => "untrained".to_owned(),
            Method::RawHard => "raw-hard".to_owned(),
            Method::Raw => "raw".to_owned(),
            Method::RawVoted => "raw-voted".to_owned(),
            Method::Stage(stage) => format!("stage-{stage}"),
            Method::StageVoted(stage) => format!("stage-{stage}-voted"),
        }
    }
}

impl FromStr for Method {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let named = [Method::Rgb, Method::Untrained, Method::RawHard, Method::Raw, Method::RawVoted];
        let stage = || {
            let number = text.strip_prefix("stage-")?;
            match number.strip_suffix("-voted") {
                Some(number) => number.parse().ok().map(Method::StageVoted),
                None => number.parse().ok().map(Method::Stage),
            }
        };
        let found = named.into_iter().find(|method| method.name() == text).or_else(stage);
        found.filter(|method| method.name() == text).ok_or_else(|| {
            let names = named.map(Method::name).join(", ");
            format!("no method is called {text:?}; there are {names}, stage-N and stage-N-voted, N from 1")
        })
    }
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
        let of = |a: &Tensor<4>, b: &Tensor<4>| CorrVolume::cosine(a.clone(), b.clone());
        let voted =
            |volume: &CorrVolume, config: &VoteConfig| vote(volume, source.mask.clone(), target.mask.clone(), config);
        let student = &self.config.student;
        let readout = self.config.student.readout;
        let baselines = |of: &'_ Description| match of.baselines.clone() {
            Some(baselines) => baselines,
            None => panic!("{method:?} is asked of a run whose backbone was not learnt from scratch"),
        };
        match method {
            Method::Rgb => (of(&baselines(source).colours, &baselines(target).colours), readout),
            Method::Untrained => (of(&baselines(source).untrained, &baselines(target).untrained), readout),
            Method::RawHard => (of(&source.raw, &target.raw), Readout::Hard),
            Method::Raw => (of(&source.raw, &target.raw), readout),
            Method::RawVoted => (voted(&of(&source.raw, &target.raw), &self.config.vote), readout),
            Method::Stage(stage) => (of(&source.stages[stage - 1], &target.stages[stage - 1]), readout),
            Method::StageVoted(stage) => {
                let volume = of(&source.stages[stage - 1], &target.stages[stage - 1]);
                (voted(&volume, &student.vote), student.voted_readout)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_is_known_by_its_name_and_a_run_has_those_of_its_stages() {
        let config = TrainConfig::default();
        let stages = config.student.stages;
        let voted = (1..=stages).map(Method::StageVoted);
        for method in [Method::Rgb, Method::Untrained].into_iter().chain(Method::all(stages)).chain(voted) {
            assert_eq!(method.name().parse(), Ok(method));
        }
        for wrong in ["", "stage", "stage-", "stage-x", "stage-1-", "stage-01", "stage-+1", "Raw", "raw-", "stage--1"] {
            assert!(wrong.parse::<Method>().unwrap_err().contains("stage-N-voted"), "{wrong}");
        }
        assert!(Method::best(&config).check(&config).is_ok());
        for missing in [Method::Stage(0), Method::StageVoted(stages + 1), Method::Rgb] {
            let message = missing.check(&config).unwrap_err().to_string();
            assert!(message.contains(&missing.name()) && message.contains("stage-1"), "{message}");
        }
    }
}

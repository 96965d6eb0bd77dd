//! `cargo xtask pretrain` and `cargo xtask finetune`.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use burn::tensor::Device;
use clap::Args;
use eval::{BenchmarkName, BenchmarkSplit, Bootstrap, MethodScores, ScoreReport};
use serde::{Deserialize, Serialize};
use tracing::info;

use super::features::Features;
use super::labels::read_labels;
use super::learner::Learner;
use super::pairs::{PairCount, TrainingPairs, read_training_pairs};
use super::session::{last, parameters_of, train_in};
use super::settings::{MatcherName, MatcherSettings, Phase};
use crate::benchmark::{Benchmark, BenchmarkArgs};
use crate::contents::pairs_hash;
use crate::device::DeviceChoice;
use crate::logging;
use crate::run_folder::{RunFolder, RunKind};

/// Train a classical matcher on labels: data sets in SC-ImageNet's layout, as `cargo xtask label` makes them.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:
  cargo xtask pretrain --matcher cats --data LABELS --run cats-labels
  cargo xtask pretrain --matcher nc-net --data LABELS --data MORE-LABELS --run nc --set pretrain.trainer.steps=500")]
pub struct PretrainArgs {
    #[command(flatten)]
    common: CommonArgs,
    /// Folders of labels
    #[arg(long, required = true, value_name = "DIR")]
    data: Vec<PathBuf>,
}

/// Train a classical matcher on the key points of a benchmark, and score it on the part that is kept aside.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:
  cargo xtask finetune --matcher cats --init cats-labels --data WILLOW --split train --pairs 100 --run cats-100
  cargo xtask finetune --matcher cats --data SPAIR --split train --score-split test --run cats-spair")]
pub struct FinetuneArgs {
    #[command(flatten)]
    common: CommonArgs,
    /// The run to begin with; none: at random
    #[arg(long, value_name = "RUN")]
    init: Option<String>,
    /// The benchmark's folder
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Which data set it is; default: found from the folder
    #[arg(long, value_name = "NAME")]
    benchmark: Option<BenchmarkName>,
    /// The part to learn from: train (trn), val, test or all
    #[arg(long, default_value = "train")]
    split: BenchmarkSplit,
    /// Learn from so many seeded pairs, or all. 0: score alone
    #[arg(long, value_name = "N", default_value_t = PairCount(None))]
    pairs: PairCount,
    /// The part to score on
    #[arg(long, default_value = "val")]
    score_split: BenchmarkSplit,
    /// Of data sets without a list of pairs: score at most so many pairs a class; 0: all
    #[arg(long, default_value_t = 100)]
    score_pairs: usize,
    /// How to score; default: as is usual for the benchmark
    #[arg(long)]
    protocol: Option<String>,
    /// Thresholds
    #[arg(long, value_delimiter = ',', default_values_t = [0.05, 0.10, 0.15])]
    alpha: Vec<f64>,
    /// Print the scores as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Debug, Args)]
struct CommonArgs {
    /// Which matcher
    #[arg(long, value_enum)]
    matcher: MatcherName,
    /// The run's name or folder
    #[arg(long)]
    run: String,
    /// Settings over the matcher's defaults
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Set one key, as in --set finetune.trainer.steps=500
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// The seed of parameters, order and changes
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Go on with a run that was interrupted
    #[arg(long)]
    resume: bool,
    /// Replace a run of that name; it is removed when the new one has its first checkpoint
    #[arg(long, conflicts_with = "resume")]
    overwrite: bool,
    /// auto, cpu, wgpu, or wgpu:N
    #[arg(long, default_value_t)]
    device: DeviceChoice,
}

/// What a run's folder says of it.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Record {
    matcher: MatcherName,
    init: Option<String>,
    data: Vec<PathBuf>,
    /// A hash of the pairs to choose from and of their images.
    contents: String,
    pairs: usize,
    seed: u64,
    settings: MatcherSettings,
}

impl CommonArgs {
    fn settings(&self) -> Result<MatcherSettings> {
        MatcherSettings::load(self.matcher, self.config.as_deref(), &self.set)
    }

    /// The run's folder: one to go on with, or one that is to be made.
    fn folder(&self, kind: RunKind, phase: &Phase) -> Result<RunFolder> {
        if !self.matcher.learns() {
            bail!("{} has nothing to learn; choose nc-net, dhpf or cats", self.matcher.name());
        }
        if phase.trainer.steps == 0 {
            bail!(
                "`{}.trainer.steps` is 0: nothing would be learned; to score alone give finetune --pairs 0",
                kind.command()
            );
        }
        if self.resume
            && let Some(run) = RunFolder::resume(&self.run, kind)?.filter(|run| last(run).exists())
        {
            return Ok(run);
        }
        RunFolder::claim(&self.run, kind, self.overwrite)
    }

    /// Trains in a run's folder; one to go on with must have the same record.
    fn train(
        &self,
        run: &RunFolder,
        record: &Record,
        learner: Learner,
        phase: &Phase,
        data: (&TrainingPairs, &Features),
        device: &Device,
    ) -> Result<Learner> {
        if let Some(path) = record.data.iter().find(|path| path.to_str().is_none()) {
            bail!("{} is not valid UTF-8, and the run's config.toml has to name it; rename it", path.display());
        }
        let text = toml::to_string_pretty(record).context("the settings do not serialise")?;
        if run.is_there() {
            let there = std::fs::read_to_string(run.config()).context("cannot read the run's config.toml")?;
            if there != text {
                bail!(
                    "the run {} was begun with other settings or data; give the same ones, or choose another --run",
                    run.root().display()
                );
            }
        }
        info!("{} on {} pairs, seed {}", self.matcher.name(), data.0.len(), self.seed);
        train_in(run, &text, learner, phase, data, device).inspect_err(|_| run.give_up())
    }
}

impl PretrainArgs {
    /// Runs the command.
    ///
    /// # Errors
    ///
    /// Labels that cannot be read, a run that is there already, a loss that is no number.
    pub fn run(&self) -> Result<()> {
        logging::start(None)?;
        let (common, settings) = (&self.common, self.common.settings()?);
        let run = common.folder(RunKind::Pretrain, &settings.pretrain)?;
        let device = common.device.open()?;
        let pairs = settings.labels.of(&read_labels(&self.data)?)?;
        let contents = pairs_hash(&pairs)?;
        let features = Features::open(common.matcher, &settings, &device)?;
        let learner = Learner::new(common.matcher, &settings, &features.channels(), common.seed, &device)?;
        let pairs = TrainingPairs::new(pairs, None, (settings.augment, settings.views), common.seed)?;
        let record = Record {
            matcher: common.matcher,
            init: None,
            data: self.data.clone(),
            contents,
            pairs: pairs.len(),
            seed: common.seed,
            settings: settings.clone(),
        };
        common.train(&run, &record, learner, &settings.pretrain, (&pairs, &features), &device).map(drop)
    }
}

impl FinetuneArgs {
    /// Runs the command.
    ///
    /// # Errors
    ///
    /// A benchmark or a run that cannot be read, a run that is there already, a loss that is no number.
    pub fn run(&self) -> Result<()> {
        logging::start(None)?;
        let (common, settings) = (&self.common, self.common.settings()?);
        RunFolder::check_name(&common.run)?;
        if let Some(init) = &self.init {
            RunFolder::open(init)?.of_kind(&[RunKind::Pretrain, RunKind::Finetune])?;
        }
        // Nothing is written of what only scores.
        let learns = common.matcher.learns() && self.pairs.0 != Some(0);
        let run = learns.then(|| common.folder(RunKind::Finetune, &settings.finetune)).transpose()?;
        let device = common.device.open()?;
        let pairs = match self.pairs.0 {
            Some(0) => None,
            _ => Some(read_training_pairs(&self.data, self.benchmark, self.split)?),
        };
        let scored = self.scored()?;
        let features = Features::open(common.matcher, &settings, &device)?;
        let mut learner = Learner::new(common.matcher, &settings, &features.channels(), common.seed, &device)?;
        if let Some(init) = &self.init {
            learner = parameters_of(init, learner)?;
        }
        if let Some(((pairs, benchmark), run)) = pairs.zip(run) {
            let augment = (settings.augment, settings.views);
            let contents = pairs_hash(&pairs)?;
            let pairs = TrainingPairs::new(pairs, self.pairs.0, augment, common.seed)?.of_benchmark(benchmark);
            let record = Record {
                matcher: common.matcher,
                init: self.init.clone(),
                data: vec![self.data.clone()],
                contents,
                pairs: pairs.len(),
                seed: common.seed,
                settings: settings.clone(),
            };
            learner = common.train(&run, &record, learner, &settings.finetune, (&pairs, &features), &device)?;
        }
        let Benchmark { pairs, protocol, counts, .. } = scored;
        let scores = pairs.iter().map(|pair| features.score(&learner, pair, &protocol)).collect::<Result<_>>()?;
        let method = match &self.init {
            Some(init) => format!("{} from {init}", common.matcher.name()),
            None => common.matcher.name().to_owned(),
        };
        let methods = [MethodScores { method, pairs: scores }];
        let mut report = ScoreReport::new(&self.data.display().to_string(), &protocol, &methods, Bootstrap::default());
        report.counts = counts;
        if self.json {
            println!("{}", serde_json::to_string(&report)?);
        } else {
            println!("{}", report.table(false));
        }
        Ok(())
    }

    fn scored(&self) -> Result<Benchmark> {
        let benchmark = BenchmarkArgs {
            data: Some(self.data.clone()),
            benchmark: self.benchmark.into_iter().collect(),
            split: Some(self.score_split),
            spair: crate::benchmark::SpairLists::default(),
            leak_free: false,
            pairs: self.score_pairs,
            annotated_in: None,
            limit: None,
            pair_seed: 0,
            protocol: self.protocol.clone(),
            alpha: self.alpha.clone(),
        };
        let name = benchmark.names(&self.data)?[0];
        benchmark.read(name, &self.data)
    }
}

//! The cells of an experiment, worked on side by side.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::{Context, Result, anyhow};
use burn::tensor::Device;
use eval::{BenchmarkName, KeyPointPair, PairScore, PairSelection, Protocol, ReadOptions, read_pairs};
use serde::{Deserialize, Serialize};
use tracing::info;

use super::plan::{Cell, Plan, sees_no_label};
use crate::atomic;
use crate::benchmark::warn_of;
use crate::checkpoint::{Checkpoint, RunState};
use crate::contents::pairs_hash;
use crate::matchers::{
    Features, Learner, LearnerState, MatcherName, Phase, TrainingPairs, load_state, read_labels, read_training_pairs,
    save_state,
};
use crate::progress::ToldSteps;
use crate::short_hash::short_hash;

/// What a cell's file holds.
#[derive(Debug, Serialize, Deserialize)]
pub struct Outcome {
    /// What it depends on, as far as the plan says.
    pub identity: String,
    /// What it depends on besides: a hash of the contents of its data and of the parameters that features come from.
    #[serde(default)]
    pub data: String,
    /// The cell.
    pub cell: Cell,
    /// How it was scored.
    pub protocol: String,
    /// Its thresholds.
    pub alphas: Vec<f64>,
    /// Steps on labels, and on key points.
    #[serde(default)]
    pub steps: [usize; 2],
    /// The scores of the pairs, in the benchmark's order.
    pub scores: Vec<PairScore>,
    /// How long it took.
    pub seconds: f64,
}

/// What all cells share.
struct Shared<'a> {
    plan: &'a Plan,
    out: &'a Path,
    device: &'a Device,
    features: BTreeMap<MatcherName, Features>,
    key_points: (Vec<KeyPointPair>, BenchmarkName),
    scored: Vec<KeyPointPair>,
    protocol: Protocol,
    labels: BTreeMap<String, Vec<KeyPointPair>>,
    /// Hashes of the pairs and images to learn from and to score on, and of each beginning's labels.
    contents: [String; 2],
    label_contents: BTreeMap<String, String>,
}

/// Works on all cells that are not there, `jobs` at a time.
///
/// # Errors
///
/// The first error of a cell, once those in work are done; what is finished stays.
pub fn run(plan: &Plan, out: &Path, jobs: usize, device: &Device) -> Result<()> {
    for folder in [out.join("cells"), out.join("starts"), out.join("unfinished")] {
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    }
    let shared = Shared::open(plan, out, device)?;
    let mut open: Vec<Vec<Cell>> = Vec::new();
    for cell in plan.cells()? {
        if let Some(outcome) = read(plan, out, &cell)? {
            shared.check(&cell, &outcome)?;
            continue;
        }
        // Cells of one beginning share its training on labels, and follow each other.
        match open.last_mut().filter(|group| same_start(&group[0], &cell)) {
            Some(group) => group.push(cell),
            None => open.push(vec![cell]),
        }
    }
    let total: usize = open.iter().map(Vec::len).sum();
    if total == 0 {
        info!("every cell is there");
        return Ok(());
    }
    info!(
        "{total} cells; {} pairs with key points to learn from, {} to score on",
        shared.key_points.0.len(),
        shared.scored.len()
    );
    let (next, done, failed) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicBool::new(false));
    let (began, errors) = (Instant::now(), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..jobs.min(open.len()) {
            scope.spawn(|| {
                while let Some(group) = open.get(next.fetch_add(1, Ordering::Relaxed)) {
                    for cell in group {
                        if failed.load(Ordering::Relaxed) {
                            return;
                        }
                        match shared.work(cell) {
                            Ok(outcome) => {
                                let done = done.fetch_add(1, Ordering::Relaxed) + 1;
                                let left = began.elapsed().as_secs_f64() / done as f64 * (total - done) as f64;
                                info!("{done}/{total} {}, about {left:.0} s left", shared.told(cell, &outcome));
                            }
                            Err(error) => {
                                failed.store(true, Ordering::Relaxed);
                                let error = error.context(format!("the cell {}", cell.file()));
                                errors.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(error);
                            }
                        }
                    }
                }
            });
        }
    });
    errors.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner).into_iter().next().map_or(Ok(()), Err)
}

/// Whether one training on labels serves both.
fn same_start(a: &Cell, b: &Cell) -> bool {
    (a.matcher, &a.init, a.seed) == (b.matcher, &b.init, b.seed) && !a.sees_no_label()
}

/// The matcher whose training ended in a file; `None` where none has.
fn finished(path: &Path, steps: usize, learner: &Learner) -> Result<Option<Learner>> {
    if !path.exists() {
        return Ok(None);
    }
    let there = Checkpoint::load_to_use(path)?;
    (there.state.step >= steps).then(|| learner.clone().with_parameters(&there.network)).transpose()
}

fn path_of(out: &Path, cell: &Cell) -> PathBuf {
    out.join("cells").join(cell.file())
}

/// A cell's outcome; `None` where it is not there yet.
///
/// # Errors
///
/// A file that is damaged, or was made by another plan.
pub fn read(plan: &Plan, out: &Path, cell: &Cell) -> Result<Option<Outcome>> {
    let path = path_of(out, cell);
    if !path.exists() {
        return Ok(None);
    }
    let bytes = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let outcome: Outcome = serde_json::from_slice(&bytes)
        .with_context(|| format!("{} is damaged; remove it, and the cell is worked on again", path.display()))?;
    if outcome.identity != plan.identity(cell)? {
        return Err(made_otherwise(&path));
    }
    Ok(Some(outcome))
}

fn made_otherwise(path: &Path) -> anyhow::Error {
    anyhow!("{} was made with other settings or data; choose another --out, or remove the file", path.display())
}

impl<'a> Shared<'a> {
    fn open(plan: &'a Plan, out: &'a Path, device: &'a Device) -> Result<Self> {
        let [train, score] = plan.splits()?;
        let data = &plan.benchmark.data;
        let name = plan.benchmark_name()?;
        let key_points = read_training_pairs(data, name, train)?;
        let name = key_points.1;
        let per_class = (plan.benchmark.score_pairs > 0).then_some(plan.benchmark.score_pairs);
        let pair_selection = PairSelection { per_class, seed: 0 };
        let read =
            read_pairs(name, data, &ReadOptions { split: Some(score), pair_selection, ..ReadOptions::default() })?;
        warn_of(name, &read.counts);
        let protocol = read.default_protocol.with_keys(&plan.benchmark.protocol)?.with_alphas(&plan.benchmark.alphas);
        let mut features = BTreeMap::new();
        for &matcher in &plan.matchers {
            let settings = plan.settings_of(matcher, "none")?;
            features.insert(matcher, Features::open(matcher, &settings, device)?);
        }
        let mut labels = BTreeMap::new();
        for init in plan.inits.iter().filter(|init| !sees_no_label(init)) {
            labels.insert(init.clone(), read_labels(&plan.folders_of(init)?)?);
        }
        let contents = [pairs_hash(&key_points.0)?, pairs_hash(&read.pairs)?];
        let hashes = labels.iter().map(|(init, pairs)| Ok((init.clone(), pairs_hash(pairs)?)));
        let label_contents = hashes.collect::<Result<_>>()?;
        let scored = read.pairs;
        Ok(Self { plan, out, device, features, key_points, scored, protocol, labels, contents, label_contents })
    }

    /// A hash of what a cell's answer comes from and the plan does not say: contents, and parameters of the backbone.
    fn data_of(&self, cell: &Cell) -> String {
        let [learnt, scored] = &self.contents;
        let learnt = (cell.pairs != Some(0)).then_some(learnt);
        let labels = self.label_contents.get(&cell.init);
        let all = (self.features[&cell.matcher].identity(), scored, learnt, labels);
        short_hash(format!("{all:?}").as_bytes())
    }

    /// Whether a finished cell is of the data that are there.
    fn check(&self, cell: &Cell, outcome: &Outcome) -> Result<()> {
        if outcome.data != self.data_of(cell) {
            return Err(made_otherwise(&path_of(self.out, cell))
                .context("its images, key points, labels or weights are others now"));
        }
        Ok(())
    }

    fn work(&self, cell: &Cell) -> Result<Outcome> {
        let began = Instant::now();
        let features = &self.features[&cell.matcher];
        let identity = self.plan.identity(cell)?;
        let (mut learner, on_labels) = self.start(cell)?;
        let mut steps = [on_labels, 0];
        let data = self.data_of(cell);
        let unfinished = self.out.join("unfinished").join(format!("{}.{identity}.{data}.ckpt", cell.file()));
        if cell.pairs != Some(0) {
            let settings = self.plan.settings_of(cell.matcher, &cell.init)?;
            let augment = (settings.augment, settings.views);
            let (pairs, benchmark) = self.key_points.clone();
            let pairs = TrainingPairs::new(pairs, cell.pairs, augment, cell.seed)?.of_benchmark(benchmark);
            let phase = self.plan.finetune(cell, pairs.len())?;
            let what = format!("{} from {}, {} pairs", cell.matcher.name(), cell.init, cell.pairs_name());
            learner = self.train(learner, &phase, (&pairs, features), (&unfinished, what), cell.seed)?;
            steps[1] = phase.trainer.steps;
        }
        let score = |pair| features.score(&learner, pair, &self.protocol);
        let outcome = Outcome {
            identity,
            data,
            cell: cell.clone(),
            protocol: self.protocol.to_string(),
            alphas: self.protocol.alphas.clone(),
            steps,
            scores: self.scored.iter().map(score).collect::<Result<_>>()?,
            seconds: began.elapsed().as_secs_f64(),
        };
        atomic::write(&path_of(self.out, cell), &serde_json::to_vec(&outcome)?)?;
        if unfinished.exists() {
            std::fs::remove_file(&unfinished).with_context(|| format!("cannot remove {}", unfinished.display()))?;
        }
        Ok(outcome)
    }

    /// The matcher that a cell begins with, and its steps on labels: at random, or trained on labels, which is done once.
    fn start(&self, cell: &Cell) -> Result<(Learner, usize)> {
        let settings = self.plan.settings_of(cell.matcher, &cell.init)?;
        let features = &self.features[&cell.matcher];
        let learner = Learner::new(cell.matcher, &settings, &features.channels(), cell.seed, self.device)?;
        if cell.sees_no_label() {
            return Ok((learner, 0));
        }
        let contents = (features.identity(), self.label_contents.get(&cell.init));
        let identity = short_hash(format!("{} {contents:?}", self.plan.start_identity(cell)?).as_bytes());
        let name = format!("{}_{}_{}_{identity}.ckpt", cell.matcher.name(), cell.init, cell.seed);
        let path = self.out.join("starts").join(name);
        let steps = settings.pretrain.trainer.steps;
        if let Some(finished) = finished(&path, steps, &learner)? {
            return Ok((finished, steps));
        }
        let augment = (settings.augment, settings.views);
        let pairs = TrainingPairs::new(settings.labels.of(&self.labels[&cell.init])?, None, augment, cell.seed)?;
        let what = format!("{} on {} ({} pairs)", cell.matcher.name(), cell.init, pairs.len());
        let learner = self.train(learner, &settings.pretrain, (&pairs, features), (&path, what), cell.seed)?;
        Ok((learner, steps))
    }

    /// Trains, from the last checkpoint in a file on where one was killed. What is finished there is only used.
    fn train(
        &self,
        learner: Learner,
        phase: &Phase,
        data: (&TrainingPairs, &Features),
        (path, what): (&Path, String),
        seed: u64,
    ) -> Result<Learner> {
        let steps = phase.trainer.steps;
        if let Some(finished) = finished(path, steps, &learner)? {
            return Ok(finished);
        }
        let before = path.exists().then(|| load_state(path)).transpose()?;
        let done = before.as_ref().map_or(0, |state| state.step);
        if done > 0 {
            info!("{what}, seed {seed}: resumed at step {done}");
        }
        let mut progress = ToldSteps::new(steps, done);
        let told = |step, loss, state: Option<LearnerState>| {
            progress.at(step, &format!("{what}, seed {seed}, loss {loss:.3}"));
            match state {
                // A finished one is only used.
                Some(state) if step == steps => {
                    let run = RunState { step, parameters: state.digest, ..RunState::default() };
                    Checkpoint { state: run, network: state.trainer.matcher, optimizers: Vec::new() }.save(path)
                }
                Some(state) => save_state(path, state),
                None => Ok(()),
            }
        };
        let learner = learner.train(phase, data, before.as_ref(), told, self.device)?;
        info!("{what}, seed {seed}: {:.0} s", progress.seconds());
        Ok(learner)
    }

    fn told(&self, cell: &Cell, outcome: &Outcome) -> String {
        let bootstrap = eval::Bootstrap { resamples: 0, seed: 0 };
        let averages = eval::average(&outcome.scores, self.protocol.average, bootstrap);
        let averages: Vec<String> = averages.iter().map(|pck| format!("{:.1}", 100.0 * pck.value)).collect();
        format!(
            "{} from {} with {} pairs, seed {}: {} ({:.0} s)",
            cell.matcher.name(),
            cell.begins_with(),
            cell.pairs_name(),
            cell.seed,
            averages.join(" / "),
            outcome.seconds
        )
    }
}

//! Scoring a network on key points: every method side by side. Key points are read here and nowhere else.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use burn::tensor::{Tensor, TensorData};
use corr_volume::{Frame, Grid};
use eval::{
    Bootstrap, CacheKey, Direction, KeyPointPair, MethodScores, Prediction, PredictionCache, Protocol, ScoreReport,
    identity, score_pair,
};

use crate::benchmark::Benchmark;
use crate::describe::{Describer, Description, Method};
use crate::progress;
use crate::question::{Question, questions};

/// The name of the baseline that does not look.
pub const IDENTITY: &str = "identity";

/// Predictions of every method for every pair, in original pixels of the image predicted in. With a cache the network is
/// asked only about pictures and points that it was not asked about before.
///
/// # Errors
///
/// Images that cannot be decoded, a cache that cannot be written.
pub fn predict(
    describer: &mut Describer,
    pairs: &[KeyPointPair],
    direction: Direction,
    methods: &[Method],
    mut cache: Option<&mut PredictionCache>,
) -> Result<BTreeMap<String, Vec<Prediction>>> {
    let mut by_method: BTreeMap<String, Vec<Prediction>> = BTreeMap::new();
    let mut described: BTreeMap<PathBuf, Description> = BTreeMap::new();
    let mut class = String::new();
    let questions = questions(pairs, direction, cache.is_some())?;
    let known = |question: &Question| methods.iter().all(|&method| question.known(cache.as_deref(), method).is_some());
    let images: BTreeSet<&Path> = questions
        .iter()
        .filter(|question| !known(question))
        .flat_map(|question| [question.asked.path.as_path(), question.predicted.path.as_path()])
        .collect();
    describer.prepare(images.iter().copied())?;
    let bar = progress::count(pairs.len(), "matching pairs");
    for (pair, question) in pairs.iter().zip(&questions) {
        if pair.class != class {
            // One class at a time is in memory.
            described.clear();
            class.clone_from(&pair.class);
        }
        by_method.entry(IDENTITY.to_owned()).or_default().push(Prediction {
            pair: pair.id.clone(),
            method: IDENTITY.to_owned(),
            points: identity(&question.asked.points, question.asked.size, question.predicted.size),
            confidence: None,
            unshared_confidence: None,
        });
        for &method in methods {
            let made = match question.known(cache.as_deref(), method) {
                Some(known) => known,
                None => {
                    for path in [&question.asked.path, &question.predicted.path] {
                        if !described.contains_key(path) {
                            described.insert(path.clone(), describer.describe(path, None)?);
                        }
                    }
                    let made = question.answer(describer, &described, cache.as_deref(), method)?;
                    if let Some(cache) = &mut cache {
                        cache.insert(question.to_keep(made.clone()))?;
                    }
                    made
                }
            };
            by_method.entry(method.name()).or_default().push(made);
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(by_method)
}

/// Scores predictions under a protocol, the methods in the given order.
///
/// # Errors
///
/// Predictions that do not fit the pairs.
pub fn score(
    benchmark: &str,
    pairs: &[KeyPointPair],
    predictions: &BTreeMap<String, Vec<Prediction>>,
    methods: &[String],
    protocol: &Protocol,
) -> Result<(ScoreReport, Vec<MethodScores>)> {
    let mut scores = Vec::new();
    for name in methods {
        let Some(made) = predictions.get(name) else { continue };
        let mut of_pairs = Vec::new();
        for (pair, made) in pairs.iter().zip(made) {
            of_pairs.push(score_pair(pair, &made.points, protocol)?);
        }
        scores.push(MethodScores { method: name.clone(), pairs: of_pairs });
    }
    Ok((ScoreReport::new(benchmark, protocol, &scores, Bootstrap::default()), scores))
}

/// What methods predicted for a benchmark, scored.
pub struct Scored<'a> {
    /// The pairs and the protocol.
    pub benchmark: &'a Benchmark,
    /// The table.
    pub report: ScoreReport,
    /// What each method scored.
    pub scores: Vec<MethodScores>,
    /// What each method predicted, pair by pair, in the order of `scores`.
    pub predictions: Vec<&'a [Prediction]>,
}

impl<'a> Scored<'a> {
    /// Scores what the methods of these names predicted.
    ///
    /// # Errors
    ///
    /// Predictions that do not fit the pairs.
    pub fn new(
        benchmark: &'a Benchmark,
        predictions: &'a BTreeMap<String, Vec<Prediction>>,
        names: &[String],
    ) -> Result<Self> {
        let Benchmark { name, pairs, protocol, protocol_text, .. } = benchmark;
        let (mut report, scores) = score(name, pairs, predictions, names, protocol)?;
        report.protocol.clone_from(protocol_text);
        report.counts.clone_from(&benchmark.counts);
        let predictions = scores.iter().map(|method| predictions[&method.method].as_slice()).collect();
        Ok(Self { benchmark, report, scores, predictions })
    }
}

/// The names of the identity and of some methods, in the order of tables.
pub fn names(methods: &[Method]) -> Vec<String> {
    std::iter::once(IDENTITY.to_owned()).chain(methods.iter().map(|method| method.name())).collect()
}

/// Opens the predictions' cache of a benchmark.
///
/// # Errors
///
/// A cache of other weights, another configuration or other data.
pub fn open_cache(path: &Path, key: &CacheKey) -> Result<PredictionCache> {
    PredictionCache::open(path, key).with_context(|| format!("cannot use the predictions in {}", path.display()))
}

/// Where points of the source (original pixels) lie in the target (original pixels), and how sure that is.
///
/// # Errors
///
/// Never on a device that works.
pub fn match_points(
    describer: &Describer,
    (source, source_size): (&Description, (u32, u32)),
    (target, target_size): (&Description, (u32, u32)),
    points: &[[f32; 2]],
    method: Method,
) -> Result<(Vec<[f32; 2]>, Vec<f32>)> {
    let input = describer.extractor.layout.input as u32;
    let frame = |size: (u32, u32)| Frame::stretched(size, (input, input));
    let grids = [source, target].map(|description| Grid::of(&description.raw));
    let cells: Vec<f32> = points.iter().flat_map(|&point| frame(source_size).to_cells(grids[0], point)).collect();
    let cells = Tensor::from_data(TensorData::new(cells, [1, points.len(), 2]), &source.raw.device());
    let answers = describer.answers(source, target, cells, method);
    let read = |data: TensorData| {
        data.try_into_vec::<f32>().map_err(|error| anyhow::anyhow!("the device answered with no f32: {error:?}"))
    };
    let found = read(answers.points.into_data())?;
    let found = found.as_chunks::<2>().0.iter().map(|&cell| frame(target_size).from_cells(grids[1], cell)).collect();
    Ok((found, read(answers.confidence.into_data())?))
}

//! Scoring a network on key points: every method side by side. Key points are read here and nowhere else.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use burn::tensor::{Tensor, TensorData};
use corr_volume::{Frame, Grid};
use eval::{
    Bootstrap, CacheKey, KeyPointPair, MethodScores, Prediction, PredictionCache, Protocol, ScoreReport, identity,
    score_pair,
};

use crate::describe::{Describer, Description, Method};
use crate::progress;

/// The name of the baseline that does not look.
pub const IDENTITY: &str = "identity";

/// Predictions of every method for every pair, in original pixels of the target.
///
/// # Errors
///
/// Images that cannot be decoded, a cache that cannot be written.
pub fn predict(
    describer: &mut Describer,
    pairs: &[KeyPointPair],
    methods: &[Method],
    mut cache: Option<&mut PredictionCache>,
) -> Result<BTreeMap<String, Vec<Prediction>>> {
    let mut by_method: BTreeMap<String, Vec<Prediction>> = BTreeMap::new();
    let mut described: BTreeMap<PathBuf, Description> = BTreeMap::new();
    let mut class = String::new();
    let bar = progress::count(pairs.len(), "matching pairs");
    for pair in pairs {
        if pair.class != class {
            // One class at a time is in memory.
            described.clear();
            class.clone_from(&pair.class);
        }
        let points = identity(&pair.source.points, pair.source.size, pair.target.size);
        by_method.entry(IDENTITY.to_owned()).or_default().push(prediction(pair, IDENTITY, points, None));
        for &method in methods {
            let name = method.name();
            let known = cache.as_ref().and_then(|cache| cache.get(&name, &pair.id)).cloned();
            let made = match known {
                Some(known) => known,
                None => {
                    for path in [&pair.source.path, &pair.target.path] {
                        if !described.contains_key(path) {
                            described.insert(path.clone(), describer.describe(path, None)?);
                        }
                    }
                    let made = answer(describer, &described, pair, method)?;
                    if let Some(cache) = &mut cache {
                        cache.insert(made.clone())?;
                    }
                    made
                }
            };
            by_method.entry(name).or_default().push(made);
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
    methods: &[Method],
    protocol: &Protocol,
) -> Result<(ScoreReport, Vec<MethodScores>)> {
    let mut scores = Vec::new();
    for name in std::iter::once(IDENTITY.to_owned()).chain(methods.iter().map(|method| method.name())) {
        let Some(made) = predictions.get(&name) else { continue };
        let mut of_pairs = Vec::new();
        for (pair, made) in pairs.iter().zip(made) {
            of_pairs.push(score_pair(pair, &made.points, protocol)?);
        }
        scores.push(MethodScores { method: name, pairs: of_pairs });
    }
    Ok((ScoreReport::new(benchmark, protocol, &scores, Bootstrap::default()), scores))
}

/// Opens the predictions' cache of a benchmark.
///
/// # Errors
///
/// A cache of other weights, another configuration or other data.
pub fn open_cache(path: &Path, key: &CacheKey) -> Result<PredictionCache> {
    PredictionCache::open(path, key).with_context(|| format!("cannot use the predictions in {}", path.display()))
}

fn answer(
    describer: &Describer,
    described: &BTreeMap<PathBuf, Description>,
    pair: &KeyPointPair,
    method: Method,
) -> Result<Prediction> {
    let of = |path: &PathBuf| described.get(path).with_context(|| format!("{} is not described", path.display()));
    let (source, target) = (of(&pair.source.path)?, of(&pair.target.path)?);
    let (points, confidence) =
        match_points(describer, (source, pair.source.size), (target, pair.target.size), &pair.source.points, method)?;
    Ok(prediction(pair, &method.name(), points, Some(confidence)))
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
    let (volume, readout) = describer.volume(source, target, method);
    let input = describer.extractor.layout.input as u32;
    let frame = |size: (u32, u32)| Frame::stretched(size, (input, input));
    let grid: Grid = volume.source();
    let cells: Vec<f32> = points.iter().flat_map(|&point| frame(source_size).to_cells(grid, point)).collect();
    let data = TensorData::new(cells, [1, points.len(), 2]);
    let answers = readout.read(&volume, Tensor::from_data(data, &volume.values().device()));
    let read = |data: TensorData| {
        data.try_into_vec::<f32>().map_err(|error| anyhow::anyhow!("the device answered with no f32: {error:?}"))
    };
    let found = read(answers.points.into_data())?;
    let found =
        found.as_chunks::<2>().0.iter().map(|&cell| frame(target_size).from_cells(volume.target(), cell)).collect();
    Ok((found, read(answers.confidence.into_data())?))
}

fn prediction(pair: &KeyPointPair, method: &str, points: Vec<[f32; 2]>, confidence: Option<Vec<f32>>) -> Prediction {
    Prediction { pair: pair.id.clone(), method: method.to_owned(), points, confidence }
}

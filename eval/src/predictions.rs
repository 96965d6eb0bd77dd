//! Predicted points on disk, so that networks run once however often, and under however many protocols, they are scored.
//!
//! A file of predictions is JSON lines: a header with the key of what was predicted with, then one [`CachedPrediction`] a
//! line, each appended and handed to the system as soon as it is made. Whatever ends an evaluation, the next one goes on
//! after the last whole line. A file under another key is refused: it holds the answers of other weights.
//!
//! What is asked is no part of that key but of each line: which images, by their content, and which points. So a picture
//! that was changed is predicted anew, a point that was moved is asked anew, and everything else stays.

use std::collections::{BTreeMap, HashMap};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// What all predictions of a file depend on, by name: the hash of the weights, of the configuration, the direction asked.
/// What each of them depends on besides stands in its [`CachedPrediction`].
pub type CacheKey = BTreeMap<String, String>;

/// The points that one method predicts for one pair.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Prediction {
    /// The [pair's id](crate::KeyPointPair::id).
    pub pair: String,
    /// The method's name in reports.
    pub method: String,
    /// One `[x, y]` for each point asked, in pixels of the original image predicted in. `null` in the file stands for a
    /// coordinate that is no finite number, and is read as NaN.
    #[serde(with = "finite_or_null")]
    pub points: Vec<[f32; 2]>,
    /// The method's confidence in each point, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<Vec<f32>>,
    /// The method's confidence in each [`unshared`](crate::PairImage::unshared) point of the image asked in, if it was
    /// asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unshared_confidence: Option<Vec<f32>>,
}

/// A prediction, and the question that it answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CachedPrediction {
    /// The answers.
    #[serde(flatten)]
    pub prediction: Prediction,
    /// What both images are: a hash of their contents and sizes.
    pub images: String,
    /// The points asked, in pixels of the original image asked in; as many as the prediction has.
    pub asked: Vec<[f32; 2]>,
    /// The [`unshared`](crate::PairImage::unshared) points asked; as many as the prediction has confidences of such.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub asked_unshared: Vec<[f32; 2]>,
}

impl CachedPrediction {
    /// The answer to this point, and how sure it is, if it was asked.
    pub fn answer(&self, point: [f32; 2]) -> Option<([f32; 2], Option<f32>)> {
        let place = self.asked.iter().position(|asked| *asked == point)?;
        let confidence = self.prediction.confidence.as_ref().map(|confidence| confidence[place]);
        Some((self.prediction.points[place], confidence))
    }

    /// How sure the answer to this unshared point is, if it was asked.
    pub fn unshared_answer(&self, point: [f32; 2]) -> Option<f32> {
        let place = self.asked_unshared.iter().position(|asked| *asked == point)?;
        self.prediction.unshared_confidence.as_ref().map(|confidence| confidence[place])
    }

    /// What does not fit: a number of answers that is not that of the questions.
    fn misfit(&self) -> Option<&'static str> {
        let Prediction { points, confidence, unshared_confidence, .. } = &self.prediction;
        if points.len() != self.asked.len() {
            return Some("not one answer a point asked");
        }
        if confidence.as_ref().is_some_and(|confidence| confidence.len() != points.len()) {
            return Some("not one confidence a point");
        }
        if unshared_confidence.as_ref().map_or(0, Vec::len) != self.asked_unshared.len() {
            return Some("not one confidence an unshared point asked");
        }
        None
    }
}

/// The first line of the file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    predictions: u32,
    key: CacheKey,
}

const FORMAT: u32 = 2;

/// Why a file of predictions cannot be used.
#[derive(Debug, Error)]
pub enum PredictionsError {
    /// The operating system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another process is writing the file.
    #[error("{}: another evaluation is writing this file; wait for it, or choose another", .0.display())]
    InUse(PathBuf),
    /// The predictions were made with something else.
    #[error("{}: these predictions were made with another {reason}; delete the file to predict anew", path.display())]
    OtherKey {
        /// The file.
        path: PathBuf,
        /// Which parts of the key differ, and how.
        reason: String,
    },
    /// A whole line that is no prediction.
    #[error("{}, line {line}: {reason}; delete the file to predict anew", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
}

/// Predictions by method, then by pair, then by the images that they are of.
type Found = HashMap<String, HashMap<String, HashMap<String, CachedPrediction>>>;

/// A file of predictions that is read once and appended to.
#[derive(Debug)]
pub struct PredictionCache {
    path: PathBuf,
    file: File,
    found: Found,
}

impl PredictionCache {
    /// Opens the file, or makes it, and reads what is there. A last line without its line end, as a killed evaluation
    /// leaves, is cut off.
    ///
    /// # Errors
    ///
    /// [`PredictionsError`]: the file is under another key, is damaged, is being written by another process, or the system
    /// refuses. The file is then left as it was.
    pub fn open(path: &Path, key: &CacheKey) -> Result<Self, PredictionsError> {
        let io = |source| PredictionsError::Io { path: path.to_owned(), source };
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).map_err(io)?;
        if let Err(TryLockError::WouldBlock) = file.try_lock() {
            return Err(PredictionsError::InUse(path.to_owned()));
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(io)?;
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let mut found = Found::new();
        for prediction in read_lines(path, &bytes[..whole], key) {
            put(&mut found, prediction?);
        }
        drop(bytes);
        file.set_len(whole as u64).map_err(io)?;
        file.seek(SeekFrom::End(0)).map_err(io)?;
        let mut cache = Self { path: path.to_owned(), file, found };
        if whole == 0 {
            cache.append(&Header { predictions: FORMAT, key: key.clone() })?;
        }
        Ok(cache)
    }

    /// The prediction of a method for a pair of these images, if it is there; it may be of other points than those that are
    /// asked now.
    pub fn get(&self, method: &str, pair: &str, images: &str) -> Option<&CachedPrediction> {
        self.found.get(method)?.get(pair)?.get(images)
    }

    /// Appends a prediction; it is with the operating system when this returns. Of two for one method, pair and images the
    /// later one counts.
    ///
    /// # Errors
    ///
    /// [`PredictionsError::Io`] where the file cannot be written.
    ///
    /// # Panics
    ///
    /// If there is not one answer a point asked, or there are confidences, and not one a point.
    pub fn insert(&mut self, cached: CachedPrediction) -> Result<(), PredictionsError> {
        if let Some(misfit) = cached.misfit() {
            panic!("{}: {misfit}: {cached:?}", cached.prediction.pair);
        }
        self.append(&cached)?;
        put(&mut self.found, cached);
        Ok(())
    }

    /// How many predictions there are.
    pub fn len(&self) -> usize {
        self.found.values().flat_map(HashMap::values).map(HashMap::len).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn append(&mut self, line: &impl Serialize) -> Result<(), PredictionsError> {
        let io = |source| PredictionsError::Io { path: self.path.clone(), source };
        let mut line = serde_json::to_vec(line).map_err(|error| io(error.into()))?;
        line.push(b'\n');
        self.file.write_all(&line).map_err(io)
    }
}

/// Adds a prediction in place of an earlier one for its method, pair and images.
fn put(found: &mut Found, cached: CachedPrediction) {
    let Prediction { method, pair, .. } = &cached.prediction;
    if !found.contains_key(method) {
        found.insert(method.clone(), HashMap::new());
    }
    if let Some(of_method) = found.get_mut(method) {
        of_method.entry(pair.clone()).or_default().insert(cached.images.clone(), cached);
    }
}

/// Reads the bytes of a file of predictions, its last line whole, in the order of the lines; `path` is what errors
/// name. Of two for one method, pair and images the later one counts.
///
/// # Errors
///
/// [`PredictionsError`] where the file is under another key or a line is damaged.
pub fn parse_predictions(path: &Path, bytes: &[u8], key: &CacheKey) -> Result<Vec<CachedPrediction>, PredictionsError> {
    read_lines(path, bytes, key).collect()
}

/// The predictions of whole lines, the first of which is the header; no lines at all are no predictions.
fn read_lines<'a>(
    path: &'a Path,
    bytes: &'a [u8],
    key: &'a CacheKey,
) -> impl Iterator<Item = Result<CachedPrediction, PredictionsError>> + 'a {
    let damaged =
        |line: usize, reason: String| PredictionsError::Line { path: path.to_owned(), line: line + 1, reason };
    let check_header = move |line: &[u8]| {
        let header: Header = serde_json::from_slice(line)
            .map_err(|error| damaged(0, format!("not the header of a file of predictions: {error}")))?;
        if header.predictions != FORMAT {
            return Err(damaged(0, format!("format {} is not known, only {FORMAT}", header.predictions)));
        }
        match difference(&header.key, key) {
            Some(reason) => Err(PredictionsError::OtherKey { path: path.to_owned(), reason }),
            None => Ok(()),
        }
    };
    let prediction = move |number: usize, line: &[u8]| {
        let cached: CachedPrediction =
            serde_json::from_slice(line).map_err(|error| damaged(number, error.to_string()))?;
        match cached.misfit() {
            Some(misfit) => Err(damaged(number, misfit.to_owned())),
            None => Ok(cached),
        }
    };
    bytes.split_inclusive(|byte| *byte == b'\n').enumerate().filter_map(move |(number, line)| match number {
        0 => check_header(line).err().map(Err),
        _ => Some(prediction(number, line)),
    })
}

/// Which parts of two keys differ, in words; `None` for equal keys.
fn difference(there: &CacheKey, here: &CacheKey) -> Option<String> {
    let shown = |value: Option<&String>| value.cloned().unwrap_or_else(|| "nothing".to_owned());
    let names: std::collections::BTreeSet<_> = there.keys().chain(here.keys()).collect();
    let differing = names.into_iter().filter(|name| there.get(*name) != here.get(*name));
    let parts: Vec<_> = differing
        .map(|name| format!("{name} (there {}, here {})", shown(there.get(name)), shown(here.get(name))))
        .collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// JSON has no NaN and no infinity: they are written as `null`, and `null` is read as NaN.
mod finite_or_null {
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(points: &[[f32; 2]], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(points.iter().map(|point| point.map(|x| x.is_finite().then_some(x))))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<[f32; 2]>, D::Error> {
        let points = Vec::<[Option<f32>; 2]>::deserialize(deserializer)?;
        Ok(points.into_iter().map(|point| point.map(|x| x.unwrap_or(f32::NAN))).collect())
    }
}

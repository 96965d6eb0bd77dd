//! Predictions that another program wrote, for pairs that a reader of this crate found.
//!
//! The file is JSON lines in UTF-8, a line a pair, in any order; empty lines are passed over:
//!
//! ```json
//! {"pair": "Duck/a--b", "points": [[12.5, 40], [null, null]], "confidence": [0.9, 0.1], "unshared_confidence": [0.2]}
//! ```
//!
//! - `pair`: [the pair's id](crate::KeyPointPair::id).
//! - `points`: one `[x, y]` a point asked, in the order asked, in pixels of the original image predicted in as it is shown (with
//!   its EXIF orientation, whatever frame the data set's points are in), the centre of its top-left pixel being `[0, 0]`. `null`, or the `NaN`, `Infinity` and `-Infinity` that Python writes, is no prediction:
//!   such a point is scored as wrong and counted as invalid.
//! - `confidence`, optional: one number a point.
//! - `unshared_confidence`, optional: one number a key point that the image asked in shows and the other one does not, in
//!   the order of [`PairImage::unshared`](crate::PairImage::unshared).

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

use serde::Deserialize;
use thiserror::Error;

use crate::key_points::KeyPointPair;
use crate::protocol::Direction;

/// How many ids an error lists before it says how many more there are.
const LISTED: usize = 5;

/// What a file says of one pair.
#[derive(Clone, Debug, PartialEq)]
pub struct OutsidePrediction {
    /// One `[x, y]` a point asked, in pixels of the original image predicted in; NaN or an infinity where the file has no
    /// finite number.
    pub points: Vec<[f32; 2]>,
    /// One confidence a point, where the file has them.
    pub confidence: Option<Vec<f32>>,
    /// One confidence a point that only the image asked in shows, where the file has them.
    pub unshared_confidence: Option<Vec<f32>>,
}

/// Which pairs a file of predictions has to answer, and in which image.
#[derive(Clone, Copy, Debug)]
pub struct AskedPairs<'a> {
    /// The pairs. Where several have one id, the file's line for it answers each.
    pub pairs: &'a [KeyPointPair],
    /// Which image the points are asked in.
    pub direction: Direction,
    /// Whether pairs may be missing in the file. Say beside the score how many were predicted.
    pub partial: bool,
}

/// Why a file of predictions cannot be scored.
#[derive(Debug, Error)]
pub enum OutsidePredictionsError {
    /// The operating system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is UTF-16.
    #[error("{}: the file is UTF-16; write it as UTF-8", .0.display())]
    Utf16(PathBuf),
    /// A line that is no prediction.
    #[error("{}, line {line}: {reason}; expected {{\"pair\": \"…\", \"points\": [[x, y], …]}}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// A prediction that does not fit its pair.
    #[error("{}, line {line}, pair {pair}: {reason}", path.display())]
    Pair {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// The pair's id.
        pair: String,
        /// What does not fit.
        reason: String,
    },
    /// Pairs that the benchmark does not have.
    #[error(
        "{}: {count} of the predicted pairs are not in the benchmark: {listed}; check the benchmark, its split and how \
         pairs are named",
        path.display()
    )]
    Surplus {
        /// The file.
        path: PathBuf,
        /// How many there are.
        count: usize,
        /// The first few, with their lines.
        listed: String,
    },
    /// Pairs of the benchmark that the file does not have.
    #[error(
        "{}: {count} of {asked} pairs are not predicted: {listed}; predict them, or score with --partial",
        path.display()
    )]
    Missing {
        /// The file.
        path: PathBuf,
        /// How many there are.
        count: usize,
        /// How many pairs were asked.
        asked: usize,
        /// The first few.
        listed: String,
    },
}

/// Reads a file of predictions: one entry a pair, in the order of the pairs, `None` where the pair is not predicted, which
/// happens only if `asked.partial`.
///
/// # Errors
///
/// [`OutsidePredictionsError`], which names the file, the line and the pair: unreadable, not in the format, not one point
/// (or confidence) for each point asked, a pair twice, a pair that is not asked, a pair that is missing.
pub fn read_outside_predictions(
    path: &Path,
    asked: AskedPairs,
) -> Result<Vec<Option<OutsidePrediction>>, OutsidePredictionsError> {
    let bytes = fs::read(path).map_err(|source| OutsidePredictionsError::Io { path: path.to_owned(), source })?;
    parse_outside_predictions(path, &bytes, asked)
}

/// The same for the content of a file; `path` is named in errors only.
///
/// # Errors
///
/// As [`read_outside_predictions`], except for what the system says.
pub fn parse_outside_predictions(
    path: &Path,
    bytes: &[u8],
    asked: AskedPairs,
) -> Result<Vec<Option<OutsidePrediction>>, OutsidePredictionsError> {
    if bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]) {
        return Err(OutsidePredictionsError::Utf16(path.to_owned()));
    }
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    let mut of_id: HashMap<&str, Answers> = HashMap::with_capacity(asked.pairs.len());
    for (index, pair) in asked.pairs.iter().enumerate() {
        of_id.entry(pair.id.as_str()).or_insert(Answers { pairs: Vec::new(), line: None }).pairs.push(index);
    }
    let mut answers: Vec<Option<OutsidePrediction>> = vec![None; asked.pairs.len()];
    let mut surplus = Listed::default();
    for (index, text) in bytes.split(|byte| *byte == b'\n').enumerate() {
        let line = index + 1;
        if text.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let written: Written = serde_json::from_slice(&without_nan(text))
            .map_err(|error| OutsidePredictionsError::Line { path: path.to_owned(), line, reason: words(&error) })?;
        let Some(answered) = of_id.get_mut(written.pair.as_str()) else {
            surplus.push(|| format!("{} (line {line})", written.pair));
            continue;
        };
        let refuse = |reason| {
            let pair = written.pair.clone();
            OutsidePredictionsError::Pair { path: path.to_owned(), line, pair, reason }
        };
        if let Some(first) = answered.line.replace(line) {
            return Err(refuse(format!("predicted before, in line {first}; leave one of the two")));
        }
        let prediction = written.prediction();
        for &pair in &answered.pairs {
            check(&prediction, &asked.pairs[pair], asked.direction).map_err(refuse)?;
            answers[pair] = Some(prediction.clone());
        }
    }
    if surplus.count > 0 {
        let (count, listed) = (surplus.count, surplus.to_string());
        return Err(OutsidePredictionsError::Surplus { path: path.to_owned(), count, listed });
    }
    let mut missing = Listed::default();
    for (pair, answer) in asked.pairs.iter().zip(&answers) {
        if answer.is_none() && !asked.partial {
            missing.push(|| pair.id.clone());
        }
    }
    if missing.count > 0 {
        let (count, listed) = (missing.count, missing.to_string());
        return Err(OutsidePredictionsError::Missing {
            path: path.to_owned(),
            count,
            asked: asked.pairs.len(),
            listed,
        });
    }
    Ok(answers)
}

/// The pairs of one id, and the line that answered them.
struct Answers {
    pairs: Vec<usize>,
    line: Option<usize>,
}

/// A line of the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    pair: String,
    points: Vec<[Option<f32>; 2]>,
    #[serde(default)]
    confidence: Option<Vec<Option<f32>>>,
    #[serde(default)]
    unshared_confidence: Option<Vec<Option<f32>>>,
}

impl Written {
    fn prediction(&self) -> OutsidePrediction {
        let numbers = |list: &Option<Vec<Option<f32>>>| {
            list.as_ref().map(|list| list.iter().map(|number| number.unwrap_or(f32::NAN)).collect())
        };
        OutsidePrediction {
            points: self.points.iter().map(|point| point.map(|x| x.unwrap_or(f32::NAN))).collect(),
            confidence: numbers(&self.confidence),
            unshared_confidence: numbers(&self.unshared_confidence),
        }
    }
}

/// Whether a prediction has as many entries as the pair asks for.
fn check(prediction: &OutsidePrediction, pair: &KeyPointPair, direction: Direction) -> Result<(), String> {
    let asked = direction.asked(pair);
    let (points, unshared) = (asked.points.len(), asked.unshared.len());
    if prediction.points.len() != points {
        return Err(format!("{} points are predicted, {points} are asked", prediction.points.len()));
    }
    if let Some(confidence) = prediction.confidence.as_ref().filter(|confidence| confidence.len() != points) {
        return Err(format!("{} confidences for {points} points", confidence.len()));
    }
    match prediction.unshared_confidence.as_ref().filter(|confidence| confidence.len() != unshared) {
        Some(confidence) => Err(format!(
            "{} unshared confidences, but {unshared} points are shown by the image asked in alone",
            confidence.len()
        )),
        None => Ok(()),
    }
}

/// The first few of many, and how many there are.
#[derive(Default)]
struct Listed {
    first: Vec<String>,
    count: usize,
}

impl Listed {
    fn push(&mut self, text: impl FnOnce() -> String) {
        if self.first.len() < LISTED {
            self.first.push(text());
        }
        self.count += 1;
    }
}

impl std::fmt::Display for Listed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.first.join(", "))?;
        match self.count - self.first.len() {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

/// What the JSON parser says, without its own line number, which is always 1 here.
fn words(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    text.strip_suffix(&place).map_or(text.clone(), |text| format!("{text} (column {})", error.column()))
}

/// The line with `null` for each `NaN`, `Infinity` and `-Infinity` outside of strings; JSON does not have them.
fn without_nan(line: &[u8]) -> Cow<'_, [u8]> {
    const WORDS: [&[u8]; 3] = [b"NaN", b"-Infinity", b"Infinity"];
    if !line.windows(3).any(|window| window == b"NaN" || window == b"Inf") {
        return Cow::Borrowed(line);
    }
    let mut replaced = Vec::with_capacity(line.len() + line.len() / 3);
    let (mut rest, mut in_string) = (line, false);
    while let Some((&byte, after)) = rest.split_first() {
        if !in_string && let Some(after) = WORDS.iter().find_map(|word| rest.strip_prefix(*word)) {
            replaced.extend_from_slice(b"null");
            rest = after;
            continue;
        }
        replaced.push(byte);
        rest = after;
        match byte {
            b'"' => in_string = !in_string,
            b'\\' if in_string => {
                // What is escaped ends no string.
                if let Some((&escaped, after)) = rest.split_first() {
                    replaced.push(escaped);
                    rest = after;
                }
            }
            _ => {}
        }
    }
    Cow::Owned(replaced)
}

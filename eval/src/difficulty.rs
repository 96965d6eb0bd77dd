//! PCK by what makes a pair hard: SPair-71k's four fields.

use std::fmt;
use std::fmt::Write;

use serde::{Deserialize, Serialize};

use crate::average::{Bootstrap, Pck, average};
use crate::key_points::{Difficulty, KeyPointPair};
use crate::pck::PairScore;
use crate::protocol::Protocol;

/// One of SPair-71k's four fields of difficulty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DifficultyField {
    /// Change of viewpoint: easy, medium, hard.
    Viewpoint,
    /// Change of scale: easy, medium, hard.
    Scale,
    /// Which image cuts its object off: none, source, target, both.
    Truncation,
    /// In which image something hides the object: none, source, target, both.
    Occlusion,
}

impl DifficultyField {
    /// All four, in the order of SPair-71k's tables.
    pub const ALL: [Self; 4] = [Self::Viewpoint, Self::Scale, Self::Truncation, Self::Occlusion];

    /// The value of the field.
    pub fn of(self, difficulty: Difficulty) -> u8 {
        match self {
            Self::Viewpoint => difficulty.viewpoint,
            Self::Scale => difficulty.scale,
            Self::Truncation => difficulty.truncation,
            Self::Occlusion => difficulty.occlusion,
        }
    }

    /// What a value means: `easy`, `medium`, `hard`, or `none`, `source`, `target`, `both`; a value that SPair-71k does
    /// not have is its number.
    pub fn level(self, value: u8) -> String {
        let names: &[&str] = match self {
            Self::Viewpoint | Self::Scale => &["easy", "medium", "hard"],
            Self::Truncation | Self::Occlusion => &["none", "source", "target", "both"],
        };
        names.get(usize::from(value)).map_or_else(|| value.to_string(), |name| (*name).to_owned())
    }
}

impl fmt::Display for DifficultyField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Viewpoint => "viewpoint",
            Self::Scale => "scale",
            Self::Truncation => "truncation",
            Self::Occlusion => "occlusion",
        })
    }
}

/// One number: the pairs of one level of one field, at one threshold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DifficultyRow {
    /// The field.
    pub field: DifficultyField,
    /// Its level, as [`DifficultyField::level`] names it.
    pub level: String,
    /// Number of pairs of this level.
    pub pairs: usize,
    /// The threshold, as a share of the protocol's length.
    pub alpha: f64,
    /// Percentage of correct key points, 0..=100.
    pub pck: f64,
    /// Lower end of the 95 % interval, in percent.
    pub low: f64,
    /// Upper end of the 95 % interval, in percent.
    pub high: f64,
}

/// Averages a method's scores over the pairs of each level of each field, as the protocol says: field by field, level
/// by level, threshold by threshold. `scores[i]` belongs to `pairs[i]`. Levels without pairs have no rows; pairs whose
/// benchmark does not say how hard they are are left out.
///
/// # Panics
///
/// If there is not one score a pair, or the pairs were scored at other thresholds than the protocol's.
pub fn difficulty_rows(
    pairs: &[KeyPointPair],
    scores: &[PairScore],
    protocol: &Protocol,
    bootstrap: Bootstrap,
) -> Vec<DifficultyRow> {
    assert_eq!(pairs.len(), scores.len(), "one score a pair");
    let mut rows = Vec::new();
    for field in DifficultyField::ALL {
        let value = |pair: &KeyPointPair| pair.difficulty.map(|difficulty| field.of(difficulty));
        let mut values: Vec<u8> = pairs.iter().filter_map(value).collect();
        values.sort_unstable();
        values.dedup();
        for level in values {
            let of_level = pairs.iter().zip(scores).filter(|(pair, _)| value(pair) == Some(level));
            let of_level: Vec<PairScore> = of_level.map(|(_, score)| score.clone()).collect();
            let averages = average(&of_level, protocol.average, bootstrap);
            assert_eq!(averages.len(), protocol.alphas.len(), "pairs were scored at another number of thresholds");
            rows.extend(protocol.alphas.iter().zip(averages).map(|(&alpha, Pck { value, low, high })| DifficultyRow {
                field,
                level: field.level(level),
                pairs: of_level.len(),
                alpha,
                pck: 100.0 * value,
                low: 100.0 * low,
                high: 100.0 * high,
            }));
        }
    }
    rows
}

/// A table for the terminal, a line a level and a column a method, at the threshold `alpha`; empty cells where a method
/// has no such row. The methods are those of the same pairs.
pub fn difficulty_table(methods: &[(&str, &[DifficultyRow])], alpha: f64) -> String {
    let at = |rows: &'_ [DifficultyRow]| rows.iter().filter(|row| row.alpha == alpha).cloned().collect::<Vec<_>>();
    let methods: Vec<(&str, Vec<DifficultyRow>)> = methods.iter().map(|(name, rows)| (*name, at(rows))).collect();
    let mut levels: Vec<(DifficultyField, &str, usize)> = Vec::new();
    for row in methods.iter().flat_map(|(_, rows)| rows) {
        let level = (row.field, row.level.as_str(), row.pairs);
        if !levels.contains(&level) {
            levels.push(level);
        }
    }
    let mut text = format!("{:<10}  {:<6}  {:>6}", format!("@{alpha:.2}"), "level", "pairs");
    let width = |name: &str| name.chars().count().max(5);
    // Writing to a `String` cannot fail.
    for (name, _) in &methods {
        let _ = write!(text, "  {name:>width$}", width = width(name));
    }
    text.push('\n');
    for (field, level, pairs) in levels {
        let _ = write!(text, "{:<10}  {level:<6}  {pairs:>6}", field.to_string());
        for (name, rows) in &methods {
            let row = rows.iter().find(|row| (row.field, row.level.as_str(), row.pairs) == (field, level, pairs));
            let cell = row.map_or_else(String::new, |row| format!("{:.1}", row.pck));
            let _ = write!(text, "  {cell:>width$}", width = width(name));
        }
        text.push('\n');
    }
    text
}

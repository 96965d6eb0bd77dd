//! Scores side by side, as JSON and as tables for the terminal.

use std::fmt::Write;

use serde::{Deserialize, Serialize};

use crate::average::{Bootstrap, Pck, average, class_means};
use crate::benchmarks::ReadCounts;
use crate::pck::PairScore;
use crate::protocol::Protocol;

/// What one method scored on each pair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MethodScores {
    /// The method's name, such as `raw-hard` or `stage-2`.
    pub method: String,
    /// One score a pair.
    pub pairs: Vec<PairScore>,
}

impl MethodScores {
    /// How many predictions were not finite numbers; each counts as wrong, and should be told to the user.
    pub fn invalid(&self) -> usize {
        self.pairs.iter().map(|pair| pair.invalid).sum()
    }
}

/// One number: a method at a threshold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The method's name.
    pub method: String,
    /// The threshold, as a share of the protocol's length.
    pub alpha: f64,
    /// Percentage of correct key points, 0..=100.
    pub pck: f64,
    /// Lower end of the 95 % interval, in percent.
    pub low: f64,
    /// Upper end of the 95 % interval, in percent.
    pub high: f64,
}

/// The scores of several methods on the same pairs. Its JSON is what `eval --json` prints:
///
/// ```json
/// {"benchmark": "…", "protocol": "frame=original,…", "pairs": 500,
///  "rows": [{"method": "identity", "alpha": 0.1, "pck": 11.6, "low": 10.2, "high": 13.1}],
///  "counts": {"points_outside": {"count": 3, "first": "…"}}}
/// ```
///
/// `counts` is not there where there is nothing to count.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScoreReport {
    /// What was scored on.
    pub benchmark: String,
    /// [`Protocol`] as a string.
    pub protocol: String,
    /// Number of pairs.
    pub pairs: usize,
    /// Method by method, and within each threshold by threshold.
    pub rows: Vec<Row>,
    /// What the benchmark's reader took although it is odd; `new` leaves it empty.
    #[serde(default, skip_serializing_if = "ReadCounts::is_empty")]
    pub counts: ReadCounts,
}

impl ScoreReport {
    /// Averages each method's scores as the protocol says.
    ///
    /// # Panics
    ///
    /// If the methods were scored on different numbers of pairs, on none, or at other thresholds than the protocol's.
    pub fn new(benchmark: &str, protocol: &Protocol, methods: &[MethodScores], bootstrap: Bootstrap) -> Self {
        let pairs = methods.first().map_or(0, |method| method.pairs.len());
        let mut rows = Vec::with_capacity(methods.len() * protocol.alphas.len());
        for MethodScores { method, pairs: scores } in methods {
            assert_eq!(scores.len(), pairs, "{method} was scored on another number of pairs than the first method");
            let averages = average(scores, protocol.average, bootstrap);
            assert_eq!(averages.len(), protocol.alphas.len(), "{method} was scored at another number of thresholds");
            rows.extend(protocol.alphas.iter().zip(averages).map(|(&alpha, Pck { value, low, high })| Row {
                method: method.clone(),
                alpha,
                pck: 100.0 * value,
                low: 100.0 * low,
                high: 100.0 * high,
            }));
        }
        let (benchmark, protocol) = (benchmark.to_owned(), protocol.to_string());
        Self { benchmark, protocol, pairs, rows, counts: ReadCounts::default() }
    }

    /// A table with a line a method and a column a threshold, headed by benchmark, protocol and number of pairs, and a line a
    /// count below it; with `intervals`, each number is followed by its 95 % interval.
    pub fn table(&self, intervals: bool) -> String {
        let mut alphas: Vec<f64> = Vec::new();
        let mut methods: Vec<&str> = Vec::new();
        for row in &self.rows {
            if !alphas.contains(&row.alpha) {
                alphas.push(row.alpha);
            }
            if !methods.contains(&row.method.as_str()) {
                methods.push(&row.method);
            }
        }
        let cell = |method: &str, alpha: f64| {
            let row = self.rows.iter().find(|row| row.method == method && row.alpha == alpha);
            row.map_or_else(String::new, |Row { pck, low, high, .. }| {
                if intervals { format!("{pck:.1} [{low:.1}, {high:.1}]") } else { format!("{pck:.1}") }
            })
        };
        let lines = methods.into_iter().map(|method| {
            std::iter::once(method.to_owned()).chain(alphas.iter().map(|alpha| cell(method, *alpha))).collect()
        });
        let header = std::iter::once("PCK (%)".to_owned()).chain(alphas.iter().map(|alpha| format!("@{alpha:.2}")));
        let title = format!("{}, {} pairs, {}\n", self.benchmark, self.pairs, self.protocol);
        let table = aligned(std::iter::once(header.collect()).chain(lines).collect());
        format!("{title}{table}{}", self.counts)
    }
}

/// A table with a line a method and a column a class: the mean over the pairs of each class, in percent, at the threshold
/// `alpha` of the protocol; the last column is the mean over classes.
///
/// # Panics
///
/// If `alpha` is not among the protocol's thresholds, or the methods were scored on different classes.
pub fn class_table(protocol: &Protocol, methods: &[MethodScores], alpha: f64) -> String {
    let position = protocol.alphas.iter().position(|known| *known == alpha);
    let Some(position) = position else { panic!("threshold {alpha} is not among {:?}", protocol.alphas) };
    let mut lines: Vec<Vec<String>> = Vec::new();
    for MethodScores { method, pairs } in methods {
        let means = class_means(pairs);
        let header = std::iter::once(format!("PCK (%) @{alpha:.2}")).chain(means.keys().cloned());
        let header: Vec<_> = header.chain(["mean".to_owned()]).collect();
        match lines.first() {
            None => lines.push(header),
            Some(first) => assert_eq!(first, &header, "{method} was scored on other classes than the first method"),
        }
        let values: Vec<f64> = means.values().map(|of_class| 100.0 * of_class[position]).collect();
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let cells = values.into_iter().chain([mean]).map(|value| format!("{value:.1}"));
        lines.push(std::iter::once(method.clone()).chain(cells).collect());
    }
    aligned(lines)
}

/// One table of several benchmarks: a line a method, a column a benchmark and threshold; below it, each benchmark's protocol.
/// A method that a benchmark was not scored with has an empty cell there.
pub fn summary_table(reports: &[ScoreReport]) -> String {
    let mut methods: Vec<&str> = Vec::new();
    let mut columns: Vec<(&ScoreReport, f64)> = Vec::new();
    for report in reports {
        for row in &report.rows {
            if !methods.contains(&row.method.as_str()) {
                methods.push(&row.method);
            }
            if !columns.iter().any(|(of, alpha)| std::ptr::eq(*of, report) && *alpha == row.alpha) {
                columns.push((report, row.alpha));
            }
        }
    }
    let header = columns.iter().map(|(report, alpha)| format!("{} @{alpha:.2}", report.benchmark));
    let lines = methods.iter().map(|method| {
        let cell = |(report, alpha): &(&ScoreReport, f64)| {
            let row = report.rows.iter().find(|row| row.method == *method && row.alpha == *alpha);
            row.map_or_else(String::new, |row| format!("{:.1}", row.pck))
        };
        std::iter::once((*method).to_owned()).chain(columns.iter().map(cell)).collect()
    });
    let header = std::iter::once("PCK (%)".to_owned()).chain(header).collect();
    let mut text = aligned(std::iter::once(header).chain(lines).collect());
    for ScoreReport { benchmark, protocol, pairs, .. } in reports {
        // Writing to a `String` cannot fail.
        let _ = writeln!(text, "{benchmark}: {pairs} pairs, {protocol}");
    }
    text
}

/// Columns of equal width: the first to the left, numbers to the right.
fn aligned(lines: Vec<Vec<String>>) -> String {
    let columns = lines.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| lines.iter().filter_map(|line| line.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    let mut text = String::new();
    for line in &lines {
        for (column, (cell, &width)) in line.iter().zip(&widths).enumerate() {
            // Writing to a `String` cannot fail.
            let _ = if column == 0 { write!(text, "{cell:<width$}") } else { write!(text, "  {cell:>width$}") };
        }
        text.push('\n');
    }
    text
}

//! What was measured, as lines of JSON and as a table.

use serde::Serialize;

use crate::text_table::{aligned, column};

/// One operation's figures; `None` and JSON's null where not measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Row {
    /// The operation.
    pub op: String,
    /// Our seconds a run, the median.
    pub ours_s: Option<f64>,
    /// PyTorch's.
    pub torch_s: Option<f64>,
    /// The median of the rounds' ours / PyTorch's.
    pub ratio: Option<f64>,
    /// Our peak memory over what was held before, MiB.
    pub ours_mib: Option<f64>,
    /// PyTorch's.
    pub torch_mib: Option<f64>,
    /// What one run handles a second, where it handles several of something.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub items_per_s: Option<f64>,
    /// What those are.
    #[serde(skip)]
    pub unit: &'static str,
}

impl Row {
    /// Ours / PyTorch's memory.
    pub fn memory_ratio(&self) -> Option<f64> {
        self.ours_mib.zip(self.torch_mib).filter(|(_, torch)| *torch > 0.0).map(|(ours, torch)| ours / torch)
    }
}

/// Rows under headings, in columns as wide as their widest cell; a column that nothing fills is left out.
pub fn table(rows: &[Row]) -> String {
    let ratio = |value: Option<f64>| cell(value, |value| format!("{value:.2}"));
    let mut columns = vec![
        column("operation", rows, |row| row.op.clone()),
        column("ours", rows, |row| cell(row.ours_s, seconds)),
        column("PyTorch", rows, |row| cell(row.torch_s, seconds)),
        column("ratio", rows, |row| ratio(row.ratio)),
        column("ours MiB", rows, |row| cell(row.ours_mib, mib)),
        column("PyTorch MiB", rows, |row| cell(row.torch_mib, mib)),
        column("ratio", rows, |row| ratio(row.memory_ratio())),
        column("rate", rows, |row| cell(row.items_per_s, |rate| format!("{rate:.1} {}/s", row.unit))),
    ];
    columns.retain(|column| column[1..].iter().any(|cell| cell != NOT_MEASURED));
    aligned(&columns)
}

/// Stands in a table for what was not measured.
const NOT_MEASURED: &str = "-";

/// A value, or a dash.
pub fn cell(value: Option<f64>, show: impl Fn(f64) -> String) -> String {
    value.map_or_else(|| NOT_MEASURED.to_owned(), show)
}

/// `1.234 s`, `12.34 ms`.
pub fn seconds(value: f64) -> String {
    if value >= 1.0 { format!("{value:.3} s") } else { format!("{:.2} ms", value * 1e3) }
}

/// One decimal.
pub fn mib(value: f64) -> String {
    format!("{value:.1}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<Row> {
        let alone = Row { op: "match/320".into(), ours_s: Some(1.25), ours_mib: Some(80.0), ..Row::default() };
        let compared = Row {
            op: "vote/20".into(),
            ours_s: Some(0.0125),
            torch_s: Some(0.025),
            ratio: Some(0.5),
            ours_mib: Some(3.0),
            torch_mib: Some(12.0),
            ..Row::default()
        };
        vec![alone, compared]
    }

    #[test]
    fn what_was_not_measured_is_null_and_a_dash() {
        let rows = rows();
        assert_eq!(
            serde_json::to_string(&rows[0]).unwrap(),
            r#"{"op":"match/320","ours_s":1.25,"torch_s":null,"ratio":null,"ours_mib":80.0,"torch_mib":null}"#
        );
        let text = table(&rows);
        let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines[1], ["match/320", "1.250", "s", "-", "-", "80.0", "-", "-"]);
        assert_eq!(lines[2], ["vote/20", "12.50", "ms", "25.00", "ms", "0.50", "3.0", "12.0", "0.25"]);
    }

    #[test]
    fn columns_that_nothing_fills_are_left_out() {
        let text = table(&rows()[..1]);
        let headings: Vec<&str> = text.lines().next().unwrap().split_whitespace().collect();
        assert_eq!(headings, ["operation", "ours", "ours", "MiB"]);
    }
}

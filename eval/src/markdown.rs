//! Scores as tables in Markdown.

use std::fmt::Write;

use crate::figure_data::{ClassScores, alpha_text};
use crate::report::{Row, ScoreReport};

impl ScoreReport {
    /// The scores as a table in Markdown, a line a method and a column a threshold, under a line with benchmark, number of
    /// pairs and protocol; with `intervals`, each number is followed by its 95 % interval.
    pub fn markdown(&self, intervals: bool) -> String {
        let (methods, alphas) = self.axes();
        let mut text = format!(
            "**{}**, {} pairs, PCK in percent{}, protocol `{}`\n\n",
            escaped(&self.benchmark),
            self.pairs,
            if intervals { " with 95 % interval" } else { "" },
            self.protocol.replace(['`', '\n'], " ")
        );
        let header = alphas.iter().map(|alpha| format!("α = {}", alpha_text(*alpha)));
        let lines = methods.iter().map(|method| {
            let cells = alphas.iter().map(|alpha| {
                let row = self.row(method, *alpha);
                row.map_or_else(String::new, |Row { pck, low, high, .. }| {
                    if intervals { format!("{pck:.1} [{low:.1}, {high:.1}]") } else { format!("{pck:.1}") }
                })
            });
            (escaped(method), cells.collect())
        });
        push_table(&mut text, "method", header, lines);
        for sentence in self.counts.sentences() {
            let _ = writeln!(text, "\n{}", escaped(&sentence));
        }
        text
    }

    /// The methods and the thresholds, each once, in the order of the rows.
    pub(crate) fn axes(&self) -> (Vec<&str>, Vec<f64>) {
        let (mut methods, mut alphas): (Vec<&str>, Vec<f64>) = (Vec::new(), Vec::new());
        for row in &self.rows {
            if !methods.contains(&row.method.as_str()) {
                methods.push(&row.method);
            }
            if !alphas.contains(&row.alpha) {
                alphas.push(row.alpha);
            }
        }
        (methods, alphas)
    }

    /// The number of a method at a threshold.
    pub(crate) fn row(&self, method: &str, alpha: f64) -> Option<&Row> {
        self.rows.iter().find(|row| row.method == method && row.alpha == alpha)
    }
}

impl ClassScores {
    /// The class means as a table in Markdown, a line a class and a column a method.
    pub fn markdown(&self) -> String {
        let mut text = String::new();
        let lines = self.classes.iter().enumerate().map(|(class, name)| {
            let cells = self.methods.iter().map(|(_, scores)| scores.get(class).map(|score| format!("{score:.1}")));
            (escaped(name), cells.map(Option::unwrap_or_default).collect())
        });
        let corner = format!("class, PCK (%) at α = {}", alpha_text(self.alpha));
        push_table(&mut text, &corner, self.methods.iter().map(|(method, _)| escaped(method)), lines);
        text
    }
}

/// A table whose first column stands to the left and whose others, numbers, stand to the right.
fn push_table(
    text: &mut String,
    corner: &str,
    header: impl Iterator<Item = String>,
    lines: impl Iterator<Item = (String, Vec<String>)>,
) {
    let header: Vec<String> = header.collect();
    // Writing to a `String` cannot fail.
    let _ = writeln!(text, "| {corner} | {} |", header.join(" | "));
    let _ = writeln!(text, "| :--- |{}", " ---: |".repeat(header.len()));
    for (name, cells) in lines {
        let _ = writeln!(text, "| {name} | {} |", cells.join(" | "));
    }
}

/// Text that Markdown shows as it is, within one cell of a table.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '#' | '~' | '&' => safe.extend(['\\', letter]),
            _ if letter.is_control() => safe.push(' '),
            _ => safe.push(letter),
        }
    }
    safe
}

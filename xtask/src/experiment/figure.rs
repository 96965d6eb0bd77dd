//! PCK over the number of key-point pairs, a figure a matcher.

use std::path::{Path, PathBuf};

use anyhow::Result;
use eval::{Figure, LearningCurve, LearningCurves};

use super::plan::{Plan, UNTRAINED};
use super::table::Table;
use crate::atomic;

/// Writes a figure of each matcher that learns: `MATCHER.svg`. The threshold is the middle one.
///
/// # Errors
///
/// A folder that cannot be written.
pub fn write(table: &Table, plan: &Plan, out: &Path) -> Result<Vec<PathBuf>> {
    let alpha = plan.benchmark.alphas[plan.benchmark.alphas.len() / 2];
    let mut written = Vec::new();
    for matcher in plan.matchers.iter().filter(|matcher| matcher.learns()) {
        let curve = |init: &str| LearningCurve {
            name: init.to_owned(),
            points: plan
                .pairs
                .iter()
                .map(|pairs| {
                    let mut rows = table.rows.iter();
                    rows.find(|row| {
                        row.matcher == *matcher && row.init == init && row.pairs == *pairs && row.alpha == alpha
                    })
                    .map(|row| [row.low, row.pck, row.high])
                })
                .collect(),
        };
        let curves = LearningCurves {
            alpha,
            counts: plan.pairs.clone(),
            curves: names(plan).map(curve).filter(|curve| curve.points.iter().any(Option::is_some)).collect(),
        };
        if curves.curves.is_empty() {
            continue;
        }
        let path = out.join(format!("{}.svg", matcher.name()));
        atomic::write(&path, Figure::Learning(&curves).svg()?.as_bytes())?;
        written.push(path);
    }
    Ok(written)
}

/// What curves are called. What is untrained is a point of its own: what begins with no label has learned as long as the
/// others, and it has not.
fn names(plan: &Plan) -> impl Iterator<Item = &str> {
    std::iter::once(UNTRAINED).chain(plan.inits.iter().map(String::as_str))
}

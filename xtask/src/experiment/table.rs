//! The results of an experiment as rows with intervals.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use eval::{Average, Bootstrap, PairScore, PairedDifference, Pck, Protocol, average, paired_bootstrap};
use serde::Serialize;

use super::plan::{Cell, Plan, UNTRAINED};
use super::work::{self, Outcome};
use crate::matchers::MatcherName;

/// One matcher, beginning, number of pairs and threshold, over all seeds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// The matcher.
    pub matcher: MatcherName,
    /// What it begins with: a name of labels, `none`, or `untrained`, which has learned from nothing.
    pub init: String,
    /// How many pairs it learned from: a number, or `all`.
    pub pairs: String,
    /// Steps on labels, and on key points.
    pub steps: [usize; 2],
    /// The threshold.
    pub alpha: f64,
    /// PCK in per cent, the mean over seeds.
    pub pck: f64,
    /// The lower end of its 95 % interval (bootstrap over images, each pair with all its seeds).
    pub low: f64,
    /// The upper end.
    pub high: f64,
    /// How many seeds.
    pub seeds: usize,
    /// PCK of each seed.
    pub by_seed: Vec<f64>,
}

/// How much better one beginning is than another, at one threshold.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// The matcher.
    pub matcher: MatcherName,
    /// How many pairs it learned from: a number, `all`, or `mean`, the mean over all numbers of pairs of the plan at which
    /// both have learned equally long: without 0 where one of the two is untrained then.
    pub pairs: String,
    /// The threshold.
    pub alpha: f64,
    /// What is compared.
    pub init: String,
    /// With what.
    pub with: String,
    /// The difference in points of PCK.
    pub difference: f64,
    /// The lower end of its 95 % interval (paired bootstrap over images).
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

/// All there is so far.
#[derive(Clone, Debug, Serialize)]
pub struct Table {
    /// The experiment.
    pub name: String,
    /// How everything was scored.
    pub protocol: String,
    /// Cells that are there, and cells of the plan.
    pub cells: [usize; 2],
    /// The rows, in the plan's order.
    pub rows: Vec<Row>,
    /// Every beginning compared with every one before it: for each number of pairs, then for the mean over them.
    pub comparisons: Vec<Comparison>,
}

/// The seeds' outcomes of a matcher, a beginning and a number of pairs.
type Groups = BTreeMap<(usize, usize, usize), Vec<Outcome>>;

impl Table {
    /// Reads the cells of a plan.
    ///
    /// # Errors
    ///
    /// A file that is damaged, or was made by another plan.
    pub fn read(plan: &Plan, out: &Path) -> Result<Table> {
        let cells = plan.cells()?;
        let counts = plan.pair_counts()?;
        let place = |cell: &Cell| {
            let of = |found: Option<usize>| found.unwrap_or_default();
            (
                of(plan.matchers.iter().position(|matcher| *matcher == cell.matcher)),
                of(counts.iter().position(|count| *count == cell.pairs)),
                of(plan.inits.iter().position(|init| *init == cell.init)),
            )
        };
        let (mut groups, mut there) = (Groups::new(), 0);
        for cell in &cells {
            if let Some(outcome) = work::read(plan, out, cell)? {
                there += 1;
                groups.entry(place(cell)).or_default().push(outcome);
            }
        }
        let protocol = groups.values().flatten().next().map(|outcome| outcome.protocol.clone()).unwrap_or_default();
        let by = protocol.parse::<Protocol>().map_or(Average::Category, |protocol| protocol.average);
        let (mut rows, mut comparisons, mut over_counts) = (Vec::new(), Vec::new(), BTreeMap::new());
        for (&(matcher, pairs, init), outcomes) in &groups {
            rows.extend(rows_of(outcomes, by));
            for before in 0..init {
                let Some(others) = groups.get(&(matcher, pairs, before)).filter(|o| o.len() == outcomes.len()) else {
                    continue;
                };
                let [these, others] = [outcomes, others].map(|outcomes| outcomes.iter().collect::<Vec<_>>());
                comparisons.extend(compared(&these, &others, &outcomes[0].cell.pairs_name(), by));
                if [these[0], others[0]].iter().any(|outcome| outcome.cell.begins_with() == UNTRAINED) {
                    continue;
                }
                let over: &mut (Vec<_>, Vec<_>) = over_counts.entry((matcher, init, before)).or_default();
                over.0.extend(these);
                over.1.extend(others);
            }
        }
        for (these, others) in over_counts.values() {
            let no_labels = [these[0], others[0]].iter().any(|outcome: &&Outcome| outcome.cell.sees_no_label());
            let equal = counts.iter().filter(|count| !(no_labels && **count == Some(0))).count();
            // A mean over some of the cells would be of something else.
            if equal < 2 || these.len() != equal * plan.seeds.len() {
                continue;
            }
            comparisons.extend(compared(these, others, "mean", by));
        }
        Ok(Table { name: plan.name.clone(), protocol, cells: [there, cells.len()], rows, comparisons })
    }

    /// The table for people.
    pub fn text(&self) -> String {
        let mut alphas: Vec<f64> = self.rows.iter().map(|row| row.alpha).collect();
        alphas.sort_unstable_by(f64::total_cmp);
        alphas.dedup();
        let mut text = format!("{}: {} of {} cells, {}\n\n", self.name, self.cells[0], self.cells[1], self.protocol);
        text += "| matcher | begins with | pairs | steps |";
        alphas.iter().for_each(|alpha| text += &format!(" @{alpha:.2} |"));
        text += &format!(" seeds |\n|---|---|---:|---:|{}---:|\n", "---:|".repeat(alphas.len()));
        for rows in self.rows.chunk_by(|a, b| (a.matcher, &a.init, &a.pairs) == (b.matcher, &b.init, &b.pairs)) {
            let steps = steps_text(rows[0].steps);
            text += &format!("| {} | {} | {} | {steps} |", rows[0].matcher.name(), rows[0].init, rows[0].pairs);
            rows.iter().for_each(|row| text += &format!(" {:.1} ({:.1}–{:.1}) |", row.pck, row.low, row.high));
            text += &format!(" {} |\n", rows[0].seeds);
        }
        if !self.comparisons.is_empty() {
            text += "\n| matcher | pairs | difference |";
            alphas.iter().for_each(|alpha| text += &format!(" @{alpha:.2} |"));
            text += &format!("\n|---|---:|---|{}\n", "---:|".repeat(alphas.len()));
        }
        let same = |a: &Comparison, b: &Comparison| {
            (a.matcher, &a.pairs, &a.init, &a.with) == (b.matcher, &b.pairs, &b.init, &b.with)
        };
        for found in self.comparisons.chunk_by(same) {
            let one = &found[0];
            text += &format!("| {} | {} | {} − {} |", one.matcher.name(), one.pairs, one.init, one.with);
            found.iter().for_each(|c| text += &format!(" {:+.1} ({:+.1} to {:+.1}) |", c.difference, c.low, c.high));
            text += "\n";
        }
        text
    }
}

/// Steps on labels and on key points, those alone that there are.
fn steps_text([on_labels, on_key_points]: [usize; 2]) -> String {
    match (on_labels, on_key_points) {
        (0, steps) | (steps, 0) => steps.to_string(),
        both => format!("{} + {}", both.0, both.1),
    }
}

/// How much better the first outcomes are than the others of the same matcher.
fn compared(these: &[&Outcome], others: &[&Outcome], pairs: &str, by: Average) -> Vec<Comparison> {
    let found = paired_bootstrap(&together(these), &together(others), by, Bootstrap::default());
    let comparison = |(&alpha, found): (&f64, PairedDifference)| Comparison {
        matcher: these[0].cell.matcher,
        pairs: pairs.to_owned(),
        alpha,
        init: these[0].cell.begins_with().to_owned(),
        with: others[0].cell.begins_with().to_owned(),
        difference: 100.0 * found.difference,
        low: 100.0 * found.low,
        high: 100.0 * found.high,
    };
    these[0].alphas.iter().zip(found).map(comparison).collect()
}

/// Every pair with its points of all outcomes.
fn together(outcomes: &[&Outcome]) -> Vec<PairScore> {
    let mut sum = outcomes[0].scores.clone();
    for outcome in &outcomes[1..] {
        for (sum, score) in sum.iter_mut().zip(&outcome.scores) {
            sum.points += score.points;
            sum.invalid += score.invalid;
            sum.correct.iter_mut().zip(&score.correct).for_each(|(sum, correct)| *sum += correct);
        }
    }
    sum
}

fn rows_of(outcomes: &[Outcome], by: Average) -> Vec<Row> {
    let cell = &outcomes[0].cell;
    let single = Bootstrap { resamples: 0, seed: 0 };
    let by_seed: Vec<Vec<Pck>> = outcomes.iter().map(|outcome| average(&outcome.scores, by, single)).collect();
    let all = average(&together(&outcomes.iter().collect::<Vec<_>>()), by, Bootstrap::default());
    let row = |(place, (&alpha, pck)): (usize, (&f64, Pck))| Row {
        matcher: cell.matcher,
        init: cell.begins_with().to_owned(),
        pairs: cell.pairs_name(),
        steps: outcomes[0].steps,
        alpha,
        pck: 100.0 * pck.value,
        low: 100.0 * pck.low,
        high: 100.0 * pck.high,
        seeds: outcomes.len(),
        by_seed: by_seed.iter().map(|of_seed| 100.0 * of_seed[place].value).collect(),
    };
    outcomes[0].alphas.iter().zip(all).enumerate().map(row).collect()
}

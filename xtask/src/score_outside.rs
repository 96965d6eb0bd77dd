//! `cargo xtask score`: what any program predicted, scored under any protocol, without a network.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use eval::{
    AskedPairs, Bootstrap, CSV_TEMPLATE, JSONL_TEMPLATE, MethodScores, Prediction, paired_bootstrap,
    read_outside_predictions,
};
use serde::Serialize;
use tracing::warn;

use crate::benchmark::{Benchmark, BenchmarkArgs, layouts};
use crate::logging;
use crate::more_metrics::{json_of, more_scores, more_tables};
use crate::output::json_path;
use crate::report_files::{section, write_html, write_scores};
use crate::score::Scored;

/// Score predictions that any program wrote.
///
/// FILE has a line of JSON a pair: {"pair": "ID", "points": [[x, y], …], "confidence": […]} in pixels of the original image
/// predicted in, as it is shown (with its EXIF orientation). The pair's id is the data set's own line where it has one (SPair-71k), else
/// CLASS/SOURCE--TARGET, the images' names without extension. `--asked FILE` writes every pair's id, images and points to predict from.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:
  cargo xtask score --data PF-WILLOW --asked asked.jsonl
  cargo xtask score --data PF-WILLOW --predictions mine.jsonl
  cargo xtask score --benchmark spair --data SPAIR --predictions mine.jsonl --protocol average=category --alpha .05,.1 --json
  cargo xtask score --data PF-WILLOW --predictions mine.jsonl --against theirs.jsonl")]
pub struct ScoreArgs {
    #[command(flatten)]
    benchmark: BenchmarkArgs,
    /// The predictions
    #[arg(long, value_name = "FILE")]
    predictions: Option<PathBuf>,
    /// Other predictions of the same pairs: which of the two is better, and how sure is that
    #[arg(long, value_name = "FILE", requires = "predictions")]
    against: Option<PathBuf>,
    /// Pairs may be missing in the file; the score then says how many were scored
    #[arg(long)]
    partial: bool,
    /// Write JSON, Markdown, figures and report.html into this folder
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Show PCK†, confusions, average precision and the breakdown by difficulty too
    #[arg(long)]
    more: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Write what there is to predict: a line of JSON a pair, with its id, its two images and the points asked. JSON is UTF-8:
    /// of other paths it has U+FFFD where they are not
    #[arg(long, value_name = "FILE")]
    asked: Option<PathBuf>,
    /// Show how every data set is laid out and where it is published
    #[arg(long)]
    layouts: bool,
    /// Write a template for a data set of your own: FILE ends in .csv or .jsonl, and is then read as --benchmark table
    #[arg(long, value_name = "FILE")]
    template: Option<PathBuf>,
}

impl ScoreArgs {
    /// Runs the command.
    ///
    /// # Errors
    ///
    /// A benchmark that is not there, predictions that do not fit it.
    pub fn run(&self) -> Result<()> {
        logging::start(None)?;
        if self.layouts {
            print!("{}", layouts());
            return Ok(());
        }
        if let Some(path) = &self.template {
            return write_template(path);
        }
        let root = self.benchmark.data.clone().context("give the benchmark's folder with --data")?;
        let names = self.benchmark.names(&root)?;
        let [name] = names[..] else { bail!("predictions are scored on one --benchmark at a time") };
        let mut benchmark = self.benchmark.read(name, &root)?;
        if let Some(path) = &self.asked {
            write_asked(path, &benchmark)?;
            if self.predictions.is_none() {
                return Ok(());
            }
        }
        let Some(file) = &self.predictions else { bail!("give the predictions with --predictions FILE") };
        let direction = benchmark.protocol.direction;
        let read = |pairs: &[eval::KeyPointPair], file: &PathBuf| {
            read_outside_predictions(file, AskedPairs { pairs, direction, partial: self.partial })
        };
        let all = benchmark.pairs.len();
        let mut made = read(&benchmark.pairs, file)?;
        let mut other = self.against.as_ref().map(|file| read(&benchmark.pairs, file)).transpose()?;
        if self.partial {
            let both =
                |index: usize| made[index].is_some() && other.as_ref().is_none_or(|other| other[index].is_some());
            let kept: Vec<usize> = (0..all).filter(|&index| both(index)).collect();
            if kept.is_empty() {
                bail!("{} predicts none of the {all} pairs", file.display());
            }
            benchmark.leak_free = benchmark
                .leak_free
                .map(|clean| (0..kept.len()).filter(|&place| clean.contains(&kept[place])).collect());
            benchmark.pairs = kept.iter().map(|&index| benchmark.pairs[index].clone()).collect();
            made = kept.iter().map(|&index| made[index].clone()).collect();
            other = other.map(|other| kept.iter().map(|&index| other[index].clone()).collect());
            if kept.len() < all {
                benchmark.protocol_text += &format!(",partial={}/{all}", kept.len());
            }
        }
        let stem = |file: &PathBuf| file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let named = |method: &str, made: Vec<Option<eval::OutsidePrediction>>| -> Vec<Prediction> {
            let fitted = benchmark.pairs.iter().zip(made).filter_map(|(pair, made)| {
                let made = made?;
                Some(Prediction {
                    pair: pair.id.clone(),
                    method: method.to_owned(),
                    points: made.points,
                    confidence: made.confidence,
                    unshared_confidence: made.unshared_confidence,
                })
            });
            fitted.collect()
        };
        let mut names = vec![stem(file)];
        let mut predictions = BTreeMap::from([(stem(file), named(&stem(file), made))]);
        if let (Some(file), Some(other)) = (&self.against, other) {
            let name = if stem(file) == names[0] { format!("{} (against)", stem(file)) } else { stem(file) };
            predictions.insert(name.clone(), named(&name, other));
            names.push(name);
        }
        self.report(&Scored::new(&benchmark, &predictions, &names)?)
    }

    fn report(&self, scored: &Scored) -> Result<()> {
        let Scored { benchmark, report, scores, .. } = scored;
        let more = if self.more { more_scores(scored)? } else { Vec::new() };
        if let Some(folder) = &self.out {
            let section = section(scored)?;
            write_scores(folder, &section)?;
            let methods: Vec<&str> = scores.iter().map(|method| method.method.as_str()).collect();
            let facts = vec![("predictions".to_owned(), methods.join(", "))];
            write_html(&folder.join("report.html"), &benchmark.name, facts, vec![section])?;
        }
        let leak_free = benchmark.leak_free_report(scores);
        let compared = match &scores[..] {
            [a, b] => compare(a, b, benchmark),
            _ => Vec::new(),
        };
        if self.json {
            let mut json: serde_json::Value = serde_json::from_str(&json_of(report, &more, leak_free.as_ref())?)?;
            if !compared.is_empty() {
                json["compared"] = serde_json::to_value(&compared)?;
            }
            println!("{json}");
            return Ok(());
        }
        let subset = leak_free.map(|report| format!("\n{}", report.table(true))).unwrap_or_default();
        print!("{}{subset}{}", report.table(true), more_tables(&more, benchmark.shown_alpha()));
        for method in scores.iter().filter(|method| method.invalid() > 0) {
            println!("{}: {} predictions are no finite numbers and count as wrong", method.method, method.invalid());
        }
        for Compared { alpha, difference, low, high, better } in compared {
            println!(
                "@{alpha:.2}: {} − {} = {difference:+.1} [{low:+.1}, {high:+.1}], better in {:.1} % of resamples",
                scores[0].method,
                scores[1].method,
                100.0 * better
            );
        }
        Ok(())
    }
}

/// How much better the first predictions are than the second, at a threshold, in percent.
#[derive(Serialize)]
struct Compared {
    alpha: f64,
    difference: f64,
    low: f64,
    high: f64,
    /// Share of the bootstrap's resamples in which they are.
    better: f64,
}

fn compare(a: &MethodScores, b: &MethodScores, benchmark: &Benchmark) -> Vec<Compared> {
    let protocol = &benchmark.protocol;
    let differences = paired_bootstrap(&a.pairs, &b.pairs, protocol.average, Bootstrap::default());
    let rows = protocol.alphas.iter().zip(differences).map(|(&alpha, found)| Compared {
        alpha,
        difference: 100.0 * found.difference,
        low: 100.0 * found.low,
        high: 100.0 * found.high,
        better: found.better,
    });
    rows.collect()
}

/// The template of a data set of one's own.
fn write_template(path: &Path) -> Result<()> {
    let template = match path.extension().and_then(|extension| extension.to_str()) {
        Some("csv") => CSV_TEMPLATE,
        Some("jsonl") => JSONL_TEMPLATE,
        _ => bail!("{}: a template is a .csv or a .jsonl file", path.display()),
    };
    if path.exists() {
        bail!("{} is already there and is not overwritten", path.display());
    }
    crate::atomic::write(path, template.as_bytes())
}

/// A line of JSON a pair: what another program has to know to predict it.
fn write_asked(path: &Path, benchmark: &Benchmark) -> Result<()> {
    let direction = benchmark.protocol.direction;
    let mut text = String::new();
    let mut unwritable = 0;
    for pair in &benchmark.pairs {
        let (asked, predicted) = (direction.asked(pair), direction.predicted(pair));
        unwritable += [&asked.path, &predicted.path].iter().filter(|path| path.to_str().is_none()).count();
        let unshared: Vec<[f32; 2]> = asked.unshared.iter().map(|unshared| unshared.point).collect();
        let line = serde_json::json!({
            "pair": pair.id, "asked_in": json_path(&asked.path), "predict_in": json_path(&predicted.path),
            "points": asked.points, "unshared_points": unshared,
        });
        text += &format!("{line}\n");
    }
    if unwritable > 0 {
        warn!("{unwritable} paths of images are not valid UTF-8 and stand in {} with U+FFFD in them", path.display());
    }
    crate::atomic::write(path, text.as_bytes())
}

//! A run scored on dense flow (TSS) and on transferred outlines (Caltech-101).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use eval::{
    BenchmarkName, BenchmarkSection, CaltechPairs, Flow, FlowScore, ReadCounts, Row, ScoreReport, TSS_ALPHA, TssPair,
    TssScores, flow_bytes, identity, localisation_error, published_scores, read_caltech, read_flow, read_foreground,
    read_tss, score_flow, score_mask_transfer, tight_box,
};
use serde::Serialize;

use crate::benchmark::warn_of;
use crate::describe::{Description, Method};
use crate::score::{self, IDENTITY, match_points};
use crate::trained::Trained;
use crate::{atomic, progress};

/// A matcher is asked at every so many pixels; between them its answers are interpolated.
const LATTICE: u32 = 8;

/// Scores a run on TSS or Caltech-101, and prints the result.
///
/// # Errors
///
/// A data set that is not there or damaged, a full disk.
pub fn evaluate(
    name: BenchmarkName,
    folder: &Path,
    trained: &mut Trained,
    json: bool,
) -> Result<Option<BenchmarkSection>> {
    match name {
        BenchmarkName::Tss => tss(folder, trained, json).map(Some),
        BenchmarkName::Caltech => caltech(folder, trained, json).map(|()| None),
        _ => bail!("{name} has key points, not dense annotations"),
    }
}

/// Flow of every method for both directions of every pair; the last method's is kept as `.flo` in the run's eval folder.
fn tss(folder: &Path, trained: &mut Trained, json: bool) -> Result<BenchmarkSection> {
    let pairs = read_tss(folder)?;
    let methods = Method::all(trained.config.student.stages);
    let kept = trained.run.eval("tss");
    let scratch = tempfile::tempdir().context("cannot create a temporary folder")?;
    // (method, kit or foreground) to the scores of directed pairs with their subsets.
    let mut scores: BTreeMap<(String, bool), Vec<(&'static str, FlowScore)>> = BTreeMap::new();
    let bar = progress::count(pairs.len(), "flows");
    for pair in &pairs {
        for from in [0, 1] {
            let truth = read_flow(&pair.flows[from])?;
            let mask = read_foreground(&pair.masks[from])?;
            let other_size = pair.sizes[1 - from];
            let other = other_image(pair, from, scratch.path())?;
            let mut describer = trained.describer();
            let source = describer.describe(&pair.images[from], None)?;
            let target = describer.describe(&other, None)?;
            let mut flows = vec![(
                IDENTITY.to_owned(),
                flow_of(pair.sizes[from], |points| Ok(identity(points, pair.sizes[from], other_size)))?,
            )];
            for &method in &methods {
                let ask = |points: &[[f32; 2]]| {
                    let (source, target): ((&Description, _), (&Description, _)) =
                        ((&source, pair.sizes[from]), (&target, other_size));
                    match_points(&describer, source, target, points, method).map(|(found, _)| found)
                };
                flows.push((method.name(), flow_of(pair.sizes[from], ask)?));
            }
            if let Some((_, flow)) = flows.last() {
                let path = kept.join(format!("{}-flow{}.flo", pair.id.replace('/', "-"), from + 1));
                atomic::write(&path, &flow_bytes(flow))?;
            }
            for (method, flow) in flows {
                for masked in [false, true] {
                    let score = score_flow(&flow, &truth, other_size, masked.then_some(&mask), TSS_ALPHA)
                        .with_context(|| format!("{}, image {}", pair.id, from + 1))?;
                    scores.entry((method.clone(), masked)).or_default().push((pair.subset, score));
                }
            }
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    let names = score::names(&methods);
    let mut sections = Vec::new();
    for masked in [false, true] {
        let protocol =
            format!("flow,length=other-image,pixels={},average=subset", if masked { "foreground" } else { "known" });
        let mut notes = Vec::new();
        let mut rows = Vec::new();
        for name in &names {
            let of_method = TssScores::new(&scores[&(name.clone(), masked)]);
            let subsets: Vec<String> =
                of_method.subsets.iter().map(|subset| format!("{} {:.1}", subset.subset, subset.score)).collect();
            notes.push(format!("{name}: {}", subsets.join(", ")));
            let pck = of_method.average;
            rows.push(Row { method: name.clone(), alpha: TSS_ALPHA, pck, low: pck, high: pck });
        }
        let (benchmark, counts) = ("tss".to_owned(), ReadCounts::default());
        let report = ScoreReport { benchmark, protocol, pairs: pairs.len(), rows, counts };
        if json {
            println!("{}", serde_json::to_string(&report)?);
        } else {
            print!("\n{}", report.table(false));
            notes.iter().for_each(|note| println!("  {note}"));
        }
        sections.push((report, notes));
    }
    let (report, notes) = sections.swap_remove(0);
    Ok(BenchmarkSection {
        report,
        notes,
        curves: Vec::new(),
        classes: None,
        pairs: Vec::new(),
        published: published_scores("tss"),
    })
}

/// The image that a flow points into: mirrored, where the data set says that it is to be.
fn other_image(pair: &TssPair, from: usize, scratch: &Path) -> Result<PathBuf> {
    let path = &pair.images[1 - from];
    if !pair.flip {
        return Ok(path.clone());
    }
    let mirrored = scratch.join(format!("{}-{}.png", pair.id.replace('/', "-"), 2 - from));
    if !mirrored.exists() {
        let image = sc_imagenet::decode(path, &sc_imagenet::DecodeLimits::default())?;
        image::imageops::flip_horizontal(&image).save(&mirrored)?;
    }
    Ok(mirrored)
}

/// A flow from answers on a lattice, bilinear between its points.
fn flow_of(size: (u32, u32), answer: impl Fn(&[[f32; 2]]) -> Result<Vec<[f32; 2]>>) -> Result<Flow> {
    let places = |length: u32| -> Vec<u32> { (0..length).step_by(LATTICE as usize).chain([length - 1]).collect() };
    let (columns, rows) = (places(size.0), places(size.1));
    let points: Vec<[f32; 2]> = rows.iter().flat_map(|&y| columns.iter().map(move |&x| [x as f32, y as f32])).collect();
    let answers = answer(&points)?;
    let vectors: Vec<[f32; 2]> = points.iter().zip(&answers).map(|(p, q)| [q[0] - p[0], q[1] - p[1]]).collect();
    let between = |places: &[u32], at: u32| {
        let low = (at / LATTICE) as usize;
        let low = low.min(places.len().saturating_sub(2));
        let high = (low + 1).min(places.len() - 1);
        let span = (places[high] - places[low]).max(1);
        (low, high, (at - places[low]) as f32 / span as f32)
    };
    let mut dense = Vec::with_capacity(size.0 as usize * size.1 as usize);
    for y in 0..size.1 {
        let (top, bottom, down) = between(&rows, y);
        for x in 0..size.0 {
            let (left, right, across) = between(&columns, x);
            let at = |row: usize, column: usize| vectors[row * columns.len() + column];
            dense.push([0, 1].map(|axis| {
                let mix = |row| at(row, left)[axis] * (1.0 - across) + at(row, right)[axis] * across;
                mix(top) * (1.0 - down) + mix(bottom) * down
            }));
        }
    }
    Ok(Flow::new(size, dense))
}

/// What one method scored on the outlines of Caltech-101.
#[derive(Serialize)]
struct OutlineRow {
    method: String,
    /// LT-ACC, mean over pairs.
    label_accuracy: f64,
    /// IoU, mean over pairs.
    iou: f64,
    /// LOC-ERR, mean over pairs.
    localisation_error: f64,
}

fn caltech(folder: &Path, trained: &mut Trained, json: bool) -> Result<()> {
    let CaltechPairs { pairs, counts } = read_caltech(folder)?;
    warn_of("caltech", &counts);
    let methods = Method::all(trained.config.student.stages);
    let mut sums: Vec<(String, [f64; 3], [usize; 2])> =
        score::names(&methods).into_iter().map(|name| (name, [0.0; 3], [0; 2])).collect();
    let bar = progress::count(pairs.len(), "outlines");
    for pair in &pairs {
        let mut describer = trained.describer();
        let source = describer.describe(&pair.source.path, None)?;
        let target = describer.describe(&pair.target.path, None)?;
        let asked = &pair.source.outline;
        let mut answers = vec![identity(asked, pair.source.size, pair.target.size)];
        for &method in &methods {
            let (source, target) = ((&source, pair.source.size), (&target, pair.target.size));
            answers.push(match_points(&describer, source, target, asked, method)?.0);
        }
        for ((_, sums, counts), answer) in sums.iter_mut().zip(&answers) {
            let score =
                score_mask_transfer(answer, &pair.target.outline, pair.target.size).with_context(|| pair.id.clone())?;
            sums[0] += score.label_accuracy;
            sums[1] += score.iou;
            counts[0] += 1;
            if let (Some(from), Some(to)) = (tight_box(asked), tight_box(&pair.target.outline)) {
                let error = localisation_error(asked, answer, from, to).with_context(|| pair.id.clone())?;
                if let Some(mean) = error.mean {
                    sums[2] += mean;
                    counts[1] += 1;
                }
            }
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    let rows: Vec<OutlineRow> = sums
        .into_iter()
        .map(|(method, sums, counts)| OutlineRow {
            method,
            label_accuracy: sums[0] / counts[0].max(1) as f64,
            iou: sums[1] / counts[0].max(1) as f64,
            localisation_error: sums[2] / counts[1].max(1) as f64,
        })
        .collect();
    if json {
        let report = serde_json::json!({
            "benchmark": "caltech", "protocol": "outline", "pairs": pairs.len(), "rows": rows, "counts": counts,
        });
        println!("{report}");
        return Ok(());
    }
    println!("\ncaltech, {} pairs, outlines of objects transferred", pairs.len());
    println!("{:<16} {:>8} {:>8} {:>8}", "", "LT-ACC", "IoU", "LOC-ERR");
    for OutlineRow { method, label_accuracy, iou, localisation_error } in rows {
        println!("{method:<16} {label_accuracy:>8.3} {iou:>8.3} {localisation_error:>8.3}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flow_between_lattice_points_is_linear() {
        let answer = |points: &[[f32; 2]]| Ok(points.iter().map(|p| [1.5 * p[0] + 2.0, p[1] - 0.25 * p[0]]).collect());
        for size in [(1, 1), (8, 9), (37, 20), (16, 1)] {
            let flow = flow_of(size, answer).unwrap();
            for y in 0..size.1 {
                for x in 0..size.0 {
                    let (x, y) = (x as f32, y as f32);
                    let [u, v] = flow.get(x as u32, y as u32).unwrap();
                    assert!(
                        (u - (0.5 * x + 2.0)).abs() < 1e-4 && (v + 0.25 * x).abs() < 1e-4,
                        "{size:?} {x} {y}: {u} {v}"
                    );
                }
            }
        }
    }
}

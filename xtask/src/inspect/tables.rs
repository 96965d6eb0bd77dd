//! Counts as tables, which the terminal and the gallery show alike.

use eval::GalleryTable;
use sc_imagenet::{ClassStatistics, Split};

use super::checks::{CheckReport, Precision};
use super::survey::Survey;
use crate::text_table::aligned;

/// Numbers of key points that are counted together: from here to the next.
const POINT_RANGES: [usize; 6] = [1, 5, 10, 20, 40, 80];

/// The counts of everything, as name and value.
pub fn facts(survey: &Survey) -> Vec<(String, String)> {
    let counted = &survey.statistics;
    let real = |value: Option<f64>, unit: &str| {
        value.map_or_else(|| "not known".to_owned(), |value| format!("{value:.2}{unit}"))
    };
    let mut facts = Vec::new();
    let mut add = |name: &str, value: String| facts.push((name.to_owned(), value));
    if survey.indexed {
        let (judged, kept) = (counted.judged(), counted.kept());
        add("images judged", judged.to_string());
        add("images kept", format!("{kept}{}", of(kept, judged)));
        for (reason, count) in &counted.rejections {
            add(&format!("rejected: {reason}"), format!("{count}{}", of(*count, judged)));
        }
    }
    add("images in pairs", counted.paired_images().to_string());
    add("images in both splits", counted.images_in_both_splits().to_string());
    for split in Split::ALL {
        add(&format!("pairs ({})", split.name()), counted.pairs(split).to_string());
    }
    add("key points", counted.points().to_string());
    add("key points a pair", real(counted.points_a_pair(), ""));
    add("mean confidence", real(counted.confidences.value(), ""));
    add("mean cycle error", real(counted.cycle_errors.value(), " pixels"));
    facts
}

/// Names and values, one a line.
pub fn facts_text(facts: &[(String, String)]) -> String {
    let width = facts.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default();
    facts.iter().map(|(name, value)| format!("{name:<width$}  {value}\n")).collect()
}

/// Class by class, key points a pair, and the confidences.
pub fn counts(survey: &Survey) -> Vec<GalleryTable> {
    let counted = &survey.statistics;
    let mut tables = vec![classes(survey)];
    let ends = POINT_RANGES.iter().skip(1).map(|&next| Some(next)).chain([None]);
    let ranges = POINT_RANGES.iter().zip(ends).map(|(&from, end)| {
        let within = counted
            .pairs_by_points
            .iter()
            .filter(|(points, _)| **points >= from && end.is_none_or(|end| **points < end));
        let name = end.map_or_else(|| format!("{from} and more"), |end| format!("{from} to {}", end - 1));
        (name, within.map(|(_, pairs)| *pairs).sum::<u64>())
    });
    tables.extend(histogram("Pairs by their number of key points", ["key points", "pairs"], ranges));
    let bins = (0..).zip(counted.confidence_histogram).map(|(bin, count)| (format!(".{bin}"), count));
    tables.extend(histogram(
        "Key points by confidence, from .0 up to .1 and so on",
        ["confidence", "key points"],
        bins,
    ));
    tables
}

/// Labels held against key points.
pub fn checked(report: &CheckReport) -> Vec<GalleryTable> {
    let percent = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |value| format!("{:.1}", 100.0 * value));
    let at = |alpha: &f64| format!("@{alpha:.2}");
    let mut header: Vec<String> = ["class", "points", "labelled", "coverage %"].map(str::to_owned).to_vec();
    header.extend(report.alphas.iter().map(at));
    header.extend(report.alphas.iter().map(|alpha| format!("{} unmoved", at(alpha))));
    let row = |(name, class): (&str, &Precision)| {
        let mut row = vec![name.to_owned(), class.tally.points.to_string(), class.tally.labelled.to_string()];
        row.push(percent(class.coverage));
        for shares in [class.precision, class.precision_unmoved] {
            row.extend((0..report.alphas.len()).map(|place| percent(shares.map(|shares| shares[place]))));
        }
        row
    };
    let classes = report.classes.iter().map(|(name, class)| (name.as_str(), class));
    let mut tables = vec![GalleryTable {
        caption: format!(
            "Precision in percent of the labels within one of {cells} × {cells} cells of a key point of {} ({}), in {} \
             pairs, {}",
            report.benchmark,
            report.split,
            report.pairs,
            report.protocol,
            cells = report.cells
        ),
        header,
        rows: classes.chain([("all", &report.all)]).map(row).collect(),
    }];
    let alpha = at(&report.confidence_alpha);
    if !report.kept.is_empty() {
        let row = |point: &pseudo_label::CoveragePoint| {
            let confidence = format!("{:.3}", point.confidence);
            vec![format!("{:.1} %", 100.0 * point.kept), confidence, percent(Some(point.precision))]
        };
        tables.push(GalleryTable {
            caption: format!("Precision {alpha} in percent of the surest labels"),
            header: ["kept", "confidence from", "right %"].map(str::to_owned).to_vec(),
            rows: report.kept.iter().map(row).collect(),
        });
    }
    if let (Some(bins), Some(error)) = (&report.reliability, report.expected_calibration_error) {
        let row = |bin: &pseudo_label::ReliabilityBin| {
            let confidence = percent(Some(bin.confidence));
            vec![format!("from {:.1}", bin.from), bin.count.to_string(), confidence, percent(Some(bin.right))]
        };
        tables.push(GalleryTable {
            caption: format!("Reliability of the confidences {alpha}: expected calibration error {error:.3}"),
            header: ["confidence", "labels", "mean confidence %", "right %"].map(str::to_owned).to_vec(),
            rows: bins.iter().filter(|bin| bin.count > 0).map(row).collect(),
        });
    }
    tables
}

/// What has to be said with checked labels.
pub fn check_notes(report: &CheckReport) -> Vec<String> {
    let mut notes = Vec::new();
    if report.other_sizes > 0 {
        notes.push(format!(
            "{} pairs are not checked: their images have other sizes than the annotated ones.",
            report.other_sizes
        ));
    }
    if report.reliability.is_none() {
        notes.push("No checked label has a confidence: there is nothing to say of confidences.".to_owned());
    }
    notes
}

/// A table as text: its caption, and columns as wide as their widest cell.
pub fn text(table: &GalleryTable) -> String {
    let columns: Vec<Vec<String>> = (0..table.header.len())
        .map(|column| {
            let cells = table.rows.iter().map(|row| row[column].clone());
            std::iter::once(table.header[column].clone()).chain(cells).collect()
        })
        .collect();
    format!("{}\n{}", table.caption, aligned(&columns))
}

fn classes(survey: &Survey) -> GalleryTable {
    let counted = &survey.statistics;
    let reasons: Vec<&String> = counted.rejections.keys().collect();
    let mut header = vec!["class".to_owned()];
    if survey.indexed {
        header.extend(["judged", "kept"].map(str::to_owned));
        header.extend(reasons.iter().map(|reason| (*reason).clone()));
    }
    header.extend(Split::ALL.map(|split| format!("pairs {}", split.name())));
    header.extend(["key points", "a pair"].map(str::to_owned));
    let row = |(name, class): (&String, &ClassStatistics)| {
        let mut row = vec![name.clone()];
        if survey.indexed {
            row.extend([class.judged, class.kept].map(|count| count.to_string()));
            row.extend(reasons.iter().map(|reason| class.rejections.get(*reason).copied().unwrap_or(0).to_string()));
        }
        row.extend(class.pairs.map(|count| count.to_string()));
        row.push(class.points.to_string());
        let pairs: u64 = class.pairs.iter().sum();
        row.push(if pairs > 0 { format!("{:.1}", class.points as f64 / pairs as f64) } else { "–".to_owned() });
        row
    };
    let rows = counted.classes.iter().map(row).collect();
    GalleryTable { caption: "Images, pairs and key points, class by class".to_owned(), header, rows }
}

/// Counts with their shares; nothing where all of them are 0.
fn histogram(caption: &str, header: [&str; 2], counts: impl Iterator<Item = (String, u64)>) -> Option<GalleryTable> {
    let counts: Vec<(String, u64)> = counts.collect();
    let total: u64 = counts.iter().map(|(_, count)| count).sum();
    let row = |(name, count): (String, u64)| {
        vec![name, count.to_string(), format!("{:.1}", 100.0 * count as f64 / total as f64)]
    };
    (total > 0).then(|| GalleryTable {
        caption: caption.to_owned(),
        header: [header[0], header[1], "%"].map(str::to_owned).to_vec(),
        rows: counts.into_iter().map(row).collect(),
    })
}

/// A share in brackets.
fn of(count: u64, all: u64) -> String {
    if all == 0 { String::new() } else { format!(" ({:.1} %)", 100.0 * count as f64 / all as f64) }
}

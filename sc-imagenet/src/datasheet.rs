//! `DATASHEET.md`: what a data set is and how it was made, for whoever finds it.

use std::fmt::Write;

use serde::{Deserialize, Serialize};

use crate::build::BuildIdentity;
use crate::split::Split;
use crate::statistics::LayoutStatistics;

/// What a datasheet says beyond counts and configuration. Nothing in it may depend on time, machine or shards, or two
/// builds of the same data set differ.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatasheetFacts {
    /// The data set's name: the heading.
    pub title: String,
    /// Which images it was made from, in a sentence.
    pub images: String,
    /// The program and its version.
    pub program: String,
    /// The seed of every random choice.
    pub seed: u64,
    /// Which weights labelled it.
    pub weights: String,
    /// The SHA-256 of the weights, in hexadecimal; may be empty.
    pub weights_sha256: String,
    /// Under which terms images, weights and labels may be used, in a sentence or a few.
    pub licence_note: String,
    /// Further remarks, a paragraph each.
    pub notes: Vec<String>,
}

/// The text of the datasheet.
pub(crate) fn datasheet(facts: &DatasheetFacts, identity: &BuildIdentity, statistics: &LayoutStatistics) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = write_datasheet(&mut text, facts, identity, statistics);
    text
}

fn write_datasheet(
    out: &mut String,
    facts: &DatasheetFacts,
    identity: &BuildIdentity,
    statistics: &LayoutStatistics,
) -> std::fmt::Result {
    writeln!(out, "# {}\n", facts.title)?;
    writeln!(
        out,
        "Pairs of images of one class, with key points that correspond. The key points are pseudo-labels: a model \
         trained on class folders alone made them, nobody has checked them, and a confidence says how sure it was. \
         Points and boxes are in pixels of the upright original image, the centre of the top-left pixel being (0, 0).\n"
    )?;

    writeln!(out, "## Made from\n")?;
    writeln!(out, "- images: {}", facts.images)?;
    writeln!(out, "- program: {}", facts.program)?;
    let sha256 = if facts.weights_sha256.is_empty() { "unknown" } else { &facts.weights_sha256 };
    writeln!(out, "- weights: {} (SHA-256 {sha256})", facts.weights)?;
    writeln!(out, "- seed: {}", facts.seed)?;
    writeln!(out, "- configuration: hash `{}`, settings below\n", identity.config_hash)?;

    writeln!(out, "## Terms\n\n{}\n", facts.licence_note)?;
    for note in &facts.notes {
        writeln!(out, "{note}\n")?;
    }
    for warning in statistics.warnings() {
        writeln!(out, "**Warning:** {warning}.\n")?;
    }
    write_counts(out, statistics)?;
    write_classes(out, statistics)?;
    write_names(out, statistics)?;

    writeln!(out, "## Settings\n\n| setting | value |\n| --- | --- |")?;
    for (name, value) in &identity.settings {
        writeln!(out, "| {} | {} |", cell(name), cell(value))?;
    }
    Ok(())
}

fn write_counts(out: &mut String, statistics: &LayoutStatistics) -> std::fmt::Result {
    let mean = |value: Option<f64>| value.map_or("none".to_owned(), |value| format!("{value:.2}"));
    let (judged, kept) = (statistics.judged(), statistics.kept());
    let (train, validation) = (statistics.pairs(Split::Train), statistics.pairs(Split::Validation));
    writeln!(out, "## Counts\n\n| | |\n| --- | --- |")?;
    writeln!(out, "| classes | {} |", statistics.classes.len())?;
    writeln!(out, "| images judged | {judged} |")?;
    writeln!(out, "| images kept | {kept} |")?;
    for (reason, images) in &statistics.rejections {
        writeln!(out, "| images rejected: {} | {images} |", cell(reason))?;
    }
    for (threshold, images) in &statistics.thresholds {
        writeln!(out, "| images rejected by the setting `{}` | {images} |", cell(threshold))?;
    }
    writeln!(out, "| images in a pair | {} |", statistics.paired_images())?;
    writeln!(out, "| images in pairs of both splits | {} |", statistics.images_in_both_splits())?;
    writeln!(out, "| pairs, training | {train} |")?;
    writeln!(out, "| pairs, validation | {validation} |")?;
    writeln!(out, "| key points | {} |", statistics.points())?;
    writeln!(out, "| key points a pair, mean | {} |", mean(statistics.points_a_pair()))?;
    writeln!(out, "| confidence, mean | {} |", mean(statistics.confidences.value()))?;
    writeln!(out, "| cycle error, mean, pixels | {} |\n", mean(statistics.cycle_errors.value()))
}

fn write_classes(out: &mut String, statistics: &LayoutStatistics) -> std::fmt::Result {
    writeln!(out, "## Classes\n\n| class | judged | kept | training pairs | validation pairs | key points |")?;
    writeln!(out, "| --- | ---: | ---: | ---: | ---: | ---: |")?;
    for (name, class) in &statistics.classes {
        let [train, validation] = class.pairs;
        let (judged, kept, points) = (class.judged, class.kept, class.points);
        writeln!(out, "| {} | {judged} | {kept} | {train} | {validation} | {points} |", cell(name))?;
    }
    writeln!(out)
}

/// What is called otherwise than in the source.
fn write_names(out: &mut String, statistics: &LayoutStatistics) -> std::fmt::Result {
    let (classes, images) = (&statistics.renamed_classes, statistics.renamed_images);
    if classes.is_empty() && images == 0 {
        return Ok(());
    }
    writeln!(
        out,
        "## Names\n\nLoaders of this layout take names apart at `-` and `:`. Names that they would misread are written with \
         `~` and the two hexadecimal digits of a byte: `~2D` is `-`. Of files that differ by extension alone the whole name \
         is the id, its last dot written as `~2E`; of names that differ by case alone capitals are written so too; names too \
         long end with `~FF` and a hash. The columns `source_class` and `source_name` of `index/images.parquet` have every \
         original name. Renamed: {} classes, {images} images.\n\n| here | in the source |\n| --- | --- |",
        classes.len()
    )?;
    for (name, original) in classes.iter().chain(&statistics.renamed_examples) {
        writeln!(out, "| {} | {} |", cell(name), cell(original))?;
    }
    if images > statistics.renamed_examples.len() as u64 {
        writeln!(out, "| … | |")?;
    }
    writeln!(out)
}

/// A text that ends neither its cell nor its row.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace(['\n', '\r'], " ")
}

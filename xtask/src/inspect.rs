//! `cargo xtask inspect`: what a finished data set of labels holds, in numbers and pictures, and how many of its labels are
//! right where key points are known.

mod against;
mod calibrate;
mod checks;
mod figures;
mod gallery;
mod pictures;
mod sample;
mod survey;
mod tables;

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use sc_imagenet::{ImageSource, Layout};
use serde::Serialize;
use tracing::info;

use crate::sources::SourceFlags;
use crate::{atomic, logging};
use against::Against;
use calibrate::CalibratorKind;
use checks::{CheckReport, Checks};
use pictures::Pictures;
use survey::{Survey, SurveyReport};

/// Show what a data set of labels holds: counts, and a gallery of pairs and images in one HTML file.
///
/// DIR is what `label` and `merge` wrote, or the published SC-ImageNet.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:
  cargo xtask inspect LABELS
  cargo xtask inspect LABELS --data IMAGES --pairs 100
  cargo xtask inspect LABELS --against willow=WILLOW-ObjectClass:val --json
  cargo xtask inspect LABELS --against willow=WILLOW-ObjectClass:train --fit-calibrator fit.json")]
pub struct InspectArgs {
    /// The data set's folder
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Where the gallery is written; default: DIR/inspect.html
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Write no gallery
    #[arg(long, conflicts_with = "html")]
    no_html: bool,
    /// The images that were labelled, for what the data set holds no image of: class folders, a tar of tars, WebDataset
    /// shards
    #[arg(long, value_name = "SRC")]
    data: Option<PathBuf>,
    #[command(flatten)]
    source: SourceFlags,
    /// The seed of the choice of pairs and images that are shown
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Show so many pairs
    #[arg(long, default_value_t = 40)]
    pairs: usize,
    /// Show so many images, half of them kept and half rejected
    #[arg(long, default_value_t = 60)]
    images: usize,
    /// Hold labels against annotated key points: willow, pf-willow, spair or ap-10k, its folder, and a part of it
    /// (default: all of willow, else the part that scores are published on)
    #[arg(long, value_name = "NAME=FOLDER[:SPLIT]")]
    against: Option<Against>,
    /// A label speaks of an annotated key point if it lies within one cell of it, of so many cells along each side of the
    /// image
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    cells: u32,
    /// Fit a calibrator of confidences to the checked labels and write it, for `label --calibrator FILE`
    #[arg(long, value_name = "FILE", requires = "against")]
    fit_calibrator: Option<PathBuf>,
    /// What is fitted: isotonic wants some hundreds of checked labels, platt does with some dozens
    #[arg(long, value_enum, default_value_t)]
    kind: CalibratorKind,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Report {
    folder: String,
    statistics: SurveyReport,
    #[serde(skip_serializing_if = "Option::is_none")]
    against: Option<CheckReport>,
}

impl InspectArgs {
    /// Runs the command.
    ///
    /// # Errors
    ///
    /// A folder that holds no data set or a damaged one, key points that cannot be read or are of other images, a full disk.
    pub fn run(&self) -> Result<()> {
        logging::start(None)?;
        let layout = Layout::open(&self.folder)?;
        if self.fit_calibrator.is_some() {
            calibrate::require_uncalibrated(&self.folder)?;
        }
        let mut checks = self.against.as_ref().map(|against| Checks::new(against, self.cells)).transpose()?;
        // Before everything is read: a wrong path should not be noticed at the end.
        let source = self.source()?;

        let mut survey = Survey::new(self.seed, self.pairs, self.images);
        survey.read_images(&layout)?;
        survey.read_pairs(&layout, |pair| {
            if let Some(checks) = &mut checks {
                checks.check(pair);
            }
        })?;

        let checked = checks.as_ref().map(Checks::report).transpose()?;
        if let (Some(path), Some(checks)) = (&self.fit_calibrator, &checks) {
            calibrate::write(path, self.kind, checks.labels())?;
            info!("{}: {} calibrator, fitted to {} labels", path.display(), self.kind.name(), checks.labels().len());
        }
        if !self.no_html {
            let path = self.html.clone().unwrap_or_else(|| self.folder.join("inspect.html"));
            let gallery = gallery::gallery(
                &self.folder,
                &survey,
                checks.as_ref().zip(checked.as_ref()),
                &Pictures { layout: &layout, source: source.as_ref() },
            );
            let written = atomic::write(&path, gallery.html().as_bytes());
            written.context("give another place with --html FILE, or leave the gallery out with --no-html")?;
            info!("{}: {} pairs and {} images", path.display(), gallery.pairs.len(), {
                gallery.kept.len() + gallery.rejected.len()
            });
        }

        let report =
            Report { folder: self.folder.display().to_string(), statistics: survey.report(), against: checked };
        if self.json {
            println!("{}", serde_json::to_string(&report)?);
            return Ok(());
        }
        print!("{}", tables::facts_text(&tables::facts(&survey)));
        for table in tables::counts(&survey) {
            print!("\n{}", tables::text(&table));
        }
        for table in report.against.iter().flat_map(tables::checked) {
            print!("\n{}", tables::text(&table));
        }
        Ok(())
    }

    fn source(&self) -> Result<Option<ImageSource>> {
        self.data.as_deref().map(|path| self.source.open(path)).transpose()
    }
}

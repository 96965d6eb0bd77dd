//! `cargo xtask merge`: one data set from the parts that shards wrote.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use sc_imagenet::{
    ImagePlacement, ImageSource, LayoutStatistics, MergeOptions, SourceForm, Split, check_images, merge,
};
use tracing::{info, warn};

use crate::label::LabelFacts;
use crate::logging;
use crate::progress;
use crate::sources::{SourceFlags, tell_unused};

/// What CATs' loader calls the folder SC-IMAGENET.
const CATS_FOLDER: &str = "SC-ImageNet";

/// What becomes of the images of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Placement {
    /// Symbolic links to the files of class folders.
    Link,
    /// Copies of the files or members, byte for byte.
    Copy,
    /// No images: for those who have them in their place already.
    None,
}

/// Join the parts of a build, in any order, into one data set.
///
/// The bytes are those of a build in one part.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:
  cargo xtask merge LABELS --out LABELS --data IMAGES
  cargo xtask merge MACHINE-A MACHINE-B --out LABELS --images none")]
pub struct MergeArgs {
    /// Folders that shards were written to
    #[arg(required = true, value_name = "DIR")]
    parts: Vec<PathBuf>,
    /// Where the data set goes; may be one of the folders
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// The images that were labelled; without them none are placed
    #[arg(long, value_name = "SRC")]
    data: Option<PathBuf>,
    #[command(flatten)]
    source: SourceFlags,
    /// Links, copies or none; default: links to the files of class folders, copies of members of tars
    #[arg(long, value_enum)]
    images: Option<Placement>,
    /// Print the data set's statistics as JSON
    #[arg(long)]
    json: bool,
}

impl MergeArgs {
    /// Runs the command.
    ///
    /// # Errors
    ///
    /// Parts that are missing, unfinished or of another build, a full disk: nothing is lost, the merge can be repeated.
    pub fn run(&self) -> Result<()> {
        logging::start(None)?;
        let facts = LabelFacts::read(&self.parts[0])?;
        let source = self.data.as_deref().map(|data| self.source.open(data)).transpose()?;
        if let (Some(data), Some(source)) = (&self.data, &source) {
            tell_unused(data, source);
        }
        let statistics = merge_into(&self.parts, &self.out, facts, self.images, source.as_ref())?;
        info!(
            "{} pairs ({} for validation) of {} images in {}",
            statistics.pairs(Split::Train) + statistics.pairs(Split::Validation),
            statistics.pairs(Split::Validation),
            statistics.kept(),
            self.out.display()
        );
        if self.json {
            println!("{}", serde_json::to_string(&statistics)?);
        }
        Ok(())
    }
}

/// Merges parts, showing how far it is.
///
/// # Errors
///
/// As [`MergeArgs::run`].
pub fn merge_into(
    parts: &[PathBuf],
    out: &Path,
    facts: LabelFacts,
    images: Option<Placement>,
    source: Option<&ImageSource>,
) -> Result<LayoutStatistics> {
    let placement = match (images, source) {
        (Some(Placement::None), _) | (None, None) => ImagePlacement::LeaveOut,
        (Some(_), None) => bail!("--images link or copy needs the images: give --data"),
        (Some(Placement::Link), Some(source)) => ImagePlacement::Link(source),
        (Some(Placement::Copy), Some(source)) => ImagePlacement::Copy(source),
        (None, Some(source)) if source.form() == SourceForm::ClassFolders => ImagePlacement::Link(source),
        (None, Some(source)) => ImagePlacement::Copy(source),
    };
    if let (ImagePlacement::LeaveOut, Some(source)) = (placement, source) {
        check_images(parts, source)?;
    }
    let options = MergeOptions {
        images: placement,
        max_points: facts.max_points,
        facts: facts.datasheet,
        training_first: facts.training_first,
    };
    let mut bar = None;
    let statistics = merge(parts, out, &options, |done, total| {
        let bar = bar.get_or_insert_with(|| progress::count(total, "pairs written"));
        bar.set_position(done as u64);
    })?;
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    warn_of(&statistics, out);
    Ok(statistics)
}

/// Says what is amiss with a data set that is whole.
fn warn_of(statistics: &LayoutStatistics, out: &Path) {
    for warning in statistics.warnings() {
        warn!("{}: {warning} (`cargo xtask label --set KEY=VALUE`)", out.display());
    }
    if statistics.pairs(Split::Train) > 0 && statistics.pairs(Split::Validation) == 0 {
        info!("{}: no pair is for validation", out.display());
    }
    if !out.join(CATS_FOLDER).exists() {
        warn!(
            "{}: this file system takes no links; CATs' loader wants SC-IMAGENET under the name {CATS_FOLDER}",
            out.display()
        );
    }
}

//! One data set from the parts of a build.

use std::path::{Path, PathBuf};

use super::parts::{Locator, MergeError, Parts};
use crate::datasheet::DatasheetFacts;
use crate::judged_image::JudgedImage;
use crate::labelled_pair::{DEFAULT_MAX_POINTS, LabelledPair};
use crate::layout::{ImagePlacement, LayoutWriter};
use crate::statistics::LayoutStatistics;

/// Pairs that are read before they are written, in parallel.
const PAIRS_AT_ONCE: usize = 512;

/// What a merge needs beyond the parts.
#[derive(Debug, Clone)]
pub struct MergeOptions<'a> {
    /// What becomes of the images.
    pub images: ImagePlacement<'a>,
    /// The most key points of a pair; [`DEFAULT_MAX_POINTS`] unless asked otherwise.
    pub max_points: usize,
    /// What the datasheet says.
    pub facts: DatasheetFacts,
}

impl Default for MergeOptions<'_> {
    fn default() -> Self {
        Self { images: ImagePlacement::LeaveOut, max_points: DEFAULT_MAX_POINTS, facts: DatasheetFacts::default() }
    }
}

/// Writes the data set of a build into `out` from its parts: every shard, finished, in any order. A folder in `parts` may
/// be a part's own or one that holds parts; `out` may be one of these.
///
/// The bytes are those of a build in one part. Pairs and images that are in more than one part, as after a shard was
/// built twice, are written once. `progress(done, total)` counts pairs. What is held in memory is 24 bytes a pair and some
/// 150 an image, never a part.
///
/// # Errors
///
/// [`MergeError`]. A merge that was interrupted can be begun again and loses nothing.
///
/// # Panics
///
/// If no folder is given.
pub fn merge(
    parts: &[PathBuf],
    out: &Path,
    options: &MergeOptions<'_>,
    mut progress: impl FnMut(usize, usize),
) -> Result<LayoutStatistics, MergeError> {
    let mut parts = Parts::find(parts)?;
    let mut writer = LayoutWriter::begin(out, &parts.identity, options.images, options.max_points)?;

    let pairs = std::mem::take(&mut parts.pairs);
    let mut waiting: Vec<LabelledPair> = Vec::with_capacity(PAIRS_AT_ONCE);
    let mut before: Option<Locator> = None;
    for (done, &locator) in (0..).zip(&pairs) {
        let pair = parts.pair(locator)?;
        if let Some((earlier, same)) = before.zip(waiting.last())
            && earlier.number == locator.number
        {
            if *same != pair {
                return Err(conflict(&parts, earlier, locator, format!("pair {}", pair.name())));
            }
            continue;
        }
        if waiting.len() == PAIRS_AT_ONCE {
            writer.write_pairs(&waiting)?;
            waiting.clear();
            progress(done, pairs.len());
        }
        waiting.push(pair);
        before = Some(locator);
    }
    writer.write_pairs(&waiting)?;
    progress(pairs.len(), pairs.len());

    let images = std::mem::take(&mut parts.images);
    let mut before: Option<(Locator, JudgedImage)> = None;
    for &locator in &images {
        let image = parts.image(locator)?;
        if let Some((earlier, same)) = &before
            && earlier.number == locator.number
        {
            if *same != image {
                return Err(conflict(&parts, *earlier, locator, format!("image {}/{}", image.class, image.id)));
            }
            continue;
        }
        writer.write_image(&image)?;
        before = Some((locator, image));
    }
    Ok(writer.finish(&options.facts)?)
}

fn conflict(parts: &Parts, one: Locator, other: Locator, what: String) -> MergeError {
    let (one, other) = (parts.folder_of(one).to_owned(), parts.folder_of(other).to_owned());
    MergeError::Conflict { what, one, other }
}

//! One data set from the parts of a build.

use std::path::{Path, PathBuf};

use super::parts::{Locator, MergeError, Parts};
use crate::content::{ContentCheck, hash_of_all};
use crate::datasheet::DatasheetFacts;
use crate::judged_image::JudgedImage;
use crate::labelled_pair::{DEFAULT_MAX_POINTS, LabelledPair};
use crate::layout::{ImagePlacement, LayoutWriter};
use crate::source::ImageSource;
use crate::split::Split;
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
    /// Training comes first: where more pairs are for validation than for training, as can be in small sets, all are for
    /// training. Images of the two never met, so that no pair is lost or mixed by it.
    pub training_first: bool,
}

impl Default for MergeOptions<'_> {
    fn default() -> Self {
        Self {
            images: ImagePlacement::LeaveOut,
            max_points: DEFAULT_MAX_POINTS,
            facts: DatasheetFacts::default(),
            training_first: false,
        }
    }
}

/// Writes the data set of a build into `out` from its parts: every shard, finished, in any order. A folder in `parts` may
/// be a part's own or one that holds parts; `out` may be one of these.
///
/// The bytes are those of a build in one part. Pairs and images that are in more than one part, as after a shard was
/// built twice, are written once. `progress(done, total)` counts pairs. What is held in memory is 24 bytes a pair and some
/// 170 an image, never a part.
///
/// Images that are placed are held against what was labelled first: a source whose images hold something else under the
/// same names is refused before anything is written.
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
    let mut parts = match options.images.source() {
        Some(source) => find_of(parts, source)?,
        None => Parts::find(parts, |_| ())?,
    };
    let identity = parts.identity.with_contents(hash_of_all(std::mem::take(&mut parts.contents)));
    let (validation, all) = (parts.validation.len(), parts.count_pairs());
    let all_training = options.training_first && validation > all - validation;
    let mut writer = LayoutWriter::begin(out, &identity, options.images, options.max_points)?;

    let pairs = std::mem::take(&mut parts.pairs);
    let mut waiting: Vec<LabelledPair> = Vec::with_capacity(PAIRS_AT_ONCE);
    let mut before: Option<Locator> = None;
    for (done, &locator) in (0..).zip(&pairs) {
        let mut pair = parts.pair(locator)?;
        if all_training {
            pair.split = Split::Train;
        }
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
    let mut facts = options.facts.clone();
    if all_training {
        facts
            .notes
            .push(format!("{validation} of {all} pairs were to be for validation: all of them are for training."));
    }
    Ok(writer.finish(&facts)?)
}

/// Whether the images of `source` are those that were labelled in `parts`, of which every shard is there and finished.
///
/// # Errors
///
/// [`MergeError::OtherImages`], with the first that differs; others where the parts cannot be read.
///
/// # Panics
///
/// If no folder is given.
pub fn check_images(parts: &[PathBuf], source: &ImageSource) -> Result<(), MergeError> {
    find_of(parts, source).map(drop)
}

/// The parts, if they were made from the images of `source`.
fn find_of(folders: &[PathBuf], source: &ImageSource) -> Result<Parts, MergeError> {
    let mut check = ContentCheck::new(source);
    let parts = Parts::find(folders, |image| check.see(image))?;
    check.finish(|_, _| ())?;
    Ok(parts)
}

fn conflict(parts: &Parts, one: Locator, other: Locator, what: String) -> MergeError {
    let (one, other) = (parts.folder_of(one).to_owned(), parts.folder_of(other).to_owned());
    MergeError::Conflict { what, one, other }
}

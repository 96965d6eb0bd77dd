//! What an image holds, noted where it is labelled, so that other images under the same names are not taken for it.
//!
//! The hash decides. It is made of bytes that are read anyway; beside it stands a stamp of the file, and while that is the
//! same, the file is not read again. For a member of a tar the stamp is the tar's, with the member's place in it.

use std::fs::Metadata;
use std::path::PathBuf;
use std::time::UNIX_EPOCH;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::decode::DecodeLimits;
use crate::judged_image::JudgedImage;
use crate::source::ImageSource;
use crate::split::{fnv_1a, fnv_1a_from};

/// Images that are read before progress is told.
const AT_ONCE: usize = 256;

/// Where an image came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageOrigin {
    /// The class as the source calls it.
    pub class: String,
    /// The file's name in its class folder, or the member's path in its tar.
    pub name: String,
    /// What it held; `None` where it could not be read.
    pub content: Option<ImageContent>,
}

/// What an image's file held when it was read. Two are equal if the bytes were, whenever and wherever they were read.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageContent {
    /// The length of the file or member, bytes.
    pub bytes: u64,
    /// FNV-1a of all of it, 64 bits.
    pub hash: u64,
    /// The file then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) stamp: Option<Stamp>,
}

/// A hash of a file's length, times, number in its file system, and the member's place in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stamp(u64);

/// The images of a source are not those that were labelled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{}: is not the image that was labelled as `{name}` ({detail}); {differing} of {labelled} labelled images are others \
     here: give the images that were labelled, or choose another output folder for these (nothing is changed)",
    .first.display()
)]
pub struct OtherImages {
    /// The first that differs, in the order of the source.
    pub first: PathBuf,
    /// Its class and id in the layout.
    pub name: String,
    /// What differs.
    pub detail: String,
    /// How many differ.
    pub differing: usize,
    /// How many were held against the source.
    pub labelled: usize,
}

/// Labelled images held against a source.
pub struct ContentCheck<'a> {
    source: &'a ImageSource,
    labelled: usize,
    /// Images whose file is not as it was: their numbers in the source, and what they held.
    doubtful: Vec<(usize, ImageContent)>,
}

impl PartialEq for ImageContent {
    fn eq(&self, other: &Self) -> bool {
        (self.bytes, self.hash) == (other.bytes, other.hash)
    }
}

impl Eq for ImageContent {}

impl ImageContent {
    pub(crate) fn of(bytes: &[u8], stamp: Option<Stamp>) -> Self {
        Self { bytes: bytes.len() as u64, hash: fnv_1a(bytes), stamp }
    }
}

impl Stamp {
    pub(crate) fn of(metadata: &Metadata, offset: u64) -> Self {
        let modified = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let text = format!("{} {:?} {:?} {offset}", metadata.len(), modified, identity(metadata));
        Self(fnv_1a(text.as_bytes()))
    }
}

/// Two files that are written within a tick of the clock can have one time.
#[cfg(unix)]
fn identity(metadata: &Metadata) -> (u64, i64, i64) {
    use std::os::unix::fs::MetadataExt;
    (metadata.ino(), metadata.ctime(), metadata.ctime_nsec())
}

#[cfg(not(unix))]
fn identity(_metadata: &Metadata) {}

impl<'a> ContentCheck<'a> {
    /// No image is held against `source` yet.
    pub fn new(source: &'a ImageSource) -> Self {
        Self { source, labelled: 0, doubtful: Vec::new() }
    }

    /// Looks at the file of a labelled image without reading it. Images that the source does not have, and those of which
    /// no content was noted, are passed over.
    pub fn see(&mut self, image: &JudgedImage) {
        let Some(content) = image.origin.as_ref().and_then(|origin| origin.content) else { return };
        let Some(number) = self.source.find(&image.class, &image.id) else { return };
        self.labelled += 1;
        if content.stamp.is_none() || content.stamp != self.source.stamp(number) {
            self.doubtful.push((number, content));
        }
    }

    /// Reads the images whose files have changed; `progress(done, total)` counts them.
    ///
    /// # Errors
    ///
    /// [`OtherImages`], where one holds something else, or cannot be read any more.
    pub fn finish(mut self, mut progress: impl FnMut(usize, usize)) -> Result<(), OtherImages> {
        self.doubtful.sort_unstable_by_key(|(number, _)| *number);
        let (mut first, mut differing, mut done) = (None, 0, 0);
        for some in self.doubtful.chunks(AT_ONCE) {
            let differences: Vec<_> = some.par_iter().map(|(number, noted)| self.difference(*number, *noted)).collect();
            for (difference, (number, _)) in differences.into_iter().zip(some) {
                if let Some(detail) = difference {
                    differing += 1;
                    first.get_or_insert((*number, detail));
                }
            }
            done += some.len();
            progress(done, self.doubtful.len());
        }
        let Some((number, detail)) = first else { return Ok(()) };
        let name = format!("{}/{}", self.source.class_name(number), self.source.images()[number].id());
        Err(OtherImages { first: self.source.describe(number), name, detail, differing, labelled: self.labelled })
    }

    /// What differs between an image and what was noted of it.
    fn difference(&self, number: usize, noted: ImageContent) -> Option<String> {
        let limits = DecodeLimits { max_file_bytes: u64::MAX, ..DecodeLimits::default() };
        match self.source.read_noting(number, &limits) {
            Err(error) => Some(error.refusal.to_string()),
            Ok((_, found)) if found == noted => None,
            Ok((_, found)) if found.bytes == noted.bytes => Some("it holds other bytes".to_owned()),
            Ok((_, found)) => Some(format!("it has {} bytes, that one had {}", found.bytes, noted.bytes)),
        }
    }
}

/// One hash of what all images hold; `None` of none. `contents` are numbers of images and hashes, in any order and however
/// often.
pub(crate) fn hash_of_all(mut contents: Vec<(u64, u64)>) -> Option<u64> {
    contents.sort_unstable();
    contents.dedup();
    let add = |hash, (number, content): &(u64, u64)| fnv_1a_from(hash, format!("{number} {content:016x}\n").as_bytes());
    (!contents.is_empty()).then(|| contents.iter().fold(fnv_1a(b""), add))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents_are_equal_if_bytes_are() {
        let noted = |bytes: &[u8], stamp| ImageContent::of(bytes, Some(Stamp(stamp)));
        assert_eq!(noted(b"a", 1), noted(b"a", 2));
        assert_ne!(noted(b"a", 1), noted(b"b", 1));
        assert_ne!(noted(b"", 1), noted(b"\0", 1));
    }

    #[test]
    fn the_hash_of_all_knows_no_order_and_no_repetition() {
        let all = hash_of_all(vec![(1, 7), (0, 5), (1, 7)]);
        assert_eq!(all, hash_of_all(vec![(0, 5), (1, 7)]));
        assert_ne!(all, hash_of_all(vec![(0, 7), (1, 5)]));
        assert_eq!(hash_of_all(Vec::new()), None);
    }
}

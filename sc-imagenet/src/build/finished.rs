//! What a journal says is done, so that it is not done again.

use std::collections::BTreeMap;

use super::journal_line::Record;
use super::journal_reader::Line;

/// What a journal already holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Finished {
    images: BTreeMap<u64, bool>,
    /// Pairs of each source.
    sources: BTreeMap<u64, u64>,
    complete: bool,
    pub(super) torn_bytes: u64,
}

impl Finished {
    /// Whether the image with this number is judged, and if so, whether it is kept.
    pub fn kept(&self, image: u64) -> Option<bool> {
        self.images.get(&image).copied()
    }

    /// Whether all pairs of the source image with this number are labelled.
    pub fn is_labelled(&self, source: u64) -> bool {
        self.sources.contains_key(&source)
    }

    /// How many images are judged.
    pub fn images(&self) -> usize {
        self.images.len()
    }

    /// How many source images have all their pairs.
    pub fn sources(&self) -> usize {
        self.sources.len()
    }

    /// How many pairs there are.
    pub fn pairs(&self) -> u64 {
        self.sources.values().sum()
    }

    /// Whether nothing is left to do: the part was finished.
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// Bytes of a line that was never finished, and is gone.
    pub fn torn_bytes(&self) -> u64 {
        self.torn_bytes
    }

    /// Adds what a line says; whether there may be another.
    pub(super) fn take_in(&mut self, line: Line) -> bool {
        match line {
            Line::End => return false,
            Line::Finished => self.complete = true,
            Line::Records(records) => {
                for record in records {
                    match record {
                        Record::Image(image) => drop(self.images.insert(image.number, image.kept())),
                        Record::Pairs { source, pairs } => drop(self.sources.insert(source, pairs.len() as u64)),
                    }
                }
            }
        }
        true
    }
}

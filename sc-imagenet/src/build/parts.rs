//! The parts of a build: where they are, whether they belong together, and where in them each pair and image is.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use super::BuildIdentity;
use super::journal::{FILE_NAME, JournalError};
use super::journal_line::{Header, Record};
use super::journal_reader::{JournalReader, Line, Start};
use crate::judged_image::JudgedImage;
use crate::labelled_pair::LabelledPair;
use crate::layout::LayoutWriteError;
use crate::shard::Shard;

const PARTS: &str = "parts";

/// The folder of a build's part in its output folder: `out/parts/0002-of-0007`.
pub fn part_folder(out: &Path, shard: Shard) -> PathBuf {
    out.join(PARTS).join(shard.folder_name())
}

/// Why parts cannot be merged.
#[derive(Debug, thiserror::Error)]
pub enum MergeError {
    /// No journal in a folder that was given.
    #[error("{}: holds no part of a build; give the folders that the shards were written to", .folder.display())]
    NoParts {
        /// The folder.
        folder: PathBuf,
    },
    /// A journal cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// Parts of two builds.
    #[error(
        "{} and {} are parts of different builds: {differences}; merge the parts of one build",
        .one.display(), .other.display()
    )]
    OtherBuild {
        /// A part.
        one: PathBuf,
        /// A part that does not belong to it.
        other: PathBuf,
        /// What differs.
        differences: String,
    },
    /// Parts that were not given.
    #[error("of {count} shards these are missing: {missing}; build them, or give their folders too")]
    MissingShards {
        /// How many there should be.
        count: u32,
        /// Those that are not there.
        missing: String,
    },
    /// A part whose build was interrupted.
    #[error("{}: shard {shard} is not finished; resume it first", .part.display())]
    Unfinished {
        /// The part's folder.
        part: PathBuf,
        /// Its shard.
        shard: Shard,
    },
    /// Two parts say different things of the same pair or image.
    #[error(
        "{} and {} have different results for {what}; one of them was made by another program or from other images",
        .one.display(), .other.display()
    )]
    Conflict {
        /// The pair or the image.
        what: String,
        /// A part.
        one: PathBuf,
        /// The other, which may be the same.
        other: PathBuf,
    },
    /// The data set cannot be written.
    #[error(transparent)]
    Layout(#[from] LayoutWriteError),
}

/// Where something is: its number, the part, the line, and its place in the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Locator {
    pub(super) number: u64,
    part: u32,
    place: u32,
    offset: u64,
}

/// The parts of one build, of which every shard is there and finished.
pub(super) struct Parts {
    pub(super) identity: BuildIdentity,
    pub(super) pairs: Vec<Locator>,
    pub(super) images: Vec<Locator>,
    parts: Vec<Part>,
}

struct Part {
    folder: PathBuf,
    reader: JournalReader,
    /// The line that was read last, by its first byte: its pairs and its images.
    line: Option<(u64, Vec<LabelledPair>, Vec<JudgedImage>)>,
}

impl Parts {
    /// Finds the parts in `folders`, each a part's folder or one that holds parts, and reads each once.
    pub(super) fn find(folders: &[PathBuf]) -> Result<Self, MergeError> {
        let mut found: Vec<PathBuf> = Vec::new();
        for folder in folders {
            let parts = parts_in(folder);
            if parts.is_empty() {
                return Err(MergeError::NoParts { folder: folder.clone() });
            }
            found.extend(parts);
        }
        // A part that is named twice is there once. The order is of no account but for messages.
        found.sort();
        found.dedup();

        let mut parts = Self {
            identity: BuildIdentity { config_hash: String::new(), settings: Default::default() },
            pairs: Vec::new(),
            images: Vec::new(),
            parts: Vec::new(),
        };
        let mut headers: Vec<(Header, PathBuf)> = Vec::new();
        for folder in found {
            let header = parts.add(&folder)?;
            if let Some((first, first_folder)) = headers.first() {
                check_same_build(first, first_folder, &header, &folder)?;
            }
            headers.push((header, folder));
        }
        let Some((first, _)) = headers.first() else {
            return Err(MergeError::NoParts { folder: PathBuf::new() });
        };
        check_complete(first.shard.count(), &headers)?;
        parts.identity = first.identity.clone();
        parts.pairs.sort_unstable();
        parts.images.sort_unstable();
        Ok(parts)
    }

    /// The folder of the part that something is in.
    pub(super) fn folder_of(&self, locator: Locator) -> &Path {
        &self.parts[locator.part as usize].folder
    }

    /// The pair at a place.
    pub(super) fn pair(&mut self, locator: Locator) -> Result<LabelledPair, MergeError> {
        let part = &mut self.parts[locator.part as usize];
        let pair = part.line(locator.offset)?.0.get(locator.place as usize).cloned();
        Ok(pair.ok_or_else(|| part.reader.changed())?)
    }

    /// The image at a place.
    pub(super) fn image(&mut self, locator: Locator) -> Result<JudgedImage, MergeError> {
        let part = &mut self.parts[locator.part as usize];
        let image = part.line(locator.offset)?.1.get(locator.place as usize).cloned();
        Ok(image.ok_or_else(|| part.reader.changed())?)
    }

    /// Reads a part once, and remembers where its pairs and images are.
    fn add(&mut self, folder: &Path) -> Result<Header, MergeError> {
        let path = folder.join(FILE_NAME);
        let file = File::open(&path).map_err(|source| JournalError::Read { path: path.clone(), source })?;
        let (mut reader, start) = JournalReader::open(&path, file)?;
        let Start::Header(header) = start else {
            return Err(MergeError::NoParts { folder: folder.to_owned() });
        };
        let part = self.parts.len() as u32;
        let mut finished = false;
        loop {
            let (offset, line) = reader.next()?;
            let records = match line {
                Line::Records(records) => records,
                Line::Finished => {
                    finished = true;
                    continue;
                }
                Line::End => break,
            };
            let (pairs, images) = split_records(records);
            let locator = |number, place| Locator { number, part, place, offset };
            self.pairs.extend((0..).zip(&pairs).map(|(place, pair)| locator(pair.number, place)));
            self.images.extend((0..).zip(&images).map(|(place, image)| locator(image.number, place)));
        }
        if !finished {
            return Err(MergeError::Unfinished { part: folder.to_owned(), shard: header.shard });
        }
        self.parts.push(Part { folder: folder.to_owned(), reader, line: None });
        Ok(header)
    }
}

impl Part {
    fn line(&mut self, offset: u64) -> Result<(&[LabelledPair], &[JudgedImage]), MergeError> {
        if self.line.as_ref().is_none_or(|(held, ..)| *held != offset) {
            let (pairs, images) = split_records(self.reader.records_at(offset)?);
            self.line = Some((offset, pairs, images));
        }
        match &self.line {
            Some((_, pairs, images)) => Ok((pairs, images)),
            None => Ok((&[], &[])),
        }
    }
}

fn split_records(records: Vec<Record>) -> (Vec<LabelledPair>, Vec<JudgedImage>) {
    let (mut all_pairs, mut images) = (Vec::new(), Vec::new());
    for record in records {
        match record {
            Record::Image(image) => images.push(image),
            Record::Pairs { pairs, .. } => all_pairs.extend(pairs),
        }
    }
    (all_pairs, images)
}

/// The parts in a folder: the folder itself, those in `parts` of it, or those directly in it.
fn parts_in(folder: &Path) -> Vec<PathBuf> {
    let is_part = |folder: &Path| folder.join(FILE_NAME).is_file();
    let inside = |folder: PathBuf| {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).filter(|path| is_part(path)).collect::<Vec<_>>()
    };
    if is_part(folder) {
        return vec![folder.to_owned()];
    }
    let parts = inside(folder.join(PARTS));
    if parts.is_empty() { inside(folder.to_owned()) } else { parts }
}

fn check_same_build(one: &Header, one_folder: &Path, other: &Header, other_folder: &Path) -> Result<(), MergeError> {
    let differences = if one.identity.config_hash != other.identity.config_hash {
        other.identity.differences(&one.identity)
    } else if one.shard.count() != other.shard.count() {
        format!("one has {} shards, the other {}", one.shard.count(), other.shard.count())
    } else {
        return Ok(());
    };
    let (one, other) = (one_folder.to_owned(), other_folder.to_owned());
    Err(MergeError::OtherBuild { one, other, differences })
}

fn check_complete(count: u32, headers: &[(Header, PathBuf)]) -> Result<(), MergeError> {
    let mut there: Vec<u32> = headers.iter().map(|(header, _)| header.shard.index()).collect();
    there.sort_unstable();
    there.dedup();
    if there.len() == count as usize {
        return Ok(());
    }
    const MOST_LISTED: usize = 20;
    let missing = (0..count).filter(|shard| there.binary_search(shard).is_err());
    let mut listed: Vec<String> = missing.take(MOST_LISTED).map(|shard| format!("{shard}/{count}")).collect();
    if count as usize - there.len() > MOST_LISTED {
        listed.push("…".to_owned());
    }
    Err(MergeError::MissingShards { count, missing: listed.join(", ") })
}

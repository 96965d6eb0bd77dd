//! The parts of a build: where they are, whether they belong together, and where in them each pair and image is.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::BuildIdentity;
use super::journal::{FILE_NAME, JournalError};
use super::journal_line::{Header, Record};
use super::journal_reader::{JournalReader, Line, Start};
use crate::content::OtherImages;
use crate::judged_image::JudgedImage;
use crate::labelled_pair::LabelledPair;
use crate::layout::LayoutWriteError;
use crate::shard::Shard;
use crate::split::Split;

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
    /// The images are not those that were labelled.
    #[error(transparent)]
    OtherImages(#[from] OtherImages),
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
    /// Numbers of the pairs that are for validation, ascending.
    pub(super) validation: Vec<u64>,
    /// Numbers of images and the hashes of what they hold, in any order.
    pub(super) contents: Vec<(u64, u64)>,
    folders: Vec<PathBuf>,
    /// The part that was read last. No other is kept open: there may be more of them than files that a process may open.
    open: Option<OpenPart>,
}

struct OpenPart {
    part: u32,
    reader: JournalReader,
    /// The line that was read last: its first byte, its pairs and its images.
    offset: Option<u64>,
    pairs: Vec<LabelledPair>,
    images: Vec<JudgedImage>,
}

impl Parts {
    /// Finds the parts in `folders`, each a part's folder or one that holds parts, and reads each once; `see` is shown every
    /// judged image.
    pub(super) fn find(folders: &[PathBuf], mut see: impl FnMut(&JudgedImage)) -> Result<Self, MergeError> {
        assert!(!folders.is_empty(), "0 folders of parts were given, at least 1 is needed");
        let mut found: Vec<PathBuf> = Vec::new();
        for folder in folders {
            found.extend(parts_in(folder)?);
        }
        // A part that is named twice is there once. The order is of no account but for messages.
        found.sort();
        found.dedup();

        let mut parts = Self {
            identity: BuildIdentity { config_hash: String::new(), settings: Default::default() },
            pairs: Vec::new(),
            images: Vec::new(),
            validation: Vec::new(),
            contents: Vec::new(),
            folders: Vec::new(),
            open: None,
        };
        let mut headers: Vec<(Header, PathBuf)> = Vec::new();
        for folder in found {
            let header = parts.add(&folder, &mut see)?;
            if let Some((first, first_folder)) = headers.first() {
                check_same_build(first, first_folder, &header, &folder)?;
            }
            headers.push((header, folder));
        }
        let (first, _) = &headers[0];
        check_complete(first.shard.count(), &headers)?;
        parts.identity = first.identity.clone();
        parts.pairs.sort_unstable();
        parts.images.sort_unstable();
        parts.validation.sort_unstable();
        parts.validation.dedup();
        Ok(parts)
    }

    /// How many pairs there are, each counted once however many parts have it.
    pub(super) fn count_pairs(&self) -> usize {
        self.pairs.chunk_by(|a, b| a.number == b.number).count()
    }

    /// The folder of the part that something is in.
    pub(super) fn folder_of(&self, locator: Locator) -> &Path {
        &self.folders[locator.part as usize]
    }

    /// The pair at a place.
    pub(super) fn pair(&mut self, locator: Locator) -> Result<LabelledPair, MergeError> {
        let part = self.open_at(locator)?;
        let pair = part.pairs.get(locator.place as usize).cloned();
        Ok(pair.ok_or_else(|| part.reader.changed())?)
    }

    /// The image at a place.
    pub(super) fn image(&mut self, locator: Locator) -> Result<JudgedImage, MergeError> {
        let part = self.open_at(locator)?;
        let image = part.images.get(locator.place as usize).cloned();
        Ok(image.ok_or_else(|| part.reader.changed())?)
    }

    /// The part that something is in, with its line read.
    fn open_at(&mut self, locator: Locator) -> Result<&mut OpenPart, MergeError> {
        let mut part = match self.open.take() {
            Some(open) if open.part == locator.part => open,
            _ => {
                let (reader, _) = open_journal(&self.folders[locator.part as usize])?;
                OpenPart { part: locator.part, reader, offset: None, pairs: Vec::new(), images: Vec::new() }
            }
        };
        if part.offset != Some(locator.offset) {
            (part.pairs, part.images) = split_records(part.reader.records_at(locator.offset)?);
            part.offset = Some(locator.offset);
        }
        Ok(self.open.insert(part))
    }

    /// Reads a part once, and remembers where its pairs and images are.
    fn add(&mut self, folder: &Path, see: &mut impl FnMut(&JudgedImage)) -> Result<Header, MergeError> {
        let (mut reader, start) = open_journal(folder)?;
        let Start::Header(header) = start else {
            return Err(MergeError::NoParts { folder: folder.to_owned() });
        };
        let part = self.folders.len() as u32;
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
            let validation = pairs.iter().filter(|pair| pair.split == Split::Validation);
            self.validation.extend(validation.map(|pair| pair.number));
            let content = |image: &JudgedImage| Some((image.number, image.origin.as_ref()?.content?.hash));
            self.contents.extend(images.iter().filter_map(content));
            images.iter().for_each(&mut *see);
            self.images.extend((0..).zip(&images).map(|(place, image)| locator(image.number, place)));
        }
        if !finished {
            return Err(MergeError::Unfinished { part: folder.to_owned(), shard: header.shard });
        }
        self.folders.push(folder.to_owned());
        Ok(header)
    }
}

fn open_journal(folder: &Path) -> Result<(JournalReader, Start), JournalError> {
    let path = folder.join(FILE_NAME);
    let file = File::open(&path).map_err(|source| JournalError::Read { path: path.clone(), source })?;
    JournalReader::open(&path, file)
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
fn parts_in(folder: &Path) -> Result<Vec<PathBuf>, MergeError> {
    if is_part(folder) {
        return Ok(vec![folder.to_owned()]);
    }
    for candidate in [folder.join(PARTS), folder.to_owned()] {
        let parts = parts_directly_in(&candidate)
            .map_err(|source| MergeError::Journal(JournalError::Read { path: candidate.clone(), source }))?;
        if !parts.is_empty() {
            return Ok(parts);
        }
    }
    Err(MergeError::NoParts { folder: folder.to_owned() })
}

fn is_part(folder: &Path) -> bool {
    folder.join(FILE_NAME).is_file()
}

fn parts_directly_in(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut parts = Vec::new();
    if folder.is_dir() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if is_part(&path) {
                parts.push(path);
            }
        }
    }
    Ok(parts)
}

fn check_same_build(one: &Header, one_folder: &Path, other: &Header, other_folder: &Path) -> Result<(), MergeError> {
    let differences = if one.identity != other.identity {
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

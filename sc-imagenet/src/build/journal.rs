//! The journal of a build's part: what is finished, so that a killed build goes on where it was.

use std::fs::{self, File};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::journal_line::{Counts, Header, Record, to_line};
use super::journal_reader::{JournalReader, LONGEST_LINE, Start};
use super::{BuildIdentity, Finished};
use crate::atomic_file::{WriteError, at, is_locked_by_another};
use crate::judged_image::{JudgedImage, JudgedImageError};
use crate::labelled_pair::PairError;
use crate::shard::Shard;

/// The journal's name in its part's folder.
pub(super) const FILE_NAME: &str = "journal.jsonl";

/// The journal of one part of a build, open for writing.
///
/// ```text
/// open ──► Finished: skip what is in it ──► append, append, … ──► finish
/// ```
///
/// A record counts as finished once [`append`](Self::append) has returned: it survives the process, killed at any
/// instant, and after [`sync`](Self::sync) or [`finish`](Self::finish) also a loss of power. One process at a time may
/// hold a journal.
pub struct Journal {
    path: PathBuf,
    file: File,
    /// Bytes of whole lines; nothing beyond them counts.
    whole: u64,
    /// Whether something of ours may be beyond them: a line that could not be finished.
    torn: bool,
    counts: Counts,
    complete: bool,
    max_points: usize,
}

/// Why a journal cannot be opened, read or written.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The file system refuses.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// It cannot be read.
    #[error("{}: cannot be read ({source}); check that you may read it", .path.display())]
    Read {
        /// The journal, or the folder to look for it in.
        path: PathBuf,
        /// What the file system says.
        source: io::Error,
    },
    /// Another process has it.
    #[error("{}: another process is building this part; wait for it, or choose another folder", .path.display())]
    Locked {
        /// The journal.
        path: PathBuf,
    },
    /// Something was written into it while it was open here, as can happen where a file system knows no locks.
    #[error(
        "{}: is {found} bytes long, {expected} of them of this program: another one has written to it; let only one \
         build this part, and start it again",
        .path.display()
    )]
    Changed {
        /// The journal.
        path: PathBuf,
        /// How long it is.
        found: u64,
        /// How long it was.
        expected: u64,
    },
    /// A file of that name is something else.
    #[error("{}: is no journal of a build; choose another folder, or move the file away", .path.display())]
    NotAJournal {
        /// The file.
        path: PathBuf,
    },
    /// Written by another version of this program.
    #[error(
        "{}: is a journal of version {version}, and this program writes version {}; choose another folder, or finish the \
         build with the program that began it (version 1 does not note what images hold: nothing tells whether they are still \
         those that were labelled)",
        .path.display(), super::journal_line::VERSION
    )]
    Version {
        /// The journal.
        path: PathBuf,
        /// Its version.
        version: u32,
    },
    /// Made with another configuration.
    #[error(
        "{}: was begun with another configuration: {differences}; choose another folder, or take the configuration \
         that it was begun with",
        .path.display()
    )]
    OtherConfig {
        /// The journal.
        path: PathBuf,
        /// The settings that differ.
        differences: String,
    },
    /// Of another shard.
    #[error("{}: is of shard {found}, not of {expected}; choose another folder", .path.display())]
    OtherShard {
        /// The journal.
        path: PathBuf,
        /// The shard it is of.
        found: Shard,
        /// The shard asked for.
        expected: Shard,
    },
    /// A line within it makes no sense.
    #[error(
        "{}:{line}: damaged at byte {offset} ({detail}); cut the file off at that byte (`truncate -s {offset}`) to \
         keep what is before it, or delete it",
        .path.display()
    )]
    Damaged {
        /// The journal.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// The byte at which the line begins.
        offset: u64,
        /// What is wrong with it.
        detail: String,
    },
    /// A pair that cannot be written.
    #[error(transparent)]
    Pair(#[from] PairError),
    /// An image whose record cannot be kept.
    #[error(transparent)]
    Image(#[from] JudgedImageError),
    /// More work for a part that is done.
    #[error("{}: the part is finished, and takes no more", .path.display())]
    Complete {
        /// The journal.
        path: PathBuf,
    },
}

impl Journal {
    /// Opens the journal in folder `part`, or begins it; the folder is made if need be.
    ///
    /// A line that was never finished is cut off. `max_points` is the most key points that a pair may have.
    ///
    /// # Errors
    ///
    /// [`JournalError`]; of another configuration or shard, with what differs. Nothing is changed then.
    pub fn open(
        part: &Path,
        identity: &BuildIdentity,
        shard: Shard,
        max_points: usize,
    ) -> Result<(Self, Finished), JournalError> {
        Self::open_and_see(part, identity, shard, max_points, |_| ())
    }

    /// As [`open`](Self::open), and shows each image that is judged already to `see`, as a
    /// [`ContentCheck`](crate::ContentCheck) wants to.
    ///
    /// # Errors
    ///
    /// Those of [`open`](Self::open).
    pub fn open_and_see(
        part: &Path,
        identity: &BuildIdentity,
        shard: Shard,
        max_points: usize,
        mut see: impl FnMut(&JudgedImage),
    ) -> Result<(Self, Finished), JournalError> {
        fs::create_dir_all(part).map_err(at(part))?;
        let path = part.join(FILE_NAME);
        let file =
            File::options().read(true).write(true).create(true).truncate(false).open(&path).map_err(at(&path))?;
        if is_locked_by_another(&file) {
            return Err(JournalError::Locked { path });
        }
        let (mut reader, start) = JournalReader::open(&path, file.try_clone().map_err(at(&path))?)?;
        let mut finished = Finished::default();
        let counts = Counts::default();
        let mut journal = Self { path, file, whole: 0, torn: true, counts, complete: false, max_points };
        match start {
            Start::Torn => journal.write(&to_line(&Header::new(shard, identity)))?,
            Start::Header(header) => {
                journal.check_header(&header, identity, shard)?;
                loop {
                    let (_, line) = reader.next()?;
                    line.images().for_each(&mut see);
                    if !finished.take_in(line) {
                        break;
                    }
                }
                finished.torn_bytes = reader.torn_bytes();
                journal.whole = reader.whole_bytes();
                journal.cut_off()?;
            }
        }
        journal.counts = reader.counts();
        journal.complete = finished.is_complete();
        Ok((journal, finished))
    }

    /// Adds records of finished work, all or none of them.
    ///
    /// # Errors
    ///
    /// [`JournalError::Pair`] and [`JournalError::Image`] for what the layout cannot hold; [`JournalError::Write`] where
    /// the disk is full, and then the journal is as it was: the same records may be given again;
    /// [`JournalError::Changed`] where somebody else has written to it.
    ///
    /// # Panics
    ///
    /// If the records are too many for one line of a journal, which has at most 64 MiB.
    pub fn append(&mut self, records: &[Record]) -> Result<(), JournalError> {
        self.append_each(&[records])
    }

    /// As [`append`](Self::append) of each unit, a line a unit, but written at once: for units that depend on each other's
    /// images, which may be others by the time that a killed build goes on.
    ///
    /// # Errors
    ///
    /// Those of [`append`](Self::append); nothing is added then.
    ///
    /// # Panics
    ///
    /// As [`append`](Self::append).
    pub fn append_each(&mut self, units: &[impl AsRef<[Record]>]) -> Result<(), JournalError> {
        if self.complete {
            return Err(JournalError::Complete { path: self.path.clone() });
        }
        let mut lines = Vec::new();
        for records in units.iter().map(AsRef::as_ref).filter(|records| !records.is_empty()) {
            self.check_records(records)?;
            let line = to_line(&records);
            assert_fits(&line);
            lines.extend(line);
        }
        if !lines.is_empty() {
            self.write(&lines)?;
            units.iter().for_each(|records| self.counts.add(records.as_ref()));
        }
        Ok(())
    }

    /// Brings what was appended to the disk, so that a loss of power does not take it.
    ///
    /// # Errors
    ///
    /// [`JournalError::Write`].
    pub fn sync(&mut self) -> Result<(), JournalError> {
        self.file.sync_all().map_err(at(&self.path))?;
        Ok(())
    }

    /// Says that nothing is left to do in this part: only then can it be merged. A part that is finished may be opened
    /// and finished again.
    ///
    /// # Errors
    ///
    /// [`JournalError::Write`].
    pub fn finish(mut self) -> Result<(), JournalError> {
        if !self.complete {
            self.write(&to_line(&self.counts))?;
        }
        self.sync()
    }

    fn check_header(&self, header: &Header, identity: &BuildIdentity, shard: Shard) -> Result<(), JournalError> {
        if header.identity != *identity {
            let differences = identity.differences(&header.identity);
            return Err(JournalError::OtherConfig { path: self.path.clone(), differences });
        }
        if header.shard != shard {
            return Err(JournalError::OtherShard { path: self.path.clone(), found: header.shard, expected: shard });
        }
        Ok(())
    }

    fn check_records(&self, records: &[Record]) -> Result<(), JournalError> {
        for record in records {
            match record {
                Record::Image(image) => image.check()?,
                Record::Pairs { pairs, .. } => pairs.iter().try_for_each(|pair| pair.check(self.max_points))?,
            }
        }
        Ok(())
    }

    /// Writes whole lines.
    fn write(&mut self, lines: &[u8]) -> Result<(), JournalError> {
        if self.torn {
            self.cut_off()?;
        }
        let found = self.length()?;
        if found != self.whole {
            return Err(JournalError::Changed { path: self.path.clone(), found, expected: self.whole });
        }
        self.torn = true;
        if let Err(source) = self.file.write_all(lines) {
            // Should this fail too, then the next line begins by it, or the next opening does.
            let _ = self.cut_off();
            return Err(WriteError { path: self.path.clone(), source }.into());
        }
        self.torn = false;
        self.whole += lines.len() as u64;
        Ok(())
    }

    /// Drops everything after the last whole line, and goes there.
    fn cut_off(&mut self) -> Result<(), JournalError> {
        if self.length()? > self.whole {
            self.file.set_len(self.whole).map_err(at(&self.path))?;
        }
        self.file.seek(SeekFrom::Start(self.whole)).map_err(at(&self.path))?;
        self.torn = false;
        Ok(())
    }

    fn length(&self) -> Result<u64, WriteError> {
        Ok(self.file.metadata().map_err(at(&self.path))?.len())
    }
}

fn assert_fits(line: &[u8]) {
    let bytes = line.len() as u64;
    assert!(bytes < LONGEST_LINE, "records of {bytes} bytes in one line of a journal, less than {LONGEST_LINE} fit");
}

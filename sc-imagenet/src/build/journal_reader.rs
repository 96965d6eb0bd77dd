//! A journal, line by line, with the place of each.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::journal::JournalError;
use super::journal_line::{BEGINNING, Counts, Header, KIND, Record, VERSION};
use crate::judged_image::JudgedImage;

/// A line is shorter than this, or is none of ours.
pub(super) const LONGEST_LINE: u64 = 1 << 26;

/// A journal being read.
pub(super) struct JournalReader {
    path: PathBuf,
    file: BufReader<File>,
    /// The byte that is read next.
    position: u64,
    /// Of the line that was read last: its number from 1, its first byte, and its bytes.
    line: u64,
    offset: u64,
    buffer: Vec<u8>,
    /// Bytes of whole lines.
    whole: u64,
    /// What was in the lines so far, and whether the last of them said that there are no more.
    counts: Counts,
    finished: bool,
}

/// How a journal begins.
pub(super) enum Start {
    Header(Header),
    /// Not even its first line is whole: nothing is in it.
    Torn,
}

/// A line after the first.
pub(super) enum Line {
    Records(Vec<Record>),
    /// Nothing is left to do.
    Finished,
    /// The end; what is after it is a line that was never finished.
    End,
}

impl Line {
    /// The judged images in it.
    pub(super) fn images(&self) -> impl Iterator<Item = &JudgedImage> {
        let records = match self {
            Self::Records(records) => records.as_slice(),
            Self::Finished | Self::End => &[],
        };
        records.iter().filter_map(|record| match record {
            Record::Image(image) => Some(image),
            Record::Pairs { .. } => None,
        })
    }
}

impl JournalReader {
    /// Begins to read the journal at `path` through `file`, from its start.
    pub(super) fn open(path: &Path, mut file: File) -> Result<(Self, Start), JournalError> {
        file.seek(SeekFrom::Start(0)).map_err(|source| JournalError::Read { path: path.to_owned(), source })?;
        let file = BufReader::new(file);
        let mut reader = Self {
            path: path.to_owned(),
            file,
            position: 0,
            line: 0,
            offset: 0,
            buffer: Vec::new(),
            whole: 0,
            counts: Counts::default(),
            finished: false,
        };
        if !reader.read_line()? {
            let beginning = &reader.buffer[..reader.buffer.len().min(BEGINNING.len())];
            return match BEGINNING.starts_with(beginning) {
                true => Ok((reader, Start::Torn)),
                false => Err(JournalError::NotAJournal { path: reader.path }),
            };
        }
        let not_a_journal = || JournalError::NotAJournal { path: path.to_owned() };
        if !reader.buffer.starts_with(BEGINNING) {
            return Err(not_a_journal());
        }
        #[derive(serde::Deserialize)]
        struct Kind {
            journal: String,
            version: u32,
        }
        let kind: Kind = reader.parse()?;
        if kind.journal != KIND {
            return Err(not_a_journal());
        }
        if kind.version != VERSION {
            return Err(JournalError::Version { path: path.to_owned(), version: kind.version });
        }
        let header: Header = reader.parse()?;
        if header.shard.index() >= header.shard.count() {
            return Err(reader.damaged(format!("there is no shard {}", header.shard)));
        }
        Ok((reader, Start::Header(header)))
    }

    /// The next line, and the byte at which it begins.
    pub(super) fn next(&mut self) -> Result<(u64, Line), JournalError> {
        if !self.read_line()? {
            return Ok((self.offset, Line::End));
        }
        if self.finished {
            return Err(self.damaged("a line behind the last one".to_owned()));
        }
        if self.buffer.starts_with(b"{") {
            let said: Counts = self.parse()?;
            if said != self.counts {
                return Err(self.damaged(format!("{said} are to be in it, and {} are", self.counts)));
            }
            self.finished = true;
            return Ok((self.offset, Line::Finished));
        }
        let records: Vec<Record> = self.parse()?;
        self.counts.add(&records);
        Ok((self.offset, Line::Records(records)))
    }

    /// The records of the line that begins at byte `offset`.
    pub(super) fn records_at(&mut self, offset: u64) -> Result<Vec<Record>, JournalError> {
        if offset != self.position {
            // Within the buffer, where the next line wanted is not far: most are read in their order.
            let by = offset as i64 - self.position as i64;
            self.file.seek_relative(by).map_err(|source| JournalError::Read { path: self.path.clone(), source })?;
            self.position = offset;
        }
        if self.read_line()? { self.parse() } else { Err(self.changed()) }
    }

    /// The error of a journal in which something is no longer where it was.
    pub(super) fn changed(&self) -> JournalError {
        self.damaged("the journal has changed while it was read".to_owned())
    }

    /// What was in the lines read so far.
    pub(super) fn counts(&self) -> Counts {
        self.counts
    }

    /// Bytes of whole lines read so far.
    pub(super) fn whole_bytes(&self) -> u64 {
        self.whole
    }

    /// Bytes read that belong to no whole line.
    pub(super) fn torn_bytes(&self) -> u64 {
        self.position - self.whole
    }

    /// Fills the buffer with the next line; whether it is finished.
    fn read_line(&mut self) -> Result<bool, JournalError> {
        self.buffer.clear();
        (self.line, self.offset) = (self.line + 1, self.position);
        self.file
            .by_ref()
            .take(LONGEST_LINE)
            .read_until(b'\n', &mut self.buffer)
            .map_err(|source| JournalError::Read { path: self.path.clone(), source })?;
        self.position += self.buffer.len() as u64;
        if self.buffer.len() as u64 == LONGEST_LINE {
            return Err(self.damaged("a line without end".to_owned()));
        }
        let whole = self.buffer.ends_with(b"\n");
        if whole {
            self.whole = self.position;
        }
        Ok(whole)
    }

    fn parse<T: serde::de::DeserializeOwned>(&self) -> Result<T, JournalError> {
        serde_json::from_slice(&self.buffer).map_err(|error| self.damaged(error.to_string()))
    }

    fn damaged(&self, detail: String) -> JournalError {
        JournalError::Damaged { path: self.path.clone(), line: self.line, offset: self.offset, detail }
    }
}

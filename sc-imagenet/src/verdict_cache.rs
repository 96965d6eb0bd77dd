//! The file that remembers which images were fine, so that a second check opens none of them.
//!
//! ```text
//! {"cache":"sc-imagenet image check","version":2,"limits":{…}}
//! {"path":"cup/a.jpg","size":8211,"mtime":1700000000000000000,"verdict":"ok","width":300,"height":200}
//! {"path":"cup/b.jpg","size":0,"mtime":1700000000000000000,"verdict":"refused","reason":"is empty (…"}
//! ```
//!
//! A cache is never trusted further than it can be read: another version or other limits void it, a line that does not
//! parse is skipped, and what is missing is checked again.

use std::collections::HashMap;
use std::fs::{self, File, Metadata};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::decode::DecodeLimits;

const KIND: &str = "sc-imagenet image check";
/// Raised whenever an image may be judged otherwise than before.
const VERSION: u32 = 2;

/// What checking an image came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "lowercase")]
pub(crate) enum Verdict {
    /// It decodes; the size is that of the upright image, in pixels.
    Ok {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
    },
    /// It is not to be used.
    Refused {
        /// Why, and what to do.
        reason: String,
    },
}

/// What of a file tells that it is still the one that was checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stamp {
    size: u64,
    /// Nanoseconds since 1970, negative before.
    mtime: i64,
}

impl Stamp {
    pub(crate) fn of(metadata: &Metadata) -> Self {
        let mtime = metadata.modified().unwrap_or(UNIX_EPOCH);
        Self { size: metadata.len(), mtime: nanoseconds(mtime) }
    }
}

fn nanoseconds(time: SystemTime) -> i64 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => after.as_nanos() as i64,
        Err(before) => -(before.duration().as_nanos() as i64),
    }
}

#[derive(Serialize, Deserialize, PartialEq)]
struct Header {
    cache: String,
    version: u32,
    limits: DecodeLimits,
}

#[derive(Serialize, Deserialize)]
struct Line {
    path: String,
    #[serde(flatten)]
    stamp: Stamp,
    #[serde(flatten)]
    verdict: Verdict,
}

/// Verdicts by path relative to the tree's root.
#[derive(Default)]
pub(crate) struct VerdictCache {
    entries: HashMap<String, (Stamp, Verdict)>,
}

impl VerdictCache {
    /// Reads what can be read of the cache at `path`; nothing there, or nothing of use, is an empty cache.
    pub(crate) fn load(path: &Path, limits: &DecodeLimits) -> Self {
        let Ok(bytes) = fs::read(path) else {
            return Self::default();
        };
        let mut lines = bytes.split(|&byte| byte == b'\n');
        let header = lines.next().and_then(|line| serde_json::from_slice::<Header>(line).ok());
        if header.is_none_or(|header| header != Header::for_limits(limits)) {
            return Self::default();
        }
        let entries = lines
            .filter_map(|line| serde_json::from_slice::<Line>(line).ok())
            .map(|line| (line.path, (line.stamp, line.verdict)))
            .collect();
        Self { entries }
    }

    /// The verdict on the file with this path, if it is still the same file.
    pub(crate) fn get(&self, path: &str, stamp: Stamp) -> Option<&Verdict> {
        let (known, verdict) = self.entries.get(path)?;
        (*known == stamp).then_some(verdict)
    }

    pub(crate) fn insert(&mut self, path: String, stamp: Stamp, verdict: Verdict) {
        self.entries.insert(path, (stamp, verdict));
    }

    /// This cache with `newer` laid over it. Entries of files that are not part of the present check stay, so that the
    /// halves of a tree can share a cache.
    pub(crate) fn overlaid(&self, newer: &Self) -> Self {
        let mut entries = self.entries.clone();
        entries.extend(newer.entries.clone());
        Self { entries }
    }

    /// Writes the cache beside `path` and moves it into place, so that a reader, or a crash, never sees half of it.
    pub(crate) fn save(&self, path: &Path, limits: &DecodeLimits) -> io::Result<()> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{}.tmp", std::process::id()));
        let unfinished = PathBuf::from(name);
        let written = self.write(&unfinished, limits).and_then(|()| fs::rename(&unfinished, path));
        if written.is_err() {
            // The error of the writing is the one worth telling.
            let _ = fs::remove_file(&unfinished);
        }
        written
    }

    fn write(&self, path: &Path, limits: &DecodeLimits) -> io::Result<()> {
        let mut out = BufWriter::new(File::create(path)?);
        serde_json::to_writer(&mut out, &Header::for_limits(limits))?;
        let mut sorted: Vec<_> = self.entries.iter().collect();
        sorted.sort_unstable_by_key(|(path, _)| *path);
        for (path, (stamp, verdict)) in sorted {
            out.write_all(b"\n")?;
            let line = Line { path: path.clone(), stamp: *stamp, verdict: verdict.clone() };
            serde_json::to_writer(&mut out, &line)?;
        }
        out.write_all(b"\n")?;
        out.into_inner()?.sync_all()
    }
}

impl Header {
    fn for_limits(limits: &DecodeLimits) -> Self {
        Self { cache: KIND.to_owned(), version: VERSION, limits: *limits }
    }
}

//! The members of a tar, or of a tar within a tar: where they are and how they are called, and no byte of their content.
//!
//! ```text
//! tar     (member)* block of zeros                  POSIX.1-2017, pax, "ustar Interchange Format"
//! member  header of 512 bytes, content, zeros up to the next multiple of 512
//! ```
//!
//! A file may be several tars one behind the other (`cat a.tar b.tar`). `tar` stops at the end of the first; here all are
//! read, as with its `--ignore-zeros`, since whoever joined them wants what is in them.
//!
//! A member whose name is too long for a header has it in a member before (`L`, GNU; `x`, pax). Every byte offset is one
//! of the file, so that what is listed can be read without looking at the tar again.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::{ControlFlow, Range};
use std::path::Path;

use tar::{Archive, EntryType, Header, PaxExtensions};

use super::SourceError;
use crate::file_kind::{FileKind, is_of_the_system};
use crate::passed_over::PassedReason;

const BLOCK: u64 = 512;
/// The most that a member which only names the next one may hold.
const MOST_NAME_BYTES: u64 = 64 * 1024;

/// A file in a tar.
pub(super) struct Member {
    /// Its path as the tar has it.
    pub(super) path: Vec<u8>,
    /// Where its content is in the file that was walked.
    pub(super) bytes: Range<u64>,
    /// Whether it is a link, or something else that has no content here.
    pub(super) is_link: bool,
    /// In which of the tars that were joined it is, from 0.
    pub(super) tar: u32,
}

/// Calls `visit` with every file and link of the tar that fills `window` of `file`, in the tar's order, until it breaks, and
/// of those that follow it. Folders are passed over. Comes back with the first byte that is behind the end and not zero, if
/// no tar begins there.
///
/// # Errors
///
/// [`SourceError::Truncated`] where the tar goes on beyond the window, or the blocks that close a tar are missing;
/// [`SourceError::Damaged`] where a header makes no sense.
pub(super) fn walk(
    file: &File,
    path: &Path,
    window: Range<u64>,
    mut visit: impl FnMut(Member) -> ControlFlow<()>,
) -> Result<Option<u64>, SourceError> {
    let unreadable = |source| SourceError::Unreadable { path: path.to_owned(), source };
    let mut start = window.start;
    for tar in 0.. {
        let Some(end) = walk_one(file, path, start..window.end, tar, &mut visit)? else { break };
        let Some(next) = next_non_zero(file, end..window.end).map_err(unreadable)? else { break };
        if !is_header(file, next..window.end).map_err(unreadable)? {
            return Ok(Some(next));
        }
        start = next;
    }
    Ok(None)
}

/// One tar at the beginning of `window`: the byte behind the block that closes it, or nothing where `visit` broke off.
fn walk_one(
    file: &File,
    path: &Path,
    window: Range<u64>,
    tar: u32,
    visit: &mut impl FnMut(Member) -> ControlFlow<()>,
) -> Result<Option<u64>, SourceError> {
    let length = window.end - window.start;
    let truncated = |missing: String| SourceError::Truncated { path: path.to_owned(), offset: window.end, missing };
    let damaged = |at: u64, detail: String| SourceError::Damaged {
        path: path.to_owned(),
        offset: window.start.saturating_add(at),
        detail,
    };
    // An error is one of three: the tar is cut short, its header makes no sense, or the disk does not answer.
    let failed = |at: u64, source: io::Error| {
        if source.raw_os_error().is_some() {
            SourceError::Unreadable { path: path.to_owned(), source }
        } else if length.saturating_sub(at) < BLOCK {
            truncated(" in the middle of a header".to_owned())
        } else {
            damaged(at, source.to_string())
        }
    };

    let mut archive = Archive::new(Window { file, range: window.clone(), at: 0 });
    let entries = archive.entries_with_seek().map_err(|error| failed(0, error))?.raw(true);
    let mut next_header = 0;
    let mut long_path: Option<Vec<u8>> = None;
    for entry in entries {
        let mut entry = entry.map_err(|error| failed(next_header, error))?;
        let start = entry.raw_file_position();
        let end = start.saturating_add(entry.size());
        let kind = entry.header().entry_type();
        let here = std::mem::replace(&mut next_header, end.div_ceil(BLOCK).saturating_mul(BLOCK));
        if end > length {
            let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            return Err(truncated(format!(", {} bytes before the end of its member `{name}`", end - length)));
        }

        let names_the_next = kind.is_gnu_longname() || kind.is_pax_local_extensions();
        if names_the_next {
            if entry.size() > MOST_NAME_BYTES {
                return Err(damaged(here, format!("a name of {} bytes", entry.size())));
            }
            let mut content = Vec::new();
            entry.read_to_end(&mut content).map_err(|error| failed(here, error))?;
            if kind.is_gnu_longname() {
                content.truncate(content.iter().position(|&byte| byte == 0).unwrap_or(content.len()));
                long_path = Some(content);
            } else {
                long_path = pax_path(&content).map_err(|detail| damaged(here, detail.to_owned()))?.or(long_path);
            }
        } else if kind.is_gnu_longlink() || kind.is_pax_global_extensions() {
            // of a link, or of the whole tar: nothing that is read here
        } else {
            let path = long_path.take().unwrap_or_else(|| entry.path_bytes().into_owned());
            let is_link = !kind.is_file() && kind != EntryType::Continuous;
            if !kind.is_dir() && !path.ends_with(b"/") {
                let bytes = window.start + start..window.start + end;
                if visit(Member { path, bytes, is_link, tar }).is_break() {
                    return Ok(None);
                }
            }
        }
    }
    if length < next_header.saturating_add(BLOCK) {
        return Err(truncated(" without the block of zeros that closes a tar".to_owned()));
    }
    Ok(Some(window.start + next_header + BLOCK))
}

/// The first byte of `window` that is not zero.
fn next_non_zero(mut file: &File, window: Range<u64>) -> io::Result<Option<u64>> {
    let mut at = window.start;
    file.seek(SeekFrom::Start(at))?;
    let mut buffer = vec![0; 64 * 1024];
    while at < window.end {
        let most = buffer.len().min(usize::try_from(window.end - at).unwrap_or(usize::MAX));
        let read = file.read(&mut buffer[..most])?;
        if read == 0 {
            break;
        }
        if let Some(place) = buffer[..read].iter().position(|&byte| byte != 0) {
            return Ok(Some(at + place as u64));
        }
        at += read as u64;
    }
    Ok(None)
}

/// Whether `window` begins with a header whose checksum holds.
fn is_header(mut file: &File, window: Range<u64>) -> io::Result<bool> {
    if window.end - window.start < BLOCK {
        return Ok(false);
    }
    let mut header = Header::new_old();
    file.seek(SeekFrom::Start(window.start))?;
    file.read_exact(header.as_mut_bytes())?;
    let sum: u32 = header.as_bytes().iter().map(|&byte| u32::from(byte)).sum();
    let stated: u32 = header.as_old().cksum.iter().map(|&byte| u32::from(byte)).sum();
    // The sum is that of a header with spaces in place of the checksum.
    Ok(header.cksum().is_ok_and(|expected| expected == sum - stated + 8 * u32::from(b' ')))
}

/// The path that an extended header gives to the next member.
fn pax_path(content: &[u8]) -> Result<Option<Vec<u8>>, &'static str> {
    let mut path = None;
    for record in PaxExtensions::new(content) {
        let record = record.map_err(|_| "an extended header that is no list of records")?;
        match record.key_bytes() {
            b"path" => path = Some(record.value_bytes().to_vec()),
            // Only members of 8 GiB and more need it.
            b"size" => return Err("a member of 8 GiB or more in pax form; pack it with `tar --format=gnu`"),
            key if key.starts_with(b"GNU.sparse") => return Err("a sparse member; pack it without `--sparse`"),
            _ => {}
        }
    }
    Ok(path)
}

/// The member's path, if it stays within its tar; or why not.
pub(super) fn inner_path(path: &[u8]) -> Result<&str, (String, String)> {
    let shown = || path.escape_ascii().to_string();
    let Ok(text) = std::str::from_utf8(path) else {
        return Err((shown(), "has a name that is not UTF-8".to_owned()));
    };
    let drive = text.as_bytes().get(1) == Some(&b':');
    if text.starts_with(['/', '\\']) || drive || text.split(['/', '\\']).any(|part| part == "..") {
        let reason = "has a path that leads out of the tar; nothing is written for it, and it is not read";
        return Err((text.to_owned(), reason.to_owned()));
    }
    Ok(text.trim_start_matches("./"))
}

/// Whether a part of a path is hidden or of a system's own.
pub(super) fn is_hidden(path: &str) -> bool {
    path.split('/').any(|name| name != "." && is_of_the_system(name.as_ref()))
}

/// Why the member at this path within its tar is not looked at as an image.
pub(super) fn why_passed_over(member: &Member, path: &str) -> Option<PassedReason> {
    if is_hidden(path) {
        Some(PassedReason::Hidden)
    } else if member.is_link {
        Some(PassedReason::LinkInTar)
    } else {
        PassedReason::of(FileKind::of(path.as_ref()))
    }
}

/// A part of a file as if it were the whole.
struct Window<'a> {
    file: &'a File,
    range: Range<u64>,
    at: u64,
}

impl Read for Window<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let left = (self.range.end - self.range.start).saturating_sub(self.at);
        let most = into.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        if most == 0 {
            return Ok(0);
        }
        self.file.seek(SeekFrom::Start(self.range.start + self.at))?;
        let read = self.file.read(&mut into[..most])?;
        self.at += read as u64;
        Ok(read)
    }
}

impl Seek for Window<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(by) => (self.range.end - self.range.start).checked_add_signed(by),
        };
        self.at = target.ok_or_else(|| io::Error::other("a position that cannot be"))?;
        Ok(self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_lead_out_are_told_from_those_that_do_not() {
        for path in ["/etc/passwd", "../x.jpg", "a/../../x.jpg", "a/..", "..", "\\x", "a\\..\\x", "C:\\x.jpg"] {
            assert!(inner_path(path.as_bytes()).is_err(), "{path}");
        }
        assert!(inner_path(b"\xff.jpg").is_err());
        assert_eq!(inner_path(b"./a/b..jpg"), Ok("a/b..jpg"));
        assert_eq!(inner_path(b"..a/b.jpg"), Ok("..a/b.jpg"));
    }
}

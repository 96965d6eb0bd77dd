//! Files and folders of a data set: found, read whole within bounds, or named in an error.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use sc_imagenet::{DecodeError, ImageSize, Refusal, image_size};

use super::error::BenchmarkError;
use super::name::BenchmarkName;

/// A list or annotation larger than this is refused before it is read; the longest published list has about 20 MB.
const LARGEST_FILE: u64 = 256 << 20;

/// The whole of a file.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, BenchmarkError> {
    let io = |source| BenchmarkError::Io { path: path.to_owned(), source };
    let bytes = fs::metadata(path).map_err(io)?.len();
    if bytes > LARGEST_FILE {
        return Err(BenchmarkError::TooLarge { path: path.to_owned(), bytes });
    }
    fs::read(path).map_err(io)
}

/// The whole of a file that something else says is there.
pub(super) fn read_needed(
    name: BenchmarkName,
    path: &Path,
    needed_by: impl Fn() -> String,
    hint: &'static str,
) -> Result<Vec<u8>, BenchmarkError> {
    match read(path) {
        Err(BenchmarkError::Io { path, source }) if source.kind() == io::ErrorKind::NotFound => {
            Err(BenchmarkError::Missing { name, path, needed_by: needed_by(), hint })
        }
        read => read,
    }
}

/// The bytes after a UTF-8 byte order mark, where there is one.
pub(super) fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes)
}

/// The lines of a text that are not blank, with their numbers from 1; line ends of either kind, the last may lack its
/// own.
pub(super) fn lines<'a>(
    path: &'a Path,
    bytes: &'a [u8],
) -> impl Iterator<Item = Result<(u64, &'a str), BenchmarkError>> + 'a {
    let split = without_mark(bytes).split(|byte| *byte == b'\n');
    split.zip(1..).filter_map(move |(line, number)| match std::str::from_utf8(line) {
        Ok(text) if text.trim().is_empty() => None,
        Ok(text) => Some(Ok((number, text.trim()))),
        Err(error) => Some(Err(bad_line(path, number, format!("this is not UTF-8: {error}")))),
    })
}

/// An error at a line of a list.
pub(super) fn bad_line(path: &Path, line: u64, problem: impl Into<String>) -> BenchmarkError {
    BenchmarkError::Line { path: path.to_owned(), line, problem: problem.into() }
}

/// The first of `root` and `root/<folder>` that is laid out as `is` says.
pub(super) fn find_base(root: &Path, folders: &[&str], is: impl Fn(&Path) -> bool) -> Option<PathBuf> {
    let candidates = std::iter::once(root.to_owned()).chain(folders.iter().map(|folder| root.join(folder)));
    candidates.into_iter().find(|base| is(base))
}

/// Whether a name can stand as one component of a path: not empty, no separator, not `.` or `..`.
pub(super) fn is_plain_name(name: &str) -> bool {
    !name.contains(['/', '\\', '\0']) && Path::new(name).components().eq([Component::Normal(name.as_ref())])
}

/// The file that a list names: its path below one of `roots`, where leading folders of the listed path may be left out
/// (lists repeat the name of the data set's folder, users rename it). `None` where there is no such file, or the listed
/// path is absolute or climbs with `..`.
pub(super) fn find_listed(roots: &[&Path], listed: &str) -> Option<PathBuf> {
    let parts: Vec<Component> = Path::new(listed).components().filter(|part| *part != Component::CurDir).collect();
    if parts.is_empty() || !parts.iter().all(|part| matches!(part, Component::Normal(_))) {
        return None;
    }
    // No published list has more than three folders before the name; a bound keeps hostile paths from costing time.
    let tails = (0..parts.len().min(4)).map(|skip| parts[skip..].iter().collect::<PathBuf>());
    tails.flat_map(|tail| roots.iter().map(move |root| root.join(&tail))).find(|path| path.is_file())
}

/// The last component of a listed path, without its extension.
pub(super) fn listed_stem(listed: &str) -> String {
    Path::new(listed).file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// The folder in which a listed path's file lies.
pub(super) fn listed_folder(listed: &str) -> Option<&str> {
    Path::new(listed).parent()?.file_name()?.to_str()
}

/// The sizes of images, each header read once.
#[derive(Default)]
pub(super) struct ImageSizes {
    known: HashMap<PathBuf, ImageSize>,
}

impl ImageSizes {
    /// The size of an image; no pixel is decoded.
    pub(super) fn of(&mut self, path: &Path) -> Result<ImageSize, BenchmarkError> {
        if let Some(size) = self.known.get(path) {
            return Ok(*size);
        }
        let size = image_size(path).map_err(|DecodeError { path, refusal }| match refusal {
            Refusal::Unreadable(source) => BenchmarkError::Io { path, source },
            source => BenchmarkError::Image { path, source },
        })?;
        self.known.insert(path.to_owned(), size);
        Ok(size)
    }

    /// The size of an image that `needed_by` names.
    pub(super) fn of_needed(
        &mut self,
        name: BenchmarkName,
        path: &Path,
        needed_by: impl Fn() -> String,
    ) -> Result<ImageSize, BenchmarkError> {
        match self.of(path) {
            Err(BenchmarkError::Io { path, source }) if source.kind() == io::ErrorKind::NotFound => {
                Err(BenchmarkError::Missing { name, path, needed_by: needed_by(), hint: "" })
            }
            size => size,
        }
    }
}

/// The file at `path` and `line`, as an error names it.
pub(super) fn place(path: &Path, line: u64) -> String {
    format!("{}:{line}", path.display())
}

//! Which form a source has, from what is there.

use std::fs::{self, File};
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use super::tar_members::{inner_path, is_hidden, walk};
use super::{ImageSource, SourceError, SourceOptions};
use crate::file_kind::{FileKind, is_of_the_system};
use crate::passed_over::{PassedOver, PassedReason};
use crate::tree::ClassTree;

/// The most shards that a range in braces stands for.
const MOST_SHARDS: u64 = 1_000_000;

impl ImageSource {
    /// [`open_with`](Self::open_with) these names of classes and keys that end at the first dot.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn open(path: &Path, class_names: &[String]) -> Result<Self, SourceError> {
        Self::open_with(path, &SourceOptions { class_names: class_names.to_vec(), ..SourceOptions::default() })
    }

    /// Lists the source at `path`, in whichever form it is:
    ///
    /// ```text
    /// photos/                         class folders, or else WebDataset shards `*.tar`
    /// ILSVRC2012_img_train.tar        a tar of tars if its first file is a tar, or else one WebDataset shard
    /// shard-{000..012}.tar            WebDataset shards; without an end (`{000..}`) as many as there are in a row
    /// ```
    ///
    /// A sample of a shard is `<key>.jpg` (or another extension of an image) with `<key>.cls`, the class as text. A class
    /// that is a number is looked up in the options' names where there are any, and is a name like any other where there are
    /// none. The id of its image is the key without folders.
    ///
    /// # Errors
    ///
    /// [`SourceError`], which says what is there instead.
    pub fn open_with(path: &Path, options: &SourceOptions) -> Result<Self, SourceError> {
        let metadata = match fs::metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && path.to_string_lossy().contains('{') => {
                return Self::shards(&expand(&path.to_string_lossy())?, options, PassedOver::default());
            }
            Err(source) => return Err(SourceError::Unreadable { path: path.to_owned(), source }),
            Ok(metadata) => metadata,
        };
        if metadata.is_dir() {
            // Tars are often left beside the class folders that they were unpacked into: folders come first.
            return match ClassTree::walk(path) {
                Ok(tree) => Self::class_folders(&tree),
                Err(error) => match tars_in(path)? {
                    (shards, _) if shards.is_empty() => Err(error.into()),
                    (shards, passed_over) => Self::shards(&shards, options, passed_over),
                },
            };
        }
        refuse_other_files(path)?;
        match holds_tars(path)? {
            true => Self::tar_of_tars(path),
            false => Self::shards(&[path.to_owned()], options, PassedOver::default()),
        }
    }
}

/// The files `*.tar` of a folder, sorted, and what else is there.
fn tars_in(folder: &Path) -> Result<(Vec<PathBuf>, PassedOver), SourceError> {
    let unreadable = |source| SourceError::Unreadable { path: folder.to_owned(), source };
    let (mut tars, mut passed_over) = (Vec::new(), PassedOver::default());
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let (path, name) = (entry.path(), entry.file_name());
        let is_tar = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("tar"));
        if is_of_the_system(&name) {
            passed_over.add(PassedReason::Hidden, name.to_string_lossy());
        } else if is_tar && path.is_file() {
            tars.push(path);
        } else {
            let reason = PassedReason::of(FileKind::of(&name)).unwrap_or(PassedReason::WithoutClass);
            passed_over.add(reason, name.to_string_lossy());
        }
    }
    tars.sort_unstable();
    Ok((tars, passed_over))
}

/// Compressed tars cannot be read at random, and other files are no tars.
fn refuse_other_files(path: &Path) -> Result<(), SourceError> {
    let mut beginning = Vec::new();
    File::open(path)
        .and_then(|file| file.take(512).read_to_end(&mut beginning))
        .map_err(|source| SourceError::Unreadable { path: path.to_owned(), source })?;
    let what = match beginning.as_slice() {
        [] => "empty",
        [0x1f, 0x8b, ..] => "compressed with gzip, of which no single image can be read (`gunzip` it)",
        [0x28, 0xb5, 0x2f, 0xfd, ..] => "compressed with Zstandard, of which no single image can be read (`unzstd` it)",
        [b'B', b'Z', b'h', ..] => "compressed with bzip2, of which no single image can be read (`bunzip2` it)",
        [0xfd, b'7', b'z', b'X', b'Z', ..] => "compressed with xz, of which no single image can be read (`unxz` it)",
        [b'P', b'K', 3, 4, ..] => "a zip, which is not read (unpack it)",
        _ => return Ok(()),
    };
    Err(SourceError::NotASource { path: path.to_owned(), what })
}

/// Whether the first file of a tar is a tar.
fn holds_tars(path: &Path) -> Result<bool, SourceError> {
    let unreadable = |source| SourceError::Unreadable { path: path.to_owned(), source };
    let file = File::open(path).map_err(unreadable)?;
    let length = file.metadata().map_err(unreadable)?.len();
    let mut first_is_tar = false;
    walk(&file, path, 0..length, |member| match inner_path(&member.path) {
        Ok(name) if !is_hidden(name) => {
            first_is_tar = name.ends_with(".tar");
            ControlFlow::Break(())
        }
        _ => ControlFlow::Continue(()),
    })?;
    Ok(first_is_tar)
}

/// The paths that a range of numbers in braces stands for.
fn expand(pattern: &str) -> Result<Vec<PathBuf>, SourceError> {
    let wrong = |problem| SourceError::Pattern { pattern: pattern.to_owned(), problem };
    let (before, rest) = pattern.split_once('{').ok_or_else(|| wrong("has no `{`"))?;
    let (range, after) = rest.split_once('}').ok_or_else(|| wrong("has no `}`"))?;
    let (first, last) = range.split_once("..").ok_or_else(|| wrong("has no `..` between its braces"))?;
    if after.contains('{') {
        return Err(wrong("has more than one range"));
    }
    let number = |text: &str| text.parse::<u64>().map_err(|_| wrong("has no number at an end of its range"));
    let path = |shard: u64| PathBuf::from(format!("{before}{shard:0width$}{after}", width = first.len()));
    let start = number(first)?;
    if last.is_empty() {
        let found: Vec<PathBuf> =
            (start..start.saturating_add(MOST_SHARDS)).map(path).take_while(|path| path.is_file()).collect();
        return if found.is_empty() { Err(wrong("names no file that is there")) } else { Ok(found) };
    }
    let end = number(last)?;
    if end < start || end - start >= MOST_SHARDS {
        return Err(wrong("has a range that does not go up, or is too long"));
    }
    Ok((start..=end).map(path).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_in_braces_is_expanded() {
        let paths = expand("a/s-{008..011}.tar").unwrap();
        let names: Vec<_> = paths.iter().map(|path| path.to_str().unwrap()).collect();
        assert_eq!(names, ["a/s-008.tar", "a/s-009.tar", "a/s-010.tar", "a/s-011.tar"]);
        for wrong in ["s", "s{1", "s{1}", "s{1..0}", "s{a..b}", "s{0..99999999}", "s{0..1}{0..1}", "s{0..}"] {
            let message = expand(wrong).unwrap_err().to_string();
            assert!(message.contains("shard-{000..012}.tar"), "{message}");
        }
    }
}

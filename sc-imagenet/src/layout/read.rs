//! Reads a layout: what this crate wrote, or the published one.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use super::{LAYOUT_FOLDER, LayoutError, OTHER_SPELLING, annotation};
use crate::index::{self, read_image_index};
use crate::labelled_pair::LabelledPair;
use crate::names::{PairName, image_file_name};
use crate::split::Split;
use crate::statistics::LayoutStatistics;

/// No name of a pair is as long as this: a file is called by it.
const LONGEST_LINE: u64 = 4096;

/// A data set in the layout of SC-ImageNet.
#[derive(Debug, Clone)]
pub struct Layout {
    /// The folder that was given, in which the index is, if there is one.
    root: PathBuf,
    base: PathBuf,
}

impl Layout {
    /// The layout in `root`, or in the folder `SC-IMAGENET` or `SC-ImageNet` of it. Nothing is read yet.
    ///
    /// # Errors
    ///
    /// [`LayoutError::NotALayout`].
    pub fn open(root: &Path) -> Result<Self, LayoutError> {
        let is_layout = |base: &Path| base.join("Layout/large").is_dir() && base.join("PairAnnotation").is_dir();
        let bases = [root.join(LAYOUT_FOLDER), root.join(OTHER_SPELLING), root.to_owned()];
        match bases.into_iter().find(|base| is_layout(base)) {
            Some(base) => Ok(Self { root: root.to_owned(), base }),
            None => {
                let hint = match root.join("parts").is_dir() {
                    true => "; it holds parts of a build that are not merged yet",
                    false => "",
                };
                Err(LayoutError::NotALayout { root: root.to_owned(), hint })
            }
        }
    }

    /// The names of a split's pairs, in the order of its list, read line by line.
    ///
    /// # Errors
    ///
    /// [`LayoutError`], where the list is not there; a line that is no pair's name comes as one in its place.
    pub fn pair_names(
        &self,
        split: Split,
    ) -> Result<impl Iterator<Item = Result<PairName, LayoutError>> + use<>, LayoutError> {
        let path = self.base.join("Layout/large").join(format!("{}.txt", split.name()));
        let hint = "; has the build that made the folder been finished?";
        let needed_by = || format!("the split `{}`", split.name());
        let file = File::open(&path).map_err(|source| cannot_read(&path, source, needed_by, hint))?;
        Ok(PairList { path, file: BufReader::new(file), line: 0, bytes: Vec::new(), failed: false })
    }

    /// Reads the annotation of a pair.
    ///
    /// # Errors
    ///
    /// [`LayoutError`], where it is not there, or with the key that is missing or wrong.
    pub fn read_pair(&self, split: Split, name: &PairName) -> Result<LabelledPair, LayoutError> {
        let path = self.base.join("PairAnnotation").join(split.name()).join(format!("{name}.json"));
        let hint = "; its name holds a `:`, which Windows does not take in file names";
        let hint = if cfg!(windows) { hint } else { "" };
        let needed_by = || format!("Layout/large/{}.txt", split.name());
        let bytes = fs::read(&path).map_err(|source| cannot_read(&path, source, needed_by, hint))?;
        annotation::from_json(&path, &bytes, split, name)
    }

    /// Every pair of a split, in the order of its list, read one by one.
    ///
    /// # Errors
    ///
    /// Those of [`pair_names`](Self::pair_names); each pair comes with its own.
    pub fn pairs(
        &self,
        split: Split,
    ) -> Result<impl Iterator<Item = Result<LabelledPair, LayoutError>> + '_, LayoutError> {
        Ok(self.pair_names(split)?.map(move |name| self.read_pair(split, &name?)))
    }

    /// Where an image of a pair is, if images are there at all.
    pub fn image(&self, category: &str, id: &str) -> PathBuf {
        self.base.join("JPEGImages").join(category).join(image_file_name(category, id))
    }

    /// Counts everything: every pair is read, and the index of images if there is one.
    ///
    /// # Errors
    ///
    /// The first [`LayoutError`] met.
    pub fn statistics(&self) -> Result<LayoutStatistics, LayoutError> {
        let mut statistics = LayoutStatistics::default();
        for split in Split::ALL {
            for pair in self.pairs(split)? {
                statistics.add_pair(&pair?);
            }
        }
        if let Some(index) = self.image_index() {
            for image in read_image_index(&index)? {
                statistics.add_image(&image?);
            }
        }
        Ok(statistics)
    }

    /// The index of judged images, where there is one: beside the layout's folder.
    pub fn image_index(&self) -> Option<PathBuf> {
        let beside = self.base.parent().map(Path::to_owned);
        [Some(self.root.clone()), beside]
            .into_iter()
            .flatten()
            .map(|folder| folder.join(index::FOLDER).join(index::IMAGES))
            .find(|path| path.is_file())
    }
}

/// The lines of a list of pairs.
struct PairList {
    path: PathBuf,
    file: BufReader<File>,
    /// Lines read so far.
    line: u64,
    bytes: Vec<u8>,
    /// The disk has failed: nothing more is to be had.
    failed: bool,
}

impl PairList {
    /// Reads the next line without its end; `None` after the last.
    fn next_line(&mut self) -> Result<Option<&str>, LayoutError> {
        self.line += 1;
        self.bytes.clear();
        if self.failed {
            return Ok(None);
        }
        if let Err(source) = self.file.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut self.bytes) {
            self.failed = true;
            return Err(LayoutError::Unreadable { path: self.path.clone(), source });
        }
        if self.bytes.is_empty() {
            return Ok(None);
        }
        let problem = match self.bytes.strip_suffix(b"\n").map(std::str::from_utf8) {
            Some(Ok(text)) => return Ok(Some(text)),
            Some(Err(_)) => "is not UTF-8",
            None if self.bytes.len() as u64 == LONGEST_LINE => "is far too long for the name of a pair",
            None => "has no newline at its end, and the published loaders would drop its pair; add one",
        };
        Err(LayoutError::Line { path: self.path.clone(), line: self.line, problem: problem.to_owned() })
    }
}

impl Iterator for PairList {
    type Item = Result<PairName, LayoutError>;

    fn next(&mut self) -> Option<Self::Item> {
        let name = match self.next_line() {
            Ok(None) => return None,
            Ok(Some(text)) => text.parse::<PairName>(),
            Err(error) => return Some(Err(error)),
        };
        let (path, line) = (self.path.clone(), self.line);
        Some(name.map_err(|error| LayoutError::Line { path, line, problem: error.to_string() }))
    }
}

fn cannot_read(path: &Path, source: io::Error, needed_by: impl FnOnce() -> String, hint: &'static str) -> LayoutError {
    match source.kind() {
        io::ErrorKind::NotFound => LayoutError::Missing { path: path.to_owned(), needed_by: needed_by(), hint },
        _ => LayoutError::Unreadable { path: path.to_owned(), source },
    }
}

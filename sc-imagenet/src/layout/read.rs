//! Reads a layout: what this crate wrote, or the published one.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::vec;

use super::{LAYOUT_FOLDER, LayoutError, annotation};
use crate::index::{self, read_image_index};
use crate::labelled_pair::LabelledPair;
use crate::names::{PairName, image_file_name};
use crate::split::Split;
use crate::statistics::LayoutStatistics;

/// A data set in the layout of SC-ImageNet.
#[derive(Debug, Clone)]
pub struct Layout {
    /// The folder that was given, in which the index is, if there is one.
    root: PathBuf,
    base: PathBuf,
}

/// The pairs of a split, read one by one.
#[derive(Debug)]
pub struct Pairs<'a> {
    layout: &'a Layout,
    split: Split,
    names: vec::IntoIter<PairName>,
}

impl Layout {
    /// The layout in `root`, or in the folder `SC-IMAGENET` of it. Nothing is read yet.
    ///
    /// # Errors
    ///
    /// [`LayoutError::NotALayout`].
    pub fn open(root: &Path) -> Result<Self, LayoutError> {
        let is_layout = |base: &Path| base.join("Layout/large").is_dir() && base.join("PairAnnotation").is_dir();
        let bases = [root.join(LAYOUT_FOLDER), root.to_owned()];
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

    /// The folder in which `Layout`, `PairAnnotation` and `JPEGImages` are.
    pub fn base(&self) -> &Path {
        &self.base
    }

    /// The names of a split's pairs, in the order of its list.
    ///
    /// # Errors
    ///
    /// [`LayoutError`], where the list is not there, or with the line that is no pair's name.
    pub fn pair_names(&self, split: Split) -> Result<Vec<PairName>, LayoutError> {
        let path = self.base.join("Layout/large").join(format!("{}.txt", split.name()));
        let hint = "; has the build that made the folder been finished?";
        let bytes = read_needed(&path, || format!("the split `{}`", split.name()), hint)?;
        let wrong = |line, problem| LayoutError::Line { path: path.clone(), line, problem };
        let mut names = Vec::new();
        let mut rest = bytes.as_slice();
        for line in 1.. {
            if rest.is_empty() {
                break;
            }
            let Some(end) = rest.iter().position(|&byte| byte == b'\n') else {
                let problem = "has no newline at its end, and the published loaders would drop its pair; add one";
                return Err(wrong(line, problem.to_owned()));
            };
            let text = std::str::from_utf8(&rest[..end]).map_err(|_| wrong(line, "is not UTF-8".to_owned()))?;
            names.push(text.parse::<PairName>().map_err(|error| wrong(line, error.to_string()))?);
            rest = &rest[end + 1..];
        }
        Ok(names)
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
        let bytes = read_needed(&path, || format!("Layout/large/{}.txt", split.name()), hint)?;
        annotation::from_json(&path, &bytes, split, name)
    }

    /// Every pair of a split, in the order of its list.
    ///
    /// # Errors
    ///
    /// Those of [`pair_names`](Self::pair_names); each pair comes with its own.
    pub fn pairs(&self, split: Split) -> Result<Pairs<'_>, LayoutError> {
        Ok(Pairs { layout: self, split, names: self.pair_names(split)?.into_iter() })
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

impl Iterator for Pairs<'_> {
    type Item = Result<LabelledPair, LayoutError>;

    fn next(&mut self) -> Option<Self::Item> {
        let name = self.names.next()?;
        Some(self.layout.read_pair(self.split, &name))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.names.size_hint()
    }
}

fn read_needed(path: &Path, needed_by: impl FnOnce() -> String, hint: &'static str) -> Result<Vec<u8>, LayoutError> {
    fs::read(path).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => LayoutError::Missing { path: path.to_owned(), needed_by: needed_by(), hint },
        _ => LayoutError::Unreadable { path: path.to_owned(), source },
    })
}

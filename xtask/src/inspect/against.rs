//! Annotated key points to hold labels against: which, and of which images.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Result, bail};
use eval::{BenchmarkName, BenchmarkSplit, KeyPointPair, PairImage, Protocol, ReadOptions, read_pairs};
use sc_imagenet::possible_names;

use crate::benchmark::warn_of;

/// The data sets whose key points are numbered alike in all images of a class, which are files of their class's folder.
const KNOWN: [BenchmarkName; 4] =
    [BenchmarkName::Willow, BenchmarkName::PfWillow, BenchmarkName::Spair, BenchmarkName::Ap10k];

/// `NAME=FOLDER[:SPLIT]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Against {
    /// The data set.
    pub name: BenchmarkName,
    /// Its folder.
    pub folder: PathBuf,
    /// The part of it that is read.
    pub split: BenchmarkSplit,
}

/// The images of a data set with their key points.
pub struct AnnotatedImages {
    images: Vec<AnnotatedImage>,
    /// Their places by class and file.
    places: HashMap<(String, String), usize>,
    /// Their places by every class and id that the builder may give them.
    classes: HashMap<String, HashMap<String, usize>>,
}

/// An image with key points, in pixels.
pub struct AnnotatedImage {
    /// `(width, height)`.
    pub size: (u32, u32),
    /// The length of which a threshold is a share: the longer side of the tight box of all its key points.
    pub length: f64,
    /// Its key points by their number in the class.
    pub points: BTreeMap<u16, [f32; 2]>,
}

impl FromStr for Against {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = KNOWN.map(|name| name.to_string()).join(", ");
        let Some((name, folder)) = text.split_once('=') else {
            return Err(format!("expected NAME=FOLDER[:SPLIT], NAME one of {known}"));
        };
        let name: BenchmarkName = name.parse::<BenchmarkName>().map_err(|error| error.to_string())?;
        if !KNOWN.contains(&name) {
            return Err(format!("{name} has no key points that are numbered alike in all images; expected {known}"));
        }
        let usual = match name {
            BenchmarkName::Willow => BenchmarkSplit::All,
            _ => name.splits().first().copied().unwrap_or(BenchmarkSplit::All),
        };
        // A folder may have a colon in its name.
        match folder.rsplit_once(':') {
            Some((before, split)) if !Path::new(folder).exists() => {
                let split = split.parse::<BenchmarkSplit>().map_err(|error| error.to_string())?;
                Ok(Self { name, folder: before.into(), split })
            }
            _ => Ok(Self { name, folder: folder.into(), split: usual }),
        }
    }
}

impl AnnotatedImages {
    /// Reads the key points; no image is decoded.
    ///
    /// # Errors
    ///
    /// A data set that is not there or damaged.
    pub fn read(against: &Against, protocol: &Protocol) -> Result<Self> {
        let options = ReadOptions { split: Some(against.split), ..ReadOptions::default() };
        let mut found = Self { images: Vec::new(), places: HashMap::new(), classes: HashMap::new() };
        let read = read_pairs(against.name, &against.folder, &options)?;
        warn_of(against.name, &read.counts);
        for KeyPointPair { class, source, target, ids, .. } in read.pairs {
            for side in [&source, &target] {
                found.add(&class, side, &ids, protocol);
            }
        }
        if found.count() == 0 {
            bail!("{}: no pair of images shares a key point", against.folder.display());
        }
        Ok(found)
    }

    /// The image with this class and id in the data set of labels.
    pub fn get(&self, class: &str, id: &str) -> Option<&AnnotatedImage> {
        self.classes.get(class)?.get(id).map(|&place| &self.images[place])
    }

    /// How many images there are.
    pub fn count(&self) -> usize {
        self.images.len()
    }

    /// An image as an example for messages, `class/id`: the first by name.
    pub fn example(&self) -> String {
        let first = self.places.keys().min();
        let name = first.and_then(|(class, file)| possible_names(class, file).into_iter().next());
        name.map(|[class, id]| format!("{class}/{id}")).unwrap_or_default()
    }

    fn add(&mut self, class: &str, side: &PairImage, ids: &[u16], protocol: &Protocol) {
        let file = side.path.file_name().unwrap_or_default().to_string_lossy();
        let place = *self.places.entry((class.to_owned(), file.to_string())).or_insert(self.images.len());
        if place == self.images.len() {
            let length = protocol.length_of(side).unwrap_or_default();
            self.images.push(AnnotatedImage { size: side.size, length, points: BTreeMap::new() });
            // As the builder has it.
            for [class, id] in possible_names(class, &file) {
                self.classes.entry(class).or_default().insert(id, place);
            }
        }
        let image = &mut self.images[place];
        image.points.extend(ids.iter().copied().zip(side.points.iter().copied()));
        image.points.extend(side.unshared.iter().map(|unshared| (unshared.id, unshared.point)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_a_folder_and_a_part() {
        let parsed = |text: &str| text.parse::<Against>();
        let willow = |folder: &str, split| Against { name: BenchmarkName::Willow, folder: folder.into(), split };
        assert_eq!(parsed("willow=some/where"), Ok(willow("some/where", BenchmarkSplit::All)));
        assert_eq!(parsed("willow=some:where:val"), Ok(willow("some:where", BenchmarkSplit::Val)));
        for (wrong, expected) in
            [("willow", "NAME=FOLDER"), ("tss=x", "expected willow"), ("spare=x", "spair"), ("willow=x:y", "val")]
        {
            let message = parsed(wrong).unwrap_err();
            assert!(message.contains(expected), "{message}");
        }
    }
}

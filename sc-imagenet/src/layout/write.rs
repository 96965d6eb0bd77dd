//! Writes a data set: the layout, the index and the datasheet.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::place_images::PlacedImages;
use super::{ImagePlacement, LAYOUT_FOLDER, LayoutWriteError, OTHER_SPELLING, annotation};
use crate::atomic_file::{BeginError, Unfinished, UnfinishedFile, WriteError, at};
use crate::build::BuildIdentity;
use crate::datasheet::{DatasheetFacts, datasheet};
use crate::index::{self, ImageIndexWriter, PairIndexWriter};
use crate::judged_image::JudgedImage;
use crate::labelled_pair::LabelledPair;
use crate::split::Split;
use crate::statistics::LayoutStatistics;

const MARK: &str = "build.json";
const DATASHEET: &str = "DATASHEET.md";

/// Writes a data set into a folder:
///
/// ```text
/// out/SC-IMAGENET/{Layout,PairAnnotation,JPEGImages}   the published layout, and nothing else
/// out/SC-ImageNet                                      a link to it, the spelling of CATs' loader
/// out/index/{pairs,images}.parquet                     a row a pair, a row a judged image
/// out/DATASHEET.md                                     what it is and how it was made
/// out/build.json                                       the configuration, and whether the data set is complete
/// ```
///
/// The bytes are a pure function of what is given, so that writing again changes nothing. Files appear whole or not at
/// all. Pairs and images are given in the order of their numbers and not kept; what is held is in proportion to the number
/// of images.
pub struct LayoutWriter<'a> {
    out: PathBuf,
    annotations: PathBuf,
    identity: BuildIdentity,
    max_points: usize,
    unfinished: Unfinished,
    images: PlacedImages<'a>,
    lists: [List; 2],
    pair_index: PairIndexWriter,
    image_index: ImageIndexWriter,
    statistics: LayoutStatistics,
    last_pair: Option<u64>,
    last_image: Option<u64>,
}

/// The mark of a build in its folder.
#[derive(Serialize, Deserialize)]
struct Mark {
    data_set: String,
    complete: bool,
    identity: BuildIdentity,
}

/// A list of pairs in the making.
struct List {
    file: UnfinishedFile,
    writer: BufWriter<File>,
}

impl<'a> LayoutWriter<'a> {
    /// Begins to write into `out`, or begins again where the same build was interrupted, or is complete.
    ///
    /// # Errors
    ///
    /// [`LayoutWriteError::OtherConfig`], [`NotOurs`](LayoutWriteError::NotOurs) and
    /// [`Locked`](LayoutWriteError::Locked) where something else is there, and then nothing is changed;
    /// [`Write`](LayoutWriteError::Write) where the file system refuses.
    pub fn begin(
        out: &Path,
        identity: &BuildIdentity,
        images: ImagePlacement<'a>,
        max_points: usize,
    ) -> Result<Self, LayoutWriteError> {
        check_what_is_there(out, identity)?;
        let unfinished = Unfinished::begin(out).map_err(|error| match error {
            BeginError::Write(error) => LayoutWriteError::Write(error),
            BeginError::Locked => LayoutWriteError::Locked { out: out.to_owned() },
        })?;
        write_mark(out, identity, false, &unfinished)?;

        let layout = out.join(LAYOUT_FOLDER);
        let annotations = layout.join("PairAnnotation");
        let lists = layout.join("Layout/large");
        let index = out.join(index::FOLDER);
        let split_folders = Split::ALL.map(|split| annotations.join(split.name()));
        for folder in split_folders.iter().chain([&lists, &index]) {
            fs::create_dir_all(folder).map_err(at(folder))?;
        }
        let list = |split: Split| List::create(&unfinished, &lists.join(format!("{}.txt", split.name())));
        let lists = [list(Split::Train)?, list(Split::Validation)?];
        let pair_index = PairIndexWriter::create(unfinished.create(&index.join(index::PAIRS))?, identity)?;
        let image_index = ImageIndexWriter::create(unfinished.create(&index.join(index::IMAGES))?, identity)?;
        Ok(Self {
            out: out.to_owned(),
            annotations,
            identity: identity.clone(),
            max_points,
            unfinished,
            images: PlacedImages::new(images, layout.join("JPEGImages")),
            lists,
            pair_index,
            image_index,
            statistics: LayoutStatistics::default(),
            last_pair: None,
            last_image: None,
        })
    }

    /// Writes pairs: their annotations, images, lines of the lists, and rows of the index.
    ///
    /// # Errors
    ///
    /// [`LayoutWriteError`]; the data set stays incomplete then, and can be written anew.
    ///
    /// # Panics
    ///
    /// If a pair's number is not above the number of the pair before.
    pub fn write_pairs(&mut self, pairs: &[LabelledPair]) -> Result<(), LayoutWriteError> {
        for pair in pairs {
            pair.check(self.max_points)?;
            assert_ascending("pair", &mut self.last_pair, pair.number);
        }
        pairs.par_iter().try_for_each(|pair| {
            let file = self.annotations.join(pair.split.name()).join(format!("{}.json", pair.name()));
            self.unfinished.write(&file, &annotation::to_json(pair, &self.identity.config_hash))
        })?;
        self.images.place(pairs, &self.unfinished)?;
        for pair in pairs {
            self.lists[pair.split.place()].add(&pair.name().text)?;
            self.pair_index.add(pair)?;
            self.statistics.add_pair(pair);
        }
        Ok(())
    }

    /// Writes the index's row of a judged image.
    ///
    /// # Errors
    ///
    /// [`LayoutWriteError`].
    ///
    /// # Panics
    ///
    /// If the image's number is not above the number of the image before.
    pub fn write_image(&mut self, image: &JudgedImage) -> Result<(), LayoutWriteError> {
        image.check()?;
        assert_ascending("image", &mut self.last_image, image.number);
        self.image_index.add(image)?;
        self.statistics.add_image(image);
        Ok(())
    }

    /// Brings lists, index and datasheet into their places, and marks the data set complete.
    ///
    /// # Errors
    ///
    /// [`LayoutWriteError`].
    pub fn finish(self, facts: &DatasheetFacts) -> Result<LayoutStatistics, LayoutWriteError> {
        self.check_annotations()?;
        let Self { out, unfinished, identity, statistics, .. } = self;
        for list in self.lists {
            list.finish()?;
        }
        self.pair_index.finish()?;
        self.image_index.finish()?;
        unfinished.write(&out.join(DATASHEET), datasheet(facts, &identity, &statistics).as_bytes())?;
        link_other_spelling(&out, &unfinished);
        write_mark(&out, &identity, true, &unfinished)?;
        unfinished.end()?;
        Ok(statistics)
    }

    /// Fails if there are annotations of other pairs, as where labels were made anew and came out otherwise.
    fn check_annotations(&self) -> Result<(), LayoutWriteError> {
        for split in Split::ALL {
            let folder = self.annotations.join(split.name());
            let found = fs::read_dir(&folder).map_err(at(&folder))?.count() as u64;
            let pairs = self.statistics.pairs(split);
            if found != pairs {
                return Err(LayoutWriteError::OtherAnnotations { folder, found, pairs });
            }
        }
        Ok(())
    }
}

/// Fails if `out` holds another data set, or something like one that is not ours.
fn check_what_is_there(out: &Path, identity: &BuildIdentity) -> Result<(), LayoutWriteError> {
    let not_ours = |found: &str| LayoutWriteError::NotOurs { out: out.to_owned(), found: found.to_owned() };
    if !other_spelling_is_ours(out) {
        return Err(not_ours(OTHER_SPELLING));
    }
    let Ok(bytes) = fs::read(out.join(MARK)) else {
        return match [LAYOUT_FOLDER, index::FOLDER, DATASHEET].into_iter().find(|name| out.join(name).exists()) {
            Some(found) => Err(not_ours(found)),
            None => Ok(()),
        };
    };
    let mark: Mark = serde_json::from_slice(&bytes).map_err(|_| not_ours(MARK))?;
    if mark.identity != *identity {
        let differences = identity.differences(&mark.identity);
        return Err(LayoutWriteError::OtherConfig { out: out.to_owned(), differences });
    }
    Ok(())
}

/// Whether the folder's other spelling is free, a link to the layout, or the layout itself, where case does not count.
fn other_spelling_is_ours(out: &Path) -> bool {
    let other = out.join(OTHER_SPELLING);
    match fs::symlink_metadata(&other) {
        Err(_) => true,
        // A link to a layout that is not there yet leads nowhere.
        Ok(_) => fs::read_link(&other).is_ok_and(|to| to == Path::new(LAYOUT_FOLDER)) || is_the_layout(out, &other),
    }
}

fn is_the_layout(out: &Path, folder: &Path) -> bool {
    fs::canonicalize(folder).is_ok_and(|found| fs::canonicalize(out.join(LAYOUT_FOLDER)).is_ok_and(|own| own == found))
}

/// Links the layout under its other spelling. A file system without links has the layout all the same.
fn link_other_spelling(out: &Path, unfinished: &Unfinished) {
    let other = out.join(OTHER_SPELLING);
    if !is_the_layout(out, &other) {
        let _ = unfinished.link(Path::new(LAYOUT_FOLDER), &other);
    }
}

fn write_mark(out: &Path, identity: &BuildIdentity, complete: bool, unfinished: &Unfinished) -> Result<(), WriteError> {
    let mark = Mark { data_set: "sc-imagenet".to_owned(), complete, identity: identity.clone() };
    match serde_json::to_vec_pretty(&mark) {
        Ok(mut bytes) => {
            bytes.push(b'\n');
            unfinished.write_synced(&out.join(MARK), &bytes)
        }
        Err(error) => panic!("a configuration that JSON cannot hold: {error}"),
    }
}

fn assert_ascending(what: &str, last: &mut Option<u64>, number: u64) {
    if let Some(before) = last {
        assert!(*before < number, "{what} {number} is given after {what} {before}; numbers must ascend");
    }
    *last = Some(number);
}

impl List {
    fn create(unfinished: &Unfinished, path: &Path) -> Result<Self, WriteError> {
        let file = unfinished.create(path)?;
        let writer = BufWriter::new(file.writer()?);
        Ok(Self { file, writer })
    }

    fn add(&mut self, line: &str) -> Result<(), WriteError> {
        writeln!(self.writer, "{line}").map_err(at(self.file.destination()))
    }

    fn finish(mut self) -> Result<(), WriteError> {
        self.writer.flush().map_err(at(self.file.destination()))?;
        self.file.finish()
    }
}

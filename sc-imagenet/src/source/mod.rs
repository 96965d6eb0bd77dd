//! Images where they lie, listed once and then read one by one in any order.
//!
//! Three forms are known: class folders, ILSVRC's tar of one tar a class, and WebDataset shards. A listing reads the
//! headers of tars alone, and holds a place (file, offset, length) an image; no tar is ever unpacked, and no name that a
//! tar holds is ever made a path. The same images have the same classes, ids and order in all three forms: sorted by
//! class and then by id, both by bytes. A class or an image whose name the layout cannot hold has another in its place
//! ([`safe_names`](crate::safe_names)).

mod class_names;
mod detect;
mod error;
mod folders;
mod listing;
mod options;
mod read;
mod tar_members;
mod tar_of_tars;
mod web_dataset;

use std::ops::Range;
use std::path::PathBuf;

pub use class_names::{ClassNames, ClassNamesError};
pub use error::SourceError;
pub use options::{KeyEnd, SourceOptions};

use crate::check::RefusedImage;
use crate::content::{ImageContent, ImageOrigin};
use crate::passed_over::PassedOver;
use crate::split::fnv_1a;

/// How the images of a source are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceForm {
    /// `root/<class>/<image>`.
    ClassFolders,
    /// A tar of `<class>.tar`, each of images, as `ILSVRC2012_img_train.tar` is.
    TarOfTars,
    /// Tars of `<key>.jpg` (or another extension of an image) and `<key>.cls`, the class's name or number as text.
    WebDataset,
}

/// A listed source of images.
///
/// Images are numbered in their fixed order. Memory is in proportion to their number, about 75 bytes each.
#[derive(Debug, Clone)]
pub struct ImageSource {
    form: SourceForm,
    /// The root of class folders, or the tars.
    files: Vec<PathBuf>,
    classes: Vec<String>,
    /// What each class is called in the source.
    original_classes: Vec<String>,
    /// Where each class's images begin, and at last their number.
    starts: Vec<usize>,
    images: Vec<SourceImage>,
    refused: Vec<RefusedImage>,
    passed_over: PassedOver,
}

/// One image of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceImage {
    class: u32,
    place: Place,
    /// The file's name in its class folder, or the member's path in its tar.
    name: Box<str>,
    /// Which bytes of the name are the id.
    id: Range<u32>,
    /// The id in the layout, where it is another.
    safe: Option<Box<str>>,
}

/// Where an image's bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    /// A file of its own, in the class's folder.
    File,
    /// `length` bytes of file number `file`, from byte `offset`.
    Slice {
        /// Index into the source's files.
        file: u32,
        /// First byte.
        offset: u64,
        /// Bytes.
        length: u64,
    },
}

impl SourceImage {
    /// Index into [`ImageSource::classes`].
    pub fn class(&self) -> usize {
        self.class as usize
    }

    /// What the image is called in its class: the file's name without extension, and without the class in front; made one
    /// that the layout can hold and no other image of the class has.
    pub fn id(&self) -> &str {
        let in_name = || self.name.get(self.id.start as usize..self.id.end as usize).unwrap_or_default();
        self.safe.as_deref().unwrap_or_else(in_name)
    }
}

impl ImageSource {
    /// How the images are stored.
    pub fn form(&self) -> SourceForm {
        self.form
    }

    /// The classes that have images, sorted by name; names that the layout can hold.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// The images, sorted by class and then by id.
    pub fn images(&self) -> &[SourceImage] {
        &self.images
    }

    /// The numbers of a class's images.
    ///
    /// # Panics
    ///
    /// If there is no such class.
    pub fn images_of(&self, class: usize) -> Range<usize> {
        assert!(class < self.classes.len(), "class {class} was asked for, there are {}", self.classes.len());
        self.starts[class]..self.starts[class + 1]
    }

    /// The class's name of image `image`.
    ///
    /// # Panics
    ///
    /// If there is no such image.
    pub fn class_name(&self, image: usize) -> &str {
        &self.classes[self.image(image).class()]
    }

    /// What the source calls the class of image `image`: its folder, its tar, its name in shards.
    ///
    /// # Panics
    ///
    /// If there is no such image.
    pub fn original_class(&self, image: usize) -> &str {
        &self.original_classes[self.image(image).class()]
    }

    /// What the source calls its classes, in the order of [`classes`](Self::classes).
    pub fn original_classes(&self) -> &[String] {
        &self.original_classes
    }

    /// Where image `image` came from, for the index; `content` is what was read of it.
    ///
    /// # Panics
    ///
    /// If there is no such image.
    pub fn origin(&self, image: usize, content: Option<ImageContent>) -> Box<ImageOrigin> {
        let (class, name) = (self.original_class(image).to_owned(), self.image(image).name.to_string());
        Box::new(ImageOrigin { class, name, content })
    }

    /// The number of the image with this class and id, both of the layout.
    pub fn find(&self, class: &str, id: &str) -> Option<usize> {
        let class = self.classes.binary_search_by(|name| name.as_str().cmp(class)).ok()?;
        let range = self.images_of(class);
        let found = self.images.get(range.clone())?.binary_search_by(|image| image.id().cmp(id)).ok()?;
        Some(range.start + found)
    }

    /// What was found and is not used, and why: names that are not UTF-8, member paths that climb out of their tar, samples
    /// without a class.
    pub fn refused(&self) -> &[RefusedImage] {
        &self.refused
    }

    /// What was met and not looked at: images of formats that are not read, other files, hidden ones.
    pub fn passed_over(&self) -> &PassedOver {
        &self.passed_over
    }

    /// Where an image is, for messages: its file, or its tar with the member's path behind.
    ///
    /// # Panics
    ///
    /// If there is no such image.
    pub fn describe(&self, image: usize) -> PathBuf {
        let entry = self.image(image);
        let class = &self.original_classes[entry.class()];
        match (entry.place, self.form) {
            (Place::File, _) => self.files[0].join(class).join(&*entry.name),
            (Place::Slice { file, .. }, SourceForm::TarOfTars) => {
                self.files[file as usize].join(format!("{class}.tar")).join(&*entry.name)
            }
            (Place::Slice { file, .. }, _) => self.files[file as usize].join(&*entry.name),
        }
    }

    /// The image's own file, which a link can point to; `None` for a member of a tar.
    ///
    /// # Panics
    ///
    /// If there is no such image.
    pub fn file(&self, image: usize) -> Option<PathBuf> {
        matches!(self.image(image).place, Place::File).then(|| self.describe(image))
    }

    /// A number that tells listings apart: a hash of every class and id in their order, the same for the three forms.
    pub fn listing_hash(&self) -> u64 {
        let mut hash = 0;
        for image in &self.images {
            let line = format!("{hash:016x} {}/{}", self.classes[image.class()], image.id());
            hash = fnv_1a(line.as_bytes());
        }
        hash
    }

    fn image(&self, image: usize) -> &SourceImage {
        match self.images.get(image) {
            Some(found) => found,
            None => panic!("image {image} was asked for, there are {}", self.images.len()),
        }
    }
}

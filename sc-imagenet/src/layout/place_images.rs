//! The images of a layout: linked, copied, or left where they are.

use std::fs;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::LayoutWriteError;
use crate::atomic_file::{Unfinished, at};
use crate::decode::DecodeLimits;
use crate::labelled_pair::LabelledPair;
use crate::names::image_file_name;
use crate::source::ImageSource;

/// What becomes of the images that pairs are of.
#[derive(Debug, Clone, Copy)]
pub enum ImagePlacement<'a> {
    /// `JPEGImages` holds symbolic links to the source's files, which must be class folders.
    Link(&'a ImageSource),
    /// `JPEGImages` holds copies of the encoded bytes, whatever their format.
    Copy(&'a ImageSource),
    /// There is no `JPEGImages`. Whoever has ImageNet's training images can link it to their folder, in which files have
    /// the names that the layout wants.
    LeaveOut,
}

impl<'a> ImagePlacement<'a> {
    /// Where the images come from.
    pub(crate) fn source(&self) -> Option<&'a ImageSource> {
        match self {
            Self::Link(source) | Self::Copy(source) => Some(source),
            Self::LeaveOut => None,
        }
    }
}

/// Which images are in their place already.
pub(super) struct PlacedImages<'a> {
    placement: ImagePlacement<'a>,
    folder: PathBuf,
    /// By image, and by class: whether its folder is there.
    placed: Vec<bool>,
    class_folders: Vec<bool>,
}

impl<'a> PlacedImages<'a> {
    /// None yet, in `folder`.
    pub(super) fn new(placement: ImagePlacement<'a>, folder: PathBuf) -> Self {
        let (images, classes) = match placement {
            ImagePlacement::Link(source) | ImagePlacement::Copy(source) => {
                (source.images().len(), source.classes().len())
            }
            ImagePlacement::LeaveOut => (0, 0),
        };
        Self { placement, folder, placed: vec![false; images], class_folders: vec![false; classes] }
    }

    /// Puts the images of `pairs` into their places.
    pub(super) fn place(&mut self, pairs: &[LabelledPair], unfinished: &Unfinished) -> Result<(), LayoutWriteError> {
        let (source, link) = match self.placement {
            ImagePlacement::Link(source) => (source, true),
            ImagePlacement::Copy(source) => (source, false),
            ImagePlacement::LeaveOut => return Ok(()),
        };
        let mut new = Vec::new();
        for pair in pairs {
            for side in [&pair.source, &pair.target] {
                let image = source.find(&pair.category, &side.image).ok_or_else(|| LayoutWriteError::NotInSource {
                    pair: pair.name().text,
                    class: pair.category.clone(),
                    id: side.image.clone(),
                })?;
                if !std::mem::replace(&mut self.placed[image], true) {
                    new.push(image);
                }
                let class = source.images()[image].class();
                if !std::mem::replace(&mut self.class_folders[class], true) {
                    make_folder(&self.folder)?;
                    make_folder(&self.folder.join(&pair.category))?;
                }
            }
        }
        new.into_par_iter().try_for_each(|image| {
            let class = source.class_name(image);
            let destination = self.folder.join(class).join(image_file_name(class, source.images()[image].id()));
            if link {
                link_image(source, image, &destination, unfinished)
            } else {
                // What was decoded before is not asked for its size again.
                let limits = DecodeLimits { max_file_bytes: u64::MAX, ..DecodeLimits::default() };
                Ok(unfinished.write(&destination, &source.read(image, &limits)?)?)
            }
        })
    }
}

/// Makes a folder, and sees to it that it is no link out of the data set.
fn make_folder(folder: &Path) -> Result<(), LayoutWriteError> {
    if folder.is_symlink() {
        return Err(LayoutWriteError::ImagesAreALink { folder: folder.to_owned() });
    }
    Ok(fs::create_dir_all(folder).map_err(at(folder))?)
}

fn link_image(
    source: &ImageSource,
    image: usize,
    destination: &Path,
    unfinished: &Unfinished,
) -> Result<(), LayoutWriteError> {
    let file = source.file(image).ok_or_else(|| LayoutWriteError::CannotLink { image: source.describe(image) })?;
    // An image of this very data set is in its place, and a link would point to itself.
    let itself = |there: PathBuf| fs::canonicalize(&file).is_ok_and(|here| here == there);
    if !destination.is_symlink() && fs::canonicalize(destination).is_ok_and(itself) {
        return Ok(());
    }
    // A relative target would be relative to the link.
    let target = std::path::absolute(&file).map_err(at(&file))?;
    Ok(unfinished.link(&target, destination)?)
}

//! The images of a layout: linked, copied, or left where they are.

use std::collections::HashSet;
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

/// Which images are in their place already.
pub(super) struct PlacedImages<'a> {
    placement: ImagePlacement<'a>,
    folder: PathBuf,
    placed: HashSet<usize>,
    class_folders: HashSet<usize>,
}

impl<'a> PlacedImages<'a> {
    /// None yet, in `folder`.
    pub(super) fn new(placement: ImagePlacement<'a>, folder: PathBuf) -> Self {
        Self { placement, folder, placed: HashSet::new(), class_folders: HashSet::new() }
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
                if self.placed.insert(image) {
                    new.push(image);
                }
                let class = source.images()[image].class();
                if self.class_folders.insert(class) {
                    let folder = self.folder.join(&pair.category);
                    fs::create_dir_all(&folder).map_err(at(&folder))?;
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

fn link_image(
    source: &ImageSource,
    image: usize,
    destination: &Path,
    unfinished: &Unfinished,
) -> Result<(), LayoutWriteError> {
    let file = source.file(image).ok_or_else(|| LayoutWriteError::CannotLink { image: source.describe(image) })?;
    // A relative target would be relative to the link.
    let target = std::path::absolute(&file).map_err(at(&file))?;
    Ok(unfinished.link(&target, destination)?)
}

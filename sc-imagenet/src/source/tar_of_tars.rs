//! ILSVRC's form: one tar, in it a tar a class, in these the images.

use std::fs::File;
use std::ops::ControlFlow;
use std::path::Path;

use super::listing::{Listing, last_stem};
use super::tar_members::{inner_path, is_hidden, walk};
use super::{ImageSource, Place, SourceError, SourceForm};
use crate::tree::has_image_extension;

impl ImageSource {
    /// The images of a tar of tars (`ILSVRC2012_img_train.tar`): members `<class>.tar`, each of images. Only headers
    /// are read.
    ///
    /// # Errors
    ///
    /// [`SourceError`], where the file cannot be read, one of the tars is truncated or damaged, or no image is in it.
    pub fn tar_of_tars(path: &Path) -> Result<Self, SourceError> {
        let unreadable = |source| SourceError::Unreadable { path: path.to_owned(), source };
        let file = File::open(path).map_err(unreadable)?;
        let length = file.metadata().map_err(unreadable)?.len();

        let mut listing = Listing::default();
        let mut class_tars = Vec::new();
        walk(&file, path, 0..length, |member| {
            match inner_path(&member.path) {
                Ok(name) if is_hidden(name) => {}
                Ok(name) if name.ends_with(".tar") => {
                    class_tars.push((name[last_stem(name)].to_owned(), member.bytes));
                }
                Ok(name) if has_image_extension(name.as_ref()) => {
                    let reason = "lies beside the tars of the classes, so that its class is not known".to_owned();
                    listing.refuse(name.to_owned(), reason);
                }
                Ok(_) => {}
                Err((name, reason)) => listing.refuse(name, reason),
            }
            ControlFlow::Continue(())
        })?;
        for (class, bytes) in class_tars {
            walk(&file, path, bytes, |member| {
                match inner_path(&member.path) {
                    Ok(name) if is_hidden(name) || !has_image_extension(name.as_ref()) => {}
                    Ok(name) => {
                        let (offset, length) = (member.bytes.start, member.bytes.end - member.bytes.start);
                        listing.add(&class, name, last_stem(name), Place::Slice { file: 0, offset, length });
                    }
                    Err((name, reason)) => listing.refuse(format!("{class}.tar: {name}"), reason),
                }
                ControlFlow::Continue(())
            })?;
        }
        listing.finish(SourceForm::TarOfTars, vec![path.to_owned()])
    }
}

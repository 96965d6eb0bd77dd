//! ILSVRC's form: one tar, in it a tar a class, in these the images.

use std::fs::File;
use std::ops::{ControlFlow, Range};
use std::path::Path;

use super::listing::{Listing, last_stem};
use super::tar_members::{inner_path, is_hidden, walk, why_passed_over};
use super::{ImageSource, Place, SourceError, SourceForm};
use crate::passed_over::PassedReason;

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
        let behind = walk(&file, path, 0..length, |member| {
            match inner_path(&member.path) {
                Ok(name) if name.ends_with(".tar") && !is_hidden(name) && !member.is_link => {
                    class_tars.push((name[last_stem(name)].to_owned(), member.bytes));
                }
                Ok(name) => match why_passed_over(&member, name) {
                    Some(reason) => listing.pass_over(reason, name.to_owned()),
                    None => {
                        let reason = "lies beside the tars of the classes, so that its class is not known".to_owned();
                        listing.refuse(name.to_owned(), reason);
                    }
                },
                Err((name, reason)) => listing.refuse(name, reason),
            }
            ControlFlow::Continue(())
        })?;
        if let Some(byte) = behind {
            listing.pass_over(PassedReason::BehindTheEnd, format!("from byte {byte} on"));
        }
        for (class, bytes) in class_tars {
            list_class(&file, path, &class, bytes, &mut listing)?;
        }
        listing.finish(SourceForm::TarOfTars, vec![path.to_owned()])
    }
}

/// The images of a class's tar, which are these bytes of the file.
fn list_class(
    file: &File,
    path: &Path,
    class: &str,
    bytes: Range<u64>,
    listing: &mut Listing,
) -> Result<(), SourceError> {
    let behind = walk(file, path, bytes, |member| {
        let name = match inner_path(&member.path) {
            Ok(name) => name,
            Err((name, reason)) => {
                listing.refuse(format!("{class}.tar: {name}"), reason);
                return ControlFlow::Continue(());
            }
        };
        match why_passed_over(&member, name) {
            Some(reason) => listing.pass_over(reason, format!("{class}.tar: {name}")),
            None => {
                let (offset, length) = (member.bytes.start, member.bytes.end - member.bytes.start);
                listing.add(class, name, last_stem(name), Place::Slice { file: 0, offset, length });
            }
        }
        ControlFlow::Continue(())
    })?;
    if let Some(byte) = behind {
        listing
            .pass_over(PassedReason::BehindTheEnd, format!("{class}.tar: from byte {byte} of {} on", path.display()));
    }
    Ok(())
}

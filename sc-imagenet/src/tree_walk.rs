//! The walk through a tree's folders: what each holds, and which may be entered.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, File, Metadata};
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::decode::begins_like_an_image;
use crate::file_kind::{FileKind, is_of_the_system};
use crate::passed_over::{PassedOver, PassedReason};
use crate::tree::{ClassFolder, TreeError};

/// A walk, and what was met that is no image.
pub(crate) struct TreeWalk<'a> {
    root: &'a Path,
    /// The root without links.
    real_root: PathBuf,
    pub(crate) unreadable_names: Vec<PathBuf>,
    pub(crate) passed_over: PassedOver,
}

/// Names of folders and images in a folder, both sorted.
#[derive(Default)]
pub(crate) struct Listing {
    pub(crate) folders: Vec<String>,
    pub(crate) images: Vec<String>,
}

impl<'a> TreeWalk<'a> {
    pub(crate) fn new(root: &'a Path) -> Result<Self, TreeError> {
        Ok(Self { root, real_root: real(root)?, unreadable_names: Vec::new(), passed_over: PassedOver::default() })
    }

    /// The class of the root's folder `name`; none where it is a link to the root itself or to what holds it.
    pub(crate) fn class(&mut self, name: String) -> Result<Option<ClassFolder>, TreeError> {
        let mut entered = BTreeSet::new();
        if !self.may_enter(&name, &mut entered)? {
            return Ok(None);
        }
        let Listing { folders, images: mut files } = self.list(&name)?;
        let has_folders = !folders.is_empty();
        let mut nested = Vec::new();
        let mut open: Vec<String> = folders.into_iter().rev().collect();
        while let Some(below) = open.pop() {
            let path = format!("{name}/{below}");
            if self.may_enter(&path, &mut entered)? {
                let Listing { folders, images } = self.list(&path)?;
                nested.extend(images.iter().map(|image| format!("{below}/{image}")));
                open.extend(folders.iter().rev().map(|folder| format!("{below}/{folder}")));
            }
        }
        nested.sort_unstable();
        files.append(&mut nested);
        Ok(Some(ClassFolder { name, files, has_folders }))
    }

    /// Links may lead back to a folder that was entered, or to one that holds it: a walk that followed them had no end.
    fn may_enter(&mut self, below: &str, entered: &mut BTreeSet<PathBuf>) -> Result<bool, TreeError> {
        let folder = real(&self.root.join(below))?;
        let may = !self.real_root.starts_with(&folder) && entered.insert(folder);
        if !may {
            self.passed_over.add(PassedReason::LinkedFolder, below);
        }
        Ok(may)
    }

    /// What the folder `below` the root holds; "" is the root.
    pub(crate) fn list(&mut self, below: &str) -> Result<Listing, TreeError> {
        let folder = self.root.join(below);
        let unreadable = |source| TreeError::Unreadable { path: folder.clone(), source };
        let mut entries = Vec::new();
        for entry in fs::read_dir(&folder).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            entries.push((entry.file_name(), entry.path()));
        }
        entries.sort_unstable();
        let mut listing = Listing::default();
        for (name, path) in entries {
            self.sort_in(&path, &name, below, &mut listing);
        }
        Ok(listing)
    }

    fn sort_in(&mut self, path: &Path, name: &OsStr, below: &str, listing: &mut Listing) {
        // Follows links, which `DirEntry::metadata` would not. A link to nothing is neither folder nor file, but one with an
        // image's name is kept, to be refused by name later.
        let metadata = fs::metadata(path).ok();
        let is_folder = metadata.as_ref().is_some_and(Metadata::is_dir);
        let reason = if is_of_the_system(name) {
            Some(PassedReason::Hidden)
        } else if is_folder {
            None
        } else {
            match FileKind::of(name) {
                FileKind::Unknown if metadata.is_some_and(|metadata| metadata.is_file()) && is_image(path) => {
                    Some(PassedReason::ImageWithoutExtension)
                }
                kind => PassedReason::of(kind),
            }
        };
        if let Some(reason) = reason {
            let name = name.to_string_lossy();
            let name = if below.is_empty() { name.into_owned() } else { format!("{below}/{name}") };
            return self.passed_over.add(reason, name);
        }
        match name.to_str() {
            Some(name) if is_folder => listing.folders.push(name.to_owned()),
            Some(name) => listing.images.push(name.to_owned()),
            None => self.unreadable_names.push(path.to_owned()),
        }
    }
}

/// Where a folder is, without links.
fn real(folder: &Path) -> Result<PathBuf, TreeError> {
    fs::canonicalize(folder).map_err(|source| TreeError::Unreadable { path: folder.to_owned(), source })
}

/// Whether a file begins like an image that is read here.
fn is_image(file: &Path) -> bool {
    let mut beginning = Vec::new();
    let read = File::open(file).and_then(|file| file.take(64).read_to_end(&mut beginning));
    read.is_ok() && begins_like_an_image(&beginning)
}

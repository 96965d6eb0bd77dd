//! Class folders: the classes and image files of a directory, in an order that is the same on every machine.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::file_kind::IMAGE_EXTENSIONS;
use crate::passed_over::{PassedOver, PassedReason};
use crate::tree_walk::{Listing, TreeWalk};

/// A folder of class folders of image files: `root/<class>/<image>`, the ImageNet layout.
///
/// Classes and files are sorted by name (by bytes, so no locale and no file system has a say). Images in folders within a
/// class's folder are of that class too; links are followed, and no folder is read twice for a class. What is passed over
/// is counted by reason ([`ClassTree::passed_over`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassTree {
    root: PathBuf,
    classes: Vec<ClassFolder>,
    unreadable_names: Vec<PathBuf>,
    passed_over: PassedOver,
}

/// One class: a folder and its image files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassFolder {
    /// The folder's name, which is the class's.
    pub name: String,
    /// The image files: first those that lie in the folder itself, sorted by name, then those of folders within it, sorted by
    /// path, with `/` between the parts. Thus folders beside them do not change in which half an image is.
    pub files: Vec<String>,
    /// Whether it holds folders.
    pub has_folders: bool,
}

/// Which half of each class to keep: every second file, counted in sorted order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Half {
    /// Indices 0, 2, 4, …
    Even,
    /// Indices 1, 3, 5, …
    Odd,
}

/// Why a folder is no class-folder tree.
#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    /// Nothing is there.
    #[error(
        "{}: there is no such folder; give the folder that holds one folder of images per class",
        .path.display()
    )]
    Missing {
        /// The folder asked for.
        path: PathBuf,
    },
    /// A file is there.
    #[error("{}: is a file; give the folder that holds one folder of images per class", .path.display())]
    NotAFolder {
        /// The path asked for.
        path: PathBuf,
    },
    /// The file system would not list it.
    #[error("{}: cannot be listed ({source}); check that you may read it", .path.display())]
    Unreadable {
        /// The folder.
        path: PathBuf,
        /// What the file system says.
        source: io::Error,
    },
    /// Nothing is in it, or nothing but hidden files.
    #[error("{}: the folder is empty; put one folder of images per class into it", .path.display())]
    Empty {
        /// The folder.
        path: PathBuf,
    },
    /// Files are in it, and no folder.
    #[error(
        "{}: no class folders, only files ({loose_images} of them images); sort the images into one folder per class, \
         or give the folder above if this is one class{}",
        .path.display(), .passed_over.as_ending()
    )]
    NoClasses {
        /// The folder.
        path: PathBuf,
        /// Image files directly in it.
        loose_images: usize,
        /// The other files in it.
        passed_over: PassedOver,
    },
    /// Folders are in it, and no image lies directly in any of them.
    #[error(
        "{}: none of the {folders} folders in it holds an image ({}){}{}",
        .path.display(), IMAGE_EXTENSIONS.join(", "), deeper_hint(.deeper), .passed_over.as_ending()
    )]
    NoImages {
        /// The folder.
        path: PathBuf,
        /// Class folders looked into.
        folders: usize,
        /// A folder in it that itself holds folders, if there is one.
        deeper: Option<String>,
        /// The files that are there.
        passed_over: PassedOver,
    },
}

fn deeper_hint(deeper: &Option<String>) -> String {
    match deeper {
        Some(name) => format!(
            "; `{name}` holds folders: perhaps that is the one to give; if it is a class, move the images out of its folders"
        ),
        None => "; put images into them".to_owned(),
    }
}

impl ClassTree {
    /// Lists the classes and image files under `root`. No file is opened but those whose names do not say what they are.
    ///
    /// # Errors
    ///
    /// [`TreeError`], where there is not one class folder with one image file directly in it, or a folder cannot be listed.
    pub fn walk(root: &Path) -> Result<Self, TreeError> {
        let path = || root.to_owned();
        match fs::metadata(root) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(TreeError::Missing { path: path() });
            }
            Err(source) => {
                return Err(TreeError::Unreadable { path: path(), source });
            }
            Ok(metadata) if !metadata.is_dir() => {
                return Err(TreeError::NotAFolder { path: path() });
            }
            Ok(_) => {}
        }

        let mut walk = TreeWalk::new(root)?;
        let Listing { folders, images } = walk.list("")?;
        if folders.is_empty() {
            return Err(if images.is_empty() && walk.unreadable_names.is_empty() && walk.passed_over.is_hidden() {
                TreeError::Empty { path: path() }
            } else {
                TreeError::NoClasses { path: path(), loose_images: images.len(), passed_over: walk.passed_over }
            });
        }
        for image in images {
            walk.passed_over.add(PassedReason::WithoutClass, image);
        }

        let mut classes = Vec::with_capacity(folders.len());
        for name in folders {
            classes.extend(walk.class(name)?);
        }
        let TreeWalk { mut unreadable_names, passed_over, .. } = walk;
        // Classes whose images all lie deeper may as well be the halves of a split, one level too high.
        if classes.iter().all(|class| class.files.len() == class.nested()) {
            return Err(TreeError::NoImages {
                path: path(),
                folders: classes.len(),
                deeper: classes.into_iter().find(|class| class.has_folders).map(|class| class.name),
                passed_over,
            });
        }
        unreadable_names.sort();
        Ok(Self { root: path(), classes, unreadable_names, passed_over })
    }

    /// The folder that was walked.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The classes, sorted by name; some may hold no image.
    pub fn classes(&self) -> &[ClassFolder] {
        &self.classes
    }

    /// Images and folders that are not used because their names are not UTF-8.
    pub fn unreadable_names(&self) -> &[PathBuf] {
        &self.unreadable_names
    }

    /// What is there and no image of a class: its names are relative to the root, with `/` between the parts.
    pub fn passed_over(&self) -> &PassedOver {
        &self.passed_over
    }

    /// Image files in all classes together that lie in folders within their class's folder.
    pub fn nested_count(&self) -> usize {
        self.classes.iter().map(ClassFolder::nested).sum()
    }

    /// Image files in all classes together.
    pub fn image_count(&self) -> usize {
        self.classes.iter().map(|class| class.files.len()).sum()
    }

    /// The tree with every second image of each class only, as splits into training and validation halves have it.
    #[must_use]
    pub fn half(&self, half: Half) -> Self {
        let first = match half {
            Half::Even => 0,
            Half::Odd => 1,
        };
        let mut kept = self.clone();
        for class in &mut kept.classes {
            class.files = class.files.iter().skip(first).step_by(2).cloned().collect();
        }
        kept
    }
}

impl ClassFolder {
    /// How many of its images lie in folders within it.
    pub fn nested(&self) -> usize {
        self.files.iter().filter(|file| file.contains('/')).count()
    }
}

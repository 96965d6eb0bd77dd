//! Class folders: the classes and image files of a directory, in an order that is the same on every machine.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Extensions taken for images, in lower case. They only choose which files are looked at: content decides the format.
const IMAGE_EXTENSIONS: [&str; 6] = ["jpg", "jpeg", "jpe", "png", "webp", "bmp"];

/// A folder of class folders of image files: `root/<class>/<image>`, the ImageNet layout.
///
/// Classes and files are sorted by name (by bytes, so no locale and no file system has a say). Files with other
/// extensions, hidden files and folders, and folders inside a class folder are ignored. Links are followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassTree {
    root: PathBuf,
    classes: Vec<ClassFolder>,
    unreadable_names: Vec<PathBuf>,
}

/// One class: a folder and its image files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassFolder {
    /// The folder's name, which is the class's.
    pub name: String,
    /// Names of the image files in it, sorted.
    pub files: Vec<String>,
    /// Whether it holds folders, which are not entered.
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
    /// Nothing is in it.
    #[error("{}: the folder is empty; put one folder of images per class into it", .path.display())]
    Empty {
        /// The folder.
        path: PathBuf,
    },
    /// Files are in it, and no folder.
    #[error(
        "{}: no class folders, only files ({loose_images} of them images); sort the images into one folder per class, \
         or give the folder above if this is one class",
        .path.display()
    )]
    NoClasses {
        /// The folder.
        path: PathBuf,
        /// Image files directly in it.
        loose_images: usize,
    },
    /// Folders are in it, and no image in any of them.
    #[error("{}: none of the {folders} folders in it holds an image (jpg, jpeg, png, webp, bmp){}", .path.display(), deeper_hint(.deeper))]
    NoImages {
        /// The folder.
        path: PathBuf,
        /// Class folders looked into.
        folders: usize,
        /// A folder in it that itself holds folders, if there is one.
        deeper: Option<String>,
    },
}

fn deeper_hint(deeper: &Option<String>) -> String {
    match deeper {
        Some(name) => format!("; `{name}` holds folders: perhaps that is the one to give"),
        None => "; put images into them".to_owned(),
    }
}

impl ClassTree {
    /// Lists the classes and image files under `root`. No file is opened.
    ///
    /// # Errors
    ///
    /// [`TreeError`], where there is not one class folder with one image file, or a folder cannot be listed.
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

        let listing = list(root)?;
        let mut unreadable_names = listing.unreadable_names;
        if listing.folders.is_empty() {
            return Err(if listing.other_files + listing.images.len() == 0 {
                TreeError::Empty { path: path() }
            } else {
                TreeError::NoClasses { path: path(), loose_images: listing.images.len() }
            });
        }

        let mut classes = Vec::with_capacity(listing.folders.len());
        for name in listing.folders {
            let inside = list(&root.join(&name))?;
            unreadable_names.extend(inside.unreadable_names);
            classes.push(ClassFolder { name, files: inside.images, has_folders: !inside.folders.is_empty() });
        }
        if classes.iter().all(|class| class.files.is_empty()) {
            return Err(TreeError::NoImages {
                path: path(),
                folders: classes.len(),
                deeper: classes.into_iter().find(|class| class.has_folders).map(|class| class.name),
            });
        }
        unreadable_names.sort();
        Ok(Self { root: path(), classes, unreadable_names })
    }

    /// The folder that was walked.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The classes, sorted by name; some may hold no image.
    pub fn classes(&self) -> &[ClassFolder] {
        &self.classes
    }

    /// Files and folders passed over because their names are not UTF-8.
    pub fn unreadable_names(&self) -> &[PathBuf] {
        &self.unreadable_names
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

/// What one folder holds, hidden entries left out; both lists sorted.
#[derive(Default)]
struct Listing {
    folders: Vec<String>,
    images: Vec<String>,
    other_files: usize,
    unreadable_names: Vec<PathBuf>,
}

fn list(folder: &Path) -> Result<Listing, TreeError> {
    let unreadable = |source| TreeError::Unreadable { path: folder.to_owned(), source };
    let mut listing = Listing::default();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let name = entry.file_name();
        if name.as_encoded_bytes().starts_with(b".") {
            continue;
        }
        // Follows links, which `DirEntry::file_type` would not; a link to nothing is neither folder nor image, but an
        // image that cannot be read is kept, to be refused by name later.
        let is_folder = fs::metadata(entry.path()).is_ok_and(|metadata| metadata.is_dir());
        let is_image = !is_folder && has_image_extension(&name);
        match name.into_string() {
            Ok(name) if is_folder => listing.folders.push(name),
            Ok(name) if is_image => listing.images.push(name),
            Err(_) if is_folder || is_image => listing.unreadable_names.push(entry.path()),
            _ => listing.other_files += 1,
        }
    }
    listing.folders.sort_unstable();
    listing.images.sort_unstable();
    Ok(listing)
}

/// Whether a file of this name is looked at as an image.
pub(crate) fn has_image_extension(name: &OsStr) -> bool {
    Path::new(name)
        .extension()
        .and_then(OsStr::to_str)
        .is_some_and(|extension| IMAGE_EXTENSIONS.contains(&extension.to_ascii_lowercase().as_str()))
}

//! Class folders as a source.

use super::listing::{Listing, last_stem};
use super::{ImageSource, Place, SourceError, SourceForm};
use crate::tree::ClassTree;

impl ImageSource {
    /// The images of class folders. No file is opened.
    ///
    /// # Errors
    ///
    /// [`SourceError::NoImages`] if none has a name that the layout can hold.
    pub fn class_folders(tree: &ClassTree) -> Result<Self, SourceError> {
        let mut listing = Listing::default();
        for class in tree.classes() {
            for file in &class.files {
                listing.add(&class.name, file, last_stem(file), Place::File);
            }
        }
        for path in tree.unreadable_names() {
            let path = path.strip_prefix(tree.root()).unwrap_or(path);
            listing.refuse(path.to_string_lossy().into_owned(), "has a name that is not UTF-8; rename it".to_owned());
        }
        listing.finish(SourceForm::ClassFolders, vec![tree.root().to_owned()])
    }
}

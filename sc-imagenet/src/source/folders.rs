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
        listing.pass_over_all(tree.passed_over().clone());
        for class in tree.classes() {
            for file in &class.files {
                // Of folders within the class's folder each may have an image of the same name.
                let id = 0..last_stem(file).end;
                listing.add(&class.name, file, id, Place::File);
            }
        }
        for path in tree.unreadable_names() {
            let path = path.strip_prefix(tree.root()).unwrap_or(path);
            listing.refuse(path.to_string_lossy().into_owned(), "has a name that is not UTF-8; rename it".to_owned());
        }
        listing.finish(SourceForm::ClassFolders, vec![tree.root().to_owned()])
    }
}

//! Checked images with their class labels: what pairs are drawn from.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// Usable images, each with the index of its class.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImageSet {
    classes: Vec<String>,
    images: Vec<ImageEntry>,
}

/// One usable image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageEntry {
    /// The file.
    pub path: PathBuf,
    /// Index into [`ImageSet::classes`].
    pub class: usize,
    /// Width of the upright image in pixels.
    pub width: u32,
    /// Height of the upright image in pixels.
    pub height: u32,
}

/// The set has fewer classes than training needs.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "{} here ({}), at least {needed} are needed, since negative pairs join images of different classes; add folders of \
     other classes",
    count(.classes.len()), .classes.join(", ")
)]
pub struct TooFewClasses {
    /// The classes there are.
    pub classes: Vec<String>,
    /// How many it takes.
    pub needed: usize,
}

fn count(classes: usize) -> String {
    match classes {
        1 => "only one class".to_owned(),
        n => format!("only {n} classes"),
    }
}

impl ImageSet {
    /// A set of images, whose classes index `classes`.
    ///
    /// # Panics
    ///
    /// If an image's class is no index into `classes`.
    pub fn new(classes: Vec<String>, images: Vec<ImageEntry>) -> Self {
        for image in &images {
            assert!(
                image.class < classes.len(),
                "class {} of {} is beyond the {} classes",
                image.class,
                image.path.display(),
                classes.len()
            );
        }
        Self { classes, images }
    }

    /// One set of several: classes of one name become one class, classes are sorted by name, and images keep their
    /// order within a class. Classes that mean the same under two names stay two, and then serve as negatives of each
    /// other: rename the folders if they should not.
    pub fn join(sets: impl IntoIterator<Item = Self>) -> Self {
        let mut by_class: BTreeMap<String, Vec<ImageEntry>> = BTreeMap::new();
        for set in sets {
            for image in set.images {
                by_class.entry(set.classes[image.class].clone()).or_default().push(image);
            }
        }
        let mut joined = Self::default();
        for (class, (name, images)) in by_class.into_iter().enumerate() {
            joined.classes.push(name);
            joined.images.extend(images.into_iter().map(|image| ImageEntry { class, ..image }));
        }
        joined
    }

    /// Fails if there are fewer than `needed` classes; training needs 2, since a negative pair joins two of them.
    ///
    /// # Errors
    ///
    /// [`TooFewClasses`], with the classes there are.
    pub fn require_classes(&self, needed: usize) -> Result<(), TooFewClasses> {
        if self.classes.len() < needed {
            return Err(TooFewClasses { classes: self.classes.clone(), needed });
        }
        Ok(())
    }

    /// Class names, sorted; the index is the label.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// The images, grouped by class.
    pub fn images(&self) -> &[ImageEntry] {
        &self.images
    }

    /// The label of each image, for [`PairSampler`](crate::PairSampler).
    pub fn labels(&self) -> Vec<usize> {
        self.images.iter().map(|image| image.class).collect()
    }

    /// Images in the set.
    pub fn len(&self) -> usize {
        self.images.len()
    }

    /// Whether there is no image.
    pub fn is_empty(&self) -> bool {
        self.images.is_empty()
    }
}

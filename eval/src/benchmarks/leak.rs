//! How much of PF-PASCAL's test split is in its training split, from the lists alone.

use std::collections::BTreeSet;
use std::fmt;

use super::pf_pascal::PfPascalRow;

/// How much of a test list is in a training list. Images are told apart by file name, pairs also by class, without
/// regard to which image is the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct LeakReport {
    /// Images in the test list.
    pub test_images: usize,
    /// How many of them are in the training list.
    pub test_images_in_train: usize,
    /// Unordered pairs in the test list.
    pub unordered_test_pairs: usize,
    /// How many of them are in the training list.
    pub unordered_test_pairs_in_train: usize,
    /// Rows of the test list neither of whose images is in the training list.
    pub leak_free_pairs: usize,
}

impl LeakReport {
    /// Compares two lists.
    pub fn new(train: &[PfPascalRow], test: &[PfPascalRow]) -> Self {
        let (seen, asked) = (images(train), images(test));
        let (seen_pairs, asked_pairs) = (unordered_pairs(train), unordered_pairs(test));
        Self {
            test_images: asked.len(),
            test_images_in_train: asked.intersection(&seen).count(),
            unordered_test_pairs: asked_pairs.len(),
            unordered_test_pairs_in_train: asked_pairs.intersection(&seen_pairs).count(),
            leak_free_pairs: leak_free(train, test).len(),
        }
    }
}

impl fmt::Display for LeakReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} of {} images and {} of {} unordered pairs are in the training list; {} pairs have no image in it",
            self.test_images_in_train,
            self.test_images,
            self.unordered_test_pairs_in_train,
            self.unordered_test_pairs,
            self.leak_free_pairs
        )
    }
}

/// The rows of a list neither of whose images occurs, under any class, in the training list.
pub fn leak_free<'a>(train: &[PfPascalRow], rows: &'a [PfPascalRow]) -> Vec<&'a PfPascalRow> {
    let seen = images(train);
    rows.iter().filter(|row| row.image_names().iter().all(|image| !seen.contains(image))).collect()
}

fn images(rows: &[PfPascalRow]) -> BTreeSet<String> {
    rows.iter().flat_map(PfPascalRow::image_names).collect()
}

fn unordered_pairs(rows: &[PfPascalRow]) -> BTreeSet<(&'static str, [String; 2])> {
    let pair = |row: &PfPascalRow| {
        let mut names = row.image_names();
        names.sort();
        (row.class, names)
    };
    rows.iter().map(pair).collect()
}

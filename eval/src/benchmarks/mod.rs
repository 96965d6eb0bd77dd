//! Readers of benchmarks: the layout found from a folder, checked, and made into pairs.
//!
//! A reader is given the data set's folder or the one that holds it. What it cannot do, it says with the file, and with
//! the line or the key; where something is missing, also with where the data set is published and how it is laid out.
//! Lists and annotations may have line ends of either kind, a byte order mark, and no line end at the last line. No
//! pixel is decoded: sizes come from the images' headers, through `sc_imagenet::image_size`, and from annotations where
//! an image is not there.
//!
//! Sizes, boxes and points are held against the images (`checks.rs` says what is free, counted, or an error). What the data
//! sets mean where that is not plain:
//!
//! | data set | an absent key point | of a photo with an EXIF orientation, points, boxes and sizes are in |
//! | --- | --- | --- |
//! | WILLOW-ObjectClass | (NaN, NaN) or (−1, −1) | the pixels as stored (MATLAB) |
//! | PF-WILLOW | (−1, −1); in `.mat` files also (NaN, NaN) | the pixels as stored (MATLAB) |
//! | PF-PASCAL | (NaN, NaN) in `.mat` files; lists have none | the pixels as stored (MATLAB) |
//! | SPair-71k | `null` | the pixels as stored (Pillow), where the declared size does not say otherwise |
//! | AP-10K | visibility 0 | the picture as shown (OpenCV), where the declared size does not say otherwise |
//! | SC-ImageNet | none | the pixels as stored (Pillow); the builder writes upright files |
//! | a table | none | the picture as shown, where `frame` does not say otherwise |
//! | Caltech-101 | none | the pixels as stored (MATLAB) |
//! | TSS | a vector that is unknown | such a photo is refused |
//!
//! (0, 0) is the top-left pixel in all of them. The published images have no orientation; where one is met, it is counted in
//! [`ReadPairs::counts`], and [`ReadOptions::annotated_in`] says that the other frame is meant. Pairs are always of the
//! pictures as they are shown, and so are predictions.
//!
//! Every format has a `parse_…` function that takes bytes. None of them panics, or allocates more than a small multiple
//! of the bytes.

mod ap_10k;
mod caltech;
pub(crate) mod checks;
mod error;
mod files;
mod leak;
mod name;
mod pair_json;
mod pf_pascal;
pub(crate) mod read_counts;
mod rows;
mod sc_imagenet;
mod spair;
mod table;
mod tss;
mod willow_pairs;

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use crate::key_points::{KeyPointPair, PairSelection};
use crate::protocol::Protocol;

pub use ap_10k::{parse_ap_10k_image, parse_ap_10k_pair};
pub use caltech::{
    CaltechPair, CaltechPairs, CaltechRow, OutlinedImage, parse_caltech_list, read_caltech, read_caltech_list,
};
pub use checks::{AnnotationError, AnnotationFrame, UnknownFrame};
pub use error::BenchmarkError;
pub use leak::{LeakReport, leak_free};
pub use name::{BenchmarkName, BenchmarkSplit, UnknownBenchmark};
pub use pair_json::{
    PairFile, PairFileImage, PairName, parse_pair_layout, parse_sc_imagenet_pair, parse_spair_image, parse_spair_pair,
};
pub use pf_pascal::{
    PASCAL_CLASSES, PfPascalAnnotation, PfPascalRow, parse_pf_pascal_annotation, parse_pf_pascal_list,
    read_pf_pascal_list,
};
pub use read_counts::{Oddity, OddityCount, ReadCounts};
pub use table::{CSV_TEMPLATE, JSONL_TEMPLATE, TableImage, TableRow, parse_csv_table, parse_jsonl_table};
pub use tss::{TSS_SUBSETS, TssPair, parse_tss_flip, read_tss};
pub use willow_pairs::{PfWillowRow, parse_pf_willow_list};

/// Which of SPair-71k's two sets of lists is read; AP-10K in SPair's layout has them too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SpairSize {
    /// `Layout/large`: the one that scores are published on.
    #[default]
    Large,
    /// `Layout/small`.
    Small,
}

/// What to read of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadOptions {
    /// The part; `None` = the first of [`BenchmarkName::splits`].
    pub split: Option<BenchmarkSplit>,
    /// SPair-71k's large or small lists.
    pub spair_size: SpairSize,
    /// Which ordered pairs, of data sets that have no list of pairs.
    pub pair_selection: PairSelection,
    /// PF-PASCAL alone: only pairs neither of whose images occurs in the training list.
    pub leak_free: bool,
    /// In which pixels points, boxes and sizes of images with an EXIF orientation are meant; `None` = what
    /// [`BenchmarkName::annotation_frame`] says.
    pub annotated_in: Option<AnnotationFrame>,
}

impl Default for ReadOptions {
    /// The split that scores are published on, whole.
    fn default() -> Self {
        Self {
            split: None,
            spair_size: SpairSize::Large,
            pair_selection: PairSelection::ALL,
            leak_free: false,
            annotated_in: None,
        }
    }
}

/// The pairs of a data set.
#[derive(Clone, Debug, PartialEq)]
pub struct ReadPairs {
    /// The pairs in the data set's order; their ids differ.
    pub pairs: Vec<KeyPointPair>,
    /// The protocol under which scores of the data set are usually published.
    pub default_protocol: Protocol,
    /// What the user should be told: what was left out, what cannot be scored, what leaks.
    pub notes: Vec<String>,
    /// What was taken although it is odd: to be told beside every score.
    pub counts: ReadCounts,
}

impl ReadPairs {
    /// The image files of the pairs that are not there, each once. Scoring needs no images, predicting does.
    pub fn missing_images(&self) -> Vec<PathBuf> {
        missing_images(&self.pairs)
    }
}

/// The image files of some pairs that are not there, each once.
pub fn missing_images(pairs: &[KeyPointPair]) -> Vec<PathBuf> {
    let images = pairs.iter().flat_map(|pair| [&pair.source.path, &pair.target.path]);
    let mut seen = HashSet::new();
    images.filter(|path| seen.insert(*path) && !path.is_file()).cloned().collect()
}

/// Reads a data set's pairs from its folder, or from the folder that holds it (of [`BenchmarkName::Table`]: from the
/// file, or the folder that holds it).
///
/// # Errors
///
/// [`BenchmarkError`] where something is missing or damaged, a size, box or point cannot be meant, or the data set has no
/// such split or no key points.
pub fn read_pairs(name: BenchmarkName, root: &Path, options: &ReadOptions) -> Result<ReadPairs, BenchmarkError> {
    let splits = name.splits();
    let split = options.split.or(splits.first().copied()).unwrap_or(BenchmarkSplit::All);
    if !splits.contains(&split) {
        return Err(BenchmarkError::NoSplit { name, split });
    }
    let mut read = match name {
        BenchmarkName::PfPascal => pf_pascal::read(root, split, options)?,
        BenchmarkName::PfWillow => willow_pairs::read_pf_willow(root, options)?,
        BenchmarkName::Willow => willow_pairs::read_willow_object(root, split, options)?,
        BenchmarkName::Spair => spair::read(root, split, options)?,
        BenchmarkName::Ap10k => ap_10k::read(root, split, options)?,
        BenchmarkName::ScImageNet => sc_imagenet::read(root, split, options.annotated_in)?,
        BenchmarkName::Table => table::read(root, options.annotated_in)?,
        BenchmarkName::Tss => return Err(BenchmarkError::NoKeyPoints { name, reader: "read_tss" }),
        BenchmarkName::Caltech => return Err(BenchmarkError::NoKeyPoints { name, reader: "read_caltech" }),
    };
    let mut seen = HashSet::new();
    if let Some(pair) = read.pairs.iter().find(|pair| !seen.insert(pair.id.as_str())) {
        let problem = format!("the pair `{}` is listed twice; predictions could not tell which is meant", pair.id);
        return Err(BenchmarkError::Content { path: root.to_owned(), problem });
    }
    if read.pairs.is_empty() {
        let problem = format!("{name} has no pair here to be scored");
        return Err(BenchmarkError::Content { path: root.to_owned(), problem });
    }
    if options.leak_free && name != BenchmarkName::PfPascal {
        read.notes.push(format!("{name} has no leak-free subset: every pair of the split is taken"));
    }
    Ok(read)
}

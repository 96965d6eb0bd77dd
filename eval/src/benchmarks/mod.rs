//! Readers of benchmarks: the layout found from a folder, checked, and made into pairs.
//!
//! A reader is given the data set's folder or the one that holds it. What it cannot do, it says with the file, and with
//! the line or the key; where something is missing, also with where the data set is published and how it is laid out.
//! Lists and annotations may have line ends of either kind, a byte order mark, and no line end at the last line. No
//! pixel is decoded: sizes come from annotations where these have them, else from the image's header.
//!
//! Every format has a `parse_…` function that takes bytes. None of them panics, or allocates more than a small multiple
//! of the bytes.

mod ap_10k;
mod caltech;
mod error;
mod files;
mod leak;
mod name;
mod pair_json;
mod pf_pascal;
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
pub use caltech::{CaltechPair, CaltechRow, OutlinedImage, parse_caltech_list, read_caltech, read_caltech_list};
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
}

impl Default for ReadOptions {
    /// The split that scores are published on, whole.
    fn default() -> Self {
        Self { split: None, spair_size: SpairSize::Large, pair_selection: PairSelection::ALL, leak_free: false }
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
/// [`BenchmarkError`] where something is missing or damaged, or the data set has no such split or no key points.
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
        BenchmarkName::ScImageNet => sc_imagenet::read(root, split)?,
        BenchmarkName::Table => table::read(root)?,
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

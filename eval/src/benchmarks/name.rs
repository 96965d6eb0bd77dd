//! The data sets by name: where each is published, how it is laid out, and which parts it has.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use thiserror::Error;

use super::checks::AnnotationFrame;
use super::{ap_10k, caltech, pf_pascal, sc_imagenet, spair, table, tss, willow_pairs};

/// A data set that can be scored on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BenchmarkName {
    /// `pf-pascal`: PF-PASCAL with the pair lists in common use.
    PfPascal,
    /// `pf-willow`: PF-WILLOW, 900 pairs.
    PfWillow,
    /// `willow`: WILLOW-ObjectClass, all ordered pairs of a class.
    Willow,
    /// `spair`: SPair-71k.
    Spair,
    /// `tss`: Taniai, Sinha, Sato: dense flow and masks.
    Tss,
    /// `caltech`: Caltech-101, transfer of outlines.
    Caltech,
    /// `ap-10k`: AP-10K, animals in pairs.
    #[serde(rename = "ap-10k")]
    Ap10k,
    /// `sc-imagenet`: the layout of SC-ImageNet, whose key points are pseudo-labels.
    #[serde(rename = "sc-imagenet")]
    ScImageNet,
    /// `table`: pairs of one's own in a CSV or JSONL file.
    Table,
}

/// A part of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BenchmarkSplit {
    /// `train`; of WILLOW-ObjectClass, the even images of each class.
    Train,
    /// `val`; of WILLOW-ObjectClass, the odd images of each class.
    Val,
    /// `test`; of PF-WILLOW, everything.
    Test,
    /// `test-cross-species`: AP-10K, two species of one family.
    TestCrossSpecies,
    /// `test-cross-family`: AP-10K, animals of two families.
    TestCrossFamily,
    /// `all`: everything, where there are no parts.
    All,
}

const NAMES: [(BenchmarkName, &str); 9] = [
    (BenchmarkName::PfPascal, "pf-pascal"),
    (BenchmarkName::PfWillow, "pf-willow"),
    (BenchmarkName::Willow, "willow"),
    (BenchmarkName::Spair, "spair"),
    (BenchmarkName::Tss, "tss"),
    (BenchmarkName::Caltech, "caltech"),
    (BenchmarkName::Ap10k, "ap-10k"),
    (BenchmarkName::ScImageNet, "sc-imagenet"),
    (BenchmarkName::Table, "table"),
];

const SPLITS: [(BenchmarkSplit, &str); 6] = [
    (BenchmarkSplit::Train, "train"),
    (BenchmarkSplit::Val, "val"),
    (BenchmarkSplit::Test, "test"),
    (BenchmarkSplit::TestCrossSpecies, "test-cross-species"),
    (BenchmarkSplit::TestCrossFamily, "test-cross-family"),
    (BenchmarkSplit::All, "all"),
];

impl BenchmarkName {
    /// Every data set.
    pub const ALL: [Self; 9] = [
        Self::PfPascal,
        Self::PfWillow,
        Self::Willow,
        Self::Spair,
        Self::Tss,
        Self::Caltech,
        Self::Ap10k,
        Self::ScImageNet,
        Self::Table,
    ];

    /// Which of a class's key points another one becomes in a mirrored image, a left eye a right one; `None` where the data
    /// set does not say which of its key points are left and right.
    pub fn opposites(self) -> Option<fn(u16) -> u16> {
        /// Eyes; shoulders, elbows and front paws; hips, knees and back paws. Nose, neck and tail are in the middle.
        const OF_AP_10K: [[u16; 2]; 7] = [[0, 1], [5, 8], [6, 9], [7, 10], [11, 14], [12, 15], [13, 16]];
        fn of_ap_10k(id: u16) -> u16 {
            let sides = OF_AP_10K.iter().find(|sides| sides.contains(&id));
            sides.map_or(id, |&[left, right]| if id == left { right } else { left })
        }
        (self == Self::Ap10k).then_some(of_ap_10k)
    }

    /// In which pixels points, boxes and sizes of the data set are meant, where an image has an EXIF orientation: those that the
    /// programs saw with which it was annotated or is read. MATLAB, with which WILLOW, PF-PASCAL, TSS and the outlines of
    /// Caltech-101 were annotated, and Pillow, with which SPair-71k and SC-ImageNet are read, see the pixels as stored;
    /// OpenCV, with which AP-10K is read, and who writes a table, see the picture as it is shown. The published images have
    /// no orientation, so that both are the same.
    pub fn annotation_frame(self) -> AnnotationFrame {
        match self {
            Self::Ap10k | Self::Table => AnnotationFrame::Shown,
            _ => AnnotationFrame::Stored,
        }
    }

    /// Where the data set is published and what to fetch there, as the end of a sentence.
    pub fn published_at(self) -> &'static str {
        match self {
            Self::PfPascal => {
                "https://www.di.ens.fr/willow/research/proposalflow/ (PF-dataset-PASCAL.zip); the pair lists come with \
                 NC-Net, https://github.com/ignacio-rocco/ncnet"
            }
            Self::PfWillow => "https://www.di.ens.fr/willow/research/proposalflow/ (PF-dataset.zip)",
            Self::Willow => "https://www.di.ens.fr/willow/research/graphlearning/ (WILLOW-ObjectClass_dataset.zip)",
            Self::Spair => "https://cvlab.postech.ac.kr/research/SPair-71k/ (SPair-71k.tar.gz)",
            Self::Tss => "https://taniai.space/projects/cvpr16_dccs/ (TSS_CVPR2016.zip)",
            Self::Caltech => {
                "https://data.caltech.edu/records/mzrjq-6wc02 (101_ObjectCategories); the pair list comes with \
                 https://www.di.ens.fr/willow/research/cnngeometric/ (test_pairs_caltech_with_category.csv)"
            }
            Self::Ap10k => {
                "https://github.com/AlexTheBad/AP-10K (images and key points); the pairs are made by \
                 https://github.com/Junyi42/GeoAware-SC"
            }
            Self::ScImageNet => {
                "its authors' page for those to whom they give access, and may not be passed on; the builder of this \
                 project writes the same layout from images of your own"
            }
            Self::Table => "no place but yours: write one line a pair into a CSV or JSONL file",
        }
    }

    /// The files and folders expected, as a small tree.
    pub fn layout(self) -> &'static str {
        match self {
            Self::PfPascal => pf_pascal::LAYOUT,
            Self::PfWillow => willow_pairs::PF_WILLOW_LAYOUT,
            Self::Willow => willow_pairs::WILLOW_LAYOUT,
            Self::Spair => spair::LAYOUT,
            Self::Tss => tss::LAYOUT,
            Self::Caltech => caltech::LAYOUT,
            Self::Ap10k => ap_10k::LAYOUT,
            Self::ScImageNet => sc_imagenet::LAYOUT,
            Self::Table => table::LAYOUT,
        }
    }

    /// The parts of the data set; the first is the one scored where none is asked for.
    pub fn splits(self) -> &'static [BenchmarkSplit] {
        use BenchmarkSplit::{All, Test, TestCrossFamily, TestCrossSpecies, Train, Val};
        match self {
            Self::PfPascal | Self::Spair => &[Test, Val, Train],
            Self::PfWillow => &[Test],
            Self::Willow => &[Val, Train, All],
            Self::Ap10k => &[Test, TestCrossSpecies, TestCrossFamily, Val, Train],
            Self::ScImageNet => &[Val, Train],
            Self::Tss | Self::Caltech | Self::Table => &[All],
        }
    }

    /// The data set that a folder (or its only data set's parent) is laid out as; `None` where it is laid out as none,
    /// or as more than one.
    pub fn detect(root: &Path) -> Option<Self> {
        let is = |name: &Self| match name {
            Self::PfPascal => pf_pascal::find(root).is_some(),
            Self::PfWillow => willow_pairs::find_pf_willow(root).is_some(),
            Self::Willow => willow_pairs::find_pf_willow(root).is_none() && willow_pairs::find_willow(root).is_some(),
            Self::Spair => spair::find(root).is_some_and(|base| spair::has_image_annotations(&base)),
            Self::Tss => tss::find(root).is_some(),
            Self::Caltech => caltech::find(root).is_some(),
            Self::Ap10k => ap_10k::find(root).is_some_and(|base| ap_10k::looks_like(&base)),
            Self::ScImageNet => sc_imagenet::find(root).is_some_and(|base| !spair::has_image_annotations(&base)),
            Self::Table => table::find(root).is_some(),
        };
        let mut found = Self::ALL.into_iter().filter(is);
        match (found.next(), found.next()) {
            (Some(name), None) => Some(name),
            _ => None,
        }
    }

    /// What to tell who has not got it: where from, and how to lay it out.
    pub(super) fn how_to_get(self) -> String {
        format!("{self} is published at {}. It is laid out like this:\n{}", self.published_at(), self.layout())
    }

    /// The names of the splits in one line.
    pub(super) fn split_names(self) -> String {
        self.splits().iter().map(BenchmarkSplit::to_string).collect::<Vec<_>>().join(", ")
    }
}

/// A string that names no data set or no split.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("`{found}` is no {kind}; expected one of {expected}")]
pub struct UnknownBenchmark {
    found: String,
    kind: &'static str,
    expected: String,
}

impl FromStr for BenchmarkName {
    type Err = UnknownBenchmark;

    fn from_str(text: &str) -> Result<Self, UnknownBenchmark> {
        parse(&NAMES, text, "benchmark")
    }
}

impl FromStr for BenchmarkSplit {
    type Err = UnknownBenchmark;

    fn from_str(text: &str) -> Result<Self, UnknownBenchmark> {
        parse(&SPLITS, text, "split")
    }
}

impl fmt::Display for BenchmarkName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(NAMES.iter().find(|(name, _)| name == self).map_or("", |(_, text)| text))
    }
}

impl fmt::Display for BenchmarkSplit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(SPLITS.iter().find(|(split, _)| split == self).map_or("", |(_, text)| text))
    }
}

fn parse<T: Copy>(known: &[(T, &str)], text: &str, kind: &'static str) -> Result<T, UnknownBenchmark> {
    known.iter().find(|(_, name)| *name == text).map(|(value, _)| *value).ok_or_else(|| UnknownBenchmark {
        found: text.to_owned(),
        kind,
        expected: known.iter().map(|(_, name)| *name).collect::<Vec<_>>().join(", "),
    })
}

//! Why a benchmark could not be read: always with the file, and with the line or the key where there is one.

use std::io;
use std::path::PathBuf;

use sc_imagenet::Refusal;
use thiserror::Error;

use super::checks::AnnotationError;
use super::name::{BenchmarkName, BenchmarkSplit};
use crate::mat::MatError;
use crate::willow::WillowError;

/// Why a benchmark could not be read.
#[derive(Debug, Error)]
pub enum BenchmarkError {
    /// The operating system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Larger than any list or annotation.
    #[error("{}: {bytes} bytes are too many for a list or an annotation; is this the right file?", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
    },
    /// Neither the folder nor a folder in it is laid out as the data set is.
    #[error(
        "{}: this is not {name}, nor is the data set in a folder of it: {missing} is missing.\n{}",
        root.display(), name.how_to_get()
    )]
    Layout {
        /// The data set looked for.
        name: BenchmarkName,
        /// The folder that was given.
        root: PathBuf,
        /// What is not there.
        missing: String,
    },
    /// A file of the data set is not there.
    #[error("{}: there is no such file, and {needed_by} needs it{hint}.\n{}", path.display(), name.how_to_get())]
    Missing {
        /// The data set.
        name: BenchmarkName,
        /// The file.
        path: PathBuf,
        /// Who names it: another file and line, or the data set.
        needed_by: String,
        /// What may have gone wrong, as the end of a sentence; may be empty.
        hint: &'static str,
    },
    /// A part that the data set does not have.
    #[error("{name} has no split {split}; its splits are {}", name.split_names())]
    NoSplit {
        /// The data set.
        name: BenchmarkName,
        /// What was asked for.
        split: BenchmarkSplit,
    },
    /// TSS and Caltech-101 annotate no key points.
    #[error("{name} has no key-point pairs; its own reader is `{reader}`")]
    NoKeyPoints {
        /// The data set.
        name: BenchmarkName,
        /// The function to call instead.
        reader: &'static str,
    },
    /// A line of a list is not what it should be.
    #[error("{}:{line}: {problem}", path.display())]
    Line {
        /// The list.
        path: PathBuf,
        /// The line, counted from 1.
        line: u64,
        /// What is wrong in it.
        problem: String,
    },
    /// A file is no JSON, or its values are of the wrong kind.
    #[error("{}: {source}{hint}", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// What the parser said, with line and column.
        source: serde_json::Error,
        /// What may have gone wrong, as the end of a sentence; may be empty.
        hint: &'static str,
    },
    /// A key of a JSON file is missing or its value is out of range.
    #[error("{}: `{key}` {problem}", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// The key.
        key: String,
        /// What is wrong with it, said of it.
        problem: String,
    },
    /// A file as a whole is not what it should be.
    #[error("{}: {problem}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong in it.
        problem: String,
    },
    /// The header of an image could not be read.
    #[error("{}: cannot read the image's size: it {source}", path.display())]
    Image {
        /// The image.
        path: PathBuf,
        /// Why.
        source: Refusal,
    },
    /// A size, box or point cannot be meant.
    #[error(transparent)]
    Annotation(#[from] AnnotationError),
    /// A key-point file could not be read.
    #[error(transparent)]
    Mat(#[from] MatError),
    /// Class folders could not be read.
    #[error(transparent)]
    Willow(#[from] WillowError),
}

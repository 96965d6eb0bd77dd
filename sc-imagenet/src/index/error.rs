//! Why an index cannot be written or read.

use std::io;
use std::path::{Path, PathBuf};

use parquet::errors::ParquetError;

use crate::atomic_file::WriteError;

/// Why an index cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// The file system refuses.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// It cannot be opened.
    #[error("{}: cannot be read ({source}); check that it is there and that you may read it", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the file system says.
        source: io::Error,
    },
    /// It is no Parquet file, or a damaged one.
    #[error("{}: is no whole Parquet file ({detail}); build the data set again from its parts", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What the reader says.
        detail: String,
    },
    /// A row is not one of an index of images.
    #[error("{}: row {row}: {problem}; was the file written by another version?", .path.display())]
    Row {
        /// The file.
        path: PathBuf,
        /// The row, from 0.
        row: u64,
        /// What is wrong with it.
        problem: String,
    },
}

/// An error of the Parquet writer, which mostly is one of the file system underneath.
pub(super) fn write_error(path: &Path, error: ParquetError) -> WriteError {
    let source = match error {
        ParquetError::External(inner) => match inner.downcast::<io::Error>() {
            Ok(source) => *source,
            Err(other) => io::Error::other(other),
        },
        other => io::Error::other(other),
    };
    WriteError { path: path.to_owned(), source }
}

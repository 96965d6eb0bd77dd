//! Why a source of images could not be listed.

use std::io;
use std::path::PathBuf;

use crate::passed_over::PassedOver;
use crate::tree::TreeError;

/// Why a source of images could not be listed.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// A folder is no tree of class folders.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// The file system would not give it.
    #[error("{}: cannot be read ({source}); check that it is there and that you may read it", .path.display())]
    Unreadable {
        /// The file or folder.
        path: PathBuf,
        /// What the file system says.
        source: io::Error,
    },
    /// A tar stops before its end.
    #[error("{}: the tar is truncated: it ends at byte {offset}{missing}; fetch it again", .path.display())]
    Truncated {
        /// The tar.
        path: PathBuf,
        /// The byte at which it ends: of the file, also where a tar within a tar is cut short.
        offset: u64,
        /// What is missing, as the end of a sentence.
        missing: String,
    },
    /// A tar's structure does not hold.
    #[error("{}: the tar is damaged at byte {offset} ({detail}); fetch it again", .path.display())]
    Damaged {
        /// The tar.
        path: PathBuf,
        /// The byte of the file at which the header begins that makes no sense.
        offset: u64,
        /// What is wrong there.
        detail: String,
    },
    /// Compressed, or no tar at all.
    #[error(
        "{}: is {what}; give a folder of class folders, a tar, or WebDataset shards (`shard-{{000..012}}.tar`)",
        .path.display()
    )]
    NotASource {
        /// The file.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// A pattern of shards that cannot be expanded.
    #[error("`{pattern}`: {problem}; write one range of numbers in braces, as in `shard-{{000..012}}.tar`")]
    Pattern {
        /// The pattern.
        pattern: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// Nothing in it can be used.
    #[error(
        "{}: holds no image that can be used{}{}",
        .path.display(), first_refusal(*.refused, .first), .passed_over.as_ending()
    )]
    NoImages {
        /// The source.
        path: PathBuf,
        /// How many were refused.
        refused: usize,
        /// The first that was refused, with its reason.
        first: Option<String>,
        /// What was not looked at.
        passed_over: PassedOver,
    },
}

fn first_refusal(refused: usize, first: &Option<String>) -> String {
    match first {
        Some(first) => format!("; {refused} refused, the first of them {first}"),
        None => String::new(),
    }
}

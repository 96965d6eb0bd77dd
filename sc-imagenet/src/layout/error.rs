//! Why a layout cannot be read or written.

use std::io;
use std::path::PathBuf;

use crate::atomic_file::WriteError;
use crate::decode::DecodeError;
use crate::index::IndexError;
use crate::judged_image::JudgedImageError;
use crate::labelled_pair::PairError;

/// Why a layout cannot be read: always with the file, and with the line or the key where there is one.
#[derive(Debug, thiserror::Error)]
pub enum LayoutError {
    /// Neither the folder nor `SC-IMAGENET` in it is laid out so.
    #[error(
        "{}: is not laid out as SC-ImageNet is: `Layout/large` and `PairAnnotation` are not in it, nor in a folder \
         `SC-IMAGENET` of it{hint}",
        .root.display()
    )]
    NotALayout {
        /// The folder that was given.
        root: PathBuf,
        /// What may have happened, as the end of a sentence.
        hint: &'static str,
    },
    /// A file of it is not there.
    #[error("{}: there is no such file, and {needed_by} needs it{hint}", .path.display())]
    Missing {
        /// The file.
        path: PathBuf,
        /// Who names it.
        needed_by: String,
        /// What may have happened, as the end of a sentence.
        hint: &'static str,
    },
    /// The file system would not give it.
    #[error("{}: cannot be read ({source}); check that you may read it", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the file system says.
        source: io::Error,
    },
    /// A line of a list is not what it should be.
    #[error("{}:{line}: {problem}", .path.display())]
    Line {
        /// The list.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// What is wrong in it.
        problem: String,
    },
    /// An annotation is no JSON, or a value in it is of the wrong kind.
    #[error("{}: {source}", .path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// What the parser says, with line and column.
        source: serde_json::Error,
    },
    /// A key of an annotation is missing or its value is not what it should be.
    #[error("{}: `{key}` {problem}", .path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// The key.
        key: String,
        /// What is wrong with it, said of it.
        problem: String,
    },
    /// The index of images cannot be read.
    #[error(transparent)]
    Index(#[from] IndexError),
}

/// Why a layout cannot be written. What was written before is whole, and the same build can be begun again.
#[derive(Debug, thiserror::Error)]
pub enum LayoutWriteError {
    /// The file system refuses.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// Another process writes into the same folder.
    #[error("{}: another process writes into this folder; wait for it, or choose another", .out.display())]
    Locked {
        /// The folder.
        out: PathBuf,
    },
    /// A data set made with another configuration is there.
    #[error(
        "{}: holds a data set made with another configuration: {differences}; choose another folder, or move it away",
        .out.display()
    )]
    OtherConfig {
        /// The folder.
        out: PathBuf,
        /// The settings that differ.
        differences: String,
    },
    /// Something is there that no build made.
    #[error("{}: holds a `{found}` that no build of this program made; choose another folder", .out.display())]
    NotOurs {
        /// The folder.
        out: PathBuf,
        /// What is there.
        found: String,
    },
    /// Annotations are there that are of no pair.
    #[error(
        "{}: holds {found} files for {pairs} pairs; those of earlier labels are among them: delete the folder and merge \
         again",
        .folder.display()
    )]
    OtherAnnotations {
        /// The folder of a split's annotations.
        folder: PathBuf,
        /// How many files are in it.
        found: u64,
        /// How many pairs the split has.
        pairs: u64,
    },
    /// The folder that images are to be put into is a link, as to somebody's ImageNet.
    #[error(
        "{}: is a link, and images put there would replace those that it points to; remove the link, or leave images out",
        .folder.display()
    )]
    ImagesAreALink {
        /// The folder.
        folder: PathBuf,
    },
    /// A pair that the layout cannot hold.
    #[error(transparent)]
    Pair(#[from] PairError),
    /// An image whose row the index cannot hold.
    #[error(transparent)]
    Judged(#[from] JudgedImageError),
    /// A pair of an image that the source does not have.
    #[error("image {class}/{id} of pair {pair} is not in the source of images; give the source that the pairs are of")]
    NotInSource {
        /// The pair.
        pair: String,
        /// The image's class.
        class: String,
        /// The image's id.
        id: String,
    },
    /// Links to what lies in a tar.
    #[error("{}: lies in a tar, to which no link can point; copy the images or leave them out", .image.display())]
    CannotLink {
        /// The image.
        image: PathBuf,
    },
    /// An image to be copied cannot be read.
    #[error(transparent)]
    Image(#[from] DecodeError),
    /// The index cannot be written.
    #[error(transparent)]
    Index(#[from] IndexError),
}

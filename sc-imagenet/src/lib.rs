//! Folders of images, one per class, made into something that can be trained on.
//!
//! The only supervision there is, is which folder an image lies in. This crate reads such folders ([`ClassTree`]: the
//! ImageNet layout, or any folder of class folders), looks at every image once and says which cannot be used and why
//! ([`check()`]), reads any image the same way wherever it is needed ([`decode()`]), and draws training pairs
//! ([`PairSampler`]): two images of one class and one of another.
//!
//! Three things it holds to:
//!
//! - *Same input, same order.* Classes and files are sorted by the bytes of their names. An epoch of pairs is a pure
//!   function of labels, seed and epoch number, so that a run can be stopped and resumed anywhere.
//! - *A bad image costs one line of a report, not a run.* Truncated files, which decoders fill with grey and call fine,
//!   are noticed; sizes are refused by the header, before memory is allocated.
//! - *A second look is free.* Verdicts are cached by path, size and modification time.
//!
//! It is also where what a trained matcher has to say becomes a data set: images are read from class folders, tars of tars
//! or WebDataset shards without unpacking ([`ImageSource`]), finished work is kept in a [`Journal`] that survives being
//! killed, [`merge()`] makes one data set of any number of shards, and [`Layout`] reads it, and the published one, back.
//!
//! For those who have no images yet, and for tests, [`drawn`] makes some: objects with exact key points, from a seed.
//!
//! The crate knows nothing of tensors or networks. Sizes are in pixels of the upright image.
//!
//! ```
//! use sc_imagenet::{CheckConfig, ClassTree, PairSampler, check};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let data = folder.path().join("data");
//! # for (class, shade) in [("cup", 40), ("lamp", 200)] {
//! #     std::fs::create_dir_all(data.join(class))?;
//! #     for name in ["1.png", "2.png"] {
//! #         image::RgbImage::from_pixel(32, 24, image::Rgb([shade; 3])).save(data.join(class).join(name))?;
//! #     }
//! # }
//! # std::fs::write(data.join("lamp/3.jpg"), "404: not found")?;
//! # let cache = folder.path().join("checked.jsonl");
//! let tree = ClassTree::walk(&data)?;
//! let checked = check(&tree, &CheckConfig::default(), Some(&cache), |_done, _total| ())?;
//! println!("{}", checked.report); // … refused lamp/3.jpg: is not an image, whatever its name says …
//! assert_eq!(checked.report.refused[0].path, "lamp/3.jpg");
//!
//! checked.images.require_classes(2)?;
//! let labels = checked.images.labels();
//! for pair in PairSampler::new(&labels, 7).epoch(0) {
//!     assert_eq!(labels[pair.source], labels[pair.target]);
//!     assert_ne!(labels[pair.source], labels[pair.negative]);
//! }
//! # Ok(())
//! # }
//! ```

mod atomic_file;
mod build;
mod check;
mod cmyk;
mod container;
mod content;
mod datasheet;
mod decode;
pub mod drawn;
mod file_kind;
mod image_set;
mod image_size;
mod index;
mod judged_image;
mod labelled_pair;
mod layout;
mod names;
mod pairs;
mod passed_over;
mod safe_names;
mod shard;
mod sniff;
mod source;
mod split;
mod statistics;
mod tree;
mod tree_walk;
mod verdict_cache;

/// Compiles the example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

pub use atomic_file::WriteError;
pub use build::{
    BuildIdentity, Finished, Journal, JournalError, MergeError, MergeOptions, Record, check_images, merge, part_folder,
};
pub use check::{CheckConfig, CheckError, CheckReport, Checked, ClassCount, RefusedImage, check};
pub use content::{ContentCheck, ImageContent, ImageOrigin, OtherImages};
pub use datasheet::DatasheetFacts;
pub use decode::{DecodeError, DecodeLimits, Refusal, decode, decode_bytes, is_stored_upright};
pub use file_kind::{IMAGE_EXTENSIONS, has_image_extension};
pub use image_set::{ImageEntry, ImageSet, TooFewClasses};
pub use image_size::{ImageSize, image_size};
pub use index::{ImageRows, IndexError, read_image_index};
pub use judged_image::{ImageRejection, JudgedImage, JudgedImageError};
pub use labelled_pair::{DEFAULT_MAX_POINTS, LabelledPair, PairDifficulty, PairError, PairProblem, PairSide};
pub use layout::{ImagePlacement, Layout, LayoutError, LayoutWriteError, LayoutWriter};
pub use names::{NameError, NameKind, NameProblem, PairName, PairNameError};
pub use pairs::{Balance, PairSampler, TrainPair};
pub use passed_over::{PassedGroup, PassedOver, PassedReason};
pub use safe_names::{original_name, possible_names};
pub use shard::{Shard, ShardError};
pub use source::{
    ClassNames, ClassNamesError, ImageSource, KeyEnd, SourceError, SourceForm, SourceImage, SourceOptions,
};
pub use split::{Split, split_of_images};
pub use statistics::{ClassStatistics, LayoutStatistics, Mean};
pub use tree::{ClassFolder, ClassTree, Half, TreeError};

//! The layout of the published SC-ImageNet, which loaders of CATs and DHPF read.
//!
//! ```text
//! SC-IMAGENET/
//!   Layout/large/{trn,val}.txt                       a pair's name a line, a newline after each
//!   PairAnnotation/{trn,val}/<pair name>.json
//!   JPEGImages/<category>/<category>_<image id>.JPEG
//! ```
//!
//! A pair's name is `<number>-<source image id>-<target image id>:<category>`.

mod annotation;
mod error;
mod place_images;
mod read;
mod write;

pub use error::{LayoutError, LayoutWriteError};
pub use place_images::ImagePlacement;
pub use read::Layout;
pub use write::LayoutWriter;

/// The layout's folder in an output folder.
pub(crate) const LAYOUT_FOLDER: &str = "SC-IMAGENET";
/// What loaders of CATs call it; those of DHPF call it as we do.
pub(crate) const OTHER_SPELLING: &str = "SC-ImageNet";

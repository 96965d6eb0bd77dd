//! The index of a data set: two Parquet files, which DuckDB, Polars and pandas query as they are.
//!
//! ```text
//! index/pairs.parquet     a row a pair            index/images.parquet    a row a judged image
//! ```
//!
//! ```sql
//! SELECT class, reason, count(*) FROM 'index/images.parquet' WHERE NOT kept GROUP BY ALL ORDER BY ALL;
//! ```
//!
//! Rows are in the order of their numbers, and the same rows are the same bytes. The configuration's hash is among the
//! files' metadata, as `config_hash`. Nothing in them says which shard a row came from: that is no property of the data.

mod error;
mod images;
mod pairs;
mod table;

pub use error::IndexError;
pub(crate) use images::ImageIndexWriter;
pub use images::{ImageRows, read_image_index};
pub(crate) use pairs::PairIndexWriter;

/// The index's folder in an output folder.
pub(crate) const FOLDER: &str = "index";
/// The index of pairs.
pub(crate) const PAIRS: &str = "pairs.parquet";
/// The index of judged images.
pub(crate) const IMAGES: &str = "images.parquet";

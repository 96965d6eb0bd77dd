//! Building in parts that can be killed and resumed: journals of what is finished, and one data set from all of them.
//!
//! A shard's [`Journal`] is the only thing that it writes. Whatever order workers finish in, [`merge()`] puts the journals'
//! pairs and images in the order of their numbers and writes the layout, the index and the datasheet from that: the same
//! bytes for any number of shards, merged in any order. A build in one part is a merge of one.

mod finished;
mod identity;
mod journal;
mod journal_line;
mod journal_reader;
mod merge;
mod parts;

pub use finished::Finished;
pub use identity::BuildIdentity;
pub use journal::{Journal, JournalError};
pub use journal_line::Record;
pub use merge::{MergeOptions, check_images, merge};
pub use parts::{MergeError, part_folder};

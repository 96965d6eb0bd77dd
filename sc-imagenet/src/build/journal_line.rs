//! What a line of a journal says.
//!
//! ```text
//! {"journal":"sc-imagenet build","version":2,"shard":{"index":0,"count":1},"identity":{"config_hash":…,"settings":{…}}}
//! [{"image":{"number":0,"class":"cup","id":"1","rejection":null,…}}]
//! [{"pairs":{"source":0,"pairs":[{"number":0,…},…]}}]
//! {"images":1,"sources":1,"pairs":5}
//! ```
//!
//! A line of records is one array, and a line is finished when its end of line is there: what is written in one line is
//! there as a whole or not at all.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::BuildIdentity;
use crate::judged_image::JudgedImage;
use crate::labelled_pair::LabelledPair;
use crate::shard::Shard;

pub(super) const KIND: &str = "sc-imagenet build";
/// Raised whenever a journal of before would be wrong to go on with. 2: what each image holds is noted.
pub(super) const VERSION: u32 = 2;
/// How every journal begins.
pub(super) const BEGINNING: &[u8] = b"{\"journal\":\"sc-imagenet build\"";

/// The first line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Header {
    pub(super) journal: String,
    pub(super) version: u32,
    pub(super) shard: Shard,
    pub(super) identity: BuildIdentity,
}

/// Finished work.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Record {
    /// An image is judged.
    Image(JudgedImage),
    /// All pairs of one source image are labelled; there may be none.
    Pairs {
        /// The source image's place in the source's order.
        source: u64,
        /// Its pairs.
        pairs: Vec<LabelledPair>,
    },
}

/// The last line of a finished journal: what is in the lines before, so that one which is gone is missed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Counts {
    /// Images judged.
    pub(super) images: u64,
    /// Source images whose pairs are labelled.
    pub(super) sources: u64,
    /// Their pairs.
    pub(super) pairs: u64,
}

impl Counts {
    /// Counts these records too.
    pub(super) fn add(&mut self, records: &[Record]) {
        for record in records {
            match record {
                Record::Image(_) => self.images += 1,
                Record::Pairs { pairs, .. } => {
                    self.sources += 1;
                    self.pairs += pairs.len() as u64;
                }
            }
        }
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} images, {} sources and {} pairs", self.images, self.sources, self.pairs)
    }
}

impl Header {
    pub(super) fn new(shard: Shard, identity: &BuildIdentity) -> Self {
        Self { journal: KIND.to_owned(), version: VERSION, shard, identity: identity.clone() }
    }
}

/// JSON and an end of line.
///
/// # Panics
///
/// Never for what journals hold, of which all can be JSON.
pub(super) fn to_line(value: &impl Serialize) -> Vec<u8> {
    let mut line = match serde_json::to_vec(value) {
        Ok(line) => line,
        Err(error) => panic!("a record that JSON cannot hold: {error}"),
    };
    line.push(b'\n');
    line
}

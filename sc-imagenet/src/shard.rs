//! Which part of a build this one is.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Part `index` of `count`, counted from 0, as job arrays count their tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Shard {
    index: u32,
    count: u32,
}

/// A text that is no shard.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no shard; write i/n, with i from 0 to n − 1: the three shards of a build are 0/3, 1/3 and 2/3")]
pub struct ShardError(String);

impl Shard {
    /// The whole build in one part.
    pub const WHOLE: Self = Self { index: 0, count: 1 };

    /// Part `index` of `count`; `None` where there is no such part.
    pub fn new(index: u32, count: u32) -> Option<Self> {
        (index < count).then_some(Self { index, count })
    }

    /// Which part, from 0.
    pub fn index(self) -> u32 {
        self.index
    }

    /// Of how many.
    pub fn count(self) -> u32 {
        self.count
    }

    /// This shard's share of `total` units: `[⌊total·i/n⌋, ⌊total·(i+1)/n⌋)`. The ranges of all shards tile `0..total`.
    pub fn range(self, total: usize) -> Range<usize> {
        let bound = |part: u32| (total as u128 * u128::from(part) / u128::from(self.count.max(1))) as usize;
        bound(self.index)..bound(self.index.saturating_add(1))
    }

    /// The name of the part's folder: `0002-of-0007`.
    pub fn folder_name(self) -> String {
        format!("{:04}-of-{:04}", self.index, self.count)
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}", self.index, self.count)
    }
}

impl FromStr for Shard {
    type Err = ShardError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.split_once('/')
            .and_then(|(index, count)| Self::new(index.parse().ok()?, count.parse().ok()?))
            .ok_or_else(|| ShardError(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_are_written_as_they_are_read() {
        assert_eq!("2/7".parse::<Shard>().unwrap().to_string(), "2/7");
        for wrong in ["7/7", "1", "-1/2", "1/0", "a/b", ""] {
            let error = wrong.parse::<Shard>().unwrap_err();
            assert!(error.to_string().contains("from 0 to n − 1"), "{error}");
        }
    }

    proptest::proptest! {
        #[test]
        fn ranges_tile_the_whole(total in 0_usize..1000, count in 1_u32..40) {
            let mut next = 0;
            for index in 0..count {
                let range = Shard::new(index, count).unwrap().range(total);
                proptest::prop_assert_eq!(range.start, next);
                proptest::prop_assert!(range.end - range.start <= total.div_ceil(count as usize));
                next = range.end;
            }
            proptest::prop_assert_eq!(next, total);
        }
    }
}

//! Training and validation, divided by image so that no image is in both.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// A split of the layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Split {
    /// Training.
    #[serde(rename = "trn")]
    Train,
    /// Validation.
    #[serde(rename = "val")]
    Validation,
}

impl Split {
    /// Both, in the order of everything that lists them.
    pub const ALL: [Self; 2] = [Self::Train, Self::Validation];

    /// Its name in the layout: `trn` or `val`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "trn",
            Self::Validation => "val",
        }
    }

    /// Its place in [`ALL`](Self::ALL).
    pub(crate) fn place(self) -> usize {
        self as usize
    }
}

/// The split of each of a class's `images`, a pure function of its arguments.
///
/// `validation_share` of them, rounded, are for validation, and at least two where there are any and at least four
/// images: a pair takes two. Pairs that join images of one split only keep validation free of what was trained on.
///
/// # Panics
///
/// If the share is not in `0..=1`.
pub fn split_of_images(class: &str, images: usize, validation_share: f64, seed: u64) -> Vec<Split> {
    assert!((0.0..=1.0).contains(&validation_share), "validation_share is {validation_share}, expected 0..=1");
    let mut held_out = (images as f64 * validation_share).round() as usize;
    if validation_share > 0.0 && images >= 4 {
        held_out = held_out.max(2);
    }
    let mut order: Vec<usize> = (0..images).collect();
    order.shuffle(&mut class_rng(class, seed));
    let mut splits = vec![Split::Train; images];
    for &image in order.iter().take(held_out) {
        splits[image] = Split::Validation;
    }
    splits
}

/// The generator of a class, whichever other classes there are.
fn class_rng(class: &str, seed: u64) -> ChaCha8Rng {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8..16].copy_from_slice(&fnv_1a(class.as_bytes()).to_le_bytes());
    key[16..].copy_from_slice(b"sc-imagenet splt");
    ChaCha8Rng::from_seed(key)
}

/// FNV-1a of 64 bits, <http://www.isthe.com/chongo/tech/comp/fnv/>: a hash that is the same everywhere and for ever.
pub(crate) fn fnv_1a(bytes: &[u8]) -> u64 {
    fnv_1a_from(0xcbf2_9ce4_8422_2325, bytes)
}

/// The same, going on from the `hash` of what is in front of `bytes`.
pub(crate) fn fnv_1a_from(hash: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(hash, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held_out(images: usize, share: f64) -> usize {
        split_of_images("cup", images, share, 7).iter().filter(|&&split| split == Split::Validation).count()
    }

    #[test]
    fn the_share_is_kept_and_two_are_the_least() {
        assert_eq!(held_out(1300, 0.02), 26);
        assert_eq!(held_out(57, 0.02), 2);
        assert_eq!(held_out(3, 0.02), 0);
        assert_eq!(held_out(1300, 0.0), 0);
        assert_eq!(held_out(10, 1.0), 10);
    }

    #[test]
    fn classes_and_seeds_differ_and_nothing_else_counts() {
        let splits = |class, seed| split_of_images(class, 100, 0.2, seed);
        assert_eq!(splits("cup", 1), splits("cup", 1));
        assert_ne!(splits("cup", 1), splits("cup", 2));
        assert_ne!(splits("cup", 1), splits("lamp", 1));
    }

    #[test]
    fn the_hash_is_the_published_one() {
        assert_eq!(fnv_1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv_1a(b"foobar"), 0x8594_4171_f739_67e8);
    }
}

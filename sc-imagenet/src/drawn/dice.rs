//! Seeded randomness in the words the drawings need.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// What a stream of randomness is for. Every purpose has a stream of its own, so that more clutter, say, leaves the
/// object as it was.
#[derive(Debug, Clone, Copy)]
pub(super) enum Purpose {
    Shape,
    Placement,
    Colours,
    Background,
    Occluders,
}

/// A seeded source of lengths, angles and choices.
pub(super) struct Dice {
    rng: ChaCha8Rng,
    variation: f32,
}

impl Dice {
    /// The stream of one purpose in one image. `variation` scales the spread of [`Dice::about`] and [`Dice::angle`].
    pub(super) fn new(seed: u64, class: usize, index: u64, purpose: Purpose, variation: f32) -> Self {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        key[8..16].copy_from_slice(&(class as u64).to_le_bytes());
        key[16..24].copy_from_slice(&index.to_le_bytes());
        key[24] = purpose as u8;
        Self { rng: ChaCha8Rng::from_seed(key), variation }
    }

    /// Uniform between two bounds, whatever their order.
    pub(super) fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.rng.random::<f32>()
    }

    /// Uniform within a share of `centre` on either side.
    pub(super) fn about(&mut self, centre: f32, share: f32) -> f32 {
        centre * (1.0 + share * self.variation * self.between(-1.0, 1.0))
    }

    /// An angle in radians, uniform within `spread` degrees of `centre` degrees.
    pub(super) fn angle(&mut self, centre: f32, spread: f32) -> f32 {
        (centre + spread * self.variation * self.between(-1.0, 1.0)).to_radians()
    }

    /// Uniform over `0..count`.
    pub(super) fn below(&mut self, count: usize) -> usize {
        self.rng.random_range(0..count)
    }

    /// Any 32 bits.
    pub(super) fn bits(&mut self) -> u32 {
        self.rng.random()
    }
}

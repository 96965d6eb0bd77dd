//! A seeded sample of things that come one by one.

use std::collections::BTreeMap;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// At most so many of all things offered, each as likely as any other: everything gets a random key, and the lowest keys
/// stay. So does a sample's beginning, which is a smaller sample.
pub struct Sample<T> {
    most: usize,
    rng: ChaCha8Rng,
    offered: u64,
    /// By key; the number of the offer tells equal keys apart.
    chosen: BTreeMap<(u64, u64), T>,
}

impl<T> Sample<T> {
    /// Nothing is offered yet.
    pub fn new(seed: u64, most: usize) -> Self {
        Self { most, rng: ChaCha8Rng::seed_from_u64(seed), offered: 0, chosen: BTreeMap::new() }
    }

    /// Offers something, which is made only where it is taken.
    pub fn offer(&mut self, make: impl FnOnce() -> T) {
        let key = (self.rng.random::<u64>(), self.offered);
        self.offered += 1;
        let full = self.chosen.len() >= self.most;
        if self.most == 0 || (full && self.chosen.last_key_value().is_some_and(|(last, _)| *last < key)) {
            return;
        }
        if full {
            self.chosen.pop_last();
        }
        self.chosen.insert(key, make());
    }

    /// What is chosen so far, the smallest samples first.
    pub fn chosen(&self) -> impl ExactSizeIterator<Item = &T> {
        self.chosen.values()
    }

    /// As [`chosen`](Self::chosen), to be changed.
    pub fn chosen_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.chosen.values_mut()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(seed: u64, most: usize, of: usize) -> Vec<usize> {
        let mut sample = Sample::new(seed, most);
        (0..of).for_each(|thing| sample.offer(|| thing));
        sample.chosen().copied().collect()
    }

    #[test]
    fn a_sample_has_no_more_than_asked_and_a_smaller_one_is_its_beginning() {
        assert_eq!(sample(1, 0, 5), Vec::<usize>::new());
        let mut all = sample(1, 9, 5);
        all.sort_unstable();
        assert_eq!(all, [0, 1, 2, 3, 4]);
        let large = sample(1, 20, 1000);
        assert_eq!((large.len(), &large[..7]), (20, &sample(1, 7, 1000)[..]));
        assert_ne!(large, sample(2, 20, 1000));
    }

    #[test]
    fn early_and_late_things_are_as_likely() {
        let late: usize = (0..200).map(|seed| sample(seed, 10, 100).iter().filter(|&&thing| thing >= 50).count()).sum();
        // Of 2,000 draws half, give or take five standard deviations.
        assert!((890..=1110).contains(&late), "{late}");
    }
}

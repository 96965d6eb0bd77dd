//! Training pairs: which image meets which, as a pure function of the labels, a seed and the epoch.

use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// Three images, by their index in the labels: (`source`, `target`) is a positive pair, (`source`, `negative`) a
/// negative one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TrainPair {
    /// The source image.
    pub source: usize,
    /// Another image of the source's class.
    pub target: usize,
    /// An image of any other class.
    pub negative: usize,
}

/// What an epoch visits equally often.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Balance {
    /// Every image is the source once; large classes have more pairs, and give more negatives.
    Images,
    /// Every class has the same number of pairs, but for one; inside a class every image is the source equally often,
    /// but for one. The negative's class is uniform among the other classes.
    #[default]
    Classes,
}

/// Draws the pairs of an epoch. It holds no state of its own: [`epoch`](Self::epoch) gives the same answer whenever,
/// and in whatever order, it is asked, on every platform. That is what lets a run be resumed.
#[derive(Debug, Clone)]
pub struct PairSampler {
    labels: Vec<usize>,
    /// Image indices of each class that occurs, ascending by label.
    members: Vec<Vec<usize>>,
    /// Position in `members` of each image's class.
    class_of: Vec<usize>,
    seed: u64,
    balance: Balance,
}

impl PairSampler {
    /// A sampler over images whose class labels are `labels`, balanced by [`Balance::default`]. Labels may have gaps.
    ///
    /// # Panics
    ///
    /// If there are fewer than two classes (no negatives), or a class with one image (no target).
    /// [`ImageSet`](crate::ImageSet) is made to pass.
    pub fn new(labels: &[usize], seed: u64) -> Self {
        let mut names: Vec<usize> = labels.to_vec();
        names.sort_unstable();
        names.dedup();
        let class_of: Vec<usize> = labels.iter().map(|label| names.partition_point(|name| name < label)).collect();
        let mut members = vec![Vec::new(); names.len()];
        for (image, &class) in class_of.iter().enumerate() {
            members[class].push(image);
        }
        assert!(
            members.len() >= 2,
            "negative pairs need at least 2 classes, got {} in {} labels",
            members.len(),
            labels.len()
        );
        for (name, images) in names.iter().zip(&members) {
            assert!(
                images.len() >= 2,
                "positive pairs need at least 2 images a class, class {name} has {}",
                images.len()
            );
        }
        Self { labels: labels.to_vec(), members, class_of, seed, balance: Balance::default() }
    }

    /// The same sampler with another balance.
    #[must_use]
    pub fn with_balance(self, balance: Balance) -> Self {
        Self { balance, ..self }
    }

    /// The label of each image, as given.
    pub fn labels(&self) -> &[usize] {
        &self.labels
    }

    /// Pairs in an epoch: as many as there are images, whatever the balance.
    pub fn pairs_per_epoch(&self) -> usize {
        self.labels.len()
    }

    /// The pairs of epoch `epoch`, in the order of training.
    pub fn epoch(&self, epoch: u64) -> Vec<TrainPair> {
        let rng = &mut epoch_rng(self.seed, epoch);
        let sources = match self.balance {
            Balance::Images => {
                let mut sources: Vec<usize> = (0..self.labels.len()).collect();
                sources.shuffle(rng);
                sources
            }
            Balance::Classes => self.sources_by_class(rng),
        };
        sources
            .into_iter()
            .map(|source| TrainPair {
                source,
                target: self.draw_target(source, rng),
                negative: self.draw_negative(source, rng),
            })
            .collect()
    }

    /// Rounds in which each class comes once, in a new order each; a class gives its images in a shuffled order, and
    /// is shuffled anew when all have been given.
    fn sources_by_class(&self, rng: &mut ChaCha8Rng) -> Vec<usize> {
        let count = self.labels.len();
        let mut order: Vec<usize> = (0..self.members.len()).collect();
        let mut waiting: Vec<Vec<usize>> = vec![Vec::new(); self.members.len()];
        let mut sources = Vec::with_capacity(count);
        while sources.len() < count {
            order.shuffle(rng);
            for &class in order.iter().take(count - sources.len()) {
                if waiting[class].is_empty() {
                    waiting[class].clone_from(&self.members[class]);
                    waiting[class].shuffle(rng);
                }
                sources.extend(waiting[class].pop());
            }
        }
        sources
    }

    /// Uniform among the other images of the class.
    fn draw_target(&self, source: usize, rng: &mut ChaCha8Rng) -> usize {
        let images = &self.members[self.class_of[source]];
        // The source is left out by its own place: what is drawn there stands for the last image.
        let drawn = images[rng.random_range(0..images.len() - 1)];
        if drawn == source { images[images.len() - 1] } else { drawn }
    }

    fn draw_negative(&self, source: usize, rng: &mut ChaCha8Rng) -> usize {
        let own = self.class_of[source];
        match self.balance {
            Balance::Classes => {
                let drawn = rng.random_range(0..self.members.len() - 1);
                let images = &self.members[if drawn < own { drawn } else { drawn + 1 }];
                images[rng.random_range(0..images.len())]
            }
            Balance::Images => {
                let others = self.labels.len() - self.members[own].len();
                let mut drawn = rng.random_range(0..others);
                for (class, images) in self.members.iter().enumerate() {
                    if class == own {
                        continue;
                    }
                    if drawn < images.len() {
                        return images[drawn];
                    }
                    drawn -= images.len();
                }
                unreachable!("{drawn} images beyond the {others} of other classes")
            }
        }
    }
}

/// The generator of one epoch. Seed and epoch fill different halves of the key, so no two epochs of any two seeds share
/// a stream.
fn epoch_rng(seed: u64, epoch: u64) -> ChaCha8Rng {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8..16].copy_from_slice(&epoch.to_le_bytes());
    key[16..].copy_from_slice(b"sc-imagenet pair");
    ChaCha8Rng::from_seed(key)
}

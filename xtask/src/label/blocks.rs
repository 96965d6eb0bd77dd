//! Which images are in memory together, and who is matched with whom.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use sc_imagenet::{ImageSource, Split, split_of_images};

use super::settings::LabelSettings;

/// Images of one class and split that are matched with each other and with no others.
///
/// A block is what is finished at once: images are described once, their features live as long as the block, and what
/// comes of it depends on no other block.
#[derive(Clone, Debug, PartialEq)]
pub struct Block {
    /// The split of all its pairs.
    pub split: Split,
    /// Numbers of the images, in a seeded order.
    pub images: Vec<usize>,
}

/// The blocks of a source, class by class. They depend on the listing and the settings alone.
pub fn blocks(source: &ImageSource, settings: &LabelSettings) -> Vec<Block> {
    let mut blocks = Vec::new();
    for class in 0..source.classes().len() {
        let images = source.images_of(class);
        let splits = split_of_images(&source.classes()[class], images.len(), settings.val_share, settings.seed);
        for split in Split::ALL {
            let members = images.clone().zip(&splits).filter(|(_, of)| **of == split).map(|(image, _)| image);
            let mut members: Vec<usize> = members.collect();
            members.shuffle(&mut rng(class, split, settings.seed));
            // Of nearly the same size, so that none is left with a single image.
            let count = members.len().div_ceil(settings.block).max(1);
            let (size, larger) = (members.len() / count, members.len() % count);
            let mut rest = &members[..];
            for index in 0..count {
                let (block, others) = rest.split_at(size + usize::from(index < larger));
                rest = others;
                if !block.is_empty() {
                    blocks.push(Block { split, images: block.to_vec() });
                }
            }
        }
    }
    blocks
}

fn rng(class: usize, split: Split, seed: u64) -> ChaCha8Rng {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8..16].copy_from_slice(&(class as u64).to_le_bytes());
    key[16..19].copy_from_slice(split.name().as_bytes());
    key[19..].copy_from_slice(b"blocks of ima");
    ChaCha8Rng::from_seed(key)
}

/// The partners of the image at `place` among `images` images: those 1, 2, … places further on and back, round in a circle,
/// at most `partners` of them, the nearest first. With every image having its own by the same rule, who is somebody's
/// partner has that one for a partner too, so that a pair is matched once.
pub fn partners(place: usize, images: usize, partners: usize) -> Vec<usize> {
    let mut found = Vec::with_capacity(partners);
    for distance in 1..=partners / 2 {
        for other in [(place + distance) % images, (place + images - distance % images) % images] {
            if other != place && !found.contains(&other) {
                found.push(other);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partnership_is_mutual_and_as_large_as_can_be() {
        for images in 1..12 {
            for count in [2, 4, 6] {
                let of = |place| partners(place, images, count);
                for place in 0..images {
                    assert_eq!(of(place).len(), count.min(images - 1), "of {images} images, {count} partners");
                    assert!(of(place).into_iter().all(|other| other != place && of(other).contains(&place)));
                }
            }
        }
    }
}

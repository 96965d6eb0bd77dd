//! Images with key points, and pairs of them: what every benchmark of key points is read into.

use std::path::PathBuf;
use std::str::FromStr;

use rand::SeedableRng;
use rand::seq::index::sample;
use rand_chacha::ChaCha8Rng;
use thiserror::Error;

/// An image, its class, and its annotated key points.
///
/// Points are `[x, y]` in pixels of the original image, the centre of its top-left pixel being `[0, 0]`.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyPointImage {
    /// The image file.
    pub path: PathBuf,
    /// Its class.
    pub class: String,
    /// `(width, height)` in pixels.
    pub size: (u32, u32),
    /// The class's key points in their fixed order; `None` where the image does not show one.
    pub key_points: Vec<Option<[f32; 2]>>,
    /// The annotated box of the object, where the benchmark has one.
    pub object_box: Option<PixelBox>,
}

/// The part of a data set whose key points may be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Split {
    /// Every image.
    All,
    /// Of each class sorted by file name, the first image, the third, and so on.
    Train,
    /// Of each class sorted by file name, the second image, the fourth, and so on.
    Val,
}

impl Split {
    /// Whether the image at `index` of its class, in the order of file names, belongs to the split.
    pub fn contains(self, index: usize) -> bool {
        match self {
            Self::All => true,
            Self::Train => index.is_multiple_of(2),
            Self::Val => !index.is_multiple_of(2),
        }
    }
}

/// A name of a split that is none of `all`, `train`, `val`.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("`{0}` is no split; the splits are all, train and val")]
pub struct UnknownSplit(String);

impl FromStr for Split {
    type Err = UnknownSplit;

    fn from_str(name: &str) -> Result<Self, UnknownSplit> {
        match name {
            "all" => Ok(Self::All),
            "train" => Ok(Self::Train),
            "val" => Ok(Self::Val),
            _ => Err(UnknownSplit(name.to_owned())),
        }
    }
}

/// An axis-aligned box in pixels of the original image, `[left, top, right, bottom]`.
pub type PixelBox = [f32; 4];

/// One image of a [`KeyPointPair`].
#[derive(Clone, Debug, PartialEq)]
pub struct PairImage {
    /// The image file.
    pub path: PathBuf,
    /// `(width, height)` in pixels.
    pub size: (u32, u32),
    /// The key points that both images of the pair show, in the same order in both.
    pub points: Vec<[f32; 2]>,
    /// The tight box of all key points that the image shows, whether or not the other image shows them too.
    pub key_point_box: PixelBox,
    /// The annotated box of the object, where the benchmark has one.
    pub object_box: Option<PixelBox>,
    /// The key points that this image shows and the other one of the pair does not, where the benchmark says.
    pub unshared: Vec<UnsharedPoint>,
}

/// A key point that one image of a pair shows and the other does not.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct UnsharedPoint {
    /// Which of the class's key points.
    pub id: u16,
    /// Where it is.
    pub point: [f32; 2],
}

/// What makes a pair hard, as SPair-71k annotates it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Difficulty {
    /// Change of viewpoint: 0 (easy), 1 (medium), 2 (hard).
    pub viewpoint: u8,
    /// Change of scale: 0, 1, 2.
    pub scale: u8,
    /// Which image cuts its object off: 0 (none), 1 (source), 2 (target), 3 (both).
    pub truncation: u8,
    /// In which image something hides the object: 0 (none), 1 (source), 2 (target), 3 (both).
    pub occlusion: u8,
}

/// A source and a target image of one class with the key points that they share; there is at least one.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyPointPair {
    /// What predictions name it by: `<class>/<source stem>--<target stem>`, or the data set's own line where it has one.
    pub id: String,
    /// The class of both images.
    pub class: String,
    /// Where points are asked about, when matching forward.
    pub source: PairImage,
    /// Where the answers lie, when matching forward.
    pub target: PairImage,
    /// Which of the class's key points each of the shared points is; as many as `source.points`.
    pub ids: Vec<u16>,
    /// What makes the pair hard, where the benchmark says.
    pub difficulty: Option<Difficulty>,
    /// Of pseudo-labels: the share of other images that agree about each of the points, 0..=1; empty where nobody says.
    pub agreements: Vec<f32>,
}

impl KeyPointPair {
    /// Pairs two annotated images; `None` where no key point is seen in both.
    ///
    /// # Panics
    ///
    /// If the images are of different classes.
    pub fn new(source: &KeyPointImage, target: &KeyPointImage) -> Option<Self> {
        assert_eq!(source.class, target.class, "a pair of key points needs two images of one class");
        let both =
            |id: usize| (source.key_points.get(id).copied().flatten(), target.key_points.get(id).copied().flatten());
        let count = source.key_points.len().max(target.key_points.len());
        let (mut ids, mut from, mut to) = (Vec::new(), Vec::new(), Vec::new());
        let (mut source_only, mut target_only) = (Vec::new(), Vec::new());
        for id in 0..count {
            let name = u16::try_from(id).unwrap_or(u16::MAX);
            match both(id) {
                (Some(here), Some(there)) => {
                    ids.push(name);
                    from.push(here);
                    to.push(there);
                }
                (Some(point), None) => source_only.push(UnsharedPoint { id: name, point }),
                (None, Some(point)) => target_only.push(UnsharedPoint { id: name, point }),
                (None, None) => {}
            }
        }
        let stem = |image: &KeyPointImage| image.path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let side = |image: &KeyPointImage, points: Vec<[f32; 2]>, unshared: Vec<UnsharedPoint>| {
            Some(PairImage {
                path: image.path.clone(),
                size: image.size,
                points,
                key_point_box: tight_box(image.key_points.iter().flatten())?,
                object_box: image.object_box,
                unshared,
            })
        };
        if from.is_empty() {
            return None;
        }
        Some(Self {
            id: format!("{}/{}--{}", source.class, stem(source), stem(target)),
            class: source.class.clone(),
            source: side(source, from, source_only)?,
            target: side(target, to, target_only)?,
            ids,
            difficulty: None,
            agreements: Vec::new(),
        })
    }

    /// What tells the pair's images, source and target, apart from others: a hash of class and file, the same on both sides of
    /// a pair. A file with objects of two classes is an image of each.
    pub fn image_ids(&self) -> [u64; 2] {
        [&self.source, &self.target].map(|image| {
            // By components: `./a.jpg` is `a.jpg`.
            let components = image.path.components().map(|part| part.as_os_str().as_encoded_bytes());
            let parts = std::iter::once(self.class.as_bytes()).chain(components);
            // FNV-1a: experiments keep the ids, so they must not depend on the version of a library.
            parts
                .flat_map(|part| part.iter().copied().chain([0]))
                .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
        })
    }

    /// The same pair with source and target exchanged, under the same id.
    pub fn reversed(self) -> Self {
        Self { source: self.target, target: self.source, ..self }
    }
}

/// The smallest box round the points; `None` for no points.
pub fn tight_box<'a>(points: impl IntoIterator<Item = &'a [f32; 2]>) -> Option<PixelBox> {
    points.into_iter().fold(None, |bounds, &[x, y]| {
        let [left, top, right, bottom] = bounds.unwrap_or([x, y, x, y]);
        Some([left.min(x), top.min(y), right.max(x), bottom.max(y)])
    })
}

/// Which ordered pairs of a class are scored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PairSelection {
    /// At most this many pairs of each class, drawn with `seed`; `None` = all ordered pairs.
    pub per_class: Option<usize>,
    /// Seed of the draw.
    pub seed: u64,
}

impl PairSelection {
    /// All ordered pairs of each class (the 900 of PF-WILLOW).
    pub const ALL: Self = Self { per_class: None, seed: 0 };

    /// The selected ordered pairs of different images of one class that share a key point.
    ///
    /// Pairs come class by class in the order of the classes' first images, and within a class in the order of
    /// (source, target). The draw of a class depends on its own images and the seed, not on the other classes.
    pub fn pairs(&self, images: &[KeyPointImage]) -> Vec<KeyPointPair> {
        let mut classes: Vec<&str> = Vec::new();
        for image in images {
            if !classes.contains(&image.class.as_str()) {
                classes.push(&image.class);
            }
        }
        classes.into_iter().flat_map(|class| self.pairs_of_class(images, class)).collect()
    }

    fn pairs_of_class(&self, images: &[KeyPointImage], class: &str) -> Vec<KeyPointPair> {
        let members: Vec<_> = images.iter().filter(|image| image.class == class).collect();
        let ordered = members.iter().enumerate().flat_map(|(s, source)| {
            members.iter().enumerate().filter(move |(t, _)| *t != s).map(move |(_, target)| (*source, *target))
        });
        let candidates: Vec<_> = ordered.filter(|(source, target)| share_a_point(source, target)).collect();
        let wanted = self.per_class.unwrap_or(usize::MAX).min(candidates.len());
        let mut chosen = sample(&mut ChaCha8Rng::seed_from_u64(self.seed), candidates.len(), wanted).into_vec();
        chosen.sort_unstable();
        chosen.into_iter().filter_map(|index| KeyPointPair::new(candidates[index].0, candidates[index].1)).collect()
    }
}

fn share_a_point(source: &KeyPointImage, target: &KeyPointImage) -> bool {
    source.key_points.iter().zip(&target.key_points).any(|(from, to)| from.is_some() && to.is_some())
}

//! One pass over a data set: everything is counted, and some of it kept to be shown.

use std::collections::{BTreeMap, HashSet};

use anyhow::Result;
use rayon::prelude::*;
use sc_imagenet::{
    ImageRejection, JudgedImage, LabelledPair, Layout, LayoutStatistics, PairName, Split, read_image_index,
};
use serde::Serialize;

use super::sample::Sample;
use crate::progress;

/// Pairs that are read at once, in parallel.
const AT_ONCE: usize = 1024;

/// What a data set holds.
pub struct Survey {
    /// The counts.
    pub statistics: LayoutStatistics,
    /// Whether there is an index of images; without one, nobody knows what was rejected.
    pub indexed: bool,
    /// How many images to show, kept and rejected ones together.
    most_images: usize,
    pairs: Sample<LabelledPair>,
    kept: Sample<ShownImage>,
    rejected: Sample<ShownImage>,
}

/// An image to be shown.
pub struct ShownImage {
    /// Its class.
    pub class: String,
    /// Its id.
    pub id: String,
    /// The object's box in pixels, where one was found.
    pub object_box: Option<[f32; 4]>,
    /// Why it was rejected.
    pub rejection: Option<ImageRejection>,
    /// Share of its foreground cells that are discriminative.
    pub score: Option<f32>,
    /// How many cells are discriminative, where that is known.
    pub cells: Option<u32>,
    /// Its key points as the source of pairs, each once.
    pub points: Vec<[f32; 2]>,
}

/// The counts as JSON.
#[derive(Serialize)]
pub struct SurveyReport {
    /// Whether images are indexed; else the counts of judged, kept and rejected images are 0.
    indexed: bool,
    judged: u64,
    kept: u64,
    rejected: u64,
    pairs: BTreeMap<&'static str, u64>,
    paired_images: u64,
    images_in_both_splits: u64,
    points: u64,
    points_a_pair: Option<f64>,
    mean_confidence: Option<f64>,
    mean_cycle_error: Option<f64>,
    rejections: BTreeMap<String, u64>,
    pairs_by_points: BTreeMap<usize, u64>,
    confidence_histogram: Vec<u64>,
    classes: BTreeMap<String, ClassReport>,
}

/// The counts of a class as JSON.
#[derive(Serialize)]
struct ClassReport {
    judged: u64,
    kept: u64,
    pairs: BTreeMap<&'static str, u64>,
    points: u64,
    rejections: BTreeMap<String, u64>,
}

impl Survey {
    /// Nothing is counted yet; `most_pairs` and `most_images` are to be shown.
    pub fn new(seed: u64, most_pairs: usize, most_images: usize) -> Self {
        Self {
            statistics: LayoutStatistics::default(),
            indexed: false,
            most_images,
            pairs: Sample::new(seed, most_pairs),
            kept: Sample::new(seed, most_images),
            rejected: Sample::new(seed, most_images),
        }
    }

    /// Counts the judged images, where there is an index of them.
    ///
    /// # Errors
    ///
    /// A damaged index.
    pub fn read_images(&mut self, layout: &Layout) -> Result<()> {
        let Some(index) = layout.image_index() else { return Ok(()) };
        self.indexed = true;
        for image in read_image_index(&index)? {
            let image = image?;
            self.statistics.add_image(&image);
            let of_its_kind = if image.kept() { &mut self.kept } else { &mut self.rejected };
            of_its_kind.offer(|| ShownImage::judged(image));
        }
        Ok(())
    }

    /// Counts the pairs, and gives each to `look`, in their order.
    ///
    /// # Errors
    ///
    /// A list or an annotation that is missing or damaged.
    pub fn read_pairs(&mut self, layout: &Layout, mut look: impl FnMut(&LabelledPair)) -> Result<()> {
        // Without an index, the images that are known are those of pairs.
        let mut seen: HashSet<(String, String)> = HashSet::new();
        for split in Split::ALL {
            let total = layout.pair_names(split)?.count();
            let bar = progress::count(total, "reading pairs");
            let mut names = layout.pair_names(split)?;
            loop {
                let some = names.by_ref().take(AT_ONCE).collect::<Result<Vec<PairName>, _>>()?;
                if some.is_empty() {
                    break;
                }
                let read = some.par_iter().map(|name| layout.read_pair(split, name));
                for pair in read.collect::<Result<Vec<_>, _>>()? {
                    self.statistics.add_pair(&pair);
                    let image = (pair.category.clone(), pair.source.image.clone());
                    if !self.indexed && seen.insert(image) {
                        self.kept.offer(|| ShownImage::of_pair(&pair));
                    }
                    self.add_points(&pair);
                    look(&pair);
                    self.pairs.offer(|| pair);
                }
                bar.inc(some.len() as u64);
            }
            bar.finish_and_clear();
        }
        Ok(())
    }

    /// The pairs to be shown, by class and then by number.
    pub fn pairs(&self) -> Vec<&LabelledPair> {
        let mut pairs: Vec<_> = self.pairs.chosen().collect();
        pairs.sort_by(|a, b| (&a.category, a.number).cmp(&(&b.category, b.number)));
        pairs
    }

    /// The kept and the rejected images to be shown, by class and then by id: half of each, and where there are fewer of
    /// one kind, more of the other.
    pub fn images(&self) -> [Vec<&ShownImage>; 2] {
        let (kept, rejected) = (self.kept.chosen().len(), self.rejected.chosen().len());
        let of_kept = self.most_images.div_ceil(2).max(self.most_images.saturating_sub(rejected)).min(kept);
        let mut both: [Vec<&ShownImage>; 2] = [
            self.kept.chosen().take(of_kept).collect(),
            self.rejected.chosen().take(self.most_images - of_kept).collect(),
        ];
        for images in &mut both {
            images.sort_by(|a, b| (&a.class, &a.id).cmp(&(&b.class, &b.id)));
        }
        both
    }

    /// The counts as JSON.
    pub fn report(&self) -> SurveyReport {
        let counted = &self.statistics;
        let classes = counted.classes.iter().map(|(name, class)| {
            let report = ClassReport {
                judged: class.judged,
                kept: class.kept,
                pairs: Split::ALL.map(Split::name).into_iter().zip(class.pairs).collect(),
                points: class.points,
                rejections: class.rejections.clone(),
            };
            (name.clone(), report)
        });
        SurveyReport {
            indexed: self.indexed,
            judged: counted.judged(),
            kept: counted.kept(),
            rejected: counted.judged() - counted.kept(),
            pairs: Split::ALL.map(|split| (split.name(), counted.pairs(split))).into_iter().collect(),
            paired_images: counted.paired_images(),
            images_in_both_splits: counted.images_in_both_splits(),
            points: counted.points(),
            points_a_pair: counted.points_a_pair(),
            mean_confidence: counted.confidences.value(),
            mean_cycle_error: counted.cycle_errors.value(),
            rejections: counted.rejections.clone(),
            pairs_by_points: counted.pairs_by_points.clone(),
            confidence_histogram: counted.confidence_histogram.to_vec(),
            classes: classes.collect(),
        }
    }

    /// Adds a pair's source points to those of the image, if it is to be shown.
    fn add_points(&mut self, pair: &LabelledPair) {
        let source = &pair.source;
        let is_it = |image: &&mut ShownImage| image.id == source.image && image.class == pair.category;
        if let Some(image) = self.kept.chosen_mut().find(is_it) {
            for point in &source.points {
                if !image.points.contains(point) {
                    image.points.push(*point);
                }
            }
        }
    }
}

impl ShownImage {
    fn judged(image: JudgedImage) -> Self {
        let JudgedImage { class, id, object_box, rejection, score, discriminative_cells, .. } = image;
        Self { class, id, object_box, rejection, score, cells: Some(discriminative_cells), points: Vec::new() }
    }

    /// The source of a pair of a data set without an index.
    fn of_pair(pair: &LabelledPair) -> Self {
        Self {
            class: pair.category.clone(),
            id: pair.source.image.clone(),
            object_box: Some(pair.source.object_box),
            rejection: None,
            score: None,
            cells: None,
            points: Vec::new(),
        }
    }
}

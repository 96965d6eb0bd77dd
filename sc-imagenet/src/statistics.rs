//! What a data set amounts to, in numbers.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use crate::content::ImageOrigin;
use crate::judged_image::JudgedImage;
use crate::labelled_pair::LabelledPair;
use crate::safe_names::is_renamed;
use crate::split::{Split, fnv_1a, fnv_1a_from};

/// Bins of the histogram of confidences.
const BINS: usize = 10;
/// Renamed images that are kept as examples.
const MOST_EXAMPLES: usize = 20;

/// Counts of a data set. They do not depend on the order in which pairs and images are counted.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct LayoutStatistics {
    /// Counts of every class, by name.
    pub classes: BTreeMap<String, ClassStatistics>,
    /// How many images were rejected for each reason.
    pub rejections: BTreeMap<String, u64>,
    /// How many images were rejected by each setting, where one decided.
    pub thresholds: BTreeMap<String, u64>,
    /// What the source calls the classes that have another name in the layout.
    pub renamed_classes: BTreeMap<String, String>,
    /// How many images have another id in the layout than in the source.
    pub renamed_images: u64,
    /// Some of these, `class/id`, with what the source calls them.
    #[serde(skip)]
    pub(crate) renamed_examples: BTreeMap<String, String>,
    /// How many pairs have so many key points.
    pub pairs_by_points: BTreeMap<usize, u64>,
    /// The confidences of all points.
    pub confidences: Mean,
    /// How many points have a confidence within `[i/10, (i+1)/10)`, 1 belonging to the last.
    pub confidence_histogram: [u64; BINS],
    /// The cycle errors of all points, in pixels of the source image.
    pub cycle_errors: Mean,
    /// Which splits each image has pairs in, as bits, by the hash of its class and id: of a million images, one in forty
    /// million such sets has two of one hash, and then counts one image too few.
    #[serde(skip)]
    splits_of_images: HashMap<u64, u8>,
}

/// Counts of a class.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ClassStatistics {
    /// Images judged; 0 where there is no index of images.
    pub judged: u64,
    /// Images kept.
    pub kept: u64,
    /// Pairs of each split, in the order of [`Split::ALL`].
    pub pairs: [u64; 2],
    /// Key points of all its pairs.
    pub points: u64,
    /// How many images were rejected for each reason.
    pub rejections: BTreeMap<String, u64>,
}

/// A mean that does not depend on the order of its terms: they are summed as whole multiples of 2⁻³².
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Mean {
    terms: u64,
    sum: i128,
}

impl Mean {
    /// Terms so far.
    pub fn terms(&self) -> u64 {
        self.terms
    }

    /// The mean; `None` without a term.
    pub fn value(&self) -> Option<f64> {
        (self.terms > 0).then(|| self.sum as f64 / 2_f64.powi(32) / self.terms as f64)
    }

    fn add(&mut self, value: f32) {
        self.terms += 1;
        // Saturates beyond what any image can have, as may stand in the files of others.
        self.sum = self.sum.saturating_add((f64::from(value) * 2_f64.powi(32)).round() as i128);
    }
}

impl Serialize for Mean {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value().serialize(serializer)
    }
}

impl LayoutStatistics {
    /// Counts a pair.
    pub fn add_pair(&mut self, pair: &LabelledPair) {
        let points = pair.source.points.len();
        let class = self.classes.entry(pair.category.clone()).or_default();
        class.pairs[pair.split.place()] += 1;
        class.points += points as u64;
        *self.pairs_by_points.entry(points).or_default() += 1;
        for &confidence in &pair.confidences {
            self.confidences.add(confidence);
            let bin = (confidence * BINS as f32) as usize;
            self.confidence_histogram[bin.min(BINS - 1)] += 1;
        }
        pair.cycle_errors.iter().for_each(|&error| self.cycle_errors.add(error));
        for image in [&pair.source.image, &pair.target.image] {
            *self.splits_of_images.entry(image_hash(&pair.category, image)).or_default() |= 1 << pair.split.place();
        }
    }

    /// Counts a judged image.
    pub fn add_image(&mut self, image: &JudgedImage) {
        let class = self.classes.entry(image.class.clone()).or_default();
        class.judged += 1;
        match &image.rejection {
            None => class.kept += 1,
            Some(rejection) => {
                *class.rejections.entry(rejection.reason.clone()).or_default() += 1;
                *self.rejections.entry(rejection.reason.clone()).or_default() += 1;
                if let Some(threshold) = &rejection.threshold {
                    *self.thresholds.entry(threshold.clone()).or_default() += 1;
                }
            }
        }
        if let Some(origin) = &image.origin {
            self.add_names(image, origin);
        }
    }

    fn add_names(&mut self, image: &JudgedImage, origin: &ImageOrigin) {
        if is_renamed(&image.class) {
            self.renamed_classes.entry(image.class.clone()).or_insert_with(|| origin.class.clone());
        }
        if is_renamed(&image.id) {
            self.renamed_images += 1;
            let name = format!("{}/{}", image.class, image.id);
            self.renamed_examples.insert(name, format!("{}/{}", origin.class, origin.name));
            if self.renamed_examples.len() > MOST_EXAMPLES {
                self.renamed_examples.pop_last();
            }
        }
    }

    /// What is amiss with the data set as a whole: no pair to train on, and which setting decided.
    pub fn warnings(&self) -> Vec<String> {
        let validation = self.pairs(Split::Validation);
        if self.pairs(Split::Train) > 0 {
            return Vec::new();
        }
        let what = match validation {
            0 => "the data set is empty: no pair has labels".to_owned(),
            more => format!("no pair is for training: all {more} are for validation"),
        };
        let mut text = format!("{what}. {} of {} images are kept", self.kept(), self.judged());
        let rejections = in_descending_order(&self.rejections);
        if !rejections.is_empty() {
            text += &format!("; rejected: {}", rejections.join(", "));
        }
        let thresholds = in_descending_order(&self.thresholds);
        if let Some((first, others)) = thresholds.split_first() {
            text += &format!(". The setting that rejects most images is {first}");
            if !others.is_empty() {
                text += &format!(", before {}", others.join(", "));
            }
            text += ": lower what it asks for, or give more and clearer images of each class";
        } else if self.kept() > 0 {
            text += ". Two kept images of a class make a pair if they share `least_points` key points: lower it, or give more \
                     images of each class";
        } else {
            text += ". Give more images of each class";
        }
        vec![text]
    }

    /// Images judged.
    pub fn judged(&self) -> u64 {
        self.classes.values().map(|class| class.judged).sum()
    }

    /// Images kept.
    pub fn kept(&self) -> u64 {
        self.classes.values().map(|class| class.kept).sum()
    }

    /// Pairs of a split.
    pub fn pairs(&self, split: Split) -> u64 {
        self.classes.values().map(|class| class.pairs[split.place()]).sum()
    }

    /// Key points of all pairs.
    pub fn points(&self) -> u64 {
        self.classes.values().map(|class| class.points).sum()
    }

    /// The mean number of key points of a pair; `None` without pairs.
    pub fn points_a_pair(&self) -> Option<f64> {
        let pairs: u64 = self.pairs_by_points.values().sum();
        (pairs > 0).then(|| self.points() as f64 / pairs as f64)
    }

    /// Images that have a pair.
    pub fn paired_images(&self) -> u64 {
        self.splits_of_images.len() as u64
    }

    /// Images that have pairs in both splits, so that validation sees what was trained on.
    pub fn images_in_both_splits(&self) -> u64 {
        self.splits_of_images.values().filter(|&&splits| splits == 3).count() as u64
    }
}

/// `name 7`, the highest counts first.
fn in_descending_order(counts: &BTreeMap<String, u64>) -> Vec<String> {
    let mut counts: Vec<_> = counts.iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    counts.into_iter().map(|(name, count)| format!("`{name}` ({count})")).collect()
}

/// No class name holds the byte in between.
fn image_hash(class: &str, id: &str) -> u64 {
    fnv_1a_from(fnv_1a_from(fnv_1a(class.as_bytes()), b"\0"), id.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mean_of_anything_is_no_panic() {
        let mut mean = Mean::default();
        [1.0, 2.5].into_iter().for_each(|value| mean.add(value));
        assert_eq!((mean.terms(), mean.value()), (2, Some(1.75)));
        [f32::MAX, f32::MAX].into_iter().for_each(|value| mean.add(value));
        assert!(mean.value().is_some_and(f64::is_finite));
    }
}

//! Foreground masks of images from the classifier's activation maps.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::Result;
use burn::tensor::Tensor;
use corr_volume::Grid;
use mil_matching::{Classifier, combine_maps, mask, predicted_classes};

use crate::config::MaskSection;
use crate::images::Extractor;

/// The masks of a run: a function of the classifier as it was before the cascade's training, each made once.
pub struct Foregrounds {
    classifier: Classifier,
    config: MaskSection,
    made: HashMap<(PathBuf, Option<usize>), Tensor<3>>,
}

impl Foregrounds {
    /// Masks by `classifier`, without autodiff.
    pub fn new(classifier: Classifier, config: &MaskSection) -> Foregrounds {
        Foregrounds { classifier, config: config.clone(), made: HashMap::new() }
    }

    /// The scales of the input at which the classified block is asked for.
    pub fn scales(&self) -> &[f64] {
        &self.config.map.scales
    }

    /// The mask `[1, h, w]` of an image file on `grid`. With a label its activation map is used, without one (images
    /// that are only matched) the predicted class's. `deepest` is the classified block's output `[1, c, h', w']`.
    ///
    /// # Errors
    ///
    /// A file that cannot be decoded, a feature cache that cannot be written.
    pub fn of(
        &mut self,
        path: &Path,
        label: Option<usize>,
        deepest: &Tensor<4>,
        grid: Grid,
        extractor: &Extractor,
    ) -> Result<Tensor<3>> {
        self.of_scales(path, label, deepest, grid, |scale| extractor.deepest_at(path, scale))
    }

    /// As [`Foregrounds::of`], with the classified block's output at other scales than 1 from `at_scale`, which is asked
    /// in the order of [`Foregrounds::scales`], and only where the mask has yet to be made.
    ///
    /// # Errors
    ///
    /// Those of `at_scale`.
    pub fn of_scales(
        &mut self,
        path: &Path,
        label: Option<usize>,
        deepest: &Tensor<4>,
        grid: Grid,
        at_scale: impl FnMut(f64) -> Result<Tensor<4>>,
    ) -> Result<Tensor<3>> {
        let key = (path.to_owned(), label);
        if let Some(mask) = self.made.get(&key) {
            return Ok(mask.clone());
        }
        let mask = self.make(label, deepest, grid, at_scale)?;
        self.made.insert(key, mask.clone());
        Ok(mask)
    }

    /// The mask of an image that is not kept; otherwise as [`Foregrounds::of_scales`].
    ///
    /// # Errors
    ///
    /// Those of `at_scale`.
    pub fn make(
        &self,
        label: Option<usize>,
        deepest: &Tensor<4>,
        grid: Grid,
        mut at_scale: impl FnMut(f64) -> Result<Tensor<4>>,
    ) -> Result<Tensor<3>> {
        let label = label.unwrap_or_else(|| predicted_classes(self.classifier.logits(deepest.clone()))[0]);
        let mut maps = Vec::new();
        for &scale in &self.config.map.scales {
            let features = if scale == 1.0 { deepest.clone() } else { at_scale(scale)? };
            maps.push(self.classifier.activation_maps(features, &[label]));
        }
        Ok(mask(combine_maps(&maps, grid), &self.config.map))
    }

    /// The mask of an image file, if it has been made.
    pub fn made(&self, path: &Path, label: Option<usize>) -> Option<Tensor<3>> {
        self.made.get(&(path.to_owned(), label)).cloned()
    }
}

//! The linear classifier on pooled features, and the activation maps that its weights give for free.

use burn::module::{Module, Param};
use burn::tensor::{Device, Int, Tensor};
use serde::{Deserialize, Serialize};

/// Sizes of a [`Classifier`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassifierConfig {
    /// Channels of the feature maps that are classified.
    pub channels: usize,
    /// Number of classes.
    pub classes: usize,
}

impl ClassifierConfig {
    /// A classifier of features with `channels` channels into `classes` classes.
    pub fn new(channels: usize, classes: usize) -> Self {
        Self { channels, classes }
    }

    /// The classifier with all weights zero: a linear classifier's loss is convex, so the start decides nothing but the
    /// number of steps, and zero needs no random numbers. Until the first step every class is equally likely and the
    /// activation maps are constant.
    ///
    /// # Panics
    ///
    /// If either size is zero.
    pub fn init(&self, device: &Device) -> Classifier {
        assert!(
            self.channels > 0 && self.classes > 0,
            "a classifier needs channels and classes, got {} channels and {} classes",
            self.channels,
            self.classes
        );
        Classifier {
            weight: Param::from_tensor(Tensor::zeros([self.channels, self.classes], device)),
            bias: Param::from_tensor(Tensor::zeros([self.classes], device)),
        }
    }
}

/// Linear classifier on mean-pooled features, made by [`ClassifierConfig::init`].
///
/// ```text
/// z_c    = b_c + Σ_k w_ck · mean_u F_k(u)      logits
/// M_c(u) = Σ_k w_ck F_k(u)                     activation map of class c
/// ```
///
/// The mean of a class's activation map over the cells is its logit less the bias: this is class activation mapping
/// (Zhou et al., *Learning Deep Features for Discriminative Localization*, CVPR 2016).
#[derive(Module, Debug)]
pub struct Classifier {
    /// `[channels, classes]`.
    pub weight: Param<Tensor<2>>,
    /// `[classes]`.
    pub bias: Param<Tensor<1>>,
}

impl Classifier {
    /// Class scores before the softmax, `[batch, channels, height, width]` to `[batch, classes]`.
    ///
    /// # Panics
    ///
    /// If the features' channels are not those of the configuration.
    pub fn logits(&self, features: Tensor<4>) -> Tensor<2> {
        let [batch, channels, height, width] = self.checked_dims(&features);
        let pooled = features.reshape([batch, channels, height * width]).mean_dim(2).squeeze_dim::<2>(2);
        pooled.matmul(self.weight.val()) + self.bias.val().unsqueeze::<2>()
    }

    /// Raw activation map of each image's own label, `[batch, channels, height, width]` to `[batch, height, width]`.
    ///
    /// The values have no fixed range: [`combine_maps`](crate::combine_maps) brings them into 0..=1. Gradients flow to
    /// the features and the weights; detach the result where it becomes a mask.
    ///
    /// # Panics
    ///
    /// If the features' channels are not those of the configuration, if there is not one label for each image, or if a
    /// label is not below the number of classes.
    pub fn activation_maps(&self, features: Tensor<4>, labels: &[usize]) -> Tensor<3> {
        let [batch, channels, height, width] = self.checked_dims(&features);
        let weight = self.weight.val();
        let labels = class_indices(labels, [batch, weight.dims()[1]], &features.device());
        let rows = weight.select(1, labels).transpose().unsqueeze_dim::<3>(1);
        rows.matmul(features.reshape([batch, channels, height * width])).reshape([batch, height, width])
    }

    fn checked_dims(&self, features: &Tensor<4>) -> [usize; 4] {
        let dims = features.dims();
        let [expected, _] = self.weight.dims();
        assert_eq!(dims[1], expected, "features have {} channels, the classifier expects {expected}", dims[1]);
        dims
    }
}

/// The most likely class of each image, `[batch, classes]` to `batch` class indices; the lowest index wins a tie.
///
/// Its activation map stands in for the label's where an image has no label.
pub fn predicted_classes(logits: Tensor<2>) -> Vec<usize> {
    let [_, classes] = logits.dims();
    let scores = crate::host::to_vec(logits);
    scores
        .chunks(classes)
        .map(|row| row.iter().enumerate().fold(0, |best, (class, score)| if *score > row[best] { class } else { best }))
        .collect()
}

/// `labels` as a tensor, checked against `[batch, classes]`.
pub(crate) fn class_indices(labels: &[usize], [batch, classes]: [usize; 2], device: &Device) -> Tensor<1, Int> {
    assert_eq!(labels.len(), batch, "{} labels for {batch} images", labels.len());
    if let Some(label) = labels.iter().find(|label| **label >= classes) {
        panic!("label {label} is not below the number of classes, {classes}");
    }
    let indices: Vec<i32> = labels.iter().map(|&label| label as i32).collect();
    Tensor::from_ints(indices.as_slice(), device)
}

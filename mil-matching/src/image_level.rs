//! Image level: which class is each image of, and do two images share one.

use burn::tensor::activation::{log_softmax, softmax, softplus};
use burn::tensor::{Tensor, TensorData};

use crate::classifier::class_indices;

/// Cross entropy of the folders' labels, a mean over the batch: `logits` `[batch, classes]`, one label an image.
///
/// ```text
/// L_cls = −(1/B) Σ_n log softmax_c(z_n)[label_n]
/// ```
///
/// # Panics
///
/// If there is not one label for each image, or a label is not below the number of classes.
pub fn image_loss(logits: Tensor<2>, labels: &[usize]) -> Tensor<1> {
    let [batch, classes] = logits.dims();
    let labels = class_indices(labels, [batch, classes], &logits.device()).unsqueeze_dim::<2>(1);
    log_softmax(logits, 1).gather(1, labels).mean().neg()
}

/// Binary cross entropy for images that carry several labels or none, a mean over images and classes.
///
/// ```text
/// L_cls = (1/BC) Σ_nc softplus(z_nc) − y_nc z_nc        y_nc = 1 if class c is among labels_n, else 0
/// ```
///
/// which is `−y log σ(z) − (1−y) log(1−σ(z))` without its overflow. `logits` is `[batch, classes]`; `labels` holds the
/// classes of each image, in any order.
///
/// # Panics
///
/// If there is not one list of labels for each image, or a label is not below the number of classes.
pub fn multi_label_loss(logits: Tensor<2>, labels: &[Vec<usize>]) -> Tensor<1> {
    let [batch, classes] = logits.dims();
    assert_eq!(labels.len(), batch, "{} lists of labels for {batch} images", labels.len());
    let mut present = vec![0f32; batch * classes];
    for (image, list) in labels.iter().enumerate() {
        for &label in list {
            assert!(label < classes, "label {label} is not below the number of classes, {classes}");
            present[image * classes + label] = 1.0;
        }
    }
    let present = Tensor::<2>::from_data(TensorData::new(present, [batch, classes]), &logits.device());
    (softplus(logits.clone(), 1.0) - present * logits).mean()
}

/// Probability that the two images of each pair are of one class, by the classifier's own beliefs.
///
/// ```text
/// p_img = Σ_c softmax(z^s)_c softmax(z^t)_c
/// ```
///
/// `[batch, classes]` twice to `[batch]`, in 0..=1.
///
/// # Panics
///
/// If the two shapes differ.
pub fn image_bag_score(source_logits: Tensor<2>, target_logits: Tensor<2>) -> Tensor<1> {
    let (source, target) = (source_logits.dims(), target_logits.dims());
    assert_eq!(source, target, "source logits are {source:?}, target logits {target:?}");
    (softmax(source_logits, 1) * softmax(target_logits, 1)).sum_dim(1).squeeze_dim::<1>(1)
}

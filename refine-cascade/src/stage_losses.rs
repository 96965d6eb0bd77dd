//! Several losses on one stack of feature maps, with one gradient for them all.

use std::ops::Range;

use burn::tensor::Tensor;
use corr_volume::{CorrVolume, check_pairs, vectorised};

use crate::from_features::{
    Maps, StudentLossConfig, bipath_loss_from_features, bipath_outcome, check_labels, check_match, check_negatives,
    match_outcome, negative_loss_from_features, negative_outcome, on_host, student_loss,
    warp_supervision_from_features, warp_supervision_outcome,
};
use crate::fused::{Outcome, add_scaled};
use crate::given_gradient::given_gradient;
use crate::host::upload;
use crate::labels::Labels;
use crate::warp_loss::WarpLossConfig;

/// The weighted sum of a stage's losses, each on some images of one stack of maps.
///
/// The sum is that of [`student_loss`], [`warp_supervision_from_features`] and the others on narrowed maps. There, every loss
/// hands its images a gradient of its own, and the automatic differentiation makes one of the whole stack of each before it
/// adds them. Here, on the host, all of them are added to one gradient as they are computed, and the stack has one edge in
/// the graph. On other devices the losses are those functions'.
///
/// ```
/// use burn::tensor::{Device, Distribution, Tensor};
/// use corr_volume::l2_normalise;
/// use refine_cascade::StageLosses;
///
/// // Two sources and, after them, two targets.
/// let device = Device::flex().autodiff();
/// let maps = Tensor::<4>::random([4, 8, 3, 3], Distribution::Default, &device).require_grad();
/// let mut losses = StageLosses::new(l2_normalise(maps.clone()));
/// let mask = Tensor::ones([2, 3, 3], &device);
/// let margin = losses.negative(0.1, [0..2, 2..4], mask, &[[0, 1], [1, 0]], 0.05);
/// let gradients = losses.sum().backward();
/// assert!(margin > 0.0 && maps.grad(&gradients).is_some());
/// ```
pub struct StageLosses {
    maps: Tensor<4>,
    sum: Sum,
}

enum Sum {
    /// The value, and the gradient in the whole stack if it is tracked.
    OnHost { value: f64, gradient: Option<Vec<f32>> },
    /// The weighted losses, each `[1]`.
    OnDevice(Vec<Tensor<1>>),
}

impl StageLosses {
    /// No loss yet, on maps `[images, channels, h, w]`.
    pub fn new(maps: Tensor<4>) -> Self {
        let sum = match on_host([&maps]) {
            Some(_) => {
                let gradient = maps.is_tracked().then(|| vec![0.0; maps.dims().iter().product()]);
                Sum::OnHost { value: 0.0, gradient }
            }
            None => Sum::OnDevice(Vec::new()),
        };
        Self { maps, sum }
    }

    /// Adds `weight ·` [`student_loss`] of the pairs that the images `source` and `target` are. Returns the loss without its
    /// weight.
    ///
    /// # Panics
    ///
    /// As [`student_loss`], or if there are no such images.
    pub fn student(
        &mut self,
        weight: f64,
        parts: [Range<usize>; 2],
        forward: &Labels,
        backward: &Labels,
        voted: Option<&CorrVolume>,
        config: &StudentLossConfig,
    ) -> f32 {
        self.add(
            weight,
            parts,
            |[source, target]| check_match(source, target, forward, Some(backward), voted, config),
            |maps, gradients| match_outcome(maps, forward, Some(backward), voted, config, gradients),
            |[source, target]| student_loss(source, target, forward, backward, voted, config),
        )
    }

    /// Adds `weight ·` [`match_loss_from_features`](crate::match_loss_from_features): the way from `source` to `target`
    /// alone. Returns the loss without its weight.
    ///
    /// # Panics
    ///
    /// As that function, or if there are no such images.
    pub fn one_way(
        &mut self,
        weight: f64,
        parts: [Range<usize>; 2],
        labels: &Labels,
        voted: Option<&CorrVolume>,
        config: &StudentLossConfig,
    ) -> f32 {
        self.add(
            weight,
            parts,
            |[source, target]| check_match(source, target, labels, None, voted, config),
            |maps, gradients| match_outcome(maps, labels, None, voted, config, gradients),
            |[source, target]| crate::match_loss_from_features(source, target, labels, voted, config),
        )
    }

    /// Adds `weight ·` [`warp_supervision_from_features`] of the images `warped` and `original`. Returns the loss without its
    /// weight.
    ///
    /// # Panics
    ///
    /// As [`warp_supervision_from_features`], or if there are no such images.
    pub fn warp_supervision(
        &mut self,
        weight: f64,
        parts: [Range<usize>; 2],
        known: &Labels,
        config: &WarpLossConfig,
    ) -> f32 {
        self.add(
            weight,
            parts,
            |[warped, original]| {
                config.check();
                check_pairs(warped, original);
                check_labels("known", known, warped);
            },
            |maps, gradients| warp_supervision_outcome(maps, known, config, gradients),
            |[warped, original]| warp_supervision_from_features(warped, original, known, config),
        )
    }

    /// Adds `weight ·` [`bipath_loss_from_features`] of the images `warped`, `middle` and `original`. Returns the loss
    /// without its weight.
    ///
    /// # Panics
    ///
    /// As [`bipath_loss_from_features`], or if there are no such images.
    pub fn bipath(&mut self, weight: f64, parts: [Range<usize>; 3], known: &Labels, config: &WarpLossConfig) -> f32 {
        self.add(
            weight,
            parts,
            |[warped, middle, original]| {
                config.check();
                check_pairs(warped, middle);
                check_pairs(middle, original);
                check_labels("known", known, warped);
            },
            |maps, gradients| bipath_outcome(maps, known, config, gradients),
            |[warped, middle, original]| bipath_loss_from_features(warped, middle, original, known, config),
        )
    }

    /// Adds `weight ·` [`negative_loss_from_features`] of the images `source` and `target`. Returns the loss without its
    /// weight.
    ///
    /// # Panics
    ///
    /// As [`negative_loss_from_features`], or if there are no such images.
    pub fn negative(
        &mut self,
        weight: f64,
        parts: [Range<usize>; 2],
        source_mask: Tensor<3>,
        pairs: &[[usize; 2]],
        tau: f64,
    ) -> f32 {
        self.add(
            weight,
            parts,
            |[source, target]| check_negatives(source, target, &source_mask, pairs, tau),
            |maps, gradients| negative_outcome(maps, source_mask.clone(), pairs, tau, gradients),
            |[source, target]| negative_loss_from_features(source, target, source_mask.clone(), pairs, tau),
        )
    }

    /// The weighted sum, `[1]`, which the maps feel.
    pub fn sum(self) -> Tensor<1> {
        let device = self.maps.device();
        match self.sum {
            Sum::OnDevice(losses) => {
                losses.into_iter().reduce(|sum, loss| sum + loss).unwrap_or_else(|| Tensor::zeros([1], &device))
            }
            Sum::OnHost { value, gradient } => {
                let value = upload(vec![value as f32], [1], &device);
                let Some(gradient) = gradient else {
                    return value;
                };
                let gradient = upload(gradient, self.maps.dims(), &device.without_autodiff());
                given_gradient(value, self.maps, gradient, 1.0)
            }
        }
    }

    fn add<const N: usize>(
        &mut self,
        weight: f64,
        parts: [Range<usize>; N],
        check: impl FnOnce([&Tensor<4>; N]),
        outcome: impl FnOnce([Maps<'_>; N], bool) -> Outcome<N>,
        composed: impl FnOnce([Tensor<4>; N]) -> Tensor<1>,
    ) -> f32 {
        let images = self.maps.dims()[0];
        assert!(
            parts.iter().all(|part| part.start < part.end && part.end <= images),
            "the images {parts:?} of a stack of {images}"
        );
        let narrowed = |maps: &Tensor<4>| parts.clone().map(|part| maps.clone().narrow(0, part.start, part.len()));
        match &mut self.sum {
            Sum::OnDevice(losses) => {
                let loss = composed(narrowed(&self.maps));
                losses.push(loss.clone().mul_scalar(weight));
                loss.without_autodiff().into_scalar()
            }
            Sum::OnHost { value, gradient } => {
                let tensors = narrowed(&self.maps.clone().without_autodiff());
                check(tensors.each_ref());
                let values = on_host(tensors.each_ref()).unwrap_or_else(|| unreachable!("parts of maps on the host"));
                let maps = std::array::from_fn(|part| Maps::new(&values[part], &tensors[part]));
                let outcome = outcome(maps, gradient.is_some());
                *value += weight * f64::from(outcome.loss);
                if let (Some(gradient), Some(parts_gradients)) = (gradient, outcome.gradients) {
                    let image = gradient.len() / images;
                    let factor = weight as f32 * outcome.scale;
                    for (part, of_part) in parts.iter().zip(parts_gradients) {
                        let gradient = &mut gradient[part.start * image..part.end * image];
                        vectorised(
                            #[inline(always)]
                            || add_scaled(gradient, factor, &of_part),
                        );
                    }
                }
                outcome.loss
            }
        }
    }
}

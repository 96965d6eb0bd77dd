//! The losses straight from feature maps. On the host no volume is held: value and gradients come from
//! [one pass](crate::fused) over a band of scores at a time. So it is with the match losses on a GPU, where kernels compute
//! tiles of scores. The other losses are composed of tensor operations there, and all of them on any other device.

use burn::tensor::Tensor;
use corr_volume::{CorrVolume, Grid};
use serde::{Deserialize, Serialize};

use crate::fused::bipath::Bipath;
use crate::fused::match_loss::MatchLoss;
use crate::fused::negatives::NegativeLoss;
use crate::fused::warp_supervision::WarpSupervision;
use crate::fused::{Features, Lesson, Outcome};
use crate::given_gradient::given_gradient;
use crate::host::{HostValues, read, upload};
use crate::labels::Labels;
use crate::match_loss::match_loss_soft;
use crate::negatives::bag_margin;
use crate::soft_targets::{gaussian_targets, soft_targets};
use crate::warp_loss::{WarpLossConfig, bipath_loss, warp_supervision};

/// How a student's match loss is scored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StudentLossConfig {
    /// Temperature of the match distributions. Default 0.05.
    pub tau: f64,
    /// σ of the Gaussian round a label, in cells. Default 1.
    pub sigma: f64,
    /// Share of the voted row in a target, where there is one. Default 0.5.
    pub voted_share: f64,
}

impl Default for StudentLossConfig {
    fn default() -> Self {
        Self { tau: 0.05, sigma: 1.0, voted_share: 0.5 }
    }
}

impl StudentLossConfig {
    fn check(&self) {
        assert!(
            self.tau > 0.0 && self.sigma > 0.0 && (0.0..=1.0).contains(&self.voted_share),
            "tau and sigma are above 0 and the voted share is in 0..=1: {self:?}"
        );
    }
}

/// The sum of the match losses of both directions: [`match_loss_soft`] of the cosine volume with the
/// [`soft_targets`] of either side's labels.
///
/// On the host, and of `f32` features on burn's `wgpu` backend where this crate's feature of that name is on, value and
/// gradient are computed together and no volume is held. Elsewhere the loss is composed of tensor operations. GPUs may take
/// votes below f32's smallest normal number for none.
///
/// # Shapes
///
/// - source, target: features `[b, channels, h, w]`; their grids may differ
/// - forward: labels of the source's cells, points in target cells; backward: of the target's, points in source cells
/// - voted: `[b, source_cells, target_cells]`; without it, or with a share of 0, targets are Gaussians alone
/// - output: `[1]`
///
/// # Panics
///
/// If a shape disagrees or the configuration is out of range.
pub fn student_loss(
    source: Tensor<4>,
    target: Tensor<4>,
    forward: &Labels,
    backward: &Labels,
    voted: Option<&CorrVolume>,
    config: &StudentLossConfig,
) -> Tensor<1> {
    match_losses(source, target, forward, Some(backward), voted, config)
}

/// The match loss of one direction only; otherwise as [`student_loss`].
///
/// # Panics
///
/// As [`student_loss`].
pub fn match_loss_from_features(
    source: Tensor<4>,
    target: Tensor<4>,
    labels: &Labels,
    voted: Option<&CorrVolume>,
    config: &StudentLossConfig,
) -> Tensor<1> {
    match_losses(source, target, labels, None, voted, config)
}

/// [`warp_supervision`] of the cosine volume.
///
/// # Shapes
///
/// - warped, original: features of W(A) and of A `[b, channels, h, w]`
/// - known: from [`warp_targets`](crate::warp_targets), [masked](Labels::masked) at will
/// - output: `[1]`; 0 where every weight is
///
/// # Panics
///
/// If a shape disagrees or the configuration is out of range.
pub fn warp_supervision_from_features(
    warped: Tensor<4>,
    original: Tensor<4>,
    known: &Labels,
    config: &WarpLossConfig,
) -> Tensor<1> {
    config.check();
    check_features(&warped, &original);
    check_labels("known", known, &warped);
    let Some([of_warped, of_original]) = on_host([&warped, &original]) else {
        return warp_supervision(&CorrVolume::cosine(warped, original), known, config);
    };
    let known = OnHost::of(known);
    let supervision = WarpSupervision {
        features: [features(&of_warped, &warped), features(&of_original, &original)],
        grid: Grid::of(&original),
        known: known.lesson(),
        tau: config.tau as f32,
        epsilon: config.epsilon as f32,
    };
    let tensors = [warped, original];
    let outcome = supervision.outcome(tracked(&tensors));
    loss(outcome, tensors)
}

/// [`bipath_loss`] of the cosine volumes.
///
/// # Shapes
///
/// - warped, middle, original: features of W(A), B and A `[b, channels, h, w]`
/// - known: from [`warp_targets`](crate::warp_targets), [masked](Labels::masked) at will
/// - output: `[1]`; 0 where every weight is
///
/// # Panics
///
/// If a shape disagrees or the configuration is out of range.
pub fn bipath_loss_from_features(
    warped: Tensor<4>,
    middle: Tensor<4>,
    original: Tensor<4>,
    known: &Labels,
    config: &WarpLossConfig,
) -> Tensor<1> {
    config.check();
    check_features(&warped, &middle);
    check_features(&middle, &original);
    check_labels("known", known, &warped);
    let Some([of_warped, of_middle, of_original]) = on_host([&warped, &middle, &original]) else {
        let (there, back) = (CorrVolume::cosine(warped, middle.clone()), CorrVolume::cosine(middle, original));
        return bipath_loss(&there, &back, known, config);
    };
    let known = OnHost::of(known);
    let bipath = Bipath {
        features: [features(&of_warped, &warped), features(&of_middle, &middle), features(&of_original, &original)],
        grid: Grid::of(&original),
        known: known.lesson(),
        tau: config.tau as f32,
        epsilon: config.epsilon as f32,
        surest: config.surest,
    };
    let tensors = [warped, middle, original];
    let outcome = bipath.outcome(tracked(&tensors));
    loss(outcome, tensors)
}

/// [`negative_loss`](crate::negative_loss) of cosine volumes, for pairs and targets of one batch.
///
/// Each element of `pairs` is `[of, with]`: the positive pair is source `of` and target `of`, the negative one source `of`
/// and target `with`. Whether these have different classes is the caller's to see to.
///
/// # Shapes
///
/// - source, target: features `[b, channels, h, w]`
/// - source_mask: `[b, height, width]` of the sources' grid
/// - output: `[1]`
///
/// # Panics
///
/// If tau is not above 0, a shape disagrees, there are no pairs, or one is not in the batch.
pub fn negative_loss_from_features(
    source: Tensor<4>,
    target: Tensor<4>,
    source_mask: Tensor<3>,
    pairs: &[[usize; 2]],
    tau: f64,
) -> Tensor<1> {
    assert!(tau > 0.0, "the temperature is above 0, not {tau}");
    check_features(&source, &target);
    let batch = source.dims()[0];
    crate::voting::check_mask("source", &source_mask, batch, Grid::of(&source));
    assert!(
        !pairs.is_empty() && pairs.iter().flatten().all(|index| *index < batch),
        "pairs of a batch of {batch} are wanted, not {pairs:?}"
    );
    let Some([of_source, of_target]) = on_host([&source, &target]) else {
        return bag_margin(source, target, source_mask, pairs, tau);
    };
    let source_mask = read(source_mask);
    let margin = NegativeLoss {
        features: [features(&of_source, &source), features(&of_target, &target)],
        source_mask: &source_mask,
        pairs,
        tau,
    };
    let tensors = [source, target];
    let outcome = margin.outcome(tracked(&tensors));
    loss(outcome, tensors)
}

fn match_losses(
    source: Tensor<4>,
    target: Tensor<4>,
    forward: &Labels,
    backward: Option<&Labels>,
    voted: Option<&CorrVolume>,
    config: &StudentLossConfig,
) -> Tensor<1> {
    config.check();
    check_features(&source, &target);
    check_labels("forward", forward, &source);
    if let Some(backward) = backward {
        check_labels("backward", backward, &target);
    }
    let (batch, grids) = (source.dims()[0], [Grid::of(&source), Grid::of(&target)]);
    let voted = voted.filter(|_| config.voted_share > 0.0);
    if let Some(voted) = voted {
        assert_eq!(
            (voted.batch(), voted.source(), voted.target()),
            (batch, grids[0], grids[1]),
            "votes have to be those of the features' pairs and grids"
        );
    }
    #[cfg(feature = "wgpu")]
    if [&source, &target].into_iter().all(corr_volume::gpu::buffers::on_gpu) {
        return crate::gpu::match_losses(source, target, forward, backward, voted, config);
    }
    let Some([of_source, of_target]) = on_host([&source, &target]) else {
        return composed(source, target, forward, backward, voted, config);
    };
    let votes = voted.map(|voted| match HostValues::of(&voted.values()) {
        Some(votes) => votes,
        None => panic!("the features are on the host, the votes on {:?}", voted.values().device()),
    });
    let (forward, backward) = (OnHost::of(forward), backward.map(OnHost::of));
    let losses = MatchLoss {
        features: [features(&of_source, &source), features(&of_target, &target)],
        grids,
        forward: forward.lesson(),
        backward: backward.as_ref().map(OnHost::lesson),
        votes: votes.as_ref().map(|votes| (votes.values(), config.voted_share as f32)),
        tau: config.tau as f32,
        sigma: config.sigma,
    };
    let tensors = [source, target];
    let outcome = losses.outcome(tracked(&tensors));
    loss(outcome, tensors)
}

fn composed(
    source: Tensor<4>,
    target: Tensor<4>,
    forward: &Labels,
    backward: Option<&Labels>,
    voted: Option<&CorrVolume>,
    config: &StudentLossConfig,
) -> Tensor<1> {
    let volume = CorrVolume::cosine(source, target);
    let one_way = |volume: &CorrVolume, labels: &Labels, voted: Option<CorrVolume>| {
        let targets = match voted {
            Some(voted) => soft_targets(labels, &voted, config.sigma, config.voted_share),
            None => gaussian_targets(labels.points.clone(), volume.target(), config.sigma),
        };
        match_loss_soft(volume, targets, labels.weights.clone(), config.tau)
    };
    let there = one_way(&volume, forward, voted.cloned());
    match backward {
        Some(backward) => there + one_way(&volume.transpose(), backward, voted.map(CorrVolume::transpose)),
        None => there,
    }
}

fn check_features(source: &Tensor<4>, target: &Tensor<4>) {
    assert_eq!(
        source.dims()[..2],
        target.dims()[..2],
        "source features are {:?}, target features {:?}: batch and channels must agree",
        source.dims(),
        target.dims()
    );
}

fn check_labels(which: &str, labels: &Labels, features: &Tensor<4>) {
    let (batch, cells) = (features.dims()[0], Grid::of(features).cells());
    assert_eq!(
        (labels.points.dims(), labels.weights.dims()),
        ([batch, cells, 2], [batch, cells]),
        "the {which} labels have to be those of {batch} images of {cells} cells"
    );
}

/// Labels as numbers.
struct OnHost {
    points: Vec<f32>,
    weights: Vec<f32>,
}

impl OnHost {
    fn of(labels: &Labels) -> Self {
        Self { points: read(labels.points.clone()), weights: read(labels.weights.clone()) }
    }

    fn lesson(&self) -> Lesson<'_> {
        Lesson { points: &self.points, weights: &self.weights }
    }
}

fn on_host<const N: usize>(tensors: [&Tensor<4>; N]) -> Option<[HostValues; N]> {
    let values: Vec<HostValues> = tensors.into_iter().filter_map(HostValues::of).collect();
    values.try_into().ok()
}

fn features<'a>(values: &'a HostValues, tensor: &Tensor<4>) -> Features<'a> {
    let [_, channels, height, width] = tensor.dims();
    Features { values: values.values(), channels, cells: height * width }
}

fn tracked(tensors: &[Tensor<4>]) -> bool {
    tensors.iter().any(Tensor::is_tracked)
}

/// The outcome as a tensor that the features feel.
fn loss<const N: usize>(outcome: Outcome<N>, tensors: [Tensor<4>; N]) -> Tensor<1> {
    let value = upload(vec![outcome.loss], [1], &tensors[0].device());
    let Some(gradients) = outcome.gradients else {
        return value;
    };
    tensors.into_iter().zip(gradients).fold(value, |value, (tensor, gradient)| {
        if !tensor.is_tracked() {
            return value;
        }
        let gradient = upload(gradient, tensor.dims(), &tensor.device().without_autodiff());
        given_gradient(value, tensor, gradient, f64::from(outcome.scale))
    })
}

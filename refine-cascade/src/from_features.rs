//! The losses straight from feature maps. On the host no volume is held: value and gradients come from
//! [one pass](crate::fused) over a band of scores at a time. So it is with the match losses on a GPU, where kernels compute
//! tiles of scores. The other losses are composed of tensor operations there, and all of them on any other device.

use burn::tensor::Tensor;
use corr_volume::{CorrVolume, Grid, HostValues, check_pairs};
use serde::{Deserialize, Serialize};

use crate::fused::bipath::Bipath;
use crate::fused::match_loss::MatchLoss;
use crate::fused::negatives::NegativeLoss;
use crate::fused::warp_supervision::WarpSupervision;
use crate::fused::{Features, Lesson, Outcome};
use crate::given_gradient::given_gradient;
use crate::host::{read, upload};
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
    check_pairs(&warped, &original);
    check_labels("known", known, &warped);
    let Some([of_warped, of_original]) = on_host([&warped, &original]) else {
        return warp_supervision(&CorrVolume::cosine(warped, original), known, config);
    };
    let maps = [Maps::new(&of_warped, &warped), Maps::new(&of_original, &original)];
    let tensors = [warped, original];
    loss(warp_supervision_outcome(maps, known, config, tracked(&tensors)), tensors)
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
    check_pairs(&warped, &middle);
    check_pairs(&middle, &original);
    check_labels("known", known, &warped);
    let Some([of_warped, of_middle, of_original]) = on_host([&warped, &middle, &original]) else {
        let (there, back) = (CorrVolume::cosine(warped, middle.clone()), CorrVolume::cosine(middle, original));
        return bipath_loss(&there, &back, known, config);
    };
    let maps = [Maps::new(&of_warped, &warped), Maps::new(&of_middle, &middle), Maps::new(&of_original, &original)];
    let tensors = [warped, middle, original];
    loss(bipath_outcome(maps, known, config, tracked(&tensors)), tensors)
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
    check_negatives(&source, &target, &source_mask, pairs, tau);
    let Some([of_source, of_target]) = on_host([&source, &target]) else {
        return bag_margin(source, target, source_mask, pairs, tau);
    };
    let maps = [Maps::new(&of_source, &source), Maps::new(&of_target, &target)];
    let tensors = [source, target];
    loss(negative_outcome(maps, source_mask, pairs, tau, tracked(&tensors)), tensors)
}

fn match_losses(
    source: Tensor<4>,
    target: Tensor<4>,
    forward: &Labels,
    backward: Option<&Labels>,
    voted: Option<&CorrVolume>,
    config: &StudentLossConfig,
) -> Tensor<1> {
    check_match(&source, &target, forward, backward, voted, config);
    let voted = voted.filter(|_| config.voted_share > 0.0);
    #[cfg(feature = "wgpu")]
    if [&source, &target].into_iter().all(corr_volume::gpu::buffers::on_gpu) {
        return crate::gpu::match_losses(source, target, forward, backward, voted, config);
    }
    let Some([of_source, of_target]) = on_host([&source, &target]) else {
        return composed(source, target, forward, backward, voted, config);
    };
    let maps = [Maps::new(&of_source, &source), Maps::new(&of_target, &target)];
    let tensors = [source, target];
    loss(match_outcome(maps, forward, backward, voted, config, tracked(&tensors)), tensors)
}

/// The value of [`student_loss`] (of [`match_loss_from_features`] without backward labels) and its gradients in the maps.
pub(crate) fn match_outcome(
    [source, target]: [Maps<'_>; 2],
    forward: &Labels,
    backward: Option<&Labels>,
    voted: Option<&CorrVolume>,
    config: &StudentLossConfig,
    gradients: bool,
) -> Outcome<2> {
    let votes = voted.filter(|_| config.voted_share > 0.0).map(|voted| match HostValues::of(&voted.values()) {
        Some(votes) => votes,
        None => panic!("the features are on the host, the votes on {:?}", voted.values().device()),
    });
    let (forward, backward) = (OnHost::of(forward), backward.map(OnHost::of));
    let losses = MatchLoss {
        features: [source.features, target.features],
        grids: [source.grid, target.grid],
        forward: forward.lesson(),
        backward: backward.as_ref().map(OnHost::lesson),
        votes: votes.as_ref().map(|votes| (votes.values(), config.voted_share as f32)),
        tau: config.tau as f32,
        sigma: config.sigma,
    };
    losses.outcome(gradients)
}

/// The value of [`warp_supervision_from_features`] and its gradients in the maps.
pub(crate) fn warp_supervision_outcome(
    [warped, original]: [Maps<'_>; 2],
    known: &Labels,
    config: &WarpLossConfig,
    gradients: bool,
) -> Outcome<2> {
    let known = OnHost::of(known);
    let supervision = WarpSupervision {
        features: [warped.features, original.features],
        grid: original.grid,
        known: known.lesson(),
        tau: config.tau as f32,
        epsilon: config.epsilon as f32,
    };
    supervision.outcome(gradients)
}

/// The value of [`bipath_loss_from_features`] and its gradients in the maps.
pub(crate) fn bipath_outcome(
    maps: [Maps<'_>; 3],
    known: &Labels,
    config: &WarpLossConfig,
    gradients: bool,
) -> Outcome<3> {
    let known = OnHost::of(known);
    let bipath = Bipath {
        features: maps.map(|maps| maps.features),
        grid: maps[2].grid,
        known: known.lesson(),
        tau: config.tau as f32,
        epsilon: config.epsilon as f32,
        surest: config.surest,
    };
    bipath.outcome(gradients)
}

/// The value of [`negative_loss_from_features`] and its gradients in the maps.
pub(crate) fn negative_outcome(
    maps: [Maps<'_>; 2],
    source_mask: Tensor<3>,
    pairs: &[[usize; 2]],
    tau: f64,
    gradients: bool,
) -> Outcome<2> {
    let source_mask = read(source_mask);
    NegativeLoss { features: maps.map(|maps| maps.features), source_mask: &source_mask, pairs, tau }.outcome(gradients)
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

pub(crate) fn check_match(
    source: &Tensor<4>,
    target: &Tensor<4>,
    forward: &Labels,
    backward: Option<&Labels>,
    voted: Option<&CorrVolume>,
    config: &StudentLossConfig,
) {
    config.check();
    check_pairs(source, target);
    check_labels("forward", forward, source);
    if let Some(backward) = backward {
        check_labels("backward", backward, target);
    }
    if let Some(voted) = voted {
        assert_eq!(
            (voted.batch(), voted.source(), voted.target()),
            (source.dims()[0], Grid::of(source), Grid::of(target)),
            "votes have to be those of the features' pairs and grids"
        );
    }
}

pub(crate) fn check_negatives(
    source: &Tensor<4>,
    target: &Tensor<4>,
    source_mask: &Tensor<3>,
    pairs: &[[usize; 2]],
    tau: f64,
) {
    assert!(tau > 0.0, "the temperature is above 0, not {tau}");
    check_pairs(source, target);
    let batch = source.dims()[0];
    crate::voting::check_mask("source", source_mask, batch, Grid::of(source));
    assert!(
        !pairs.is_empty() && pairs.iter().flatten().all(|index| *index < batch),
        "pairs of a batch of {batch} are wanted, not {pairs:?}"
    );
}

pub(crate) fn check_labels(which: &str, labels: &Labels, features: &Tensor<4>) {
    let (batch, cells) = (features.dims()[0], Grid::of(features).cells());
    assert_eq!(
        (labels.points.dims(), labels.weights.dims()),
        ([batch, cells, 2], [batch, cells]),
        "the {which} labels have to be those of {batch} images of {cells} cells"
    );
}

/// A batch of feature maps in slices, and the grid of them.
#[derive(Clone, Copy)]
pub(crate) struct Maps<'a> {
    features: Features<'a>,
    grid: Grid,
}

impl<'a> Maps<'a> {
    pub fn new(values: &'a HostValues, tensor: &Tensor<4>) -> Self {
        let grid = Grid::of(tensor);
        Self { features: Features { values: values.values(), channels: tensor.dims()[1], cells: grid.cells() }, grid }
    }
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

pub(crate) fn on_host<const N: usize>(tensors: [&Tensor<4>; N]) -> Option<[HostValues; N]> {
    let values: Vec<HostValues> = tensors.into_iter().filter_map(HostValues::of).collect();
    values.try_into().ok()
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

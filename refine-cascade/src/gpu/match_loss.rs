//! Value and gradients of the match losses from features, without the volume.

use burn::tensor::Tensor;
use corr_volume::gpu::buffers::{beside, buffer, join, part, parts, tensor};
use corr_volume::{CorrVolume, Grid};

use super::match_gradients::{Rows, gradients, of_labels};
use super::match_rows::RowSums;
use super::match_targets::{Targets, Votes};
use crate::from_features::StudentLossConfig;
use crate::given_gradient::given_gradient;
use crate::labels::Labels;

/// Less weight than this in a whole batch is not divided by, as in [`match_loss`](crate::match_loss).
const LEAST_WEIGHT: f64 = 1e-6;

/// What [`student_loss`](crate::student_loss) answers (without backward labels,
/// [`match_loss_from_features`](crate::match_loss_from_features)), of features for which
/// [`on_gpu`](corr_volume::gpu::buffers::on_gpu) holds and shapes that have been checked.
///
/// Each direction is computed for itself:
///
/// ```text
/// C_ij = <s_i, t_j>,  P_ij = softmax_j(C_ij / τ),  Q_ij = target of label i
/// L = −(1 / W) Σ_i w_i Σ_j Q_ij log P_ij,  W = Σ w
/// dL/dC_ij = w_i / (W τ) · (P_ij Σ_k Q_ik − Q_ij)
/// dL/ds_i = Σ_j dL/dC_ij t_j,  dL/dt_j = Σ_i dL/dC_ij s_i
/// ```
///
/// `Σ_k Q_ik` is 1 but for labels far outside the target, whose Gaussian is nothing. Tiles of the volume are computed
/// three times a direction: for the rows' sums of exponentials and for either gradient; once where no gradient is wanted.
/// Memory beyond inputs and results is a few numbers a row and the Gaussians along both axes.
pub(crate) fn match_losses(
    source: Tensor<4>,
    target: Tensor<4>,
    forward: &Labels,
    backward: Option<&Labels>,
    voted: Option<&CorrVolume>,
    config: &StudentLossConfig,
) -> Tensor<1> {
    let voted = voted.map(CorrVolume::values);
    let votes = voted.as_ref();
    let wanted = source.is_tracked() || target.is_tracked();
    let there = Direction { source: &source, target: &target, labels: forward, votes, of_columns: false, config };
    let mut found = there.found(wanted);
    if let Some(labels) = backward {
        let back = Direction { source: &target, target: &source, labels, votes, of_columns: true, config };
        found = found.and_back(back.found(wanted));
    }
    let mut loss = beside(&source, found.loss);
    if let Some(gradients) = found.gradients {
        for (features, gradient) in [source, target].into_iter().zip(gradients) {
            if features.is_tracked() {
                loss = given_gradient(loss, features, gradient, 1.0);
            }
        }
    }
    loss
}

/// A loss, and its gradients in the source's and the target's features where they were asked for.
struct Found {
    loss: Tensor<1>,
    gradients: Option<[Tensor<4>; 2]>,
}

impl Found {
    /// With those of the other direction, whose source is this one's target.
    fn and_back(self, back: Self) -> Self {
        let gradients = self.gradients.zip(back.gradients);
        Self {
            loss: self.loss + back.loss,
            gradients: gradients
                .map(|([source, target], [of_target, of_source])| [source + of_source, target + of_target]),
        }
    }
}

/// The match loss of the source's cells.
struct Direction<'a> {
    source: &'a Tensor<4>,
    target: &'a Tensor<4>,
    labels: &'a Labels,
    votes: Option<&'a Tensor<3>>,
    /// Whether the source's cells are the columns of the votes.
    of_columns: bool,
    config: &'a StudentLossConfig,
}

impl Direction<'_> {
    fn found(&self, gradients_wanted: bool) -> Found {
        let StudentLossConfig { tau, sigma, voted_share } = *self.config;
        let weights = self.labels.weights.clone().without_autodiff();
        let total = sum(weights.clone()).clamp_min(LEAST_WEIGHT);
        let factors = weights.clone() / total.clone().mul_scalar(tau).reshape([1, 1]);
        let grid = Grid::of(self.target);
        let (mut losses, mut in_source, mut in_target) = (Vec::new(), Vec::new(), Vec::new());
        for pairs in parts(self.source.dims()[0], self.largest()) {
            let (source, target) = (buffer(part(self.source, &pairs)), buffer(part(self.target, &pairs)));
            let votes = self.votes.map(|votes| Votes {
                values: buffer(part(votes, &pairs)),
                share: voted_share as f32,
                of_columns: self.of_columns,
            });
            let targets = Targets::new(&buffer(part(&self.labels.points, &pairs)), grid, sigma, votes);
            let sums = RowSums::of(&source, &target, &targets, tau);
            let (mass, logs) = (tensor::<2>(targets.mass.clone()), tensor(sums.logs.clone()));
            losses.push(mass * logs - tensor(sums.hits.clone()));
            if gradients_wanted {
                let labels = of_labels(&sums, &targets, part(&factors, &pairs));
                in_source.push(tensor(gradients(&source, &target, Rows::Source, &targets, &labels, tau)));
                in_target.push(tensor(gradients(&target, &source, Rows::Target, &targets, &labels, tau)));
            }
        }
        Found {
            loss: sum(join(losses) * weights) / total,
            gradients: gradients_wanted.then(|| [join(in_source), join(in_target)]),
        }
    }

    /// Numbers that one pair has in the largest of its buffers.
    fn largest(&self) -> usize {
        let (labels, grid) = (Grid::of(self.source).cells(), Grid::of(self.target));
        let features = self.source.dims()[1] * labels.max(grid.cells());
        let bells = labels * (grid.width + grid.height);
        let votes = if self.votes.is_some() { labels * grid.cells() } else { 0 };
        features.max(bells).max(votes).max(4 * labels)
    }
}

/// The sum of all numbers, `[1]`, in a fixed order: the backend's own sum of a whole tensor adds with atomics.
fn sum(values: Tensor<2>) -> Tensor<1> {
    values.flatten::<1>(0, 1).sum_dim(0)
}

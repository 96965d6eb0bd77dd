//! Match losses: value and gradients.

use burn::tensor::{Device, Tensor};
use corr_volume::{CorrVolume, Grid};
use refine_cascade::{Labels, StudentLossConfig, match_loss_from_features, student_loss};

use super::tensors::{Host, adapter, assert_close, features, numbers};

/// What a student loss is made of, for any device.
struct Lesson {
    maps: [Host<4>; 2],
    /// Points and weights of the source's labels and of the target's.
    labels: [(Host<3>, Host<2>); 2],
    votes: Host<3>,
    config: StudentLossConfig,
}

/// A loss and its gradients in both maps.
type Answer = (Vec<f32>, [Vec<f32>; 2]);

impl Lesson {
    /// Labels lie in the other grid and a little outside, a third of them without weight; the first source cell and the
    /// first target cell have no votes, and some votes are negative.
    fn random(source: [usize; 4], target: [usize; 4], seed: u64) -> Self {
        let labels = |[batch, _, height, width]: [usize; 4], other: [usize; 4], seed| {
            let cells = height * width;
            let across = other[2].max(other[3]) as f32 - 0.5;
            let weights = Host::uniform([batch, cells], 0.1, 1.0, seed + 1);
            let weights = weights.map(|index, value| if index % 3 == 1 { 0.0 } else { value });
            (Host::uniform([batch, cells, 2], -0.7, across, seed), weights)
        };
        let (rows, columns) = (source[2] * source[3], target[2] * target[3]);
        let votes = Host::uniform([source[0], rows, columns], -0.3, 1.0, seed + 20);
        let without =
            |index: usize| columns > 1 && (index.is_multiple_of(columns) || (index / columns).is_multiple_of(rows));
        Self {
            maps: [features(source, seed), features(target, seed + 30)],
            labels: [labels(source, target, seed + 40), labels(target, source, seed + 50)],
            votes: votes.map(|index, value| if without(index) { 0.0 } else { value }),
            config: StudentLossConfig { tau: 0.1, sigma: 1.0, voted_share: 0.4 },
        }
    }

    fn with(mut self, tau: f64, sigma: f64) -> Self {
        self.config = StudentLossConfig { tau, sigma, ..self.config };
        self
    }

    fn run(&self, device: &Device, both: bool, voted: bool) -> Answer {
        let learning = device.clone().autodiff();
        let [source, target] = self.maps.each_ref().map(|maps| maps.on(&learning).require_grad());
        let [forward, backward] = self
            .labels
            .each_ref()
            .map(|(points, weights)| Labels { points: points.on(device), weights: weights.on(device) });
        let grids = self.maps.each_ref().map(|maps| Grid::new(maps.shape[2], maps.shape[3]));
        let votes = voted.then(|| CorrVolume::new(self.votes.on(device), grids[0], grids[1]));
        let (s, t, votes) = (source.clone(), target.clone(), votes.as_ref());
        let loss = match both {
            true => student_loss(s, t, &forward, &backward, votes, &self.config),
            false => match_loss_from_features(s, t, &forward, votes, &self.config),
        };
        // Twice the loss, so that what arrives at its gradient counts.
        let gradients = (loss.clone() * 2.0).backward();
        (numbers(loss), [source, target].map(|maps| numbers(maps.grad(&gradients).expect("a gradient"))))
    }

    fn check(&self) {
        let Some(device) = adapter() else { return };
        for (both, voted) in [(false, false), (false, true), (true, false), (true, true)] {
            let shapes = self.maps.each_ref().map(|maps| maps.shape);
            let what = format!("{shapes:?}, {:?}, both ways {both}, voted {voted}", self.config);
            let (found, wanted) = (self.run(&device, both, voted), self.run(&Device::flex(), both, voted));
            // The loss is some logarithms of a distribution, of a size of 1 to 10 each.
            assert_close(&found.0, &wanted.0, 1e-4, 1.0, &format!("{what}, loss"));
            // A gradient is a sum of the other image's features, of either direction's labels weighed by at most w / (W tau), and
            // here of twice the loss.
            let push = |(_, weights): &(_, Host<2>)| weights.largest() / weights.values.iter().sum::<f32>().max(1e-6);
            let push = 2.0 * self.labels.iter().map(push).sum::<f32>() / self.config.tau as f32;
            let [source, target] = self.maps.each_ref().map(Host::largest);
            assert_close(&found.1[0], &wanted.1[0], 1e-3, push * target, &format!("{what}, in the source"));
            assert_close(&found.1[1], &wanted.1[1], 1e-3, push * source, &format!("{what}, in the target"));
        }
    }
}

#[test]
fn match_losses_and_their_gradients_agree() {
    // Sizes below and above those of a tile, no multiples of them; channels likewise.
    let shapes = [([2, 20, 7, 10], [2, 20, 5, 8]), ([1, 70, 3, 5], [1, 70, 8, 9]), ([1, 4, 1, 1], [1, 4, 2, 1])];
    for (seed, (source, target)) in (0..).map(|k| 100 * k).zip(shapes) {
        Lesson::random(source, target, seed).with(0.05, 1.0).check();
        Lesson::random(source, target, seed).with(0.5, 2.5).check();
    }
}

#[test]
fn a_large_batch_goes_in_parts() {
    Lesson::random([1025, 2, 1, 1], [1025, 2, 1, 2], 5).check();
}

#[test]
fn labels_far_away_and_without_weight_teach_nothing_on_either() {
    let mut lesson = Lesson::random([1, 5, 3, 3], [1, 5, 4, 2], 1);
    for (points, _) in &mut lesson.labels {
        *points = points.clone().map(|index, value| if index < 4 { 60.0 } else { value });
    }
    lesson.check();
    for (_, weights) in &mut lesson.labels {
        *weights = weights.clone().map(|_, _| 0.0);
    }
    lesson.check();
}

#[test]
fn equal_cells_share_the_match_loss_on_either() {
    let mut lesson = Lesson::random([1, 4, 7, 10], [1, 4, 6, 6], 2).with(0.02, 1.0);
    lesson.maps = lesson.maps.map(|maps| maps.map(|_, _| 0.5));
    lesson.votes = lesson.votes.map(|_, _| 0.5);
    lesson.check();
}

#[test]
fn scores_and_votes_of_any_size_keep_the_match_loss_finite() {
    for (source, votes) in [(30.0, 1e-30), (1e-12, 1e12), (1.0, 0.0), (1.0, -1.0)] {
        let mut lesson = Lesson::random([1, 5, 3, 4], [1, 5, 2, 5], 3).with(0.05, 1.0);
        lesson.maps = lesson.maps.map(|maps| maps.map(|_, value| source * value));
        lesson.votes = lesson.votes.map(|_, value| votes * value.abs());
        lesson.check();
    }
}

#[test]
fn a_map_that_learns_nothing_gets_no_gradient() {
    let Some(device) = adapter() else { return };
    let lesson = Lesson::random([1, 6, 3, 4], [1, 6, 4, 4], 4);
    let loss = |source: Tensor<4>, target: Tensor<4>| {
        let (points, weights) = &lesson.labels[0];
        let labels = Labels { points: points.on(&device), weights: weights.on(&device) };
        match_loss_from_features(source, target, &labels, None, &lesson.config)
    };
    let plain = || lesson.maps.each_ref().map(|maps| maps.on(&device));
    let [source, target] = plain();
    let value = numbers(loss(source, target));
    let [source, target] = plain().map(Tensor::autodiff);
    let source = source.require_grad();
    let learning = loss(source.clone(), target.clone());
    assert_eq!(numbers(learning.clone()), value, "the same bits with a gradient and without");
    let gradients = learning.backward();
    assert!(source.grad(&gradients).is_some() && target.grad(&gradients).is_none());
}

#[test]
fn the_same_inputs_have_the_same_bits() {
    let Some(device) = adapter() else { return };
    let lesson = Lesson::random([2, 20, 7, 10], [2, 20, 5, 8], 9);
    assert_eq!(lesson.run(&device, true, true), lesson.run(&device, true, true));
}

//! The losses from features against the same losses composed of tensor operations, in value and gradient.

#[path = "naive/tensors.rs"]
mod tensors;

use burn::tensor::{Device, Tensor};
use corr_volume::{CorrVolume, Grid};
use proptest::prelude::*;
use refine_cascade::{
    Labels, StudentLossConfig, WarpLossConfig, bipath_loss, bipath_loss_from_features, gaussian_targets,
    match_loss_from_features, match_loss_soft, negative_loss, negative_loss_from_features, soft_targets, student_loss,
    warp_supervision, warp_supervision_from_features,
};
use tensors::{assert_close, numbers, tensor, uniform, volume};

/// Feature maps of a batch, as numbers.
#[derive(Clone)]
struct Maps {
    values: Vec<f64>,
    shape: [usize; 4],
}

impl Maps {
    fn uniform(batch: usize, channels: usize, grid: Grid, size: f64, seed: u64) -> Self {
        let values = uniform(batch * channels * grid.cells(), -1.0, 1.0, seed);
        Self { values: values.iter().map(|x| x * size).collect(), shape: [batch, channels, grid.height, grid.width] }
    }
}

fn labels(batch: usize, cells: usize, other: Grid, seed: u64) -> Labels {
    let across = other.height.max(other.width) as f64;
    let mut weights = uniform(batch * cells, 0.05, 1.0, seed);
    weights.iter_mut().skip(1).step_by(3).for_each(|weight| *weight = 0.0);
    Labels {
        points: tensor(&uniform(batch * cells * 2, -0.7, across, seed ^ 77), [batch, cells, 2], &Device::flex()),
        weights: tensor(&weights, [batch, cells], &Device::flex()),
    }
}

/// A loss and its gradient in every batch of maps.
fn run(maps: &[Maps], loss: impl Fn(&[Tensor<4>]) -> Tensor<1>) -> (f64, Vec<Vec<f64>>) {
    let device = Device::flex().autodiff();
    let leaves: Vec<Tensor<4>> =
        maps.iter().map(|maps| tensor(&maps.values, maps.shape, &device).require_grad()).collect();
    let loss = loss(&leaves);
    let value = f64::from(loss.clone().into_scalar::<f32>());
    let gradients = loss.backward();
    let gradients = leaves.iter().map(|leaf| numbers(leaf.grad(&gradients).expect("a gradient"))).collect();
    (value, gradients)
}

/// Values within 1e-5, gradients within 1e-4 of their largest element.
///
/// Where that is next to nothing because large parts cancel, what these leave counts: 2e-6 of the largest feature, or what
/// is below f32's smallest normal number.
fn assert_same(maps: &[Maps], fused: impl Fn(&[Tensor<4>]) -> Tensor<1>, composed: impl Fn(&[Tensor<4>]) -> Tensor<1>) {
    let (fused, composed) = (run(maps, fused), run(maps, composed));
    let allowed = 1e-5 * composed.0.abs().max(1.0);
    assert!((fused.0 - composed.0).abs() <= allowed, "loss {}, composed {}", fused.0, composed.0);
    let largest = |values: &mut dyn Iterator<Item = &f64>| values.fold(0.0f64, |most, x| most.max(x.abs()));
    let rest = 2e-6 * largest(&mut maps.iter().flat_map(|maps| &maps.values)) + f64::from(f32::MIN_POSITIVE);
    for (fused, composed) in fused.1.iter().zip(&composed.1) {
        assert_close(fused, composed, 1e-4 * largest(&mut composed.iter()) + rest, 0.0);
    }
}

/// What a student loss is made of.
struct Taught {
    maps: [Maps; 2],
    forward: Labels,
    backward: Labels,
    voted: CorrVolume,
    config: StudentLossConfig,
}

impl Taught {
    fn new(batch: usize, channels: usize, grids: [Grid; 2], size: f64, seed: u64) -> Self {
        let [source, target] = grids;
        // Some votes are negative, and no target cell gets any from the first source cell.
        let mut votes = uniform(batch * source.cells() * target.cells(), -0.3, 1.0, seed ^ 5);
        votes[..target.cells()].fill(0.0);
        Self {
            maps: [
                Maps::uniform(batch, channels, source, size, seed),
                Maps::uniform(batch, channels, target, size, seed ^ 1),
            ],
            forward: labels(batch, source.cells(), target, seed ^ 2),
            backward: labels(batch, target.cells(), source, seed ^ 3),
            voted: volume(&votes, source, target, &Device::flex()),
            config: StudentLossConfig { tau: 0.1, sigma: 1.0, voted_share: 0.4 },
        }
    }

    fn scale_votes(mut self, by: f64) -> Self {
        let values = self.voted.values() * by;
        self.voted = CorrVolume::new(values, self.voted.source(), self.voted.target());
        self
    }

    fn without_weights(mut self) -> Self {
        for labels in [&mut self.forward, &mut self.backward] {
            labels.weights = labels.weights.clone().zeros_like();
        }
        self
    }

    fn fused(&self, maps: &[Tensor<4>], both: bool, votes: bool) -> Tensor<1> {
        let (source, target) = (maps[0].clone(), maps[1].clone());
        let voted = votes.then_some(&self.voted);
        match both {
            true => student_loss(source, target, &self.forward, &self.backward, voted, &self.config),
            false => match_loss_from_features(source, target, &self.forward, voted, &self.config),
        }
    }

    fn composed(&self, maps: &[Tensor<4>], both: bool, votes: bool) -> Tensor<1> {
        let volume = CorrVolume::cosine(maps[0].clone(), maps[1].clone());
        let config = &self.config;
        let one_way = |volume: &CorrVolume, voted: &CorrVolume, labels: &Labels| {
            let targets = match votes {
                true => soft_targets(labels, voted, config.sigma, config.voted_share),
                false => gaussian_targets(labels.points.clone(), volume.target(), config.sigma),
            };
            match_loss_soft(volume, targets.autodiff(), labels.weights.clone().autodiff(), config.tau)
        };
        let there = one_way(&volume, &self.voted, &self.forward);
        match both {
            true => there + one_way(&volume.transpose(), &self.voted.transpose(), &self.backward),
            false => there,
        }
    }

    fn check(&self) {
        for (both, votes) in [(false, false), (false, true), (true, false), (true, true)] {
            assert_same(&self.maps, |maps| self.fused(maps, both, votes), |maps| self.composed(maps, both, votes));
        }
    }
}

/// What the losses of a known warp are made of: features of W(A), B and A.
struct Warped {
    maps: [Maps; 3],
    known: Labels,
    config: WarpLossConfig,
}

impl Warped {
    fn new(batch: usize, channels: usize, grids: [Grid; 3], size: f64, surest: f64, seed: u64) -> Self {
        let [warped, middle, original] = grids;
        Self {
            maps: [
                Maps::uniform(batch, channels, warped, size, seed),
                Maps::uniform(batch, channels, middle, size, seed ^ 1),
                Maps::uniform(batch, channels, original, size, seed ^ 2),
            ],
            known: labels(batch, warped.cells(), original, seed ^ 3),
            config: WarpLossConfig { tau: 0.1, surest, epsilon: 1e-6 },
        }
    }

    fn known(&self) -> Labels {
        Labels { points: self.known.points.clone().autodiff(), weights: self.known.weights.clone().autodiff() }
    }

    fn supervision(&self, maps: &[Tensor<4>]) -> Tensor<1> {
        warp_supervision_from_features(maps[0].clone(), maps[1].clone(), &self.known, &self.config)
    }

    fn bipath(&self, maps: &[Tensor<4>]) -> Tensor<1> {
        bipath_loss_from_features(maps[0].clone(), maps[1].clone(), maps[2].clone(), &self.known, &self.config)
    }

    fn check(&self) {
        let ends = [self.maps[0].clone(), self.maps[2].clone()];
        assert_same(
            &ends,
            |maps| self.supervision(maps),
            |maps| {
                let volume = CorrVolume::cosine(maps[0].clone(), maps[1].clone());
                warp_supervision(&volume, &self.known(), &self.config)
            },
        );
        assert_same(
            &self.maps,
            |maps| self.bipath(maps),
            |maps| {
                let there = CorrVolume::cosine(maps[0].clone(), maps[1].clone());
                let back = CorrVolume::cosine(maps[1].clone(), maps[2].clone());
                bipath_loss(&there, &back, &self.known(), &self.config)
            },
        );
    }
}

/// What a margin is made of.
struct Margin {
    maps: [Maps; 2],
    mask: Vec<f64>,
    pairs: Vec<[usize; 2]>,
    tau: f64,
}

impl Margin {
    fn new(batch: usize, channels: usize, grids: [Grid; 2], size: f64, seed: u64) -> Self {
        let [source, target] = grids;
        let mut mask = uniform(batch * source.cells(), 0.0, 1.0, seed ^ 2);
        mask.iter_mut().step_by(4).for_each(|weight| *weight = 0.0);
        Self {
            maps: [
                Maps::uniform(batch, channels, source, size, seed),
                Maps::uniform(batch, channels, target, size, seed ^ 1),
            ],
            mask,
            pairs: (0..batch).map(|of| [of, (of + 1) % batch]).collect(),
            tau: 0.3,
        }
    }

    fn mask(&self) -> Tensor<3> {
        let [batch, _, height, width] = self.maps[0].shape;
        tensor(&self.mask, [batch, height, width], &Device::flex())
    }

    fn fused(&self, maps: &[Tensor<4>]) -> Tensor<1> {
        negative_loss_from_features(maps[0].clone(), maps[1].clone(), self.mask(), &self.pairs, self.tau)
    }

    fn composed(&self, maps: &[Tensor<4>]) -> Tensor<1> {
        let image = |maps: &Tensor<4>, index: usize| maps.clone().narrow(0, index, 1);
        let losses = self.pairs.iter().map(|[of, with]| {
            let positive = CorrVolume::cosine(image(&maps[0], *of), image(&maps[1], *of));
            let negative = CorrVolume::cosine(image(&maps[0], *of), image(&maps[1], *with));
            negative_loss(&positive, &negative, self.mask().narrow(0, *of, 1).autodiff(), self.tau)
        });
        Tensor::cat(losses.collect(), 0).mean()
    }

    fn check(&self) {
        assert_same(&self.maps, |maps| self.fused(maps), |maps| self.composed(maps));
    }
}

fn grids() -> impl Strategy<Value = Grid> {
    (1usize..7, 1usize..7).prop_map(|(height, width)| Grid::new(height, width))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_student_loss_of_any_shape(
        batch in 1usize..4, channels in 1usize..40, source in grids(), target in grids(), seed: u64,
        tau in 0.05f64..1.0, sigma in 0.4f64..2.0, voted_share in 0.0f64..=1.0,
    ) {
        let size = 1.5 / (channels as f64).sqrt();
        let mut taught = Taught::new(batch, channels, [source, target], size, seed);
        taught.config = StudentLossConfig { tau, sigma, voted_share };
        taught.check();
    }

    #[test]
    fn the_warp_losses_of_any_shape(
        batch in 1usize..4, channels in 4usize..40, warped in grids(), middle in grids(), original in grids(), seed: u64,
        tau in 0.05f64..1.0, surest in 0.0f64..=1.0,
    ) {
        let size = 1.5 / (channels as f64).sqrt();
        let mut known = Warped::new(batch, channels, [warped, middle, original], size, surest, seed);
        known.config.tau = tau;
        known.check();
    }

    #[test]
    fn the_margin_of_any_shape(
        batch in 1usize..4, channels in 1usize..40, source in grids(), target in grids(), seed: u64, tau in 0.05f64..1.0,
    ) {
        let mut margin = Margin::new(batch, channels, [source, target], 1.5 / (channels as f64).sqrt(), seed);
        margin.tau = tau;
        margin.check();
    }
}

#[test]
fn of_one_cell() {
    let cell = Grid::square(1);
    Taught::new(2, 3, [cell; 2], 1.0, 1).check();
    Warped::new(2, 3, [cell; 3], 1.0, 0.5, 2).check();
    Margin::new(2, 3, [cell; 2], 1.0, 3).check();
}

#[test]
fn of_scores_that_are_all_equal() {
    let (a, b, c) = (Grid::new(3, 4), Grid::new(5, 2), Grid::new(4, 4));
    let flat = |maps: &mut Maps| maps.values.fill(0.25);
    let mut taught = Taught::new(2, 4, [a, b], 1.0, 4);
    taught.maps.iter_mut().for_each(flat);
    taught.check();
    let mut known = Warped::new(2, 4, [a, b, c], 1.0, 1.0, 5);
    known.maps.iter_mut().for_each(flat);
    known.check();
    // The composed margin gives the whole gradient to the lowest of equal cells.
    let mut margin = Margin::new(2, 4, [a, c], 1.0, 6);
    margin.maps.iter_mut().for_each(flat);
    margin.check();
}

#[test]
fn of_huge_tiny_and_denormal_features() {
    let (a, b, c) = (Grid::new(3, 4), Grid::new(5, 2), Grid::new(4, 4));
    // Huge ones saturate every softmax, and those of the warp losses are clamped; of tiny ones no score differs from 0.
    for size in [1e12, 1e-20, 1e-40] {
        Taught::new(2, 6, [a, b], size, 7).check();
        Warped::new(2, 6, [a, b, c], size, 1.0, 8).check();
        Margin::new(2, 6, [a, b], size, 9).check();
    }
}

#[test]
fn of_huge_tiny_and_denormal_votes() {
    for size in [1e36, 1e-30, 1e-42] {
        Taught::new(2, 6, [Grid::new(3, 4), Grid::new(5, 2)], 0.5, 10).scale_votes(size).check();
    }
}

#[test]
fn without_any_weight_there_is_neither_loss_nor_gradient() {
    let (a, b) = (Grid::new(3, 4), Grid::new(5, 2));
    let taught = Taught::new(2, 6, [a, b], 0.5, 11).without_weights();
    taught.check();
    let mut known = Warped::new(2, 6, [a, b, a], 0.5, 0.6, 12);
    known.known.weights = known.known.weights.zeros_like();
    known.check();
    for (value, gradients) in
        [run(&taught.maps, |maps| taught.fused(maps, true, true)), run(&known.maps, |maps| known.bipath(maps))]
    {
        assert_eq!(value, 0.0);
        assert!(gradients.iter().flatten().all(|gradient| *gradient == 0.0));
    }
    // No mask means no bag scores: ln 2, and nothing to learn.
    let mut margin = Margin::new(2, 6, [a, b], 0.5, 13);
    margin.mask.fill(0.0);
    margin.check();
}

/// More scores than a band holds, in grids that differ and are no multiples of anything.
#[test]
fn over_several_bands() {
    let (a, b, c) = (Grid::new(27, 28), Grid::new(23, 37), Grid::new(29, 25));
    Taught::new(1, 8, [a, b], 0.5, 14).check();
    Warped::new(1, 8, [a, b, c], 0.5, 0.6, 15).check();
    Margin::new(2, 8, [a, b], 0.5, 16).check();
}

#[test]
fn one_two_and_four_threads_give_the_same_bits() {
    for (batch, grid) in [(1, Grid::square(20)), (3, Grid::new(9, 11)), (1, Grid::new(27, 29))] {
        let taught = Taught::new(batch, 300, [grid; 2], 0.1, 17);
        let known = Warped::new(batch, 300, [grid; 3], 0.1, 0.6, 18);
        let margin = Margin::new(batch, 300, [grid; 2], 0.1, 19);
        let all = || {
            [
                run(&taught.maps, |maps| taught.fused(maps, true, true)),
                run(&known.maps[..2], |maps| {
                    warp_supervision_from_features(maps[0].clone(), maps[1].clone(), &known.known, &known.config)
                }),
                run(&known.maps, |maps| known.bipath(maps)),
                run(&margin.maps, |maps| margin.fused(maps)),
            ]
        };
        let with = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool of threads");
            pool.install(all)
        };
        let one = with(1);
        assert!(one == with(2) && one == with(4), "batch {batch}, grid {grid}");
    }
}

/// f32 forwards: a step of 1e-2 balances rounding against curvature.
fn central_differences(maps: &[Maps], loss: impl Fn(&[Tensor<4>]) -> Tensor<1>) {
    let (_, gradients) = run(maps, &loss);
    let step = 1e-2;
    for (which, gradient) in gradients.iter().enumerate() {
        let value = |k: usize, by: f64| {
            let mut moved = maps.to_vec();
            moved[which].values[k] += by;
            let tensors: Vec<Tensor<4>> =
                moved.iter().map(|maps| tensor(&maps.values, maps.shape, &Device::flex())).collect();
            f64::from(loss(&tensors).into_scalar::<f32>())
        };
        let differences: Vec<f64> =
            (0..gradient.len()).map(|k| (value(k, step) - value(k, -step)) / (2.0 * step)).collect();
        assert!(gradient.iter().any(|g| g.abs() > 1e-3), "the loss feels nothing: {gradient:?}");
        assert_close(gradient, &differences, 4e-3, 2e-2);
    }
}

#[test]
fn gradients_by_central_differences() {
    let (a, b, c) = (Grid::new(2, 3), Grid::new(3, 2), Grid::new(2, 2));
    let mut taught = Taught::new(2, 3, [a, b], 0.8, 20);
    taught.config.tau = 0.5;
    central_differences(&taught.maps, |maps| taught.fused(maps, true, true));
    let mut known = Warped::new(2, 3, [a, b, c], 0.8, 1.0, 21);
    known.config.tau = 0.5;
    central_differences(&[known.maps[0].clone(), known.maps[2].clone()], |maps| known.supervision(maps));
    central_differences(&known.maps, |maps| known.bipath(maps));
    // One channel, and targets far enough apart that the best matches stay where they are within a step.
    let margin = Margin {
        maps: [
            Maps { values: vec![0.9, -0.8, 0.7, -0.6], shape: [2, 1, 1, 2] },
            Maps { values: vec![0.5, -0.5, 0.1, 0.2, -0.9, 0.6], shape: [2, 1, 1, 3] },
        ],
        mask: vec![0.5, 1.0, 0.3, 0.8],
        pairs: vec![[0, 1], [1, 0]],
        tau: 0.5,
    };
    central_differences(&margin.maps, |maps| margin.fused(maps));
}

#[test]
fn without_a_tracked_tensor_the_value_is_the_same_and_nothing_is_tracked() {
    let taught = Taught::new(2, 6, [Grid::new(3, 4), Grid::new(5, 2)], 0.5, 22);
    let (value, _) = run(&taught.maps, |maps| taught.fused(maps, true, true));
    for device in [Device::flex(), Device::flex().autodiff()] {
        let maps: Vec<Tensor<4>> = taught.maps.iter().map(|maps| tensor(&maps.values, maps.shape, &device)).collect();
        let loss = taught.fused(&maps, true, true);
        assert!(!loss.is_tracked());
        assert_eq!(loss.device().is_autodiff(), device.is_autodiff());
        assert_eq!(f64::from(loss.into_scalar::<f32>()), value);
    }
}

#[test]
fn one_tracked_tensor_gets_the_gradient_it_would_get_beside_another() {
    let taught = Taught::new(2, 6, [Grid::new(3, 4), Grid::new(5, 2)], 0.5, 23);
    let (_, both) = run(&taught.maps, |maps| taught.fused(maps, true, false));
    let fixed = tensor(&taught.maps[0].values, taught.maps[0].shape, &Device::flex());
    let (_, alone) = run(&taught.maps[1..], |maps| taught.fused(&[fixed.clone(), maps[0].clone()], true, false));
    assert_eq!(alone[0], both[1]);
}

/// Maps that are parts of larger tensors lie in memory with gaps, and gradients find their way back through the parts.
#[test]
fn of_parts_of_a_tensor() {
    let taught = Taught::new(2, 6, [Grid::new(3, 4), Grid::new(3, 4)], 0.5, 24);
    let joined = Maps { values: [&taught.maps[0].values[..], &taught.maps[1].values].concat(), shape: [4, 6, 3, 4] };
    let (value, gradient) = run(&[joined], |maps| {
        let swapped = maps[0].clone().swap_dims(2, 3).swap_dims(2, 3);
        taught.fused(&[swapped.clone().narrow(0, 0, 2), swapped.narrow(0, 2, 2)], true, true)
    });
    let (apart, gradients) = run(&taught.maps, |maps| taught.fused(maps, true, true));
    assert_eq!((value, &gradient[0]), (apart, &gradients.concat()));
}

#[test]
#[should_panic(expected = "the backward labels have to be those of 2 images of 10 cells")]
fn labels_of_another_grid_are_refused() {
    let mut taught = Taught::new(2, 6, [Grid::new(3, 4), Grid::new(5, 2)], 0.5, 25);
    taught.backward = taught.forward.clone();
    run(&taught.maps, |maps| taught.fused(maps, true, false));
}

#[test]
#[should_panic(expected = "pairs of a batch of 2 are wanted")]
fn a_pair_outside_the_batch_is_refused() {
    let mut margin = Margin::new(2, 6, [Grid::new(3, 4), Grid::new(5, 2)], 0.5, 26);
    margin.pairs.push([1, 2]);
    run(&margin.maps, |maps| margin.fused(maps));
}

//! Gradients against central differences.

use burn::module::Param;
use burn::tensor::{Device, Tensor};
use corr_volume::{CorrVolume, Grid};
use mil_matching::{
    BilinearForm, ClassifierConfig, PixelConfig, RegionMatcher, RegionMatcherConfig, RegionScores, cell_prior,
    image_bag_score, image_loss, multi_label_loss, pixel_bag_score, pixel_loss, pixel_volume, region_descriptors,
    region_loss,
};

use crate::{flex, read, tensor, uniform, unit_rows};

/// Half the step of the differences. In `f32` a smaller one drowns in rounding, a larger one in curvature.
const STEP: f32 = 4e-3;

/// Compares `f`'s gradient at `at`, computed on the autodiff device, with differences of its values.
fn check<const D: usize>(name: &str, at: &[f32], shape: [usize; D], f: impl Fn(Tensor<D>) -> Tensor<1>) {
    let input = tensor(at, shape, &Device::flex().autodiff()).require_grad();
    let gradients = f(input.clone()).backward();
    let got = read(input.grad(&gradients).expect("the result depends on the input"));
    compare(name, at, &got, |moved| f(tensor(moved, shape, &Device::flex().autodiff())).into_scalar());
}

fn compare(name: &str, at: &[f32], got: &[f32], value: impl Fn(&[f32]) -> f32) {
    // Rounding of a value of about 1 over the step, and 2 % for the curvature.
    let mut largest = 0f32;
    for (index, got) in got.iter().enumerate() {
        let moved = |step: f32| {
            let mut moved = at.to_vec();
            moved[index] += step;
            f64::from(value(&moved))
        };
        let wanted = ((moved(STEP) - moved(-STEP)) / (2.0 * f64::from(STEP))) as f32;
        assert!(
            (got - wanted).abs() <= 1e-3 + 0.02 * wanted.abs(),
            "{name}, value {index}: {got}, difference {wanted}"
        );
        largest = largest.max(wanted.abs());
    }
    assert!(
        largest > 1e-2,
        "{name}: the largest gradient is {largest}, next to what is tolerated: nothing was checked"
    );
}

/// Weights that make one number of a tensor, so that no part of its gradient cancels.
fn weighted<const D: usize>(values: Tensor<D>) -> Tensor<1> {
    let dims = values.dims();
    let weights = tensor(&uniform(77, dims.iter().product(), 0.2, 1.0), dims, &values.device());
    (values * weights).sum()
}

#[test]
fn image_losses() {
    let logits = uniform(1, 12, -2.0, 2.0);
    check("image loss", &logits, [3, 4], |logits| image_loss(logits, &[0, 3, 1]));
    let lists = [vec![0, 2], vec![], vec![3]];
    check("multi-label loss", &logits, [3, 4], |logits| multi_label_loss(logits, &lists));
    let other = uniform(2, 12, -2.0, 2.0);
    check("image bag score", &logits, [3, 4], |logits| {
        let other = tensor(&other, [3, 4], &logits.device());
        weighted(image_bag_score(logits, other))
    });
}

#[test]
fn classifier() {
    let device = Device::flex().autodiff();
    let mut classifier = ClassifierConfig::new(3, 4).init(&device);
    classifier.weight = Param::from_tensor(tensor(&uniform(3, 12, -1.0, 1.0), [3, 4], &device));
    let features = uniform(4, 2 * 3 * 4, -1.0, 1.0);
    check("logits", &features, [2, 3, 2, 2], |features| image_loss(classifier.logits(features), &[1, 3]));
    check("activation maps", &features, [2, 3, 2, 2], |f| weighted(classifier.activation_maps(f, &[1, 3])));
    let at = uniform(3, 12, -1.0, 1.0);
    let loss = |weight: &[f32]| {
        let mut classifier = classifier.clone();
        classifier.weight = Param::from_tensor(tensor(weight, [3, 4], &device));
        (image_loss(classifier.logits(tensor(&features, [2, 3, 2, 2], &device)), &[1, 3]), classifier)
    };
    let (value, trained) = loss(&at);
    let gradient = trained.weight.val().grad(&value.backward()).expect("the weight has a gradient");
    compare("classifier weight", &at, &read(gradient), |weight| loss(weight).0.into_scalar());
}

#[test]
fn region_level() {
    check("region loss", &[0.2, 0.7, 0.5], [3], |bag| region_loss(bag, &[true, false, true]));
    let hyperpixels = uniform(5, 2 * 3 * 6, -1.0, 1.0);
    check("region descriptors", &hyperpixels, [2, 3, 2, 3], |hyperpixels| {
        let regions = tensor(&uniform(6, 2 * 2 * 6, 0.1, 0.5), [2, 2, 6], &hyperpixels.device());
        weighted(region_descriptors(hyperpixels, regions))
    });
    // The largest score is well ahead of the others: the maximum has a kink where two are equal.
    let instances = [0.1, 0.3, 0.6, 0.2, 0.25, 0.15];
    check("cell prior", &instances, [1, 2, 3], |instances| {
        let device = instances.device();
        let source = tensor(&uniform(7, 2 * 4, 0.0, 0.5), [1, 2, 4], &device);
        let target = tensor(&uniform(8, 3 * 4, 0.0, 0.3), [1, 3, 4], &device);
        let scores = RegionScores { bag: instances.clone().sum(), instances };
        weighted(cell_prior(source, &scores, target))
    });
}

/// A matcher whose learnt parts are not zero, at temperatures low enough to matter and high enough to be smooth.
fn matcher(rank: usize, left: Option<&[f32]>, right: &[f32]) -> RegionMatcher {
    let device = Device::flex().autodiff();
    let config = RegionMatcherConfig { channels: 5, rank, choice_temperature: 0.5, selection_temperature: 0.6 };
    let mut matcher = config.init(&device);
    for form in [&mut matcher.choice, &mut matcher.selection] {
        form.right = Param::from_tensor(tensor(right, form.right.val().dims(), &device));
        if let Some(left) = left {
            form.left = Some(Param::from_tensor(tensor(left, [rank, 5], &device)));
        }
    }
    matcher
}

#[test]
fn region_matcher() {
    let (source, target) = (unit_rows(9, 2 * 3, 5), unit_rows(10, 2 * 4, 5));
    let loss = |matcher: &RegionMatcher, source: Tensor<3>, target: Tensor<3>| {
        let scores = matcher.forward(source, target);
        region_loss(scores.bag, &[true, false]) + weighted(scores.instances)
    };
    for rank in [0, 2] {
        let rows = if rank == 0 { 5 } else { rank };
        let (left, right) = (uniform(11, rank * 5, -0.6, 0.6), uniform(12, rows * 5, -0.6, 0.6));
        let left = (rank > 0).then_some(left);
        let matcher_of = |left: Option<&[f32]>, right: &[f32]| matcher(rank, left, right);
        let fixed = matcher_of(left.as_deref(), &right);
        check("source descriptors", &source, [2, 3, 5], |source| {
            let target = tensor(&target, [2, 4, 5], &source.device());
            loss(&fixed, source, target)
        });
        check("target descriptors", &target, [2, 4, 5], |target| {
            let source = tensor(&source, [2, 3, 5], &target.device());
            loss(&fixed, source, target)
        });
        let value = |matcher: &RegionMatcher| {
            let device = Device::flex().autodiff();
            loss(matcher, tensor(&source, [2, 3, 5], &device), tensor(&target, [2, 4, 5], &device))
        };
        let gradients = value(&fixed).backward();
        // Both forms hold the same numbers: the difference moves both, the gradients add up.
        let both = |choice: Tensor<2>, selection: Tensor<2>| {
            read(choice.grad(&gradients).expect("choice") + selection.grad(&gradients).expect("selection"))
        };
        let got = both(fixed.choice.right.val(), fixed.selection.right.val());
        compare("right factor", &right, &got, |right| value(&matcher_of(left.as_deref(), right)).into_scalar());
        assert_eq!(fixed.choice.left.is_some(), rank > 0, "a form of rank {rank}");
        if let Some(at) = &left {
            let factor = |form: &BilinearForm| form.left.as_ref().expect("a left factor").val();
            let got = both(factor(&fixed.choice), factor(&fixed.selection));
            compare("left factor", at, &got, |left| value(&matcher_of(Some(left), &right)).into_scalar());
        }
    }
}

#[test]
fn pixel_level() {
    let grid = Grid::new(2, 2);
    let config = PixelConfig { temperature: 0.5, foreground: 0.3, ..Default::default() };
    let score = |affinity: Tensor<3>, prior: Tensor<3>| {
        let device = affinity.device();
        let mask = |seed| tensor(&uniform(seed, 8, 0.0, 1.0), [2, 2, 2], &device);
        let volume = pixel_volume(&CorrVolume::new(affinity, grid, grid), prior, &config);
        pixel_bag_score(&volume, mask(13), mask(14), &config)
    };
    // Each value at least 0.02 from every other: maxima have kinks where two are equal, the affinity one at 0.
    let apart =
        |start: usize| (0..32).map(|index| 0.05 + ((index * 13 + start) % 32) as f32 * 0.028).collect::<Vec<_>>();
    let (affinity, prior) = (apart(3), uniform(15, 32, 0.0, 0.02));
    check("affinity", &affinity, [2, 4, 4], |affinity| {
        let prior = tensor(&prior, [2, 4, 4], &affinity.device());
        weighted(score(affinity, prior))
    });
    check("prior", &prior, [2, 4, 4], |prior| {
        let affinity = tensor(&affinity, [2, 4, 4], &prior.device());
        weighted(score(affinity, prior))
    });
    let config = PixelConfig { loss_temperature: 0.5, ..Default::default() };
    check("pixel loss", &[0.3, 0.6, 0.1, 0.5, 0.2, 0.4], [6], |scores| {
        pixel_loss(scores.clone().narrow(0, 0, 3), scores.narrow(0, 3, 3), &config)
    });
}

#[test]
fn no_gradient_is_nan_where_nothing_is_there() {
    let device = Device::flex().autodiff();
    let zeros = Tensor::<3>::zeros([1, 2, 3], &device).require_grad();
    let scores = RegionMatcherConfig::new(3).init(&device).forward(zeros.clone(), zeros.clone());
    let prior = cell_prior(zeros.clone(), &scores, zeros.clone());
    let volume =
        pixel_volume(&CorrVolume::new(prior.clone(), Grid::new(1, 3), Grid::new(1, 3)), prior, &PixelConfig::default());
    let mask = Tensor::zeros([1, 1, 3], &device);
    let bag = pixel_bag_score(&volume, mask.clone(), mask, &PixelConfig::default());
    let loss = region_loss(scores.bag, &[true]) + pixel_loss(bag.clone(), bag, &PixelConfig::default());
    let gradients = loss.backward();
    let gradient = read(zeros.grad(&gradients).expect("both losses depend on what is zero"));
    assert!(gradient.len() == 6 && gradient.iter().all(|value| value.is_finite()), "{gradient:?}");
    let features = Tensor::<4>::zeros([1, 3, 1, 3], &device).require_grad();
    let descriptors = region_descriptors(features.clone(), flex(&[0.0; 6], [1, 2, 3]).autodiff());
    let gradients = descriptors.sum().backward();
    let gradient = features.grad(&gradients).expect("descriptors depend on the features");
    assert!(read(gradient).iter().all(|value| *value == 0.0));
}

use burn::module::Param;
use burn::optim::{AdamConfig, GradientsParams};
use burn::tensor::{Device, Tensor};
use mil_matching::{RegionMatcher, RegionMatcherConfig, region_loss};
use proptest::prelude::*;

use crate::naive::{self, Matrix, dot, matrix};
use crate::{assert_close, flex, read, tensor, uniform, unit_rows};

fn delta(left: Option<&Matrix>, right: &Matrix) -> Matrix {
    let Some(left) = left else { return right.clone() };
    let channels = right[0].len();
    (0..channels)
        .map(|i| (0..channels).map(|j| (0..left.len()).map(|r| left[r][i] * right[r][j]).sum()).collect())
        .collect()
}

fn streams(source: &Matrix, target: &Matrix, delta: &Matrix, temperature: f64) -> Matrix {
    let score = |a: &Vec<f64>, b: &Vec<f64>| naive::region::bilinear(a, delta, b) / temperature;
    source.iter().map(|a| target.iter().map(|b| score(a, b)).collect()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn scores_equal_their_twin(
        seed in any::<u64>(), channels in 2usize..7, rank in 0usize..4, rows in 1usize..5, columns in 1usize..5,
        choice_temperature in 0.1f64..1.0, selection_temperature in 0.1f64..1.0,
    ) {
        let config = RegionMatcherConfig { channels, rank, choice_temperature, selection_temperature };
        let mut matcher = config.init(&Device::flex());
        let mut deltas = Vec::new();
        for (form, salt) in [(&mut matcher.choice, 1), (&mut matcher.selection, 2)] {
            let [height, _] = form.right.val().dims();
            let right = uniform(seed ^ salt, height * channels, -0.5, 0.5);
            form.right = Param::from_tensor(flex(&right, [height, channels]));
            let left = form.left.as_ref().map(|left| matrix(&read(left.val()), channels));
            deltas.push(delta(left.as_ref(), &matrix(&right, channels)));
        }
        let (source, target) = (unit_rows(seed ^ 3, rows, channels), unit_rows(seed ^ 4, columns, channels));
        let scores = matcher.forward(flex(&source, [1, rows, channels]), flex(&target, [1, columns, channels]));
        let (source, target) = (matrix(&source, channels), matrix(&target, channels));
        let wanted = naive::region::instances(
            &streams(&source, &target, &deltas[0], choice_temperature),
            &streams(&source, &target, &deltas[1], selection_temperature),
        );
        assert_close(&read(scores.instances), &wanted.concat());
        let bag = read(scores.bag);
        assert_close(&bag, &[wanted.iter().flatten().sum()]);
        prop_assert!(bag[0] > 0.0 && bag[0] <= 1.0 + 1e-6);
    }

    #[test]
    fn empty_regions_take_no_part(seed in any::<u64>(), channels in 2usize..7, rows in 1usize..4, empty in 1usize..4) {
        let matcher = RegionMatcherConfig::new(channels).init(&Device::flex());
        let (source, target) = (unit_rows(seed, rows, channels), unit_rows(seed ^ 1, rows, channels));
        let scores = matcher.forward(flex(&source, [1, rows, channels]), flex(&target, [1, rows, channels]));
        let padded = |values: &[f32]| {
            let zeros = Tensor::zeros([1, empty, channels], &Device::flex());
            Tensor::cat(vec![flex(values, [1, rows, channels]), zeros], 1)
        };
        let with_empty = matcher.forward(padded(&source), padded(&target));
        let bag = read(scores.bag).iter().map(|&phi| f64::from(phi)).collect::<Vec<_>>();
        assert_close(&read(with_empty.bag), &bag);
        let kept = with_empty.instances.clone().narrow(1, 0, rows).narrow(2, 0, rows);
        prop_assert!((kept - scores.instances).abs().max().into_scalar::<f32>() < 1e-6);
        prop_assert!(with_empty.instances.narrow(1, rows, empty).max().into_scalar::<f32>() == 0.0);
    }
}

#[test]
fn nothing_at_all_scores_zero() {
    let matcher = RegionMatcherConfig::new(3).init(&Device::flex());
    let scores = matcher.forward(flex(&[0.0; 6], [1, 2, 3]), flex(&[0.0; 6], [1, 2, 3]));
    assert_eq!(read(scores.bag), [0.0]);
    assert_eq!(read(scores.instances), [0.0; 4]);
}

#[test]
fn both_forms_start_as_the_cosine() {
    let (x, y) = (unit_rows(1, 3, 40), unit_rows(2, 4, 40));
    for rank in [0, 5, 40, 100] {
        let matcher = RegionMatcherConfig { rank, ..RegionMatcherConfig::new(40) }.init(&Device::flex());
        for form in [&matcher.choice, &matcher.selection] {
            let scores = read(form.forward(flex(&x, [1, 3, 40]), flex(&y, [1, 4, 40])));
            let (x, y) = (matrix(&x, 40), matrix(&y, 40));
            let wanted: Vec<f64> = x.iter().flat_map(|x| y.iter().map(move |y| dot(x, y))).collect();
            assert_close(&scores, &wanted);
        }
    }
}

#[test]
#[should_panic(expected = "descriptors of [1, 2, 3] and [1, 2, 3] for a matcher of 4 channels")]
fn other_channels_panic() {
    let matcher = RegionMatcherConfig::new(4).init(&Device::flex());
    matcher.forward(flex(&[0.0; 6], [1, 2, 3]), flex(&[0.0; 6], [1, 2, 3]));
}

/// Images of two classes with 12 regions each. A class has eight parts, four of which the classes share (background); an
/// image shows each part with noise, and four regions that are nothing but noise.
fn images(class: u64, count: usize, seed: u64) -> Vec<f32> {
    const CHANNELS: usize = 48;
    let (own, shared) = (unit_rows(100 + class, 4, CHANNELS), unit_rows(99, 4, CHANNELS));
    let clutter = unit_rows(seed, count * 12, CHANNELS);
    let mut rows = Vec::new();
    for (index, clutter) in clutter.chunks(CHANNELS).enumerate() {
        let part = match index % 12 {
            region @ 0..4 => Some(&own[region * CHANNELS..][..CHANNELS]),
            region @ 4..8 => Some(&shared[(region - 4) * CHANNELS..][..CHANNELS]),
            _ => None,
        };
        let row: Vec<f32> =
            clutter.iter().enumerate().map(|(k, noise)| noise + part.map_or(0.0, |part| part[k])).collect();
        let length = row.iter().map(|value| value * value).sum::<f32>().sqrt();
        rows.extend(row.iter().map(|value| value / length));
    }
    rows
}

/// Mean φ of eight positive and of eight negative pairs, and the loss.
fn bags(matcher: &RegionMatcher, seed: u64, device: &Device) -> (Tensor<1>, f32, f32) {
    let rows = |class, count, seed| tensor(&images(class, count, seed), [count, 12, 48], device);
    let source = Tensor::cat(vec![rows(0, 8, seed), rows(0, 8, seed)], 0);
    let target = Tensor::cat(vec![rows(0, 8, seed + 1), rows(1, 8, seed + 2)], 0);
    let bag = matcher.forward(source, target).bag;
    let mean = |first: usize| bag.clone().narrow(0, first, 8).mean().into_scalar::<f32>();
    let (positive, negative) = (mean(0), mean(8));
    let wanted: Vec<bool> = (0..16).map(|pair| pair < 8).collect();
    (region_loss(bag, &wanted), positive, negative)
}

#[test]
fn a_few_steps_tell_positive_pairs_from_negative_ones() {
    let device = Device::flex().autodiff();
    for rank in [0, 32] {
        let mut matcher = RegionMatcherConfig { rank, ..RegionMatcherConfig::new(48) }.init(&device);
        let mut optimizer = AdamConfig::new().init();
        let (_, positive_before, negative_before) = bags(&matcher, 5000, &device);
        for step in 0..40 {
            let (loss, ..) = bags(&matcher, 10 * step, &device);
            let gradients = GradientsParams::from_grads(loss.backward(), &matcher);
            matcher = optimizer.step(3e-3, matcher, gradients);
        }
        // Images that it has not seen.
        let (_, positive, negative) = bags(&matcher, 5000, &device);
        println!("rank {rank}: {positive_before} / {negative_before} became {positive} / {negative}");
        assert!(positive > positive_before, "rank {rank}: positive pairs fell from {positive_before} to {positive}");
        assert!(negative < negative_before, "rank {rank}: negative pairs rose from {negative_before} to {negative}");
        assert!(positive > negative + 0.25, "rank {rank}: positive pairs {positive}, negative pairs {negative}");
    }
}

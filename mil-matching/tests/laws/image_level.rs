use burn::module::Param;
use burn::tensor::{Device, Tensor};
use corr_volume::Grid;
use mil_matching::{
    Classifier, ClassifierConfig, MaskConfig, MaskKind, StaircaseConfig, combine_maps, image_bag_score, image_loss,
    mask, multi_label_loss, predicted_classes, staircase,
};
use proptest::prelude::*;

use crate::naive::{self, matrix};
use crate::{assert_close, flex, read, uniform, widen};

fn classifier(weight: &[f32], bias: &[f32]) -> Classifier {
    let mut classifier = ClassifierConfig::new(weight.len() / bias.len(), bias.len()).init(&Device::flex());
    classifier.weight = Param::from_tensor(flex(weight, [weight.len() / bias.len(), bias.len()]));
    classifier.bias = Param::from_tensor(flex(bias, [bias.len()]));
    classifier
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn classifier_equals_its_twin(
        seed in any::<u64>(), channels in 1usize..5, classes in 1usize..4, height in 1usize..4, width in 1usize..4,
    ) {
        let (batch, cells) = (2, height * width);
        let features = uniform(seed, batch * channels * cells, -2.0, 2.0);
        let weight = uniform(seed ^ 1, channels * classes, -1.0, 1.0);
        let bias = uniform(seed ^ 2, classes, -1.0, 1.0);
        let labels = [seed as usize % classes, (seed >> 8) as usize % classes];
        let classifier = classifier(&weight, &bias);
        let input = flex(&features, [batch, channels, height, width]);
        let logits = read(classifier.logits(input.clone()));
        let maps = read(classifier.activation_maps(input, &labels));
        for image in 0..batch {
            let features = matrix(&features[image * channels * cells..(image + 1) * channels * cells], cells);
            let weight = matrix(&weight, classes);
            assert_close(&logits[image * classes..][..classes], &naive::image::logits(&features, &weight, &widen(&bias)));
            let map = naive::image::activation_map(&features, &weight, labels[image]);
            assert_close(&maps[image * cells..][..cells], &map);
            // The mean of a label's map is its logit less the bias.
            let mean = map.iter().sum::<f64>() / cells as f64 + f64::from(bias[labels[image]]);
            assert_close(&logits[image * classes + labels[image]..][..1], &[mean]);
        }
    }

    #[test]
    fn losses_and_scores_equal_their_twins(seed in any::<u64>(), batch in 1usize..5, classes in 1usize..6) {
        let values = uniform(seed, batch * classes, -6.0, 6.0);
        let others = uniform(seed ^ 1, batch * classes, -6.0, 6.0);
        let labels: Vec<usize> = (0..batch).map(|image| (seed as usize >> image) % classes).collect();
        let lists: Vec<Vec<usize>> =
            (0..batch).map(|image| (0..classes).filter(|class| seed >> (image * 6 + class) & 1 == 1).collect()).collect();
        let logits = || flex(&values, [batch, classes]);
        let rows = matrix(&values, classes);
        assert_close(&read(image_loss(logits(), &labels)), &[naive::image::image_loss(&rows, &labels)]);
        assert_close(&read(multi_label_loss(logits(), &lists)), &[naive::image::multi_label_loss(&rows, &lists)]);
        let score = read(image_bag_score(logits(), flex(&others, [batch, classes])));
        let wanted: Vec<f64> = rows
            .iter()
            .zip(matrix(&others, classes))
            .map(|(source, target)| naive::image::image_bag_score(source, &target))
            .collect();
        assert_close(&score, &wanted);
        prop_assert!(score.iter().all(|score| (0.0..=1.0 + 1e-6).contains(score)));
        prop_assert_eq!(score, read(image_bag_score(flex(&others, [batch, classes]), logits())));
    }

    #[test]
    fn combined_maps_equal_their_twin_whatever_the_scale_and_shift(
        seed in any::<u64>(), height in 1usize..4, width in 2usize..5, scale in 0.1f32..50.0, shift in -5.0f32..5.0,
    ) {
        let cells = height * width;
        let maps: Vec<Vec<f32>> = (0..3).map(|map| uniform(seed ^ map, cells, -1.0, 1.0)).collect();
        let tensors = |maps: &[Vec<f32>]| maps.iter().map(|map| flex(map, [1, height, width])).collect::<Vec<_>>();
        let grid = Grid::new(height, width);
        let combined = read(combine_maps(&tensors(&maps), grid));
        let wanted = naive::image::combine_maps(&maps.iter().map(|map| widen(map)).collect());
        assert_close(&combined, &wanted);
        let moved: Vec<Vec<f32>> = maps.iter().map(|map| map.iter().map(|m| m * scale + shift).collect()).collect();
        for (a, b) in combined.iter().zip(read(combine_maps(&tensors(&moved), grid))) {
            prop_assert!((a - b).abs() < 1e-3, "{a} became {b}");
        }
        let stairs = read(staircase(flex(&combined, [1, height, width]), &StaircaseConfig::default()));
        assert_close(&stairs, &combined.iter().map(|&value| naive::image::staircase(value)).collect::<Vec<_>>());
    }
}

#[test]
fn maps_of_other_sizes_come_to_the_grid() {
    let maps = [flex(&uniform(3, 12, 0.0, 1.0), [1, 3, 4]), flex(&uniform(4, 48, 0.0, 1.0), [1, 6, 8])];
    let combined = combine_maps(&maps, Grid::new(5, 5));
    assert_eq!(combined.dims(), [1, 5, 5]);
    let values = read(combined);
    assert!(values.contains(&0.0) && values.contains(&1.0), "{values:?}");
}

#[test]
fn a_constant_map_is_zero_and_its_mask_the_floor() {
    for constant in [0.0, -3.0, 1e6] {
        let maps =
            [Tensor::full([2, 3, 5], constant, &Device::flex()), Tensor::full([2, 7, 4], constant, &Device::flex())];
        let combined = combine_maps(&maps, Grid::square(6));
        assert!(read(combined.clone()).iter().all(|value| (0.0..0.1).contains(value)), "{combined}");
        assert!(read(mask(combined, &MaskConfig::default())).iter().all(|value| *value == 0.5));
    }
}

#[test]
fn the_three_kinds_of_mask() {
    let map = || flex(&[0.0, 0.4, 0.41, 0.55, 0.6, 1.0], [1, 2, 3]);
    let of = |kind| read(mask(map(), &MaskConfig { kind, ..Default::default() }));
    assert_eq!(of(MaskKind::Staircase), [0.5, 0.5, 0.8, 0.9, 0.9, 1.0]);
    assert_eq!(of(MaskKind::Soft), read(map()));
    assert_eq!(of(MaskKind::Threshold), [0.0, 0.0, 1.0, 1.0, 1.0, 1.0]);
}

#[test]
fn the_first_of_the_likeliest_classes_is_predicted() {
    assert_eq!(predicted_classes(flex(&[0.0, 2.0, 2.0, -1.0, -3.0, -2.0], [2, 3])), [1, 0]);
}

#[test]
fn extreme_logits_give_finite_losses() {
    let logits = || flex(&[200.0, -200.0, -200.0, 200.0], [2, 2]);
    assert_close(&read(image_loss(logits(), &[1, 0])), &[400.0]);
    assert_close(&read(multi_label_loss(logits(), &[vec![1], vec![0]])), &[200.0]);
}

#[test]
#[should_panic(expected = "label 2 is not below the number of classes, 2")]
fn a_label_beyond_the_classes_panics() {
    image_loss(flex(&[0.0, 0.0], [1, 2]), &[2]);
}

#[test]
#[should_panic(expected = "1 labels for 2 images")]
fn a_missing_label_panics() {
    image_loss(flex(&[0.0, 0.0], [2, 1]), &[0]);
}

#[test]
#[should_panic(expected = "staircase thresholds must ascend, got 0.6 before 0.4")]
fn a_descending_staircase_panics() {
    staircase(flex(&[0.0], [1, 1, 1]), &StaircaseConfig { floor: 0.0, steps: vec![(0.6, 1.0), (0.4, 0.5)] });
}

use burn::tensor::Tensor;
use corr_volume::{CorrVolume, Grid};
use mil_matching::{PixelConfig, pixel_bag_score, pixel_loss, pixel_volume};
use proptest::prelude::*;

use crate::naive::{self, matrix};
use crate::{assert_close, flex, read, uniform, widen};

const SOURCE: Grid = Grid { height: 2, width: 3 };
const TARGET: Grid = Grid { height: 3, width: 2 };

fn volume(values: &[f32]) -> CorrVolume {
    CorrVolume::new(flex(values, [values.len() / 36, 6, 6]), SOURCE, TARGET)
}

fn masks(source: &[f32], target: &[f32]) -> (Tensor<3>, Tensor<3>) {
    (flex(source, [source.len() / 6, 2, 3]), flex(target, [target.len() / 6, 3, 2]))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_volume_equals_its_twin(seed in any::<u64>(), prior_weight in 0.0f64..4.0) {
        let affinity = uniform(seed, 72, -0.5, 1.0);
        let prior = uniform(seed ^ 1, 72, 0.0, 1.0);
        let config = PixelConfig { prior_weight, ..Default::default() };
        let filtered = pixel_volume(&volume(&affinity), flex(&prior, [2, 6, 6]), &config);
        prop_assert!(filtered.source() == SOURCE && filtered.target() == TARGET);
        let values = read(filtered.into_values());
        for pair in 0..2 {
            let of = |values: &[f32]| matrix(&values[pair * 36..][..36], 6);
            let wanted = naive::pixel::pixel_volume(&of(&affinity), &of(&prior), prior_weight);
            assert_close(&values[pair * 36..][..36], &wanted.concat());
        }
    }

    #[test]
    fn the_bag_score_equals_its_twin_and_is_symmetric(seed in any::<u64>(), temperature in 0.05f64..1.0, cut in 0.0f64..1.1) {
        let values = uniform(seed, 72, 0.0, 1.0);
        let (source, target) = (uniform(seed ^ 1, 12, 0.0, 1.0), uniform(seed ^ 2, 12, 0.0, 1.0));
        let config = PixelConfig { temperature, foreground: f64::from(cut as f32), ..Default::default() };
        let (source_mask, target_mask) = masks(&source, &target);
        let score = read(pixel_bag_score(&volume(&values), source_mask.clone(), target_mask.clone(), &config));
        let wanted: Vec<f64> = (0..2)
            .map(|pair| naive::pixel::pixel_bag_score(
                &matrix(&values[pair * 36..][..36], 6),
                &widen(&source[pair * 6..][..6]),
                &widen(&target[pair * 6..][..6]),
                temperature,
                config.foreground,
            ))
            .collect();
        assert_close(&score, &wanted);
        prop_assert!(score.iter().all(|score| (0.0..=1.0 + 1e-6).contains(score)));
        let swapped = read(pixel_bag_score(&volume(&values).transpose(), target_mask, source_mask, &config));
        assert_close(&swapped, &widen(&score));
    }

    #[test]
    fn the_loss_equals_its_twin(seed in any::<u64>(), batch in 1usize..6, loss_temperature in 0.05f64..2.0) {
        let (negative, positive) = (uniform(seed, batch, 0.0, 1.0), uniform(seed ^ 1, batch, 0.0, 1.0));
        let config = PixelConfig { loss_temperature, ..Default::default() };
        let loss = read(pixel_loss(flex(&negative, [batch]), flex(&positive, [batch]), &config));
        assert_close(&loss, &[naive::pixel::pixel_loss(&widen(&negative), &widen(&positive), loss_temperature)]);
    }
}

#[test]
fn a_zero_mask_and_a_zero_volume_are_no_trouble() {
    let config = PixelConfig::default();
    let (zero, whole) = (masks(&[0.0; 6], &[0.0; 6]), masks(&[1.0; 6], &[1.0; 6]));
    let certain: Vec<f32> = (0..36).map(|index| if index % 7 == 0 { 9.0 } else { 0.0 }).collect();
    assert_eq!(read(pixel_bag_score(&volume(&certain), zero.0, zero.1.clone(), &config)), [0.0]);
    assert_close(&read(pixel_bag_score(&volume(&certain), whole.0.clone(), zero.1, &config)), &[0.5]);
    assert_close(&read(pixel_bag_score(&volume(&certain), whole.0.clone(), whole.1.clone(), &config)), &[1.0]);
    let nothing = pixel_volume(&volume(&[-1.0; 36]), flex(&[0.0; 36], [1, 6, 6]), &config);
    assert_close(&read(pixel_bag_score(&nothing, whole.0, whole.1, &config)), &[1.0 / 6.0]);
}

#[test]
fn the_loss_falls_as_the_positive_pair_wins() {
    let loss = |negative, positive| {
        read(pixel_loss(flex(&[negative], [1]), flex(&[positive], [1]), &PixelConfig::default()))[0]
    };
    assert!(loss(0.2, 0.8) < loss(0.5, 0.5) && loss(0.5, 0.5) < loss(0.8, 0.2));
}

#[test]
#[should_panic(expected = "a mask of [1, 3, 2] where the volume wants [1, 2, 3]")]
fn swapped_masks_panic() {
    let (source, target) = masks(&[1.0; 6], &[1.0; 6]);
    pixel_bag_score(&volume(&[0.5; 36]), target, source, &PixelConfig::default());
}

#[test]
#[should_panic(expected = "a prior of [1, 6, 5] for an affinity of [1, 6, 6]")]
fn a_prior_of_another_shape_panics() {
    pixel_volume(&volume(&[0.5; 36]), flex(&[0.0; 30], [1, 6, 5]), &PixelConfig::default());
}

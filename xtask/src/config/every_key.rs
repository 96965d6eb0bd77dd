//! Senseless values for every key: what the configurations' tests share, and the test of a run's configuration.

use std::fmt::Debug;

use anyhow::Result;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use toml::{Table, Value};

use super::ranges::{Range, without_range};

/// Zero, negative, not a number, infinite, huge, and of each wrong type.
const VALUES: [&str; 18] = [
    "0",
    "0.0",
    "-1",
    "-0.5",
    "nan",
    "inf",
    "-inf",
    "1e300",
    "1e-300",
    "9223372036854775807",
    "-9223372036854775808",
    "true",
    "\"text\"",
    "\"\"",
    "[]",
    "[0]",
    "[nan, -1.0]",
    "{ a = 1 }",
];

/// Sets every key of `base` to every senseless value and to the ends of its range, one at a time, and then many at random.
/// `load` is to refuse each with a message that names the key, or to take it. Those that are taken one at a time are answered.
///
/// # Panics
///
/// If a message does not name the key, if `load` panics, or if there is a number without a range.
pub fn try_all<C: Debug + Serialize>(base: &C, ranges: &[Range], load: impl Fn(&[String]) -> Result<C>) -> Vec<C> {
    assert_eq!(without_range(base, ranges), Vec::<String>::new(), "numbers without a range");
    let mut settings = Vec::new();
    for key in keys("", &Table::try_from(base).unwrap()) {
        settings.extend(VALUES.map(|value| (key.clone(), format!("{key}={value}"))));
        for end in ranges.iter().map(Range::ends).filter(|(of, _)| *of == key).flat_map(|(_, ends)| ends) {
            settings.extend(
                [format!("{end}"), format!("{end:?}"), format!("[{end:?}]")]
                    .map(|value| (key.clone(), format!("{key}={value}"))),
            );
        }
    }
    let mut taken = Vec::new();
    for (key, setting) in &settings {
        match load(std::slice::from_ref(setting)) {
            Ok(loaded) => taken.push(loaded),
            Err(error) => {
                let message = format!("{error:#}");
                // A section that is replaced as a whole is named as a whole.
                let section = key.rsplit_once('.').map_or(key.as_str(), |(section, _)| section);
                let named = message.contains(&format!("`{key}")) || message.contains(&format!("`{section}`"));
                assert!(named && !message.contains("panicked"), "{setting} does not name its key: {message}");
            }
        }
    }
    let mut rng = ChaCha8Rng::seed_from_u64(14);
    for _ in 0..500 {
        let several: Vec<String> =
            (0..rng.random_range(2..5)).filter_map(|_| settings.choose(&mut rng)).map(|(_, one)| one.clone()).collect();
        // Either is well, as long as it is an answer.
        if let Ok(loaded) = load(&several) {
            assert!(!format!("{loaded:?}").is_empty());
        }
    }
    taken
}

fn keys(prefix: &str, table: &Table) -> Vec<String> {
    let of = |(key, value): (&String, &Value)| {
        let path = super::join(prefix, key);
        let mut found = vec![path.clone()];
        if let Value::Table(inner) = value {
            found.extend(keys(&path, inner));
        }
        found
    };
    table.iter().flat_map(of).collect()
}

mod of_training {
    use burn::tensor::{Tensor, TensorData};
    use corr_volume::{CorrVolume, Grid, l2_normalise};
    use mil_matching::{
        RegionMatcherConfig, assign_regions, cell_prior, combine_maps, mask, pixel_bag_score, pixel_loss, pixel_volume,
        region_descriptors,
    };
    use refine_cascade::{StageLosses, StudentLossConfig, Warp, labels, vote, vote_either, warp_targets};
    use sc_imagenet::drawn::draw;

    use super::super::TrainConfig;
    use super::super::check::ranges;
    use super::*;
    use crate::device::host;
    use crate::images::View;

    const SIDE: usize = 5;
    const CHANNELS: usize = 6;

    #[test]
    fn every_key_is_refused_by_its_name_or_makes_a_step() {
        for base in [TrainConfig::default(), crate::drawn::config()] {
            let load = |settings: &[String]| TrainConfig::load(base.clone(), None, settings);
            let taken = try_all(&base, &ranges(), load);
            assert!(taken.len() > 150, "{} are taken", taken.len());
            taken.iter().for_each(make_a_step);
        }
    }

    /// Maps of unit length, two sources and two targets, the same at every call.
    fn maps() -> Tensor<4> {
        let values: Vec<f32> = (0..4 * CHANNELS * SIDE * SIDE).map(|place| (place as f32 * 0.7).sin()).collect();
        l2_normalise(Tensor::from_data(TensorData::new(values, [4, CHANNELS, SIDE, SIDE]), &host()))
    }

    fn finite<const D: usize>(what: &str, values: &Tensor<D>, config: &TrainConfig) {
        let values = values.to_data();
        assert!(values.iter::<f32>().all(f32::is_finite), "{what} is not finite with {config:?}");
    }

    /// What a step does with every section, on maps of five by five cells.
    fn make_a_step(config: &TrainConfig) {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let (device, grid) = (host(), Grid::square(SIDE));
        let all = maps();
        let (source, target) = (all.clone().narrow(0, 0, 2), all.clone().narrow(0, 2, 2));
        let map: Tensor<3> = source.clone().narrow(1, 0, 1).squeeze_dim(1);
        let masks = mask(combine_maps(&[map], grid), &config.mask.map);

        let regions = assign_regions(source.clone(), masks.clone(), &config.regions, &mut rng);
        let descriptors = region_descriptors(source.clone(), regions.clone());
        let matcher = RegionMatcherConfig {
            channels: CHANNELS,
            rank: config.region_matcher.rank,
            choice_temperature: config.region_matcher.choice_temperature,
            selection_temperature: config.region_matcher.selection_temperature,
        };
        let scores = matcher.init(&device).forward(descriptors.clone(), descriptors);
        let prior = cell_prior(regions.clone(), &scores, regions);
        let raw = CorrVolume::cosine(source.clone(), target.clone()).relu();
        let volume = pixel_volume(&raw, prior, &config.pixel);
        let score = pixel_bag_score(&volume, masks.clone(), masks.clone(), &config.pixel);
        finite("the pixel loss", &pixel_loss(score.clone().flip([0]), score, &config.pixel), config);

        let voted = if config.student.mirror {
            vote_either(&volume, masks.clone(), masks.clone(), &config.vote).volume
        } else {
            vote(&volume, masks.clone(), masks.clone(), &config.vote)
        };
        let own = vote(&raw, masks.clone(), masks.clone(), &config.student.vote);
        finite("an answer", &config.student.readout.read_cells(&raw).points, config);
        finite("a voted answer", &config.student.voted_readout.read_cells(&own).points, config);
        let forward = labels(&voted, masks.clone(), &config.labels);
        let backward = labels(&voted.transpose(), masks.clone(), &config.labels);
        finite("a label's weight", &forward.weights, config);

        let student = &config.student;
        let scoring = StudentLossConfig {
            tau: student.temperature,
            sigma: student.target_sigma,
            voted_share: student.voted_share,
        };
        let warps = [0, 1].map(|_| Warp::sample(&config.warp, &mut rng));
        let known = warp_targets(&warps, grid, &device);
        let mut losses = StageLosses::new(View::AsIs.of(all));
        losses.student(1.0, [0..2, 2..4], &forward, &backward, Some(&voted), &scoring);
        losses.warp_supervision(1.0, [0..2, 2..4], &known, &config.warp_loss);
        losses.bipath(1.0, [0..2, 2..4, 0..2], &known, &config.warp_loss);
        losses.negative(1.0, [0..2, 2..4], masks, &[[0, 1], [1, 0]], student.negative_temperature);
        finite("the students' loss", &losses.sum(), config);

        if config.drawn.size <= 256 && config.drawn.clutter + config.drawn.occluders <= 20 {
            draw(1, 1, &config.drawn);
        }
        assert!(config.first_tuned().is_none_or(|first| first <= config.deepest()));
    }
}

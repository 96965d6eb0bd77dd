use mil_matching::{RegionScores, cell_prior, region_loss};
use proptest::prelude::*;

use crate::naive::{self, matrix};
use crate::{assert_close, flex, read, uniform, widen};

fn scores(values: &[f32], rows: usize, columns: usize) -> RegionScores {
    let instances = flex(values, [1, rows, columns]);
    RegionScores { bag: instances.clone().sum(), instances }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_loss_equals_its_twin(seed in any::<u64>(), batch in 1usize..8) {
        let bag = uniform(seed, batch, 0.01, 0.99);
        let positive: Vec<bool> = (0..batch).map(|pair| seed >> pair & 1 == 1).collect();
        let wanted = naive::region::region_loss(&widen(&bag), &positive);
        assert_close(&read(region_loss(flex(&bag, [batch]), &positive)), &[wanted]);
    }

    #[test]
    fn the_prior_equals_its_twin_and_lies_within_the_masks(
        seed in any::<u64>(), rows in 1usize..5, columns in 1usize..5, source in 1usize..7, target in 1usize..7,
    ) {
        let instances = uniform(seed, rows * columns, 0.001, 0.3);
        // Shares of each cell's mask, which is at most 1.
        let from = uniform(seed ^ 1, rows * source, 0.0, 1.0 / rows as f32);
        let to = uniform(seed ^ 2, columns * target, 0.0, 1.0 / columns as f32);
        let of = |instances: &[f32]| read(cell_prior(
            flex(&from, [1, rows, source]), &scores(instances, rows, columns), flex(&to, [1, columns, target]),
        ));
        let prior = of(&instances);
        let wanted =
            naive::region::cell_prior(&matrix(&from, source), &matrix(&instances, columns), &matrix(&to, target));
        assert_close(&prior, &wanted.concat());
        for (index, p) in prior.iter().enumerate() {
            let mask = |regions: &[f32], cells: usize, cell: usize| regions.iter().skip(cell).step_by(cells).sum::<f32>();
            let bound = mask(&from, source, index / target) * mask(&to, target, index % target);
            prop_assert!((0.0..=bound + 1e-5).contains(p), "{p} is above {bound}");
        }
        // Only the relative sizes of the scores count.
        let halved: Vec<f32> = instances.iter().map(|x| x / 2.0).collect();
        assert_close(&of(&halved), &widen(&prior));
    }
}

#[test]
fn impossible_bags_have_a_finite_loss() {
    let loss = read(region_loss(flex(&[0.0, 1.0], [2]), &[true, false]))[0];
    assert!((f64::from(loss) - -(1e-6f64.ln())).abs() < 0.1, "{loss}");
    assert!(read(region_loss(flex(&[0.0, 1.0], [2]), &[false, true]))[0] < 1e-5);
}

#[test]
fn no_match_gives_no_prior() {
    let prior = cell_prior(flex(&[1.0; 2], [1, 1, 2]), &scores(&[0.0], 1, 1), flex(&[1.0; 3], [1, 1, 3]));
    assert_eq!(read(prior), [0.0; 6]);
}

#[test]
fn one_region_each_is_the_product_of_the_masks() {
    let prior = cell_prior(flex(&[0.5, 1.0], [1, 1, 2]), &scores(&[0.7], 1, 1), flex(&[0.2, 0.0], [1, 1, 2]));
    assert_close(&read(prior), &[0.1, 0.0, 0.2, 0.0]);
}

#[test]
#[should_panic(expected = "2 answers for 1 pairs")]
fn an_answer_too_many_panics() {
    region_loss(flex(&[0.5], [1]), &[true, false]);
}

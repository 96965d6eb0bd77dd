use burn::tensor::{Device, Tensor};
use corr_volume::{CorrVolume, Grid};
use proptest::prelude::*;
use refine_cascade::{VoteConfig, hough_peak, normalise_rows, vote, vote_either};

use crate::naive::{self, tensors::*};

pub fn configs() -> impl Strategy<Value = VoteConfig> {
    let switches = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    let power = prop_oneof![Just(1.0f32), Just(2.0), Just(3.0), Just(1.5)];
    let evidence = (prop_oneof![Just(0.0f32), Just(0.1), Just(0.5)], any::<bool>());
    (switches, power, 0..5usize, evidence).prop_map(|(switches, power, radius, (temperature, own))| {
        let (mask, propagate, enhance, mirror) = switches;
        VoteConfig { power, temperature, mask, propagate, radius, own, enhance, mirror, ..VoteConfig::default() }
    })
}

pub fn grids() -> impl Strategy<Value = Grid> {
    (1..7usize, 1..7usize).prop_map(|(height, width)| Grid::new(height, width))
}

struct Pair {
    volume: CorrVolume,
    source_mask: Tensor<3>,
    target_mask: Tensor<3>,
    values: Vec<f64>,
    masks: [Vec<f64>; 2],
}

fn pair(source: Grid, target: Grid, seed: u64) -> Pair {
    let device = Device::flex();
    let values = uniform(source.cells() * target.cells(), -0.5, 1.0, seed);
    let masks = [uniform(source.cells(), 0.0, 1.0, seed ^ 1), uniform(target.cells(), 0.0, 1.0, seed ^ 2)];
    Pair {
        volume: volume(&values, source, target, &device),
        source_mask: tensor(&masks[0], [1, source.height, source.width], &device),
        target_mask: tensor(&masks[1], [1, target.height, target.width], &device),
        values,
        masks,
    }
}

fn voted(pair: &Pair, config: &VoteConfig) -> Vec<f64> {
    let masks = (pair.source_mask.clone(), pair.target_mask.clone());
    numbers(vote(&pair.volume, masks.0, masks.1, config).into_values())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn votes_as_its_naive_twin(
        source in grids(), target in grids(), config in configs(), seed: u64,
    ) {
        let pair = pair(source, target, seed);
        let rows: naive::Volume =
            pair.values.chunks(target.cells()).map(<[f64]>::to_vec).collect();
        let [source_mask, target_mask] = &pair.masks;
        let twin = naive::vote(&rows, source, target, source_mask, target_mask, &config);
        // f32 sums of at most a few thousand positive terms against f64 ones.
        assert_close(&voted(&pair, &config), &twin.concat(), 1e-9, 1e-4);
    }

    #[test]
    fn masked_cells_have_no_votes(source in grids(), target in grids(), config in configs(), seed: u64) {
        // Support alone reaches masked cells from their neighbours.
        let config = VoteConfig { mask: true, own: true, ..config };
        let mut pair = pair(source, target, seed);
        pair.masks[0][0] = 0.0;
        let shape = [1, source.height, source.width];
        pair.source_mask = tensor(&pair.masks[0], shape, &Device::flex());
        prop_assert!(voted(&pair, &config)[..target.cells()].iter().all(|v| *v == 0.0));
    }

    #[test]
    fn transposing_commutes_with_voting(source in grids(), target in grids(), config in configs(), seed: u64) {
        // Mirrored votes are those of the pair whose other image is mirrored: not the same sums.
        let config = VoteConfig { mirror: false, ..config };
        let pair = pair(source, target, seed);
        let masks = (pair.source_mask.clone(), pair.target_mask.clone());
        let there = vote(&pair.volume, masks.0.clone(), masks.1.clone(), &config).transpose();
        let back = vote(&pair.volume.transpose(), masks.1, masks.0, &config);
        assert_close(&numbers(back.into_values()), &numbers(there.into_values()), 1e-9, 1e-4);
    }

    #[test]
    fn translating_the_target_translates_the_votes(config in configs(), seed: u64) {
        // A 4×4 object in a 12×12 target: neither place touches the border, which would add zeros
        // to sums that are zero already.
        let config = VoteConfig { own: true, temperature: 0.0, ..config };
        let (source, target) = (Grid::square(4), Grid::square(12));
        let inner = uniform(256, 0.0, 1.0, seed);
        let at = |top: usize, left: usize| {
            let mut values = vec![0.0; 16 * 144];
            for i in 0..16 {
                for j in 0..16 {
                    let cell = target.index(top + j / 4, left + j % 4);
                    values[i * 144 + cell] = inner[i * 16 + j];
                }
            }
            let volume = volume(&values, source, target, &Device::flex());
            let ones = |grid: Grid| Tensor::ones([1, grid.height, grid.width], &Device::flex());
            let votes = numbers(vote(&volume, ones(source), ones(target), &config).into_values());
            let inner = |i: usize, j: usize| votes[i * 144 + target.index(top + j / 4, left + j % 4)];
            (0..256).map(|k| inner(k / 16, k % 16)).collect::<Vec<_>>()
        };
        assert_close(&at(2, 3), &at(5, 4), 1e-9, 1e-4);
    }
}

#[test]
fn a_mirrored_pair_is_recognised() {
    let grid = Grid::square(6);
    let device = Device::flex();
    let volume_of = |mirror: bool| {
        let match_of = |i: usize| {
            let (row, column) = grid.row_col(i);
            grid.index(row, if mirror { 5 - column } else { column })
        };
        let score = |i: usize, j: usize| if match_of(i) == j { 1.0 } else { 0.2 };
        (0..36 * 36).map(|k| score(k / 36, k % 36)).collect::<Vec<f64>>()
    };
    let both = [volume_of(false), volume_of(true)].concat();
    let volume = volume(&both, grid, grid, &device);
    let ones = Tensor::ones([2, 6, 6], &device);
    let config = VoteConfig::default();
    let either = vote_either(&volume, ones.clone(), ones.clone(), &config);
    assert_eq!(either.mirrored, [false, true]);
    let peaks = hough_peak(&volume, ones.clone(), ones.clone(), &config);
    assert_eq!(peaks, either.peaks);
    assert!(peaks[0] > either.mirrored_peaks[0] && peaks[0] <= 1.0);

    // The kept votes are those of each orientation by itself.
    let plain = numbers(vote(&volume, ones.clone(), ones.clone(), &config).into_values());
    let mirror = VoteConfig { mirror: true, ..config };
    let mirror = numbers(vote(&volume, ones.clone(), ones, &mirror).into_values());
    let kept = numbers(either.volume.into_values());
    assert_eq!(kept[..1296], plain[..1296]);
    assert_eq!(kept[1296..], mirror[1296..]);
}

#[test]
fn pairs_of_a_batch_do_not_see_each_other() {
    let grid = Grid::new(4, 5);
    let device = Device::flex();
    let values = uniform(3 * 400, -0.5, 1.0, 5);
    let masks = uniform(3 * 20, 0.0, 1.0, 6);
    let config = VoteConfig::default();
    let mask = |pairs: std::ops::Range<usize>| {
        tensor::<3>(&masks[pairs.start * 20..pairs.end * 20], [pairs.len(), 4, 5], &device)
    };
    let votes = |pairs: std::ops::Range<usize>| {
        let volume = volume(&values[pairs.start * 400..pairs.end * 400], grid, grid, &device);
        numbers(vote(&volume, mask(pairs.clone()), mask(pairs), &config).into_values())
    };
    assert_eq!(votes(0..3), [votes(0..1), votes(1..2), votes(2..3)].concat());
}

#[test]
fn the_number_of_threads_leaves_no_trace() {
    let pair = pair(Grid::new(9, 7), Grid::new(6, 8), 3);
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        pool.expect("a pool").install(|| voted(&pair, &VoteConfig::default()))
    };
    assert_eq!(with(1), with(5));
}

#[test]
fn no_evidence_is_no_peak_and_no_votes() {
    let grid = Grid::square(3);
    let device = Device::flex();
    let volume = volume(&[-1.0; 81], grid, grid, &device);
    let ones = Tensor::ones([1, 3, 3], &device);
    let config = VoteConfig::default();
    let votes = vote(&volume, ones.clone(), ones.clone(), &config);
    assert_eq!(hough_peak(&volume, ones.clone(), ones, &config), [0.0]);
    assert!(numbers(votes.values()).iter().all(|v| *v == 0.0));
    assert!(numbers(normalise_rows(&votes).into_values()).iter().all(|v| *v == 0.0));
}

#[test]
fn normalised_rows_have_a_largest_value_of_1() {
    let grid = Grid::square(2);
    let values = uniform(16, 0.0, 1e-6, 9);
    let rows = normalise_rows(&volume(&values, grid, grid, &Device::flex()));
    let rows = numbers(rows.into_values());
    for row in rows.chunks(4) {
        assert_eq!(row.iter().copied().fold(0.0, f64::max), 1.0);
    }
}

#[test]
#[should_panic(expected = "the target mask has to be")]
fn a_mask_of_another_grid_is_refused() {
    let pair = pair(Grid::square(3), Grid::square(4), 0);
    vote(&pair.volume, pair.source_mask.clone(), pair.source_mask, &VoteConfig::default());
}

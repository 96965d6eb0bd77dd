//! Dense matching that streams, against the same composed of volumes.

use burn::tensor::{Device, Tensor, TensorData};
use corr_volume::{CellMatches, CorrVolume, DenseMatch, Grid, Readout, l2_normalise, soft_mutual};
use proptest::prelude::*;

#[cfg(not(feature = "wgpu"))]
#[path = "../../xtask/tests/skips/mod.rs"]
mod skips;

const READOUTS: [Readout; 5] = [
    Readout::Hard,
    Readout::Kernel { beta: 50.0, sigma: 5.0 },
    Readout::Kernel { beta: 10.0, sigma: 1.5 },
    Readout::Kernel { beta: 500.0, sigma: 2.0 },
    Readout::Windowed { beta: 20.0, radius: 1 },
];

fn features(values: Vec<f32>, batch: usize, channels: usize, grid: Grid) -> Tensor<4> {
    Tensor::from_data(TensorData::new(values, [batch, channels, grid.height, grid.width]), &Device::flex())
}

fn random(seed: u64, batch: usize, channels: usize, grid: Grid) -> Tensor<4> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(1);
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u64 << 24) as f32 - 0.5
    };
    let values = (0..batch * channels * grid.cells()).map(|_| next() + next() + next()).collect();
    l2_normalise(features(values, batch, channels, grid))
}

/// Points, scores, confidences and best cells of one direction.
type Composed = (Vec<f32>, Vec<f32>, Vec<f32>, Vec<i32>);

/// The scores that are read.
fn volume_of(source: &Tensor<4>, target: &Tensor<4>, config: DenseMatch) -> CorrVolume {
    let volume = CorrVolume::cosine(source.clone(), target.clone());
    match config {
        DenseMatch { mutual: true, .. } => soft_mutual(&volume),
        DenseMatch { signed: true, .. } => volume,
        _ => volume.relu(),
    }
}

/// What [`DenseMatch`] promises, by way of the volume.
fn composed(source: &Tensor<4>, target: &Tensor<4>, config: DenseMatch) -> [Composed; 2] {
    let volume = volume_of(source, target, config);
    [volume.clone(), volume.transpose()].map(|volume| {
        let answers = config.readout.read_cells(&volume);
        let (scores, best) = volume.values().max_dim_with_indices(2);
        (
            numbers(answers.points),
            numbers(scores),
            numbers(answers.confidence),
            best.try_into_vec_as::<i32>().expect("indices"),
        )
    })
}

fn numbers<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.try_into_vec_as::<f32>().expect("the tensor holds f32")
}

fn indices<const D: usize>(tensor: Tensor<D, burn::tensor::Int>) -> Vec<i32> {
    tensor.try_into_vec_as::<i32>().expect("the tensor holds integers")
}

fn assert_close(what: &str, got: &[f32], wanted: &[f32], tolerance: f32) {
    assert_eq!(got.len(), wanted.len(), "{what}");
    for (i, (got, wanted)) in got.iter().zip(wanted).enumerate() {
        let close = (got - wanted).abs() <= tolerance * wanted.abs().max(1.0);
        assert!(close, "{what} {i}: got {got}, wanted {wanted}");
    }
}

/// Points to 1e-5 of the longer side of the grid or a cell: logits reach 50, which f32 resolves to 4e-6.
fn check(source: &Tensor<4>, target: &Tensor<4>, config: DenseMatch) {
    let found = config.read(source.clone(), target.clone());
    let wanted = composed(source, target, config);
    let directions: [&CellMatches; 2] = [&found.forward, &found.backward];
    for (found, (points, scores, confidence, best)) in directions.into_iter().zip(&wanted) {
        assert_eq!(&indices(found.best.clone()), best, "{config:?}");
        assert_close("score", &numbers(found.scores.clone()), scores, 1e-5);
        assert_close("confidence", &numbers(found.confidence.clone()), confidence, 1e-5);
        let sharpness =
            if let Readout::Kernel { beta, .. } = config.readout { (beta / 50.0).max(1.0) as f32 } else { 1.0 };
        assert_close("coordinate", &numbers(found.points.clone()), points, 2e-5 * sharpness);
    }
    let (there, back) = (&wanted[0].3, &wanted[1].3);
    let batch = source.dims()[0];
    let (n, m) = (there.len() / batch, back.len() / batch);
    let mutual: Vec<i32> = (0..there.len())
        .map(|cell| i32::from(back[cell / n * m + there[cell] as usize] as usize == cell % n))
        .collect();
    assert_eq!(indices(found.forward.mutual.clone()), mutual);
}

/// Points in quarters of a cell. Rows in which two cells are equal but for rounding, so that either may be the peak, are not
/// compared, nor are those whose peak is what rounding has left.
fn check_at(source: &Tensor<4>, target: &Tensor<4>, config: DenseMatch, quarters: &[(i8, i8)]) {
    let batch = source.dims()[0];
    let places: Vec<f32> = quarters.iter().flat_map(|(x, y)| [f32::from(*x) / 4.0, f32::from(*y) / 4.0]).collect();
    let shape = [batch, quarters.len(), 2];
    let points = || Tensor::<3>::from_data(TensorData::new(places.repeat(batch), shape), &Device::flex());
    let volume = volume_of(source, target, config);
    let wanted = config.readout.read(&volume, points());
    let found = config.read_at(source.clone(), target.clone(), points());
    assert_eq!((found.points.dims(), found.confidence.dims()), (shape, [batch, quarters.len()]));
    assert_close("confidence", &numbers(found.confidence), &numbers(wanted.confidence), 1e-5);
    let sharpness = if let Readout::Kernel { beta, .. } = config.readout { (beta / 50.0).max(1.0) as f32 } else { 1.0 };
    let rows = numbers(volume.sample_rows(points()));
    let (found, wanted) = (numbers(found.points), numbers(wanted.points));
    let pairs = found.chunks_exact(2).zip(wanted.chunks_exact(2));
    for ((found, wanted), row) in pairs.zip(rows.chunks_exact(volume.target().cells())) {
        let peak = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let alone = row.iter().filter(|score| **score >= peak - 1e-5 * peak.abs()).count() == 1;
        if alone && (peak.abs() > 1e-3 || peak == 0.0) {
            assert_close("coordinate", found, wanted, 2e-5 * sharpness);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn streaming_and_composing_agree(
        seed in any::<u64>(),
        (batch, channels) in (1..4_usize, 1..20_usize),
        (a, b) in ((1..14_usize, 1..14_usize), (1..14_usize, 1..14_usize)),
        (mutual, signed) in (any::<bool>(), any::<bool>()),
        keep in any::<bool>(),
        which in 0..READOUTS.len(),
    ) {
        let source = random(seed, batch, channels, Grid::new(a.0, a.1));
        let target = random(seed ^ 1, batch, channels, Grid::new(b.0, b.1));
        let keep_bytes = if keep { 1 << 22 } else { 0 };
        check(&source, &target, DenseMatch { mutual, signed, readout: READOUTS[which], keep_bytes });
    }

    /// Also beyond the outermost cells, on cell centres, and on the lines between them.
    #[test]
    fn points_between_cells_are_read_as_from_the_volume(
        seed in any::<u64>(),
        (batch, channels) in (1..3_usize, 1..20_usize),
        (a, b) in ((1..9_usize, 1..9_usize), (1..9_usize, 1..9_usize)),
        (mutual, signed) in (any::<bool>(), any::<bool>()),
        places in proptest::collection::vec((-4..40_i8, -4..40_i8), 1..6),
        which in 0..READOUTS.len(),
    ) {
        let source = random(seed, batch, channels, Grid::new(a.0, a.1));
        let target = random(seed ^ 1, batch, channels, Grid::new(b.0, b.1));
        let config = DenseMatch { mutual, signed, readout: READOUTS[which], ..DenseMatch::default() };
        check_at(&source, &target, config, &places);
    }

    #[test]
    fn the_best_of_the_top_are_the_sorted_row(seed in any::<u64>(), k in 1..12_usize, side in 2..6_usize) {
        let (source, target) = (Grid::new(side, 3), Grid::new(4, 3));
        let (source, target) = (random(seed, 2, 4, source), random(seed ^ 1, 2, 4, target));
        let config = DenseMatch::default();
        let top = config.top(source.clone(), target.clone(), k);
        let volume = soft_mutual(&CorrVolume::cosine(source, target).relu());
        let rows = numbers(volume.values());
        let (scores, cells) = (numbers(top.scores), indices(top.cells));
        prop_assert_eq!((scores.len(), cells.len()), (rows.len() / 12 * k, rows.len() / 12 * k));
        for (row, (scores, cells)) in rows.chunks(12).zip(scores.chunks(k).zip(cells.chunks(k))) {
            let mut order: Vec<usize> = (0..12).collect();
            order.sort_by(|a, b| row[*b].total_cmp(&row[*a]));
            for (place, (score, cell)) in scores.iter().zip(cells).enumerate() {
                prop_assert!((score - row[order[place]]).abs() <= 1e-5);
                prop_assert!((score - row[*cell as usize]).abs() <= 1e-5);
            }
        }
    }
}

/// Bands, padding and the vector code's remainders: sizes round 16, 64 and 128, above and below the kept volume.
#[test]
fn sizes_that_are_no_multiple_of_a_tile_agree() {
    for (n, m) in [((1, 1), (1, 1)), ((1, 17), (15, 16)), ((8, 16), (5, 13)), ((10, 13), (8, 8)), ((33, 4), (1, 65))] {
        let source = random(3, 1, 9, Grid::new(n.0, n.1));
        let target = random(4, 1, 9, Grid::new(m.0, m.1));
        for keep_bytes in [0, 1 << 22] {
            check(&source, &target, DenseMatch { keep_bytes, ..DenseMatch::default() });
        }
    }
}

#[test]
fn of_equal_scores_the_lower_index_wins() {
    let grid = Grid::new(9, 8);
    let same = features(vec![0.5; 4 * grid.cells()], 1, 4, grid);
    for mutual in [false, true] {
        for keep_bytes in [0, 1 << 22] {
            let found = DenseMatch { mutual, keep_bytes, ..DenseMatch::default() }.read(same.clone(), same.clone());
            assert!(indices(found.forward.best).iter().all(|cell| *cell == 0));
            assert!(indices(found.backward.best).iter().all(|cell| *cell == 0));
            let mutual = indices(found.forward.mutual);
            assert!(mutual[0] == 1 && mutual[1..].iter().all(|one| *one == 0));
        }
    }
}

#[test]
fn without_a_positive_score_the_answers_are_those_of_the_readout_and_unsure() {
    let (source, target) = (Grid::new(3, 4), Grid::new(5, 2));
    let up = features(vec![1.0; source.cells()], 1, 1, source);
    let down = features(vec![-1.0; target.cells()], 1, 1, target);
    for readout in READOUTS {
        for (up, down) in [(&up, &down), (&up, &down.clone().mul_scalar(0.0))] {
            check(up, down, DenseMatch { readout, ..DenseMatch::default() });
            check(up, down, DenseMatch::unfiltered(readout));
            check_at(up, down, DenseMatch::unfiltered(readout), &[(0, 0), (3, 5), (12, 8)]);
            let found = DenseMatch { readout, ..DenseMatch::default() }.read(up.clone(), down.clone());
            assert!(numbers(found.forward.confidence).iter().all(|confidence| *confidence == 0.0));
        }
    }
}

/// Features are meant to be of unit length, but nothing breaks where they are not.
#[test]
fn huge_and_tiny_features_agree() {
    let grid = Grid::new(6, 5);
    let (source, target) = (random(5, 1, 8, grid), random(6, 1, 8, grid));
    for scale in [1e-3, 1e3, 1e6] {
        let config = DenseMatch { mutual: false, ..DenseMatch::default() };
        check(&source.clone().mul_scalar(scale), &target, config);
    }
    // Denormal scores count as none: no NaN, and the readout's answer for an empty row.
    let found = DenseMatch { mutual: false, ..DenseMatch::default() }.read(source.mul_scalar(1e-40), target);
    assert!(numbers(found.forward.points).iter().all(|value| value.is_finite()));
}

#[test]
fn the_number_of_threads_leaves_no_trace() {
    let (source, target) = (random(7, 2, 33, Grid::new(19, 17)), random(8, 2, 33, Grid::new(18, 21)));
    for keep_bytes in [0, 1 << 22] {
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool of threads");
            pool.install(|| {
                let found = DenseMatch { keep_bytes, ..DenseMatch::default() }.read(source.clone(), target.clone());
                [found.forward, found.backward]
                    .map(|side| (side.points.into_data(), side.scores.into_data(), indices(side.best)))
            })
        };
        let one = run(1);
        assert!(run(2) == one && run(4) == one);
    }
}

#[test]
#[should_panic(expected = "the 13 best of 12 cells")]
fn more_matches_than_cells_are_refused() {
    let maps = random(1, 1, 2, Grid::new(3, 4));
    DenseMatch::default().top(maps.clone(), maps, 13);
}

#[test]
fn every_row_of_either_image_is_shown_once_and_in_order() {
    let (source, target) = (random(9, 2, 6, Grid::new(3, 4)), random(10, 2, 6, Grid::new(5, 2)));
    let config = DenseMatch::unfiltered(Readout::Hard);
    let volume = CorrVolume::cosine(source.clone(), target.clone());
    let (matches, rows) = config.read_rows(source.clone(), target.clone(), |row, grid| (row.to_vec(), grid));
    for ((volume, rows), found) in
        [volume.clone(), volume.transpose()].iter().zip(rows).zip([matches.forward, matches.backward])
    {
        assert!(rows.iter().all(|(_, grid)| *grid == volume.target()));
        let shown: Vec<f32> = rows.into_iter().flat_map(|(row, _)| row).collect();
        assert_close("score", &shown, &numbers(volume.values()), 1e-6);
        assert_close("coordinate", &numbers(found.points), &numbers(config.readout.read_cells(volume).points), 0.0);
    }
}

#[test]
#[should_panic(expected = "points of shape [1, n, 2] are wanted, got [2, 3, 2]")]
fn points_of_another_batch_are_refused() {
    let maps = random(1, 1, 2, Grid::new(3, 4));
    DenseMatch::default().read_at(maps.clone(), maps, Tensor::zeros([2, 3, 2], &Device::flex()));
}

#[cfg(not(feature = "wgpu"))]
#[test]
fn kernels_of_gpus_are_compared_where_they_are_built() {
    skips::skip("gpu", "the crate is built without its feature `wgpu`");
}

//! Dense matching on a GPU against the same function on the host. Without a GPU adapter, not even a software one, tests
//! are skipped.
#![cfg(feature = "wgpu")]

#[path = "../../xtask/tests/skips/mod.rs"]
mod skips;

use std::sync::OnceLock;

use burn::tensor::{Device, FloatDType, Int, Tensor, TensorData};
use corr_volume::gpu::buffers;
use corr_volume::{CellMatches, CorrVolume, DenseMatch, Readout, l2_normalise, soft_mutual};

/// A flat softmax over the whole grid, one cut off round the best cell, the default, and the rest.
const READOUTS: [Readout; 5] = [
    Readout::Hard,
    Readout::Kernel { beta: 5.0, sigma: 2.0 },
    Readout::Kernel { beta: 60.0, sigma: 1.0 },
    Readout::Kernel { beta: 50.0, sigma: 5.0 },
    Readout::Windowed { beta: 20.0, radius: 2 },
];

fn gpu() -> Option<Device> {
    static DEVICE: OnceLock<Option<Device>> = OnceLock::new();
    let device = DEVICE.get_or_init(|| Device::wgpu_options().init().ok()).clone();
    if device.is_none() {
        skips::skip("gpu", "there is no GPU adapter");
    }
    device
}

fn numbers<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.try_into_vec_as::<f32>().expect("the tensor holds f32")
}

/// Numbers in -1..1 from a seed.
fn uniform(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

/// Features of unit length, row-major `[b, channels, h, w]`.
struct Features {
    values: Vec<f32>,
    shape: [usize; 4],
}

impl Features {
    fn random(shape: [usize; 4], seed: u64) -> Self {
        let values = TensorData::new(uniform(shape.iter().product(), seed), shape);
        Self { values: numbers(l2_normalise(Tensor::<4>::from_data(values, &Device::flex()))), shape }
    }

    /// One pair, every cell's features for themselves.
    fn of_cells(cells: &[Vec<f32>], grid: [usize; 2]) -> Self {
        let channels = cells[0].len();
        let values = (0..channels).flat_map(|k| cells.iter().map(move |cell| cell[k])).collect();
        Self { values, shape: [1, channels, grid[0], grid[1]] }
    }

    fn on(&self, device: &Device) -> Tensor<4> {
        Tensor::from_data(TensorData::new(self.values.clone(), self.shape), device)
    }
}

fn numbers_of(matches: &CellMatches) -> [Vec<f32>; 3] {
    [numbers(matches.points.clone()), numbers(matches.scores.clone()), numbers(matches.confidence.clone())]
}

fn indices(tensor: Tensor<2, Int>) -> Vec<usize> {
    tensor.try_into_vec_as::<i64>().expect("indices").into_iter().map(|index| index as usize).collect()
}

/// One direction. Where `exact`, the best cells have to be equal; else another one may be, if the host's score of it is
/// the best one's but for rounding. Points are compared to 1e-4 of a cell and of their own size: logits reach 60, which
/// f32 resolves to 4e-6.
fn compare(found: &CellMatches, wanted: &CellMatches, volume: &CorrVolume, exact: bool, what: &str) {
    let rows = numbers(volume.values());
    let (best, wanted_best) = (indices(found.best.clone()), indices(wanted.best.clone()));
    let ([points, scores, shares], [wanted_points, wanted_scores, wanted_shares]) =
        (numbers_of(found), numbers_of(wanted));
    assert_eq!(rows.len(), best.len() * volume.target().cells(), "{what}");
    for (i, row) in rows.chunks_exact(volume.target().cells()).enumerate() {
        let (cell, wanted_cell) = (best[i], wanted_best[i]);
        let close = row[cell] >= row[wanted_cell] * (1.0 - 1e-5);
        assert!(cell == wanted_cell || (close && !exact), "{what}: row {i} has {cell}, wanted {wanted_cell}");
        let (score, wanted) = (scores[i], wanted_scores[i]);
        assert!((score - wanted).abs() <= 1e-4 * wanted, "{what}: row {i} scores {score}, wanted {wanted}");
        let (share, wanted) = (shares[i], wanted_shares[i]);
        assert!((share - wanted).abs() <= 1e-4 * wanted, "{what}: confidence {i} is {share}, wanted {wanted}");
        for k in 2 * i..2 * i + 2 {
            let error = (points[k] - wanted_points[k]).abs();
            let same = error <= 1e-4 * wanted_points[k].abs().max(1.0) || cell != wanted_cell;
            assert!(same, "{what}: coordinate {k} is {}, wanted {}", points[k], wanted_points[k]);
        }
    }
}

/// The same features on both devices, read by the one public function.
fn check(source: &Features, target: &Features, mutual: bool, readout: Readout, exact: bool) {
    let Some(device) = gpu() else { return };
    let (cpu, config) = (Device::flex(), DenseMatch { mutual, readout, ..DenseMatch::default() });
    let found = config.read(source.on(&device), target.on(&device));
    let wanted = config.read(source.on(&cpu), target.on(&cpu));
    let volume = CorrVolume::cosine(source.on(&cpu), target.on(&cpu)).relu();
    let volume = if mutual { soft_mutual(&volume) } else { volume };
    let what = format!("{:?} to {:?}, mutual {mutual}, {readout:?}", source.shape, target.shape);
    compare(&found.forward, &wanted.forward, &volume, exact, &format!("{what}, forward"));
    compare(&found.backward, &wanted.backward, &volume.transpose(), exact, &format!("{what}, backward"));

    let (there, back) = (indices(found.forward.best), indices(found.backward.best));
    let (n, m) = (volume.source().cells(), volume.target().cells());
    let returns = |there: &[usize], back: &[usize], n: usize, m: usize| -> Vec<usize> {
        (0..there.len()).map(|i| usize::from(back[i / n * m + there[i]] == i % n)).collect()
    };
    assert_eq!(indices(found.forward.mutual), returns(&there, &back, n, m), "{what}");
    assert_eq!(indices(found.backward.mutual), returns(&back, &there, m, n), "{what}");
}

#[test]
fn random_features_are_read_alike() {
    // Sizes below, at and above those of a tile, no multiples of them; channels likewise.
    let shapes = [([2, 20, 7, 9], [2, 20, 5, 13]), ([1, 16, 8, 8], [1, 16, 4, 8]), ([1, 3, 10, 13], [1, 3, 2, 3])];
    for (seed, (source, target)) in shapes.into_iter().enumerate() {
        let (source, target) = (Features::random(source, 2 * seed as u64), Features::random(target, 77 + seed as u64));
        for readout in READOUTS {
            check(&source, &target, seed % 2 == 0, readout, false);
            check(&source, &target, seed % 2 == 1, readout, false);
        }
    }
}

/// There the volume is made, as negative scores are read: what comes out is the same.
#[test]
fn points_between_cells_and_negative_scores_are_read_alike() {
    let (Some(device), cpu) = (gpu(), Device::flex()) else { return };
    let (source, target) = (Features::random([2, 20, 7, 9], 1), Features::random([2, 20, 5, 13], 78));
    let points =
        |device: &Device| Tensor::from_data(TensorData::new([1.5f32, 0.25, 8.0, 6.0].repeat(2), [2, 2, 2]), device);
    for readout in READOUTS {
        for config in [DenseMatch { readout, ..DenseMatch::default() }, DenseMatch::unfiltered(readout)] {
            let at = |device: &Device| {
                let answers = config.read_at(source.on(device), target.on(device), points(device));
                [numbers(answers.points), numbers(answers.confidence)].concat()
            };
            for (found, wanted) in at(&device).iter().zip(at(&cpu)) {
                assert!((found - wanted).abs() <= 1e-3, "{config:?}: {found}, wanted {wanted}");
            }
            let [found, wanted] =
                [&device, &cpu].map(|on| numbers_of(&config.read(source.on(on), target.on(on)).forward));
            for (found, wanted) in found.concat().iter().zip(wanted.concat()) {
                assert!((found - wanted).abs() <= 1e-3, "{config:?}: {found}, wanted {wanted}");
            }
        }
    }
}

#[test]
fn the_lower_of_equal_cells_wins() {
    // Halves: all sums are exact, so that equal features have equal scores on every device.
    let half = |signs: [f32; 4]| signs.iter().map(|sign| 0.5 * sign).collect::<Vec<f32>>();
    let looks = [half([1.0, 1.0, 1.0, 1.0]), half([1.0, 1.0, 1.0, -1.0]), half([1.0, -1.0, 1.0, 1.0])];
    let repeated = |count: usize| (0..count).map(|i| looks[i * 2 % 3].clone()).collect::<Vec<_>>();
    let equal = |count: usize| vec![looks[0].clone(); count];
    for mutual in [false, true] {
        for readout in READOUTS {
            let (source, target) = (repeated(70), repeated(99));
            let (source, target) = (Features::of_cells(&source, [7, 10]), Features::of_cells(&target, [11, 9]));
            check(&source, &target, mutual, readout, true);
            let (source, target) = (Features::of_cells(&equal(70), [7, 10]), Features::of_cells(&equal(66), [6, 11]));
            check(&source, &target, mutual, readout, true);
        }
    }
}

#[test]
fn one_cell_is_enough() {
    for (source, target) in [([1, 5, 1, 1], [1, 5, 1, 1]), ([1, 5, 1, 1], [1, 5, 3, 5]), ([1, 5, 4, 1], [1, 5, 1, 1])] {
        let (source, target) = (Features::random(source, 5), Features::random(target, 6));
        for mutual in [false, true] {
            check(&source, &target, mutual, READOUTS[2], true);
            check(&source, &target, mutual, READOUTS[4], true);
        }
    }
}

#[test]
fn rows_without_a_positive_score_are_read_as_on_the_host() {
    let along = |angle: f32| vec![angle.cos(), angle.sin()];
    let source: Vec<_> = (0..6).map(|i| along(0.2 * i as f32)).collect();
    // Opposite to every source cell but for the last ones.
    let target: Vec<_> = (0..20).map(|j| along(3.6 - 0.1 * j as f32)).collect();
    let opposite: Vec<_> = (0..20).map(|j| along(3.6 + 0.01 * j as f32)).collect();
    for target in [target, opposite] {
        let (source, target) = (Features::of_cells(&source, [2, 3]), Features::of_cells(&target, [4, 5]));
        for readout in READOUTS {
            check(&source, &target, false, readout, true);
            check(&source, &target, true, readout, true);
        }
    }
}

#[test]
fn tiny_scores_are_read_as_sharply_as_large_ones() {
    let source: Vec<_> = uniform(9, 1).iter().map(|x| vec![1.0, 0.0, 1e-12 * x]).collect();
    let target: Vec<_> = uniform(12, 2).iter().map(|x| vec![1e-13 * (x + 1.5), 1.0, 0.0]).collect();
    let (source, target) = (Features::of_cells(&source, [3, 3]), Features::of_cells(&target, [3, 4]));
    for readout in READOUTS {
        check(&source, &target, false, readout, false);
        check(&source, &target, true, readout, false);
    }
}

#[test]
fn a_large_batch_goes_in_parts() {
    let (source, target) = (Features::random([1025, 2, 1, 1], 3), Features::random([1025, 2, 1, 2], 4));
    check(&source, &target, true, Readout::default(), false);
}

#[test]
fn the_same_inputs_have_the_same_bits() {
    let Some(device) = gpu() else { return };
    let (source, target) = (Features::random([2, 20, 7, 9], 1), Features::random([2, 20, 5, 13], 2));
    let read = || numbers(DenseMatch::default().read(source.on(&device), target.on(&device)).forward.points);
    assert_eq!(read(), read());
}

#[test]
fn answers_stay_on_the_device_of_the_features() {
    let Some(device) = gpu() else { return };
    let features = Features::random([2, 3, 4, 5], 1);
    for device in [device.clone(), device.autodiff()] {
        let found = DenseMatch::default().read(features.on(&device), features.on(&device));
        assert_eq!(found.forward.points.device(), device);
        assert_eq!(found.forward.best.device(), device);
        assert!(!found.forward.points.is_tracked());
    }
}

#[test]
fn features_need_not_lie_in_order() {
    let Some(device) = gpu() else { return };
    let stored = Features::random([3, 6, 4, 5], 3);
    // Parts of a batch, their grids transposed: the second begins in the middle of a buffer, and neither is row-major.
    let turned = |device: &Device, first: usize| stored.on(device).narrow(0, first, 2).swap_dims(2, 3);
    let read = |device: &Device| DenseMatch::default().read(turned(device, 0), turned(device, 1)).forward;
    let (found, wanted) = (read(&device), read(&Device::flex()));
    assert_eq!(indices(found.best), indices(wanted.best));
}

#[test]
fn kernels_know_their_tensors() {
    let cpu = Tensor::<4>::zeros([1, 2, 3, 3], &Device::flex());
    assert!(!buffers::on_gpu(&cpu));
    if let Some(device) = gpu() {
        assert!(buffers::on_gpu(&cpu.clone().to_device(&device)));
        assert!(buffers::on_gpu(&cpu.clone().to_device(&device).autodiff()));
        assert!(!buffers::on_gpu(&cpu.to_device(&device).cast(FloatDType::F16)));
    }
}

#[test]
fn a_part_of_a_batch_is_its_pairs() {
    let Some(device) = gpu() else { return };
    // Parts of 3 numbers begin at no multiple of what a binding has to be aligned to.
    let whole = Tensor::<2>::from_floats([[0.0, 1.0, 2.0], [3.0, 4.0, 5.0], [6.0, 7.0, 8.0]], &device);
    let parts = [0..1, 1..3].map(|pairs| buffers::tensor::<2>(buffers::buffer(buffers::part(&whole, &pairs))));
    assert_eq!(numbers(parts[1].clone()), [3.0, 4.0, 5.0, 6.0, 7.0, 8.0]);
    assert_eq!(numbers(buffers::join(parts.to_vec())), numbers(whole));
}

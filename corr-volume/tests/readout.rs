//! Readouts against their naive twins, and the laws that every readout obeys.

use burn::tensor::{Device, Tensor, TensorData};
use corr_volume::{CorrVolume, Grid, Readout, l2_normalise};
use proptest::prelude::*;

mod naive {
    pub mod readout;
}

const SOURCE: Grid = Grid { height: 3, width: 2 };
const TARGET: Grid = Grid { height: 4, width: 5 };
const READOUTS: [Readout; 4] = [
    Readout::Hard,
    Readout::Kernel { beta: 50.0, sigma: 5.0 },
    Readout::Kernel { beta: 10.0, sigma: 1.5 },
    Readout::Windowed { beta: 20.0, radius: 1 },
];

/// Scores of distinct sixteenths, so that f32 sees the same maximum as f64, and at least one of each row positive.
fn rows() -> impl Strategy<Value = Vec<Vec<f64>>> {
    let order: Vec<i32> = (0..TARGET.cells() as i32).collect();
    prop::collection::vec(Just(order).prop_shuffle(), SOURCE.cells())
        .prop_map(|rows| rows.iter().map(|row| row.iter().map(|&k| f64::from(k - 3) / 16.0).collect()).collect())
}

fn volume(rows: &[Vec<f64>], scale: f64) -> CorrVolume {
    let values: Vec<f32> = rows.iter().flatten().map(|&v| (v * scale) as f32).collect();
    let values = TensorData::new(values, [1, SOURCE.cells(), TARGET.cells()]);
    CorrVolume::new(Tensor::from_data(values, &Device::flex()), SOURCE, TARGET)
}

fn numbers<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    let values = tensor.try_into_vec_as::<f32>().expect("the tensor holds f32");
    values.into_iter().map(f64::from).collect()
}

fn point(x: f64, y: f64) -> Tensor<3> {
    Tensor::from_floats([[[x as f32, y as f32]]], &Device::flex())
}

/// Logits reach 50, which f32 resolves to 4e-6; coordinates reach 5.
fn assert_close(got: &[f64], wanted: &[f64]) {
    assert_eq!(got.len(), wanted.len());
    for (i, (g, w)) in got.iter().zip(wanted).enumerate() {
        assert!((g - w).abs() <= 1e-4, "value {i}: got {g}, wanted {w}");
    }
}

fn naive_point(readout: Readout, row: &[f64]) -> [f64; 2] {
    match readout {
        Readout::Hard => naive::readout::cell(naive::readout::argmax(row), TARGET.width),
        Readout::Kernel { beta, sigma } => naive::readout::kernel(row, TARGET.width, beta, sigma),
        Readout::Windowed { beta, radius } => naive::readout::windowed(row, TARGET.width, beta, radius),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_cell_is_answered_as_by_the_naive_readout(rows in rows()) {
        for readout in READOUTS {
            let answers = readout.read_cells(&volume(&rows, 1.0));
            let wanted: Vec<f64> = rows.iter().flat_map(|row| naive_point(readout, row)).collect();
            assert_close(&numbers(answers.points), &wanted);
            let best = rows.concat().into_iter().fold(0.0, f64::max);
            let confidence = |row: &Vec<f64>| row[naive::readout::argmax(row)] / best;
            assert_close(&numbers(answers.confidence), &rows.iter().map(confidence).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_row_between_cells_is_the_naive_bilinear_mean(rows in rows(), x in -1.0..3.0_f64, y in -1.0..4.0_f64) {
        let got = numbers(volume(&rows, 1.0).sample_rows(point(x, y)));
        assert_close(&got, &naive::readout::sample(&rows, (SOURCE.height, SOURCE.width), [x, y]));
    }

    #[test]
    fn reading_a_cell_centre_is_reading_the_cell(rows in rows(), cell in 0..6_usize) {
        let volume = volume(&rows, 1.0);
        let (row, col) = SOURCE.row_col(cell);
        for readout in READOUTS {
            let all = readout.read_cells(&volume);
            let one = readout.read(&volume, point(col as f64, row as f64));
            prop_assert_eq!(numbers(one.points), numbers(all.points.narrow(1, cell, 1)));
            prop_assert_eq!(numbers(one.confidence), numbers(all.confidence.narrow(1, cell, 1)));
        }
    }

    #[test]
    fn the_scale_of_a_volume_does_not_matter(rows in rows(), exponent in -30..30_i32) {
        for readout in READOUTS {
            let answers = readout.read_cells(&volume(&rows, 1.0));
            let scaled = readout.read_cells(&volume(&rows, 10_f64.powi(exponent)));
            assert_close(&numbers(scaled.points), &numbers(answers.points));
            assert_close(&numbers(scaled.confidence), &numbers(answers.confidence));
        }
    }
}

/// Features of a random texture, `[1, 12, 6, 8]`.
fn texture() -> Tensor<4> {
    let value = |i: usize| ((i * i * 7 + i * 31) % 101) as f32 / 50.0 - 1.0;
    let values: Vec<f32> = (0..12 * 48).map(value).collect();
    l2_normalise(Tensor::from_data(TensorData::new(values, [1, 12, 6, 8]), &Device::flex()))
}

#[test]
fn translated_features_translate_their_matches() {
    let (dx, dy) = (2, 1);
    let volume = CorrVolume::cosine(texture(), texture().roll(&[dy as i64, dx as i64], &[2, 3]));
    let points = numbers(Readout::Hard.read_cells(&volume).points);
    let grid = volume.source();
    for row in 0..grid.height - dy {
        for col in 0..grid.width - dx {
            let cell = grid.index(row, col);
            assert_eq!(points[2 * cell..2 * cell + 2], [(col + dx) as f64, (row + dy) as f64]);
        }
    }
}

#[test]
fn mirrored_features_mirror_their_matches() {
    let mirrored = texture().flip([3]);
    let straight = CorrVolume::cosine(texture(), texture());
    let crossed = CorrVolume::cosine(texture(), mirrored);
    for readout in READOUTS {
        let points = numbers(readout.read_cells(&straight).points);
        let wanted: Vec<f64> = points.chunks(2).flat_map(|p| [7.0 - p[0], p[1]]).collect();
        assert_close(&numbers(readout.read_cells(&crossed).points), &wanted);
    }
}

#[test]
fn the_lower_index_wins_a_tie() {
    let mut row = vec![0.0; TARGET.cells()];
    (row[7], row[13]) = (0.5, 0.5);
    let points = numbers(Readout::Hard.read_cells(&volume(&vec![row; SOURCE.cells()], 1.0)).points);
    assert_eq!(points[..2], [2.0, 1.0]);
}

#[test]
fn a_row_without_evidence_is_answered_inside_the_grid_with_confidence_zero() {
    for score in [0.0, -0.5] {
        for readout in READOUTS {
            let answers = readout.read_cells(&volume(&vec![vec![score; TARGET.cells()]; SOURCE.cells()], 1.0));
            assert!(numbers(answers.confidence).iter().all(|&c| c == 0.0));
            for point in numbers(answers.points).chunks(2) {
                assert!((0.0..=4.0).contains(&point[0]) && (0.0..=3.0).contains(&point[1]), "{readout}: {point:?}");
            }
        }
    }
}

#[test]
fn readouts_have_names_and_tables() {
    for name in ["hard", "kernel", "windowed"] {
        let readout: Readout = name.parse().expect("the name of a readout");
        assert_eq!(readout.to_string(), name);
        let json = serde_json::to_string(&readout).expect("a readout is written");
        assert_eq!(serde_json::from_str::<Readout>(&json).expect("a readout is read"), readout);
    }
    assert_eq!("kernel".parse(), Ok(Readout::default()));
    let error = "soft".parse::<Readout>().expect_err("no readout has this name");
    assert_eq!(error.to_string(), "`soft` is no readout; use one of `hard`, `kernel`, `windowed`");
    let unknown = r#"{"kind": "kernel", "beta": 50.0, "sigma": 5.0, "gamma": 1.0}"#;
    assert!(serde_json::from_str::<Readout>(unknown).is_err());
}

#[test]
#[should_panic(expected = "sigma of the kernel readout must be above 0, got -1")]
fn a_negative_width_is_refused() {
    Readout::Kernel { beta: 50.0, sigma: -1.0 }.read_cells(&volume(&vec![vec![0.0; 20]; 6], 1.0));
}

#[test]
#[should_panic(expected = "points of shape [1, n, 2] are wanted, got [2, 1, 2]")]
fn points_of_another_batch_are_refused() {
    Readout::Hard.read(&volume(&vec![vec![0.0; 20]; 6], 1.0), Tensor::zeros([2, 1, 2], &Device::flex()));
}

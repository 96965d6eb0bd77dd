//! From plain numbers to tensors and back, for tests.

use burn::tensor::{Device, Tensor, TensorData};
use corr_volume::{CorrVolume, Grid};

/// A tensor of row-major numbers.
pub fn tensor<const D: usize>(values: &[f64], shape: [usize; D], device: &Device) -> Tensor<D> {
    let values: Vec<f32> = values.iter().map(|v| *v as f32).collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// A volume of one pair.
pub fn volume(values: &[f64], source: Grid, target: Grid, device: &Device) -> CorrVolume {
    let shape = [values.len() / (source.cells() * target.cells()), source.cells(), target.cells()];
    CorrVolume::new(tensor(values, shape, device), source, target)
}

/// Row-major numbers of a tensor.
pub fn numbers<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    let values = tensor.try_into_vec_as::<f32>().expect("a tensor on the host");
    values.into_iter().map(f64::from).collect()
}

/// Panics unless each number is within an absolute plus relative tolerance of its twin.
pub fn assert_close(found: &[f64], wanted: &[f64], absolute: f64, relative: f64) {
    assert_eq!(found.len(), wanted.len());
    for (index, (a, b)) in found.iter().zip(wanted).enumerate() {
        let allowed = absolute + relative * b.abs();
        assert!((a - b).abs() <= allowed, "element {index}: {a}, wanted {b} ± {allowed}");
    }
}

/// Numbers from a seed, uniform in a range.
pub fn uniform(count: usize, low: f64, high: f64, seed: u64) -> Vec<f64> {
    use rand::{RngExt, SeedableRng};
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
    (0..count).map(|_| rng.random_range(low..high)).collect()
}

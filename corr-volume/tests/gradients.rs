//! Gradients by automatic differentiation against central differences.

use burn::tensor::{Device, Distribution, Tensor, TensorData};
use corr_volume::{CorrVolume, Grid, Readout, hyperpixel, l2_normalise, resize_bilinear, soft_mutual};

/// Half a step of the difference. f32 losses of size one are exact to about 1e-7, which becomes 1e-4 in the difference
/// quotient of a step of 2e-3; the cubic term, `STEP^2 / 6` of the third derivative, is smaller for all functions here but
/// the sharpest softmax, whose sharpness is therefore kept low.
const STEP: f32 = 1e-3;

/// Share of the largest gradient, see [`STEP`].
const TOLERANCE: f32 = 5e-3;

/// Compares the two gradients of `sum(weights * f(x))`, `weights` fixed and irregular, at every element of `x`.
fn check<const D: usize, const E: usize>(x: &[f32], shape: [usize; D], f: impl Fn(Tensor<D>) -> Tensor<E>) {
    let device = Device::flex().autodiff();
    let input = |x: &[f32]| Tensor::<D>::from_data(TensorData::new(x.to_vec(), shape), &device);
    let loss = |x: Tensor<D>| {
        let result = f(x);
        let count = result.shape().num_elements();
        let weights: Vec<f32> = (0..count).map(|i| ((i * 37 + 11) % 17) as f32 / 17.0 - 0.4).collect();
        (result.reshape([count]) * Tensor::<1>::from_data(TensorData::new(weights, [count]), &device)).sum()
    };
    let leaf = input(x).require_grad();
    let gradients = loss(leaf.clone()).backward();
    let exact = leaf.grad(&gradients).expect("the loss depends on the input");
    let exact = exact.try_into_vec_as::<f32>().expect("the gradient holds f32");

    let at = |i: usize, step: f32| {
        let mut moved = x.to_vec();
        moved[i] += step;
        loss(input(&moved)).into_scalar::<f32>()
    };
    let largest = exact.iter().fold(0.0_f32, |a, g| a.max(g.abs()));
    assert!(largest.is_finite() && largest > 0.02, "the largest gradient, {largest}, is lost in what is tolerated");
    for (i, g) in exact.iter().enumerate() {
        let difference = (at(i, STEP) - at(i, -STEP)) / (2.0 * STEP);
        assert!(
            (g - difference).abs() <= TOLERANCE * largest.max(0.1),
            "element {i}: gradient {g}, central difference {difference}"
        );
    }
}

/// `count` numbers between `low` and `high`, no two closer than a fifth of their mean distance, so that no step
/// changes which is largest.
fn spread(count: usize, low: f32, high: f32) -> Vec<f32> {
    // 7 is coprime to every count in use, so this visits each place once.
    let place = |i: usize| (i * 7 + 3) % count;
    (0..count).map(|i| low + (high - low) * (place(i) as f32 + 0.4 * ((i % 3) as f32)) / count as f32).collect()
}

/// Another map of unit length, constant in the differentiation.
fn other_features(shape: [usize; 4]) -> Tensor<4> {
    let count = shape.iter().product();
    let values = TensorData::new(spread(count, 1.0, -0.7), shape);
    l2_normalise(Tensor::from_data(values, &Device::flex().autodiff()))
}

#[test]
fn of_normalisation() {
    check(&spread(24, -1.0, 1.3), [2, 3, 2, 2], l2_normalise);
}

#[test]
fn of_resizing() {
    check(&spread(24, -1.0, 1.0), [1, 2, 3, 4], |x: Tensor<4>| resize_bilinear(x, Grid::new(5, 2)));
}

#[test]
fn of_a_hyperpixel() {
    check(&spread(24, -1.0, 1.3), [1, 6, 2, 2], |x: Tensor<4>| hyperpixel(&[x.clone(), x.square()], Grid::new(3, 3)));
}

#[test]
fn of_a_cosine_volume_in_both_arguments() {
    let x = spread(24, -1.0, 1.3);
    check(&x, [1, 6, 2, 2], |x: Tensor<4>| CorrVolume::cosine(x, other_features([1, 6, 2, 3])).into_values());
    check(&x, [1, 6, 2, 2], |x: Tensor<4>| CorrVolume::cosine(other_features([1, 6, 2, 3]), x).into_values());
}

fn volume(values: Tensor<3>) -> CorrVolume {
    CorrVolume::new(values, Grid::new(2, 2), Grid::new(2, 3))
}

#[test]
fn of_the_mutual_filter() {
    check(&spread(24, 0.1, 0.9), [1, 4, 6], |x: Tensor<3>| soft_mutual(&volume(x)).into_values());
}

#[test]
fn of_a_match_distribution() {
    let x = spread(24, -0.5, 0.9);
    check(&x, [1, 4, 6], |x: Tensor<3>| volume(x).match_distribution(0.3).values());
    check(&x, [1, 4, 6], |x: Tensor<3>| volume(x).match_distribution(0.3).log_values());
}

#[test]
fn of_the_kernel_readout() {
    let readout = Readout::Kernel { beta: 5.0, sigma: 1.5 };
    check(&spread(24, -0.2, 0.9), [1, 4, 6], |x: Tensor<3>| readout.read_cells(&volume(x)).points);
}

#[test]
fn of_the_windowed_readout() {
    let readout = Readout::Windowed { beta: 5.0, radius: 1 };
    check(&spread(24, -0.2, 0.9), [1, 4, 6], |x: Tensor<3>| readout.read_cells(&volume(x)).points);
}

#[test]
fn of_a_readout_between_cells() {
    let readout = Readout::Kernel { beta: 5.0, sigma: 1.5 };
    check(&spread(24, 0.1, 0.9), [1, 4, 6], |x: Tensor<3>| {
        let points = Tensor::from_floats([[[0.3, 0.6], [0.9, -0.4]]], &x.device());
        readout.read(&volume(x), points).points
    });
}

#[test]
fn are_finite_for_empty_and_tiny_rows() {
    let device = Device::flex().autodiff();
    for readout in [Readout::default(), Readout::Windowed { beta: 50.0, radius: 2 }] {
        for scale in [0.0, 1e-30, 1e-20, 1.0] {
            let leaf = Tensor::<3>::random([1, 4, 6], Distribution::Uniform(0.0, 1.0), &device)
                .mul_scalar(scale)
                .require_grad();
            let gradients = readout.read_cells(&volume(leaf.clone())).points.sum().backward();
            let gradient = leaf.grad(&gradients).expect("the answers depend on the volume");
            assert!(gradient.is_finite().all().into_scalar::<bool>(), "{readout} at scale {scale}");
        }
    }
}

#[test]
fn of_a_cell_without_features_are_zero() {
    let leaf = Tensor::<4>::zeros([1, 3, 2, 2], &Device::flex().autodiff()).require_grad();
    let gradients = l2_normalise(leaf.clone()).sum().backward();
    let gradient = leaf.grad(&gradients).expect("the features depend on the input");
    assert_eq!(gradient.abs().max().into_scalar::<f32>(), 0.0);
}

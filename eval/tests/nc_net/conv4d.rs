//! The convolution against its definition, and its gradients against differences.

use burn::module::Param;
use burn::tensor::{Device, Distribution, Tensor};
use eval::matcher::{Conv4d, Conv4dConfig};
use proptest::prelude::*;

use crate::naive::{Sizes, convolve};

fn numbers<const D: usize>(tensor: &Tensor<D>) -> Vec<f32> {
    tensor.clone().try_into_vec_as::<f32>().expect("f32 on the host")
}

fn random<const D: usize>(dims: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::random(dims, Distribution::Normal(0.0, 1.0), device)
}

fn assert_near(what: &str, found: &[f32], wanted: &[f64]) {
    assert_eq!(found.len(), wanted.len(), "{what}");
    let scale = wanted.iter().fold(1.0, |most: f64, value| most.max(value.abs()));
    for (at, (found, wanted)) in found.iter().zip(wanted).enumerate() {
        // Sums of up to some thousand products, rounded each.
        assert!((f64::from(*found) - wanted).abs() < 1e-5 * scale, "{what} {at}: {found} for {wanted}");
    }
}

/// Value and gradients for random numbers drawn with `seed`.
fn check(sizes: Sizes, seed: u64) {
    let device = Device::flex().autodiff();
    device.seed(seed);
    let Sizes { batch, channels: [inputs, outputs], grid: [a, b, c, d], kernel } = sizes;
    let volumes = random([batch, inputs, a, b, c, d], &device).require_grad();
    let upstream = random([batch, outputs, a, b, c, d], &device);
    let layer = Conv4dConfig::new([inputs, outputs], kernel).init(&device);
    let output = layer.forward(volumes.clone());
    let gradients = (output.clone() * upstream.clone()).sum().backward();
    let (weight, bias) = (layer.weight.val(), layer.bias.val());
    let wanted = convolve(sizes, &numbers(&volumes), &numbers(&weight), &numbers(&bias), &numbers(&upstream));
    assert_near("value", &numbers(&output), &wanted.value);
    assert_near("volume", &numbers(&volumes.grad(&gradients).expect("a gradient")), &wanted.volumes);
    assert_near("weight", &numbers(&weight.grad(&gradients).expect("a gradient")), &wanted.weights);
    assert_near("bias", &numbers(&bias.grad(&gradients).expect("a gradient")), &wanted.bias);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn it_is_its_definition_in_value_and_gradients(
        batch in 1usize..3,
        channels in [1usize..10, 1usize..16],
        grid in [1usize..5, 1usize..5, 1usize..5, 1usize..8],
        reach in 0usize..3,
        seed in any::<u64>(),
    ) {
        check(Sizes { batch, channels, grid, kernel: 2 * reach + 1 }, seed);
    }
}

#[test]
fn of_a_single_cell_and_of_planes_of_several_vectors() {
    check(Sizes { batch: 1, channels: [2, 3], grid: [1, 1, 1, 1], kernel: 5 }, 1);
    check(Sizes { batch: 3, channels: [1, 8], grid: [2, 3, 16, 16], kernel: 3 }, 2);
    check(Sizes { batch: 1, channels: [8, 1], grid: [3, 2, 7, 13], kernel: 3 }, 3);
}

#[test]
fn gradients_are_slopes() {
    let device = Device::flex().autodiff();
    device.seed(4);
    let upstream = random([2, 3, 3, 2, 4, 3], &device);
    let layer = Conv4dConfig::new([2, 3], 3).init(&device);
    let volumes = random([2, 2, 3, 2, 4, 3], &device).require_grad();
    let score = |layer: &Conv4d, volumes: &Tensor<6>| (layer.forward(volumes.clone()) * upstream.clone()).sum();
    let gradients = score(&layer, &volumes).backward();
    let number = |score: Tensor<1>| f64::from(score.into_scalar::<f32>());
    // The score is linear in each alone: differences are slopes whatever their width.
    let (weight, bias) = (layer.weight.val(), layer.bias.val());
    for _ in 0..5 {
        let step = random(volumes.dims(), &device);
        let moved = |sign: f64| number(score(&layer, &(volumes.clone() + step.clone() * sign)));
        let slope = number((volumes.grad(&gradients).expect("a gradient") * step.clone().inner()).sum());
        assert!(((moved(1.0) - moved(-1.0)) / 2.0 - slope).abs() < 1e-2, "volumes: {slope}");

        let (to_weight, to_bias) = (random(weight.dims(), &device), random(bias.dims(), &device));
        let moved = |sign: f64| {
            let layer = Conv4d {
                weight: Param::from_tensor((weight.clone() + to_weight.clone() * sign).detach()),
                bias: Param::from_tensor((bias.clone() + to_bias.clone() * sign).detach()),
            };
            number(score(&layer, &volumes))
        };
        let slope =
            number((layer.weight.val().grad(&gradients).expect("a gradient") * to_weight.clone().inner()).sum())
                + number((layer.bias.val().grad(&gradients).expect("a gradient") * to_bias.clone().inner()).sum());
        assert!(((moved(1.0) - moved(-1.0)) / 2.0 - slope).abs() < 1e-2, "parameters: {slope}");
    }
}

#[test]
fn threads_change_no_bit() {
    let device = Device::flex().autodiff();
    // Drawn once: the generator is the process's, and other tests draw from it meanwhile.
    let volumes = random([5, 1, 4, 4, 5, 5], &device).require_grad();
    let layer = Conv4dConfig::new([1, 8], 3).init(&device);
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
        pool.install(|| {
            let output = layer.forward(volumes.clone());
            let gradients = output.clone().powi_scalar(2).sum().backward();
            let weight = layer.weight.val().grad(&gradients).expect("a gradient");
            [numbers(&output), numbers(&volumes.grad(&gradients).expect("a gradient")), numbers(&weight)]
        })
    };
    assert_eq!(run(1), run(3));
}

#[test]
#[should_panic(expected = "volumes of 2 channels for a layer that takes 1")]
fn volumes_of_other_channels_are_refused() {
    let device = Device::flex();
    Conv4dConfig::new([1, 1], 3).init(&device).forward(Tensor::zeros([1, 2, 2, 2, 2, 2], &device));
}

#[test]
#[should_panic(expected = "odd size, not 4")]
fn a_kernel_without_a_middle_is_refused() {
    Conv4dConfig::new([1, 1], 4).init(&Device::flex());
}

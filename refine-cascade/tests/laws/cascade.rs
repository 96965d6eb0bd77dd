use burn::module::Module;
use burn::tensor::{Device, Distribution, Tensor};
use corr_volume::{CorrVolume, Grid, l2_normalise};
use refine_cascade::{CascadeConfig, mean_volume};

use crate::naive::tensors::*;

fn hyperpixel(device: &Device) -> Tensor<4> {
    let features = uniform(2 * 6 * 12, -1.0, 1.0, 2);
    l2_normalise(tensor(&features, [2, 6, 3, 4], device))
}

#[test]
fn every_stage_starts_as_the_one_before() {
    let device = Device::flex();
    let cascade = CascadeConfig::new(6).with_hidden(5).init(&device);
    let features = hyperpixel(&device);
    let stages = cascade.forward(features.clone());
    assert_eq!((stages.len(), cascade.stages()), (3, 3));
    for stage in stages {
        assert_close(&numbers(stage), &numbers(features.clone()), 1e-6, 0.0);
    }
}

#[test]
fn stages_answer_with_unit_length_and_build_on_each_other() {
    let device = Device::flex();
    let cascade = CascadeConfig::new(6).with_stages(2).with_hidden(5).init(&device);
    // Away from the initial zeros.
    let cascade = cascade.map(&mut Shake);
    let stages = cascade.forward(hyperpixel(&device));
    let first = cascade.adapter(0).forward(hyperpixel(&device));
    assert_close(&numbers(stages[0].clone()), &numbers(first.clone()), 1e-6, 0.0);
    let second = cascade.adapter(1).forward(first);
    assert_close(&numbers(stages[1].clone()), &numbers(second), 1e-6, 0.0);
    let lengths = numbers(stages[1].clone().square().sum_dim(1));
    assert_close(&lengths, &[1.0; 24], 1e-4, 0.0);
}

/// Gives every parameter new values.
pub struct Shake;

impl burn::module::ModuleMapper for Shake {
    fn map_float<const D: usize>(&mut self, param: burn::module::Param<Tensor<D>>) -> burn::module::Param<Tensor<D>> {
        param.map(|tensor| {
            let shape = tensor.shape();
            let device = tensor.device();
            let tracked = tensor.is_require_grad();
            let noise = Tensor::random(shape, Distribution::Uniform(-0.3, 0.3), &device);
            noise.set_require_grad(tracked)
        })
    }
}

#[test]
fn the_mean_of_volumes() {
    let grid = Grid::new(1, 2);
    let device = Device::flex();
    let volumes: Vec<CorrVolume> =
        [[0.0, 1.0, 2.0, 3.0], [4.0, 1.0, 0.0, 0.0]].iter().map(|values| volume(values, grid, grid, &device)).collect();
    assert_eq!(numbers(mean_volume(&volumes).into_values()), [2.0, 1.0, 1.0, 1.5]);
}

#[test]
#[should_panic(expected = "the mean of 0 volumes")]
fn no_volumes_have_no_mean() {
    mean_volume(&[]);
}

//! What holds of the network whatever its weights are, and that its loss has the gradient it claims.

use std::ops::Range;

use burn::module::{Module, Param};
use burn::tensor::{Device, Distribution, Tensor, TensorData};
use corr_volume::{CorrVolume, Grid};
use eval::matcher::{
    KeyPointBatch, Matcher, MutualNearest, NcNet, NcNetConfig, NcNetStart, PointsInCells, TrainableMatcher,
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// How far a network is moved to find a slope.
const WIDTH: f64 = 5e-4;

fn maps(batch: usize, grid: [usize; 2], device: &Device) -> Vec<Tensor<4>> {
    let random = |channels, [height, width]: [usize; 2]| {
        Tensor::random([batch, channels, height, width], Distribution::Normal(0.0, 1.0), device)
    };
    vec![random(6, grid), random(4, grid.map(|side| side.div_ceil(2)))]
}

fn bits(volume: &CorrVolume) -> Vec<u32> {
    let values = volume.values().try_into_vec_as::<f32>().expect("f32 on the host");
    values.into_iter().map(f32::to_bits).collect()
}

fn configs() -> [NcNetConfig; 3] {
    let three = NcNetConfig { kernels: vec![3, 5, 1], hidden: vec![4, 3], ..NcNetConfig::published() };
    [NcNetConfig::small(), NcNetConfig { start: NcNetStart::Published, ..NcNetConfig::small() }, three]
}

#[test]
fn the_published_network_has_as_many_parameters_as_theirs() {
    assert_eq!(NcNetConfig::published().init(&Device::flex()).num_params(), 180_033);
}

#[test]
fn exchanged_images_give_the_transposed_volume_to_the_last_bit() {
    let device = Device::flex();
    for config in configs() {
        let net = config.init(&device);
        for grids in [[[4, 5], [6, 3]], [[7, 7], [7, 7]], [[1, 1], [3, 2]]] {
            let [source, target] = grids.map(|grid| maps(2, grid, &device));
            let there = net.volume(&source, &target);
            let back = net.volume(&target, &source);
            assert_eq!(there.source(), Grid::new(grids[0][0], grids[0][1]));
            assert_eq!(bits(&there.transpose()), bits(&back), "{config:?} {grids:?}");
        }
    }
}

#[test]
fn so_do_features_of_many_channels_whose_product_is_packed() {
    let device = Device::flex();
    let net = NcNetConfig::small().init(&device);
    let map =
        |height, width| vec![Tensor::<4>::random([1, 1300, height, width], Distribution::Normal(0.0, 1.0), &device)];
    let (source, target) = (map(16, 16), map(15, 17));
    assert_eq!(bits(&net.volume(&source, &target).transpose()), bits(&net.volume(&target, &source)));
}

#[test]
fn a_pair_is_answered_the_same_in_any_place_of_any_batch() {
    let device = Device::flex();
    let net = NcNetConfig::small().init(&device);
    let (source, target) = (maps(3, [5, 4], &device), maps(3, [4, 6], &device));
    let together = net.volume(&source, &target);
    let of = |order: &[usize]| {
        let pick = |maps: &[Tensor<4>]| -> Vec<Tensor<4>> {
            let take = |map: &Tensor<4>| Tensor::cat(order.iter().map(|&at| map.clone().narrow(0, at, 1)).collect(), 0);
            maps.iter().map(take).collect()
        };
        bits(&net.volume(&pick(&source), &pick(&target)))
    };
    let together = bits(&together);
    let pair = |at: usize| &together[at * together.len() / 3..(at + 1) * together.len() / 3];
    assert_eq!(of(&[2, 0, 1]), [pair(2), pair(0), pair(1)].concat());
    assert_eq!(of(&[1]), pair(1));
}

#[test]
fn scores_lie_between_0_and_1_and_none_is_nan_even_without_any_evidence() {
    let device = Device::flex();
    let grid = Grid::new(3, 4);
    for config in configs() {
        let net = config.init(&device);
        let random = Tensor::random([2, 12, 12], Distribution::Uniform(-1.0, 1.0), &device);
        let nothing = Tensor::zeros([2, 12, 12], &device);
        for values in [random, nothing.clone(), nothing - 1.0] {
            let answer = net.filter(&CorrVolume::new(values, grid, grid)).values();
            assert!(answer.try_into_vec_as::<f32>().expect("f32").iter().all(|score| (0.0..=1.0).contains(score)));
        }
    }
}

#[test]
fn untrained_it_answers_nearly_as_mutual_nearest_neighbours() {
    let device = Device::flex();
    let points = |volume: &CorrVolume| MutualNearest.read(volume, volume.source().points(&device).unsqueeze());
    for trial in 0..10 {
        let (source, target) = (maps(1, [8, 8], &device), maps(1, [8, 8], &device));
        let net = NcNetConfig::small().init(&device);
        let [ours, theirs] =
            [net.volume(&source, &target), MutualNearest.volume(&source, &target)].map(|volume| points(&volume).points);
        let far = (ours - theirs).abs().max_dim(2).greater_scalar(1.0).float().mean().into_scalar::<f32>();
        assert!(far < 0.3, "trial {trial}: {far} of the answers moved more than a cell");
    }
}

/// Numbers that are the same in every run, whatever other tests draw from the device's generator.
fn drawn<const D: usize>(rng: &mut ChaCha8Rng, between: Range<f32>, dims: [usize; D], device: &Device) -> Tensor<D> {
    let values = (0..dims.iter().product()).map(|_| rng.random_range(between.clone())).collect::<Vec<f32>>();
    Tensor::from_data(TensorData::new(values, dims), device)
}

/// The network with one layer's weights moved.
fn moved(net: &NcNet, layer: usize, step: &Tensor<6>) -> NcNet {
    let mut net = net.clone();
    let weight = net.layers[layer].weight.val() + step.clone();
    net.layers[layer].weight = Param::from_tensor(weight.detach());
    net
}

#[test]
fn the_loss_has_the_slope_that_its_gradient_says() {
    let device = Device::flex().autodiff();
    let rng = &mut ChaCha8Rng::seed_from_u64(1);
    let mut net = NcNetConfig::small().init(&device);
    for layer in &mut net.layers {
        // More above 0 than below: no score is lost.
        layer.weight = Param::from_tensor(drawn(rng, -0.1..0.2, layer.weight.dims(), &device));
        layer.bias = Param::from_tensor(drawn(rng, -0.1..0.2, layer.bias.dims(), &device));
    }
    let maps = |rng: &mut ChaCha8Rng| vec![drawn(rng, -1.0..1.0, [2, 6, 5, 5], &device)];
    let (source, target) = (maps(rng), maps(rng));
    let points = |shift: f32| PointsInCells {
        source: vec![[1.0, 1.0], [2.5, 3.0], [0.2, 3.7]],
        target: vec![[1.0 + shift, 2.0], [2.5 + shift, 3.5], [0.2 + shift, 3.0]],
        length: 5.0,
    };
    let points = KeyPointBatch::new(&[&points(0.0), &points(1.0)], &device);
    let loss = |net: &NcNet| net.loss(&source, &target, &points, 0);
    let number = |loss: Tensor<1>| f64::from(loss.into_scalar::<f32>());
    let gradients = loss(&net).backward();
    for (index, layer) in net.layers.iter().enumerate() {
        let gradient = layer.weight.val().grad(&gradients).expect("a gradient");
        // Along the gradient itself, where the slope is steepest and rounding least; and not far, since maxima and ReLUs
        // have kinks.
        let length = number(gradient.clone().square().sum()).sqrt();
        assert!(length > 0.01, "layer {index} learns nothing: {length}");
        let step = Tensor::from_inner(gradient) * (WIDTH / length);
        let difference = number(loss(&moved(&net, index, &step))) - number(loss(&moved(&net, index, &-step)));
        let slope = difference / (2.0 * WIDTH);
        assert!((slope - length).abs() < 0.01 * length, "layer {index}: {slope} for {length}");
    }
}

#[test]
fn a_config_says_what_differs_and_refuses_what_it_does_not_know() {
    let config: NcNetConfig = serde_json::from_str(r#"{"hidden": [16], "start": "published"}"#).expect("a config");
    assert_eq!(config, NcNetConfig { hidden: vec![16], start: NcNetStart::Published, ..NcNetConfig::small() });
    assert!(serde_json::from_str::<NcNetConfig>(r#"{"chanels": [16]}"#).is_err());
}

#[test]
#[should_panic(expected = "3 kernels for 2 layers")]
fn kernels_and_channels_have_to_fit() {
    NcNetConfig { kernels: vec![3, 3, 3], ..NcNetConfig::small() }.init(&Device::flex());
}

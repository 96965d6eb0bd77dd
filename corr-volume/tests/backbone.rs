//! Laws of the backbones that hold for any weights.

use burn::module::Module;
use burn::tensor::{Device, Distribution, Tensor};
use corr_volume::{Backbone, BackboneConfig, BackboneName, BatchNormMode};

fn random(shape: [usize; 4], device: &Device) -> Tensor<4> {
    Tensor::random(shape, Distribution::Normal(0.0, 1.0), device)
}

fn distance(a: Tensor<4>, b: Tensor<4>) -> f32 {
    let scale = b.clone().abs().max().into_scalar::<f32>();
    (a - b).abs().max().into_scalar::<f32>() / scale
}

#[test]
fn channels_and_strides_are_those_of_the_outputs() {
    let device = Device::flex();
    for name in BackboneName::ALL {
        for dilated in [false, true] {
            let backbone = BackboneConfig { name, dilated }.init(&device);
            let keep: Vec<usize> = (0..backbone.block_count()).collect();
            let outputs = backbone.forward_from(random([2, 3, 64, 96], &device), 0, &keep);
            for (block, output) in outputs.iter().enumerate() {
                let stride = backbone.stride(block);
                assert_eq!(output.dims(), [2, backbone.channels(block), 64 / stride, 96 / stride]);
            }
        }
    }
}

#[test]
fn stride_sixteen_ends_where_the_protocol_says() {
    let device = Device::flex();
    let at_sixteen = |name, dilated| {
        let backbone = BackboneConfig { name, dilated }.init(&device);
        let blocks = (0..backbone.block_count()).filter(|block| backbone.stride(*block) == 16);
        blocks.collect::<Vec<_>>()
    };
    assert_eq!(at_sixteen(BackboneName::EfficientNetLite0, false), (5..=10).collect::<Vec<_>>());
    assert_eq!(at_sixteen(BackboneName::EfficientNetLite0, true), (5..=15).collect::<Vec<_>>());
    assert_eq!(at_sixteen(BackboneName::EfficientNetLite2, false), (7..=14).collect::<Vec<_>>());
    assert_eq!(at_sixteen(BackboneName::EfficientNetLite2, true), (7..=20).collect::<Vec<_>>());
}

#[test]
fn starting_in_the_middle_continues_what_was_begun() {
    let device = Device::flex();
    let backbone = BackboneConfig::new(BackboneName::EfficientNetLite0).init(&device);
    let image = random([1, 3, 64, 64], &device);
    let whole = backbone.forward_from(image.clone(), 0, &[7, 10, 14]);
    let middle = backbone.forward_from(image, 0, &[7]).remove(0);
    let rest = backbone.forward_from(middle, 8, &[10, 14]);
    assert_eq!((whole.len(), rest.len()), (3, 2));
    for (a, b) in whole[1..].iter().zip(&rest) {
        a.to_data().assert_eq(&b.to_data(), true);
    }
}

/// With SAME padding the undilated network's cell `o` looks where the dilated one's cell `2o + 1` looks.
#[test]
fn dilation_computes_the_same_values_at_every_second_cell() {
    let device = Device::flex();
    let plain = BackboneConfig::new(BackboneName::EfficientNetLite0).init(&device);
    let config = BackboneConfig { name: BackboneName::EfficientNetLite0, dilated: true };
    let dilated = config.init(&device).load_record(plain.clone().into_record());
    let image = random([1, 3, 192, 160], &device);
    let expected = plain.forward_from(image.clone(), 0, &[10, 11, 14, 15]);
    let got = dilated.forward_from(image, 0, &[10, 11, 14, 15]);
    assert_eq!(got[0].to_data(), expected[0].to_data());
    assert_eq!((got.len(), expected.len()), (4, 4));
    for (got, expected) in got.into_iter().zip(expected).skip(1) {
        let [.., height, width] = got.dims();
        assert_eq!((height, width), (12, 10));
        let rows = Tensor::arange(0..height as i64 / 2, &device) * 2 + 1;
        let columns = Tensor::arange(0..width as i64 / 2, &device) * 2 + 1;
        let got = got.select(2, rows).select(3, columns);
        assert!(distance(got, expected) < 1e-4);
    }
}

/// Trains for a few steps, so that the running statistics are neither 0 and 1 nor those of the last batch.
fn warmed_up(name: BackboneName, device: &Device) -> Backbone {
    let backbone = BackboneConfig::new(name).init(device).with_batch_norm(BatchNormMode::Training);
    for _ in 0..3 {
        backbone.forward_from(random([4, 3, 32, 32], device) * 2.0 + 1.0, 0, &[2]);
    }
    backbone
}

#[test]
fn frozen_batch_norm_on_an_autodiff_device_is_evaluation() {
    let device = Device::flex().autodiff();
    for name in [BackboneName::Small, BackboneName::EfficientNetLite0] {
        let backbone = warmed_up(name, &device);
        let image = random([2, 3, 32, 32], &device);
        let batch = backbone.forward_from(image.clone(), 0, &[2]).remove(0).without_autodiff();
        let frozen = backbone.clone().with_batch_norm(BatchNormMode::Frozen);
        let running = frozen.forward_from(image.clone(), 0, &[2]).remove(0).without_autodiff();
        let again = frozen.forward_from(image.clone(), 0, &[2]).remove(0).without_autodiff();
        let valid = backbone.valid().forward_from(image.without_autodiff(), 0, &[2]).remove(0);
        assert!(distance(running.clone(), valid) < 1e-5, "{name}: frozen is not evaluation");
        assert!(distance(running.clone(), again) == 0.0, "{name}: a frozen pass moved the statistics");
        assert!(distance(running, batch) > 1e-3, "{name}: training did not use the batch's statistics");
    }
}

/// One batch again and again: evaluation approaches what training mode computes from the batch itself.
#[test]
fn training_mode_moves_the_running_statistics_towards_the_batch() {
    let device = Device::flex().autodiff();
    let backbone = BackboneConfig::new(BackboneName::Small).init(&device);
    let image = random([16, 3, 64, 64], &device) * 3.0 + 2.0;
    let batch = backbone.forward_from(image.clone(), 0, &[0]).remove(0).without_autodiff();
    let evaluated = || backbone.valid().forward_from(image.clone().without_autodiff(), 0, &[0]).remove(0);
    let before = distance(evaluated(), batch.clone());
    for _ in 0..60 {
        backbone.forward_from(image.clone(), 0, &[0]);
    }
    let after = distance(evaluated(), batch);
    assert!(before > 0.1 && after < 0.02, "distance to the batch's own statistics: {before}, then {after}");
}

#[test]
fn tuning_the_last_blocks_gives_gradients_to_them_alone() {
    let device = Device::flex().autodiff();
    let backbone = BackboneConfig::new(BackboneName::EfficientNetLite0).init(&device);
    let middle = random([1, backbone.channels(7), 4, 4], &device);
    let output = backbone.forward_from(middle, 8, &[10]).remove(0);
    let mut gradients = output.powi_scalar(2).sum().backward();
    let tuned = burn::optim::GradientsParams::from_module(&mut gradients, &backbone).len();
    // Three convolutions with a weight, γ and β each, in blocks 8, 9 and 10.
    assert_eq!(tuned, 3 * 3 * 3);
}

/// Central differences of a weighted sum of the output, with respect to the input, through a whole frozen block.
#[test]
fn frozen_depthwise_weights_get_no_gradient_and_change_nothing_else() {
    let device = Device::flex().autodiff();
    let whole = warmed_up(BackboneName::EfficientNetLite0, &device).with_batch_norm(BatchNormMode::Frozen);
    let frozen = whole.clone().with_frozen_depthwise();
    let x = random([1, whole.channels(12), 3, 3], &device);
    let [a, b] = [&whole, &frozen].map(|backbone| backbone.forward_from(x.clone(), 13, &[13]).remove(0));
    assert!(distance(a.clone().inner(), b.clone().inner()) < 1e-6);
    let gradients = |output: Tensor<4>, backbone: &Backbone| {
        let gradients = output.square().sum().backward();
        burn::optim::GradientsParams::from_grads(gradients, backbone).len()
    };
    // The depthwise weight: one fewer.
    assert_eq!(gradients(b, &frozen) + 1, gradients(a, &whole));
}

#[test]
fn gradient_through_a_frozen_block_is_that_of_central_differences() {
    let device = Device::flex().autodiff();
    let backbone = BackboneConfig::new(BackboneName::EfficientNetLite0).init(&device);
    let channels = backbone.channels(5);
    let x = random([1, channels, 3, 3], &device).require_grad();
    let weights = random([1, channels, 3, 3], &device);
    let loss = |x: Tensor<4>| (backbone.forward_from(x, 6, &[6]).remove(0) * weights.clone()).sum();
    let gradients = loss(x.clone()).backward();
    let gradient: Vec<f32> = x.grad(&gradients).unwrap().into_data().try_to_vec().unwrap();
    let step = 3e-3;
    let values: Vec<f32> = x.clone().into_data().try_to_vec().unwrap();
    let (mut wrong, mut all) = (0.0, 0.0);
    for index in (0..values.len()).step_by(37) {
        let moved = |by: f32| {
            let mut values = values.clone();
            values[index] += by;
            let x = Tensor::<1>::from_floats(values.as_slice(), &device).reshape([1, channels, 3, 3]);
            loss(x).into_scalar::<f32>()
        };
        let difference = (moved(step) - moved(-step)) / (2.0 * step);
        wrong += (difference - gradient[index]).powi(2);
        all += difference.powi(2);
    }
    // ReLU6 has kinks, of which a few lie within a step.
    assert!((wrong / all).sqrt() < 0.06, "relative error {}", (wrong / all).sqrt());
}

#[test]
#[should_panic(expected = "blocks to keep must ascend, got [10, 4]")]
fn blocks_to_keep_must_ascend() {
    let device = Device::flex();
    let backbone = BackboneConfig::new(BackboneName::EfficientNetLite0).init(&device);
    backbone.forward_from(random([1, 3, 32, 32], &device), 0, &[10, 4]);
}

#[test]
#[should_panic(expected = "takes 80 channels, got 3")]
fn the_input_must_fit_the_first_block() {
    let device = Device::flex();
    let backbone = BackboneConfig::new(BackboneName::EfficientNetLite0).init(&device);
    backbone.forward_from(random([1, 3, 32, 32], &device), 8, &[10]);
}

#[test]
fn only_pretrained_networks_have_logits() {
    let device = Device::flex();
    let logits = |name| {
        let backbone = BackboneConfig::new(name).init(&device);
        let last = backbone.block_count() - 1;
        let output = backbone.forward_from(random([2, 3, 32, 32], &device), 0, &[last]).remove(0);
        backbone.logits(output).map(|logits| logits.dims())
    };
    assert_eq!(logits(BackboneName::EfficientNetLite0), Some([2, 1000]));
    assert_eq!(logits(BackboneName::Small), None);
}

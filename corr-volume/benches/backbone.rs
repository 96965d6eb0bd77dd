//! Time of the backbones: inference, tuning of the last blocks, and training from scratch.
//!
//! `cargo bench -p corr-volume --bench backbone`

use std::hint::black_box;
use std::time::Duration;

use burn::module::Module;
use burn::tensor::{Device, Distribution, Tensor};
use corr_volume::{Backbone, BackboneConfig, BackboneName, preprocess_batch};
use criterion::{Criterion, criterion_group, criterion_main};
use image::{Rgb, RgbImage};

fn random(shape: [usize; 4], device: &Device) -> Tensor<4> {
    Tensor::random(shape, Distribution::Normal(0.0, 1.0), device)
}

/// Waits for the values, which a device may compute later.
fn finish(tensor: Tensor<4>) -> f32 {
    tensor.slice([0..1, 0..1, 0..1, 0..1]).into_scalar()
}

fn forward_and_backward(backbone: &Backbone, x: Tensor<4>, first: usize, last: usize) {
    let output = backbone.forward_from(x, first, &[last]).remove(0);
    black_box(output.mean().backward());
}

fn benches(criterion: &mut Criterion) {
    let device = Device::flex();
    let training = device.clone().autodiff();
    let mut group = criterion.benchmark_group("backbone");
    group.sample_size(10).measurement_time(Duration::from_secs(5)).warm_up_time(Duration::from_secs(1));

    let lite0 = BackboneConfig::new(BackboneName::EfficientNetLite0).init(&device);
    let images = random([8, 3, 320, 320], &device);
    group.bench_function("lite0 forward to block 14, 8 images of 320×320", |b| {
        b.iter(|| finish(lite0.forward_from(images.clone(), 0, &[10, 14]).remove(1)));
    });

    let tuned = lite0.clone().train();
    let middle = random([12, 80, 20, 20], &training);
    group.bench_function("lite0 blocks 8–14 forward, batch 12", |b| {
        b.iter(|| finish(lite0.forward_from(middle.clone().without_autodiff(), 8, &[14]).remove(0)));
    });
    group.bench_function("lite0 blocks 8–14 forward and backward, batch 12", |b| {
        b.iter(|| forward_and_backward(&tuned, middle.clone(), 8, 14));
    });

    let small = BackboneConfig::new(BackboneName::Small).init(&training);
    let drawn = random([16, 3, 128, 128], &training);
    group.bench_function("small forward and backward, 16 images of 128×128", |b| {
        b.iter(|| forward_and_backward(&small, drawn.clone(), 0, small.block_count() - 1));
    });

    let photo = RgbImage::from_fn(300, 300, |x, y| Rgb([x as u8, y as u8, (x * y) as u8]));
    for (pixels, name) in [(320, "preprocess 300×300 to 320×320"), (224, "preprocess 300×300 to 224×224")] {
        group.bench_function(name, |b| {
            b.iter(|| preprocess_batch(&[&photo], (pixels, pixels), &lite0.normalisation(), &device));
        });
    }
    group.finish();
}

criterion_group!(all, benches);
criterion_main!(all);

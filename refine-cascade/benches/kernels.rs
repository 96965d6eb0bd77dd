//! Voting, labels and the adapter: `cargo bench --workspace --bench kernels`.
//!
//! With `--workspace`, since the tensor backend is otherwise built a second time, with this crate's features alone.

use std::hint::black_box;
use std::time::Duration;

use burn::tensor::{Device, Distribution, Tensor};
use corr_volume::{CorrVolume, l2_normalise};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use refine_cascade::{AdapterConfig, LabelConfig, VoteConfig, labels, vote};

const CHANNELS: usize = 304;

fn features(batch: usize, side: usize, device: &Device) -> Tensor<4> {
    l2_normalise(Tensor::random([batch, CHANNELS, side, side], Distribution::Normal(0.0, 1.0), device))
}

fn benches(criterion: &mut Criterion) {
    let device = Device::flex();
    device.seed(0);
    let mut group = criterion.benchmark_group("cascade");
    group.sample_size(10).measurement_time(Duration::from_secs(3)).warm_up_time(Duration::from_secs(1));
    for (batch, side) in [(4, 20), (1, 32)] {
        let volume = CorrVolume::cosine(features(batch, side, &device), features(batch, side, &device));
        let mask: Tensor<3> = Tensor::ones([batch, side, side], &device);
        for (name, config) in [("vote", VoteConfig::default()), ("vote trained", VoteConfig::for_trained())] {
            group.bench_function(BenchmarkId::new(name, side), |b| {
                b.iter(|| black_box(vote(&volume, mask.clone(), mask.clone(), &config)));
            });
        }
        let voted = vote(&volume, mask.clone(), mask.clone(), &VoteConfig::default());
        let config = LabelConfig::default();
        group.bench_function(BenchmarkId::new("labels", side), |b| {
            b.iter(|| black_box(labels(&voted, mask.clone(), &config)));
        });
    }
    let training = device.autodiff();
    let adapter = AdapterConfig::new(CHANNELS, CHANNELS).init(&training);
    let maps = features(8, 20, &training).require_grad();
    group.bench_function("adapter forward, 8 maps of 20×20", |b| b.iter(|| black_box(adapter.forward(maps.clone()))));
    group.bench_function("adapter forward and backward, 8 maps of 20×20", |b| {
        b.iter(|| black_box(adapter.forward(maps.clone()).sum().backward()));
    });
    group.finish();
}

criterion_group!(kernels, benches);
criterion_main!(kernels);

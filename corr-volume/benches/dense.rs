//! Dense matching, streamed and by way of the volume: `cargo bench -p corr-volume --bench dense`.

use std::hint::black_box;
use std::time::Duration;

use burn::tensor::{Device, Distribution, Tensor};
use corr_volume::{CorrVolume, DenseMatch, l2_normalise, soft_mutual};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};

fn features(side: usize) -> Tensor<4> {
    l2_normalise(Tensor::random([1, 256, side, side], Distribution::Normal(0.0, 1.0), &Device::flex()))
}

fn benches(criterion: &mut Criterion) {
    Device::flex().seed(0);
    let mut group = criterion.benchmark_group("dense");
    group.sample_size(10).measurement_time(Duration::from_secs(3)).warm_up_time(Duration::from_secs(1));
    for side in [20, 32, 64] {
        let (source, target) = (features(side), features(side));
        let config = DenseMatch::default();
        group.bench_function(BenchmarkId::new("streamed", side), |b| {
            b.iter(|| black_box(config.read(source.clone(), target.clone())));
        });
        group.bench_function(BenchmarkId::new("top 8", side), |b| {
            b.iter(|| black_box(config.top(source.clone(), target.clone(), 8)));
        });
        let readout = config.readout;
        let points = Tensor::<3>::random([1, 10, 2], Distribution::Uniform(0.0, side as f64 - 1.0), &Device::flex());
        group.bench_function(BenchmarkId::new("10 points", side), |b| {
            let config = DenseMatch::unfiltered(readout);
            b.iter(|| black_box(config.read_at(source.clone(), target.clone(), points.clone())));
        });
        group.bench_function(BenchmarkId::new("10 points, composed", side), |b| {
            b.iter(|| {
                let volume = CorrVolume::cosine(source.clone(), target.clone());
                black_box(readout.read(&volume, points.clone()));
            });
        });
        if side <= 32 {
            group.bench_function(BenchmarkId::new("composed", side), |b| {
                b.iter(|| {
                    let volume = soft_mutual(&CorrVolume::cosine(source.clone(), target.clone()));
                    let there = config.readout.read_cells(&volume).points;
                    black_box((there, config.readout.read_cells(&volume.transpose()).points));
                });
            });
        }
    }
    group.finish();
}

criterion_group!(dense, benches);
criterion_main!(dense);

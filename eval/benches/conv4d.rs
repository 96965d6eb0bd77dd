//! The two layers of a small NC-Net on both directions of four pairs, grids of 16 by 16, and a whole step of its training:
//! `RAYON_NUM_THREADS=1 cargo bench -p eval --bench conv4d`.

use std::hint::black_box;
use std::time::Duration;

use burn::module::Module;
use burn::tensor::{Device, Distribution, Tensor, activation::relu};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use eval::matcher::{Conv4d, Conv4dConfig, KeyPointBatch, NcNetConfig, PointsInCells, TrainableMatcher};

const PAIRS: usize = 4;

fn score(layers: &[Conv4d], volumes: &Tensor<6>) -> Tensor<6> {
    layers.iter().fold(volumes.clone(), |volumes, layer| relu(layer.forward(volumes)))
}

fn benches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("conv4d");
    group.sample_size(10).measurement_time(Duration::from_secs(3)).warm_up_time(Duration::from_secs(1));
    for channels in [8, 16] {
        let device = Device::flex().autodiff();
        let layer = |channels| Conv4dConfig::new(channels, 3).init(&device);
        let layers = [layer([1, channels]), layer([channels, 1])];
        let volumes = Tensor::random([PAIRS, 1, 16, 16, 16, 16], Distribution::Uniform(0.0, 1.0), &device);
        let reversed = volumes.clone().permute([0, 1, 4, 5, 2, 3]);
        group.bench_function(BenchmarkId::new("forward", channels), |b| {
            b.iter(|| black_box([score(&layers, &volumes), score(&layers, &reversed)]));
        });
        group.bench_function(BenchmarkId::new("forward and backward", channels), |b| {
            b.iter(|| black_box((score(&layers, &volumes) + score(&layers, &reversed)).mean().backward()));
        });
    }
    let device = Device::flex().autodiff();
    let net = NcNetConfig::small().init(&device).train();
    let maps = || vec![Tensor::random([PAIRS, 64, 16, 16], Distribution::Normal(0.0, 1.0), &device)];
    let (source, target) = (maps(), maps());
    let points = PointsInCells { source: vec![[3.0, 4.0]; 8], target: vec![[5.0, 6.0]; 8], length: 12.0 };
    let points = KeyPointBatch::new(&[&points; PAIRS], &device);
    group.bench_function("loss of a network, forward and backward", |b| {
        b.iter(|| black_box(net.loss(&source, &target, &points, 0).backward()));
    });
    group.finish();
}

criterion_group!(conv4d, benches);
criterion_main!(conv4d);

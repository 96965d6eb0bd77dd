//! Pairs of feature maps whose matches are known: one layer moves with the object, the other misleads.

use burn::tensor::{Device, Tensor, TensorData};
use eval::matcher::{Matcher, PointsInCells, Sample};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

pub const SIDE: usize = 8;
pub const CHANNELS: [usize; 2] = [24, 12];

/// `count` pairs. In the first layer the target is the source moved by whole cells of its own, with noise; the second says
/// of every cell where it is, so that it matches each with the same place.
pub fn pairs(count: usize, device: &Device) -> Vec<Sample> {
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    let place: Vec<f32> = (0..CHANNELS[1] * SIDE * SIDE).map(|_| normal(&mut rng)).collect();
    (0..count).map(|_| pair(&mut rng, &place, device)).collect()
}

fn pair(rng: &mut ChaCha8Rng, place: &[f32], device: &Device) -> Sample {
    let cells = SIDE * SIDE;
    let [dx, dy] = [0, 1].map(|_| rng.random_range(1..4_usize));
    let source: Vec<f32> = (0..CHANNELS[0] * cells).map(|_| normal(rng)).collect();
    let mut target = vec![0.0; source.len()];
    for (at, value) in target.iter_mut().enumerate() {
        let (channel, y, x) = (at / cells, at % cells / SIDE, at % SIDE);
        let (from_x, from_y) = ((x + SIDE - dx) % SIDE, (y + SIDE - dy) % SIDE);
        *value = source[channel * cells + from_y * SIDE + from_x] + 0.7 * normal(rng);
    }
    let map = |values: &[f32], channels: usize| {
        Tensor::from_data(TensorData::new(values.to_vec(), [1, channels, SIDE, SIDE]), device)
    };
    let of_place = map(place, CHANNELS[1]);
    let mut points = PointsInCells { source: Vec::new(), target: Vec::new(), length: (SIDE - 1) as f32 };
    for _ in 0..6 {
        let [x, y] = [dx, dy].map(|shift| rng.random_range(0..SIDE - shift));
        points.source.push([x as f32, y as f32]);
        points.target.push([(x + dx) as f32, (y + dy) as f32]);
    }
    Sample {
        source: vec![map(&source, CHANNELS[0]), of_place.clone()],
        target: vec![map(&target, CHANNELS[0]), of_place],
        points,
    }
}

fn normal(rng: &mut ChaCha8Rng) -> f32 {
    let [a, b] = [0, 1].map(|_| rng.random_range(f32::EPSILON..1.0));
    (-2.0 * a.ln()).sqrt() * (std::f32::consts::TAU * b).cos()
}

/// The share of points, in per cent, that are answered within `alpha` of the box.
pub fn pck(matcher: &impl Matcher, samples: &[Sample], alpha: f32, device: &Device) -> f32 {
    let (mut right, mut all) = (0, 0);
    for sample in samples {
        let volume = matcher.volume(&sample.source, &sample.target);
        let asked: Vec<f32> = sample.points.source.iter().flatten().copied().collect();
        let asked = Tensor::from_data(TensorData::new(asked, [1, sample.points.source.len(), 2]), device);
        let answers: Vec<f32> = matcher.read(&volume, asked).points.into_data().iter::<f32>().collect();
        for (answer, truth) in answers.chunks_exact(2).zip(&sample.points.target) {
            all += 1;
            right += usize::from((answer[0] - truth[0]).hypot(answer[1] - truth[1]) <= alpha * sample.points.length);
        }
    }
    100.0 * right as f32 / all as f32
}

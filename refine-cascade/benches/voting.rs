//! Voting and labels of one pair on one core: `cargo bench -p refine-cascade`.
//!
//! Timed by hand: criterion would change the features of rayon's dependencies, and with them have
//! the whole tensor backend built a second time for this crate's tests.

use std::hint::black_box;
use std::time::{Duration, Instant};

use burn::tensor::{Device, Distribution, Tensor};
use corr_volume::{CorrVolume, l2_normalise};
use refine_cascade::{LabelConfig, VoteConfig, labels, vote};

const REPEATS: usize = 30;

fn median<T>(run: impl Fn() -> T) -> Duration {
    black_box(run());
    let mut times: Vec<Duration> = (0..REPEATS)
        .map(|_| {
            let start = Instant::now();
            black_box(run());
            start.elapsed()
        })
        .collect();
    times.sort();
    times[REPEATS / 2]
}

fn main() -> Result<(), rayon::ThreadPoolBuildError> {
    let device = Device::flex();
    device.seed(0);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build()?;
    for side in [20, 32] {
        let features = || {
            let normal = Distribution::Normal(0.0, 1.0);
            l2_normalise(Tensor::random([1, 64, side, side], normal, &device))
        };
        let volume = CorrVolume::cosine(features(), features());
        let mask: Tensor<3> = Tensor::ones([1, side, side], &device);
        let config = VoteConfig::default();
        let voting = || vote(&volume, mask.clone(), mask.clone(), &config);
        let voted = voting();
        let config = LabelConfig::default();
        let labelling = || labels(&voted, mask.clone(), &config);
        pool.install(|| {
            println!("vote/{side}    {:>10.3?}", median(voting));
            println!("labels/{side}  {:>10.3?}", median(labelling));
        });
    }
    Ok(())
}

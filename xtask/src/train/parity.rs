//! The same steps on the CPU and on a GPU backend: the same losses and the same parameters, up to rounding.

#[path = "../../tests/skips/mod.rs"]
mod skips;

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, Tensor};

use super::session::Session;
use super::small_run::small_run;
use crate::network::Network;
use crate::run_folder::RunFolder;

const STEPS: usize = 3;

fn values(network: &Network) -> Vec<f32> {
    struct Collector(Vec<f32>);
    impl ModuleVisitor for Collector {
        fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
            let data = parameter.val().to_data();
            self.0.extend(data.as_slice::<f32>().expect("parameters are f32"));
        }
    }
    let mut collector = Collector(Vec::new());
    network.valid().visit(&mut collector);
    collector.0
}

fn root_mean_square(values: impl Iterator<Item = f32>) -> f64 {
    let (sum, count) = values.fold((0.0, 0usize), |(sum, count), value| (sum + f64::from(value).powi(2), count + 1));
    (sum / count.max(1) as f64).sqrt()
}

#[test]
fn steps_agree_on_both_backends() {
    let _generator = super::small_run::generator();
    let Ok(gpu) = Device::wgpu_options().init() else {
        return skips::skip("gpu", "there is no GPU adapter, not even a software one");
    };
    let folder = tempfile::tempdir().unwrap();
    let mut config = small_run(folder.path(), STEPS);
    // One shard of four pairs: a GPU in software takes its time.
    (config.train.pairs, config.train.shards) = (4, 1);
    let run = |name: &str| RunFolder::create(&folder.path().join(name).to_string_lossy()).unwrap();
    let (on_cpu, on_gpu) = (run("cpu"), run("gpu"));
    let mut cpu = Session::open(on_cpu.clone(), config.clone(), Device::flex(), false).unwrap();
    // Both begin with the parameters that the CPU's run began with: random numbers differ from backend to backend.
    let start = "start.ckpt";
    std::fs::copy(on_cpu.checkpoints().join(start), on_gpu.checkpoints().join(start)).unwrap();
    let mut gpu = Session::open(on_gpu, config, gpu, false).unwrap();
    let before = values(cpu.network());
    assert_eq!(before, values(gpu.network()));
    for step in 0..STEPS {
        let (a, b) = (cpu.step().unwrap().loss, gpu.step().unwrap().loss);
        // Sums of a few thousand f32 in another order agree to about 1e-4; the steps before add to that.
        assert!((a - b).abs() <= 2e-3 * a.abs(), "step {step}: loss {a} on the CPU, {b} on the GPU");
    }
    // Adam divides by the gradient's size, so that where it is next to nothing its rounding decides the step. Single
    // parameters can therefore differ by whole steps, all of them together hardly.
    let (a, b) = (values(cpu.network()), values(gpu.network()));
    let moved = root_mean_square(a.iter().zip(&before).map(|(a, b)| a - b));
    let apart = root_mean_square(a.iter().zip(&b).map(|(a, b)| a - b));
    assert!(moved > 0.0 && apart <= 0.1 * moved, "the runs moved by {moved} and are {apart} apart");
}

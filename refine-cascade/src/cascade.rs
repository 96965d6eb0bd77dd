//! K students, each on the shoulders of the one before.

use burn::config::Config;
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use corr_volume::CorrVolume;

use crate::adapter::{Adapter, AdapterConfig};

/// Configuration of a [`Cascade`].
#[derive(Config, Debug)]
pub struct CascadeConfig {
    /// Channels of the hyperpixel.
    pub channels: usize,
    /// Number of students K. Default 3.
    #[config(default = 3)]
    pub stages: usize,
    /// Hidden channels of each adapter. Default 256.
    #[config(default = 256)]
    pub hidden: usize,
}

/// Residual adapters `g_k = normalise(g_{k−1} + A_k(g_{k−1}))`, `g_0` the hyperpixel.
#[derive(Module, Debug)]
pub struct Cascade {
    adapters: Vec<Adapter>,
}

impl CascadeConfig {
    /// A new cascade: every stage answers as the hyperpixel does.
    ///
    /// # Panics
    ///
    /// If there are no channels or no stages.
    pub fn init(&self, device: &Device) -> Cascade {
        assert!(self.stages > 0, "a cascade has stages, not {}", self.stages);
        let adapter = AdapterConfig::new(self.channels, self.hidden);
        Cascade { adapters: (0..self.stages).map(|_| adapter.init(device)).collect() }
    }
}

impl Cascade {
    /// Number of students.
    pub fn stages(&self) -> usize {
        self.adapters.len()
    }

    /// The student of a stage, counted from 0.
    ///
    /// # Panics
    ///
    /// If there is no such stage.
    pub fn adapter(&self, stage: usize) -> &Adapter {
        &self.adapters[stage]
    }

    /// The features of every stage, g_1 to g_K.
    ///
    /// # Shapes
    ///
    /// - features: hyperpixel `[b, channels, h, w]`, unit length over channels
    /// - each output: the same
    pub fn forward(&self, features: Tensor<4>) -> Vec<Tensor<4>> {
        let mut last = features;
        self.adapters
            .iter()
            .map(|adapter| {
                last = adapter.forward(last.clone());
                last.clone()
            })
            .collect()
    }
}

/// The mean of the stages' volumes, which is what a cascade answers at inference besides its last
/// stage (Tang et al., OICR, CVPR 2017, average their refinement heads so).
///
/// # Shapes
///
/// - volumes and output: `[b, source_cells, target_cells]`
///
/// # Panics
///
/// If there is no volume, or their grids differ.
pub fn mean_volume(volumes: &[CorrVolume]) -> CorrVolume {
    let Some((first, others)) = volumes.split_first() else {
        panic!("the mean of 0 volumes");
    };
    let grids = (first.source(), first.target());
    let sum = others.iter().fold(first.values(), |sum, volume| {
        assert_eq!(
            (volume.source(), volume.target()),
            grids,
            "every volume has to have the (source, target) grids of the first"
        );
        sum + volume.values()
    });
    CorrVolume::new(sum.div_scalar(volumes.len() as f64), grids.0, grids.1)
}

//! Regularised Hough matching: matches that move alike support each other.

use burn::tensor::{Device, Tensor, TensorData, activation};
use corr_volume::{CorrVolume, Grid};
use serde::{Deserialize, Serialize};

use super::{Matcher, Nearest};

/// How matches vote.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HoughConfig {
    /// Cosines are clamped at 0 and raised to this power. Default 3, which its authors found best.
    pub power: f64,
    /// Offsets within this many cells vote for each other. Default 3: a window of 7 by 7.
    pub radius: usize,
    /// Standard deviation in cells of the Gaussian that weighs them. Default 1.5.
    pub deviation: f64,
}

impl Default for HoughConfig {
    fn default() -> Self {
        Self { power: 3.0, radius: 3, deviation: 1.5 }
    }
}

/// [`Nearest`] behind regularised Hough matching.
#[derive(Clone, Copy, Debug, Default)]
pub struct HoughMatcher {
    /// How matches vote.
    pub config: HoughConfig,
}

impl Matcher for HoughMatcher {
    fn volume(&self, source: &[Tensor<4>], target: &[Tensor<4>]) -> CorrVolume {
        hough_matching(&Nearest.volume(source, target), &self.config)
    }
}

/// Weighs every match with the votes for its offset (Min et al., *Hyperpixel Flow*, ICCV 2019, after Cho et al., CVPR 2015).
///
/// ```text
/// E_ij = max(0, C_ij)^p
/// H(o) = Σ_{j − i = o} E_ij,   H ← G ∗ H over 2-D offsets
/// V_ij = E_ij · H(j − i) / max_o H(o)
/// ```
///
/// `i` and `j` are cells as points, `o` is an offset in whole cells. Differentiable in the volume: the sums over
/// offsets are a product of matrices with constant entries.
pub fn hough_matching(volume: &CorrVolume, config: &HoughConfig) -> CorrVolume {
    let (source, target) = (volume.source(), volume.target());
    let evidence = activation::relu(volume.values()).powf_scalar(config.power);
    let [batch, rows, columns] = evidence.dims();
    let offsets = [source.height + target.height - 1, source.width + target.width - 1];
    let bins = offset_bins(source, target, &evidence.device());
    let flat = evidence.clone().reshape([batch, rows * columns]);
    let zeros = Tensor::zeros([batch, offsets[0] * offsets[1]], &evidence.device());
    let index = bins.unsqueeze::<2>().repeat_dim(0, batch);
    let votes = zeros.scatter(1, index.clone(), flat, burn::tensor::IndexingUpdateOp::Add);
    let smooth = smoothing(offsets[0], config, &evidence.device())
        .unsqueeze::<3>()
        .matmul(votes.reshape([batch, offsets[0], offsets[1]]))
        .matmul(smoothing(offsets[1], config, &evidence.device()).transpose().unsqueeze::<3>());
    let votes = smooth.reshape([batch, offsets[0] * offsets[1]]);
    let most = votes.clone().detach().max_dim(1).clamp_min(f64::from(f32::MIN_POSITIVE));
    let share = (votes / most).gather(1, index).reshape([batch, rows, columns]);
    CorrVolume::new(evidence * share, source, target)
}

/// The bin of each match's offset, `[source_cells · target_cells]`.
fn offset_bins(source: Grid, target: Grid, device: &Device) -> Tensor<1, burn::tensor::Int> {
    let width = source.width + target.width - 1;
    let mut bins = Vec::with_capacity(source.cells() * target.cells());
    for i in 0..source.cells() {
        let (row, column) = source.row_col(i);
        for j in 0..target.cells() {
            let (to_row, to_column) = target.row_col(j);
            let (down, across) = (to_row + source.height - 1 - row, to_column + source.width - 1 - column);
            bins.push((down * width + across) as i64);
        }
    }
    Tensor::from_data(TensorData::from(&bins[..]), device)
}

/// A Gaussian as a matrix over the offsets of an axis, `[n, n]`; each row sums to one but at the ends.
fn smoothing(count: usize, config: &HoughConfig, device: &Device) -> Tensor<2> {
    let taps: Vec<f64> =
        (0..=config.radius).map(|distance| (-0.5 * (distance as f64 / config.deviation).powi(2)).exp()).collect();
    let sum: f64 = taps[0] + 2.0 * taps[1..].iter().sum::<f64>();
    let weight = |a: usize, b: usize| taps.get(a.abs_diff(b)).map_or(0.0, |tap| (tap / sum) as f32);
    let values: Vec<f32> = (0..count * count).map(|at| weight(at / count, at % count)).collect();
    Tensor::from_data(TensorData::new(values, [count, count]), device)
}

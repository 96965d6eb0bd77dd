//! Labels for a student: the voted matches, filtered and calibrated.

use burn::tensor::Tensor;
use corr_volume::{CorrVolume, HostValues};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::calibrate::calibrate;
use crate::filter::candidates;
use crate::host::{read, upload};
use crate::voting::check_mask;

/// How labels are made of a voted volume.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LabelConfig {
    /// Drop cells with a low mask and those that do not close the cycle. Default true.
    pub filter: bool,
    /// Cells with a mask below this are dropped by the filter. Default 0: the mask is a factor of
    /// the weight in any case.
    pub mask_min: f32,
    /// How far from its start, in cells, the forward and then backward best match of a cell may
    /// return. Default √2: the eight neighbours.
    pub cycle_distance: f32,
    /// Exponent of the row peak, relative to the pair's largest, in the weight. Default 0.5.
    pub confidence_power: f64,
    /// Fit local affine maps. Default true.
    pub calibrate: bool,
    /// σ in cells of the window of a fit. Default 2.
    pub window: f64,
    /// σ in cells of the residual that halves trust: `exp(−residual²/2σ²)`. Default 1.5.
    pub sigma: f64,
    /// Share of the fitted position in the label; the rest is the voted cell. Default 0.5.
    pub blend: f64,
    /// Ridge on the affine part's distance from a translation, in weight · cells². Default 0.01.
    pub ridge: f64,
    /// Kept cells, counted by their window weight, that a fit needs; fewer mean weight 0. Default 3.
    pub min_support: f64,
}

impl Default for LabelConfig {
    fn default() -> Self {
        Self {
            filter: true,
            mask_min: 0.0,
            cycle_distance: std::f32::consts::SQRT_2,
            confidence_power: 0.5,
            calibrate: true,
            window: 2.0,
            sigma: 1.5,
            blend: 0.5,
            ridge: 1e-2,
            min_support: 3.0,
        }
    }
}

/// Where each source cell should match, and how sure that is. Carries no gradient.
#[derive(Debug, Clone)]
pub struct Labels {
    /// `[b, source_cells, 2]`: (x, y) in target cells, sub-cell.
    pub points: Tensor<3>,
    /// `[b, source_cells]`, 0..=1; 0 where there is no label. Never NaN.
    pub weights: Tensor<2>,
}

impl Labels {
    /// The same points, the weights multiplied by a mask over source cells `[b, height, width]`.
    ///
    /// # Panics
    ///
    /// If the mask has another number of elements than the weights.
    pub fn masked(self, mask: Tensor<3>) -> Self {
        let shape = self.weights.dims();
        Self { points: self.points, weights: self.weights * mask.reshape(shape) }
    }
}

/// Filters and calibrates the matches of a voted volume, on the host.
///
/// Confidence `c_i = (max_j V_ij / max_ij V_ij)^power · mask_i` of the cells that are kept; then a
/// local affine map is fitted to the kept matches by weighted least squares (window of
/// [`LabelConfig::window`]), the label moves towards it and loses weight with its distance from it:
///
/// ```text
/// point_i  = blend · fit_i + (1 − blend) · argmax_j V_ij
/// weight_i = c_i exp(−|fit_i − argmax_j V_ij|² / 2σ²)
/// ```
///
/// Points stay within half a cell of the target grid. Labels of the other direction are those of
/// the transposed volume with the target's mask.
///
/// # Shapes
///
/// - voted: `[b, source_cells, target_cells]`, at least 0 (only its order and ratios matter)
/// - source_mask: `[b, height, width]`
///
/// # Panics
///
/// If the mask does not fit the volume, or `window` or `sigma` is not above 0.
pub fn labels(voted: &CorrVolume, source_mask: Tensor<3>, config: &LabelConfig) -> Labels {
    let (source, target) = (voted.source(), voted.target());
    check_mask("source", &source_mask, voted.batch(), source);
    assert!(
        config.window > 0.0 && config.sigma > 0.0,
        "window and sigma are above 0 cells, not {} and {}",
        config.window,
        config.sigma
    );
    let device = voted.values().device();
    let mask = read(source_mask);
    let values = HostValues::fetch(&voted.values());
    let pairs: Vec<_> = values
        .values()
        .par_chunks(source.cells() * target.cells())
        .zip(mask.par_chunks(source.cells()))
        .map(|(voted, mask)| {
            let mut pair = candidates(voted, mask, source, target, config);
            if config.calibrate {
                calibrate(&mut pair, source, target, config);
            }
            pair
        })
        .collect();
    let points = pairs.iter().flat_map(|pair| pair.points.iter().flatten());
    let weights = pairs.iter().flat_map(|pair| &pair.weights);
    let shape = [voted.batch(), source.cells()];
    Labels {
        points: upload(points.map(|value| *value as f32).collect(), [shape[0], shape[1], 2], &device),
        weights: upload(weights.map(|w| *w as f32).collect(), shape, &device),
    }
}

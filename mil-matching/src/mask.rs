//! From activation maps to foreground masks.

use burn::tensor::Tensor;
use corr_volume::{Grid, resize_bilinear};
use serde::{Deserialize, Serialize};

/// How activation maps become masks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MaskConfig {
    /// Scales of the input image at which the backbone runs for [`combine_maps`]; default 1, 1.5, 2. The caller runs it.
    pub scales: Vec<f64>,
    /// What becomes of the combined map; default [`MaskKind::Staircase`].
    pub kind: MaskKind,
    /// The steps of [`MaskKind::Staircase`].
    pub staircase: StaircaseConfig,
    /// The cut of [`MaskKind::Threshold`]: cells above it weigh 1, the others 0; default 0.4.
    pub threshold: f64,
}

impl Default for MaskConfig {
    fn default() -> Self {
        Self {
            scales: vec![1.0, 1.5, 2.0],
            kind: MaskKind::default(),
            staircase: StaircaseConfig::default(),
            threshold: 0.4,
        }
    }
}

/// The three ways from a combined map to a mask.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MaskKind {
    /// A few levels; the background keeps a weight: see [`staircase`].
    #[default]
    Staircase,
    /// The map itself.
    Soft,
    /// 1 above [`MaskConfig::threshold`], 0 elsewhere.
    Threshold,
}

/// Steps of the staircase weights.
///
/// The defaults are those of SCOT (Liu et al., *Semantic Correspondence as an Optimal Transport Problem*, CVPR 2020).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StaircaseConfig {
    /// Weight of cells at or below the first threshold; default 0.5.
    pub floor: f64,
    /// `(threshold, weight)`, thresholds ascending: a cell above several takes the last one's weight; default
    /// `(0.4, 0.8), (0.5, 0.9), (0.6, 1.0)`.
    pub steps: Vec<(f64, f64)>,
}

impl Default for StaircaseConfig {
    fn default() -> Self {
        Self { floor: 0.5, steps: vec![(0.4, 0.8), (0.5, 0.9), (0.6, 1.0)] }
    }
}

/// Sums raw activation maps `[batch, h_l, w_l]`, one tensor a scale, on one grid and normalises each image to 0..=1.
///
/// ```text
/// M = Σ_l resize(M_l),    combined = (M − min M) / (max M − min M)      min, max over the image's cells
/// ```
///
/// Returns `[batch, grid.height, grid.width]`. An image whose map is constant (to the precision of `f32`) gets zeros:
/// the map says nothing.
///
/// # Panics
///
/// If there is no map, or the batches differ.
pub fn combine_maps(maps: &[Tensor<3>], grid: Grid) -> Tensor<3> {
    let [first, others @ ..] = maps else { panic!("combine_maps needs the maps of at least one scale, got 0") };
    let [batch, _, _] = first.dims();
    let resized = |map: &Tensor<3>| {
        let dims = map.dims();
        assert_eq!(dims[0], batch, "a map of shape {dims:?} in a batch of {batch}");
        resize_bilinear(map.clone().unsqueeze_dim::<4>(1), grid).reshape([batch, grid.cells()])
    };
    let sum = others.iter().fold(resized(first), |sum, map| sum + resized(map));
    let lowest = sum.clone().min_dim(1);
    let range = sum.clone().max_dim(1) - lowest.clone();
    // A constant map leaves a range of rounding errors: do not blow them up to 1.
    let rounding = sum.clone().abs().max_dim(1).mul_scalar(1e-5).clamp_min(1e-20);
    ((sum - lowest) / range.max_pair(rounding)).reshape([batch, grid.height, grid.width])
}

/// The mask of a combined map, `[batch, height, width]` in 0..=1 to the same shape, by `config.kind`.
///
/// # Panics
///
/// See [`staircase`].
pub fn mask(map: Tensor<3>, config: &MaskConfig) -> Tensor<3> {
    match config.kind {
        MaskKind::Staircase => staircase(map, &config.staircase),
        MaskKind::Soft => map,
        MaskKind::Threshold => map.greater_scalar(config.threshold).float(),
    }
}

/// Staircase weights of a combined map, `[batch, height, width]` in 0..=1 to the same shape.
///
/// ```text
/// m(u) = weight of the last step with threshold < M(u), the floor if there is none
/// ```
///
/// Piecewise constant: no gradient flows.
///
/// # Panics
///
/// If the thresholds do not ascend, or a weight is outside 0..=1.
pub fn staircase(map: Tensor<3>, config: &StaircaseConfig) -> Tensor<3> {
    for pair in config.steps.windows(2) {
        assert!(pair[0].0 < pair[1].0, "staircase thresholds must ascend, got {} before {}", pair[0].0, pair[1].0);
    }
    for weight in config.steps.iter().map(|step| step.1).chain([config.floor]) {
        assert!((0.0..=1.0).contains(&weight), "a staircase weight must lie in 0..=1, got {weight}");
    }
    let map = map.detach();
    let floor = map.full_like(config.floor);
    config
        .steps
        .iter()
        .fold(floor, |mask, &(threshold, weight)| mask.mask_fill(map.clone().greater_scalar(threshold), weight))
}

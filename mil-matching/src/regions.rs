//! Soft assignment of cells to regions, and the regions' descriptors.

use burn::tensor::{Tensor, TensorData};
use rand::{Rng, RngExt};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::spherical_kmeans::{CellFeatures, assign_cells, fit_centres};

/// How an image is divided into regions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RegionsConfig {
    /// Where regions come from; default [`RegionKind::KMeans`].
    pub kind: RegionKind,
    /// Number of k-means regions an image; default 12. An image with fewer distinct foreground cells leaves the last ones
    /// empty.
    pub count: usize,
    /// Most k-means iterations after the seeding, fewer if nothing moves any more; default 8.
    pub iterations: usize,
    /// Temperature τ_u of the assignment to k-means centres, in cosines; 0 assigns each cell to its nearest centre alone;
    /// default 0.05.
    pub temperature: f64,
    /// Only cells whose mask is above this place the k-means centres; every cell with a mask above 0 is assigned. Where no
    /// cell is above it, all cells with a mask above 0 place them. Default 0.5, the staircase mask's background.
    pub foreground: f64,
    /// Windows to a side of the grid, one number a scale: `[2, 3]`, the default, is 4 + 9 regions.
    pub window_scales: Vec<usize>,
}

impl Default for RegionsConfig {
    fn default() -> Self {
        Self {
            kind: RegionKind::default(),
            count: 12,
            iterations: 8,
            temperature: 0.05,
            foreground: 0.5,
            window_scales: vec![2, 3],
        }
    }
}

impl RegionsConfig {
    /// The number of regions `R` that [`assign_regions`] returns for each image.
    pub fn regions(&self) -> usize {
        match self.kind {
            RegionKind::KMeans => self.count,
            RegionKind::Windows => self.window_scales.iter().map(|side| side * side).sum(),
        }
    }
}

/// Where regions come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RegionKind {
    /// Spherical k-means of the hyperpixels: regions of similar content.
    #[default]
    KMeans,
    /// A regular grid of windows at each of several scales: content plays no part.
    Windows,
}

/// Divides each image's mask among regions: the result `u` is `[batch, R, cells]` with
///
/// ```text
/// u_ri ≥ 0,   Σ_r u_ri = m_i
///
/// k-means:  u_ri = m_i · softmax_r(cos(f_i, c_r) / τ_u),   c_r = normalise(Σ_i m_i [r nearest to i] f_i)
/// windows:  u_ri = m_i / S if cell i lies in window r (it lies in one window at each of the S scales), else 0
/// ```
///
/// `hyperpixels` is `[batch, channels, height, width]` of any length, `mask` `[batch, height, width]` in 0..=1. The
/// k-means runs on the host in `f32`, seeded by k-means++ with draws from `rng`; equal inputs and an equal generator give
/// equal bits, whatever the number of threads. No gradient flows. An image whose mask is zero has zero everywhere.
///
/// # Panics
///
/// If the mask's shape does not fit the hyperpixels', the number of regions is zero, or the temperature is not a number of
/// at least 0.
pub fn assign_regions(
    hyperpixels: Tensor<4>,
    mask: Tensor<3>,
    config: &RegionsConfig,
    rng: &mut impl Rng,
) -> Tensor<3> {
    let [batch, channels, height, width] = hyperpixels.dims();
    assert_eq!(
        mask.dims(),
        [batch, height, width],
        "a mask of {:?} for hyperpixels of {:?}",
        mask.dims(),
        hyperpixels.dims()
    );
    let regions = config.regions();
    assert!(regions > 0, "an image needs at least one region, got {regions} from {config:?}");
    assert!(
        config.temperature.is_finite() && config.temperature >= 0.0,
        "the assignment temperature must be a number of at least 0, got {}",
        config.temperature
    );
    let device = hyperpixels.device();
    let cells = height * width;
    let mask = crate::host::to_vec(mask);
    let assigned: Vec<f32> = match config.kind {
        RegionKind::Windows => {
            mask.chunks(cells).flat_map(|mask| window_assignment(mask, width, &config.window_scales)).collect()
        }
        RegionKind::KMeans => {
            let rows = hyperpixels.detach().reshape([batch, channels, cells]).swap_dims(1, 2);
            let features = crate::host::to_vec(rows);
            // Drawn before the threads start, so that their order is of no consequence.
            let draws: Vec<f32> = (0..batch * regions).map(|_| rng.random()).collect();
            features
                .par_chunks(cells * channels)
                .zip(mask.par_chunks(cells))
                .zip(draws.par_chunks(regions))
                .flat_map_iter(|((features, mask), draws)| {
                    let features = CellFeatures::normalised(features, channels);
                    let centres = fit_centres(&features, mask, config, draws);
                    assign_cells(&features, mask, &centres, regions, config.temperature as f32)
                })
                .collect()
        }
    };
    Tensor::from_data(TensorData::new(assigned, [batch, regions, cells]), &device)
}

/// One image's windows, `[regions, cells]` row-major.
fn window_assignment(mask: &[f32], width: usize, scales: &[usize]) -> Vec<f32> {
    let height = mask.len() / width;
    let share = 1.0 / scales.len() as f32;
    let mut assigned = Vec::new();
    for &side in scales {
        for window in 0..side * side {
            assigned.extend(mask.iter().enumerate().map(|(cell, m)| {
                let (row, col) = (cell / width, cell % width);
                let inside = row * side / height * side + col * side / width == window;
                if inside { m * share } else { 0.0 }
            }));
        }
    }
    assigned
}

/// Unit mean feature of each region, `[batch, channels, height, width]` and `[batch, R, cells]` to `[batch, R, channels]`.
///
/// ```text
/// d_r = normalise(Σ_i u_ri f_i / Σ_i u_ri)
/// ```
///
/// An empty region's descriptor is the zero vector, by which [`RegionMatcher`](crate::RegionMatcher) knows it. Gradients
/// flow to the hyperpixels.
///
/// # Panics
///
/// If batches or cell counts differ.
pub fn region_descriptors(hyperpixels: Tensor<4>, regions: Tensor<3>) -> Tensor<3> {
    let [batch, channels, height, width] = hyperpixels.dims();
    let [region_batch, _, cells] = regions.dims();
    assert!(
        region_batch == batch && cells == height * width,
        "regions of {:?} for hyperpixels of {:?}",
        regions.dims(),
        hyperpixels.dims()
    );
    let mass = regions.clone().sum_dim(2).clamp_min(SMALLEST_MASS);
    let rows = hyperpixels.reshape([batch, channels, cells]).swap_dims(1, 2);
    let mean = regions.matmul(rows) / mass;
    let length = mean.clone().square().sum_dim(2).add_scalar(SMALLEST_SQUARE).sqrt();
    mean / length
}

/// Region masses below this count as this: a region of less than a millionth of a cell is empty.
const SMALLEST_MASS: f64 = 1e-6;
/// Added to a squared length before its root: no division by zero, and a finite gradient there.
const SMALLEST_SQUARE: f64 = 1e-12;

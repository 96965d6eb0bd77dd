//! CATs: correlation maps of several layers, aggregated by a transformer (Cho et al., *CATs: Cost Aggregation
//! Transformers for Visual Correspondence*, NeurIPS 2021).

mod block;

use burn::module::{Initializer, Module, Param};
use burn::nn::{LayerNorm, LayerNormConfig, Linear, LinearConfig};
use burn::tensor::{Device, Tensor, TensorData, activation};
use corr_volume::{Answers, CorrVolume, Grid, Readout, l2_normalise, resize_bilinear, soft_mutual};
use serde::{Deserialize, Serialize};

use self::block::Block;
use super::{KeyPointBatch, Matcher, TrainableMatcher, end_point_error, key_point_cross_entropy};

/// Sizes of [`Cats`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CatsConfig {
    /// Cells a side of the square grid that all layers are brought to.
    pub grid: usize,
    /// Channels that each layer's features are projected to, to stand beside their row of correlations.
    pub projected: usize,
    /// Transformer blocks.
    pub depth: usize,
    /// Attention heads; they divide `grid² + projected`.
    pub heads: usize,
    /// Width of the perceptrons between attentions, as a multiple of `grid² + projected`.
    pub widening: usize,
    /// The temperature of the soft-argmax.
    pub temperature: f64,
    /// The weight of the key points' cross entropy beside the end-point error. Published: 0, the end-point error alone, which
    /// tells little of which cell is right while a row has several peaks.
    pub cross_entropy: f64,
    /// The temperature of that cross entropy. Default: that of the soft-argmax; a softer one teaches less of the exact place.
    pub entropy_temperature: f64,
    /// Read points by a soft-argmax round each row's peak rather than over the whole row, as published.
    pub peak: bool,
    /// Begin with a last projection of zeros, so that the untrained matcher is the mean of its correlation maps. The
    /// published one begins at random.
    pub begin_at_correlation: bool,
}

impl CatsConfig {
    /// The published sizes: 16 by 16 cells, 128 channels, one block of 6 heads, fourfold widening, temperature 0.02. With
    /// the eight hyperpixel layers of a ResNet-101 it has 4,624,160 parameters.
    pub fn published() -> Self {
        Self {
            grid: 16,
            projected: 128,
            depth: 1,
            heads: 6,
            widening: 4,
            temperature: 0.02,
            cross_entropy: 0.0,
            entropy_temperature: 0.02,
            peak: false,
            begin_at_correlation: false,
        }
    }
}

impl Default for CatsConfig {
    /// Small enough to learn on two cores.
    fn default() -> Self {
        Self {
            projected: 32,
            heads: 2,
            widening: 1,
            cross_entropy: 1.0,
            begin_at_correlation: true,
            ..Self::published()
        }
    }
}

/// The matcher.
///
/// Each of L layers gives a map of correlations between mutually filtered cells. A cell's row in it stands beside its projected
/// features; self-attention over the cells of a map and then over the maps of a cell refines the rows; what comes of
/// it is added to the map. The same parameters refine the columns, with the target's features beside them ("swapping").
/// The volume is the mean over the layers.
///
/// ```text
/// A(C, D) = C + project(transform([C, D] + positions))
/// C″ = A(A(C, P(f_source))ᵀ, P(f_target))ᵀ,   volume = mean over layers of C″
/// ```
#[derive(Module, Debug)]
pub struct Cats {
    projections: Vec<Linear>,
    /// `[layers, 1, side, d/2]` and `[layers, side, 1, d/2]`.
    across: Param<Tensor<4>>,
    down: Param<Tensor<4>>,
    blocks: Vec<Block>,
    norm: LayerNorm,
    to_correlation: Linear,
    /// The coordinates of columns and rows `[2, side]`, which do not learn.
    axes: Param<Tensor<2>>,
    temperature: f64,
    cross_entropy: f64,
    entropy_temperature: f64,
    peak: bool,
}

impl CatsConfig {
    /// The matcher for layers of `channels`.
    ///
    /// # Panics
    ///
    /// If there is no layer, a size is 0, or the heads do not divide `grid² + projected`, or that is odd.
    pub fn init(&self, channels: &[usize], device: &Device) -> Cats {
        let width = self.grid * self.grid + self.projected;
        let sizes = [self.grid, self.projected, self.depth, self.heads, self.widening];
        assert!(!channels.is_empty(), "a correlation map needs a layer, got none");
        assert!(sizes.iter().all(|&size| size > 0), "sizes are above 0, got {self:?}");
        assert!(
            width.is_multiple_of(self.heads) && width.is_multiple_of(2),
            "the width is grid² + projected = {width}; it is even and a multiple of {} heads",
            self.heads
        );
        let positions = Initializer::Normal { mean: 0.0, std: 0.02 };
        let axis: Vec<f32> = (0..2 * self.grid).map(|place| (place % self.grid) as f32).collect();
        let axes = Tensor::from_data(TensorData::new(axis, [2, self.grid]), device);
        let to_correlation = LinearConfig::new(width, self.grid * self.grid);
        Cats {
            projections: channels.iter().map(|&c| LinearConfig::new(c, self.projected).init(device)).collect(),
            across: positions.init([channels.len(), 1, self.grid, width / 2], device),
            down: positions.init([channels.len(), self.grid, 1, width / 2], device),
            blocks: (0..self.depth).map(|_| Block::new(width, self.heads, self.widening, device)).collect(),
            norm: LayerNormConfig::new(width).with_epsilon(1e-6).init(device),
            to_correlation: match self.begin_at_correlation {
                true => to_correlation.with_initializer(Initializer::Zeros).init(device),
                false => to_correlation.init(device),
            },
            axes: Param::from_tensor(axes).set_require_grad(false),
            temperature: self.temperature,
            cross_entropy: self.cross_entropy,
            entropy_temperature: self.entropy_temperature,
            peak: self.peak,
        }
    }
}

/// Standard deviation of the truth's Gaussian in cells.
const TRUTH_DEVIATION: f64 = 0.5;

/// Which image's features stand beside the correlations first.
#[derive(Clone, Copy, PartialEq)]
enum First {
    Source,
    #[cfg(test)]
    Target,
}

impl Cats {
    fn grid(&self) -> Grid {
        Grid::square(self.axes.dims()[1])
    }

    /// The correlation maps `[b, layers, source_cells, target_cells]` and both images' projected features `[b, layers, cells,
    /// projected]`.
    fn correlations(&self, source: &[Tensor<4>], target: &[Tensor<4>]) -> (Tensor<4>, [Tensor<4>; 2]) {
        let layers = self.projections.len();
        assert!(
            source.len() == layers && target.len() == layers,
            "maps of {layers} layers are wanted, got {} and {}",
            source.len(),
            target.len()
        );
        let grid = self.grid();
        let mut maps = Vec::with_capacity(layers);
        let mut features = [Vec::new(), Vec::new()];
        for ((projection, source), target) in self.projections.iter().zip(source).zip(target) {
            let pair = [source, target].map(|map| resize_bilinear(map.clone(), grid));
            let [of_source, of_target] = pair.clone().map(l2_normalise);
            maps.push(soft_mutual(&CorrVolume::cosine(of_source, of_target)).into_values());
            for (list, map) in features.iter_mut().zip(pair) {
                let cells: Tensor<3> = map.flatten(2, 3);
                list.push(projection.forward(cells.swap_dims(1, 2)));
            }
        }
        (Tensor::stack(maps, 1), features.map(|list| Tensor::stack(list, 1)))
    }

    /// A(C, D): correlations `[b, layers, cells, others]` and the features of `cells`.
    fn aggregate(&self, correlations: Tensor<4>, features: Tensor<4>) -> Tensor<4> {
        let [batch, layers, cells, others] = correlations.dims();
        let side = self.grid().width;
        let half = self.across.dims()[3];
        let place = |axis: &Param<Tensor<4>>| axis.val().expand([layers, side, side, half]);
        let positions: Tensor<4> = Tensor::cat(vec![place(&self.across), place(&self.down)], 3);
        let positions = positions.reshape([1, layers, cells, 2 * half]);
        let mut tokens = Tensor::cat(vec![correlations.clone(), features], 3) + positions;
        for block in &self.blocks {
            tokens = block.forward(tokens);
        }
        let refined = self.to_correlation.forward(self.norm.forward(tokens));
        correlations + refined.reshape([batch, layers, cells, others])
    }

    /// The refined maps `[b, layers, source_cells, target_cells]`.
    fn refine(&self, correlations: Tensor<4>, [source, target]: [Tensor<4>; 2], first: First) -> Tensor<4> {
        let rows = |maps: Tensor<4>| self.aggregate(maps, source.clone());
        let columns = |maps: Tensor<4>| self.aggregate(maps.swap_dims(2, 3), target.clone()).swap_dims(2, 3);
        match first {
            First::Source => columns(rows(correlations)),
            #[cfg(test)]
            First::Target => rows(columns(correlations)),
        }
    }

    /// The mean cell coordinates under the softmax of rows `[b, n, target_cells]`: `[b, n, 2]`.
    fn soft_argmax(&self, rows: Tensor<3>) -> Tensor<3> {
        let [batch, count, cells] = rows.dims();
        let side = self.grid().width;
        let shares = activation::softmax(rows.div_scalar(self.temperature), 2);
        // Sums over rows and over columns, then the mean of each axis.
        let shares = shares.reshape([batch * count, side, cells / side]);
        let (of_columns, of_rows) = (shares.clone().sum_dim(1), shares.sum_dim(2));
        let axis = |index: usize| self.axes.val().narrow(0, index, 1).swap_dims(0, 1);
        let x = of_columns.reshape([batch * count, side]).matmul(axis(0));
        let y = of_rows.reshape([batch * count, side]).matmul(axis(1));
        Tensor::cat(vec![x, y], 1).reshape([batch, count, 2])
    }
}

impl Matcher for Cats {
    fn volume(&self, source: &[Tensor<4>], target: &[Tensor<4>]) -> CorrVolume {
        let (correlations, features) = self.correlations(source, target);
        let refined = self.refine(correlations, features, First::Source);
        CorrVolume::new(refined.mean_dim(1).squeeze_dim(1), self.grid(), self.grid())
    }

    /// The soft-argmax that is learned with; how sure it is is the row's largest score.
    fn read(&self, volume: &CorrVolume, points: Tensor<3>) -> Answers {
        if self.peak {
            return Readout::default().read(volume, points);
        }
        let confidence = Readout::Hard.read(volume, points.clone()).confidence;
        Answers { points: self.soft_argmax(volume.sample_rows(points)), confidence }
    }
}

impl TrainableMatcher for Cats {
    /// The average end-point error of the key points, in cells, and the cross entropy of their rows.
    fn loss(&self, source: &[Tensor<4>], target: &[Tensor<4>], points: &KeyPointBatch, _noise: u64) -> Tensor<1> {
        let volume = self.volume(source, target);
        let error = end_point_error(self.soft_argmax(volume.sample_rows(points.source.clone())), points);
        if self.cross_entropy == 0.0 {
            return error;
        }
        let entropy = key_point_cross_entropy(&volume, points, self.entropy_temperature, TRUTH_DEVIATION);
        error + entropy.mul_scalar(self.cross_entropy)
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Distribution, Tolerance};

    use super::*;

    fn tiny() -> CatsConfig {
        CatsConfig { grid: 4, projected: 8, heads: 2, begin_at_correlation: false, ..CatsConfig::default() }
    }

    fn maps(batch: usize, device: &Device) -> Vec<Tensor<4>> {
        let random = |shape: [usize; 4]| Tensor::random(shape, Distribution::Normal(0.0, 1.0), device);
        vec![random([batch, 6, 4, 4]), random([batch, 10, 2, 2])]
    }

    #[test]
    fn the_published_head_on_a_resnet_101_has_the_published_number_of_parameters() {
        // The stem's 64 channels and seven layers of the third stage.
        let channels = [64, 1024, 1024, 1024, 1024, 1024, 1024, 1024];
        let cats = CatsConfig::published().init(&channels, &Device::flex());
        assert_eq!(cats.num_params(), 4_624_160);
    }

    #[test]
    fn exchanging_the_images_and_the_order_of_the_passes_transposes_the_maps() {
        let device = Device::flex();
        device.seed(5);
        let cats = tiny().init(&[6, 10], &device);
        let (source, target) = (maps(2, &device), maps(2, &device));
        let (there, [of_source, of_target]) = cats.correlations(&source, &target);
        let (back, _) = cats.correlations(&target, &source);
        let forward = cats.refine(there, [of_source.clone(), of_target.clone()], First::Source);
        let backward = cats.refine(back, [of_target, of_source], First::Target);
        forward.into_data().assert_approx_eq::<f32>(&backward.swap_dims(2, 3).into_data(), Tolerance::absolute(1e-5));
    }

    #[test]
    fn untrained_it_is_the_mean_of_its_correlation_maps_where_asked_for() {
        let device = Device::flex();
        let cats = CatsConfig { begin_at_correlation: true, ..tiny() }.init(&[6, 10], &device);
        let (source, target) = (maps(1, &device), maps(1, &device));
        let mean: Tensor<3> = cats.correlations(&source, &target).0.mean_dim(1).squeeze_dim(1);
        let volume = cats.volume(&source, &target).into_values();
        volume.into_data().assert_approx_eq::<f32>(&mean.into_data(), Tolerance::absolute(1e-6));
    }

    #[test]
    fn the_soft_argmax_of_a_sharp_row_is_its_peak() {
        let device = Device::flex();
        let cats = tiny().init(&[6, 10], &device);
        let mut row = vec![0.0_f32; 16];
        row[2 * 4 + 3] = 1.0;
        let found = cats.soft_argmax(Tensor::from_data(TensorData::new(row, [1, 1, 16]), &device));
        found.into_data().assert_approx_eq::<f32>(&TensorData::from([[[3.0_f32, 2.0]]]), Tolerance::absolute(1e-4));
    }
}

use burn::tensor::{Tensor, TensorData, activation};
use rayon::prelude::*;

use crate::{Grid, HostValues, Matrix, multiply};

/// Source cells whose scores one thread computes at a time.
const ROWS: usize = 96;

/// Scores of every source cell against every target cell: `[b, source_cells, target_cells]`, cells in row-major order.
///
/// Row `i` of image pair `b` says how well each target cell answers source cell `i`. Values are finite; a larger value
/// is a better match. Nothing else is promised: a cosine volume lies in -1..=1, a voted one has a scale of its own.
#[derive(Clone, Debug)]
pub struct CorrVolume {
    values: Tensor<3>,
    source: Grid,
    target: Grid,
}

impl CorrVolume {
    /// Wraps scores `[b, source.cells(), target.cells()]`.
    ///
    /// # Panics
    ///
    /// If the shape does not fit the grids.
    pub fn new(values: Tensor<3>, source: Grid, target: Grid) -> Self {
        let [_, rows, columns] = values.dims();
        assert!(
            rows == source.cells() && columns == target.cells(),
            "a volume of {rows} source and {columns} target cells does not fit grids of {source} and {target}"
        );
        Self { values, source, target }
    }

    /// Cosine of every source cell's features with every target cell's.
    ///
    /// ```text
    /// C[b, i, j] = sum_k source[b, k, i] * target[b, k, j]
    /// ```
    ///
    /// `source` and `target` are `[b, channels, h, w]` and of unit length per cell already (see
    /// [`l2_normalise`](crate::l2_normalise) and [`hyperpixel`](crate::hyperpixel)); their grids may differ.
    ///
    /// # Panics
    ///
    /// If batches or channels differ.
    pub fn cosine(source: Tensor<4>, target: Tensor<4>) -> Self {
        check_pairs(&source, &target);
        let [batch, channels, ..] = source.dims();
        let (source_grid, target_grid) = (Grid::of(&source), Grid::of(&target));
        if !source.is_tracked()
            && !target.is_tracked()
            && channels * source_grid.cells() * target_grid.cells() > 0
            && let (Some(of_source), Some(of_target)) = (HostValues::of(&source), HostValues::of(&target))
        {
            let maps = [of_source.values(), of_target.values()];
            let values = cosines(maps, channels, [source_grid.cells(), target_grid.cells()]);
            let values = TensorData::new(values, [batch, source_grid.cells(), target_grid.cells()]);
            return Self::new(Tensor::from_data(values, &source.device()), source_grid, target_grid);
        }
        let rows: Tensor<3> = source.flatten(2, 3);
        let columns: Tensor<3> = target.flatten(2, 3);
        Self::new(rows.swap_dims(1, 2).matmul(columns), source_grid, target_grid)
    }

    /// The scores, `[b, source_cells, target_cells]`.
    pub fn values(&self) -> Tensor<3> {
        self.values.clone()
    }

    /// The scores, `[b, source_cells, target_cells]`, without a copy.
    pub fn into_values(self) -> Tensor<3> {
        self.values
    }

    /// Grid of the rows.
    pub fn source(&self) -> Grid {
        self.source
    }

    /// Grid of the columns.
    pub fn target(&self) -> Grid {
        self.target
    }

    /// Number of image pairs.
    pub fn batch(&self) -> usize {
        self.values.dims()[0]
    }

    /// The same scores read from target to source.
    pub fn transpose(&self) -> Self {
        Self { values: self.values().swap_dims(1, 2), source: self.target, target: self.source }
    }

    /// Negative scores replaced by zero.
    pub fn relu(&self) -> Self {
        self.with_values(activation::relu(self.values()))
    }

    /// The same scores, through which no gradient flows.
    pub fn detach(&self) -> Self {
        self.with_values(self.values().detach())
    }

    /// Softmax of every row at temperature `tau`, see [`MatchDistribution`].
    ///
    /// # Panics
    ///
    /// If `tau` is not a number of at least 1e-6.
    pub fn match_distribution(&self, tau: f64) -> MatchDistribution {
        assert!(
            tau.is_finite() && tau >= SMALLEST_TEMPERATURE,
            "a temperature is a number of at least {SMALLEST_TEMPERATURE:e}, got {tau}"
        );
        MatchDistribution {
            logits: self.values().clamp(-LARGEST_SCORE, LARGEST_SCORE) / tau,
            source: self.source,
            target: self.target,
        }
    }

    /// Rows at source points that need not be cell centres: each is the bilinear mean of the rows of the four cells
    /// round the point.
    ///
    /// `points` `[b, n, 2]` are `(x, y)` in source cell coordinates, clamped to the outermost cell centres; the result
    /// is `[b, n, target_cells]`. At a cell centre it is that cell's row exactly. Differentiable in the volume.
    ///
    /// ```text
    /// row = sum_i max(0, 1 - |x - x_i|) * max(0, 1 - |y - y_i|) * C[b, i, :]
    /// ```
    ///
    /// # Panics
    ///
    /// If the shape of `points` is not `[batch, n, 2]`.
    pub fn sample_rows(&self, points: Tensor<3>) -> Tensor<3> {
        let [batch, count, coordinates] = points.dims();
        assert!(
            batch == self.batch() && coordinates == 2,
            "points of shape [{}, n, 2] are wanted, got {:?}",
            self.batch(),
            points.dims()
        );
        let cells = self.source.points(&self.values.device());
        let axis = |axis: usize, last: usize| {
            let at = points.clone().narrow(2, axis, 1).clamp(0.0, last as f64);
            let centres = cells.clone().narrow(1, axis, 1).reshape([1, 1, self.source.cells()]);
            activation::relu((at - centres).abs().neg().add_scalar(1.0))
        };
        let weights = axis(0, self.source.width - 1) * axis(1, self.source.height - 1);
        debug_assert_eq!(weights.dims(), [batch, count, self.source.cells()]);
        weights.matmul(self.values())
    }

    fn with_values(&self, values: Tensor<3>) -> Self {
        Self { values, source: self.source, target: self.target }
    }
}

/// The lowest temperature at which a score of [`LARGEST_SCORE`] still has a finite logit.
const SMALLEST_TEMPERATURE: f64 = 1e-6;

/// Scores are clamped to this magnitude before a softmax: a row masked with minus infinity, whose softmax would be NaN,
/// becomes uniform.
const LARGEST_SCORE: f64 = 1e9;

/// For every source cell a distribution over the target cells: `[b, source_cells, target_cells]`, each row at least
/// zero and of sum 1.
///
/// ```text
/// P[b, i, j] = exp(C[b, i, j] / tau) / sum_k exp(C[b, i, k] / tau)
/// ```
///
/// Never NaN, whatever is masked: a row without any finite score is uniform.
#[derive(Clone, Debug)]
pub struct MatchDistribution {
    logits: Tensor<3>,
    source: Grid,
    target: Grid,
}

impl MatchDistribution {
    /// Probabilities, `[b, source_cells, target_cells]`.
    pub fn values(&self) -> Tensor<3> {
        activation::softmax(self.logits.clone(), 2)
    }

    /// Natural logarithms of the probabilities, computed without taking the logarithm of a small number: finite.
    pub fn log_values(&self) -> Tensor<3> {
        activation::log_softmax(self.logits.clone(), 2)
    }

    /// Grid of the rows.
    pub fn source(&self) -> Grid {
        self.source
    }

    /// Grid over which each row is a distribution.
    pub fn target(&self) -> Grid {
        self.target
    }
}

/// Sees to it that these can be the features `[b, channels, h, w]` of pairs; grids may differ.
///
/// # Panics
///
/// If they cannot.
pub fn check_pairs(source: &Tensor<4>, target: &Tensor<4>) {
    assert_eq!(
        source.dims()[..2],
        target.dims()[..2],
        "source features are {:?}, target features {:?}: batch and channels must agree",
        source.dims(),
        target.dims()
    );
}

/// The products of feature maps `[b, channels, cells]` in slices, on threads, the same for any number of them.
fn cosines([source, target]: [&[f32]; 2], channels: usize, [rows, columns]: [usize; 2]) -> Vec<f32> {
    let mut values = vec![0.0; source.len() / channels * columns];
    let maps = source.par_chunks_exact(channels * rows).zip(target.par_chunks_exact(channels * columns));
    values.par_chunks_exact_mut(rows * columns).zip(maps).for_each(|(values, (source, target))| {
        let target = Matrix::by_rows(target, channels, columns, columns);
        values.par_chunks_mut(ROWS * columns).enumerate().for_each(|(piece, values)| {
            let count = values.len() / columns;
            let source = Matrix::by_rows(&source[piece * ROWS..], channels, count, rows).transposed();
            multiply(values, columns, false, source, target);
        });
    });
    values
}

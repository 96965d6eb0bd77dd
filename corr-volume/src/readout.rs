use std::fmt;
use std::str::FromStr;

use burn::tensor::{Device, Tensor, TensorData, activation};
use serde::{Deserialize, Serialize};

use crate::{CorrVolume, Grid};

/// How a row of a [`CorrVolume`] becomes one point of the target.
///
/// With `c` the row, `c^ = c / max c`, and `(x*, y*)` the cell of the largest score (the lower index wins a tie):
///
/// ```text
/// Hard                     p = (x*, y*)
/// Kernel {beta, sigma}     p = sum_j softmax_j(beta * exp(-d_j^2 / (2 sigma^2)) * c^_j) * (x_j, y_j),  d_j = |(x_j, y_j) - (x*, y*)|
/// Windowed {beta, radius}  p = sum_j softmax_j(beta * c^_j) * (x_j, y_j),  over |x_j - x*| <= radius and |y_j - y*| <= radius
/// ```
///
/// The kernel readout is Lee et al., *SFNet* (CVPR 2019); there `c` is not divided by its maximum. Here it is, which
/// makes every readout invariant to multiplying a volume by a positive constant: a voted volume, whose scores may be
/// as small as 1e-12, is read as sharply as a cosine volume.
///
/// A row without a positive score holds no evidence. `Hard` answers with its largest score all the same, `Kernel` with
/// the centre of the grid, `Windowed` with the centre of the window; the confidence is 0.
///
/// Answers are differentiable in the volume, the place of the maximum taken as constant (`Hard` has no gradient).
///
/// As text: `hard`, `kernel` and `windowed`, the latter two with the defaults `beta = 50, sigma = 5` and `beta = 50,
/// radius = 3`. As a table: `kind = "kernel"`, `beta = 50.0`, `sigma = 5.0`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Readout {
    /// The cell of the largest score.
    Hard,
    /// Soft-argmax under a Gaussian round the cell of the largest score.
    Kernel {
        /// Sharpness: inverse temperature of the softmax over scores of maximum 1. Above 0.
        beta: f64,
        /// Standard deviation of the Gaussian, target cells. Above 0.
        sigma: f64,
    },
    /// Soft-argmax over a square window round the cell of the largest score, cut off at the border of the grid.
    Windowed {
        /// Sharpness: inverse temperature of the softmax over scores of maximum 1. Above 0.
        beta: f64,
        /// Cells on each side of the middle one.
        radius: usize,
    },
}

/// What a [`Readout`] found.
#[derive(Clone, Debug)]
pub struct Answers {
    /// Points `(x, y)` in target cell coordinates, `[b, n, 2]`; always inside the target grid.
    pub points: Tensor<3>,
    /// `[b, n]`, in 0..=1: the largest score of the answer's row over the largest score of the image pair's volume, 0
    /// where that is not positive.
    ///
    /// It is comparable between the points of one pair, does not depend on the volume's scale or on the readout, and
    /// passes no gradient. Where masks went into the volume, points outside the mask have a confidence near 0.
    pub confidence: Tensor<2>,
}

impl Readout {
    /// Reads the answer for source points, `[b, n, 2]`, `(x, y)` in source cell coordinates.
    ///
    /// The row of a point that is not a cell centre is a bilinear mean, see [`CorrVolume::sample_rows`].
    ///
    /// # Panics
    ///
    /// If the shape of `points` is not `[batch, n, 2]`, or a parameter of the readout is not above 0.
    pub fn read(&self, volume: &CorrVolume, points: Tensor<3>) -> Answers {
        self.read_rows(volume.sample_rows(points), largest_scores(volume), volume.target())
    }

    /// Reads the answer for every source cell, in row-major order: `n = source_cells`.
    ///
    /// # Panics
    ///
    /// If a parameter of the readout is not above 0.
    pub fn read_cells(&self, volume: &CorrVolume) -> Answers {
        self.read_rows(volume.values(), largest_scores(volume), volume.target())
    }

    /// `rows` `[b, n, target_cells]`, `largest` `[b, 1]`.
    fn read_rows(&self, rows: Tensor<3>, largest: Tensor<2>, target: Grid) -> Answers {
        self.check();
        let peaks = Peaks::find(rows.clone(), target);
        let confidence = peaks.confidence(largest);
        let points = match *self {
            Self::Hard => peaks.points(),
            Self::Kernel { beta, sigma } => {
                let bell = |distance: Tensor<4>| distance.square().mul_scalar(-0.5 / (sigma * sigma)).exp();
                let rows = peaks.on_grid(rows) * (bell(peaks.vertical()) * peaks.scale());
                expectation(rows * (bell(peaks.horizontal()) * beta), target)
            }
            Self::Windowed { beta, radius } => {
                let reach = radius as f64 + 0.5;
                let inside = |distance: Tensor<4>| distance.abs().lower_scalar(reach).float();
                let outside = inside(peaks.vertical()) * inside(peaks.horizontal()) - 1.0;
                let rows = peaks.on_grid(rows) * (peaks.scale() * beta);
                expectation(rows + outside * OUTSIDE_PENALTY, target)
            }
        };
        Answers { points, confidence }
    }

    pub(crate) fn check(&self) {
        let positive = |name: &str, value: f64| {
            assert!(value.is_finite() && value > 0.0, "{name} of the {self} readout must be above 0, got {value}");
        };
        match *self {
            Self::Hard => {}
            Self::Kernel { beta, sigma } => {
                positive("beta", beta);
                positive("sigma", sigma);
            }
            Self::Windowed { beta, .. } => positive("beta", beta),
        }
    }
}

impl Default for Readout {
    /// The kernel soft-argmax with `beta = 50` and `sigma = 5`, the values of its authors.
    fn default() -> Self {
        Self::Kernel { beta: 50.0, sigma: 5.0 }
    }
}

impl fmt::Display for Readout {
    /// The name that [`FromStr`] reads, without parameters.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hard => "hard",
            Self::Kernel { .. } => "kernel",
            Self::Windowed { .. } => "windowed",
        })
    }
}

impl FromStr for Readout {
    type Err = UnknownReadout;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name {
            "hard" => Ok(Self::Hard),
            "kernel" => Ok(Self::default()),
            "windowed" => Ok(Self::Windowed { beta: 50.0, radius: 3 }),
            _ => Err(UnknownReadout(name.to_owned())),
        }
    }
}

/// The name is that of no [`Readout`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no readout; use one of `hard`, `kernel`, `windowed`")]
pub struct UnknownReadout(String);

/// Taken off the logits outside a window; its exponential is zero.
const OUTSIDE_PENALTY: f64 = 1e9;

/// Scores below this count as zero: the smallest normal f32, which every device tells from zero.
pub(crate) const SMALLEST_SCORE: f32 = f32::MIN_POSITIVE;

/// The largest score of every pair, `[b, 1]`.
fn largest_scores(volume: &CorrVolume) -> Tensor<2> {
    let [batch, rows, columns] = volume.values().dims();
    volume.values().detach().reshape([batch, rows * columns]).max_dim(1)
}

/// Mean cell coordinates under the softmax of `logits`, `[b, n, h, w]` to `[b, n, 2]`.
fn expectation(logits: Tensor<4>, grid: Grid) -> Tensor<3> {
    let [batch, count, ..] = logits.dims();
    let cells = grid.points(&logits.device());
    activation::softmax(logits.reshape([batch * count, grid.cells()]), 1).matmul(cells).reshape([batch, count, 2])
}

/// The largest score of each row and its cell.
struct Peaks {
    /// `[b, n, 1]`, with gradient.
    scores: Tensor<3>,
    /// `(x, y)`, `[b, n, 2]`.
    cells: Tensor<3>,
    grid: Grid,
    device: Device,
}

impl Peaks {
    fn find(rows: Tensor<3>, grid: Grid) -> Self {
        let device = rows.device();
        let [batch, count, _] = rows.dims();
        let (scores, indices) = rows.max_dim_with_indices(2);
        let cells = grid.points(&device).select(0, indices.reshape([batch * count])).reshape([batch, count, 2]);
        Self { scores, cells, grid, device }
    }

    fn points(&self) -> Tensor<3> {
        self.cells.clone()
    }

    fn confidence(&self, largest: Tensor<2>) -> Tensor<2> {
        let scores: Tensor<2> = self.scores.clone().detach().squeeze_dim(2);
        let absent = largest.clone().lower_scalar(SMALLEST_SCORE);
        let largest = largest.mask_fill(absent, 1.0);
        (scores / largest).clamp(0.0, 1.0)
    }

    /// `[b, n, cells]` to `[b, n, h, w]`.
    fn on_grid(&self, rows: Tensor<3>) -> Tensor<4> {
        let [batch, count, _] = rows.dims();
        rows.reshape([batch, count, self.grid.height, self.grid.width])
    }

    /// Rows between each cell row and the peak, `[b, n, h, 1]`.
    fn vertical(&self) -> Tensor<4> {
        self.offsets(self.grid.height, 1).swap_dims(2, 3)
    }

    /// Columns between each cell column and the peak, `[b, n, 1, w]`.
    fn horizontal(&self) -> Tensor<4> {
        self.offsets(self.grid.width, 0)
    }

    fn offsets(&self, length: usize, axis: usize) -> Tensor<4> {
        let positions: Vec<f32> = (0..length).map(|i| i as f32).collect();
        let positions = Tensor::<4>::from_data(TensorData::new(positions, [1, 1, 1, length]), &self.device);
        positions - self.cells.clone().narrow(2, axis, 1).unsqueeze_dim(2)
    }

    /// One over the largest score of each row, 0 where that is not positive; `[b, n, 1, 1]`, with gradient.
    ///
    /// The scale is split into a constant and a factor that equals 1, since the derivative `-1 / score^2` of the plain
    /// reciprocal overflows for the scores of voted volumes.
    fn scale(&self) -> Tensor<4> {
        let absent = self.scores.clone().lower_scalar(SMALLEST_SCORE);
        let scores = self.scores.clone().mask_fill(absent.clone(), 1.0);
        let constant = scores.clone().detach();
        let one = scores / constant.clone();
        (one.recip() / constant).mask_fill(absent, 0.0).unsqueeze_dim(3)
    }
}

//! Gaussians round points over a grid's cells, kept as one factor for each axis.

use corr_volume::Grid;
use corr_volume::exponential::exp;
use corr_volume::vectorised;

/// Less than this a Gaussian over a whole axis is taken for nothing; and so is a value of it, lest products of the two axes
/// be denormal numbers, with which processors take a hundred times as long.
const NOTHING: f32 = 1e-12;

/// For each of n points a Gaussian over the cells of a grid, `G(i, (x, y)) = columns[x, i] · rows[y, i]`.
pub(crate) struct Bells {
    grid: Grid,
    count: usize,
    columns: Vec<f32>,
    rows: Vec<f32>,
    /// What each Gaussian sums to: 1, or less for points far outside.
    pub sums: Vec<f32>,
}

impl Bells {
    /// Gaussians of `sigma` cells round `points`, (x, y) one after another, each divided by its sum along either axis.
    pub fn round(points: &[f32], grid: Grid, sigma: f64) -> Self {
        let count = points.len() / 2;
        let (columns, column_sums) = axis(points.iter().step_by(2).copied(), count, grid.width, sigma);
        let (rows, row_sums) = axis(points.iter().skip(1).step_by(2).copied(), count, grid.height, sigma);
        let sums = column_sums.iter().zip(&row_sums).map(|(x, y)| x * y).collect();
        Self { grid, count, columns, rows, sums }
    }

    /// One point's Gaussian over all cells.
    #[inline(always)]
    pub fn of_point(&self, point: usize, out: &mut [f32]) {
        let columns = self.columns[point..].iter().step_by(self.count);
        let (first, rest) = out.split_at_mut(self.grid.width);
        first.iter_mut().zip(columns).for_each(|(out, column)| *out = *column);
        // The later rows from the first, and then the first from itself.
        for (y, row) in rest.chunks_exact_mut(self.grid.width).enumerate() {
            let height = self.rows[(y + 1) * self.count + point];
            row.iter_mut().zip(&*first).for_each(|(out, column)| *out = height * column);
        }
        let height = self.rows[point];
        first.iter_mut().for_each(|out| *out *= height);
    }

    /// The two factors, for every point, of its Gaussian at one cell.
    #[inline(always)]
    pub fn at_cell(&self, cell: usize) -> (&[f32], &[f32]) {
        let (row, column) = (cell / self.grid.width, cell % self.grid.width);
        (&self.rows[row * self.count..][..self.count], &self.columns[column * self.count..][..self.count])
    }
}

/// `[size, count]` values along one axis, and the sum for each point.
fn axis(at: impl Iterator<Item = f32>, count: usize, size: usize, sigma: f64) -> (Vec<f32>, Vec<f32>) {
    let at: Vec<f32> = at.collect();
    let scale = (-0.5 / (sigma * sigma)) as f32;
    let mut values = vec![0.0; size * count];
    let mut sums = vec![0.0f32; count];
    vectorised(
        #[inline(always)]
        || {
            for (position, values) in values.chunks_exact_mut(count.max(1)).enumerate() {
                bell(values, &mut sums, &at, position as f32, scale);
            }
            let divisors: Vec<f32> = sums.iter().map(|sum| sum.max(NOTHING)).collect();
            for values in values.chunks_exact_mut(count.max(1)) {
                for (value, divisor) in values.iter_mut().zip(&divisors) {
                    let share = *value / divisor;
                    *value = if share < NOTHING { 0.0 } else { share };
                }
            }
            sums.iter_mut().zip(&divisors).for_each(|(sum, divisor)| *sum /= divisor);
        },
    );
    (values, sums)
}

#[inline(always)]
fn bell(values: &mut [f32], sums: &mut [f32], at: &[f32], position: f32, scale: f32) {
    for ((value, sum), at) in values.iter_mut().zip(sums).zip(at) {
        let distance = at - position;
        *value = exp(distance * distance * scale);
        *sum += *value;
    }
}

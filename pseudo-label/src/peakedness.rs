//! How sure a match is: whether its distribution has one narrow peak.

use burn::tensor::{Tensor, TensorData};
use corr_volume::exponential::exp_in_place;
use corr_volume::{Grid, Matrix, multiply};
use rayon::prelude::*;

/// Rows of scores that a thread holds at a time.
const BAND: usize = 64;

/// The share of a match distribution that lies within one cell of its peak, 0..=1.
///
/// `scores` is a row of a correlation volume, one score for each cell of `target`; the distribution is its softmax.
///
/// ```text
/// q_j = softmax_j(c_j / temperature),   peakedness = Σ q_j  over |x_j − x*| ≤ 1 and |y_j − y*| ≤ 1
/// ```
///
/// with `(x*, y*)` the cell of the largest score, the first of equals. It is 1 where one spot takes all, and about 9 over
/// the number of cells where all look alike; unlike the height of the peak it does not sink where a point falls between
/// cells and its neighbours share it. NaN where a score is NaN or +∞, or all are −∞.
///
/// ```
/// let target = corr_volume::Grid::square(5);
/// let mut scores = vec![0.0; 25];
/// assert_eq!(pseudo_label::peakedness(&scores, target, 0.05), 4.0 / 25.0); // the peak is the corner: 4 cells
/// scores[12] = 1.0;
/// assert!(pseudo_label::peakedness(&scores, target, 0.05) > 0.999);
/// ```
///
/// # Panics
///
/// If there is not one score a cell, or the temperature is not above 0.
pub fn peakedness(scores: &[f32], target: Grid, temperature: f32) -> f32 {
    check(temperature);
    assert_eq!(scores.len(), target.cells(), "a row over a grid of {target} has one score for each of its cells");
    let peak = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let place = scores.iter().position(|score| *score == peak).unwrap_or(0);
    let mut weights: Vec<f32> = scores.iter().map(|score| (score - peak) / temperature).collect();
    exp_in_place(&mut weights);

    let (row, column) = target.row_col(place);
    let rows = row.saturating_sub(1)..(row + 2).min(target.height);
    let columns = column.saturating_sub(1)..(column + 2).min(target.width);
    let sum = |weights: &[f32]| weights.iter().copied().map(f64::from).sum::<f64>();
    let (mut near, mut far) = (0.0, 0.0);
    for (y, line) in weights.chunks(target.width).enumerate() {
        if rows.contains(&y) {
            near += sum(&line[columns.clone()]);
            far += sum(&line[..columns.start]) + sum(&line[columns.end..]);
        } else {
            far += sum(line);
        }
    }
    (near / (near + far)) as f32
}

/// The [`peakedness`] of every source cell's match distribution, `[batch, source cells]`, straight from features
/// `[batch, channels, h, w]` of unit length per cell; the grids may differ.
///
/// The scores are plain cosines, as those that a student of the cascade learns from. They are made in bands and never all
/// in memory, beside a [`DenseMatch`](corr_volume::DenseMatch) for the points. The other direction is that of the
/// arguments exchanged. No gradient flows.
///
/// # Panics
///
/// If batches or channels differ, or the temperature is not above 0.
pub fn pair_peakedness(source: Tensor<4>, target: Tensor<4>, temperature: f32) -> Tensor<2> {
    check(temperature);
    let ([batch, channels, ..], [target_batch, target_channels, ..]) = (source.dims(), target.dims());
    assert!(
        batch == target_batch && channels == target_channels,
        "source features are {:?}, target features {:?}: batch and channels must agree",
        source.dims(),
        target.dims()
    );
    let device = source.device();
    let (source_grid, target_grid) = (Grid::of(&source), Grid::of(&target));
    let (rows, columns) = (source_grid.cells(), target_grid.cells());
    let (source, target) = (to_vec(source), to_vec(target));
    let mut values = vec![0.0; batch * rows];
    let pairs = source.chunks(channels * rows).zip(target.chunks(channels * columns));
    for ((source, target), values) in pairs.zip(values.chunks_mut(rows)) {
        let target = Matrix::by_rows(target, channels, columns, columns);
        values.par_chunks_mut(BAND).enumerate().for_each(|(band, values)| {
            let source = Matrix::by_rows(&source[band * BAND..], channels, values.len(), rows);
            let mut scores = vec![0.0; values.len() * columns];
            multiply(&mut scores, columns, false, source.transposed(), target);
            for (value, row) in values.iter_mut().zip(scores.chunks(columns)) {
                *value = peakedness(row, target_grid, temperature);
            }
        });
    }
    Tensor::from_data(TensorData::new(values, [batch, rows]), &device)
}

fn check(temperature: f32) {
    assert!(temperature > 0.0, "the temperature of a match distribution is above 0, got {temperature}");
}

/// Values of a tensor; there is nothing a caller could do about a device that has failed.
fn to_vec(features: Tensor<4>) -> Vec<f32> {
    features
        .without_autodiff()
        .try_into_vec_as()
        .unwrap_or_else(|error| panic!("reading features back from their device: {error}"))
}

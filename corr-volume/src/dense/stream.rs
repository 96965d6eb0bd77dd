//! The scores of one pair, band by band, never all at once.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;

use super::DenseMatch;
use crate::product::{Matrix, multiply};
use crate::{Grid, mutual, vectorised};

/// Scores that a thread holds at a time, as long as a band has [`LEAST_ROWS`].
const BAND_BYTES: usize = 2 << 20;

/// Rows of a band at least: fewer, and the matrix product spends its time on packing.
const LEAST_ROWS: usize = 8;

/// Rows of a band at most, so that small pairs too are work for several threads.
const MOST_ROWS: usize = 128;

/// Values between the rows of a volume that is kept. Without it, columns of maps whose size is a power of two all fall
/// into the same few lines of the cache.
const PADDING: usize = 16;

/// Features of one image, `[channels, cells]`.
#[derive(Clone, Copy)]
pub(super) struct Features<'a> {
    values: &'a [f32],
    channels: usize,
    pub(super) grid: Grid,
}

impl<'a> Features<'a> {
    pub(super) fn new(values: &'a [f32], channels: usize, grid: Grid) -> Self {
        assert_eq!(values.len(), channels * grid.cells(), "features of {channels} channels on a grid of {grid}");
        Self { values, channels, grid }
    }

    fn matrix(&self, cells: Range<usize>) -> Matrix<'a> {
        Matrix::by_rows(&self.values[cells.start..], self.channels, cells.len(), self.grid.cells())
    }
}

/// Which image's cells are the rows.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Direction {
    /// A row holds a source cell's scores.
    Forward,
    /// A row holds a target cell's scores.
    Backward,
}

/// Rows of `max(0, ⟨s_i, t_j⟩)`, softly mutual or with their negative scores if wished, made when they are asked for.
///
/// A pair whose volume takes no more than [`DenseMatch::keep_bytes`] is multiplied once and kept; a larger one is multiplied anew
/// for every pass. No result depends on the number of threads: rows are computed whole, and what crosses bands are
/// maxima.
pub(super) struct Stream<'a> {
    source: Features<'a>,
    target: Features<'a>,
    kept: Option<Vec<f32>>,
    mutual: Option<Mutual>,
    signed: bool,
}

/// `1 / (maximum + ε)` of every row and of every column.
struct Mutual {
    source: Vec<f32>,
    target: Vec<f32>,
}

impl<'a> Stream<'a> {
    pub(super) fn new(source: Features<'a>, target: Features<'a>, config: &DenseMatch) -> Self {
        let mut stream = Self { source, target, kept: None, mutual: None, signed: config.signed };
        let (rows, columns) = (source.grid.cells(), target.grid.cells());
        if rows * columns * size_of::<f32>() <= config.keep_bytes {
            let stride = columns + PADDING;
            let mut kept = vec![0.0; rows * stride];
            let band = band_rows(rows, columns);
            kept.par_chunks_mut(band * stride).enumerate().for_each(|(index, values)| {
                let first = index * band;
                stream.multiply(Direction::Forward, first..first + values.len() / stride, values, stride);
            });
            stream.kept = Some(kept);
        }
        if config.mutual {
            stream.mutual = Some(stream.maxima());
        }
        stream
    }

    /// Calls `visit` with every row of the direction and its index; what it returns comes back in the rows' order.
    pub(super) fn rows<T: Send>(&self, direction: Direction, visit: impl Fn(usize, &[f32]) -> T + Sync) -> Vec<T> {
        let columns = self.sides(direction).1.grid.cells();
        let scales = self.mutual.as_ref().map(|mutual| match direction {
            Direction::Forward => (&mutual.source, &mutual.target),
            Direction::Backward => (&mutual.target, &mutual.source),
        });
        let bands = self.bands(direction, |rows, band| {
            vectorised(
                #[inline(always)]
                || {
                    let mut results = Vec::with_capacity(rows.len());
                    for (row, index) in band.chunks_exact_mut(columns).zip(rows.clone()) {
                        match scales {
                            Some((own, other)) => filter(row, own[index], other),
                            None if self.signed => {}
                            None => relu(row),
                        }
                        results.push(visit(index, row));
                    }
                    results
                },
            )
        });
        bands.into_iter().flatten().collect()
    }

    fn sides(&self, direction: Direction) -> (Features<'a>, Features<'a>) {
        match direction {
            Direction::Forward => (self.source, self.target),
            Direction::Backward => (self.target, self.source),
        }
    }

    /// Calls `visit` with every band of raw cosines.
    fn bands<T: Send>(&self, direction: Direction, visit: impl Fn(Range<usize>, &mut [f32]) -> T + Sync) -> Vec<T> {
        let (of, with) = self.sides(direction);
        let (rows, columns) = (of.grid.cells(), with.grid.cells());
        let size = band_rows(rows, columns);
        (0..rows.div_ceil(size))
            .into_par_iter()
            .map_init(Vec::new, |buffer, band| {
                let range = band * size..((band + 1) * size).min(rows);
                buffer.resize(size * columns, 0.0);
                let values = &mut buffer[..range.len() * columns];
                self.fill(direction, range.clone(), values);
                visit(range, values)
            })
            .collect()
    }

    fn fill(&self, direction: Direction, rows: Range<usize>, band: &mut [f32]) {
        let (of, with) = self.sides(direction);
        let columns = with.grid.cells();
        match (&self.kept, direction) {
            (None, _) => self.multiply(direction, rows, band, columns),
            (Some(kept), Direction::Forward) => {
                let stride = columns + PADDING;
                let from = kept[rows.start * stride..].chunks(stride);
                band.chunks_exact_mut(columns).zip(from).for_each(|(to, from)| to.copy_from_slice(&from[..columns]));
            }
            (Some(kept), Direction::Backward) => vectorised(
                #[inline(always)]
                || transpose(&kept[rows.start..], of.grid.cells() + PADDING, band, columns),
            ),
        }
    }

    fn multiply(&self, direction: Direction, rows: Range<usize>, band: &mut [f32], stride: usize) {
        let (of, with) = self.sides(direction);
        let columns = with.matrix(0..with.grid.cells());
        multiply(band, stride, false, of.matrix(rows).transposed(), columns);
    }

    fn maxima(&self) -> Mutual {
        let columns = self.target.grid.cells();
        let of_columns = Mutex::new(vec![0.0; columns]);
        let of_rows = self.bands(Direction::Forward, |_, band| {
            let mut highest = vec![0.0; columns];
            let mut peaks = Vec::with_capacity(band.len() / columns);
            vectorised(
                #[inline(always)]
                || {
                    for row in band.chunks_exact(columns) {
                        raise(&mut highest, row);
                        peaks.push(largest(row).max(0.0));
                    }
                },
            );
            // A maximum is the same in whatever order the bands arrive.
            raise(&mut of_columns.lock().unwrap_or_else(PoisonError::into_inner), &highest);
            peaks
        });
        let scale = |maximum: &f32| (maximum + mutual::EPSILON as f32).recip();
        Mutual {
            source: of_rows.iter().flatten().map(scale).collect(),
            target: of_columns.into_inner().unwrap_or_else(PoisonError::into_inner).iter().map(scale).collect(),
        }
    }
}

/// Rows of a band: a function of the shapes alone, and all bands as even as can be.
fn band_rows(rows: usize, columns: usize) -> usize {
    let most = (BAND_BYTES / size_of::<f32>() / columns).clamp(LEAST_ROWS, MOST_ROWS);
    rows.div_ceil(rows.div_ceil(most))
}

#[inline(always)]
fn relu(row: &mut [f32]) {
    row.iter_mut().for_each(|value| *value = if *value > 0.0 { *value } else { 0.0 });
}

#[inline(always)]
fn filter(row: &mut [f32], own: f32, other: &[f32]) {
    for (value, other) in row.iter_mut().zip(other) {
        let score = if *value > 0.0 { *value } else { 0.0 };
        *value = score * (score * own) * (score * other);
    }
}

#[inline(always)]
fn raise(highest: &mut [f32], row: &[f32]) {
    for (highest, value) in highest.iter_mut().zip(row) {
        *highest = if *value > *highest { *value } else { *highest };
    }
}

/// The largest value; −∞ of a row of NaN.
#[inline(always)]
pub(super) fn largest(row: &[f32]) -> f32 {
    let mut lanes = [f32::NEG_INFINITY; 64];
    let chunks = row.chunks_exact(lanes.len());
    let rest = chunks.remainder();
    chunks.for_each(|chunk| raise(&mut lanes, chunk));
    raise(&mut lanes, rest);
    lanes.into_iter().fold(f32::NEG_INFINITY, |a, b| if b > a { b } else { a })
}

/// Index of the first value that equals `wanted`; 0 where there is none.
#[inline(always)]
pub(super) fn first(row: &[f32], wanted: f32) -> usize {
    let chunk = 64;
    let found = row.chunks(chunk).position(|values| values.iter().fold(false, |any, value| any | (*value == wanted)));
    let start = found.unwrap_or(0) * chunk;
    start + row[start..].iter().position(|value| *value == wanted).unwrap_or(0)
}

/// Columns of `from` (rows `stride` apart) become the rows of `to`, `columns` values long.
#[inline(always)]
fn transpose(from: &[f32], stride: usize, to: &mut [f32], columns: usize) {
    const SIDE: usize = 16;
    let rows = to.len() / columns;
    for row in (0..rows).step_by(SIDE) {
        for column in (0..columns).step_by(SIDE) {
            let (height, width) = ((rows - row).min(SIDE), (columns - column).min(SIDE));
            if height == SIDE && width == SIDE {
                let mut tile = [[0.0; SIDE]; SIDE];
                for (k, tile) in tile.iter_mut().enumerate() {
                    tile.copy_from_slice(&from[(column + k) * stride + row..][..SIDE]);
                }
                for k in 0..SIDE {
                    let to = &mut to[(row + k) * columns + column..][..SIDE];
                    to.iter_mut().zip(&tile).for_each(|(to, tile)| *to = tile[k]);
                }
            } else {
                for (i, j) in (0..height).flat_map(|i| (0..width).map(move |j| (row + i, column + j))) {
                    to[i * columns + j] = from[j * stride + i];
                }
            }
        }
    }
}

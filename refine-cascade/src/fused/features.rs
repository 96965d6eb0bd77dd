//! Feature maps in slices: the scores of a band of source cells, and the gradients that come back from them.

use std::ops::Range;

use corr_volume::{Matrix, multiply};
use rayon::prelude::*;

/// Bytes of scores that one pair holds at a time, so that they stay in a core's cache. A pair of no more than 724 cells a
/// side is one band, and nothing of it is computed twice.
const BAND_BYTES: usize = 2 << 20;
/// Fewer rows than this are not worth a product of their own.
const PIECE_ROWS: usize = 96;
/// Nor are fewer channels.
const PIECE_CHANNELS: usize = 128;

/// Feature maps of a batch of images, `[images, channels, cells]`.
#[derive(Clone, Copy)]
pub(crate) struct Features<'a> {
    pub values: &'a [f32],
    pub channels: usize,
    pub cells: usize,
}

impl<'a> Features<'a> {
    /// The number of images.
    pub fn images(&self) -> usize {
        self.values.len() / self.size()
    }

    /// The number of values of one image.
    pub fn size(&self) -> usize {
        self.channels * self.cells
    }

    /// One image alone.
    pub fn image(&self, index: usize) -> Self {
        Self { values: &self.values[index * self.size()..][..self.size()], ..*self }
    }

    fn columns(&self, cells: Range<usize>) -> Matrix<'a> {
        Matrix::by_rows(&self.values[cells.start..], self.channels, cells.len(), self.cells)
    }

    fn part(&self, channels: Range<usize>) -> Self {
        let values = &self.values[channels.start * self.cells..channels.end * self.cells];
        Self { values, channels: channels.len(), cells: self.cells }
    }
}

/// Source cells in bands of equal size (the last may be smaller), each of at most [`BAND_BYTES`] where `row` values go
/// with every cell. The bands depend on these two numbers alone.
pub(crate) fn bands(cells: usize, row: usize) -> impl ExactSizeIterator<Item = Range<usize>> + Clone {
    let most = (BAND_BYTES / size_of::<f32>() / row.max(1)).clamp(8, cells.max(8));
    let size = even(cells, cells.div_ceil(most));
    (0..cells.div_ceil(size)).map(move |band| band * size..cells.min((band + 1) * size))
}

/// Scores of some source cells with some target cells of one pair, row by row:
/// `out[i, j] = Σ_c source[c, rows.start + i] · target[c, columns.start + j]`.
pub(crate) fn scores(
    source: Features<'_>,
    rows: Range<usize>,
    target: Features<'_>,
    columns: Range<usize>,
    out: &mut [f32],
) {
    let size = even(rows.len(), rows.len() / PIECE_ROWS);
    let width = columns.len();
    out.par_chunks_mut(size * width).enumerate().for_each(|(piece, out)| {
        let first = rows.start + piece * size;
        let lhs = source.columns(first..first + out.len() / width).transposed();
        multiply(out, width, false, lhs, target.columns(columns.clone()));
    });
}

/// The gradient in the cells `to` of one image, `out` `[channels, cells]`, from that in their scores with the cells `from`
/// of another: `out[c, to.start + i] = Σ_j features[c, from.start + j] · gradient[j, i]`, added to what is there with `add`.
/// Other cells are left alone.
pub(crate) fn pull_back(
    features: Features<'_>,
    from: Range<usize>,
    gradient: Matrix<'_>,
    out: &mut [f32],
    to: Range<usize>,
    add: bool,
) {
    let cells = out.len() / features.channels;
    assert!(
        to.end <= cells && gradient.columns() == to.len(),
        "a gradient of {} columns does not go into the cells {to:?} of {cells}",
        gradient.columns()
    );
    by_channels(features, cells, out, |features, out| {
        multiply(&mut out[to.start..], cells, add, features.columns(from.clone()), gradient);
    });
}

/// Deals channels of the features and of `out` to threads, in pieces that depend on the shape alone.
pub(crate) fn by_channels(
    features: Features<'_>,
    cells: usize,
    out: &mut [f32],
    task: impl Fn(Features<'_>, &mut [f32]) + Sync,
) {
    let size = even(features.channels, features.channels / PIECE_CHANNELS);
    out.par_chunks_mut(size * cells).enumerate().for_each(|(piece, out)| {
        let first = piece * size;
        task(features.part(first..first + out.len() / cells), out);
    });
}

/// The size of `pieces` pieces (at least one) of nearly the same size.
fn even(total: usize, pieces: usize) -> usize {
    total.div_ceil(pieces.max(1)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bands_cover_every_cell_once_and_stay_small() {
        for (cells, row) in [(1, 1), (400, 400), (724, 724), (725, 725), (1024, 1024), (4096, 4097), (9, 1 << 20)] {
            let bands: Vec<_> = bands(cells, row).collect();
            assert_eq!(bands.iter().cloned().flatten().collect::<Vec<_>>(), (0..cells).collect::<Vec<_>>());
            let largest = bands.iter().map(ExactSizeIterator::len).max().unwrap_or(0);
            assert!(largest * row * 4 <= BAND_BYTES.max(8 * row * 4), "a band of {largest} rows of {row}");
        }
        assert_eq!(bands(724, 724).len(), 1);
    }
}

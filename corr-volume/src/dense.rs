//! Dense matching of two feature maps without their volume.

mod at_points;
mod soft_peak;
mod stream;

use burn::tensor::{Int, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use self::soft_peak::SoftPeak;
use self::stream::{Direction, Features, Stream, first, largest};
use crate::volume::check_pairs;
use crate::{Grid, HostValues, Readout};

/// Matches every cell of either image, streaming over the scores.
///
/// ```text
/// c_ij = max(0, ⟨source_i, target_j⟩)                                        ⟨source_i, target_j⟩ with `signed`
/// c_ij ← c_ij · c_ij / (max_j c_ij + 1e-5) · c_ij / (max_i c_ij + 1e-5)      with `mutual`
/// ```
///
/// and every row and every column of c is read by the [`Readout`]. What comes out is what
/// [`CorrVolume::cosine`](crate::CorrVolume::cosine), [`relu`](crate::CorrVolume::relu),
/// [`soft_mutual`](crate::soft_mutual) and [`Readout::read_cells`] give, to within 1e-5, but the volume is never in
/// memory: for N cells a side time grows with N², memory with N. No gradient flows.
///
/// A pair's scores are computed in bands of rows that stay in a core's cache; the bands are spread over the threads of the
/// current rayon pool. Answers are the same, bit for bit, for any number of threads.
///
/// With this crate's feature `wgpu`, [`read`](Self::read) leaves `f32` features that are on burn's `wgpu` backend there:
/// kernels compute the scores tile by tile, and answer the same to within 1e-4. Features on any other device come to the
/// host, and so do all those of [`top`](Self::top) and of [`read_rows`](Self::read_rows).
///
/// ```
/// use burn::tensor::{Device, Distribution, Tensor};
/// use corr_volume::{DenseMatch, l2_normalise};
///
/// let device = Device::flex();
/// let features = || l2_normalise(Tensor::random([1, 16, 4, 5], Distribution::Normal(0.0, 1.0), &device));
/// let matches = DenseMatch::default().read(features(), features());
/// assert_eq!(matches.forward.points.dims(), [1, 20, 2]);
/// assert_eq!(matches.backward.scores.dims(), [1, 20]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DenseMatch {
    /// Filter the scores by soft mutual nearest neighbours. Default true.
    pub mutual: bool,
    /// Leave negative scores as they are. Plays no part with `mutual`, which is of scores that are not negative. Default
    /// false.
    pub signed: bool,
    /// How a row becomes a point. Default: the kernel readout.
    pub readout: Readout,
    /// A pair whose volume takes no more bytes than this is multiplied once and kept while it is read; a larger one is
    /// multiplied anew for each pass over it. Default 4 MiB, two maps of 32×32 cells. Plays no part on a GPU.
    pub keep_bytes: usize,
}

/// Both directions of a [`DenseMatch`].
#[derive(Clone, Debug)]
pub struct DenseMatches {
    /// For every source cell its match in the target.
    pub forward: CellMatches,
    /// For every target cell its match in the source.
    pub backward: CellMatches,
}

/// The matches of n cells with the m cells of another image.
#[derive(Clone, Debug)]
pub struct CellMatches {
    /// `[b, n, 2]`, `(x, y)` in cell coordinates of the other image.
    pub points: Tensor<3>,
    /// `[b, n]`: the largest score of each row, at least 0 but for `signed`.
    pub scores: Tensor<2>,
    /// `[b, n]`, in 0..=1: the largest score of the row over the largest of the pair, 0 where that is not positive.
    pub confidence: Tensor<2>,
    /// `[b, n]`: index of the cell with the largest score, the lowest of equals.
    pub best: Tensor<2, Int>,
    /// `[b, n]`: 1 where the best cell's best cell is this one, else 0.
    pub mutual: Tensor<2, Int>,
}

/// The k best matches of n cells, from the best on; equal scores from the lowest index on.
#[derive(Clone, Debug)]
pub struct TopMatches {
    /// `[b, n, k]`.
    pub scores: Tensor<3>,
    /// `[b, n, k]`: cell indices in the other image.
    pub cells: Tensor<3, Int>,
}

impl Default for DenseMatch {
    fn default() -> Self {
        Self { mutual: true, signed: false, readout: Readout::default(), keep_bytes: 4 << 20 }
    }
}

impl DenseMatch {
    /// Of the cosines as they are, negative ones included: what [`CorrVolume::cosine`](crate::CorrVolume::cosine) and the
    /// readout give.
    pub fn unfiltered(readout: Readout) -> Self {
        Self { mutual: false, signed: true, readout, ..Self::default() }
    }

    /// Matches features `[b, channels, h, w]` of unit length per cell (see [`l2_normalise`](crate::l2_normalise)); the
    /// grids may differ.
    ///
    /// # Panics
    ///
    /// If batches or channels differ, or a parameter of the readout is not above 0.
    pub fn read(&self, source: Tensor<4>, target: Tensor<4>) -> DenseMatches {
        self.readout.check();
        check_pairs(&source, &target);
        #[cfg(feature = "wgpu")]
        if (self.mutual || !self.signed) && [&source, &target].into_iter().all(crate::gpu::buffers::on_gpu) {
            return crate::gpu::dense_readout(source, target, self.mutual, self.readout);
        }
        self.read_rows(source, target, |_, _| ()).0
    }

    /// As [`read`](Self::read), and what `also` says of every row of scores over the grid that is given with it: of every
    /// source cell's, and of every target cell's, pair after pair.
    ///
    /// # Panics
    ///
    /// As [`read`](Self::read).
    pub fn read_rows<T: Send>(
        &self,
        source: Tensor<4>,
        target: Tensor<4>,
        also: impl Fn(&[f32], Grid) -> T + Sync,
    ) -> (DenseMatches, [Vec<T>; 2]) {
        self.readout.check();
        check_pairs(&source, &target);
        let device = source.device();
        let [batch, ..] = source.dims();
        let (source_grid, target_grid) = (Grid::of(&source), Grid::of(&target));
        let (mut forward, mut backward) = (Found::default(), Found::default());
        let (mut of_source, mut of_target) = (Vec::new(), Vec::new());
        self.each_pair(source, target, |stream| {
            let start = [forward.best.len(), backward.best.len()];
            let (there, back) = (SoftPeak::new(self.readout, target_grid), SoftPeak::new(self.readout, source_grid));
            of_source.extend(forward.read(stream, Direction::Forward, there, |row| also(row, target_grid)));
            of_target.extend(backward.read(stream, Direction::Backward, back, |row| also(row, source_grid)));
            let (there, back) = (&forward.best[start[0]..], &backward.best[start[1]..]);
            forward.mutual.extend(mutual(there, back));
            backward.mutual.extend(mutual(back, there));
        });
        let matches = DenseMatches {
            forward: forward.into_tensors([batch, source_grid.cells()], &device),
            backward: backward.into_tensors([batch, target_grid.cells()], &device),
        };
        (matches, [of_source, of_target])
    }

    /// The k best target cells of every source cell; the readout plays no part.
    ///
    /// # Panics
    ///
    /// If batches or channels differ, or k is 0 or above the number of target cells.
    pub fn top(&self, source: Tensor<4>, target: Tensor<4>, k: usize) -> TopMatches {
        let device = source.device();
        let [batch, ..] = source.dims();
        let (cells, columns) = (Grid::of(&source).cells(), Grid::of(&target).cells());
        assert!(k > 0 && k <= columns, "the {k} best of {columns} cells");
        let (mut scores, mut indices) = (Vec::new(), Vec::new());
        self.each_pair(source, target, |stream| {
            for row in stream.rows(Direction::Forward, |_, row| best_of(row, k)) {
                scores.extend(row.iter().map(|(score, _)| *score));
                indices.extend(row.iter().map(|(_, cell)| *cell));
            }
        });
        TopMatches {
            scores: Tensor::from_data(TensorData::new(scores, [batch, cells, k]), &device),
            cells: Tensor::from_data(TensorData::new(indices, [batch, cells, k]), &device),
        }
    }

    /// One pair after the other: its bands are what runs in parallel, so that one pair's memory is all that is needed.
    fn each_pair(&self, source: Tensor<4>, target: Tensor<4>, mut visit: impl FnMut(&Stream<'_>)) {
        check_pairs(&source, &target);
        let channels = source.dims()[1];
        let (source_grid, target_grid) = (Grid::of(&source), Grid::of(&target));
        let (source, target) = (HostValues::fetch(&source), HostValues::fetch(&target));
        let sources = source.values().chunks(channels * source_grid.cells());
        let pairs = sources.zip(target.values().chunks(channels * target_grid.cells()));
        for (source, target) in pairs {
            let source = Features::new(source, channels, source_grid);
            let target = Features::new(target, channels, target_grid);
            visit(&Stream::new(source, target, self));
        }
    }
}

#[derive(Default)]
struct Found {
    points: Vec<f32>,
    scores: Vec<f32>,
    confidence: Vec<f32>,
    best: Vec<i32>,
    mutual: Vec<i32>,
}

impl Found {
    /// What `also` says of the rows comes back in their order.
    fn read<T: Send>(
        &mut self,
        stream: &Stream<'_>,
        direction: Direction,
        soft_peak: SoftPeak,
        also: impl Fn(&[f32]) -> T + Sync,
    ) -> Vec<T> {
        let start = self.scores.len();
        let rows = stream.rows(
            direction,
            #[inline(always)]
            |_, row| {
                let peak = largest(row);
                let best = first(row, peak);
                (best as i32, peak, soft_peak.point(row, best, peak), also(row))
            },
        );
        let mut said = Vec::with_capacity(rows.len());
        for (best, score, point, of_row) in rows {
            self.best.push(best);
            self.scores.push(score);
            self.points.extend(point);
            said.push(of_row);
        }
        let highest = largest(&self.scores[start..]);
        self.confidence.extend(self.scores[start..].iter().map(|score| share(*score, highest)));
        said
    }

    fn into_tensors(self, [batch, cells]: [usize; 2], device: &burn::tensor::Device) -> CellMatches {
        let shape = [batch, cells];
        CellMatches {
            points: Tensor::from_data(TensorData::new(self.points, [batch, cells, 2]), device),
            scores: Tensor::from_data(TensorData::new(self.scores, shape), device),
            confidence: Tensor::from_data(TensorData::new(self.confidence, shape), device),
            best: Tensor::from_data(TensorData::new(self.best, shape), device),
            mutual: Tensor::from_data(TensorData::new(self.mutual, shape), device),
        }
    }
}

/// A row's largest score over the largest of the pair.
fn share(score: f32, highest: f32) -> f32 {
    if highest < f32::MIN_POSITIVE { 0.0 } else { (score / highest).clamp(0.0, 1.0) }
}

fn mutual(there: &[i32], back: &[i32]) -> impl Iterator<Item = i32> {
    there.iter().zip(0..).map(|(best, cell)| i32::from(back[*best as usize] == cell))
}

/// The k largest scores with their cells, in falling order.
fn best_of(row: &[f32], k: usize) -> Vec<(f32, i32)> {
    let mut best: Vec<(f32, i32)> = Vec::with_capacity(k + 1);
    for (score, cell) in row.iter().zip(0..) {
        if best.len() < k || *score > best[k - 1].0 {
            let place = best.partition_point(|(held, _)| held >= score);
            best.insert(place, (*score, cell));
            best.truncate(k);
        }
    }
    best
}

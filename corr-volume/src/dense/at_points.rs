//! Points between cells: what the cells round them say, without the rest of the volume.

use burn::tensor::{Tensor, TensorData};
use rayon::prelude::*;

use super::soft_peak::SoftPeak;
use super::stream::{Direction, Stream, first, largest};
use super::{DenseMatch, share};
use crate::{Answers, CorrVolume, Grid, HostValues, check_pairs, soft_mutual, vectorised};

/// The cells round a point, each with its weight in the point's row.
type Corners = [(usize, f32); 4];

impl DenseMatch {
    /// Reads the answers for source points, `[b, n, 2]`, `(x, y)` in source cell coordinates: those of
    /// [`Readout::read`](crate::Readout::read) on the volume, to within 1e-5. No gradient flows.
    ///
    /// On the host the volume is never in memory, only the rows of the cells round the points, at most four a point. On any
    /// other device it is made there: kernels answer for whole cells alone.
    ///
    /// ```
    /// use burn::tensor::{Device, Distribution, Tensor};
    /// use corr_volume::{CorrVolume, DenseMatch, Readout, l2_normalise};
    ///
    /// let device = Device::flex();
    /// let features = || l2_normalise(Tensor::random([1, 16, 4, 5], Distribution::Normal(0.0, 1.0), &device));
    /// let (source, target, points) = (features(), features(), Tensor::from_floats([[[1.5, 0.25]]], &device));
    /// let wanted = Readout::default().read(&CorrVolume::cosine(source.clone(), target.clone()), points.clone());
    /// let found = DenseMatch::unfiltered(Readout::default()).read_at(source, target, points);
    /// assert!((found.points - wanted.points).abs().max().into_scalar::<f32>() < 1e-4);
    /// ```
    ///
    /// # Panics
    ///
    /// If batches or channels differ, the shape of `points` is not `[batch, n, 2]`, or a parameter of the readout is not
    /// above 0.
    pub fn read_at(&self, source: Tensor<4>, target: Tensor<4>, points: Tensor<3>) -> Answers {
        self.readout.check();
        check_pairs(&source, &target);
        let [batch, count, coordinates] = points.dims();
        assert!(
            batch == source.dims()[0] && coordinates == 2,
            "points of shape [{}, n, 2] are wanted, got {:?}",
            source.dims()[0],
            points.dims()
        );
        let on_host = |features: &Tensor<4>| HostValues::of(features).is_some();
        if !on_host(&source) || !on_host(&target) {
            return self.readout.read(&self.volume(source.detach(), target.detach()), points.detach());
        }
        let device = source.device();
        let grids = [Grid::of(&source), Grid::of(&target)];
        let asked = HostValues::fetch(&points);
        let mut asked = asked.values().as_chunks::<2>().0;
        let (mut found, mut confidence) = (Vec::new(), Vec::new());
        self.each_pair(source, target, |stream| {
            let (of_pair, others) = asked.split_at(count);
            asked = others;
            for (point, sure) in self.answers(stream, grids, of_pair) {
                found.extend(point);
                confidence.push(sure);
            }
        });
        Answers {
            points: Tensor::from_data(TensorData::new(found, [batch, count, 2]), &device),
            confidence: Tensor::from_data(TensorData::new(confidence, [batch, count]), &device),
        }
    }

    /// The volume that is read, as tensors.
    fn volume(&self, source: Tensor<4>, target: Tensor<4>) -> CorrVolume {
        let volume = CorrVolume::cosine(source, target);
        match (self.mutual, self.signed) {
            (true, _) => soft_mutual(&volume),
            (false, true) => volume,
            (false, false) => volume.relu(),
        }
    }

    /// Where a pair's points lie, and how sure that is.
    fn answers(&self, stream: &Stream<'_>, grids: [Grid; 2], points: &[[f32; 2]]) -> Vec<([f32; 2], f32)> {
        let corners: Vec<Corners> = points.iter().map(|&point| corners(grids[0], point)).collect();
        let mut wanted = vec![false; grids[0].cells()];
        corners.iter().flatten().filter(|(_, weight)| *weight > 0.0).for_each(|(cell, _)| wanted[*cell] = true);
        let rows = stream.rows(
            Direction::Forward,
            #[inline(always)]
            |cell, row| (largest(row), if wanted[cell] { row.to_vec() } else { Vec::new() }),
        );
        let highest = rows.iter().fold(f32::NEG_INFINITY, |highest, (peak, _)| highest.max(*peak));
        let soft_peak = SoftPeak::new(self.readout, grids[1]);
        corners
            .par_iter()
            .map(|corners| {
                let mut row = vec![0.0; grids[1].cells()];
                for &(cell, weight) in corners.iter().filter(|(_, weight)| *weight > 0.0) {
                    row.iter_mut().zip(&rows[cell].1).for_each(|(sum, score)| *sum += weight * score);
                }
                let peak = largest(&row);
                let best = first(&row, peak);
                let point = vectorised(
                    #[inline(always)]
                    || soft_peak.point(&row, best, peak),
                );
                (point, share(peak, highest))
            })
            .collect()
    }
}

/// The four cells round a point, which is clamped to the outermost cell centres; a weight may be 0.
fn corners(grid: Grid, [x, y]: [f32; 2]) -> Corners {
    let axis = |at: f32, size: usize| {
        let at = at.clamp(0.0, (size - 1) as f32);
        let low = at as usize;
        let rest = at - low as f32;
        [(low, 1.0 - rest), ((low + 1).min(size - 1), rest)]
    };
    let (columns, rows) = (axis(x, grid.width), axis(y, grid.height));
    [0, 1, 2, 3].map(|corner| {
        let ((column, across), (row, down)) = (columns[corner % 2], rows[corner / 2]);
        (grid.index(row, column), across * down)
    })
}

//! The key points of a batch of pairs, as tensors.

use burn::tensor::{Device, Tensor, TensorData};
use corr_volume::{Frame, Grid};

use crate::key_points::KeyPointPair;

/// The key points of a pair in cells of the source's and the target's grid.
#[derive(Clone, Debug, PartialEq)]
pub struct PointsInCells {
    /// `(x, y)` in source cells.
    pub source: Vec<[f32; 2]>,
    /// Where each lies, in target cells.
    pub target: Vec<[f32; 2]>,
    /// The longer side of the target object's box, in cells: what tolerances are a share of.
    pub length: f32,
}

impl PointsInCells {
    /// The points of a pair whose images are seen in `frames` (source, target), on grids of one size.
    ///
    /// The box is the annotated one where there is one, else that of the key points.
    pub fn of(pair: &KeyPointPair, frames: [Frame; 2], grid: Grid) -> Self {
        let cells = |frame: Frame, points: &[[f32; 2]]| points.iter().map(|&p| frame.to_cells(grid, p)).collect();
        let [left, top, right, bottom] = pair.target.object_box.unwrap_or(pair.target.key_point_box);
        let corners = [[left, top], [right, bottom]].map(|corner| frames[1].to_cells(grid, corner));
        let length = (corners[1][0] - corners[0][0]).max(corners[1][1] - corners[0][1]);
        Self {
            source: cells(frames[0], &pair.source.points),
            target: cells(frames[1], &pair.target.points),
            // A single point's box has no size; a cell is as near as anything can be told.
            length: length.max(1.0),
        }
    }
}

/// The key points of `b` pairs, filled up to `n` points each.
#[derive(Clone, Debug)]
pub struct KeyPointBatch {
    /// `[b, n, 2]`, `(x, y)` in source cells.
    pub source: Tensor<3>,
    /// `[b, n, 2]`, `(x, y)` in target cells.
    pub target: Tensor<3>,
    /// `[b, n]`: one over the pair's number of points, and 0 where there is none. The sum is the number of pairs.
    pub weight: Tensor<2>,
    /// `[b, 1]`: the longer side of each target's box, in cells.
    pub length: Tensor<2>,
}

impl KeyPointBatch {
    /// A batch of the points of pairs.
    ///
    /// # Panics
    ///
    /// If there is no pair, a pair has no point, or as many source points as it has no target points.
    pub fn new(pairs: &[&PointsInCells], device: &Device) -> Self {
        let most = pairs.iter().map(|pair| pair.source.len()).max().unwrap_or_default();
        assert!(most > 0, "a batch of key points needs a pair with a point, got {} pairs", pairs.len());
        let (mut source, mut target) = (Vec::new(), Vec::new());
        let (mut weight, mut length) = (Vec::new(), Vec::new());
        for pair in pairs {
            let count = pair.source.len();
            assert_eq!(count, pair.target.len(), "a pair has as many source as target points");
            assert!(count > 0, "a pair without a key point teaches nothing");
            for index in 0..most {
                // What is filled up has a place, so that nothing computed of it is NaN.
                let inside = index.min(count - 1);
                source.extend(pair.source[inside]);
                target.extend(pair.target[inside]);
                weight.push(if index < count { 1.0 / count as f32 } else { 0.0 });
            }
            length.push(pair.length);
        }
        let points = |values: Vec<f32>| Tensor::from_data(TensorData::new(values, [pairs.len(), most, 2]), device);
        Self {
            source: points(source),
            target: points(target),
            weight: Tensor::from_data(TensorData::new(weight, [pairs.len(), most]), device),
            length: Tensor::from_data(TensorData::new(length, [pairs.len(), 1]), device),
        }
    }

    /// The same matches the other way: what was asked is the answer.
    ///
    /// The length stays the target's, which is all that is known of tolerances.
    pub fn reversed(&self) -> Self {
        Self { source: self.target.clone(), target: self.source.clone(), ..self.clone() }
    }

    /// The mean over the pairs of the mean over each pair's points of `values` `[b, n]`.
    ///
    /// # Panics
    ///
    /// If the shape is not that of [`weight`](Self::weight).
    pub fn mean(&self, values: Tensor<2>) -> Tensor<1> {
        assert_eq!(values.dims(), self.weight.dims(), "a value for each point of each pair is wanted");
        let pairs = self.weight.dims()[0] as f64;
        (values * self.weight.clone()).sum().div_scalar(pairs)
    }
}

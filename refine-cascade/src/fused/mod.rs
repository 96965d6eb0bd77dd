//! Losses on feature maps in slices, with gradients written by hand: value and gradients in one pass, and never more than a
//! band of a pair's scores in memory.
//!
//! What is computed, and in which order, depends on the shapes alone: the bits do not depend on the number of threads.

mod bells;
mod bilinear;
pub(crate) mod bipath;
mod features;
mod lanes;
mod log_sums;
pub(crate) mod match_loss;
pub(crate) mod negatives;
mod side;
mod softmax;
pub(crate) mod warp_supervision;

use rayon::prelude::*;

pub(crate) use features::Features;
pub(crate) use lanes::add_scaled;

/// Less weight than this in a whole batch is not divided by.
const LEAST_WEIGHT: f64 = 1e-6;

/// A loss, and its gradients in N batches of feature maps where they were asked for.
pub(crate) struct Outcome<const N: usize> {
    pub loss: f32,
    /// What the gradients still have to be multiplied with.
    pub scale: f32,
    pub gradients: Option<[Vec<f32>; N]>,
}

/// What one side of a batch is taught: a point and a weight for each of its cells.
#[derive(Clone, Copy)]
pub(crate) struct Lesson<'a> {
    /// `[b, cells, 2]`, (x, y) in cells of the other grid.
    pub points: &'a [f32],
    /// `[b, cells]`.
    pub weights: &'a [f32],
}

impl<'a> Lesson<'a> {
    /// That of one pair.
    fn pair(&self, index: usize, cells: usize) -> Self {
        Self {
            points: &self.points[2 * index * cells..][..2 * cells],
            weights: &self.weights[index * cells..][..cells],
        }
    }
}

/// `1 / Σ w`, what a weight is multiplied with to be a share.
fn share_of_weight(weights: &[f32]) -> f64 {
    let total: f64 = weights.iter().map(|weight| f64::from(*weight)).sum();
    1.0 / total.max(LEAST_WEIGHT)
}

/// Computes pairs on threads of their own.
///
/// `pair` gets an index and, if gradients are wanted, that pair's part of each of them, zeros at first. Its results come
/// back in the order of the pairs.
fn of_pairs<T: Send, const N: usize>(
    features: [Features<'_>; N],
    gradients: bool,
    pair: impl Fn(usize, Option<[&mut [f32]; N]>) -> T + Sync,
) -> (Vec<T>, Option<[Vec<f32>; N]>) {
    let pairs = features[0].images();
    if !gradients {
        return ((0..pairs).into_par_iter().map(|index| pair(index, None)).collect(), None);
    }
    let mut values = features.map(|features| vec![0.0f32; features.values.len()]);
    let mut parts: Vec<Vec<&mut [f32]>> = (0..pairs).map(|_| Vec::with_capacity(N)).collect();
    for (values, features) in values.iter_mut().zip(&features) {
        let images = values.chunks_exact_mut(features.size());
        parts.iter_mut().zip(images).for_each(|(part, image)| part.push(image));
    }
    let of_part = |(index, part): (usize, Vec<_>)| pair(index, part.try_into().ok());
    let results = parts.into_par_iter().enumerate().map(of_part).collect();
    (results, Some(values))
}

//! Matchers without parameters: the nearest cell, and the mutually nearest.

use burn::tensor::Tensor;
use corr_volume::{CorrVolume, Grid, hyperpixel, soft_mutual};

use super::Matcher;

/// Cosine of the hyperpixels of all blocks, on the grid of the first.
#[derive(Clone, Copy, Debug, Default)]
pub struct Nearest;

/// [`Nearest`] behind soft mutual nearest neighbours ([`soft_mutual`]).
#[derive(Clone, Copy, Debug, Default)]
pub struct MutualNearest;

impl Matcher for Nearest {
    fn volume(&self, source: &[Tensor<4>], target: &[Tensor<4>]) -> CorrVolume {
        let joined = |maps: &[Tensor<4>]| hyperpixel(maps, Grid::of(&maps[0]));
        CorrVolume::cosine(joined(source), joined(target))
    }
}

impl Matcher for MutualNearest {
    fn volume(&self, source: &[Tensor<4>], target: &[Tensor<4>]) -> CorrVolume {
        soft_mutual(&Nearest.volume(source, target))
    }
}

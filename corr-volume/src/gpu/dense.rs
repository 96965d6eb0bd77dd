//! Every cell's match in both directions, from features, without the volume.

use burn::tensor::{Int, Tensor};
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::best::{Best, Filter, best_of_rows};
use super::buffers::{beside, buffer, int_tensor, integers, join, part, parts, tensor};
use super::soft_argmax::soft_argmax;
use crate::readout::SMALLEST_SCORE;
use crate::{CellMatches, DenseMatches, Grid, Readout};

/// What [`DenseMatch::read`](crate::DenseMatch::read) answers, of features for which
/// [`on_gpu`](super::buffers::on_gpu) holds.
///
/// Memory beyond the inputs and the answers is two numbers a cell. Time is that of the volume once for each direction,
/// twice if `mutual`. Cells that a kernel readout weighs with less than 2e-8 in all are left out.
pub(crate) fn dense_readout(source: Tensor<4>, target: Tensor<4>, mutual: bool, readout: Readout) -> DenseMatches {
    // Of a pair, features or points are the most.
    let size = |features: &Tensor<4>| features.dims()[1].max(2) * Grid::of(features).cells();
    let largest = size(&source).max(size(&target));
    let (mut forward, mut backward) = (Found::default(), Found::default());
    for pairs in parts(source.dims()[0], largest) {
        let (source, target) = (buffer(part(&source, &pairs)), buffer(part(&target, &pairs)));
        read(&source, &target, mutual, readout, &mut forward, &mut backward);
    }
    DenseMatches { forward: forward.into_matches(&source), backward: backward.into_matches(&source) }
}

fn read(
    source: &CubeTensor,
    target: &CubeTensor,
    mutual: bool,
    readout: Readout,
    forward: &mut Found,
    backward: &mut Found,
) {
    let mut best_target = best_of_rows(source, target, Filter::None, None);
    let mut best_source = best_of_rows(target, source, Filter::None, None);
    let (there, back) = if mutual {
        let (rows, columns) = (Some((&best_target, &best_source)), Some((&best_source, &best_target)));
        let filtered_target = best_of_rows(source, target, Filter::RowsAreSource, rows);
        let filtered_source = best_of_rows(target, source, Filter::RowsAreTarget, columns);
        let there = soft_argmax(source, target, &filtered_target, Filter::RowsAreSource, rows, readout);
        let back = soft_argmax(target, source, &filtered_source, Filter::RowsAreTarget, columns, readout);
        (best_target, best_source) = (filtered_target, filtered_source);
        (there, back)
    } else {
        let there = soft_argmax(source, target, &best_target, Filter::None, None, readout);
        (there, soft_argmax(target, source, &best_source, Filter::None, None, readout))
    };
    let (there_and_back, back_and_there) = (returns(&best_target, &best_source), returns(&best_source, &best_target));
    forward.add(best_target, there, there_and_back);
    backward.add(best_source, back, back_and_there);
}

/// One direction of all parts of a batch.
#[derive(Default)]
struct Found {
    points: Vec<Tensor<3>>,
    scores: Vec<Tensor<2>>,
    best: Vec<Tensor<2, Int>>,
    mutual: Vec<Tensor<2, Int>>,
}

impl Found {
    fn add(&mut self, best: Best, points: CubeTensor, mutual: CubeTensor) {
        self.points.push(tensor(points));
        self.scores.push(tensor(best.scores));
        self.best.push(int_tensor(best.cells));
        self.mutual.push(int_tensor(mutual));
    }

    /// On the device of the features, which includes whether it has autodiff.
    fn into_matches(self, features: &Tensor<4>) -> CellMatches {
        let scores = join(self.scores);
        let largest = scores.clone().max_dim(1);
        let absent = largest.clone().lower_scalar(SMALLEST_SCORE);
        let share = (scores.clone() / largest.mask_fill(absent.clone(), 1.0)).clamp(0.0, 1.0);
        let confidence = share * absent.bool_not().float();
        CellMatches {
            points: beside(features, join(self.points)),
            scores: beside(features, scores),
            confidence: beside(features, confidence),
            best: beside(features, join(self.best)),
            mutual: beside(features, join(self.mutual)),
        }
    }
}

/// 1 where the best cell of a cell's best cell is the cell itself.
#[cube(launch)]
fn returns_kernel(there: &[i32], back: &[i32], mutual: &mut [i32], count: usize, back_count: usize) {
    if ABSOLUTE_POS >= mutual.len() {
        terminate!();
    }
    let pair = ABSOLUTE_POS / count;
    let cell = (ABSOLUTE_POS % count) as i32;
    let mut same = 0i32;
    if back[pair * back_count + there[ABSOLUTE_POS] as usize] == cell {
        same = 1i32;
    }
    mutual[ABSOLUTE_POS] = same;
}

fn returns(there: &Best, back: &Best) -> CubeTensor {
    let [pairs, count] = there.cells.meta.shape().dims();
    let [_, back_count] = back.cells.meta.shape().dims();
    let mutual = integers(&there.cells, [pairs, count]);
    let units = CubeDim::new_1d(256);
    returns_kernel::launch(
        &mutual.client,
        cubecl::calculate_cube_count_elemwise(&mutual.client, pairs * count, units),
        units,
        there.cells.clone().into_buffer_arg(),
        back.cells.clone().into_buffer_arg(),
        mutual.clone().into_buffer_arg(),
        count,
        back_count,
    );
    mutual
}

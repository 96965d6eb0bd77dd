//! The match loss of both directions and its gradient in the features, band by band.

use std::ops::Range;

use corr_volume::exponential::exp;
use corr_volume::vectorised;
use corr_volume::{Grid, Matrix};

use super::bells::Bells;
use super::features::{Features, bands, pull_back, scores};
use super::lanes::{larger, sum};
use super::log_sums::{LogSums, Sums};
use super::side::{Side, vote_totals};
use super::{Lesson, Outcome, of_pairs, share_of_weight};

/// How the losses of a batch are computed.
#[derive(Clone, Copy)]
pub(crate) struct MatchLoss<'a> {
    /// Source and target features.
    pub features: [Features<'a>; 2],
    /// Their grids.
    pub grids: [Grid; 2],
    /// What the source cells are taught.
    pub forward: Lesson<'a>,
    /// What the target cells are taught, if anything.
    pub backward: Option<Lesson<'a>>,
    /// `[b, source cells, target cells]`: votes, and their share in the targets.
    pub votes: Option<(&'a [f32], f32)>,
    pub tau: f32,
    pub sigma: f64,
}

impl MatchLoss<'_> {
    /// The sum of the losses of both directions, with their gradients in source and target features if `gradients`.
    pub fn outcome(&self, gradients: bool) -> Outcome<2> {
        let [source, target] = self.features;
        let scale = |lesson: &Lesson<'_>| share_of_weight(lesson.weights);
        let scales = [scale(&self.forward), self.backward.as_ref().map_or(0.0, scale)];
        let (losses, gradients) = of_pairs([source, target], gradients, |pair, out| {
            let pair = self.pair(pair, scales);
            match (self.backward.is_some(), self.votes.is_some()) {
                (false, false) => pair.run::<false, false>(out),
                (false, true) => pair.run::<false, true>(out),
                (true, false) => pair.run::<true, false>(out),
                (true, true) => pair.run::<true, true>(out),
            }
        });
        Outcome { loss: losses.iter().sum::<f64>() as f32, scale: 1.0, gradients }
    }

    fn pair(&self, index: usize, scales: [f64; 2]) -> Pair<'_> {
        let [source, target] = self.features.map(|features| features.image(index));
        let votes = self.votes.map(|(votes, share)| {
            let size = source.cells * target.cells;
            (&votes[index * size..][..size], share)
        });
        let (of_rows, of_columns) = votes.map(|(votes, _)| vote_totals(votes, target.cells)).unzip();
        let side = |lesson: &Lesson<'_>, cells: usize, other: Grid, scale: f64, totals: &Option<Vec<f64>>| {
            let Lesson { points, weights } = lesson.pair(index, cells);
            let votes = totals.as_deref().zip(votes.map(|(_, share)| share));
            Side::new(Bells::round(points, other, self.sigma), weights, scale, votes)
        };
        let forward = side(&self.forward, source.cells, self.grids[1], scales[0], &of_rows);
        let backward = self
            .backward
            .as_ref()
            .map_or_else(Side::nothing, |lesson| side(lesson, target.cells, self.grids[0], scales[1], &of_columns));
        Pair { source, target, forward, backward, votes: votes.map_or(&[], |(votes, _)| votes), tau: self.tau }
    }
}

struct Pair<'a> {
    source: Features<'a>,
    target: Features<'a>,
    forward: Side,
    backward: Side,
    votes: &'a [f32],
    tau: f32,
}

impl Pair<'_> {
    /// The loss of both directions; gradients in source and target into `out`.
    fn run<const BACK: bool, const VOTES: bool>(&self, mut out: Option<[&mut [f32]; 2]>) -> f64 {
        let (rows, columns) = (self.source.cells, self.target.cells);
        let bands = bands(rows, columns);
        let mut band = vec![0.0f32; bands.clone().map(|band| band.len()).max().unwrap_or(0) * columns];
        let mut row_sums = Sums::new(rows, 1.0 / self.tau);
        let mut column_sums = Sums::new(columns, 1.0 / self.tau);
        for range in bands.clone() {
            let band = &mut band[..range.len() * columns];
            scores(self.source, range.clone(), self.target, 0..columns, band);
            vectorised(
                #[inline(always)]
                || {
                    for (cell, row) in range.clone().zip(band.chunks_exact(columns)) {
                        row_sums.add_to_row(cell, row);
                    }
                    if BACK {
                        column_sums.add_to_columns(band);
                    }
                },
            );
        }
        let sums = [row_sums.finish(), column_sums.finish()];
        let mut loss = 0.0;
        let kept = bands.len() == 1;
        for range in bands {
            let band = &mut band[..range.len() * columns];
            if !kept {
                scores(self.source, range.clone(), self.target, 0..columns, band);
            }
            loss += vectorised(
                #[inline(always)]
                || self.band::<BACK, VOTES>(range.clone(), band, &sums),
            );
            if let Some([source, target]) = &mut out {
                let gradient = Matrix::by_rows(band, range.len(), columns, columns);
                pull_back(self.target, 0..columns, gradient.transposed(), source, range.clone(), false);
                pull_back(self.source, range, gradient, target, 0..columns, true);
            }
        }
        loss
    }

    /// Scores become their gradient, in place. Returns the band's share in the loss.
    #[inline(always)]
    fn band<const BACK: bool, const VOTES: bool>(
        &self,
        rows: Range<usize>,
        band: &mut [f32],
        [row_sums, column_sums]: &[LogSums; 2],
    ) -> f64 {
        let columns = self.target.cells;
        let mut bell = vec![0.0f32; columns];
        let mut losses = vec![0.0f32; columns];
        let mut loss = 0.0f64;
        let side = &self.forward;
        for (cell, scores) in rows.zip(band.chunks_exact_mut(columns)) {
            side.bells.of_point(cell, &mut bell);
            let row = Row {
                bells: &bell,
                votes: if VOTES { &self.votes[cell * columns..][..columns] } else { &[] },
                peak: row_sums.peaks[cell],
                log: row_sums.logs[cell],
                pull: side.pull[cell],
                bell: side.bell[cell],
                vote: if VOTES { side.vote[cell] } else { 0.0 },
                lift: if VOTES { side.lift[cell] } else { 0.0 },
                inverse: 1.0 / self.tau,
            };
            let bells = if BACK { self.backward.bells.at_cell(cell) } else { (&[][..], &[][..]) };
            let back = Back { bells, sums: column_sums, side: &self.backward };
            row_gradient::<BACK, VOTES>(scores, &mut losses, row, back);
            loss -= f64::from(sum(&losses));
        }
        loss
    }
}

/// What holds for a row of scores.
#[derive(Clone, Copy)]
struct Row<'a> {
    bells: &'a [f32],
    votes: &'a [f32],
    peak: f32,
    log: f32,
    pull: f32,
    bell: f32,
    vote: f32,
    lift: f32,
    inverse: f32,
}

/// What the columns are taught, with the two factors of their Gaussians at the row's cell.
#[derive(Clone, Copy)]
struct Back<'a> {
    bells: (&'a [f32], &'a [f32]),
    sums: &'a LogSums,
    side: &'a Side,
}

/// With P the softmax along the row (and along the column for the way back), Q a target and w its weight:
///
/// ```text
/// loss = −Σ w Q log P,      gradient in C = (w Σ Q · P − w Q) / τ
/// ```
///
/// Scores become their gradient, `losses` what they subtract from the loss.
#[inline(always)]
fn row_gradient<const BACK: bool, const VOTES: bool>(
    scores: &mut [f32],
    losses: &mut [f32],
    row: Row<'_>,
    back: Back<'_>,
) {
    // Slices of one length: no index below is checked.
    let count = scores.len();
    let (losses, bells) = (&mut losses[..count], &row.bells[..count]);
    let votes = &row.votes[..if VOTES { count } else { 0 }];
    let length = if BACK { count } else { 0 };
    let (back_rows, back_columns) = (&back.bells.0[..length], &back.bells.1[..length]);
    let (peaks, logs) = (&back.sums.peaks[..length], &back.sums.logs[..length]);
    let (back_bell, back_pull) = (&back.side.bell[..length], &back.side.pull[..length]);
    let length = if BACK && VOTES { count } else { 0 };
    let (back_vote, back_lift) = (&back.side.vote[..length], &back.side.lift[..length]);
    for j in 0..count {
        let vote = if VOTES { larger(0.0, votes[j]) } else { 0.0 };
        let log = (scores[j] - row.peak) * row.inverse - row.log;
        let mut target = row.bell * bells[j];
        if VOTES {
            target += row.vote * (row.lift * vote);
        }
        let mut loss = target * log;
        let mut gradient = row.pull * exp(log) - target;
        if BACK {
            let log = (scores[j] - peaks[j]) * row.inverse - logs[j];
            let mut target = back_bell[j] * (back_rows[j] * back_columns[j]);
            if VOTES {
                target += back_vote[j] * (back_lift[j] * vote);
            }
            loss += target * log;
            gradient += back_pull[j] * exp(log) - target;
        }
        losses[j] = loss;
        scores[j] = gradient * row.inverse;
    }
}

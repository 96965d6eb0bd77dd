//! What one side of a pair is taught: Gaussians round its labels, and votes.

use corr_volume::{Grid, vectorised};

use super::bells::Bells;
use super::lanes::larger;

/// What the cells of one side are taught, in the form in which it is applied. With w the cell's share in all weights:
///
/// ```text
/// w · target(i, j) = bell_i G(i, j) + vote_i (lift_i V_ij),      pull_i = w Σ_j target(i, j)
/// ```
pub(crate) struct Side {
    pub bells: Bells,
    pub bell: Vec<f32>,
    pub vote: Vec<f32>,
    /// A power of two that keeps votes and their sum in range, however small or large they are.
    pub lift: Vec<f32>,
    pub pull: Vec<f32>,
}

impl Side {
    /// Gaussians, weights and what these are multiplied with; votes as their totals and their share in the targets.
    pub fn new(bells: Bells, weights: &[f32], scale: f64, votes: Option<(&[f64], f32)>) -> Self {
        let weights: Vec<f32> = weights.iter().map(|weight| (f64::from(*weight) * scale) as f32).collect();
        let Some((totals, share)) = votes else {
            let pull = weights.iter().zip(&bells.sums).map(|(weight, sum)| weight * sum).collect();
            return Self { bells, bell: weights, vote: Vec::new(), lift: Vec::new(), pull };
        };
        let mut side = Self { bells, bell: Vec::new(), vote: Vec::new(), lift: Vec::new(), pull: Vec::new() };
        for (cell, (weight, total)) in weights.iter().zip(totals).enumerate() {
            // A row without votes is the Gaussian alone.
            let share = if *total > 0.0 { share } else { 0.0 };
            let lift = if *total > 0.0 { (-total.log2().floor().clamp(-100.0, 100.0)).exp2() } else { 1.0 };
            side.bell.push(weight * (1.0 - share));
            side.vote.push(if share > 0.0 { (f64::from(weight * share) / (total * lift)) as f32 } else { 0.0 });
            side.lift.push(lift as f32);
            side.pull.push(weight * ((1.0 - share) * side.bells.sums[cell] + share));
        }
        side
    }

    /// A side that is taught nothing.
    pub fn nothing() -> Self {
        let bells = Bells::round(&[], Grid { height: 1, width: 1 }, 1.0);
        Self { bells, bell: Vec::new(), vote: Vec::new(), lift: Vec::new(), pull: Vec::new() }
    }
}

/// Sums of positive votes, of every row and of every column.
pub(crate) fn vote_totals(votes: &[f32], columns: usize) -> (Vec<f64>, Vec<f64>) {
    let mut of_columns = vec![0.0f64; columns];
    let mut of_rows = Vec::with_capacity(votes.len() / columns);
    vectorised(
        #[inline(always)]
        || {
            let mut row = vec![0.0f64; columns];
            for votes in votes.chunks_exact(columns) {
                for ((row, total), vote) in row.iter_mut().zip(&mut of_columns).zip(votes) {
                    *row = f64::from(larger(0.0, *vote));
                    *total += *row;
                }
                let (chunks, rest) = row.as_chunks::<8>();
                let mut lanes = [0.0f64; 8];
                for chunk in chunks {
                    (0..8).for_each(|k| lanes[k] += chunk[k]);
                }
                of_rows.push(lanes.iter().chain(rest).sum());
            }
        },
    );
    (of_rows, of_columns)
}

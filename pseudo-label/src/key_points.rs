//! Which of the believed matches of a pair become key points: the surest, or any, and no two near each other.

use corr_volume::Grid;
use serde::{Deserialize, Serialize};

/// How key points are chosen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KeyPointConfig {
    /// At most this many a pair. Default 40: CATs' loader of the published data set fails on more.
    pub most: usize,
    /// No two source cells are nearer than this, cells. Default 1.5: no two neighbours, diagonal ones included.
    pub spacing: f32,
    /// Which of them come first. Default: the surest.
    pub order: KeyPointOrder,
}

/// Which candidates are chosen before others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyPointOrder {
    /// Those of the highest confidence.
    #[default]
    Confidence,
    /// Whichever, the same at every run. Confidences are made of cycle errors and peakedness, so to choose the surest is to
    /// check consistency once more: labels that are to do without the check are chosen by chance.
    Chance,
}

impl Default for KeyPointConfig {
    fn default() -> Self {
        Self { most: 40, spacing: 1.5, order: KeyPointOrder::Confidence }
    }
}

/// A match that may become a key point.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Candidate {
    /// The source cell.
    pub cell: usize,
    /// `(x, y)` in target cell coordinates.
    pub target: [f32; 2],
    /// How far it is to be trusted; the higher of two neighbours is kept.
    pub confidence: f32,
}

impl Candidate {
    /// A number that tells nothing of how good it is: cell and target, mixed as splitmix64 does (Steele, Lea and Flood 2014).
    fn lot(&self) -> u64 {
        let [x, y] = self.target.map(|value| u64::from(value.to_bits()));
        [x, y, self.cell as u64].into_iter().fold(0, |lot, part| mixed(lot ^ part))
    }
}

fn mixed(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// Non-maximum suppression: from the surest on, every candidate at least the spacing away from those already chosen, until
/// there are enough.
///
/// The result is in that order, and does not depend on that of the candidates: of equal confidences the lower cell comes
/// first. By [`Chance`](KeyPointOrder::Chance) another order takes the place of that of confidences. Candidates whose
/// confidence or target is not finite are left out.
///
/// # Panics
///
/// If a candidate's cell lies outside the source's grid.
pub fn key_points(candidates: &[Candidate], source: Grid, config: &KeyPointConfig) -> Vec<Candidate> {
    let finite = |one: &&Candidate| one.confidence.is_finite() && one.target.iter().all(|value| value.is_finite());
    let mut order: Vec<Candidate> = candidates.iter().filter(finite).copied().collect();
    order.sort_by(|a, b| {
        let [by_x, by_y] = [0, 1].map(|axis| a.target[axis].total_cmp(&b.target[axis]));
        b.confidence.total_cmp(&a.confidence).then(a.cell.cmp(&b.cell)).then(by_x).then(by_y)
    });
    if config.order == KeyPointOrder::Chance {
        order.sort_by_cached_key(Candidate::lot);
    }
    let mut chosen: Vec<Candidate> = Vec::new();
    for candidate in order {
        if chosen.len() == config.most {
            break;
        }
        let (row, column) = source.row_col(candidate.cell);
        let near = |held: &Candidate| {
            let (held_row, held_column) = source.row_col(held.cell);
            (row.abs_diff(held_row) as f32).hypot(column.abs_diff(held_column) as f32) < config.spacing
        };
        if !chosen.iter().any(near) {
            chosen.push(candidate);
        }
    }
    chosen
}

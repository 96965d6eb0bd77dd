//! Calibration by a rising function of any shape.

use serde::{Deserialize, Serialize};

use crate::calibrator::{Checked, NoChecked};

/// The rising function from confidences to shares of right matches that is nearest to what was checked, by squares.
///
/// ```text
/// minimise Σ_i (f(c_i) − y_i)²   over all f that never fall;   y_i = 1 where match i is right, else 0
/// ```
///
/// It is found by pooling adjacent violators (Ayer et al., *An empirical distribution function for sampling with incomplete
/// information*, 1955; for classifiers Zadrozny and Elkan, KDD 2002): f is constant on blocks of the sorted confidences, at
/// each block's share of right matches. Between two blocks it is a straight line, beyond the outermost constant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Knots", into = "Knots")]
pub struct Isotonic {
    /// Confidence and share at both ends of each block (once where these are one): confidences rise, shares never fall.
    knots: Vec<[f64; 2]>,
}

impl Isotonic {
    /// Fits to checked matches; those whose confidence is not finite are left out.
    ///
    /// # Errors
    ///
    /// If none is left.
    pub fn fit(checked: &[Checked]) -> Result<Self, NoChecked> {
        let mut sorted: Vec<Checked> = checked.iter().filter(|one| one.confidence.is_finite()).copied().collect();
        sorted.sort_by(|a, b| a.confidence.total_cmp(&b.confidence));
        let mut blocks: Vec<Block> = Vec::new();
        for equal in sorted.chunk_by(|a, b| a.confidence == b.confidence) {
            let right = equal.iter().filter(|one| one.right).count();
            let confidence = equal[0].confidence;
            let mut last = Block { from: confidence, to: confidence, count: equal.len(), right };
            while let Some(before) = blocks.pop_if(|before| last.share() <= before.share()) {
                let (count, right) = (before.count + last.count, before.right + last.right);
                last = Block { from: before.from, to: last.to, count, right };
            }
            blocks.push(last);
        }
        if blocks.is_empty() {
            return Err(NoChecked);
        }
        let mut knots: Vec<[f64; 2]> =
            blocks.iter().flat_map(|block| [[block.from, block.share()], [block.to, block.share()]]).collect();
        knots.dedup();
        Ok(Self { knots })
    }

    /// The share of right matches to be expected of this confidence, 0..=1; 0 for what is no number.
    pub fn apply(&self, confidence: f64) -> f64 {
        if confidence.is_nan() {
            return 0.0;
        }
        let above = self.knots.partition_point(|[knot, _]| *knot <= confidence);
        let below = above.checked_sub(1).map(|below| self.knots[below]);
        match (below, self.knots.get(above)) {
            // Rounding must not carry it beyond the upper knot.
            (Some([x0, y0]), Some([x1, y1])) => (y0 + (y1 - y0) * ((confidence - x0) / (x1 - x0))).min(*y1),
            (Some([_, share]), None) | (None, Some(&[_, share])) => share,
            (None, None) => unreachable!("there is at least one knot"),
        }
    }
}

/// Neighbours in the order of confidences that share a value.
struct Block {
    from: f64,
    to: f64,
    count: usize,
    right: usize,
}

impl Block {
    fn share(&self) -> f64 {
        self.right as f64 / self.count as f64
    }
}

/// What is stored.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Knots {
    knots: Vec<[f64; 2]>,
}

impl From<Isotonic> for Knots {
    fn from(isotonic: Isotonic) -> Self {
        Self { knots: isotonic.knots }
    }
}

impl TryFrom<Knots> for Isotonic {
    type Error = String;

    fn try_from(Knots { knots }: Knots) -> Result<Self, String> {
        let sound = |[confidence, share]: &[f64; 2]| confidence.is_finite() && (0.0..=1.0).contains(share);
        let rises = |pair: &[[f64; 2]]| pair[0][0] < pair[1][0] && pair[0][1] <= pair[1][1];
        if knots.is_empty() {
            Err("an isotonic calibrator has at least one knot, got none; fit it again".to_owned())
        } else if let Some(bad) = knots.iter().find(|knot| !sound(knot)) {
            Err(format!("a knot is a finite confidence and a share in 0..=1, got {bad:?}; fit the calibrator again"))
        } else if let Some(bad) = knots.windows(2).find(|pair| !rises(pair)) {
            Err(format!(
                "the knots of an isotonic calibrator rise, {:?} then {:?} do not; fit it again",
                bad[0], bad[1]
            ))
        } else {
            Ok(Self { knots })
        }
    }
}

//! Calibration by a logistic curve.

use serde::{Deserialize, Serialize};

use crate::calibrator::{Checked, NoChecked};

/// Platt scaling: the logistic curve under which what was checked is likeliest.
///
/// ```text
/// p(c) = 1 / (1 + exp(−(slope · c + offset))),   slope ≥ 0
/// minimise −Σ_i t_i ln p(c_i) + (1 − t_i) ln(1 − p(c_i)),   t = (R + 1)/(R + 2) of the R right ones, 1/(W + 2) of the W wrong
/// ```
///
/// The targets t, just off 1 and 0, keep the curve finite where right and wrong are told apart without a mistake (Platt,
/// *Probabilistic outputs for support vector machines*, 1999). Where surer matches are right less often, the best curve
/// that does not fall is a constant. Few checked matches suffice, and if all are alike, it says so with caution: of one
/// right match, 2/3.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Platt {
    /// How steeply the log-odds rise with the confidence; at least 0.
    pub slope: f64,
    /// The log-odds at confidence 0.
    pub offset: f64,
}

/// Newton steps at most; some ten suffice.
const STEPS: usize = 100;

impl Platt {
    /// Fits to checked matches; those whose confidence is not finite are left out.
    ///
    /// # Errors
    ///
    /// If none is left.
    pub fn fit(checked: &[Checked]) -> Result<Self, NoChecked> {
        let checked: Vec<Checked> = checked.iter().filter(|one| one.confidence.is_finite()).copied().collect();
        if checked.is_empty() {
            return Err(NoChecked);
        }
        let count = checked.len() as f64;
        let right = checked.iter().filter(|one| one.right).count() as f64;
        let target =
            |right_one: bool| if right_one { (right + 1.0) / (right + 2.0) } else { 1.0 / (count - right + 2.0) };

        // Confidences of mean 0 and variance 1, so that neither parameter is much steeper than the other.
        let mean = checked.iter().map(|one| one.confidence).sum::<f64>() / count;
        let variance = checked.iter().map(|one| (one.confidence - mean).powi(2)).sum::<f64>() / count;
        let mean_target = checked.iter().map(|one| target(one.right)).sum::<f64>() / count;
        let flat = Self { slope: 0.0, offset: (mean_target / (1.0 - mean_target)).ln() };
        let deviation = variance.sqrt();
        // Also where the confidences differ by no more than rounding.
        if deviation <= 1e-12 * mean.abs() {
            return Ok(flat);
        }
        let points: Vec<[f64; 2]> =
            checked.iter().map(|one| [(one.confidence - mean) / deviation, target(one.right)]).collect();
        let fitted = newton(&points, flat);
        // The loss is convex: if its minimum falls, the best curve that does not is the flat one.
        if fitted.slope <= 0.0 {
            return Ok(flat);
        }
        let slope = fitted.slope / deviation;
        Ok(Self { slope, offset: fitted.offset - slope * mean })
    }

    /// The probability of being right, 0..=1; 0 for what is no number.
    pub fn apply(&self, confidence: f64) -> f64 {
        // An infinite confidence would make NaN of a slope of 0.
        let probability = logistic(self.slope * confidence.clamp(f64::MIN, f64::MAX) + self.offset);
        if probability.is_nan() { 0.0 } else { probability }
    }
}

/// The curve of least loss over points `[x, target]` by Newton's method, from `start` on.
fn newton(points: &[[f64; 2]], start: Platt) -> Platt {
    let mut curve = start;
    let mut loss = loss_of(points, curve);
    for _ in 0..STEPS {
        let (mut gradient, mut hessian) = ([0.0; 2], [0.0; 3]);
        for [x, target] in points {
            let p = curve.apply(*x);
            let (slope, bend) = (p - target, p * (1.0 - p));
            gradient = [gradient[0] + slope * x, gradient[1] + slope];
            hessian = [hessian[0] + bend * x * x, hessian[1] + bend * x, hessian[2] + bend];
        }
        // A little is added to the diagonal, lest it be singular where every p is almost 0 or 1.
        let [a, b, c] = [hessian[0] + 1e-9, hessian[1], hessian[2] + 1e-9];
        let determinant = a * c - b * b;
        let step = Platt {
            slope: -(c * gradient[0] - b * gradient[1]) / determinant,
            offset: -(a * gradient[1] - b * gradient[0]) / determinant,
        };
        // Half the step until it leads down; where no part of it does, this is the minimum.
        let lower = (0..40).map(|halvings| 0.5f64.powi(halvings)).find_map(|share| {
            let next = Platt { slope: curve.slope + share * step.slope, offset: curve.offset + share * step.offset };
            let next_loss = loss_of(points, next);
            (next_loss < loss).then_some((next, next_loss))
        });
        match lower {
            Some(lower) => (curve, loss) = lower,
            None => break,
        }
    }
    curve
}

/// Cross entropy, written so that no exponential overflows: `−t z + ln(1 + e^z)` for log-odds z.
fn loss_of(points: &[[f64; 2]], curve: Platt) -> f64 {
    let one = |[x, target]: &[f64; 2]| {
        let z = curve.slope * x + curve.offset;
        z.max(0.0) - target * z + (-z.abs()).exp().ln_1p()
    };
    points.iter().map(one).sum()
}

fn logistic(log_odds: f64) -> f64 {
    1.0 / (1.0 + (-log_odds).exp())
}

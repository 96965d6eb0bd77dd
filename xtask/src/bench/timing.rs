//! Measuring one operation in this process, which was started for nothing else.

use std::time::Instant;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::operations::Run;

/// The seconds of an operation's runs, in the PyTorch script's words.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Timed {
    /// The operation.
    pub op: String,
    /// The median.
    pub median_s: f64,
    /// The least.
    pub min_s: f64,
}

/// Runs an operation once to warm up, then `repeat` times against the clock.
///
/// # Errors
///
/// Those of the operation.
pub fn time(op: &str, mut run: Run, repeat: usize) -> Result<Timed> {
    run()?;
    let mut seconds = Vec::new();
    for _ in 0..repeat.max(1) {
        let began = Instant::now();
        run()?;
        seconds.push(began.elapsed().as_secs_f64());
    }
    let least = seconds.iter().copied().fold(f64::INFINITY, f64::min);
    Ok(Timed { op: op.to_owned(), median_s: median(&seconds), min_s: least })
}

/// The median; the mean of the middle two of an even number. NaN of nothing.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        count => 0.5 * (sorted[(count - 1) / 2] + sorted[count / 2]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_of_odd_and_even_counts() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
    }
}

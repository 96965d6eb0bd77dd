//! How the readout's time and memory grow with the grid.

use serde::Serialize;

use super::table::{cell, mib, seconds};
use crate::text_table::{aligned, column};

/// Cells a side of the grids that are swept; the operations are called `sweep/SIDE`.
pub const SIDES: [usize; 7] = [16, 24, 32, 48, 64, 96, 128];

/// Smaller grids are left out of the fits: fixed costs weigh too much in them.
const FIT_FROM: usize = 32;

/// One grid.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Size {
    /// Cells a side.
    pub side: usize,
    /// Cells, N.
    pub cells: usize,
    /// Seconds a run, the median.
    pub ours_s: Option<f64>,
    /// Peak memory over what was held before, MiB.
    pub ours_mib: Option<f64>,
}

/// Every grid, and the powers of N by which time and memory grow.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Sweep {
    op: &'static str,
    threads: usize,
    sizes: Vec<Size>,
    fit_from_side: usize,
    time_exponent: Option<f64>,
    memory_exponent: Option<f64>,
}

/// The side of an operation `sweep/SIDE`.
pub fn side_of(op: &str) -> Option<usize> {
    op.strip_prefix("sweep/")?.parse().ok().filter(|side| SIDES.contains(side))
}

impl Sweep {
    /// Fits the exponents.
    pub fn new(sizes: Vec<Size>, threads: usize) -> Sweep {
        let fit = |of: fn(&Size) -> Option<f64>| {
            let fitted = sizes.iter().filter(|size| size.side >= FIT_FROM);
            exponent(fitted.filter_map(|size| Some((size.cells as f64, of(size)?))))
        };
        let (time_exponent, memory_exponent) = (fit(|size| size.ours_s), fit(|size| size.ours_mib));
        Sweep { op: "readout", threads, sizes, fit_from_side: FIT_FROM, time_exponent, memory_exponent }
    }

    /// As a table for people.
    pub fn table(&self) -> String {
        let columns = [
            column("readout", &self.sizes, |size| format!("{0}×{0}", size.side)),
            column("cells N", &self.sizes, |size| size.cells.to_string()),
            column("time", &self.sizes, |size| cell(size.ours_s, seconds)),
            column("MiB", &self.sizes, |size| cell(size.ours_mib, mib)),
        ];
        let power = |value: Option<f64>| cell(value, |value| format!("N^{value:.2}"));
        format!(
            "{}from {FIT_FROM}×{FIT_FROM} on: time as {}, memory as {}\n",
            aligned(&columns),
            power(self.time_exponent),
            power(self.memory_exponent)
        )
    }
}

/// The slope of `ln y` over `ln x` by least squares, of the points where both are above 0; `None` of fewer than two.
fn exponent(points: impl Iterator<Item = (f64, f64)>) -> Option<f64> {
    let points: Vec<(f64, f64)> = points.filter(|(x, y)| *x > 0.0 && *y > 0.0).map(|(x, y)| (x.ln(), y.ln())).collect();
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / points.len() as f64;
    let (x_mean, y_mean) = (mean(|point| point.0), mean(|point| point.1));
    let covariance: f64 = points.iter().map(|(x, y)| (x - x_mean) * (y - y_mean)).sum();
    let variance: f64 = points.iter().map(|(x, _)| (x - x_mean).powi(2)).sum();
    (variance > 0.0).then(|| covariance / variance)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_are_found_and_small_grids_left_out() {
        let size = |side: usize| {
            let cells = side * side;
            let n = cells as f64;
            let outlier = if side < FIT_FROM { 100.0 } else { 1.0 };
            Size { side, cells, ours_s: Some(3e-9 * n * n * outlier), ours_mib: Some(0.01 * n * outlier) }
        };
        let sweep = Sweep::new(SIDES.map(size).to_vec(), 2);
        assert!((sweep.time_exponent.unwrap() - 2.0).abs() < 1e-9, "{sweep:?}");
        assert!((sweep.memory_exponent.unwrap() - 1.0).abs() < 1e-9, "{sweep:?}");
        assert!(sweep.table().contains("time as N^2.00, memory as N^1.00"), "{}", sweep.table());
    }

    #[test]
    fn nothing_is_fitted_to_what_was_not_measured() {
        let size = Size { side: 64, cells: 4096, ours_s: Some(1.0), ours_mib: None };
        let sweep = Sweep::new(vec![size], 2);
        assert_eq!((sweep.time_exponent, sweep.memory_exponent), (None, None));
    }

    #[test]
    fn only_grids_of_the_sweep_have_a_name() {
        assert_eq!(side_of("sweep/128"), Some(128));
        assert_eq!((side_of("sweep/17"), side_of("readout/32")), (None, None));
    }
}

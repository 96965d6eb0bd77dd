//! Which cells of a voted volume are believed, and how much.

use corr_volume::Grid;

use crate::labels::LabelConfig;

/// The voted match of every source cell of one pair.
pub(crate) struct Candidates {
    /// Best target cell (x, y) of each source cell.
    pub(crate) points: Vec<[f64; 2]>,
    /// 0 for cells that were dropped, else `mask · (row peak / largest peak)^power`.
    pub(crate) weights: Vec<f64>,
}

/// Keeps the cells whose mask is high enough and whose best match, matched back, returns to within
/// the cycle distance.
pub(crate) fn candidates(voted: &[f32], mask: &[f32], source: Grid, target: Grid, config: &LabelConfig) -> Candidates {
    let rows: Vec<(usize, f32)> = voted.chunks_exact(target.cells()).map(|row| largest(row.iter().copied())).collect();
    let back = if config.filter { best_sources(voted, target.cells()) } else { Vec::new() };
    let highest = largest(rows.iter().map(|(_, peak)| *peak)).1;
    let weigh = |cell: usize| -> f64 {
        let (best, peak) = rows[cell];
        let mask = mask[cell];
        // Written so that NaN peaks and NaN masks weigh nothing.
        if !(highest > 0.0 && peak > 0.0 && peak.is_finite() && mask > 0.0) {
            return 0.0;
        }
        if config.filter {
            let error = squared_distance(source, cell, back[best]);
            if mask < config.mask_min || error > config.cycle_distance.powi(2) + 1e-6 {
                return 0.0;
            }
        }
        f64::from(mask) * f64::from(peak / highest).powf(config.confidence_power)
    };
    let weights = (0..source.cells()).map(weigh).collect();
    let points = rows
        .iter()
        .map(|(best, _)| {
            let (row, column) = target.row_col(*best);
            [column as f64, row as f64]
        })
        .collect();
    Candidates { points, weights }
}

/// Index and value of the first largest element; (0, −∞) of a row of NaN.
fn largest(values: impl Iterator<Item = f32>) -> (usize, f32) {
    values.enumerate().fold(
        (0, f32::NEG_INFINITY),
        |best, (index, value)| {
            if value > best.1 { (index, value) } else { best }
        },
    )
}

/// Best source cell of every target cell: the first largest of each column.
fn best_sources(voted: &[f32], target_cells: usize) -> Vec<usize> {
    let mut best = vec![(0, f32::NEG_INFINITY); target_cells];
    for (cell, row) in voted.chunks_exact(target_cells).enumerate() {
        for (best, value) in best.iter_mut().zip(row) {
            if *value > best.1 {
                *best = (cell, *value);
            }
        }
    }
    best.into_iter().map(|(cell, _)| cell).collect()
}

fn squared_distance(grid: Grid, a: usize, b: usize) -> f32 {
    let ((a_row, a_column), (b_row, b_column)) = (grid.row_col(a), grid.row_col(b));
    (a_row.abs_diff(b_row).pow(2) + a_column.abs_diff(b_column).pow(2)) as f32
}

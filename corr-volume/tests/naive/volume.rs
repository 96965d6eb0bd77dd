//! Cosine volume, soft mutual filter and row softmax of one pair, in f64 and one score at a time.

/// A volume as rows of scores.
pub type Rows = Vec<Vec<f64>>;

/// Features as channels of cells, of unit length per cell.
pub fn cosine(source: &[Vec<f64>], target: &[Vec<f64>]) -> Rows {
    let score = |i: usize, j: usize| source.iter().zip(target).map(|(s, t)| s[i] * t[j]).sum();
    (0..source[0].len()).map(|i| (0..target[0].len()).map(|j| score(i, j)).collect()).collect()
}

pub fn soft_mutual(rows: &Rows) -> Rows {
    let clamped: Rows = rows.iter().map(|row| row.iter().map(|c| c.max(0.0)).collect()).collect();
    let row_best = |i: usize| clamped[i].iter().copied().fold(0.0, f64::max);
    let column_best = |j: usize| clamped.iter().map(|row| row[j]).fold(0.0, f64::max);
    let score = |i: usize, j: usize| {
        let c = clamped[i][j];
        c * (c / (row_best(i) + 1e-5)) * (c / (column_best(j) + 1e-5))
    };
    (0..rows.len()).map(|i| (0..rows[0].len()).map(|j| score(i, j)).collect()).collect()
}

pub fn softmax(row: &[f64], tau: f64) -> Vec<f64> {
    let best = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let powers: Vec<f64> = row.iter().map(|c| ((c - best) / tau).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.iter().map(|p| p / sum).collect()
}

//! Twins of the crate's scores and losses, for one image or one pair, in `f64` and plain loops, straight from the formulas.

pub mod image;
pub mod pixel;
pub mod region;

/// Rows of equal length.
pub type Matrix = Vec<Vec<f64>>;

pub fn matrix(values: &[f32], columns: usize) -> Matrix {
    values.chunks(columns).map(|row| row.iter().map(|&value| f64::from(value)).collect()).collect()
}

pub fn transpose(m: &Matrix) -> Matrix {
    (0..m[0].len()).map(|column| m.iter().map(|row| row[column]).collect()).collect()
}

pub fn softmax(row: &[f64]) -> Vec<f64> {
    let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let powers: Vec<f64> = row.iter().map(|value| (value - largest).exp()).collect();
    let total: f64 = powers.iter().sum();
    powers.iter().map(|power| power / total).collect()
}

pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut sum = 0.0;
    for k in 0..a.len() {
        sum += a[k] * b[k];
    }
    sum
}

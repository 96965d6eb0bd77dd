//! Region level.

use super::{Matrix, dot, softmax};

/// `hyperpixels` has a row for each cell, `regions` a row for each region.
pub fn region_descriptors(hyperpixels: &Matrix, regions: &Matrix) -> Matrix {
    regions
        .iter()
        .map(|shares| {
            let mut mean = vec![0.0; hyperpixels[0].len()];
            for (cell, share) in shares.iter().enumerate() {
                for (k, value) in hyperpixels[cell].iter().enumerate() {
                    mean[k] += share * value;
                }
            }
            let length = dot(&mean, &mean).sqrt();
            mean.iter().map(|value| if length > 0.0 { value / length } else { 0.0 }).collect()
        })
        .collect()
}

/// `x + x Δ y` for the given matrix Δ `[channels][channels]`.
pub fn bilinear(x: &[f64], delta: &Matrix, y: &[f64]) -> f64 {
    let mut sum = dot(x, y);
    for (k, row) in delta.iter().enumerate() {
        sum += x[k] * dot(row, y);
    }
    sum
}

/// x for two non-empty sets of descriptors, from the scores of the two streams already divided by their temperatures.
pub fn instances(choice: &Matrix, selection: &Matrix) -> Matrix {
    let columns = choice[0].len();
    let all: Vec<f64> = selection.iter().flatten().copied().collect();
    let selected = softmax(&all);
    choice
        .iter()
        .enumerate()
        .map(|(a, row)| {
            let chosen = softmax(row);
            (0..columns).map(|b| chosen[b] * selected[a * columns + b]).collect()
        })
        .collect()
}

pub fn region_loss(bag: &[f64], positive: &[bool]) -> f64 {
    let mut sum = 0.0;
    for (&phi, &positive) in bag.iter().zip(positive) {
        let phi = phi.clamp(1e-6, 1.0 - 1e-6);
        sum -= if positive { phi.ln() } else { (1.0 - phi).ln() };
    }
    sum / bag.len() as f64
}

pub fn cell_prior(source_regions: &Matrix, instances: &Matrix, target_regions: &Matrix) -> Matrix {
    let largest = instances.iter().flatten().copied().fold(0.0, f64::max);
    let mut prior = vec![vec![0.0; target_regions[0].len()]; source_regions[0].len()];
    for (i, row) in prior.iter_mut().enumerate() {
        for (j, p) in row.iter_mut().enumerate() {
            for a in 0..source_regions.len() {
                for b in 0..target_regions.len() {
                    *p += source_regions[a][i] * instances[a][b] / largest * target_regions[b][j];
                }
            }
        }
    }
    prior
}

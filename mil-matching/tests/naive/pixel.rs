//! Pixel level.

use super::{Matrix, softmax, transpose};

pub fn pixel_volume(affinity: &Matrix, prior: &Matrix, prior_weight: f64) -> Matrix {
    let mut raised = affinity.clone();
    for (i, row) in raised.iter_mut().enumerate() {
        for (j, value) in row.iter_mut().enumerate() {
            *value = value.max(0.0) * (1.0 + prior_weight * prior[i][j]);
        }
    }
    let columns = transpose(&raised);
    let best = |row: &[f64]| row.iter().copied().fold(0.0, f64::max) + 1e-5;
    raised
        .iter()
        .map(|row| row.iter().enumerate().map(|(j, c)| c * (c / best(row)) * (c / best(&columns[j]))).collect())
        .collect()
}

fn one_way(volume: &Matrix, mask: &[f64], temperature: f64, foreground: f64) -> f64 {
    let (mut sum, mut mass) = (0.0, 0.0);
    for (row, &m) in volume.iter().zip(mask) {
        if m > foreground {
            let row: Vec<f64> = row.iter().map(|value| value / temperature).collect();
            sum += m * softmax(&row).iter().copied().fold(0.0, f64::max);
            mass += m;
        }
    }
    if mass > 0.0 { sum / mass } else { 0.0 }
}

pub fn pixel_bag_score(volume: &Matrix, source: &[f64], target: &[f64], temperature: f64, foreground: f64) -> f64 {
    let backward = one_way(&transpose(volume), target, temperature, foreground);
    (one_way(volume, source, temperature, foreground) + backward) / 2.0
}

pub fn pixel_loss(negative: &[f64], positive: &[f64], temperature: f64) -> f64 {
    let mut sum = 0.0;
    for (negative, positive) in negative.iter().zip(positive) {
        sum += (1.0 + ((negative - positive) / temperature).exp()).ln();
    }
    sum / negative.len() as f64
}

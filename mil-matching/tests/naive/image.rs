//! Image level.

use super::{Matrix, dot, softmax};

/// `features` has a row for each channel; `weight` is `[channels][classes]`.
pub fn logits(features: &Matrix, weight: &Matrix, bias: &[f64]) -> Vec<f64> {
    (0..bias.len())
        .map(|class| {
            let mut z = bias[class];
            for (channel, values) in features.iter().enumerate() {
                z += weight[channel][class] * values.iter().sum::<f64>() / values.len() as f64;
            }
            z
        })
        .collect()
}

pub fn activation_map(features: &Matrix, weight: &Matrix, class: usize) -> Vec<f64> {
    let mut map = vec![0.0; features[0].len()];
    for (channel, values) in features.iter().enumerate() {
        for (cell, value) in values.iter().enumerate() {
            map[cell] += weight[channel][class] * value;
        }
    }
    map
}

pub fn image_loss(logits: &Matrix, labels: &[usize]) -> f64 {
    let mut sum = 0.0;
    for (row, &label) in logits.iter().zip(labels) {
        sum -= softmax(row)[label].ln();
    }
    sum / logits.len() as f64
}

pub fn multi_label_loss(logits: &Matrix, labels: &[Vec<usize>]) -> f64 {
    let mut sum = 0.0;
    for (row, list) in logits.iter().zip(labels) {
        for (class, z) in row.iter().enumerate() {
            let p = 1.0 / (1.0 + (-z).exp());
            sum -= if list.contains(&class) { p.ln() } else { (1.0 - p).ln() };
        }
    }
    sum / (logits.len() * logits[0].len()) as f64
}

pub fn image_bag_score(source: &[f64], target: &[f64]) -> f64 {
    dot(&softmax(source), &softmax(target))
}

/// For maps that are on the grid already.
pub fn combine_maps(maps: &Matrix) -> Vec<f64> {
    let sum: Vec<f64> = (0..maps[0].len()).map(|cell| maps.iter().map(|map| map[cell]).sum()).collect();
    let lowest = sum.iter().copied().fold(f64::INFINITY, f64::min);
    let highest = sum.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    sum.iter().map(|value| (value - lowest) / (highest - lowest)).collect()
}

/// The default staircase.
pub fn staircase(value: f32) -> f64 {
    if value > 0.6 {
        1.0
    } else if value > 0.5 {
        0.9
    } else if value > 0.4 {
        0.8
    } else {
        0.5
    }
}

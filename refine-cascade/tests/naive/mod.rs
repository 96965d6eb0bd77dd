//! Twins of this crate's functions, so simple that they cannot be wrong. f64, one pair, no tricks.

pub mod tensors;

use corr_volume::Grid;
use refine_cascade::{LabelConfig, VoteConfig};

/// One pair's volume.
pub type Volume = Vec<Vec<f64>>;

fn row_column(grid: Grid, cell: usize) -> (i64, i64) {
    ((cell / grid.width) as i64, (cell % grid.width) as i64)
}

fn cell_at(grid: Grid, row: i64, column: i64) -> Option<usize> {
    let inside = row >= 0 && column >= 0 && row < grid.height as i64 && column < grid.width as i64;
    inside.then(|| row as usize * grid.width + column as usize)
}

/// Mask, propagation, Hough: straight from the definitions, with two sums over everything.
pub fn vote(
    volume: &Volume,
    source: Grid,
    target: Grid,
    source_mask: &[f64],
    target_mask: &[f64],
    config: &VoteConfig,
) -> Volume {
    let mirrored = |cell: usize| {
        let (row, column) = row_column(target, cell);
        let column = if config.mirror { target.width as i64 - 1 - column } else { column };
        (row, column)
    };
    let unmirrored = |row: i64, column: i64| {
        let column = if config.mirror { target.width as i64 - 1 - column } else { column };
        cell_at(target, row, column)
    };
    let mut evidence = volume.clone();
    if config.temperature > 0.0 {
        let weight = |i: usize, j: usize| (volume[i][j] / f64::from(config.temperature)).exp();
        for (i, row) in evidence.iter_mut().enumerate() {
            for (j, value) in row.iter_mut().enumerate() {
                let of_row: f64 = (0..volume[i].len()).map(|j| weight(i, j)).sum();
                let of_column: f64 = (0..volume.len()).map(|i| weight(i, j)).sum();
                *value = (weight(i, j) / of_row * weight(i, j) / of_column).sqrt();
            }
        }
    }
    for (i, row) in evidence.iter_mut().enumerate() {
        for (j, value) in row.iter_mut().enumerate() {
            *value = value.max(0.0).powf(f64::from(config.power));
            if config.mask {
                *value *= source_mask[i] * target_mask[j];
            }
        }
    }
    if config.propagate {
        let radius = config.radius as i64;
        let sigma = config.radius as f64 / 2.0;
        let before = evidence.clone();
        for (i, row) in evidence.iter_mut().enumerate() {
            for (j, value) in row.iter_mut().enumerate() {
                let ((iy, ix), (jy, jx)) = (row_column(source, i), mirrored(j));
                let mut support = 0.0;
                for dy in -radius..=radius {
                    for dx in -radius..=radius {
                        let near = (cell_at(source, iy + dy, ix + dx), unmirrored(jy + dy, jx + dx));
                        if let (Some(i), Some(j)) = near {
                            let squared = (dy * dy + dx * dx) as f64;
                            let gauss = if squared == 0.0 { 1.0 } else { (-squared / (2.0 * sigma * sigma)).exp() };
                            support += gauss * before[i][j];
                        }
                    }
                }
                *value = if config.own { *value * support } else { support };
            }
        }
    }
    if config.enhance {
        let offset = |i: usize, j: usize| {
            let ((iy, ix), (jy, jx)) = (row_column(source, i), mirrored(j));
            (jy - iy, jx - ix)
        };
        let radius = config.hough_radius as i64;
        let gauss = |d: i64| (-0.5 * (d as f64 / config.hough_sigma).powi(2)).exp();
        let total: f64 = (-radius..=radius).map(gauss).sum();
        let mut histogram = std::collections::HashMap::new();
        for (i, row) in evidence.iter().enumerate() {
            for (j, value) in row.iter().enumerate() {
                *histogram.entry(offset(i, j)).or_insert(0.0) += value;
            }
        }
        for (i, row) in evidence.iter_mut().enumerate() {
            for (j, value) in row.iter_mut().enumerate() {
                let (oy, ox) = offset(i, j);
                let mut smoothed = 0.0;
                for dy in -radius..=radius {
                    for dx in -radius..=radius {
                        let bin = histogram.get(&(oy + dy, ox + dx)).copied().unwrap_or(0.0);
                        smoothed += gauss(dy) * gauss(dx) / (total * total) * bin;
                    }
                }
                *value *= smoothed;
            }
        }
    }
    evidence
}

fn first_largest(values: impl Iterator<Item = f64>) -> (usize, f64) {
    let mut best = (0, f64::NEG_INFINITY);
    for (index, value) in values.enumerate() {
        if value > best.1 {
            best = (index, value);
        }
    }
    best
}

/// Filter and calibration: for every cell one least-squares fit over all cells in its window.
pub fn labels(
    voted: &Volume,
    source: Grid,
    target: Grid,
    mask: &[f64],
    config: &LabelConfig,
) -> (Vec<[f64; 2]>, Vec<f64>) {
    let best: Vec<(usize, f64)> = voted.iter().map(|row| first_largest(row.iter().copied())).collect();
    let highest = best.iter().map(|b| b.1).fold(0.0, f64::max);
    let mut weights = vec![0.0; best.len()];
    for (i, (j, peak)) in best.iter().enumerate() {
        let back = first_largest(voted.iter().map(|row| row[*j])).0;
        let ((iy, ix), (by, bx)) = (row_column(source, i), row_column(source, back));
        let distance = (((iy - by).pow(2) + (ix - bx).pow(2)) as f64).sqrt();
        let closes = distance <= f64::from(config.cycle_distance) + 1e-6;
        let kept = !config.filter || (closes && mask[i] >= f64::from(config.mask_min));
        if kept && *peak > 0.0 {
            weights[i] = mask[i] * (peak / highest).powf(config.confidence_power);
        }
    }
    let voted_at = |i: usize| {
        let (row, column) = row_column(target, best[i].0);
        [column as f64, row as f64]
    };
    let mut points: Vec<[f64; 2]> = (0..best.len()).map(voted_at).collect();
    if !config.calibrate {
        return (points, weights);
    }
    let kept = weights.clone();
    let radius = (3.0 * config.window).round() as i64;
    for i in (0..best.len()).filter(|i| kept[*i] > 0.0) {
        let (iy, ix) = row_column(source, i);
        // Rows of a weighted system: weight, position round the cell, displacement of the match.
        let mut system = Vec::new();
        let mut support = 0.0;
        for (k, weight) in kept.iter().enumerate() {
            let (ky, kx) = row_column(source, k);
            let (dy, dx) = (ky - iy, kx - ix);
            if dy.abs() <= radius && dx.abs() <= radius && *weight > 0.0 {
                let squared = (dy * dy + dx * dx) as f64;
                let gauss = (-squared / (2.0 * config.window * config.window)).exp();
                support += gauss;
                let moved = [voted_at(k)[0] - kx as f64, voted_at(k)[1] - ky as f64];
                system.push((gauss * weight, [dx as f64, dy as f64], moved));
            }
        }
        if support < config.min_support {
            weights[i] = 0.0;
            continue;
        }
        let fit = [0, 1].map(|axis| {
            // Unknowns: displacement at the cell, and its slopes in x and y with a ridge.
            let total: f64 = system.iter().map(|(w, _, _)| w).sum();
            let mean = |f: &dyn Fn(&[f64; 2], &[f64; 2]) -> f64| {
                system.iter().map(|(w, d, m)| w * f(d, m)).sum::<f64>() / total
            };
            let (x, y) = (mean(&|d, _| d[0]), mean(&|d, _| d[1]));
            let moved = mean(&|_, m| m[axis]);
            let xx = total * mean(&|d, _| (d[0] - x).powi(2)) + config.ridge;
            let yy = total * mean(&|d, _| (d[1] - y).powi(2)) + config.ridge;
            let xy = total * mean(&|d, _| (d[0] - x) * (d[1] - y));
            let xm = total * mean(&|d, m| (d[0] - x) * (m[axis] - moved));
            let ym = total * mean(&|d, m| (d[1] - y) * (m[axis] - moved));
            let determinant = xx * yy - xy * xy;
            let slope_x = (xm * yy - ym * xy) / determinant;
            let slope_y = (ym * xx - xm * xy) / determinant;
            moved - slope_x * x - slope_y * y
        });
        let fit = [fit[0] + ix as f64, fit[1] + iy as f64];
        let at = voted_at(i);
        let residual = (fit[0] - at[0]).powi(2) + (fit[1] - at[1]).powi(2);
        weights[i] *= (-residual / (2.0 * config.sigma * config.sigma)).exp();
        let size = [target.width as f64, target.height as f64];
        points[i] = [0, 1].map(|axis| {
            let blended = config.blend * fit[axis] + (1.0 - config.blend) * at[axis];
            blended.clamp(-0.5, size[axis] - 0.5)
        });
    }
    (points, weights)
}

fn softmax(row: &[f64], tau: f64) -> Vec<f64> {
    let highest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let powers: Vec<f64> = row.iter().map(|c| ((c - highest) / tau).exp()).collect();
    let total: f64 = powers.iter().sum();
    powers.iter().map(|power| power / total).collect()
}

/// Cross entropy with a Gaussian round each label.
pub fn match_loss(volume: &Volume, target: Grid, points: &[[f64; 2]], weights: &[f64], tau: f64, sigma: f64) -> f64 {
    let mut sum = 0.0;
    for ((row, point), weight) in volume.iter().zip(points).zip(weights) {
        let bells: Vec<f64> = (0..target.cells())
            .map(|j| {
                let (jy, jx) = row_column(target, j);
                let squared = (jx as f64 - point[0]).powi(2) + (jy as f64 - point[1]).powi(2);
                (-squared / (2.0 * sigma * sigma)).exp()
            })
            .collect();
        let total: f64 = bells.iter().sum();
        for (bell, p) in bells.iter().zip(softmax(row, tau)) {
            sum -= weight * bell / total * p.ln();
        }
    }
    sum / weights.iter().sum::<f64>().max(1e-6)
}

/// Bilinear interpolation of a map over the target's cells.
pub fn interpolate(map: &[f64], grid: Grid, point: [f64; 2]) -> f64 {
    let x = point[0].clamp(0.0, (grid.width - 1) as f64);
    let y = point[1].clamp(0.0, (grid.height - 1) as f64);
    let mut sum = 0.0;
    for (j, value) in map.iter().enumerate() {
        let (jy, jx) = row_column(grid, j);
        let share = |distance: f64| (1.0 - distance.abs()).max(0.0);
        sum += share(jx as f64 - x) * share(jy as f64 - y) * value;
    }
    sum
}

/// Probability of the known place after walking through both volumes.
pub fn bipath(forward: &Volume, back: &Volume, target: Grid, known: [f64; 2], i: usize, tau: f64) -> f64 {
    let mut arrived = vec![0.0; target.cells()];
    for (k, p) in softmax(&forward[i], tau).into_iter().enumerate() {
        for (j, q) in softmax(&back[k], tau).into_iter().enumerate() {
            arrived[j] += p * q;
        }
    }
    interpolate(&arrived, target, known)
}

/// Probability of the known place after one volume.
pub fn arrival(volume: &Volume, target: Grid, known: [f64; 2], i: usize, tau: f64) -> f64 {
    interpolate(&softmax(&volume[i], tau), target, known)
}

//! Twins of the crate's functions in plain loops, straight from the definitions.

use corr_volume::Grid;
use pseudo_label::{CellBox, Checked, ConsistencyConfig, PartnerMatches};

/// Row and column of every cell, in order.
pub fn cells(grid: Grid) -> Vec<(usize, usize)> {
    (0..grid.height).flat_map(|row| (0..grid.width).map(move |column| (row, column))).collect()
}

pub fn peakedness(scores: &[f32], grid: Grid, temperature: f32) -> f64 {
    let weights: Vec<f64> = scores.iter().map(|score| (f64::from(*score) / f64::from(temperature)).exp()).collect();
    let mut peak = 0;
    for cell in 0..scores.len() {
        if scores[cell] > scores[peak] {
            peak = cell;
        }
    }
    let at = cells(grid);
    let near = |cell: usize| at[cell].0.abs_diff(at[peak].0) <= 1 && at[cell].1.abs_diff(at[peak].1) <= 1;
    let inside: f64 = (0..scores.len()).filter(|cell| near(*cell)).map(|cell| weights[cell]).sum();
    inside / weights.iter().sum::<f64>()
}

/// Every cell weighs by how near it is in both axes, whether or not it is one of the four that count.
pub fn bilinear(points: &[[f32; 2]], grid: Grid, at: [f32; 2]) -> [f64; 2] {
    let x = f64::from(at[0]).clamp(0.0, grid.width as f64 - 1.0);
    let y = f64::from(at[1]).clamp(0.0, grid.height as f64 - 1.0);
    let mut mean = [0.0; 2];
    for (cell, (row, column)) in cells(grid).into_iter().enumerate() {
        let weight = (1.0 - (x - column as f64).abs()).max(0.0) * (1.0 - (y - row as f64).abs()).max(0.0);
        mean[0] += weight * f64::from(points[cell][0]);
        mean[1] += weight * f64::from(points[cell][1]);
    }
    mean
}

/// Neighbours take each other's lowest number until nothing changes; then the parts are counted.
pub fn object_box(mask: &[f32], grid: Grid, threshold: f32) -> Option<CellBox> {
    let at = cells(grid);
    let mut part: Vec<Option<usize>> = (0..mask.len()).map(|cell| (mask[cell] >= threshold).then_some(cell)).collect();
    loop {
        let before = part.clone();
        for a in 0..mask.len() {
            for b in 0..mask.len() {
                let touching = at[a].0.abs_diff(at[b].0) + at[a].1.abs_diff(at[b].1) == 1;
                if let (true, Some(one), Some(other)) = (touching, part[a], part[b]) {
                    part[a] = Some(one.min(other));
                }
            }
        }
        if part == before {
            break;
        }
    }
    let size = |name: usize| part.iter().filter(|part| **part == Some(name)).count();
    let mut largest = None;
    for name in 0..mask.len() {
        if size(name) > largest.map_or(0, size) {
            largest = Some(name);
        }
    }
    let name = largest?;
    let inside = || (0..mask.len()).filter(|cell| part[*cell] == Some(name)).map(|cell| at[cell]);
    Some(CellBox {
        left: inside().map(|(_, column)| column).min()?,
        top: inside().map(|(row, _)| row).min()?,
        right: inside().map(|(_, column)| column).max()? + 1,
        bottom: inside().map(|(row, _)| row).max()? + 1,
    })
}

/// Which cells are discriminative, word by word.
pub fn discriminative(
    mask: &[f32],
    grid: Grid,
    partners: &[PartnerMatches<'_>],
    config: &ConsistencyConfig,
) -> Vec<bool> {
    let Some(object) = object_box(mask, grid, config.foreground) else {
        return vec![false; mask.len()];
    };
    let side = (object.right - object.left).max(object.bottom - object.top) as f32;
    let tolerance = config.cycle_cells.max(config.cycle_share * side);
    let mut discriminative = Vec::new();
    for (cell, (row, column)) in cells(grid).into_iter().enumerate() {
        let mut passed = 0;
        for partner in partners {
            if partner.cycle_errors[cell] <= tolerance && partner.peakedness[cell] >= config.least_peakedness {
                passed += 1;
            }
        }
        let inside = row >= object.top && row < object.bottom && column >= object.left && column < object.right;
        let enough = passed > 0 && passed as f32 / partners.len() as f32 >= config.partners;
        discriminative.push(inside && mask[cell] >= config.foreground && enough);
    }
    discriminative
}

/// The isotonic fit at each of some confidences, by the min-max formula: the largest, over where a block may begin, of the
/// least, over where it may end, mean of a block that holds the confidence.
pub fn isotonic(checked: &[Checked], at: f64) -> f64 {
    let starts = checked.iter().map(|one| one.confidence).filter(|start| *start <= at);
    starts
        .map(|start| {
            let ends = checked.iter().map(|one| one.confidence).filter(|end| *end >= at);
            ends.map(|end| share_right(checked, |confidence| start <= confidence && confidence <= end))
                .fold(f64::INFINITY, f64::min)
        })
        .fold(f64::NEG_INFINITY, f64::max)
}

/// The share of right matches among those whose confidence is chosen.
pub fn share_right(checked: &[Checked], chosen: impl Fn(f64) -> bool) -> f64 {
    let all: Vec<&Checked> = checked.iter().filter(|one| chosen(one.confidence)).collect();
    all.iter().filter(|one| one.right).count() as f64 / all.len() as f64
}

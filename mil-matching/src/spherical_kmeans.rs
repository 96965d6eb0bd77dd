//! Spherical k-means of one image's cells, on the host.
//!
//! Spherical: features and centres have unit length and nearness is the cosine (Dhillon & Modha, *Concept Decompositions
//! for Large Sparse Text Data using Clustering*, Machine Learning 42, 2001). Seeded by k-means++ (Arthur & Vassilvitskii,
//! SODA 2007) with the squared chord, `|x − c|² = 2 (1 − cos)`.

use crate::RegionsConfig;

/// Squared half-chords below this are rounding: such a cell is a copy of the centre.
const SAME: f32 = 1e-6;

/// Unit features of the cells of one image, `[cells, channels]` row-major. A zero feature stays zero.
pub(crate) struct CellFeatures {
    values: Vec<f32>,
    channels: usize,
}

impl CellFeatures {
    pub(crate) fn normalised(rows: &[f32], channels: usize) -> Self {
        let mut values = rows.to_vec();
        for row in values.chunks_mut(channels) {
            normalise(row);
        }
        Self { values, channels }
    }

    fn row(&self, cell: usize) -> &[f32] {
        &self.values[cell * self.channels..(cell + 1) * self.channels]
    }
}

/// At most `config.count` unit centres, fewer if the foreground holds fewer distinct features; none under a zero mask.
///
/// `draws` are uniform in 0..1, one for each centre.
pub(crate) fn fit_centres(
    features: &CellFeatures,
    mask: &[f32],
    config: &RegionsConfig,
    draws: &[f32],
) -> Vec<Vec<f32>> {
    let above = |threshold: f32| (0..mask.len()).filter(|&cell| mask[cell] > threshold).collect::<Vec<_>>();
    let mut cells = above(config.foreground as f32);
    if cells.is_empty() {
        cells = above(0.0);
    }
    let weights: Vec<f32> = cells.iter().map(|&cell| mask[cell]).collect();
    let mut centres = seed_centres(features, &cells, &weights, draws);
    let mut nearest = Vec::new();
    for _ in 0..config.iterations {
        let now: Vec<usize> = cells.iter().map(|&cell| nearest_centre(features.row(cell), &centres)).collect();
        if now == nearest {
            break;
        }
        nearest = now;
        let mut sums = vec![vec![0f32; features.channels]; centres.len()];
        for ((&cell, &weight), &centre) in cells.iter().zip(&weights).zip(&nearest) {
            sums[centre].iter_mut().zip(features.row(cell)).for_each(|(sum, value)| *sum += weight * value);
        }
        for (centre, mut sum) in centres.iter_mut().zip(sums) {
            // A centre that has lost its cells stays where it was.
            if normalise(&mut sum) {
                *centre = sum;
            }
        }
    }
    centres
}

/// The mask divided among `regions` rows, `[regions, cells]` row-major; rows beyond the number of centres are zero.
///
/// Softmax over the centres of cosine / `temperature`; a `temperature` of 0 gives all to the nearest centre.
pub(crate) fn assign_cells(
    features: &CellFeatures,
    mask: &[f32],
    centres: &[Vec<f32>],
    regions: usize,
    temperature: f32,
) -> Vec<f32> {
    let cells = mask.len();
    let mut assigned = vec![0f32; regions * cells];
    if centres.is_empty() {
        return assigned;
    }
    for (cell, &m) in mask.iter().enumerate().filter(|(_, m)| **m > 0.0) {
        let row = features.row(cell);
        if temperature == 0.0 {
            assigned[nearest_centre(row, centres) * cells + cell] = m;
            continue;
        }
        let cosines: Vec<f32> = centres.iter().map(|centre| dot(row, centre)).collect();
        let best = cosines.iter().fold(f32::NEG_INFINITY, |best, &cosine| best.max(cosine));
        let shares: Vec<f32> = cosines.iter().map(|cosine| ((cosine - best) / temperature).exp()).collect();
        let total: f32 = shares.iter().sum();
        for (region, share) in shares.iter().enumerate() {
            assigned[region * cells + cell] = m * share / total;
        }
    }
    assigned
}

fn seed_centres(features: &CellFeatures, cells: &[usize], weights: &[f32], draws: &[f32]) -> Vec<Vec<f32>> {
    let mut centres: Vec<Vec<f32>> = Vec::with_capacity(draws.len());
    let mut distances = vec![1f32; cells.len()];
    for &draw in draws {
        let shares: Vec<f32> = distances.iter().zip(weights).map(|(distance, weight)| distance * weight).collect();
        let Some(chosen) = draw_index(&shares, draw) else { break };
        let centre = features.row(cells[chosen]).to_vec();
        for (distance, &cell) in distances.iter_mut().zip(cells) {
            let chord = 1.0 - dot(features.row(cell), &centre);
            *distance = if chord < SAME { 0.0 } else { distance.min(chord) };
        }
        centres.push(centre);
    }
    centres
}

/// The index at which the running sum of `shares` passes `draw` times their total; none if all are zero.
fn draw_index(shares: &[f32], draw: f32) -> Option<usize> {
    let total: f32 = shares.iter().sum();
    let mut left = draw * total;
    let mut last = None;
    for (index, &share) in shares.iter().enumerate().filter(|(_, share)| **share > 0.0) {
        last = Some(index);
        left -= share;
        if left < 0.0 {
            break;
        }
    }
    last
}

/// The lowest index wins a tie.
fn nearest_centre(row: &[f32], centres: &[Vec<f32>]) -> usize {
    let mut best = (0, f32::NEG_INFINITY);
    for (index, centre) in centres.iter().enumerate() {
        let cosine = dot(row, centre);
        if cosine > best.1 {
            best = (index, cosine);
        }
    }
    best.0
}

/// Scales to unit length; false, and unchanged, if the length is zero or not finite.
fn normalise(row: &mut [f32]) -> bool {
    let length = dot(row, row).sqrt();
    let scalable = length > 0.0 && length.is_finite();
    if scalable {
        row.iter_mut().for_each(|value| *value /= length);
    }
    scalable
}

/// In eight running sums, which the compiler turns into vector instructions; always in the same order.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let (a_blocks, a_rest) = a.as_chunks::<8>();
    let (b_blocks, b_rest) = b.as_chunks::<8>();
    let mut sums = [0f32; 8];
    for (a, b) in a_blocks.iter().zip(b_blocks) {
        for lane in 0..8 {
            sums[lane] += a[lane] * b[lane];
        }
    }
    sums.iter().sum::<f32>() + a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum::<f32>()
}

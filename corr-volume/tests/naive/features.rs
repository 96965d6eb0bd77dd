//! Per-cell normalisation and bilinear resizing of one map, in f64 and one cell at a time.

/// `channels` lists of cell values; every cell divided by its norm over the channels.
pub fn l2_normalise(channels: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let mut result = channels.to_vec();
    for cell in 0..channels[0].len() {
        let norm = channels.iter().map(|channel| channel[cell] * channel[cell]).sum::<f64>().sqrt();
        for channel in &mut result {
            channel[cell] = if norm < 1e-6 { 0.0 } else { channel[cell] / norm };
        }
    }
    result
}

/// One channel of `height` x `width` cells sampled at the centres of `to_height` x `to_width` cells.
pub fn resize(map: &[f64], (height, width): (usize, usize), (to_height, to_width): (usize, usize)) -> Vec<f64> {
    let mut result = Vec::new();
    for row in 0..to_height {
        for col in 0..to_width {
            let y = (row as f64 + 0.5) * height as f64 / to_height as f64 - 0.5;
            let x = (col as f64 + 0.5) * width as f64 / to_width as f64 - 0.5;
            result.push(bilinear(map, (height, width), x, y));
        }
    }
    result
}

fn bilinear(map: &[f64], (height, width): (usize, usize), x: f64, y: f64) -> f64 {
    let at = |row: f64, col: f64| {
        let row = row.clamp(0.0, height as f64 - 1.0) as usize;
        let col = col.clamp(0.0, width as f64 - 1.0) as usize;
        map[row * width + col]
    };
    let (left, top) = (x.floor(), y.floor());
    let (right_share, bottom_share) = (x - left, y - top);
    let upper = (1.0 - right_share) * at(top, left) + right_share * at(top, left + 1.0);
    let lower = (1.0 - right_share) * at(top + 1.0, left) + right_share * at(top + 1.0, left + 1.0);
    (1.0 - bottom_share) * upper + bottom_share * lower
}

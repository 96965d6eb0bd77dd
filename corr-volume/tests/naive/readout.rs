//! Readouts of one row of scores over a grid of `width` columns, in f64 and one cell at a time. Points are `[x, y]`.

pub fn cell(index: usize, width: usize) -> [f64; 2] {
    [(index % width) as f64, (index / width) as f64]
}

/// The first of the largest scores.
pub fn argmax(row: &[f64]) -> usize {
    let mut best = 0;
    for (j, &score) in row.iter().enumerate() {
        if score > row[best] {
            best = j;
        }
    }
    best
}

pub fn kernel(row: &[f64], width: usize, beta: f64, sigma: f64) -> [f64; 2] {
    let best = argmax(row);
    let [best_x, best_y] = cell(best, width);
    let logit = |j: usize| {
        let [x, y] = cell(j, width);
        let squared = (x - best_x).powi(2) + (y - best_y).powi(2);
        beta * (-squared / (2.0 * sigma * sigma)).exp() * row[j] / row[best]
    };
    expectation((0..row.len()).map(|j| (cell(j, width), logit(j))))
}

pub fn windowed(row: &[f64], width: usize, beta: f64, radius: usize) -> [f64; 2] {
    let best = argmax(row);
    let [best_x, best_y] = cell(best, width);
    let inside = |&j: &usize| {
        let [x, y] = cell(j, width);
        (x - best_x).abs() <= radius as f64 && (y - best_y).abs() <= radius as f64
    };
    expectation((0..row.len()).filter(inside).map(|j| (cell(j, width), beta * row[j] / row[best])))
}

/// The row at a source point: bilinear mean of the rows of the four cells round it, the point clamped to the grid.
pub fn sample(rows: &[Vec<f64>], (height, width): (usize, usize), [x, y]: [f64; 2]) -> Vec<f64> {
    let (x, y) = (x.clamp(0.0, width as f64 - 1.0), y.clamp(0.0, height as f64 - 1.0));
    let (left, top) = (x.floor() as usize, y.floor() as usize);
    let (right, bottom) = ((left + 1).min(width - 1), (top + 1).min(height - 1));
    let (across, down) = (x - left as f64, y - top as f64);
    (0..rows[0].len())
        .map(|j| {
            (1.0 - across) * (1.0 - down) * rows[top * width + left][j]
                + across * (1.0 - down) * rows[top * width + right][j]
                + (1.0 - across) * down * rows[bottom * width + left][j]
                + across * down * rows[bottom * width + right][j]
        })
        .collect()
}

fn expectation(cells: impl Iterator<Item = ([f64; 2], f64)>) -> [f64; 2] {
    let (mut x_sum, mut y_sum, mut sum) = (0.0, 0.0, 0.0);
    for ([x, y], logit) in cells {
        x_sum += logit.exp() * x;
        y_sum += logit.exp() * y;
        sum += logit.exp();
    }
    [x_sum / sum, y_sum / sum]
}

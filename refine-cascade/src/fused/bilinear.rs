//! Bilinear weights of the cells round a point.

use corr_volume::Grid;

/// The four cells round a point, (x, y) in cells, and their weights. A point outside counts as the nearest one inside; a
/// cell may come twice, then once with weight 0.
pub(crate) fn corners(point: [f32; 2], grid: Grid) -> [(usize, f32); 4] {
    let [(x, right, u), (y, below, v)] = [(point[0], grid.width), (point[1], grid.height)].map(|(at, size)| {
        let at = at.clamp(0.0, (size - 1) as f32);
        let first = at as usize;
        (first, (first + 1).min(size - 1), at - first as f32)
    });
    let cell = |x, y| y * grid.width + x;
    [
        (cell(x, y), (1.0 - u) * (1.0 - v)),
        (cell(right, y), u * (1.0 - v)),
        (cell(x, below), (1.0 - u) * v),
        (cell(right, below), u * v),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_cells_inside_and_the_nearest_outside() {
        let grid = Grid { height: 2, width: 3 };
        assert_eq!(corners([1.25, 0.5], grid), [(1, 0.375), (2, 0.125), (4, 0.375), (5, 0.125)]);
        for (outside, cell) in [([-3.0, -0.1], 0), ([9.0, -1.0], 2), ([2.0, 1.0], 5)] {
            let weight: f32 = corners(outside, grid).iter().filter(|(c, _)| *c == cell).map(|(_, w)| w).sum();
            assert_eq!(weight, 1.0, "point {outside:?}");
        }
    }
}

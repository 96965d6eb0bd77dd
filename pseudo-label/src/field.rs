//! Where every cell of one image lies in another.

use corr_volume::Grid;

/// One point of another image for every cell of a grid, row-major, `(x, y)` in the other image's cell coordinates.
#[derive(Clone, Copy, Debug)]
pub struct MatchField<'a> {
    points: &'a [[f32; 2]],
    grid: Grid,
}

impl<'a> MatchField<'a> {
    /// Matches of the cells of `grid`.
    ///
    /// # Panics
    ///
    /// If there is not one point a cell.
    pub fn new(points: &'a [[f32; 2]], grid: Grid) -> Self {
        assert_eq!(points.len(), grid.cells(), "a field over a grid of {grid} has one point for each of its cells");
        Self { points, grid }
    }

    /// The grid whose cells are matched.
    pub fn grid(&self) -> Grid {
        self.grid
    }

    /// The match of a cell.
    ///
    /// # Panics
    ///
    /// If there is no such cell.
    pub fn cell(&self, cell: usize) -> [f32; 2] {
        self.points[cell]
    }

    /// The match of a point that need not be a cell centre: the bilinear mean of those of the four cells round it.
    ///
    /// Points beyond the outermost cell centres count as the nearest between them. NaN for a point that is not finite, and
    /// where a cell that counts is unmatched.
    pub fn at(&self, point: [f32; 2]) -> [f32; 2] {
        if !point.iter().all(|value| value.is_finite()) {
            return [f32::NAN; 2];
        }
        // The cells before and after, and the share of the way to the latter.
        let axis = |value: f32, size: usize| {
            let value = value.clamp(0.0, (size - 1) as f32);
            let before = value as usize;
            (before, (before + 1).min(size - 1), value.fract())
        };
        let (left, right, u) = axis(point[0], self.grid.width);
        let (above, below, v) = axis(point[1], self.grid.height);
        let corners = [
            (above, left, (1.0 - u) * (1.0 - v)),
            (above, right, u * (1.0 - v)),
            (below, left, (1.0 - u) * v),
            (below, right, u * v),
        ];
        let mut mean = [0.0; 2];
        // A cell of weight 0 may be unmatched: 0 times NaN must not count.
        for (row, column, weight) in corners.into_iter().filter(|(_, _, weight)| *weight > 0.0) {
            let [x, y] = self.points[self.grid.index(row, column)];
            mean[0] += weight * x;
            mean[1] += weight * y;
        }
        mean
    }
}

//! Where in an image the object is: the tight box of the largest part of its mask.

use corr_volume::Grid;

/// The cells of columns `left..right` in rows `top..bottom`, at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CellBox {
    /// First column.
    pub left: usize,
    /// First row.
    pub top: usize,
    /// First column beyond.
    pub right: usize,
    /// First row beyond.
    pub bottom: usize,
}

impl CellBox {
    /// Every cell of a grid.
    pub fn whole(grid: Grid) -> Self {
        Self { left: 0, top: 0, right: grid.width, bottom: grid.height }
    }

    /// The longer side, cells.
    pub fn longer_side(&self) -> usize {
        (self.right - self.left).max(self.bottom - self.top)
    }

    /// Whether a point `(x, y)` in cell coordinates lies in one of the cells. NaN lies in none.
    pub fn contains(&self, [x, y]: [f32; 2]) -> bool {
        let [[left, top], [right, bottom]] = self.corners();
        (left..right).contains(&x) && (top..bottom).contains(&y)
    }

    /// The outer corners of the first and of the last cell, `(x, y)` in cell coordinates; for an annotation,
    /// `corr_volume::Frame` takes them to pixels.
    pub fn corners(&self) -> [[f32; 2]; 2] {
        let corner = |column: usize, row: usize| [column as f32 - 0.5, row as f32 - 0.5];
        [corner(self.left, self.top), corner(self.right, self.bottom)]
    }

    /// In which of the `blocks × blocks` parts of the box a cell lies, counted row by row; `None` outside the box. A side
    /// of fewer cells than blocks leaves blocks without a cell.
    pub fn block(&self, row: usize, column: usize, blocks: usize) -> Option<usize> {
        let inside = (self.top..self.bottom).contains(&row) && (self.left..self.right).contains(&column);
        let part = |at: usize, from: usize, to: usize| (at - from) * blocks / (to - from);
        inside.then(|| part(row, self.top, self.bottom) * blocks + part(column, self.left, self.right))
    }
}

/// The tight box of the largest 4-connected part of the cells whose mask is at least `threshold`; of equals that with the
/// first cell in row-major order. `None` where no cell is. NaN reaches no threshold.
///
/// # Panics
///
/// If the mask has not one value a cell.
pub fn object_box(mask: &[f32], grid: Grid, threshold: f32) -> Option<CellBox> {
    assert_eq!(mask.len(), grid.cells(), "a mask over a grid of {grid} has one value for each of its cells");
    let mut open: Vec<bool> = mask.iter().map(|value| *value >= threshold).collect();
    let mut largest: Option<(usize, CellBox)> = None;
    for start in 0..mask.len() {
        if let Some((cells, found)) = flood(&mut open, grid, start)
            && largest.is_none_or(|(most, _)| cells > most)
        {
            largest = Some((cells, found));
        }
    }
    largest.map(|(_, found)| found)
}

/// Takes the connected part that a cell is in out of `open`: its size and its box; `None` for a cell that is not open.
fn flood(open: &mut [bool], grid: Grid, start: usize) -> Option<(usize, CellBox)> {
    if !std::mem::take(&mut open[start]) {
        return None;
    }
    let (row, column) = grid.row_col(start);
    let mut found = CellBox { left: column, top: row, right: column + 1, bottom: row + 1 };
    let (mut waiting, mut cells) = (vec![start], 0);
    while let Some(cell) = waiting.pop() {
        cells += 1;
        let (row, column) = grid.row_col(cell);
        found.left = found.left.min(column);
        found.top = found.top.min(row);
        found.right = found.right.max(column + 1);
        found.bottom = found.bottom.max(row + 1);
        let mut visit = |cell: usize| {
            if std::mem::take(&mut open[cell]) {
                waiting.push(cell);
            }
        };
        if row > 0 {
            visit(cell - grid.width);
        }
        if row + 1 < grid.height {
            visit(cell + grid.width);
        }
        if column > 0 {
            visit(cell - 1);
        }
        if column + 1 < grid.width {
            visit(cell + 1);
        }
    }
    Some((cells, found))
}

use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};

/// Number of cells of a feature map: `height` rows of `width` columns.
///
/// A cell is known by its row and column or by its row-major index `row * width + column`. As a *point*, a cell is
/// `(x, y) = (column, row)`: integers are cell centres, and a cell covers half a unit on every side of its centre.
///
/// ```
/// let grid = corr_volume::Grid::new(2, 3);
/// assert_eq!(grid.cells(), 6);
/// assert_eq!(grid.index(1, 2), 5);
/// assert_eq!(grid.row_col(5), (1, 2));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grid {
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

impl Grid {
    /// A grid of `height` rows and `width` columns.
    ///
    /// # Panics
    ///
    /// If either is zero.
    pub fn new(height: usize, width: usize) -> Self {
        assert!(height > 0 && width > 0, "a grid needs at least one cell, got {height} rows and {width} columns");
        Self { height, width }
    }

    /// A grid of `side` rows and `side` columns.
    ///
    /// # Panics
    ///
    /// If `side` is zero.
    pub fn square(side: usize) -> Self {
        Self::new(side, side)
    }

    /// The grid of a feature map or of a mask: its last two dimensions.
    ///
    /// # Panics
    ///
    /// If `D` is below 2 or either dimension is zero.
    pub fn of<const D: usize>(map: &Tensor<D>) -> Self {
        assert!(D >= 2, "a map has rows and columns, got a tensor of rank {D}");
        let dims = map.dims();
        Self::new(dims[D - 2], dims[D - 1])
    }

    /// Number of cells.
    pub fn cells(&self) -> usize {
        self.height * self.width
    }

    /// Row-major index of the cell at `row`, `col`.
    ///
    /// # Panics
    ///
    /// If the cell lies outside the grid.
    pub fn index(&self, row: usize, col: usize) -> usize {
        assert!(row < self.height && col < self.width, "cell (row {row}, column {col}) lies outside a grid of {self}");
        row * self.width + col
    }

    /// Row and column of the cell with this row-major index.
    ///
    /// # Panics
    ///
    /// If the index lies outside the grid.
    pub fn row_col(&self, index: usize) -> (usize, usize) {
        assert!(index < self.cells(), "cell {index} lies outside a grid of {self}");
        (index / self.width, index % self.width)
    }

    /// Every cell's centre `(x, y)` in cell coordinates, `[cells, 2]`, in row-major order.
    pub fn points(&self, device: &Device) -> Tensor<2> {
        let points: Vec<f32> = (0..self.cells())
            .flat_map(|cell| {
                let (row, col) = self.row_col(cell);
                [col as f32, row as f32]
            })
            .collect();
        Tensor::from_data(TensorData::new(points, [self.cells(), 2]), device)
    }
}

impl std::fmt::Display for Grid {
    /// `20x30`: rows, then columns.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}x{}", self.height, self.width)
    }
}

//! Rows and columns of a volume as the same thing: lines, each the work of 16 units of a workgroup.

/// The lines of a row-major volume along one axis.
pub(super) struct Lines {
    /// How many there are in a pair.
    pub(super) count: usize,
    /// Cells of each.
    pub(super) length: usize,
    /// From a line's first cell to the next one's.
    pub(super) distance: usize,
    /// From a cell of a line to the next one.
    pub(super) step: usize,
}

impl Lines {
    /// Its rows, else its columns.
    pub(super) fn of(rows: usize, columns: usize, along_rows: bool) -> Self {
        if along_rows {
            Self { count: rows, length: columns, distance: columns, step: 1 }
        } else {
            Self { count: columns, length: rows, distance: 1, step: columns }
        }
    }
}

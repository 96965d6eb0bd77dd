//! Products of matrices that lie in slices.

use gemm::Parallelism;

/// A matrix in a slice: element (r, c) is `values[r · row_step + c · column_step]`.
#[derive(Clone, Copy)]
pub(crate) struct Matrix<'a> {
    values: &'a [f32],
    rows: usize,
    columns: usize,
    row_step: usize,
    column_step: usize,
}

impl<'a> Matrix<'a> {
    /// Rows one after another, their starts `step` apart; `step` may exceed `columns`.
    ///
    /// # Panics
    ///
    /// If the slice is too short.
    pub fn of_rows(values: &'a [f32], rows: usize, columns: usize, step: usize) -> Self {
        check(values.len(), rows, columns, step);
        Self { values, rows, columns, row_step: step, column_step: 1 }
    }

    /// The number of columns.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// The same numbers with rows and columns exchanged.
    pub fn transposed(self) -> Self {
        Self { rows: self.columns, columns: self.rows, row_step: self.column_step, column_step: self.row_step, ..self }
    }
}

/// What becomes of the numbers that are there already.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Into {
    /// They are overwritten.
    Replace,
    /// The product is added to them.
    Add,
}

/// `lhs · rhs` into the rows of `out`, their starts `step` apart. On the calling thread.
///
/// # Panics
///
/// If the shapes do not fit or `out` is too short.
pub(crate) fn multiply(lhs: Matrix<'_>, rhs: Matrix<'_>, out: &mut [f32], step: usize, into: Into) {
    assert_eq!(lhs.columns, rhs.rows, "a product of matrices needs as many columns on the left as rows on the right");
    check(out.len(), lhs.rows, rhs.columns, step);
    let (rows, columns) = (lhs.rows, rhs.columns);
    // SAFETY: every element addressed lies in its slice: `check` has compared the last one's index with the length, for
    // `out` here and for the factors where they were made. `out` is borrowed mutably, so that nothing else overlaps it,
    // and its elements are distinct because `step` is at least `columns`.
    unsafe {
        gemm::gemm(
            rows,
            columns,
            lhs.columns,
            out.as_mut_ptr(),
            1,
            step as isize,
            into == Into::Add,
            lhs.values.as_ptr(),
            lhs.column_step as isize,
            lhs.row_step as isize,
            rhs.values.as_ptr(),
            rhs.column_step as isize,
            rhs.row_step as isize,
            1.0,
            1.0,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}

fn check(length: usize, rows: usize, columns: usize, step: usize) {
    let needed = if rows == 0 || columns == 0 { 0 } else { (rows - 1) * step + columns };
    assert!(
        step >= columns && needed <= length,
        "{rows} rows of {columns} numbers, {step} apart, do not fit a slice of {length}"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(count: usize, seed: usize) -> Vec<f32> {
        (0..count).map(|k| ((k * 7919 + seed * 104_729) % 1013) as f32 / 506.0 - 1.0).collect()
    }

    #[test]
    fn as_three_loops_with_steps_and_transposes() {
        for (rows, columns, inner) in [(1, 1, 1), (3, 5, 2), (17, 16, 33), (40, 1, 7)] {
            let (a, b) = (numbers(inner * (rows + 2), 1), numbers(inner * (columns + 1), 2));
            let lhs = Matrix::of_rows(&a, inner, rows, rows + 2).transposed();
            let rhs = Matrix::of_rows(&b, inner, columns, columns + 1);
            let mut out = vec![1.0; rows * (columns + 3)];
            multiply(lhs, rhs, &mut out, columns + 3, Into::Replace);
            multiply(lhs, rhs, &mut out, columns + 3, Into::Add);
            for r in 0..rows {
                for c in 0..columns {
                    let sum: f32 = (0..inner).map(|k| a[k * (rows + 2) + r] * b[k * (columns + 1) + c]).sum();
                    assert!((out[r * (columns + 3) + c] - 2.0 * sum).abs() < 1e-4, "element {r}, {c}");
                }
                assert_eq!(out[r * (columns + 3) + columns..][..3], [1.0; 3], "beyond row {r}");
            }
        }
    }

    #[test]
    #[should_panic(expected = "do not fit a slice of 11")]
    fn a_slice_too_short_is_refused() {
        Matrix::of_rows(&[0.0; 11], 3, 4, 4);
    }
}

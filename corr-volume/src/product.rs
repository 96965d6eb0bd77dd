//! One safe door to the matrix product.

use gemm::Parallelism;

/// A matrix in a slice: element (row, column) lies at `row * row_stride + column * column_stride`.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'a> {
    values: &'a [f32],
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

impl<'a> Matrix<'a> {
    /// A matrix of `rows` rows, one behind the other, `stride` values from one to the next.
    ///
    /// # Panics
    ///
    /// If the slice is too short.
    pub fn by_rows(values: &'a [f32], rows: usize, columns: usize, stride: usize) -> Self {
        check(values.len(), rows, columns, stride, 1);
        Self { values, rows, columns, row_stride: stride, column_stride: 1 }
    }

    /// The number of columns.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// The same values with rows and columns exchanged.
    pub fn transposed(self) -> Self {
        Self {
            values: self.values,
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
        }
    }
}

fn check(length: usize, rows: usize, columns: usize, row_stride: usize, column_stride: usize) {
    if rows > 0 && columns > 0 {
        let last = (rows - 1) * row_stride + (columns - 1) * column_stride;
        assert!(last < length, "a matrix of {rows}×{columns} does not fit in {length} values");
    }
}

/// `out = lhs · rhs`, or `out += lhs · rhs` with `accumulate`; `out` by rows, `stride` values from one to the next.
///
/// It runs on the calling thread alone, and the order of its sums depends on the shapes only: work is spread over
/// threads by giving each its own rows, and the result is the same for any number of them.
///
/// # Panics
///
/// If the inner dimensions differ or `out` is too short.
pub fn multiply(out: &mut [f32], stride: usize, accumulate: bool, lhs: Matrix<'_>, rhs: Matrix<'_>) {
    assert_eq!(lhs.columns, rhs.rows, "a product of {}×{} and {}×{}", lhs.rows, lhs.columns, rhs.rows, rhs.columns);
    let (rows, columns) = (lhs.rows, rhs.columns);
    check(out.len(), rows, columns, stride, 1);
    assert!(stride >= columns, "rows of {columns} values overlap at a distance of {stride}");
    // The kernel writes columns of `out`: the transposed product makes them contiguous.
    let (left, right) = (rhs.transposed(), lhs.transposed());
    // SAFETY: `check` has shown that every element addressed by these shapes and strides lies in its slice (a `Matrix`
    // can be made no other way), `out` is borrowed exclusively and its rows do not overlap.
    unsafe {
        gemm::gemm(
            columns,
            rows,
            lhs.columns,
            out.as_mut_ptr(),
            stride as isize,
            1,
            accumulate,
            left.values.as_ptr(),
            left.column_stride as isize,
            left.row_stride as isize,
            right.values.as_ptr(),
            right.column_stride as isize,
            right.row_stride as isize,
            1.0f32,
            1.0f32,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(count: usize) -> Vec<f32> {
        (0..count).map(|i| ((i * 37) % 19) as f32 - 9.0).collect()
    }

    #[test]
    fn every_layout_gives_the_sum_of_products() {
        let (rows, inner, columns) = (5, 7, 3);
        let (a, b) = (numbers(rows * inner), numbers(inner * columns + 40));
        let wanted = |i: usize, j: usize| (0..inner).map(|k| a[i * inner + k] * b[k * columns + j]).sum::<f32>();
        let transposed: Vec<f32> =
            (0..inner).flat_map(|k| (0..rows).map(move |i| (i, k))).map(|(i, k)| a[i * inner + k]).collect();
        let rhs = Matrix::by_rows(&b, inner, columns, columns);
        for lhs in
            [Matrix::by_rows(&a, rows, inner, inner), Matrix::by_rows(&transposed, inner, rows, rows).transposed()]
        {
            let mut out = vec![1.0; rows * 4];
            multiply(&mut out, 4, false, lhs, rhs);
            multiply(&mut out, 4, true, lhs, rhs);
            for i in 0..rows {
                for j in 0..columns {
                    assert_eq!(out[i * 4 + j], 2.0 * wanted(i, j));
                }
                assert_eq!(out[i * 4 + columns], 1.0, "what lies between two rows is not touched");
            }
        }
    }

    #[test]
    #[should_panic(expected = "does not fit")]
    fn a_slice_that_is_too_short_is_refused() {
        Matrix::by_rows(&[0.0; 5], 2, 3, 3);
    }
}

//! One safe door to the matrix product.

mod unpacked;

use gemm::Parallelism;

/// A right matrix of at most this many values stays in a core's cache while it is read again and again as it lies, and is
/// not packed.
const CACHED: usize = 1 << 18;

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

    /// The same matrix by rows, one right behind the other, of one that lies by columns.
    fn turned(&self) -> Vec<f32> {
        let mut values = vec![0.0; self.rows * self.columns];
        transpose(self.values, self.column_stride, &mut values, self.columns, self.columns, self.rows);
        values
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

/// Edge of the squares in which a matrix is transposed: a line of the cache.
const EDGE: usize = 16;

/// `to[j, i] = from[i, j]` for `rows` rows i of `columns` values; strides are the distances of rows. The rest of `to` is left
/// alone.
///
/// # Panics
///
/// If a slice is too short.
pub fn transpose(from: &[f32], from_stride: usize, to: &mut [f32], to_stride: usize, rows: usize, columns: usize) {
    check(from.len(), rows, columns, from_stride, 1);
    check(to.len(), columns, rows, to_stride, 1);
    for row in (0..rows).step_by(EDGE) {
        let height = EDGE.min(rows - row);
        for column in (0..columns).step_by(EDGE) {
            for j in column..columns.min(column + EDGE) {
                let to = &mut to[j * to_stride + row..][..height];
                for (to, from) in to.iter_mut().zip(from[row * from_stride + j..].iter().step_by(from_stride)) {
                    *to = *from;
                }
            }
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
    if rows == 0 || columns == 0 {
        return;
    }
    if rhs.rows * rhs.row_stride.max(rhs.columns) <= CACHED && rhs.column_stride == 1 {
        unpacked::Product { out, stride, accumulate, lhs, rhs }.run();
        return;
    }
    if rhs.rows * rhs.columns <= CACHED {
        let turned = rhs.turned();
        let rhs = Matrix::by_rows(&turned, rhs.rows, columns, columns);
        unpacked::Product { out, stride, accumulate, lhs, rhs }.run();
        return;
    }
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
    fn of_any_shape_and_layout() {
        // Blocks of every height, panels of every width, a part of a vector, and sizes that are packed.
        let shapes =
            [(1, 1, 1), (8, 3, 48), (15, 4, 33), (7, 2, 64), (9, 5, 80), (3, 17, 15), (33, 16, 95), (2, 700, 400)];
        for (rows, inner, columns) in shapes {
            let (a, b) = (numbers(rows * inner), numbers(inner * columns));
            let naive = |i: usize, j: usize| (0..inner).map(|k| a[i * inner + k] * b[k * columns + j]).sum::<f32>();
            let turn = |values: &[f32], rows: usize, columns: usize| {
                let mut turned = vec![0.0; values.len()];
                transpose(values, columns, &mut turned, rows, rows, columns);
                turned
            };
            let (a_turned, b_turned) = (turn(&a, rows, inner), turn(&b, inner, columns));
            let lefts =
                [Matrix::by_rows(&a, rows, inner, inner), Matrix::by_rows(&a_turned, inner, rows, rows).transposed()];
            let rights = [
                Matrix::by_rows(&b, inner, columns, columns),
                Matrix::by_rows(&b_turned, columns, inner, inner).transposed(),
            ];
            for (lhs, rhs) in lefts.into_iter().flat_map(|lhs| rights.map(|rhs| (lhs, rhs))) {
                let stride = columns + 3;
                let mut out = vec![1.0; rows * stride];
                multiply(&mut out, stride, true, lhs, rhs);
                for (i, row) in out.chunks_exact(stride).enumerate() {
                    assert!(row[columns..].iter().all(|value| *value == 1.0), "what lies between rows is not touched");
                    // Whole numbers, of which f32 forgets nothing.
                    assert!((0..columns).all(|j| row[j] == 1.0 + naive(i, j)), "row {i} of {rows}×{inner}×{columns}");
                }
            }
        }
    }

    #[test]
    #[should_panic(expected = "does not fit")]
    fn a_slice_that_is_too_short_is_refused() {
        Matrix::by_rows(&[0.0; 5], 2, 3, 3);
    }
}

//! Products of matrices that are read as they lie: nothing is packed.

use pulp::{Arch, Simd, WithSimd};

use super::Matrix;

/// Rows of a block that stays in registers, and vectors of its columns: 24 sums, three vectors and a broadcast value are
/// what 32 registers hold.
const ROWS: usize = 8;
const VECTORS: usize = 3;

/// A product; `rhs` lies by rows. Every element that the shapes and strides address lies in its slice.
pub(super) struct Product<'a> {
    pub(super) out: &'a mut [f32],
    pub(super) stride: usize,
    pub(super) accumulate: bool,
    pub(super) lhs: Matrix<'a>,
    pub(super) rhs: Matrix<'a>,
}

impl Product<'_> {
    pub(super) fn run(self) {
        Arch::new().dispatch(self);
    }
}

impl WithSimd for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let lanes = S::F32_LANES;
        let mut column = 0;
        while column < self.rhs.columns {
            // Two panels of two rather than one of three and one of one.
            let vectors = match (self.rhs.columns - column) / lanes {
                4 => 2,
                rest => rest.min(VECTORS),
            };
            match vectors {
                VECTORS => self.panel::<S, VECTORS>(simd, column, VECTORS * lanes),
                2 => self.panel::<S, 2>(simd, column, 2 * lanes),
                1 => self.panel::<S, 1>(simd, column, lanes),
                // The last columns, less than a vector.
                _ => self.panel::<S, 1>(simd, column, self.rhs.columns - column),
            }
            column += vectors.max(1) * lanes;
        }
    }
}

impl Product<'_> {
    /// Some columns: V vectors, or what there is of one.
    #[inline(always)]
    fn panel<S: Simd, const V: usize>(&mut self, simd: S, column: usize, count: usize) {
        let rows = self.lhs.rows;
        let mut row = 0;
        while row + ROWS <= rows {
            self.block::<S, ROWS, V>(simd, row, column, count);
            row += ROWS;
        }
        if row + 4 <= rows {
            self.block::<S, 4, V>(simd, row, column, count);
            row += 4;
        }
        if row + 2 <= rows {
            self.block::<S, 2, V>(simd, row, column, count);
            row += 2;
        }
        if row < rows {
            self.block::<S, 1, V>(simd, row, column, count);
        }
    }

    /// R rows of some columns.
    #[inline(always)]
    fn block<S: Simd, const R: usize, const V: usize>(&mut self, simd: S, row: usize, column: usize, count: usize) {
        let Self { stride, accumulate, lhs, rhs, .. } = *self;
        let whole = count == V * S::F32_LANES;
        let mut sums = [[simd.splat_f32s(0.0); V]; R];
        for k in 0..lhs.columns {
            let start = k * rhs.row_stride + column;
            // SAFETY: row k < rhs.rows ends at `start + count` at the latest, and every row lies in the slice.
            let right = unsafe { rhs.values.get_unchecked(start..start + count) };
            let right: [S::f32s; V] = if whole {
                let (vectors, _) = S::as_simd_f32s(right);
                // SAFETY: `right` is V vectors long.
                std::array::from_fn(|v| unsafe { *vectors.get_unchecked(v) })
            } else {
                [simd.partial_load_f32s(right); V]
            };
            for (r, sums) in sums.iter_mut().enumerate() {
                // SAFETY: row + r < lhs.rows and k < lhs.columns.
                let value = unsafe { *lhs.values.get_unchecked((row + r) * lhs.row_stride + k * lhs.column_stride) };
                let value = simd.splat_f32s(value);
                for (sum, right) in sums.iter_mut().zip(right) {
                    *sum = simd.mul_add_e_f32s(value, right, *sum);
                }
            }
        }
        for (r, sums) in sums.into_iter().enumerate() {
            let out = &mut self.out[(row + r) * stride + column..][..count];
            if whole {
                let (out, _) = S::as_mut_simd_f32s(out);
                for (out, sum) in out.iter_mut().zip(sums) {
                    *out = if accumulate { simd.add_f32s(*out, sum) } else { sum };
                }
            } else {
                let sum = if accumulate { simd.add_f32s(simd.partial_load_f32s(out), sums[0]) } else { sums[0] };
                simd.partial_store_f32s(out, sum);
            }
        }
    }
}

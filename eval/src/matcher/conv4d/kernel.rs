//! The inner loops: sums of products that stay in registers.

use pulp::{Arch, Simd, WithSimd};

use super::layout::LANES;

/// Channels computed at a time, most first: 8 channels by 3 vectors are 24 sums, which 32 registers hold.
const CHANNELS: [usize; 4] = [8, 4, 2, 1];

/// Cuts `count` channels into blocks of [`CHANNELS`]: the first channel and the size of each.
#[inline(always)]
fn blocks(count: usize) -> impl Iterator<Item = (usize, usize)> {
    let mut first = 0;
    std::iter::from_fn(move || {
        let size = CHANNELS.into_iter().find(|size| first + size <= count)?;
        first += size;
        Some((first - size, size))
    })
}

/// Weights by output channel, `count` each, in the order in which [`Correlate`] reads them: block by block, and in a block the
/// channels of a weight side by side.
pub(super) fn packed(weights: &[f32], count: usize) -> Vec<f32> {
    let mut packed = Vec::with_capacity(weights.len());
    for (first, size) in blocks(weights.len() / count) {
        packed.extend((0..count).flat_map(|at| (0..size).map(move |row| weights[(first + row) * count + at])));
    }
    packed
}

/// The outputs of one source cell.
///
/// ```text
/// sums[r, t] = Σ_(start, first) Σ_u weights[r, first + u] · planes[start + taps[u] + t]
/// ```
pub(super) struct Correlate<'a> {
    pub(super) planes: &'a [f32],
    /// Where each plane that is seen begins, and the first of its weights.
    pub(super) seen: &'a [(usize, usize)],
    pub(super) taps: &'a [usize],
    /// As [`packed`] lays them out.
    pub(super) weights: &'a [f32],
    pub(super) channels: usize,
    /// `channels` planes of outputs, whose size is a multiple of [`LANES`].
    pub(super) sums: &'a mut [f32],
}

impl Correlate<'_> {
    pub(super) fn run(self) {
        Arch::new().dispatch(self);
    }

    #[inline(always)]
    fn rows<S: Simd, const R: usize>(&mut self, simd: S, row: usize) {
        let lanes = S::F32_LANES;
        let outputs = self.sums.len() / self.channels;
        let mut column = 0;
        while column < outputs {
            column += lanes
                * match (outputs - column) / lanes {
                    // Two panels of two rather than one of three and one of one.
                    2 | 4 => self.block::<S, R, 2>(simd, row, column),
                    1 => self.block::<S, R, 1>(simd, row, column),
                    _ => self.block::<S, R, 3>(simd, row, column),
                };
        }
    }

    /// R channels and V vectors; gives V back.
    #[inline(always)]
    fn block<S: Simd, const R: usize, const V: usize>(&mut self, simd: S, row: usize, column: usize) -> usize {
        let width = V * S::F32_LANES;
        let outputs = self.sums.len() / self.channels;
        let (weights, _) = self.weights[self.weights.len() / self.channels * row..].as_chunks::<R>();
        let mut sums = [[simd.splat_f32s(0.0); V]; R];
        for (start, first) in self.seen {
            let plane = &self.planes[start + column..];
            for (tap, weights) in self.taps.iter().zip(&weights[*first..]) {
                let (values, _) = S::as_simd_f32s(&plane[*tap..][..width]);
                let values: [S::f32s; V] = std::array::from_fn(|v| values[v]);
                for (sums, weight) in sums.iter_mut().zip(weights) {
                    let weight = simd.splat_f32s(*weight);
                    for (sum, value) in sums.iter_mut().zip(values) {
                        *sum = simd.mul_add_e_f32s(weight, value, *sum);
                    }
                }
            }
        }
        for (r, sums) in sums.iter().enumerate() {
            let to = &mut self.sums[(row + r) * outputs + column..][..width];
            S::as_mut_simd_f32s(to).0.copy_from_slice(sums);
        }
        V
    }
}

impl WithSimd for Correlate<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        for (row, size) in blocks(self.channels) {
            match size {
                8 => self.rows::<S, 8>(simd, row),
                4 => self.rows::<S, 4>(simd, row),
                2 => self.rows::<S, 2>(simd, row),
                _ => self.rows::<S, 1>(simd, row),
            }
        }
    }
}

/// What one source cell adds to the gradient of the weights.
///
/// ```text
/// sums[r, first + u] += Σ_t upstream[r][t] · planes[start + taps[u] + t]
/// ```
///
/// Sums are kept as [`LANES`] parts, to be added up when all source cells are done.
pub(super) struct AddProducts<'a> {
    pub(super) planes: &'a [f32],
    pub(super) seen: &'a [(usize, usize)],
    pub(super) taps: &'a [usize],
    /// Where the upstream gradient of channel r begins: `upstream[r * distance..][..outputs]`.
    pub(super) upstream: &'a [f32],
    pub(super) distance: usize,
    /// Values of a plane of outputs, a multiple of [`LANES`].
    pub(super) outputs: usize,
    pub(super) channels: usize,
    /// `[channels, weights, LANES]`.
    pub(super) sums: &'a mut [f32],
}

impl AddProducts<'_> {
    pub(super) fn run(self) {
        Arch::new().dispatch(self);
    }

    #[inline(always)]
    fn rows<S: Simd, const R: usize>(&mut self, simd: S, row: usize) {
        for &(start, first) in self.seen {
            let mut tap = 0;
            while tap < self.taps.len() {
                tap += if tap + 3 <= self.taps.len() {
                    self.block::<S, R, 3>(simd, row, start, tap, first)
                } else {
                    self.block::<S, R, 1>(simd, row, start, tap, first)
                };
            }
        }
    }

    /// R channels and T taps of one plane; gives T back.
    #[inline(always)]
    fn block<S: Simd, const R: usize, const T: usize>(
        &mut self,
        simd: S,
        row: usize,
        start: usize,
        tap: usize,
        first: usize,
    ) -> usize {
        let Self { planes, upstream, distance, outputs, .. } = *self;
        let upstream: [&[S::f32s]; R] =
            std::array::from_fn(|r| S::as_simd_f32s(&upstream[(row + r) * distance..][..outputs]).0);
        let planes: [&[S::f32s]; T] =
            std::array::from_fn(|t| S::as_simd_f32s(&planes[start + self.taps[tap + t]..][..outputs]).0);
        let weights = self.sums.len() / self.channels / LANES;
        let mut sums = [[simd.splat_f32s(0.0); T]; R];
        for at in 0..outputs / S::F32_LANES {
            let values: [S::f32s; T] = std::array::from_fn(|t| planes[t][at]);
            for (sums, upstream) in sums.iter_mut().zip(upstream) {
                let upstream = upstream[at];
                for (sum, value) in sums.iter_mut().zip(values) {
                    *sum = simd.mul_add_e_f32s(upstream, value, *sum);
                }
            }
        }
        for (r, sums) in sums.into_iter().enumerate() {
            for (t, sum) in sums.into_iter().enumerate() {
                let at = ((row + r) * weights + first + tap + t) * LANES;
                let to = &mut S::as_mut_simd_f32s(&mut self.sums[at..at + LANES]).0[0];
                *to = simd.add_f32s(*to, sum);
            }
        }
        T
    }
}

impl WithSimd for AddProducts<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        for (row, size) in blocks(self.channels) {
            match size {
                8 => self.rows::<S, 8>(simd, row),
                4 => self.rows::<S, 4>(simd, row),
                2 => self.rows::<S, 2>(simd, row),
                _ => self.rows::<S, 1>(simd, row),
            }
        }
    }
}

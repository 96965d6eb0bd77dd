//! Loops over rows: reductions sixteen numbers at a time, in an order that no machine changes, and sums of columns.

use corr_volume::exponential::exp;

/// How many partial results are kept.
const LANES: usize = 16;

/// Folds a row into sixteen partial results: number k goes to the (k mod 16)th.
#[inline(always)]
pub(crate) fn fold(row: &[f32], start: f32, step: impl Fn(f32, f32) -> f32) -> [f32; LANES] {
    let mut lanes = [start; LANES];
    let (chunks, rest) = row.as_chunks::<LANES>();
    for chunk in chunks {
        for k in 0..LANES {
            lanes[k] = step(lanes[k], chunk[k]);
        }
    }
    for (lane, value) in lanes.iter_mut().zip(rest) {
        *lane = step(*lane, *value);
    }
    lanes
}

/// The larger of two numbers; the first where they cannot be compared.
#[inline(always)]
pub(crate) fn larger(a: f32, b: f32) -> f32 {
    if b > a { b } else { a }
}

/// The largest value of a row; minus infinity for an empty one.
#[inline(always)]
pub(crate) fn largest(row: &[f32]) -> f32 {
    fold(row, f32::NEG_INFINITY, larger).into_iter().fold(f32::NEG_INFINITY, larger)
}

/// The sum of a row.
#[inline(always)]
pub(crate) fn sum(row: &[f32]) -> f32 {
    fold(
        row,
        0.0,
        #[inline(always)]
        |sum, x| sum + x,
    )
    .into_iter()
    .sum()
}

/// The sum of the products of two rows.
#[inline(always)]
pub(crate) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0f32; LANES];
    let (a_chunks, a_rest) = a.as_chunks::<LANES>();
    let (b_chunks, b_rest) = b.as_chunks::<LANES>();
    for (a, b) in a_chunks.iter().zip(b_chunks) {
        for k in 0..LANES {
            lanes[k] += a[k] * b[k];
        }
    }
    for ((lane, a), b) in lanes.iter_mut().zip(a_rest).zip(b_rest) {
        *lane += a * b;
    }
    lanes.into_iter().sum()
}

/// `Σ exp((x − peak) / τ)` of a row, given 1 / τ.
#[inline(always)]
pub(crate) fn sum_exp(row: &[f32], peak: f32, inverse: f32) -> f32 {
    fold(
        row,
        0.0,
        #[inline(always)]
        |sum, x| sum + exp((x - peak) * inverse),
    )
    .into_iter()
    .sum()
}

/// Raises each number to that of a row, if this is larger.
#[inline(always)]
pub(crate) fn raise(peaks: &mut [f32], row: &[f32]) {
    peaks.iter_mut().zip(row).for_each(|(peak, value)| *peak = larger(*peak, *value));
}

/// Adds a multiple of a row.
#[inline(always)]
pub(crate) fn add_scaled(sums: &mut [f32], scale: f32, row: &[f32]) {
    sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += scale * value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reductions_of_any_length() {
        for length in [0usize, 1, 15, 16, 17, 33] {
            let row: Vec<f32> = (0..length).map(|k| (k as f32 - 7.0) * if k % 2 == 0 { 1.0 } else { -1.0 }).collect();
            assert_eq!(largest(&row), row.iter().copied().fold(f32::NEG_INFINITY, f32::max));
            assert_eq!(sum(&row), row.iter().sum::<f32>());
            assert_eq!(dot(&row, &row), row.iter().map(|x| x * x).sum::<f32>());
        }
    }
}

//! Whether the way through other images comes home.

use crate::field::MatchField;

/// Where each cell of the first field's grid ends that follows the fields one after the other, `(x, y)`; NaN where a point
/// on the way is not finite.
///
/// The last field has to lead back into the first one's image, so that an end can be held against its start: two fields,
/// there and back, are the cycle of a pair, three (A→B, B→C, C→A) a chain of images.
///
/// ```text
/// end_i = f_n( … f_2(f_1(i)) )
/// ```
///
/// # Panics
///
/// If there is no field.
pub fn cycle_ends(fields: &[MatchField<'_>]) -> Vec<[f32; 2]> {
    let (first, others) = fields.split_first().expect("a cycle has at least one field, got 0");
    (0..first.grid().cells()).map(|cell| others.iter().fold(first.cell(cell), |point, field| field.at(point))).collect()
}

/// How far from its start the end of each cell's cycle lies, see [`cycle_ends`], in cells; NaN where a point on the way is not
/// finite.
///
/// ```text
/// e_i = | end_i − i |
/// ```
///
/// # Panics
///
/// If there is no field.
pub fn cycle_errors(fields: &[MatchField<'_>]) -> Vec<f32> {
    let ends = cycle_ends(fields);
    let home = fields[0].grid();
    let error = |(cell, [x, y]): (usize, [f32; 2])| {
        let (row, column) = home.row_col(cell);
        // What is infinite cannot be told from what is unmatched: neither closes the cycle.
        let error = (x - column as f32).hypot(y - row as f32);
        if error.is_finite() { error } else { f32::NAN }
    };
    ends.into_iter().enumerate().map(error).collect()
}

/// The larger of two errors for each cell, NaN where either is: a match that has to close both a pair's cycle and a
/// chain's.
///
/// # Panics
///
/// If there are not as many of one as of the other.
pub fn worst_errors(a: &[f32], b: &[f32]) -> Vec<f32> {
    assert_eq!(a.len(), b.len(), "errors of the same cells");
    // Unlike `f32::max`, which takes what is a number.
    let worst = |(a, b): (&f32, &f32)| if a.is_nan() || b.is_nan() { f32::NAN } else { a.max(*b) };
    a.iter().zip(b).map(worst).collect()
}

//! Maps with the channels of a cell next to each other, which is how the student's layer computes: `[cells, width]`, the
//! width being the number of channels, [padded] with zeros.

/// Values of a row of `channels` values: a multiple of the widest vector, and not one that would put the rows of a matrix
/// into the same few lines of a cache.
pub(super) fn padded(channels: usize) -> usize {
    let width = channels.next_multiple_of(16);
    if width.is_multiple_of(128) { width + 16 } else { width }
}

/// The sum of rows of `width` values, the first `count` of them.
pub(super) fn sums_of_columns(rows: &[f32], width: usize, count: usize) -> Vec<f32> {
    let mut sums = vec![0.0f32; width];
    corr_volume::vectorised(
        #[inline(always)]
        || {
            for row in rows.chunks_exact(width) {
                sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
            }
        },
    );
    sums.truncate(count);
    sums
}

//! Propagation: neighbours that move alike support each other.

use corr_volume::{Grid, vectorised};
use rayon::prelude::*;

/// Unnormalised Gaussian `exp(−d²/2σ²)` for d = −radius ..= radius.
pub(crate) fn gaussian_taps(radius: usize, sigma: f64) -> Vec<f32> {
    let reach = radius as i64;
    (-reach..=reach)
        .map(|d| match d {
            0 => 1.0,
            d => (-((d * d) as f64) / (2.0 * sigma * sigma)).exp() as f32,
        })
        .collect()
}

/// `E = T · L` in place, `L_ij = Σ_δ G(δ) T_{i+δ, j+δ}`, the sum split into its vertical and its
/// horizontal part; `E = L` without `own`.
///
/// Both parts run over long contiguous slices. A vertical shift by d of a target map is one slice
/// of it. For the horizontal shift every target row is followed by `radius` zeros, so that a shift
/// of the whole map reads zeros where it leaves a row.
pub(crate) fn propagate(evidence: &mut [f32], source: Grid, target: Grid, radius: usize, own: bool) {
    if radius == 0 {
        if own {
            evidence.par_iter_mut().for_each(|t| *t *= *t);
        }
        return;
    }
    let taps = gaussian_taps(radius, radius as f64 / 2.0);
    let cells = target.cells();
    let padded_cells = radius + target.height * (target.width + radius);
    let mut vertical = vec![0.0f32; source.cells() * padded_cells];
    let evidence_rows = source.width * cells;
    vertical.par_chunks_mut(source.width * padded_cells).enumerate().for_each_init(
        || vec![0.0f32; cells],
        |sum, (row, block)| {
            vectorised(
                #[inline(always)]
                || down(evidence, row, block, source, target, &taps, sum),
            )
        },
    );
    evidence.par_chunks_mut(evidence_rows).zip(vertical.par_chunks(source.width * padded_cells)).for_each_init(
        || vec![0.0f32; padded_cells - 2 * radius],
        |sum, (block, vertical)| {
            vectorised(
                #[inline(always)]
                || across(vertical, block, source, target, &taps, own, sum),
            )
        },
    );
}

/// The vertical sums of one row of source cells, every target row followed by `radius` zeros.
#[inline(always)]
fn down(evidence: &[f32], row: usize, block: &mut [f32], source: Grid, target: Grid, taps: &[f32], sum: &mut [f32]) {
    let cells = target.cells();
    let radius = taps.len() / 2;
    let stride = target.width + radius;
    for (column, padded) in block.chunks_exact_mut(radius + target.height * stride).enumerate() {
        sum.fill(0.0);
        for (tap, d) in taps.iter().zip(-(radius as isize)..) {
            let skip = d.unsigned_abs() * target.width;
            let Some(from) = row.checked_add_signed(d).filter(|r| *r < source.height && skip < cells) else {
                continue;
            };
            let map = &evidence[source.index(from, column) * cells..][..cells];
            if d >= 0 {
                add_scaled(&mut sum[..cells - skip], &map[skip..], *tap);
            } else {
                add_scaled(&mut sum[skip..], &map[..cells - skip], *tap);
            }
        }
        let rows = padded[radius..].chunks_exact_mut(stride);
        for (to, from) in rows.zip(sum.chunks_exact(target.width)) {
            to[..target.width].copy_from_slice(from);
        }
    }
}

/// The horizontal sums of one row of source cells, times the evidence.
#[inline(always)]
fn across(vertical: &[f32], block: &mut [f32], source: Grid, target: Grid, taps: &[f32], own: bool, sum: &mut [f32]) {
    let radius = taps.len() / 2;
    let stride = target.width + radius;
    let padded_cells = radius + target.height * stride;
    for (column, map) in block.chunks_exact_mut(target.cells()).enumerate() {
        sum.fill(0.0);
        for (tap, d) in taps.iter().zip(-(radius as isize)..) {
            let Some(from) = column.checked_add_signed(d).filter(|c| *c < source.width) else {
                continue;
            };
            let start = from * padded_cells + radius.wrapping_add_signed(d);
            add_scaled(sum, &vertical[start..start + sum.len()], *tap);
        }
        for (row, sums) in map.chunks_exact_mut(target.width).zip(sum.chunks(stride)) {
            for (t, support) in row.iter_mut().zip(sums) {
                *t = if own { *t * support } else { *support };
            }
        }
    }
}

#[inline(always)]
fn add_scaled(sum: &mut [f32], values: &[f32], scale: f32) {
    for (sum, value) in sum.iter_mut().zip(values) {
        *sum += scale * value;
    }
}

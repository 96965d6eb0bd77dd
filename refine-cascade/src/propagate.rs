//! Propagation: neighbours that move alike support each other.

use corr_volume::Grid;
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
    let stride = target.width + radius;
    let padded_cells = radius + target.height * stride;
    let mut vertical = vec![0.0f32; source.cells() * padded_cells];

    vertical.par_chunks_mut(source.width * padded_cells).enumerate().for_each(|(row, block)| {
        let mut sum = vec![0.0f32; cells];
        for (column, padded) in block.chunks_exact_mut(padded_cells).enumerate() {
            sum.fill(0.0);
            for (tap, d) in taps.iter().zip(-(radius as isize)..) {
                let Some(from) = row.checked_add_signed(d).filter(|r| *r < source.height) else {
                    continue;
                };
                let skip = d.unsigned_abs() * target.width;
                if skip >= cells {
                    continue;
                }
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
    });

    evidence.par_chunks_mut(source.width * cells).zip(vertical.par_chunks(source.width * padded_cells)).for_each(
        |(block, vertical)| {
            let length = target.height * stride - radius;
            let mut sum = vec![0.0f32; length];
            for (column, map) in block.chunks_exact_mut(cells).enumerate() {
                sum.fill(0.0);
                for (tap, d) in taps.iter().zip(-(radius as isize)..) {
                    let Some(from) = column.checked_add_signed(d).filter(|c| *c < source.width) else {
                        continue;
                    };
                    let padded = &vertical[from * padded_cells..][..padded_cells];
                    let start = radius.wrapping_add_signed(d);
                    add_scaled(&mut sum, &padded[start..start + length], *tap);
                }
                for (row, sums) in map.chunks_exact_mut(target.width).zip(sum.chunks(stride)) {
                    for (t, support) in row.iter_mut().zip(sums) {
                        *t = if own { *t * support } else { *support };
                    }
                }
            }
        },
    );
}

fn add_scaled(sum: &mut [f32], values: &[f32], scale: f32) {
    for (sum, value) in sum.iter_mut().zip(values) {
        *sum += scale * value;
    }
}

//! Applying warps: images, and the matches they make known.

use burn::tensor::{Device, Tensor};
use corr_volume::Grid;
use rayon::prelude::*;

use crate::host::{read, upload};
use crate::labels::Labels;
use crate::warp::{Warp, normalised, position};

/// What is seen beyond the edge of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Padding {
    /// 0, the mean colour of images that are already normalised for a backbone.
    #[default]
    Zero,
    /// Each image's own mean, channel by channel.
    Mean,
}

/// Warps a batch of images on the host, by backward mapping and bilinear sampling at half-pixel
/// centres. No gradient flows through.
///
/// # Shapes
///
/// - images: `[b, channels, height, width]`; one warp for each
/// - output: the same, on the images' device
///
/// # Panics
///
/// If there is not one warp for each image.
pub fn warp_images(images: Tensor<4>, warps: &[Warp], padding: Padding) -> Tensor<4> {
    let shape = images.dims();
    let [batch, channels, height, width] = shape;
    assert_eq!(warps.len(), batch, "one warp for each image of the batch");
    let device = images.device();
    let pixels = height * width;
    let values = read(images);
    let mut warped = vec![0.0f32; values.len()];
    warped.par_chunks_mut(channels * pixels).zip(values.par_chunks(channels * pixels)).zip(warps).for_each(
        |((to, from), warp)| {
            let samples = samples(warp, height, width);
            to.par_chunks_mut(pixels).zip(from.par_chunks(pixels)).for_each(|(to, from)| {
                let beyond = match padding {
                    Padding::Zero => 0.0,
                    Padding::Mean => from.iter().sum::<f32>() / pixels as f32,
                };
                for (to, sample) in to.iter_mut().zip(&samples) {
                    *to = sample.of(from, width, beyond);
                }
            });
        },
    );
    upload(warped, shape, &device)
}

/// Where each cell of a warped image lies in its original, on the same grid: labels that are true.
///
/// Weights are 1 where the place lies within the original's frame (half a cell beyond the outer
/// cells' centres), else 0.
///
/// # Shapes
///
/// - points of the output `[b, cells, 2]`, (x, y) in cells of the original; weights `[b, cells]`
pub fn warp_targets(warps: &[Warp], grid: Grid, device: &Device) -> Labels {
    let mut points = Vec::with_capacity(warps.len() * grid.cells() * 2);
    let mut weights = Vec::with_capacity(warps.len() * grid.cells());
    for warp in warps {
        for cell in 0..grid.cells() {
            let (row, column) = grid.row_col(cell);
            let [x, y] = warp.apply([normalised(column as f64, grid.width), normalised(row as f64, grid.height)]);
            let inside = x.abs() <= 1.0 && y.abs() <= 1.0;
            weights.push(if inside { 1.0 } else { 0.0 });
            points.push(position(x, grid.width) as f32);
            points.push(position(y, grid.height) as f32);
        }
    }
    Labels {
        points: upload(points, [warps.len(), grid.cells(), 2], device),
        weights: upload(weights, [warps.len(), grid.cells()], device),
    }
}

/// One pixel's bilinear sample: the four neighbours' top left, and how far beyond it.
struct Sample {
    left: i32,
    top: i32,
    right_share: f32,
    bottom_share: f32,
    /// Whether all four neighbours are inside.
    inside: bool,
}

fn samples(warp: &Warp, height: usize, width: usize) -> Vec<Sample> {
    // Far enough outside to see nothing, near enough to be an i32.
    let limit = |value: f64, size: usize| value.clamp(-2.0, size as f64 + 1.0);
    (0..height)
        .into_par_iter()
        .flat_map_iter(|row| {
            (0..width).map(move |column| {
                let [x, y] = warp.apply([normalised(column as f64, width), normalised(row as f64, height)]);
                let x = limit(position(x, width), width);
                let y = limit(position(y, height), height);
                let (left, top) = (x.floor(), y.floor());
                let inside = left >= 0.0 && top >= 0.0 && left + 1.0 < width as f64 && top + 1.0 < height as f64;
                Sample {
                    left: left as i32,
                    top: top as i32,
                    right_share: (x - left) as f32,
                    bottom_share: (y - top) as f32,
                    inside,
                }
            })
        })
        .collect()
}

impl Sample {
    fn of(&self, channel: &[f32], width: usize, beyond: f32) -> f32 {
        let height = channel.len() / width;
        let [a, b, c, d] = if self.inside {
            let first = self.top as usize * width + self.left as usize;
            let (upper, lower) = (&channel[first..first + 2], &channel[first + width..][..2]);
            [upper[0], upper[1], lower[0], lower[1]]
        } else {
            let at = |row: i32, column: i32| {
                let row = usize::try_from(row).ok().filter(|r| *r < height);
                let column = usize::try_from(column).ok().filter(|c| *c < width);
                match (row, column) {
                    (Some(row), Some(column)) => channel[row * width + column],
                    _ => beyond,
                }
            };
            [
                at(self.top, self.left),
                at(self.top, self.left + 1),
                at(self.top + 1, self.left),
                at(self.top + 1, self.left + 1),
            ]
        };
        let upper = a + self.right_share * (b - a);
        let lower = c + self.right_share * (d - c);
        upper + self.bottom_share * (lower - upper)
    }
}

//! How well masks cover what they should: annotated key points inside, and the area that it takes.

use std::collections::BTreeMap;
use std::fmt::Write;

use anyhow::{Result, anyhow};
use corr_volume::{Frame, Grid};
use eval::KeyPointImage;

use crate::describe::Describer;
use crate::progress;

/// Sums over the images of a class.
#[derive(Default)]
struct Sums {
    images: usize,
    area: f64,
    points: usize,
    inside: usize,
}

/// A table by class: the share of key points in cells that are foreground, and the foreground's mean share of the image.
/// A cell is foreground where its mask is above the lowest weight, that is, where the activation map is above the
/// staircase's first threshold.
///
/// # Errors
///
/// Images that cannot be decoded.
pub fn mask_table(describer: &mut Describer, images: &[KeyPointImage]) -> Result<String> {
    let floor = describer.config.mask.map.staircase.floor as f32;
    let side = describer.extractor.layout.input as u32;
    let mut classes: BTreeMap<String, Sums> = BTreeMap::new();
    let bar = progress::count(images.len(), "masks");
    describer.prepare(images.iter().map(|image| image.path.as_path()))?;
    for image in images {
        let mask = describer.describe(&image.path, None)?.mask;
        let [_, height, width] = mask.dims();
        let grid = Grid::new(height, width);
        let mask =
            mask.to_data().try_into_vec::<f32>().map_err(|error| anyhow!("masks are not of type f32: {error:?}"))?;
        let foreground = |cell: usize| mask[cell] > floor;
        let frame = Frame::stretched(image.size, (side, side));
        let sums = classes.entry(image.class.clone()).or_default();
        sums.images += 1;
        sums.area += (0..grid.cells()).filter(|&cell| foreground(cell)).count() as f64 / grid.cells() as f64;
        for point in image.key_points.iter().flatten() {
            let [x, y] = frame.to_cells(grid, *point).map(|place| place.round().max(0.0) as usize);
            sums.points += 1;
            sums.inside += usize::from(foreground(grid.index(y.min(height - 1), x.min(width - 1))));
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    let mut table = format!("{:<14} {:>7} {:>18} {:>10}\n", "masks", "images", "key points inside", "mean area");
    for (class, sums) in classes {
        let inside = 100.0 * sums.inside as f64 / sums.points.max(1) as f64;
        let area = 100.0 * sums.area / sums.images.max(1) as f64;
        writeln!(table, "{class:<14} {:>7} {inside:>16.1} % {area:>8.1} %", sums.images)?;
    }
    Ok(table)
}

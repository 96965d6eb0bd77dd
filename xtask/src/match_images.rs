//! `cargo xtask match A B`: where the points of one image lie in another, as a picture and as JSON.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context, Result, bail};
use clap::Args;
use corr_volume::{Frame, Grid};
use eval::{DrawnMatch, draw_matches, side_by_side, warp_source};
use image::RgbImage;
use sc_imagenet::{DecodeLimits, decode};

use crate::describe::Method;
use crate::device::DeviceChoice;
use crate::logging;
use crate::score::match_points;
use crate::trained::{Trained, Which};

/// Points on a side of the grid that is matched where no points are given.
const GRID: usize = 9;
/// Images smaller than this are shown enlarged.
const LEAST_SIDE: u32 = 240;
/// The share of the largest mask weight below which a grid point is taken for background.
const FOREGROUND: f32 = 0.75;

/// Match two images of one class: a picture of the matches, and their JSON.
///
/// The picture shows lines between matched points above, and below the source, the source warped onto the target, and the
/// target. Without --points a grid of points on the source's foreground is matched.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:
  cargo xtask match a.jpg b.jpg --out matches.png
  cargo xtask match a.jpg b.jpg --points 120,80 60.5,200 --run mine")]
pub struct MatchArgs {
    /// The source image
    source: PathBuf,
    /// The target image
    target: PathBuf,
    /// Points of the source, in pixels, (0, 0) being the centre of the top left one
    #[arg(long, value_name = "x,y", num_args = 1..)]
    points: Vec<Point>,
    /// The run's name or folder
    #[arg(long, default_value = "default")]
    run: String,
    /// The last checkpoint, or the best by the label-free criterion
    #[arg(long, value_enum, default_value_t)]
    checkpoint: Which,
    /// Where to write the picture (PNG or JPEG); none: no picture
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// auto, cpu, wgpu, or wgpu:N
    #[arg(long, default_value_t)]
    device: DeviceChoice,
}

/// `x,y`.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Point([f32; 2]);

impl FromStr for Point {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str| text.trim().parse::<f32>().ok().filter(|number| number.is_finite());
        text.split_once(',')
            .and_then(|(x, y)| Some(Point([number(x)?, number(y)?])))
            .ok_or_else(|| format!("{text:?} is no point; write x,y as in 120,80"))
    }
}

impl MatchArgs {
    /// Runs the command.
    ///
    /// # Errors
    ///
    /// Images or a run that cannot be read, points outside the source, a picture that cannot be written.
    pub fn run(&self) -> Result<()> {
        logging::start(None)?;
        let limits = DecodeLimits::default();
        let (source, target) = (decode(&self.source, &limits)?, decode(&self.target, &limits)?);
        for Point([x, y]) in &self.points {
            let inside = |value: f32, count: u32| (-0.5..count as f32 - 0.5).contains(&value);
            if !inside(*x, source.width()) || !inside(*y, source.height()) {
                bail!(
                    "the point {x},{y} lies outside {} ({}×{})",
                    self.source.display(),
                    source.width(),
                    source.height()
                );
            }
        }
        let device = self.device.open()?;
        let mut trained = Trained::open(&self.run, self.checkpoint, &device)?;
        let method = Method::Stage(trained.config.student.stages);
        let mut describer = trained.describer();
        let described = (describer.describe(&self.source, None)?, describer.describe(&self.target, None)?);
        let ends = ((&described.0, source.dimensions()), (&described.1, target.dimensions()));
        let points: Vec<[f32; 2]> = if self.points.is_empty() {
            foreground_grid(&describer, ends.0.0, source.dimensions())?
        } else {
            self.points.iter().map(|point| point.0).collect()
        };
        let (found, confidence) = match_points(&describer, ends.0, ends.1, &points, method)?;
        let matches: Vec<DrawnMatch> = points
            .iter()
            .zip(&found)
            .zip(&confidence)
            .map(|((&source, &target), &confidence)| DrawnMatch { source, target, confidence })
            .collect();
        if let Some(out) = &self.out {
            // Each target pixel shows the source's pixel that it is matched with.
            let lattice = lattice(target.dimensions());
            let (back, _) = match_points(&describer, ends.1, ends.0, &lattice, method)?;
            let warped =
                warp_source(&source, target.dimensions(), |point| interpolate(&back, target.dimensions(), point));
            let (source_shown, from) = enlarge(&source);
            let (target_shown, to) = enlarge(&target);
            let shown: Vec<DrawnMatch> = matches
                .iter()
                .map(|m| DrawnMatch { source: from.to_input(m.source), target: to.to_input(m.target), ..*m })
                .collect();
            let lines = draw_matches(&source_shown, &target_shown, &shown);
            write(out, &lines, &side_by_side(&[&source_shown, &enlarge(&warped).0, &target_shown]))?;
        }
        let records: Vec<_> = matches
            .iter()
            .map(|m| serde_json::json!({"source": m.source, "target": m.target, "confidence": m.confidence}))
            .collect();
        let json = serde_json::json!({
            "source": self.source, "target": self.target, "run": self.run, "method": method.name(), "matches": records,
        });
        println!("{}", serde_json::to_string(&json)?);
        Ok(())
    }
}

/// The points of a regular grid that lie on the source's foreground.
fn foreground_grid(
    describer: &crate::describe::Describer,
    source: &crate::describe::Description,
    size: (u32, u32),
) -> Result<Vec<[f32; 2]>> {
    let [_, height, width] = source.mask.dims();
    let mask = source.mask.to_data().try_into_vec::<f32>().map_err(|error| anyhow::anyhow!("{error:?}"))?;
    let largest = mask.iter().copied().fold(0.0, f32::max);
    let input = describer.extractor.layout.input as u32;
    let frame = Frame::stretched(size, (input, input));
    let grid = Grid::new(height, width);
    let points = (0..GRID * GRID).map(|index| {
        let place = |index: usize, count: u32| (index as f32 + 0.5) * count as f32 / GRID as f32 - 0.5;
        [place(index % GRID, size.0), place(index / GRID, size.1)]
    });
    let on_object = |point: &[f32; 2]| {
        let [x, y] = frame.to_cells(grid, *point);
        let (column, row) = (x.round().clamp(0.0, width as f32 - 1.0), y.round().clamp(0.0, height as f32 - 1.0));
        mask[row as usize * width + column as usize] >= FOREGROUND * largest
    };
    let all: Vec<[f32; 2]> = points.collect();
    let kept: Vec<[f32; 2]> = all.iter().copied().filter(on_object).collect();
    Ok(if kept.is_empty() { all } else { kept })
}

/// Target points on a lattice of cells, row by row, that a dense warp is interpolated between.
const LATTICE: usize = 32;

fn lattice(size: (u32, u32)) -> Vec<[f32; 2]> {
    let place = |index: usize, count: u32| index as f32 / (LATTICE - 1) as f32 * (count as f32 - 1.0);
    (0..LATTICE * LATTICE).map(|i| [place(i % LATTICE, size.0), place(i / LATTICE, size.1)]).collect()
}

fn interpolate(values: &[[f32; 2]], size: (u32, u32), [x, y]: [f32; 2]) -> Option<[f32; 2]> {
    let place = |value: f32, count: u32| value / (count as f32 - 1.0).max(1.0) * (LATTICE - 1) as f32;
    let (x, y) = (place(x, size.0), place(y, size.1));
    let (column, row) = ((x as usize).min(LATTICE - 2), (y as usize).min(LATTICE - 2));
    let (across, down) = (x - column as f32, y - row as f32);
    let at = |row: usize, column: usize| values.get(row * LATTICE + column).copied();
    let corners = [at(row, column)?, at(row, column + 1)?, at(row + 1, column)?, at(row + 1, column + 1)?];
    let shares = [(1.0 - across) * (1.0 - down), across * (1.0 - down), (1.0 - across) * down, across * down];
    Some([0, 1].map(|axis| corners.iter().zip(shares).map(|(corner, share)| corner[axis] * share).sum()))
}

/// An image at a size at which lines and dots can be told apart, and the way of its points there.
fn enlarge(image: &RgbImage) -> (RgbImage, Frame) {
    let (width, height) = image.dimensions();
    let factor = LEAST_SIDE.div_ceil(width.min(height)).max(1);
    let size = (width * factor, height * factor);
    let frame = Frame::stretched((width, height), size);
    (image::imageops::resize(image, size.0, size.1, image::imageops::FilterType::Triangle), frame)
}

/// Writes two pictures, one above the other.
fn write(path: &Path, above: &RgbImage, below: &RgbImage) -> Result<()> {
    let gap = 8;
    let size = (above.width().max(below.width()), above.height() + gap + below.height());
    let mut picture = RgbImage::from_pixel(size.0, size.1, image::Rgb([255; 3]));
    image::imageops::replace(&mut picture, above, 0, 0);
    image::imageops::replace(&mut picture, below, 0, i64::from(above.height() + gap));
    picture.save(path).with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_read_and_nonsense_is_not() {
        assert_eq!("1.5, -2".parse(), Ok(Point([1.5, -2.0])));
        assert!("1".parse::<Point>().is_err() && "a,b".parse::<Point>().is_err() && "nan,1".parse::<Point>().is_err());
    }

    #[test]
    fn the_lattice_interpolates_what_it_was_asked_at() {
        let size = (100, 60);
        let values = lattice(size);
        for point in [[0.0, 0.0], [99.0, 59.0], [12.25, 40.5]] {
            let [x, y] = interpolate(&values, size, point).unwrap();
            assert!((x - point[0]).abs() < 1e-3 && (y - point[1]).abs() < 1e-3, "{point:?} {x} {y}");
        }
    }
}

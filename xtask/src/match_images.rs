//! `cargo xtask match A B`: where the points of one image lie in another, as a picture and as JSON.

mod picture;

use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Result, bail};
use clap::Args;
use corr_volume::{Frame, Grid};
use eval::DrawnMatch;
use sc_imagenet::{DecodeLimits, decode};
use tracing::info;

use self::picture::{Shown, format_of, write};
use crate::describe::Method;
use crate::device::DeviceChoice;
use crate::logging;
use crate::output::json_path;
use crate::score::match_points;
use crate::trained::{Trained, Which};

/// Points on a side of the grid that is matched where no points are given.
const GRID: usize = 9;
/// The share of the largest mask weight below which a grid point is taken for background.
const FOREGROUND: f32 = 0.75;

/// Match two images of one class: a picture of the matches, and their JSON.
///
/// The picture shows lines between matched points above, and below the source, the source warped onto the target, and the
/// target; images are shown with at most 2,400 pixels a side. Without --points a grid of points on the source's foreground is
/// matched. A path that is not valid UTF-8 stands in the JSON with U+FFFD in place of what is not.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:
  cargo xtask match a.jpg b.jpg --out matches.png
  cargo xtask match a.jpg b.jpg --points 120,80 60.5,200 --run mine
  cargo xtask match a.jpg b.jpg --method stage-3")]
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
    /// Which row of `eval`'s table answers: raw, raw-voted, stage-N, stage-N-voted, …; default: the last stage, voted. Voted it
    /// is better on PF-WILLOW and WILLOW-ObjectClass, within a tenth of the object; finer points, and animals, it has lost on
    #[arg(long, value_name = "NAME")]
    method: Option<Method>,
    /// Where to write the picture (PNG or JPEG, by the name); none: no picture. A file that is there is replaced once the picture
    /// is whole
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
        // Before everything else: a wrong name should not be noticed at the end.
        let out = self.out.as_deref().map(|path| Ok::<_, anyhow::Error>((path, format_of(path)?))).transpose()?;
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
        let method = self.method.unwrap_or_else(|| Method::best(&trained.config));
        method.check(&trained.config)?;
        info!("matched by {}", method.name());
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
        if let Some((path, format)) = out {
            // Each target pixel shows the source's pixel that it is matched with.
            let lattice = lattice(target.dimensions());
            let (back, _) = match_points(&describer, ends.1, ends.0, &lattice, method)?;
            let size = target.dimensions();
            let [source, target] = [&source, &target].map(Shown::new);
            let picture = picture::draw(&source, &target, &matches, |point| interpolate(&back, size, point));
            write(path, format, &picture)?;
        }
        let records: Vec<_> = matches
            .iter()
            .map(|m| serde_json::json!({"source": m.source, "target": m.target, "confidence": m.confidence}))
            .collect();
        let json = serde_json::json!({
            "source": json_path(&self.source), "target": json_path(&self.target), "run": self.run,
            "method": method.name(), "matches": records,
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

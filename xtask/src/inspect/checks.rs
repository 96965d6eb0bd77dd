//! Labels held against annotated key points that the builder never saw.
//!
//! A label lies beside the key point that it is asked about, up to a cell of the matcher's grid away. Its answer is
//! therefore moved by as much as the two are apart, scaled by the two images' sizes:
//!
//! ```text
//! answer = label's target + (key point − label's source) · (target's size / source's size)      axis by axis
//! right at α:  |answer − key point in the target| ≤ α · L,   L = longer side of the target's key points' box
//! ```

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use eval::Protocol;
use pseudo_label::{Checked, CoveragePoint, ReliabilityBin, coverage_curve, expected_calibration_error, reliability};
use sc_imagenet::{LabelledPair, PairSide};
use serde::Serialize;

use super::against::{Against, AnnotatedImage, AnnotatedImages};

/// The thresholds of the report.
const ALPHAS: [f64; 3] = [0.05, 0.10, 0.15];
/// The threshold that confidences speak of: its place in [`ALPHAS`].
const CONFIDENT_AT: usize = 1;
/// The shares kept of which the report gives the precision.
const SHARES: [f64; 6] = [0.1, 0.25, 0.5, 0.75, 0.9, 1.0];
/// Bins of the reliability diagram.
const BINS: usize = 10;

/// Labels held against key points so far.
pub struct Checks {
    against: Against,
    images: AnnotatedImages,
    cells: u32,
    pairs: u64,
    /// Pairs whose sizes are other ones than the key points' images have.
    other_sizes: u64,
    /// A pair that was not annotated, for a message.
    example: Option<String>,
    classes: BTreeMap<String, Tally>,
    labels: Vec<Checked>,
}

/// Key points of pairs, and what their labels say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Key points that are annotated in both images of a pair.
    pub points: u64,
    /// Those that have a label within one cell.
    pub labelled: u64,
    /// How many of these labels are right at each threshold.
    pub right: [u64; ALPHAS.len()],
    /// How many are right as they stand, without being moved.
    pub right_unmoved: [u64; ALPHAS.len()],
}

/// How many labels are right, as JSON.
#[derive(Clone, Debug, Serialize)]
pub struct CheckReport {
    /// The data set of key points.
    pub benchmark: String,
    /// The part of it.
    pub split: String,
    /// How it was scored.
    pub protocol: String,
    /// Cells along each side of an image.
    pub cells: u32,
    /// Pairs of labels both of whose images are annotated.
    pub pairs: u64,
    /// Pairs that were left out since their images have other sizes than the annotated ones.
    pub other_sizes: u64,
    /// The thresholds.
    pub alphas: Vec<f64>,
    /// Everything together.
    pub all: Precision,
    /// Class by class.
    pub classes: BTreeMap<String, Precision>,
    /// Precision at `confidence_alpha` of the surest labels; empty without confidences.
    pub kept: Vec<CoveragePoint>,
    /// The threshold that the confidences are held against.
    pub confidence_alpha: f64,
    /// The reliability diagram; `None` without confidences.
    pub reliability: Option<Vec<ReliabilityBin>>,
    /// The expected calibration error; `None` without confidences.
    pub expected_calibration_error: Option<f64>,
}

/// Shares of a [`Tally`]; `None` of nothing.
#[derive(Clone, Debug, Serialize)]
pub struct Precision {
    /// The counts.
    #[serde(flatten)]
    pub tally: Tally,
    /// The share of key points that have a label.
    pub coverage: Option<f64>,
    /// The share of labels that are right, at each threshold.
    pub precision: Option<[f64; ALPHAS.len()]>,
    /// The same without moving them.
    pub precision_unmoved: Option<[f64; ALPHAS.len()]>,
}

impl Checks {
    /// Reads the key points; nothing is checked yet.
    ///
    /// # Errors
    ///
    /// Key points that are not there or damaged.
    pub fn new(against: &Against, cells: u32) -> Result<Self> {
        Ok(Self {
            against: against.clone(),
            images: AnnotatedImages::read(against, &protocol())?,
            cells,
            pairs: 0,
            other_sizes: 0,
            example: None,
            classes: BTreeMap::new(),
            labels: Vec::new(),
        })
    }

    /// Checks the labels of a pair, if both its images are annotated.
    pub fn check(&mut self, pair: &LabelledPair) {
        let annotated = |side: &PairSide| self.images.get(&pair.category, &side.image);
        let (Some(source), Some(target)) = (annotated(&pair.source), annotated(&pair.target)) else {
            self.example.get_or_insert_with(|| format!("{}/{}", pair.category, pair.source.image));
            return;
        };
        let same_size = |side: &PairSide, image: &AnnotatedImage| {
            side.size.is_none_or(|size| image.size == <(u32, u32)>::from(size))
        };
        if !same_size(&pair.source, source) || !same_size(&pair.target, target) {
            self.other_sizes += 1;
            return;
        }
        self.pairs += 1;
        let tally = self.classes.entry(pair.category.clone()).or_default();
        for (id, &asked) in &source.points {
            let Some(&truth) = target.points.get(id) else { continue };
            tally.points += 1;
            let Some(label) = nearest(&pair.source.points, asked, source.size, self.cells) else { continue };
            tally.labelled += 1;
            let answer = pair.target.points[label];
            let moved = moved(answer, pair.source.points[label], asked, source.size, target.size);
            for (place, alpha) in ALPHAS.iter().enumerate() {
                let right = |answer: [f64; 2]| distance(answer, truth) <= alpha * target.length;
                tally.right[place] += u64::from(right(moved));
                tally.right_unmoved[place] += u64::from(right(answer.map(f64::from)));
            }
            if let Some(&confidence) = pair.confidences.get(label) {
                let right = distance(moved, truth) <= ALPHAS[CONFIDENT_AT] * target.length;
                self.labels.push(Checked { confidence: f64::from(confidence), right });
            }
        }
    }

    /// The labels that have a confidence, right or wrong at .10.
    pub fn labels(&self) -> &[Checked] {
        &self.labels
    }

    /// How many are right.
    ///
    /// # Errors
    ///
    /// Where no pair was checked.
    pub fn report(&self) -> Result<CheckReport> {
        let Against { name, folder, split } = &self.against;
        if self.pairs == 0 {
            let hint = match self.other_sizes {
                0 => format!(
                    "an image is known by its class's folder and its file's name without extension, as {} there and {} here",
                    self.images.example(),
                    self.example.as_deref().unwrap_or("none")
                ),
                more => {
                    format!("the sizes of {more} pairs differ, so that these are not the images that were labelled")
                }
            };
            bail!(
                "no pair has two of the {} images annotated in {} ({split}); {hint}",
                self.images.count(),
                folder.display()
            );
        }
        let all = self.classes.values().fold(Tally::default(), |all, class| all.with(class));
        let bins = (!self.labels.is_empty()).then(|| reliability(&self.labels, BINS));
        Ok(CheckReport {
            benchmark: name.to_string(),
            split: split.to_string(),
            protocol: protocol().to_string(),
            cells: self.cells,
            pairs: self.pairs,
            other_sizes: self.other_sizes,
            alphas: ALPHAS.to_vec(),
            all: Precision::of(all),
            classes: self.classes.iter().map(|(class, tally)| (class.clone(), Precision::of(*tally))).collect(),
            kept: some_of(&self.curve()),
            confidence_alpha: ALPHAS[CONFIDENT_AT],
            expected_calibration_error: bins.as_deref().map(expected_calibration_error),
            reliability: bins,
        })
    }

    /// Precision over the share kept.
    pub fn curve(&self) -> Vec<CoveragePoint> {
        coverage_curve(&self.labels)
    }
}

impl Tally {
    fn with(self, other: &Self) -> Self {
        let sum = |a: [u64; ALPHAS.len()], b: [u64; ALPHAS.len()]| std::array::from_fn(|place| a[place] + b[place]);
        Self {
            points: self.points + other.points,
            labelled: self.labelled + other.labelled,
            right: sum(self.right, other.right),
            right_unmoved: sum(self.right_unmoved, other.right_unmoved),
        }
    }
}

impl Precision {
    fn of(tally: Tally) -> Self {
        let share = |right: [u64; ALPHAS.len()]| {
            (tally.labelled > 0).then(|| right.map(|right| right as f64 / tally.labelled as f64))
        };
        Self {
            tally,
            coverage: (tally.points > 0).then(|| tally.labelled as f64 / tally.points as f64),
            precision: share(tally.right),
            precision_unmoved: share(tally.right_unmoved),
        }
    }
}

/// Distances in pixels of the target, as a share of its key points' box; every key point counts the same.
fn protocol() -> Protocol {
    Protocol { average: eval::Average::Point, ..Protocol::default() }.with_alphas(&ALPHAS)
}

/// The source point nearest to `asked`, in cells, if it is within one.
fn nearest(points: &[[f32; 2]], asked: [f32; 2], size: (u32, u32), cells: u32) -> Option<usize> {
    let a_pixel = [f64::from(cells) / f64::from(size.0), f64::from(cells) / f64::from(size.1)];
    let in_cells = |point: [f32; 2]| {
        let [x, y] = [0, 1].map(|axis| (f64::from(point[axis]) - f64::from(asked[axis])) * a_pixel[axis]);
        x.hypot(y)
    };
    let all = points.iter().enumerate().map(|(index, point)| (in_cells(*point), index));
    all.filter(|(distance, _)| *distance <= 1.0).min_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, index)| index)
}

/// The label's answer for a key point beside its source point.
fn moved(answer: [f32; 2], from: [f32; 2], asked: [f32; 2], source: (u32, u32), target: (u32, u32)) -> [f64; 2] {
    let scale = [f64::from(target.0) / f64::from(source.0), f64::from(target.1) / f64::from(source.1)];
    [0, 1].map(|axis| f64::from(answer[axis]) + (f64::from(asked[axis]) - f64::from(from[axis])) * scale[axis])
}

fn distance(p: [f64; 2], q: [f32; 2]) -> f64 {
    let (x, y) = (p[0] - f64::from(q[0]), p[1] - f64::from(q[1]));
    (x * x + y * y).sqrt()
}

/// Of a curve, the first points at which these shares are kept, each once.
fn some_of(curve: &[CoveragePoint]) -> Vec<CoveragePoint> {
    let mut some: Vec<CoveragePoint> =
        SHARES.iter().filter_map(|share| curve.iter().find(|point| point.kept >= share - 1e-9).copied()).collect();
    some.dedup();
    some
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_label_within_a_cell_counts_in_cells_of_either_side() {
        // Cells of 10 × 5 pixels.
        let near = |points: &[[f32; 2]]| nearest(points, [100.0, 50.0], (200, 100), 20);
        assert_eq!(near(&[[110.0, 50.0], [100.0, 44.9]]), Some(0));
        assert_eq!(near(&[[108.0, 50.0], [100.0, 47.0]]), Some(1));
        assert_eq!(near(&[[108.0, 54.0], [100.0, 55.1]]), None);
        assert_eq!(near(&[]), None);
    }

    #[test]
    fn an_answer_is_moved_in_the_target_s_scale() {
        assert_eq!(moved([50.0, 60.0], [10.0, 10.0], [14.0, 8.0], (100, 100), (200, 50)), [58.0, 59.0]);
    }

    #[test]
    fn a_curve_is_told_in_a_few_points() {
        let point = |kept| CoveragePoint { confidence: 1.0 - kept, kept, precision: 0.5 };
        let some = some_of(&[point(0.3), point(0.6), point(1.0)]);
        assert_eq!(some, [point(0.3), point(0.6), point(1.0)]);
        assert!(some_of(&[]).is_empty());
    }
}

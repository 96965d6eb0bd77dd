//! A pair with its pseudo-labels, and what must hold of one before it is written.

use serde::{Deserialize, Serialize};

use crate::names::{NameError, PairName, check_class_name, check_image_id, check_lengths};
use crate::split::Split;

/// Key points that CATs' loader takes; it fails on more.
pub const DEFAULT_MAX_POINTS: usize = 40;

/// Two images of one class, and the points of the first with their places in the second.
///
/// Points and boxes are in pixels of the upright original image; the centre of the top-left pixel is `(0, 0)`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LabelledPair {
    /// The pair's place in the order of the whole build, whatever the shards; no two pairs share one, and there may be
    /// gaps.
    pub number: u64,
    /// The split that its list and its annotation are in.
    pub split: Split,
    /// The class.
    pub category: String,
    /// The source image.
    pub source: PairSide,
    /// The target image; its points correspond to the source's, in the same order.
    pub target: PairSide,
    /// How probably each point is right, 0..=1; empty where that is not known.
    pub confidences: Vec<f32>,
    /// How far each source point lies from where the way to the target and back ends, in pixels of the source image;
    /// empty where that is not known.
    pub cycle_errors: Vec<f32>,
    /// The share of the images that the source was compared with which agree about each point's source cell, 0..=1; empty
    /// where that is not known.
    #[serde(default)]
    pub agreements: Vec<f32>,
    /// The fields of difficulty.
    #[serde(default)]
    pub difficulty: PairDifficulty,
}

/// One image of a pair.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PairSide {
    /// The image's id in its class.
    pub image: String,
    /// Its key points, `[x, y]`.
    pub points: Vec<[f32; 2]>,
    /// The object's box, `[x1, y1, x2, y2]`.
    pub object_box: [f32; 4],
    /// `[width, height]`, where it is known.
    pub size: Option<[u32; 2]>,
}

/// The fields of difficulty that SPair-71k has for a pair; nobody judges them here, and 0 means nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PairDifficulty {
    /// `viewpoint_variation`.
    pub viewpoint: i64,
    /// `scale_variation`.
    pub scale: i64,
    /// `truncation`.
    pub truncation: i64,
    /// `occlusion`.
    pub occlusion: i64,
}

/// Why a pair cannot be written.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("pair {pair}: {problem}")]
pub struct PairError {
    /// The pair's name.
    pub pair: String,
    /// What is wrong with it.
    pub problem: PairProblem,
}

/// What is wrong with a pair.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PairProblem {
    /// A name that the layout cannot hold.
    #[error(transparent)]
    Name(#[from] NameError),
    /// No point.
    #[error("has no key point")]
    NoPoints,
    /// More points than asked for.
    #[error(
        "has {count} key points, at most {most} are asked for; keep the surest, or raise max_points (loaders of CATs \
         take 40, of DHPF 400)"
    )]
    TooManyPoints {
        /// Its points.
        count: usize,
        /// The most allowed.
        most: usize,
    },
    /// Lists that should have an entry a point.
    #[error("has {found} {what} for {expected} source points")]
    Lengths {
        /// The list.
        what: &'static str,
        /// Its entries.
        found: usize,
        /// The source's points.
        expected: usize,
    },
    /// A number out of its range.
    #[error("has {what} {value}, which is not in {range}")]
    Range {
        /// The number's name.
        what: String,
        /// Its value.
        value: f32,
        /// What it may be.
        range: String,
    },
    /// A box whose right is not beyond its left, or whose bottom is not beyond its top.
    #[error("has the {side} box [{}, {}, {}, {}], which holds nothing", .sides[0], .sides[1], .sides[2], .sides[3])]
    Box {
        /// `source` or `target`.
        side: &'static str,
        /// The box.
        sides: [f32; 4],
    },
}

impl LabelledPair {
    /// The pair's name in lists and file names.
    pub fn name(&self) -> PairName {
        PairName::new(self.number, &self.source.image, &self.target.image, &self.category)
    }

    /// The mean of the confidences; `None` where there are none.
    pub fn mean_confidence(&self) -> Option<f32> {
        mean(&self.confidences)
    }

    /// The mean of the cycle errors in pixels of the source image; `None` where there are none.
    pub fn mean_cycle_error(&self) -> Option<f32> {
        mean(&self.cycle_errors)
    }

    /// Whether the pair can be written: names the layout can hold, 1 to `max_points` points on both sides, finite numbers,
    /// points and boxes within their image where its size is known, and as many confidences, cycle errors and agreements
    /// as points or none.
    ///
    /// # Errors
    ///
    /// [`PairError`] with the first thing that does not hold.
    pub fn check(&self, max_points: usize) -> Result<(), PairError> {
        self.find_problem(max_points).map_err(|problem| PairError { pair: self.name().text, problem })
    }

    fn find_problem(&self, max_points: usize) -> Result<(), PairProblem> {
        check_class_name(&self.category)?;
        let count = self.source.points.len();
        if count == 0 {
            return Err(PairProblem::NoPoints);
        }
        if count > max_points {
            return Err(PairProblem::TooManyPoints { count, most: max_points });
        }
        let same_length = |what, found| match found == count {
            true => Ok(()),
            false => Err(PairProblem::Lengths { what, found, expected: count }),
        };
        same_length("target points", self.target.points.len())?;
        if !self.confidences.is_empty() {
            same_length("confidences", self.confidences.len())?;
        }
        if !self.cycle_errors.is_empty() {
            same_length("cycle errors", self.cycle_errors.len())?;
        }
        if !self.agreements.is_empty() {
            same_length("agreements", self.agreements.len())?;
        }
        for (name, side) in [("source", &self.source), ("target", &self.target)] {
            check_image_id(&side.image)?;
            check_lengths(&self.category, &side.image)?;
            side.check(name)?;
        }
        for &confidence in &self.confidences {
            in_range(|| "a confidence of".to_owned(), confidence, 0.0, 1.0)?;
        }
        for &error in &self.cycle_errors {
            in_range(|| "a cycle error of".to_owned(), error, 0.0, f32::MAX)?;
        }
        for &agreement in &self.agreements {
            in_range(|| "an agreement of".to_owned(), agreement, 0.0, 1.0)?;
        }
        Ok(())
    }
}

impl PairSide {
    /// The box in whole pixels, as files have it: each side is moved outward, and not out of the image. Loaders of CATs draw
    /// whole numbers between the image's sides and the box's.
    pub fn whole_box(&self) -> [i64; 4] {
        let [left, top, right, bottom] = self.object_box;
        let [width, height] = self.size.map_or([i64::MAX; 2], |size| size.map(i64::from));
        let [(left, right), (top, bottom)] = [whole_range(left, right, width), whole_range(top, bottom, height)];
        [left, top, right, bottom]
    }

    fn check(&self, side: &'static str) -> Result<(), PairProblem> {
        // Pixels are squares round their centres, so that an image reaches half a pixel beyond its outer centres; boxes
        // of others have their far sides a whole pixel beyond.
        let [width, height] = self.size.map_or([f32::MAX; 2], |size| size.map(|length| length as f32));
        let least = if self.size.is_some() { -0.5 } else { f32::MIN };
        for (index, point) in self.points.iter().enumerate() {
            for (axis, value, most) in [("x", point[0], width), ("y", point[1], height)] {
                in_range(|| format!("{side} point {index} at {axis} ="), value, least, most - 0.5)?;
            }
        }
        let [left, top, right, bottom] = self.object_box;
        for (axis, value, most) in [("x", left, width), ("y", top, height), ("x", right, width), ("y", bottom, height)]
        {
            in_range(|| format!("the {side} box at {axis} ="), value, least, most)?;
        }
        if right <= left || bottom <= top {
            return Err(PairProblem::Box { side, sides: self.object_box });
        }
        Ok(())
    }
}

/// The whole numbers round a range, within `0..=length`, at least one apart.
fn whole_range(from: f32, to: f32, length: i64) -> (i64, i64) {
    let from = (from.floor() as i64).clamp(0, (length - 1).max(0));
    let to = (to.ceil() as i64).min(length).max(from.saturating_add(1));
    (from, to)
}

fn in_range(what: impl FnOnce() -> String, value: f32, least: f32, most: f32) -> Result<(), PairProblem> {
    // NaN is in no range
    if (least..=most).contains(&value) {
        return Ok(());
    }
    let range = match (least > f32::MIN, most < f32::MAX) {
        (true, true) => format!("{least}..={most}"),
        (true, false) => format!("the finite numbers from {least}"),
        _ => "the finite numbers".to_owned(),
    };
    Err(PairProblem::Range { what: what(), value, range })
}

fn mean(values: &[f32]) -> Option<f32> {
    let sum: f64 = values.iter().copied().map(f64::from).sum();
    (!values.is_empty()).then(|| (sum / values.len() as f64) as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> LabelledPair {
        let side = |image: &str, x| PairSide {
            image: image.to_owned(),
            points: vec![[x, 2.0], [3.5, 4.25]],
            object_box: [0.0, 1.0, 20.0, 15.0],
            size: Some([32, 16]),
        };
        LabelledPair {
            number: 12,
            split: Split::Train,
            category: "cup".to_owned(),
            source: side("a", 1.0),
            target: side("b", 30.0),
            confidences: vec![0.5, 1.0],
            cycle_errors: Vec::new(),
            agreements: Vec::new(),
            difficulty: PairDifficulty::default(),
        }
    }

    fn complaint(change: impl FnOnce(&mut LabelledPair)) -> String {
        let mut pair = pair();
        change(&mut pair);
        pair.check(3).unwrap_err().to_string()
    }

    #[test]
    fn every_problem_is_named_with_its_pair() {
        assert_eq!(pair().check(2), Ok(()));
        assert_eq!(pair().mean_confidence(), Some(0.75));
        assert_eq!(pair().mean_cycle_error(), None);
        for (message, expected) in [
            (
                complaint(|p| p.source.image = "a-1".to_owned()),
                "pair 000012-a-1-b:cup: the image id `a-1` has `-` in it",
            ),
            (complaint(|p| p.category = "a:b".to_owned()), "the class `a:b` has `:` in it"),
            (complaint(|p| p.source.points.clear()), "has no key point"),
            (complaint(|p| p.source.points = vec![[1.0; 2]; 4]), "has 4 key points, at most 3 are asked for"),
            (complaint(|p| p.target.points.truncate(1)), "has 1 target points for 2 source points"),
            (complaint(|p| p.confidences.push(0.5)), "has 3 confidences for 2 source points"),
            (complaint(|p| p.confidences[0] = 1.5), "has a confidence of 1.5, which is not in 0..=1"),
            (complaint(|p| p.agreements = vec![1.0]), "has 1 agreements for 2 source points"),
            (complaint(|p| p.agreements = vec![0.5, -0.5]), "has an agreement of -0.5, which is not in 0..=1"),
            (complaint(|p| p.cycle_errors = vec![0.0, f32::NAN]), "a cycle error of NaN, which is not in the finite"),
            (
                complaint(|p| p.target.points[1][0] = 31.6),
                "has target point 1 at x = 31.6, which is not in -0.5..=31.5",
            ),
            (complaint(|p| p.source.object_box[3] = 0.0), "has the source box [0, 1, 20, 0], which holds nothing"),
            (complaint(|p| p.source.object_box[2] = 33.0), "has the source box at x = 33, which is not in -0.5..=32"),
        ] {
            assert!(message.contains(expected), "`{expected}` is not in: {message}");
        }
    }

    #[test]
    fn a_box_is_written_in_whole_pixels_outward_and_inside() {
        let whole = |object_box, size| PairSide { object_box, size, ..pair().source }.whole_box();
        assert_eq!(whole([1.2, 3.9, 20.1, 14.0], Some([32, 16])), [1, 3, 21, 14]);
        assert_eq!(whole([-0.5, -0.25, 31.5, 15.5], Some([32, 16])), [0, 0, 32, 16]);
        assert_eq!(whole([31.0, 15.2, 31.5, 15.4], Some([32, 16])), [31, 15, 32, 16]);
        assert_eq!(whole([0.2, 0.2, 0.4, 0.4], Some([1, 1])), [0, 0, 1, 1]);
        assert_eq!(whole([-3.0, 2.5, 1e4, 7.0], None), [0, 2, 10_000, 7]);
    }

    #[test]
    fn without_a_size_any_finite_point_will_do() {
        let mut pair = pair();
        pair.source.size = None;
        pair.source.points[0] = [-100.0, 1e6];
        assert_eq!(pair.check(40), Ok(()));
        pair.source.points[0][1] = f32::INFINITY;
        assert!(pair.check(40).is_err());
    }
}

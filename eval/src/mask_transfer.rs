//! How well an outline is carried from one image to another: the scores of Caltech-101.
//!
//! ```text
//! LT-ACC  = share of the target's pixels whose label, object or not, is right
//! IoU     = |predicted ∩ true| / |predicted ∪ true|, of object pixels
//! LOC-ERR = mean of ½ (|x'_p − x'_q| + |y'_p − y'_q|),   x' = (x − left) / width of the box, y' likewise
//! ```
//!
//! All three are those of Kim, Liu, Sha and Grauman, "Deformable Spatial Pyramid Matching for Fast Dense
//! Correspondences", CVPR 2013. As in later work on key points, the transferred object is the polygon whose vertices
//! are the predicted ones.
//!
//! A pixel is inside a polygon by the even-odd rule at its centre, which has whole coordinates. A centre exactly on an
//! edge belongs to the polygon if the edge is a left or an upper one, and not if it is a right or a lower one, so that
//! two polygons that share an edge share no pixel. Image libraries differ here: some count all of them as inside.

use thiserror::Error;

use crate::key_points::PixelBox;

/// Which pixels of an image belong to an object, row by row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectMask {
    width: u32,
    height: u32,
    inside: Vec<bool>,
}

impl ObjectMask {
    /// The pixels of an image of `size` (width, height) inside a closed polygon. Vertices that are no finite numbers
    /// are left out; fewer than three vertices enclose nothing.
    pub fn from_polygon(vertices: &[[f32; 2]], size: (u32, u32)) -> Self {
        let finite = vertices.iter().filter(|vertex| vertex.iter().all(|x| x.is_finite()));
        let vertices: Vec<[f64; 2]> = finite.map(|vertex| vertex.map(f64::from)).collect();
        let (width, height) = (size.0 as usize, size.1 as usize);
        let mut inside = vec![false; width * height];
        let mut crossings = Vec::new();
        for (y, row) in inside.chunks_mut(width.max(1)).enumerate() {
            let y = y as f64;
            let edges = vertices.iter().zip(vertices.iter().cycle().skip(1));
            let crossed = edges.filter(|(from, to)| (from[1] <= y) != (to[1] <= y));
            crossings.clear();
            crossings.extend(crossed.map(|(from, to)| from[0] + (y - from[1]) / (to[1] - from[1]) * (to[0] - from[0])));
            crossings.sort_unstable_by(f64::total_cmp);
            for span in crossings.chunks_exact(2) {
                let column = |x: f64| x.ceil().clamp(0.0, width as f64) as usize;
                row[column(span[0])..column(span[1])].fill(true);
            }
        }
        Self { width: size.0, height: size.1, inside }
    }

    /// A mask from its pixels, row by row.
    ///
    /// # Panics
    ///
    /// If there are not as many as the size says.
    pub fn from_pixels(size: (u32, u32), inside: Vec<bool>) -> Self {
        assert_eq!(
            inside.len() as u64,
            u64::from(size.0) * u64::from(size.1),
            "a mask of {}x{} pixels",
            size.0,
            size.1
        );
        Self { width: size.0, height: size.1, inside }
    }

    /// `(width, height)` in pixels.
    pub fn size(&self) -> (u32, u32) {
        (self.width, self.height)
    }

    /// Whether each pixel belongs to the object, row by row.
    pub fn pixels(&self) -> &[bool] {
        &self.inside
    }
}

/// How well one mask agrees with another.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct MaskScore {
    /// LT-ACC, 0..=1.
    pub label_accuracy: f64,
    /// IoU, 0..=1; 1 where neither mask has a pixel.
    pub iou: f64,
    /// Predicted vertices that were no finite numbers and are not in the polygon.
    pub invalid: usize,
}

/// Mean error of points relative to the boxes of the two objects.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct LocalisationError {
    /// LOC-ERR over the answers that are finite numbers; `None` where there are none.
    pub mean: Option<f64>,
    /// Answers that are no finite numbers. They are in no mean: compare means only where this is the same.
    pub invalid: usize,
}

/// Why a transfer cannot be scored.
#[derive(Debug, Error, PartialEq)]
pub enum MaskTransferError {
    /// An image without pixels.
    #[error("an image of {}x{} pixels has no labels to compare", .0.0, .0.1)]
    NoPixels((u32, u32)),
    /// Not one answer a point.
    #[error("{found} points are predicted, {expected} are asked")]
    PointCount {
        /// Points asked.
        expected: usize,
        /// Points predicted.
        found: usize,
    },
    /// A box without width or height, in which no coordinate is relative to anything.
    #[error(
        "the {image}'s box {corners:?} has no width or no height, so LOC-ERR cannot be computed; leave the pair out"
    )]
    FlatBox {
        /// `source` or `target`.
        image: &'static str,
        /// The box.
        corners: PixelBox,
    },
}

/// LT-ACC and IoU of the polygon of predicted vertices with the true one, in a target of `size` (width, height).
///
/// # Errors
///
/// [`MaskTransferError::NoPixels`] where a side is 0.
pub fn score_mask_transfer(
    predicted: &[[f32; 2]],
    truth: &[[f32; 2]],
    size: (u32, u32),
) -> Result<MaskScore, MaskTransferError> {
    let [of_predicted, of_truth] = [predicted, truth].map(|vertices| ObjectMask::from_polygon(vertices, size));
    let invalid = predicted.iter().filter(|vertex| !vertex.iter().all(|x| x.is_finite())).count();
    compare_masks(&of_predicted, &of_truth).map(|score| MaskScore { invalid, ..score })
}

/// LT-ACC and IoU of two masks.
///
/// # Errors
///
/// [`MaskTransferError::NoPixels`] where a side is 0.
///
/// # Panics
///
/// If the masks are of different sizes.
pub fn compare_masks(predicted: &ObjectMask, truth: &ObjectMask) -> Result<MaskScore, MaskTransferError> {
    assert_eq!(predicted.size(), truth.size(), "masks of one image have one size");
    let pixels = predicted.inside.len();
    if pixels == 0 {
        return Err(MaskTransferError::NoPixels(truth.size()));
    }
    let count = |kind: fn(bool, bool) -> bool| {
        predicted.inside.iter().zip(&truth.inside).filter(|(p, q)| kind(**p, **q)).count() as f64
    };
    let (both, either) = (count(|p, q| p && q), count(|p, q| p || q));
    let iou = if either == 0.0 { 1.0 } else { both / either };
    Ok(MaskScore { label_accuracy: count(|p, q| p == q) / pixels as f64, iou, invalid: 0 })
}

/// LOC-ERR: `predicted[i]` answers `asked[i]`, a point of the source, in pixels of the target.
///
/// # Errors
///
/// [`MaskTransferError`] where there is not one answer a point, or a box has no width or no height.
pub fn localisation_error(
    asked: &[[f32; 2]],
    predicted: &[[f32; 2]],
    source_box: PixelBox,
    target_box: PixelBox,
) -> Result<LocalisationError, MaskTransferError> {
    if asked.len() != predicted.len() {
        return Err(MaskTransferError::PointCount { expected: asked.len(), found: predicted.len() });
    }
    for (image, corners) in [("source", source_box), ("target", target_box)] {
        let [left, top, right, bottom] = corners;
        if !(right > left && bottom > top) {
            return Err(MaskTransferError::FlatBox { image, corners });
        }
    }
    let relative = |[x, y]: [f32; 2], corners: PixelBox| {
        let [left, top, right, bottom] = corners.map(f64::from);
        [(f64::from(x) - left) / (right - left), (f64::from(y) - top) / (bottom - top)]
    };
    let finite = asked.iter().zip(predicted).filter(|(_, answer)| answer.iter().all(|x| x.is_finite()));
    let errors: Vec<f64> = finite
        .map(|(&point, &answer)| {
            let (p, q) = (relative(point, source_box), relative(answer, target_box));
            0.5 * ((p[0] - q[0]).abs() + (p[1] - q[1]).abs())
        })
        .collect();
    let mean = (!errors.is_empty()).then(|| errors.iter().sum::<f64>() / errors.len() as f64);
    Ok(LocalisationError { mean, invalid: asked.len() - errors.len() })
}

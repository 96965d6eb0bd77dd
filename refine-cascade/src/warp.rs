//! Known random warps.

use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

use crate::thin_plate::ThinPlate;

/// Ranges that [`Warp::sample`] draws from. Lengths are in normalised coordinates, in which an
/// image is 2 wide and 2 high.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WarpConfig {
    /// Rotation in degrees, uniform in ± this. Default 25.
    pub rotation: f64,
    /// Smallest and largest scale, log-uniform; above 1 things become larger. Default 0.7 to 1.4.
    pub scale: [f64; 2],
    /// Horizontal shear, uniform in ± this. Default 0.15.
    pub shear: f64,
    /// Translation of each axis, uniform in ± this. Default 0.15.
    pub translation: f64,
    /// Probability of a left-right mirror. Default 0.
    pub mirror: f64,
    /// Probability of a thin-plate spline on top. Default 0.5.
    pub tps: f64,
    /// Control points on a side of the spline. Default 3.
    pub tps_side: usize,
    /// Displacement of each control point and axis, uniform in ± this. Default 0.1.
    pub tps_jitter: f64,
}

impl Default for WarpConfig {
    fn default() -> Self {
        Self {
            rotation: 25.0,
            scale: [0.7, 1.4],
            shear: 0.15,
            translation: 0.15,
            mirror: 0.0,
            tps: 0.5,
            tps_side: 3,
            tps_jitter: 0.1,
        }
    }
}

/// A warp of an image, given backwards: [`apply`](Self::apply) says where what is seen at a point
/// of the *warped* image lies in the *original*.
///
/// Coordinates are normalised: (x, y) in [−1, 1]² over the whole image, half-pixel, so that pixel or
/// cell x of a row of W lies at `(2x + 1)/W − 1`.
///
/// ```text
/// original = M (p + t(p)) + translation,   M a 2×2 matrix, t a thin-plate spline or 0
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Warp {
    matrix: [[f64; 2]; 2],
    translation: [f64; 2],
    bend: Option<ThinPlate>,
}

impl Warp {
    /// The warp that changes nothing.
    pub fn identity() -> Self {
        Self::affine([[1.0, 0.0], [0.0, 1.0]], [0.0, 0.0])
    }

    /// `original = matrix · warped + translation`.
    ///
    /// # Panics
    ///
    /// If the matrix is singular or a number is not finite.
    pub fn affine(matrix: [[f64; 2]; 2], translation: [f64; 2]) -> Self {
        let determinant = determinant(matrix);
        assert!(
            determinant.is_normal() && translation.iter().all(|t| t.is_finite()),
            "a warp is invertible, not {matrix:?} + {translation:?}"
        );
        Self { matrix, translation, bend: None }
    }

    /// Bends the warped image with a spline before the affine part; the displacements are those of
    /// a square grid of control points, row-major, see [`ThinPlate::through`].
    ///
    /// # Panics
    ///
    /// As [`ThinPlate::through`].
    pub fn bent(self, displacements: &[[f64; 2]]) -> Self {
        Self { bend: Some(ThinPlate::through(displacements)), ..self }
    }

    /// Draws a warp. How many numbers it draws depends on the configuration alone.
    ///
    /// # Panics
    ///
    /// If a range is empty or a probability is not in 0..=1.
    pub fn sample(config: &WarpConfig, rng: &mut impl Rng) -> Self {
        let [smallest, largest] = config.scale;
        assert!(0.0 < smallest && smallest <= largest, "scales are above 0 and in order, not {smallest} to {largest}");
        let mut within = |range: f64| rng.random_range(-1.0..=1.0) * range;
        let angle = within(config.rotation).to_radians();
        let centre = (smallest * largest).ln() / 2.0;
        let scale = (centre + within((largest / smallest).ln() / 2.0)).exp();
        let shear = within(config.shear);
        let translation = [within(config.translation), within(config.translation)];
        let displacements: Vec<[f64; 2]> =
            (0..config.tps_side.pow(2)).map(|_| [within(config.tps_jitter), within(config.tps_jitter)]).collect();
        let flip = if rng.random_bool(config.mirror) { -1.0 } else { 1.0 };
        let bend = rng.random_bool(config.tps);
        let (sin, cos) = angle.sin_cos();
        // Mirror · rotation · shear, and the scale divides: the map runs from the warped image.
        let matrix =
            [[flip * cos / scale, flip * (cos * shear - sin) / scale], [sin / scale, (sin * shear + cos) / scale]];
        let warp = Self::affine(matrix, translation);
        if bend { warp.bent(&displacements) } else { warp }
    }

    /// From the warped image to the original, both in normalised coordinates.
    pub fn apply(&self, point: [f64; 2]) -> [f64; 2] {
        let [x, y] = match &self.bend {
            Some(bend) => {
                let shift = bend.at(point);
                [point[0] + shift[0], point[1] + shift[1]]
            }
            None => point,
        };
        [0, 1].map(|axis| self.matrix[axis][0] * x + self.matrix[axis][1] * y + self.translation[axis])
    }

    /// From the original image to the warped one.
    ///
    /// Exact for affine warps; a bent one is inverted by iterating `p ← s − t(p)` until it moves by
    /// less than 1e-10. `None` where that does not settle, as in a spline that folds the plane.
    pub fn invert(&self, point: [f64; 2]) -> Option<[f64; 2]> {
        let [[a, b], [c, d]] = self.matrix;
        let determinant = determinant(self.matrix);
        let (x, y) = (point[0] - self.translation[0], point[1] - self.translation[1]);
        let straight = [(d * x - b * y) / determinant, (a * y - c * x) / determinant];
        let Some(bend) = &self.bend else {
            return Some(straight);
        };
        let mut guess = straight;
        for _ in 0..200 {
            let shift = bend.at(guess);
            let next = [straight[0] - shift[0], straight[1] - shift[1]];
            let moved = (next[0] - guess[0]).abs().max((next[1] - guess[1]).abs());
            guess = next;
            if moved < 1e-10 {
                return Some(guess);
            }
        }
        None
    }
}

fn determinant([[a, b], [c, d]]: [[f64; 2]; 2]) -> f64 {
    a * d - b * c
}

/// Normalised coordinate of a pixel or cell of a row of `size`.
pub(crate) fn normalised(position: f64, size: usize) -> f64 {
    (2.0 * position + 1.0) / size as f64 - 1.0
}

/// Pixel or cell of a row of `size` at a normalised coordinate.
pub(crate) fn position(normalised: f64, size: usize) -> f64 {
    ((normalised + 1.0) * size as f64 - 1.0) / 2.0
}

//! Where a figure stands in the image: bend, stretch, turn, scale, shift.

use super::figure::Part;

/// The invertible map from object units to pixels,
///
/// ```text
/// pixel = shift + M · (x, y + bend · x²)
/// ```
#[derive(Debug, Clone, Copy)]
pub(super) struct Placement {
    matrix: [f32; 4],
    inverse: [f32; 4],
    shift: [f32; 2],
    bend: f32,
    /// Pixels per object unit, the least over all directions of `M`.
    pub(super) scale: f32,
}

impl Placement {
    /// A map from its matrix (row-major), its shift in pixels and its bend.
    pub(super) fn new(matrix: [f32; 4], shift: [f32; 2], bend: f32) -> Self {
        let [a, b, c, d] = matrix;
        let determinant = a * d - b * c;
        let inverse = [d, -b, -c, a].map(|entry| entry / determinant);
        // Singular values: s₁ s₂ = |det|, s₁² + s₂² = |M|².
        let norm = a * a + b * b + c * c + d * d;
        let largest = (0.5 * (norm + (norm * norm - 4.0 * determinant * determinant).max(0.0).sqrt())).sqrt();
        Self { matrix, inverse, shift, bend, scale: determinant.abs() / largest }
    }

    /// Object units are pixels.
    pub(super) fn identity() -> Self {
        Self::new([1.0, 0.0, 0.0, 1.0], [0.0, 0.0], 0.0)
    }

    /// The same map, scaled by `scale`, with the box `[low, high]` of its pixels centred at `centre`.
    pub(super) fn scaled(&self, scale: f32, low: [f32; 2], high: [f32; 2], centre: [f32; 2]) -> Self {
        let shift = |axis: usize| centre[axis] - scale * 0.5 * (low[axis] + high[axis]);
        Self::new(self.matrix.map(|entry| entry * scale), [shift(0), shift(1)], self.bend)
    }

    /// Object units → pixels.
    pub(super) fn to_pixels(self, p: [f32; 2]) -> [f32; 2] {
        let [a, b, c, d] = self.matrix;
        let y = p[1] + self.bend * p[0] * p[0];
        [self.shift[0] + a * p[0] + b * y, self.shift[1] + c * p[0] + d * y]
    }

    /// Pixels → object units.
    pub(super) fn to_object(self, pixel: [f32; 2]) -> [f32; 2] {
        let [a, b, c, d] = self.inverse;
        let q = [pixel[0] - self.shift[0], pixel[1] - self.shift[1]];
        let x = a * q[0] + b * q[1];
        [x, c * q[0] + d * q[1] - self.bend * x * x]
    }

    /// The box of a part in pixels: its least and its greatest corner.
    pub(super) fn bounds(self, part: &Part) -> ([f32; 2], [f32; 2]) {
        let mut low = [f32::INFINITY; 2];
        let mut high = [f32::NEG_INFINITY; 2];
        for uv in part.shape.hull() {
            let p = self.to_pixels(part.point(uv));
            for axis in 0..2 {
                low[axis] = low[axis].min(p[axis]);
                high[axis] = high[axis].max(p[axis]);
            }
        }
        (low, high)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        let placement = Placement::new([30.0, -12.0, 9.0, 41.0], [60.0, 55.0], 0.3);
        for p in [[0.0, 0.0], [1.0, -1.0], [-0.7, 0.4]] {
            let back = placement.to_object(placement.to_pixels(p));
            assert!((back[0] - p[0]).abs() < 1e-5 && (back[1] - p[1]).abs() < 1e-5, "{p:?} and {back:?}");
        }
    }

    #[test]
    fn scale_is_the_least_stretch() {
        let placement = Placement::new([0.0, -2.0, 5.0, 0.0], [0.0, 0.0], 0.0);
        assert!((placement.scale - 2.0).abs() < 1e-5, "{}", placement.scale);
    }
}

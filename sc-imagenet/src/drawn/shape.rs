//! Outlines of parts as signed distance functions.

/// The outline of a part in its own frame, where it fills the rectangle `±half`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Shape {
    /// An axis-aligned ellipse.
    Ellipse,
    /// The band between an ellipse and itself shrunk to this share.
    Ring(f32),
    /// A rectangle whose corners are rounded by this share of the shorter half side; 1 makes a capsule.
    Block(f32),
    /// A simple polygon with its vertices in units of the half sides.
    Polygon(&'static [[f32; 2]]),
}

/// A limb: a rectangle with fully rounded ends.
pub(super) const CAPSULE: Shape = Shape::Block(1.0);

impl Shape {
    /// Distance from `p` to the outline in the units of `p`, negative inside. Exact for blocks and polygons; for
    /// ellipses exact in sign and, close to the outline, to first order.
    pub(super) fn distance(self, p: [f32; 2], half: [f32; 2]) -> f32 {
        match self {
            Shape::Ellipse => ellipse(p, half),
            Shape::Ring(inner) => ellipse(p, half).max(-ellipse(p, [half[0] * inner, half[1] * inner])),
            Shape::Block(rounding) => {
                let radius = rounding * half[0].min(half[1]);
                let x = p[0].abs() - half[0] + radius;
                let y = p[1].abs() - half[1] + radius;
                length(x.max(0.0), y.max(0.0)) + x.max(y).min(0.0) - radius
            }
            Shape::Polygon(vertices) => polygon(p, vertices, half),
        }
    }

    /// Points in units of the half sides whose convex hull holds the whole shape.
    pub(super) fn hull(self) -> Vec<[f32; 2]> {
        match self {
            Shape::Polygon(vertices) => vertices.to_vec(),
            Shape::Ellipse | Shape::Ring(_) => (0..16)
                .map(|k| {
                    let (sin, cos) = (k as f32 * std::f32::consts::TAU / 16.0).sin_cos();
                    [cos * 1.02, sin * 1.02]
                })
                .collect(),
            Shape::Block(_) => {
                vec![[-1.0, -1.0], [0.0, -1.0], [1.0, -1.0], [1.0, 1.0], [0.0, 1.0], [-1.0, 1.0]]
            }
        }
    }
}

/// `k₀ (k₀ − 1) / k₁` with `k₀ = |p / half|` and `k₁ = |p / half²|`: the implicit function over its gradient's length.
fn ellipse(p: [f32; 2], half: [f32; 2]) -> f32 {
    let scaled = [p[0] / half[0], p[1] / half[1]];
    let level = length(scaled[0], scaled[1]);
    let slope = length(scaled[0] / half[0], scaled[1] / half[1]);
    if slope <= f32::EPSILON { -half[0].min(half[1]) } else { level * (level - 1.0) / slope }
}

/// Much faster than `hypot`, whose care for overflow nothing here needs.
fn length(x: f32, y: f32) -> f32 {
    (x * x + y * y).sqrt()
}

/// Distance to the nearest edge, its sign by the crossings of a horizontal ray.
fn polygon(p: [f32; 2], vertices: &[[f32; 2]], half: [f32; 2]) -> f32 {
    let at = |k: usize| [vertices[k][0] * half[0], vertices[k][1] * half[1]];
    let mut inside = false;
    let mut nearest = f32::INFINITY;
    let mut from = at(vertices.len() - 1);
    for k in 0..vertices.len() {
        let to = at(k);
        let edge = [to[0] - from[0], to[1] - from[1]];
        let off = [p[0] - from[0], p[1] - from[1]];
        let along = (off[0] * edge[0] + off[1] * edge[1]) / (edge[0] * edge[0] + edge[1] * edge[1]);
        let along = along.clamp(0.0, 1.0);
        let gap = [off[0] - along * edge[0], off[1] - along * edge[1]];
        nearest = nearest.min(gap[0] * gap[0] + gap[1] * gap[1]);
        if (from[1] > p[1]) != (to[1] > p[1]) && off[0] < edge[0] * off[1] / edge[1] {
            inside = !inside;
        }
        from = to;
    }
    if inside { -nearest.sqrt() } else { nearest.sqrt() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_on_the_axes_are_exact() {
        for shape in [Shape::Ellipse, CAPSULE, Shape::Block(0.3)] {
            assert!((shape.distance([3.0, 0.0], [2.0, 1.0]) - 1.0).abs() < 1e-5, "{shape:?}");
            assert!((shape.distance([0.0, -0.5], [2.0, 1.0]) + 0.5).abs() < 1e-5, "{shape:?}");
        }
    }

    #[test]
    fn a_square_polygon_is_a_block() {
        const SQUARE: &[[f32; 2]] = &[[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]];
        for p in [[0.3, 0.2], [2.5, 0.1], [2.5, 1.5], [-1.9, -0.9], [-4.0, 3.0]] {
            let polygon = Shape::Polygon(SQUARE).distance(p, [2.0, 1.0]);
            let block = Shape::Block(0.0).distance(p, [2.0, 1.0]);
            assert!((polygon - block).abs() < 1e-5, "{p:?}: {polygon} and {block}");
        }
    }

    #[test]
    fn a_ring_has_a_hole() {
        assert!(Shape::Ring(0.5).distance([0.0, 0.0], [1.0, 1.0]) > 0.0);
        assert!(Shape::Ring(0.5).distance([0.75, 0.0], [1.0, 1.0]) < 0.0);
    }
}

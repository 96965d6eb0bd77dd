//! A figure: rigid parts joined at poses, in object units, later parts painted over earlier ones.

use super::shape::{CAPSULE, Shape};
use super::texture::Texture;

/// A place and a direction in object units; x to the right, y down, positive angles turn x towards y.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pose {
    at: [f32; 2],
    cos: f32,
    sin: f32,
}

impl Pose {
    /// The figure's own frame.
    pub(super) fn root() -> Self {
        Self { at: [0.0, 0.0], cos: 1.0, sin: 0.0 }
    }

    /// A pose at a point, turned by `radians`.
    pub(super) fn new(at: [f32; 2], radians: f32) -> Self {
        let (sin, cos) = radians.sin_cos();
        Self { at, cos, sin }
    }

    /// This pose moved along its own axes.
    pub(super) fn moved(self, x: f32, y: f32) -> Self {
        Self { at: self.outward([x, y]), ..self }
    }

    /// This pose turned on the spot.
    pub(super) fn turned(self, radians: f32) -> Self {
        let (sin, cos) = radians.sin_cos();
        Self { at: self.at, cos: self.cos * cos - self.sin * sin, sin: self.sin * cos + self.cos * sin }
    }

    /// From this pose's frame to object units.
    pub(super) fn outward(self, p: [f32; 2]) -> [f32; 2] {
        [self.at[0] + self.cos * p[0] - self.sin * p[1], self.at[1] + self.sin * p[0] + self.cos * p[1]]
    }

    /// From object units to this pose's frame.
    pub(super) fn inward(self, p: [f32; 2]) -> [f32; 2] {
        let d = [p[0] - self.at[0], p[1] - self.at[1]];
        [self.cos * d[0] + self.sin * d[1], self.cos * d[1] - self.sin * d[0]]
    }
}

/// One rigid part. `(u, v)` = position in the pose's frame over `half`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    pub(super) name: &'static str,
    pub(super) shape: Shape,
    pub(super) texture: Texture,
    pub(super) pose: Pose,
    pub(super) half: [f32; 2],
}

impl Part {
    /// Object units → `(u, v)`.
    pub(super) fn uv(&self, p: [f32; 2]) -> [f32; 2] {
        let local = self.pose.inward(p);
        [local[0] / self.half[0], local[1] / self.half[1]]
    }

    /// `(u, v)` → object units.
    pub(super) fn point(&self, uv: [f32; 2]) -> [f32; 2] {
        self.pose.outward([uv[0] * self.half[0], uv[1] * self.half[1]])
    }

    /// Signed distance of a point in object units to the outline, negative inside.
    pub(super) fn distance(&self, p: [f32; 2]) -> f32 {
        self.shape.distance(self.pose.inward(p), self.half)
    }

    /// The pose at a point of the part, in its direction.
    pub(super) fn pose_at(&self, uv: [f32; 2]) -> Pose {
        Pose { at: self.point(uv), ..self.pose }
    }
}

/// The parts of one instance, in painting order. Every instance of a class has the same names in the same order.
#[derive(Debug, Clone, Default)]
pub(super) struct Figure {
    pub(super) parts: Vec<Part>,
}

impl Figure {
    /// Adds a part centred at a pose.
    pub(super) fn part(
        &mut self,
        name: &'static str,
        shape: Shape,
        texture: Texture,
        pose: Pose,
        half: [f32; 2],
    ) -> Part {
        let part = Part { name, shape, texture, pose, half };
        self.parts.push(part);
        part
    }

    /// Adds a capsule from a joint along the joint's x axis, its round ends beyond both ends of `length`. Returns
    /// the pose at its far end.
    pub(super) fn limb(&mut self, name: &'static str, texture: Texture, joint: Pose, length: f32, radius: f32) -> Pose {
        self.part(name, CAPSULE, texture, joint.moved(length / 2.0, 0.0), [length / 2.0 + radius, radius]);
        joint.moved(length, 0.0)
    }
}

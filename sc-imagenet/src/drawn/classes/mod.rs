//! The classes: how each builds its figure, and where its key points are.

mod animals;
mod things;
mod vehicles;

use super::dice::Dice;
use super::figure::Figure;

/// A named point on a part, in the part's `(u, v)`.
pub(super) struct KeyPoint {
    pub(super) name: &'static str,
    pub(super) part: &'static str,
    pub(super) uv: [f32; 2],
}

/// One class of drawn objects.
pub(super) struct Class {
    pub(super) name: &'static str,
    pub(super) key_points: &'static [KeyPoint],
    pub(super) build: fn(&mut Figure, &mut Dice),
}

/// Every class; a class's number is its place in this list.
pub(super) const CLASSES: &[Class] = &[
    animals::BIRD,
    vehicles::CAR,
    animals::FISH,
    things::GUITAR,
    things::LAMP,
    vehicles::PLANE,
    animals::QUADRUPED,
    things::TEAPOT,
];

const fn key(name: &'static str, part: &'static str, u: f32, v: f32) -> KeyPoint {
    KeyPoint { name, part, uv: [u, v] }
}

/// A triangle that points along `u`.
const POINTED: &[[f32; 2]] = &[[-1.0, -1.0], [1.0, 0.0], [-1.0, 1.0]];

/// A trapezium that narrows along `u`.
const TAPER: &[[f32; 2]] = &[[-1.0, -1.0], [1.0, -0.5], [1.0, 0.5], [-1.0, 1.0]];

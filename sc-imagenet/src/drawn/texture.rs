//! Two-colour patterns in a part's own coordinates, and the colours they are painted with.

use super::dice::Dice;

/// A pattern over `(u, v)` in `[-1, 1]²`. Its kind belongs to the part, its colours to the instance.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Texture {
    /// One colour that drifts a little towards the other.
    Plain,
    /// Stripes that run along `u`, this many across the part.
    Along(u8),
    /// Stripes that run across `u`, this many along the part.
    Across(u8),
    /// A grid of dots: columns, rows.
    Dots(u8, u8),
    /// A chequer board: columns, rows.
    Checks(u8, u8),
    /// Concentric rings.
    Rings(u8),
    /// Spokes round the centre.
    Spokes(u8),
    /// Blotches of smooth noise, about this many across, different in every instance.
    Blotches(u8),
}

/// Red, green, blue in `0..=1`.
pub(super) type Colour = [f32; 3];

/// How one instance paints one part.
#[derive(Debug, Clone, Copy)]
pub(super) struct Paint {
    pub(super) texture: Texture,
    pub(super) colours: [Colour; 2],
    pub(super) outline: Colour,
    /// Multiplies the counts of the texture.
    pub(super) density: f32,
    /// Seeds the blotches.
    pub(super) seed: u32,
}

impl Paint {
    /// The colour at `(u, v)`, unlit.
    pub(super) fn colour(&self, uv: [f32; 2]) -> Colour {
        mix(self.colours[0], self.colours[1], self.weight(uv))
    }

    /// The second colour's share at `(u, v)`.
    fn weight(&self, [u, v]: [f32; 2]) -> f32 {
        let times = |count: u8| f32::from(count) * 0.5 * self.density;
        match self.texture {
            Texture::Plain => 0.12 * (v + 1.0),
            Texture::Along(count) => square_wave(v * times(count)),
            Texture::Across(count) => square_wave(u * times(count)),
            Texture::Dots(columns, rows) => {
                let x = off_integer(u * times(columns));
                let y = off_integer(v * times(rows));
                step(x * x + y * y < 0.09)
            }
            Texture::Checks(columns, rows) => {
                let x = square_wave(u * 0.5 * times(columns));
                let y = square_wave(v * 0.5 * times(rows));
                (x - y).abs()
            }
            Texture::Rings(count) => square_wave((u * u + v * v).sqrt() * times(count) * 2.0 / self.density),
            Texture::Spokes(count) => square_wave(v.atan2(u) / std::f32::consts::TAU * f32::from(count)),
            Texture::Blotches(count) => {
                let noise = smooth_noise([u * times(count), v * times(count)], self.seed);
                ((noise - 0.5) * 6.0 + 0.5).clamp(0.0, 1.0)
            }
        }
    }
}

/// Linear mixture: `b`'s share is `weight`.
pub(super) fn mix(a: Colour, b: Colour, weight: f32) -> Colour {
    std::array::from_fn(|c| a[c] + (b[c] - a[c]) * weight)
}

/// Any colour but the very dark: the one distribution that objects, clutter and backgrounds share.
pub(super) fn random_colour(dice: &mut Dice) -> Colour {
    let hue = dice.between(0.0, 6.0);
    let saturation = dice.between(0.1, 0.9);
    let value = dice.between(0.2, 1.0);
    std::array::from_fn(|c| {
        let k = (hue + [5.0, 3.0, 1.0][c]) % 6.0;
        value * (1.0 - saturation * k.min(4.0 - k).clamp(0.0, 1.0))
    })
}

/// A second colour that differs from `first` in lightness by at least `gap`, where a few tries find one.
pub(super) fn contrasting_colour(first: Colour, gap: f32, dice: &mut Dice) -> Colour {
    let mut best = first;
    for _ in 0..12 {
        let colour = random_colour(dice);
        if (lightness(colour) - lightness(first)).abs() > (lightness(best) - lightness(first)).abs() {
            best = colour;
        }
        if (lightness(best) - lightness(first)).abs() >= gap {
            break;
        }
    }
    best
}

/// Rec. 601 luma.
pub(super) fn lightness(colour: Colour) -> f32 {
    0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2]
}

fn step(on: bool) -> f32 {
    f32::from(u8::from(on))
}

/// Signed distance to the nearest integer, in `-0.5..=0.5`.
fn off_integer(t: f32) -> f32 {
    t - floor(t + 0.5) as f32
}

/// The greatest integer not above `t`, without the call into the mathematics library that `f32::floor` is on plain x86-64.
fn floor(t: f32) -> i32 {
    let whole = t as i32;
    whole.saturating_sub(i32::from(whole as f32 > t))
}

/// 1 within a quarter of an integer, else 0: even in `t`, period 1.
fn square_wave(t: f32) -> f32 {
    step(off_integer(t).abs() < 0.25)
}

/// Value noise: hashed lattice values, smoothly interpolated.
fn smooth_noise(p: [f32; 2], seed: u32) -> f32 {
    let (x, y) = (floor(p[0]), floor(p[1]));
    let ease = |t: f32| t * t * (3.0 - 2.0 * t);
    let (fx, fy) = (ease(p[0] - x as f32), ease(p[1] - y as f32));
    let row = |y: i32| hash(x, y, seed) * (1.0 - fx) + hash(x.wrapping_add(1), y, seed) * fx;
    row(y) * (1.0 - fy) + row(y.wrapping_add(1)) * fy
}

/// A lattice point's value in `0..=1`.
pub(super) fn hash(x: i32, y: i32, seed: u32) -> f32 {
    let mut h = (x as u32).wrapping_mul(0x9e37_79b1) ^ (y as u32).wrapping_mul(0x85eb_ca77) ^ seed;
    h = (h ^ (h >> 15)).wrapping_mul(0x2c1b_3c6d);
    h = (h ^ (h >> 12)).wrapping_mul(0x297a_2d39);
    (h ^ (h >> 15)) as f32 / u32::MAX as f32
}

//! A scene: background, clutter, the object, occluders, light.

use super::classes::Class;
use super::config::DrawnConfig;
use super::dice::{Dice, Purpose};
use super::figure::{Figure, Part, Pose};
use super::placement::Placement;
use super::shape::{CAPSULE, Shape};
use super::texture::{Colour, Paint, Texture, contrasting_colour, mix, random_colour};

/// One painted part. `owner` is 0 for what does not belong to the object, else the part's number plus one.
#[derive(Debug, Clone)]
pub(super) struct Layer {
    pub(super) part: Part,
    pub(super) placement: Placement,
    pub(super) paint: Paint,
    pub(super) owner: u8,
}

/// Everything that one image shows, back to front, in pixels.
#[derive(Debug, Clone)]
pub(super) struct Scene {
    pub(super) background: Layer,
    pub(super) layers: Vec<Layer>,
    /// Change of brightness from the image's centre to its edge, along x and y.
    pub(super) light: [f32; 2],
    pub(super) grain_seed: u32,
    /// Each key point's pixel position where the point is seen.
    pub(super) key_points: Vec<Option<[f32; 2]>>,
}

const SHAPES: &[Shape] = &[Shape::Ellipse, CAPSULE, Shape::Block(0.2), Shape::Polygon(SHARD), Shape::Ring(0.6)];
const SHARD: &[[f32; 2]] = &[[-1.0, -0.3], [0.1, -1.0], [1.0, 0.2], [-0.2, 1.0]];
const TEXTURES: &[Texture] = &[
    Texture::Plain,
    Texture::Along(4),
    Texture::Across(5),
    Texture::Dots(4, 4),
    Texture::Checks(5, 5),
    Texture::Blotches(4),
];

impl Scene {
    /// The scene of one instance.
    pub(super) fn compose(class: &Class, number: usize, index: u64, config: &DrawnConfig) -> Self {
        let dice = |purpose| Dice::new(config.seed, number, index, purpose, config.variation);
        let mut figure = Figure::default();
        (class.build)(&mut figure, &mut dice(Purpose::Shape));

        let (placement, low, high) = place(&figure, config, &mut dice(Purpose::Placement));
        let mut surroundings = dice(Purpose::Background);
        let background = background(config, &mut surroundings);
        let side = config.size as f32;
        let mut layers: Vec<Layer> = (0..config.clutter)
            .map(|_| {
                let at = [surroundings.between(0.0, side), surroundings.between(0.0, side)];
                shard(at, [0.05 * side, 0.2 * side], &mut surroundings)
            })
            .collect();

        layers.extend(paint(&figure, placement, &mut dice(Purpose::Colours)));

        let mut front = dice(Purpose::Occluders);
        let span = (high[0] - low[0]).max(high[1] - low[1]);
        let count = if config.occluder_size > 0.0 { front.below(config.occluders + 1) } else { 0 };
        layers.extend((0..count).map(|_| {
            let at = [front.between(low[0], high[0]), front.between(low[1], high[1])];
            let largest = config.occluder_size * span;
            shard(at, [0.5 * largest, largest], &mut front)
        }));

        let mut scene = Self {
            background,
            layers,
            light: [0, 1].map(|_| surroundings.between(-config.lighting, config.lighting)),
            grain_seed: surroundings.bits(),
            key_points: Vec::new(),
        };
        scene.key_points = class
            .key_points
            .iter()
            .map(|key_point| {
                let part = figure.parts.iter().position(|part| part.name == key_point.part);
                let part = part.unwrap_or_else(|| panic!("{} has no part {}", class.name, key_point.part));
                scene.seen(part, key_point.uv, side)
            })
            .collect();
        scene
    }

    /// The object's front-most part at a pixel position, if nothing hides it there.
    pub(super) fn owner(&self, pixel: [f32; 2]) -> Option<usize> {
        let top = self.layers.iter().rev().find(|layer| {
            let p = layer.placement.to_object(pixel);
            layer.part.distance(p) <= 0.0
        })?;
        usize::from(top.owner).checked_sub(1)
    }

    /// The layer of one of the object's parts.
    pub(super) fn object_layer(&self, part: usize) -> Option<&Layer> {
        self.layers.iter().find(|layer| usize::from(layer.owner) == part + 1)
    }

    /// Where a part's `(u, v)` lies in the image, if it is seen there.
    pub(super) fn seen(&self, part: usize, uv: [f32; 2], side: f32) -> Option<[f32; 2]> {
        let layer = self.object_layer(part)?;
        let pixel = layer.placement.to_pixels(layer.part.point(uv));
        let inside = pixel.iter().all(|&x| (0.0..=side - 1.0).contains(&x));
        (inside && self.owner(pixel) == Some(part)).then_some(pixel)
    }
}

/// Bends, stretches, turns, scales and shifts the figure into the image. Returns its box in pixels too.
fn place(figure: &Figure, config: &DrawnConfig, dice: &mut Dice) -> (Placement, [f32; 2], [f32; 2]) {
    let (sin, cos) = dice.between(-config.rotation, config.rotation).to_radians().sin_cos();
    let stretch = dice.about(1.0, 0.15).sqrt();
    let shear = config.variation * dice.between(-0.15, 0.15);
    let bend = config.variation * dice.between(-0.18, 0.18);
    // Turn · (stretch, shear; 0, 1 / stretch).
    let matrix = [cos * stretch, cos * shear - sin / stretch, sin * stretch, sin * shear + cos / stretch];
    let unit = Placement::new(matrix, [0.0, 0.0], bend);
    let (low, high) = bounds(figure, unit);
    let extent = [high[0] - low[0], high[1] - low[1]];
    let side = config.size as f32;
    let scale = dice.between(config.span[0], config.span[1]) * side / extent[0].max(extent[1]);
    let centre = [0, 1].map(|axis| {
        let room = (0.5 * side + config.overhang * side - 0.5 * scale * extent[axis]).max(0.0);
        0.5 * (side - 1.0) + dice.between(-room, room)
    });
    let placement = unit.scaled(scale, low, high, centre);
    let (low, high) = bounds(figure, placement);
    (placement, low, high)
}

fn bounds(figure: &Figure, placement: Placement) -> ([f32; 2], [f32; 2]) {
    figure
        .parts
        .iter()
        .map(|part| placement.bounds(part))
        .fold(([f32::INFINITY; 2], [f32::NEG_INFINITY; 2]), |(low, high), (l, h)| {
            ([low[0].min(l[0]), low[1].min(l[1])], [high[0].max(h[0]), high[1].max(h[1])])
        })
}

/// Colours the parts out of a palette of four, so that neighbours often share a colour and no colour names a part.
fn paint(figure: &Figure, placement: Placement, dice: &mut Dice) -> Vec<Layer> {
    let palette: [Colour; 4] = std::array::from_fn(|_| random_colour(dice));
    let outline = random_outline(dice);
    let layers = figure.parts.iter().zip(1..).map(|(part, owner)| {
        let first = palette[dice.below(palette.len())];
        let second = contrasting_colour(first, 0.28, dice);
        let colours = if dice.below(2) == 0 { [first, second] } else { [second, first] };
        let density = dice.between(0.88, 1.14);
        let paint = Paint { texture: part.texture, colours, outline, density, seed: dice.bits() };
        Layer { part: *part, placement, paint, owner }
    });
    layers.collect()
}

/// A random textured shape of half sides within `sizes`, in pixels.
fn shard(at: [f32; 2], sizes: [f32; 2], dice: &mut Dice) -> Layer {
    let part = Part {
        name: "shard",
        shape: SHAPES[dice.below(SHAPES.len())],
        texture: TEXTURES[dice.below(TEXTURES.len())],
        pose: Pose::new(at, dice.between(0.0, std::f32::consts::TAU)),
        half: [dice.between(sizes[0], sizes[1]), dice.between(sizes[0], sizes[1])],
    };
    let first = random_colour(dice);
    let paint = Paint {
        texture: part.texture,
        colours: [first, contrasting_colour(first, 0.28, dice)],
        outline: random_outline(dice),
        density: dice.between(0.6, 1.2),
        seed: dice.bits(),
    };
    Layer { part, placement: Placement::identity(), paint, owner: 0 }
}

/// A texture over the whole image, of less contrast than the object's.
fn background(config: &DrawnConfig, dice: &mut Dice) -> Layer {
    let half = config.size as f32 * 0.5;
    let mut layer = shard([half, half], [half, half], dice);
    let [first, second] = layer.paint.colours;
    layer.paint.colours[1] = mix(first, second, dice.between(0.1, 0.6));
    layer.paint.density = dice.between(0.8, 2.4);
    layer
}

/// Nearly black or nearly white.
fn random_outline(dice: &mut Dice) -> Colour {
    let grey = if dice.below(4) == 0 { dice.between(0.85, 1.0) } else { dice.between(0.0, 0.2) };
    [grey; 3]
}

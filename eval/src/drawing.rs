//! Pictures of matches.

use image::{Rgb, RgbImage, imageops};

use crate::key_points::{PixelBox, tight_box};

/// Colour of the gap between two images, and of warped pixels that have no source.
const BACKGROUND: Rgb<u8> = Rgb([96, 96, 96]);

/// Colours from one end of the matched points to the other: from dark blue through magenta to yellow. Brightness grows all
/// the way, so that every kind of colour vision tells them apart.
const RAMP: [[f32; 3]; 5] =
    [[50.0, 20.0, 160.0], [150.0, 20.0, 170.0], [215.0, 70.0, 110.0], [250.0, 150.0, 60.0], [245.0, 240.0, 50.0]];

/// Colour of the outlines of dots and lines.
const OUTLINE: [f32; 3] = [0.0; 3];

/// A point of the source image and where it lies in the target, both in pixels of their original image.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DrawnMatch {
    /// Point of the source.
    pub source: [f32; 2],
    /// Its match in the target.
    pub target: [f32; 2],
    /// How sure it is, 0..=1: drawn as opacity, never below a fifth.
    pub confidence: f32,
}

/// Draws two images side by side, a dot at each point and a line between the two of a match, coloured by where the source
/// point lies along the longer side of the box of all source points. Sure matches are drawn last, over the others. A match with a coordinate that is not finite is left out.
pub fn draw_matches(source: &RgbImage, target: &RgbImage, matches: &[DrawnMatch]) -> RgbImage {
    let mut picture = side_by_side(&[source, target]);
    let shift = (source.width() + gap(&[source, target])) as f32;
    let stroke = (picture.width().max(picture.height()) as f32 / 700.0).max(0.7);
    let finite = |m: &&DrawnMatch| m.source.iter().chain(&m.target).all(|x| x.is_finite());
    let mut ordered: Vec<_> = matches.iter().filter(finite).collect();
    ordered.sort_by(|a, b| a.confidence.total_cmp(&b.confidence));
    let bounds = tight_box(ordered.iter().map(|drawn| &drawn.source)).unwrap_or_default();
    for DrawnMatch { source: from, target: to, confidence } in ordered {
        let colour = position_colour(*from, bounds);
        let opacity = 0.2 + 0.8 * if confidence.is_finite() { confidence.clamp(0.0, 1.0) } else { 0.0 };
        let to = [to[0] + shift, to[1]];
        draw_line(&mut picture, *from, to, stroke + 1.0, OUTLINE, opacity * 0.4);
        draw_line(&mut picture, *from, to, stroke, colour, opacity * 0.8);
        for end in [*from, to] {
            draw_dot(&mut picture, end, 3.6 * stroke, OUTLINE, opacity);
            draw_dot(&mut picture, end, 2.6 * stroke, colour, opacity);
        }
    }
    picture
}

/// Images beside one another, aligned at the top, with a gap between them.
pub fn side_by_side(images: &[&RgbImage]) -> RgbImage {
    let gap = gap(images);
    let gaps = gap * (images.len().max(1) as u32 - 1);
    let width = images.iter().map(|image| image.width()).sum::<u32>() + gaps;
    let height = images.iter().map(|image| image.height()).max().unwrap_or(0);
    let mut picture = RgbImage::from_pixel(width, height, BACKGROUND);
    let mut left = 0;
    for image in images {
        imageops::replace(&mut picture, *image, i64::from(left), 0);
        left += image.width() + gap;
    }
    picture
}

/// The source image laid over the target's grid: each pixel of a `size` (width, height) picture shows the source at the
/// point that `source_point` gives for it, interpolated bilinearly, or grey where there is none or it lies outside.
pub fn warp_source(
    source: &RgbImage,
    size: (u32, u32),
    source_point: impl Fn([f32; 2]) -> Option<[f32; 2]>,
) -> RgbImage {
    RgbImage::from_fn(size.0, size.1, |x, y| {
        source_point([x as f32, y as f32]).and_then(|point| sample(source, point)).unwrap_or(BACKGROUND)
    })
}

/// The colour of a point by its place along the longer side of a box.
pub(crate) fn position_colour(point: [f32; 2], [left, top, right, bottom]: PixelBox) -> [f32; 3] {
    let (offset, side) =
        if right - left >= bottom - top { (point[0] - left, right - left) } else { (point[1] - top, bottom - top) };
    let place = (offset / side.max(f32::MIN_POSITIVE)).clamp(0.0, 1.0) * (RAMP.len() - 1) as f32;
    let before = (place as usize).min(RAMP.len() - 2);
    let share = place - before as f32;
    std::array::from_fn(|channel| RAMP[before][channel] * (1.0 - share) + RAMP[before + 1][channel] * share)
}

fn gap(images: &[&RgbImage]) -> u32 {
    images.iter().map(|image| image.width()).max().unwrap_or(0) / 60 + 2
}

/// Bilinear sample; `None` outside the image (half a pixel round its outermost centres still belongs to it).
fn sample(image: &RgbImage, [x, y]: [f32; 2]) -> Option<Rgb<u8>> {
    let inside = |x: f32, count: u32| (-0.5..count as f32 - 0.5).contains(&x);
    if !inside(x, image.width()) || !inside(y, image.height()) {
        return None;
    }
    let (x, y) = (x.clamp(0.0, (image.width() - 1) as f32), y.clamp(0.0, (image.height() - 1) as f32));
    let (left, top) = (x as u32, y as u32);
    let (right, bottom) = ((left + 1).min(image.width() - 1), (top + 1).min(image.height() - 1));
    let (across, down) = (x - left as f32, y - top as f32);
    let mix = |channel: usize| {
        let at = |x, y| f32::from(image.get_pixel(x, y)[channel]);
        let upper = at(left, top) * (1.0 - across) + at(right, top) * across;
        let lower = at(left, bottom) * (1.0 - across) + at(right, bottom) * across;
        (upper * (1.0 - down) + lower * down).round() as u8
    };
    Some(Rgb(std::array::from_fn(mix)))
}

fn draw_dot(picture: &mut RgbImage, centre: [f32; 2], radius: f32, colour: [f32; 3], opacity: f32) {
    let reach = radius.ceil();
    let (x, y) = (centre[0].round(), centre[1].round());
    for row in pixels(y - reach, y + reach, picture.height()) {
        for column in pixels(x - reach, x + reach, picture.width()) {
            let distance = (column as f32 - centre[0]).hypot(row as f32 - centre[1]);
            blend(picture, column, row, colour, opacity * (radius + 0.5 - distance).clamp(0.0, 1.0));
        }
    }
}

/// An anti-aliased line, one pixel column (or row, if it is steep) at a time.
fn draw_line(picture: &mut RgbImage, from: [f32; 2], to: [f32; 2], radius: f32, colour: [f32; 3], opacity: f32) {
    let (dx, dy) = (to[0] - from[0], to[1] - from[1]);
    let length = dx.hypot(dy);
    if length == 0.0 {
        return;
    }
    let steep = dy.abs() > dx.abs();
    let (along, across) = if steep { (1, 0) } else { (0, 1) };
    let sides = [picture.width(), picture.height()];
    let slope = (to[across] - from[across]) / (to[along] - from[along]);
    // How far the line's edge lies from its middle, measured across the stepping axis.
    let reach = (radius + 1.0) * length / dx.abs().max(dy.abs());
    for step in pixels(from[along].min(to[along]).round(), from[along].max(to[along]).round(), sides[along]) {
        let middle = from[across] + (step as f32 - from[along]) * slope;
        for aside in pixels((middle - reach).floor(), (middle + reach).ceil(), sides[across]) {
            let (x, y) = if steep { (aside, step) } else { (step, aside) };
            let distance = ((x as f32 - from[0]) * dy - (y as f32 - from[1]) * dx).abs() / length;
            blend(picture, x, y, colour, opacity * (radius + 0.5 - distance).clamp(0.0, 1.0));
        }
    }
}

/// The whole numbers from `first` to `last` that are pixels of an axis of `count` pixels.
fn pixels(first: f32, last: f32, count: u32) -> std::ops::Range<u32> {
    if last < 0.0 || first >= count as f32 {
        return 0..0;
    }
    first.max(0.0) as u32..(last as u32).saturating_add(1).min(count)
}

fn blend(picture: &mut RgbImage, x: u32, y: u32, colour: [f32; 3], opacity: f32) {
    let pixel = picture.get_pixel_mut(x, y);
    for (channel, value) in pixel.0.iter_mut().zip(colour) {
        *channel = (f32::from(*channel) * (1.0 - opacity) + value * opacity).round() as u8;
    }
}

//! The picture of a match, of a size that does not depend on how large or how long the images are.

use std::io::Cursor;
use std::path::Path;

use anyhow::{Context, Result, bail};
use corr_volume::Frame;
use eval::{DrawnMatch, draw_matches, side_by_side, warp_source};
use image::imageops::{FilterType, replace, resize, thumbnail};
use image::{ImageFormat, Rgb, RgbImage};

use crate::atomic;

/// Images are shown enlarged where a side is shorter, so that lines and dots can be told apart.
const LEAST_SIDE: u32 = 240;
/// And made smaller where one is longer. An image ten times as long as it is wide, or more, is shown shorter than it is.
const MOST_SIDE: u32 = 2400;
/// Pixels between the upper and the lower part.
const GAP: u32 = 8;

/// The format that a file's name asks for.
///
/// # Errors
///
/// A name that asks for none that is written here, and a folder.
pub fn format_of(path: &Path) -> Result<ImageFormat> {
    if path.is_dir() {
        bail!("{} is a folder; give --out a file in it, such as matches.png", path.display());
    }
    match ImageFormat::from_path(path) {
        Ok(format @ (ImageFormat::Png | ImageFormat::Jpeg)) => Ok(format),
        _ => bail!("{}: pictures are written as PNG or JPEG; give --out a name in .png or .jpg", path.display()),
    }
}

/// An image as it is shown, and the way of its points there.
pub struct Shown {
    image: RgbImage,
    frame: Frame,
}

impl Shown {
    /// An image at a size between the least and the most.
    pub fn new(image: &RgbImage) -> Shown {
        let (width, height) = image.dimensions();
        let size = shown_size((width, height));
        // The library's filters hold four bytes a channel of the longer side at the new height: so first made smaller.
        let small =
            (size.0 < width || size.1 < height).then(|| thumbnail(image, size.0.min(width), size.1.min(height)));
        let shown = resize(small.as_ref().unwrap_or(image), size.0, size.1, FilterType::Triangle);
        Shown { image: shown, frame: Frame::stretched((width, height), size) }
    }
}

fn shown_size((width, height): (u32, u32)) -> (u32, u32) {
    let larger = LEAST_SIDE.div_ceil(width.min(height)).max(1);
    let scale = f64::from(larger).min(f64::from(MOST_SIDE) / f64::from(width.max(height)));
    let side = |side: u32| ((f64::from(side) * scale).round() as u32).clamp(LEAST_SIDE, MOST_SIDE);
    (side(width), side(height))
}

/// Lines between matched points above; below, the source, the source warped onto the target by `source_point`, which says for
/// points of the target where they lie in the source, and the target. All points are in pixels of the images as they are.
pub fn draw(
    source: &Shown,
    target: &Shown,
    matches: &[DrawnMatch],
    source_point: impl Fn([f32; 2]) -> Option<[f32; 2]>,
) -> RgbImage {
    let shown: Vec<DrawnMatch> = matches
        .iter()
        .map(|m| DrawnMatch { source: source.frame.to_input(m.source), target: target.frame.to_input(m.target), ..*m })
        .collect();
    let warped = warp_source(&source.image, target.image.dimensions(), |point| {
        source_point(target.frame.to_original(point)).map(|point| source.frame.to_input(point))
    });
    let above = draw_matches(&source.image, &target.image, &shown);
    let below = side_by_side(&[&source.image, &warped, &target.image]);
    let size = (above.width().max(below.width()), above.height() + GAP + below.height());
    let mut picture = RgbImage::from_pixel(size.0, size.1, Rgb([255; 3]));
    replace(&mut picture, &above, 0, 0);
    replace(&mut picture, &below, 0, i64::from(above.height() + GAP));
    picture
}

/// Writes a picture beside `path`, and then in its place.
///
/// # Errors
///
/// A folder that cannot be written, a full disk: what was there is kept.
pub fn write(path: &Path, format: ImageFormat, picture: &RgbImage) -> Result<()> {
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).with_context(|| format!("cannot encode {}", path.display()))?;
    atomic::write(path, bytes.get_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_of_any_form_is_shown_at_a_size_in_bounds() {
        assert_eq!(shown_size((64, 64)), (256, 256));
        assert_eq!(shown_size((500, 375)), (500, 375));
        assert_eq!(shown_size((4000, 3000)), (2400, 1800));
        for size in [(60_000, 16), (16, 60_000), (400_000, 160), (1, 1), (2400, 16), (u32::MAX, 1)] {
            let shown = shown_size(size);
            assert!(
                [shown.0, shown.1].iter().all(|side| (LEAST_SIDE..=MOST_SIDE).contains(side)),
                "{size:?} {shown:?}"
            );
        }
    }

    #[test]
    fn a_long_image_is_shown_whole_and_its_points_come_along() {
        // Dark on the left half, bright on the right.
        let image = RgbImage::from_fn(60_000, 16, |x, _| Rgb([if x < 30_000 { 0 } else { 255 }; 3]));
        let shown = Shown::new(&image);
        assert_eq!(shown.image.dimensions(), (2400, 240));
        assert_eq!((shown.image[(1100, 120)], shown.image[(1300, 120)]), (Rgb([0; 3]), Rgb([255; 3])));
        let [x, y] = shown.frame.to_input([29_999.5, 7.5]);
        assert!((x - 1199.5).abs() < 0.1 && (y - 119.5).abs() < 0.1, "{x} {y}");
        // Warped by "where it is", the target shows the source as it is.
        let matched = DrawnMatch { source: [0.0, 0.0], target: [59_999.0, 15.0], confidence: 1.0 };
        let picture = draw(&shown, &shown, &[matched], Some);
        assert!(picture.width() < 3 * 2400 + 100 && picture.height() < 600, "{:?}", picture.dimensions());
    }

    #[test]
    fn only_what_is_written_is_taken_for_a_format() {
        for (name, format) in [("a.png", ImageFormat::Png), ("a.JPG", ImageFormat::Jpeg), ("a.jpeg", ImageFormat::Jpeg)]
        {
            assert_eq!(format_of(Path::new(name)).unwrap(), format);
        }
        for name in ["keep.gif", "keep", "keep.webp", "keep.txt", ".png", "a.png.", ".", ""] {
            let message = format_of(Path::new(name)).unwrap_err().to_string();
            assert!(message.contains("--out"), "{name}: {message}");
        }
    }
}

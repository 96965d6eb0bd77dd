//! The upright image of a stored one, pixel by pixel from the EXIF table: what is row 0, what is column 0.

use image::RgbImage;

pub fn upright(stored: &RgbImage, exif_orientation: u8) -> RgbImage {
    let (w, h) = stored.dimensions();
    let swapped = exif_orientation >= 5;
    let (out_w, out_h) = if swapped { (h, w) } else { (w, h) };
    RgbImage::from_fn(out_w, out_h, |x, y| {
        let (from_x, from_y) = match exif_orientation {
            1 => (x, y),
            2 => (w - 1 - x, y),
            3 => (w - 1 - x, h - 1 - y),
            4 => (x, h - 1 - y),
            5 => (y, x),
            6 => (y, h - 1 - x),
            7 => (w - 1 - y, h - 1 - x),
            8 => (w - 1 - y, x),
            other => panic!("{other} is no EXIF orientation"),
        };
        *stored.get_pixel(from_x, from_y)
    })
}

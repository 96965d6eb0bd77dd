//! Images within the text of a page.

use image::RgbImage;
use image::codecs::jpeg::JpegEncoder;
use image::imageops::{FilterType, resize};

const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The image as a JPEG `data:` URI, made smaller so that neither side is above `side` pixels.
///
/// # Panics
///
/// If the image has no pixel.
pub(super) fn jpeg(image: &RgbImage, side: u32, quality: u8) -> String {
    let (width, height) = image.dimensions();
    let smaller = shrunk(image, side);
    let mut bytes = Vec::new();
    let encoded = JpegEncoder::new_with_quality(&mut bytes, quality).encode_image(smaller.as_ref().unwrap_or(image));
    // Writing to memory cannot fail, and a side of a JPEG may be 65,535 pixels.
    encoded.unwrap_or_else(|error| panic!("an image of {width}×{height} pixels as JPEG: {error}"));
    format!("data:image/jpeg;base64,{}", base64(&bytes))
}

/// The image made smaller so that neither side is above `side` pixels; `None` where none is.
///
/// # Panics
///
/// If the image has no pixel.
pub(super) fn shrunk(image: &RgbImage, side: u32) -> Option<RgbImage> {
    let (width, height) = image.dimensions();
    assert!(width > 0 && height > 0, "an image of {width}×{height} pixels cannot be shown");
    let longer = width.max(height);
    let scaled = |length: u32| ((f64::from(length) * f64::from(side) / f64::from(longer)).round() as u32).max(1);
    (longer > side).then(|| resize(image, scaled(width), scaled(height), FilterType::Triangle))
}

/// RFC 4648, section 4: three bytes are four letters of six bits each, the last group filled up with `=`.
fn base64(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let byte = |index: usize| u32::from(group.get(index).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for letter in 0..4 {
            let six = (bits >> (18 - 6 * letter)) & 63;
            text.push(if letter <= group.len() { char::from(LETTERS[six as usize]) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::base64;

    #[test]
    fn base64_is_that_of_the_standard() {
        let pairs = [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")];
        for (bytes, text) in pairs {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
        assert_eq!(base64(&[0xFB, 0xFF, 0xFE]), "+//+");
    }
}

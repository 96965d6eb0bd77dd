//! Every kind of image that class folders hold comes out as the same upright RGB.

#[path = "naive/orientation.rs"]
mod naive;

use std::io::Cursor;
use std::path::{Path, PathBuf};

use image::codecs::{jpeg::JpegEncoder, png::PngEncoder, webp::WebPEncoder};
use image::{DynamicImage, ExtendedColorType, ImageEncoder, ImageFormat, Rgb, RgbImage};
use sc_imagenet::{DecodeLimits, decode, decode_bytes, is_stored_upright};

fn fixture(name: &str) -> PathBuf {
    Path::new("tests/fixtures").join(name)
}

fn read(name: &str) -> RgbImage {
    decode(&fixture(name), &DecodeLimits::default()).unwrap()
}

/// Asserts that both pixels are the same but for the rounding of a lossy format.
fn assert_close(found: Rgb<u8>, expected: [u8; 3], tolerance: u8) {
    let far = (0..3).any(|c| found[c].abs_diff(expected[c]) > tolerance);
    assert!(!far, "{found:?} is not {expected:?} within {tolerance}");
}

/// A different colour at every pixel.
fn distinct(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| Rgb([(x * 11) as u8, (y * 13) as u8, (x * 7 + y * 3) as u8]))
}

#[test]
fn cmyk_and_ycck_jpegs_are_inverted_as_adobe_has_them() {
    // Ink 51, 102, 0 and black 51: (255 − ink)(255 − 51)/255. The tolerance is that of two roundings and the DCT.
    for name in ["cmyk.jpg", "ycck.jpg"] {
        let image = read(name);
        assert_eq!(image.dimensions(), (16, 16), "{name}");
        for &pixel in image.pixels() {
            assert_close(pixel, [163, 122, 204], 3);
        }
    }
}

#[test]
fn palettes_bits_and_transparency_become_rgb_on_white() {
    let palette = read("palette.png");
    assert_eq!(palette.get_pixel(3, 3).0, [200, 30, 60]);
    assert_eq!(palette.get_pixel(12, 3).0, [255, 255, 255], "transparent palette entry");
    let bits = read("bits.png");
    assert_eq!((bits.get_pixel(3, 3).0, bits.get_pixel(12, 3).0), ([0; 3], [255; 3]));
    assert_eq!(read("palette.bmp").get_pixel(3, 3).0, [200, 30, 60]);
    // WebP keeps brightness in 16..=235 and half the colour resolution
    assert_close(*read("lossy.webp").get_pixel(3, 3), [200, 30, 60], 6);
    assert_eq!(read("transparent.webp").get_pixel(3, 3).0, [255; 3]);
}

#[test]
fn half_transparent_pixels_are_half_white() {
    let grey_alpha = image::GrayAlphaImage::from_pixel(16, 16, image::LumaA([100, 51]));
    let mut png = Cursor::new(Vec::new());
    grey_alpha.write_to(&mut png, ImageFormat::Png).unwrap();
    let image = decode_bytes(png.get_ref(), &DecodeLimits::default()).unwrap();
    // (100·51 + 255·204) / 255
    assert_eq!(image.get_pixel(0, 0).0, [224; 3]);
}

#[test]
fn sixteen_bits_are_rounded_to_eight() {
    // 257 steps of sixteen bits are one of eight.
    let values = [0_u16, 128, 129, 0x8000, 0xffff];
    let grey = image::ImageBuffer::from_fn(16, 16, |x, _| image::Luma([values[x as usize % 5]]));
    let mut png = Cursor::new(Vec::new());
    DynamicImage::ImageLuma16(grey).write_to(&mut png, ImageFormat::Png).unwrap();
    let image = decode_bytes(png.get_ref(), &DecodeLimits::default()).unwrap();
    let row: Vec<u8> = (0..5).map(|x| image.get_pixel(x, 0)[1]).collect();
    assert_eq!(row, [0, 0, 1, 128, 255]);
}

#[test]
fn greyscale_jpegs_have_three_equal_channels() {
    let mut jpeg = Cursor::new(Vec::new());
    image::GrayImage::from_pixel(24, 16, image::Luma([77])).write_to(&mut jpeg, ImageFormat::Jpeg).unwrap();
    let image = decode_bytes(jpeg.get_ref(), &DecodeLimits::default()).unwrap();
    assert_eq!(image.dimensions(), (24, 16));
    assert_close(*image.get_pixel(5, 5), [77; 3], 1);
}

#[test]
fn the_content_decides_and_not_the_name() {
    let folder = tempfile::tempdir().unwrap();
    let stored = distinct(20, 17);
    let png_called_jpg = folder.path().join("a.jpg");
    stored.save_with_format(&png_called_jpg, ImageFormat::Png).unwrap();
    assert_eq!(decode(&png_called_jpg, &DecodeLimits::default()).unwrap(), stored);
}

/// EXIF data with nothing but an orientation.
fn exif(orientation: u8) -> Vec<u8> {
    let mut tiff = b"II*\0\x08\0\0\0\x01\0".to_vec();
    tiff.extend([0x12, 0x01, 3, 0, 1, 0, 0, 0, orientation, 0, 0, 0]);
    tiff.extend([0; 4]);
    tiff
}

fn encode(image: &RgbImage, mut encoder: impl ImageEncoder, orientation: u8) {
    encoder.set_exif_metadata(exif(orientation)).unwrap();
    encoder.write_image(image, image.width(), image.height(), ExtendedColorType::Rgb8).unwrap();
}

#[test]
fn exif_orientation_is_applied_in_every_format_that_has_it() {
    let stored = distinct(20, 17);
    for orientation in 1..=8 {
        let expected = naive::upright(&stored, orientation);
        let (mut png, mut webp) = (Vec::new(), Vec::new());
        encode(&stored, PngEncoder::new(&mut png), orientation);
        encode(&stored, WebPEncoder::new_lossless(&mut webp), orientation);
        for bytes in [png, webp] {
            assert_eq!(decode_bytes(&bytes, &DecodeLimits::default()).unwrap(), expected, "{orientation}");
            assert_eq!(is_stored_upright(&bytes), orientation == 1, "{orientation}");
        }
        // JPEG is lossy: four quarters of plain colour, on whole blocks
        let quarters = RgbImage::from_fn(32, 16, |x, y| Rgb([(x / 16 * 200) as u8, (y / 8 * 200) as u8, 50]));
        let mut jpeg = Vec::new();
        encode(&quarters, JpegEncoder::new_with_quality(&mut jpeg, 100), orientation);
        let (found, expected) =
            (decode_bytes(&jpeg, &DecodeLimits::default()).unwrap(), naive::upright(&quarters, orientation));
        assert_eq!(found.dimensions(), expected.dimensions(), "{orientation}");
        for (&a, b) in found.pixels().zip(expected.pixels()) {
            assert_close(a, b.0, 4);
        }
    }
}

//! Formats beyond the common ones, made byte by byte where no encoder writes them.

use std::io::Cursor;

use image::codecs::gif::GifEncoder;
use image::{DynamicImage, Frame, ImageFormat, Rgb, RgbImage, Rgba, RgbaImage};
use proptest::prelude::*;
use sc_imagenet::{DecodeLimits, decode_bytes};

#[path = "made/inks.rs"]
mod made;
use made::jpeg_of_inks;

fn decoded(bytes: &[u8]) -> RgbImage {
    decode_bytes(bytes, &DecodeLimits::default()).unwrap_or_else(|refusal| panic!("{refusal}"))
}

fn encoded(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn assert_close(image: &RgbImage, expected: [u8; 3]) {
    for pixel in image.pixels() {
        assert!((0..3).all(|c| pixel[c].abs_diff(expected[c]) <= 2), "{pixel:?} is not {expected:?}");
    }
}

#[test]
fn ink_is_inverted_with_adobes_marker_alone() {
    let inks = [51, 102, 0, 51];
    for sampled in [false, true] {
        let plain = decoded(&jpeg_of_inks(inks, None, sampled));
        assert_eq!(plain.dimensions(), (32, 32));
        // (255 − ink)(255 − black)/255
        assert_close(&plain, [163, 122, 204]);
        // ink·black/255: what is stored is inverted ink
        assert_close(&decoded(&jpeg_of_inks(inks, Some(0), sampled)), [10, 20, 0]);
    }
    assert_close(&decoded(&jpeg_of_inks([0; 4], None, false)), [255; 3]);
    assert_close(&decoded(&jpeg_of_inks([0, 0, 0, 255], None, false)), [0; 3]);
}

#[test]
fn the_first_frame_of_a_gif_is_read_on_white() {
    let frame = |colour: [u8; 4]| Frame::new(RgbaImage::from_pixel(24, 18, Rgba(colour)));
    let mut gif = Vec::new();
    {
        let mut encoder = GifEncoder::new(&mut gif);
        encoder.encode_frames([frame([200, 30, 60, 255]), frame([0, 0, 255, 255])]).unwrap();
    }
    assert_close(&decoded(&gif), [200, 30, 60]);
    // Cut in the second frame, the first is still whole.
    assert_close(&decoded(&gif[..gif.len() - 20]), [200, 30, 60]);

    let mut gif = Vec::new();
    GifEncoder::new(&mut gif).encode_frame(frame([9, 9, 9, 0])).unwrap();
    assert_close(&decoded(&gif), [255; 3]);
}

#[test]
fn tiffs_of_any_depth_are_read() {
    let colour = DynamicImage::ImageRgb8(RgbImage::from_pixel(24, 18, Rgb([200, 30, 60])));
    assert_close(&decoded(&encoded(&colour, ImageFormat::Tiff)), [200, 30, 60]);
    let deep = DynamicImage::ImageRgb16(colour.to_rgb16());
    assert_close(&decoded(&encoded(&deep, ImageFormat::Tiff)), [200, 30, 60]);
    let grey = DynamicImage::ImageLuma8(image::GrayImage::from_pixel(24, 18, image::Luma([77])));
    assert_close(&decoded(&encoded(&grey, ImageFormat::Tiff)), [77; 3]);
}

#[test]
fn strips_are_decoded_as_long_as_their_pixels_are_within_limits() {
    let limits = DecodeLimits { min_side: 16, ..DecodeLimits::default() };
    for (width, height, format) in [
        (60_000, 16, ImageFormat::Jpeg),
        (16, 60_000, ImageFormat::Jpeg),
        (400_000, 16, ImageFormat::Png),
        (16, 400_000, ImageFormat::Png),
    ] {
        let strip = DynamicImage::ImageRgb8(RgbImage::from_pixel(width, height, Rgb([90; 3])));
        let image = decode_bytes(&encoded(&strip, format), &limits).unwrap();
        assert_eq!(image.dimensions(), (width, height));
    }
    let strip = DynamicImage::ImageRgb8(RgbImage::from_pixel(400_000, 15, Rgb([90; 3])));
    let refusal = decode_bytes(&encoded(&strip, ImageFormat::Png), &limits).unwrap_err().to_string();
    assert!(refusal.contains("is 400000x15, at least 16 pixels a side are needed"), "{refusal}");
}

/// The place of the number of channels in a JPEG's frame header.
fn channels_of(jpeg: &[u8]) -> usize {
    jpeg.windows(2).position(|two| two == [0xff, 0xc0]).unwrap() + 9
}

#[test]
fn other_numbers_of_channels_are_refused() {
    let mut jpeg = jpeg_of_inks([9; 4], None, false);
    let at = channels_of(&jpeg);
    assert_eq!(jpeg[at], 4);
    for channels in [0, 2, 5, 255] {
        jpeg[at] = channels;
        let refusal = decode_bytes(&jpeg, &DecodeLimits::default()).unwrap_err().to_string();
        assert!(refusal.contains("JPEG"), "{channels}: {refusal}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn damage_is_no_panic(
        format in 0..3_usize,
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let picture = DynamicImage::ImageRgb8(RgbImage::from_fn(24, 18, |x, y| Rgb([x as u8, y as u8, 9])));
        let mut bytes = match format {
            0 => jpeg_of_inks([51, 102, 0, 51], None, true),
            1 => encoded(&picture, ImageFormat::Gif),
            _ => encoded(&picture, ImageFormat::Tiff),
        };
        for (at, byte) in flips {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        drop(decode_bytes(&bytes, &DecodeLimits::default()));
    }
}

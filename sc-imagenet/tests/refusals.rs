//! Bad files, each with the message it gets.

use std::fs;
use std::io::Cursor;
use std::path::Path;

use image::{ImageFormat, Rgb, RgbImage};
use sc_imagenet::{DecodeLimits, Refusal, decode, decode_bytes};

fn encoded(format: ImageFormat) -> Vec<u8> {
    encoded_at(33, 21, format)
}

fn encoded_at(width: u32, height: u32, format: ImageFormat) -> Vec<u8> {
    let image = RgbImage::from_fn(width, height, |x, y| Rgb([(x * 7) as u8, (y * 11) as u8, (x * y) as u8]));
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn fixture(name: &str) -> Vec<u8> {
    fs::read(Path::new("tests/fixtures").join(name)).unwrap()
}

/// The message for a file of this name and content.
fn message(name: &str, content: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, content).unwrap();
    let message = decode(&path, &DecodeLimits::default()).unwrap_err().to_string();
    assert!(message.starts_with(path.to_str().unwrap()), "no path in: {message}");
    message
}

fn assert_says(message: &str, expected: &str) {
    assert!(message.contains(expected), "`{expected}` is not in: {message}");
}

#[test]
fn a_zero_byte_jpeg() {
    assert_says(&message("a.jpg", b""), "is empty (zero bytes); fetch it again or delete it");
}

#[test]
fn a_text_file_called_jpg() {
    assert_says(
        &message("a.jpg", b"404: not found, and that is all"),
        "is not an image, whatever its name says (it begins with \"404: not found, \")",
    );
    assert_says(
        &message("a.jpg", b"<html>404 not found</html>"),
        "is an HTML page and no image, whatever its name says",
    );
}

#[test]
fn formats_that_are_not_read_are_called_by_their_names() {
    for (name, content, expected) in [
        (
            "a.jpg",
            &b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"[..],
            "is HEIC, which is not read here; convert it to JPEG or PNG",
        ),
        ("a.png", b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf", "is AVIF, which is not read here; convert it"),
        ("a.jpg", b"qoif\0\0\0\x10", "is QOI, which is not read here; convert it"),
    ] {
        assert_says(&message(name, content), expected);
    }
}

#[test]
fn a_missing_file_and_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let limits = DecodeLimits::default();
    let missing = decode(&folder.path().join("a.jpg"), &limits).unwrap_err();
    assert_says(&missing.to_string(), "a.jpg: cannot be read");
    assert_says(&decode(folder.path(), &limits).unwrap_err().to_string(), "is not a file");
}

#[test]
fn a_jpeg_cut_in_the_middle_though_the_decoder_calls_it_fine() {
    let whole = encoded_at(200, 150, ImageFormat::Jpeg);
    let half = &whole[..whole.len() / 2];
    let lenient = image::load_from_memory(half).map(|image| image.into_rgb8().dimensions());
    assert_eq!(lenient.unwrap(), (200, 150), "the decoder alone finds nothing amiss");
    let expected = format!("is a truncated JPEG (its {} bytes stop before the end of the image)", half.len());
    assert_says(&message("a.jpg", half), &expected);
}

#[test]
fn a_cut_jpeg_whose_thumbnail_is_whole() {
    let (whole, thumbnail) = (encoded(ImageFormat::Jpeg), encoded(ImageFormat::Jpeg));
    let mut with_thumbnail = vec![0xff, 0xd8, 0xff, 0xe1];
    with_thumbnail.extend((thumbnail.len() as u16 + 2).to_be_bytes());
    with_thumbnail.extend(&thumbnail);
    with_thumbnail.extend(&whole[2..]);
    assert!(decode_bytes(&with_thumbnail, &DecodeLimits::default()).is_ok());
    assert_says(&message("a.jpg", &with_thumbnail[..with_thumbnail.len() - 40]), "truncated JPEG");
}

#[test]
fn every_part_of_a_file_that_is_not_the_whole_is_refused() {
    let files = [
        ("JPEG", encoded(ImageFormat::Jpeg), 0),
        ("progressive JPEG", fixture("progressive.jpg"), 0),
        ("CMYK JPEG", fixture("cmyk.jpg"), 0),
        ("PNG", encoded(ImageFormat::Png), 0),
        ("palette PNG", fixture("palette.png"), 0),
        ("WebP", encoded(ImageFormat::WebP), 0),
        ("lossy WebP", fixture("lossy.webp"), 0),
        // A row of 33 pixels is padded by one byte, which nobody misses.
        ("BMP", encoded(ImageFormat::Bmp), 1),
        ("palette BMP", fixture("palette.bmp"), 0),
        // The end of the file behind the end of the first frame.
        ("GIF", encoded(ImageFormat::Gif), 1),
        // A pointer to no further page.
        ("TIFF", encoded(ImageFormat::Tiff), 4),
    ];
    let limits = DecodeLimits::default();
    for (name, whole, spare) in files {
        assert!(decode_bytes(&whole, &limits).is_ok(), "{name}: {:?}", decode_bytes(&whole, &limits).err());
        for cut in 0..whole.len() - spare {
            assert!(decode_bytes(&whole[..cut], &limits).is_err(), "{name}: {cut} of {} bytes pass", whole.len());
        }
        let trailing = [&whole[..], b"trailing"].concat();
        assert!(decode_bytes(&trailing, &limits).is_ok(), "{name}: bytes behind the end are harmless");
    }
}

#[test]
fn damage_is_told_from_truncation() {
    let mut png = encoded(ImageFormat::Png);
    let middle = png.len() / 2;
    png[middle] ^= 0xff;
    assert_says(&message("a.png", &png), "is a damaged PNG (");
}

#[test]
fn sizes_at_and_beyond_the_limits() {
    let png = encoded(ImageFormat::Png);
    let limits = DecodeLimits { max_pixels: 33 * 21, min_side: 21, max_file_bytes: 1 << 20 };
    assert!(decode_bytes(&png, &limits).is_ok());
    let too_large = decode_bytes(&png, &DecodeLimits { max_pixels: 33 * 21 - 1, ..limits }).unwrap_err();
    assert_says(&too_large.to_string(), "is 33x21 by its header, the limit is 692 pixels");
    let too_small = decode_bytes(&png, &DecodeLimits { min_side: 22, ..limits }).unwrap_err();
    assert_says(&too_small.to_string(), "is 33x21, at least 22 pixels a side are needed");
}

#[test]
fn a_file_of_too_many_bytes_is_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.png");
    fs::write(&path, encoded(ImageFormat::Png)).unwrap();
    let limits = DecodeLimits { max_file_bytes: 100, ..DecodeLimits::default() };
    let refusal = decode(&path, &limits).unwrap_err().refusal;
    assert!(matches!(refusal, Refusal::FileTooLarge { limit: 100, .. }), "{refusal}");
}

//! What a header says of an image is what decoding it gives, for every orientation and format.

#[path = "naive/orientation.rs"]
mod naive;

use std::path::Path;

use image::codecs::{jpeg::JpegEncoder, png::PngEncoder, webp::WebPEncoder};
use image::{ExtendedColorType, ImageEncoder, ImageFormat, Rgb, RgbImage};
use sc_imagenet::{DecodeLimits, ImageSize, Refusal, decode, image_size};

const SIZE: (u32, u32) = (20, 17);

/// A different colour at every pixel.
fn distinct() -> RgbImage {
    RgbImage::from_fn(SIZE.0, SIZE.1, |x, y| Rgb([(x * 11) as u8, (y * 13) as u8, (x * 7 + y * 3) as u8]))
}

fn write(path: &Path, mut encoder: impl ImageEncoder, orientation: u8) {
    let mut exif = b"II*\0\x08\0\0\0\x01\0".to_vec();
    exif.extend([0x12, 0x01, 3, 0, 1, 0, 0, 0, orientation, 0, 0, 0, 0, 0, 0, 0]);
    encoder.set_exif_metadata(exif).unwrap();
    encoder.write_image(&distinct(), SIZE.0, SIZE.1, ExtendedColorType::Rgb8).unwrap();
    assert!(path.metadata().unwrap().len() > 0);
}

/// Files of every format that has an orientation.
fn files(folder: &Path, orientation: u8) -> [ImageSize; 3] {
    let file = |name: &str| {
        let path = folder.join(name);
        let file = std::fs::File::create(&path).unwrap();
        (path, std::io::BufWriter::new(file))
    };
    let (jpeg, to) = file("a.jpg");
    write(&jpeg, JpegEncoder::new_with_quality(to, 95), orientation);
    let (png, to) = file("a.png");
    write(&png, PngEncoder::new(to), orientation);
    let (webp, to) = file("a.webp");
    write(&webp, WebPEncoder::new_lossless(to), orientation);
    [jpeg, png, webp].map(|path| {
        let size = image_size(&path).unwrap();
        let decoded = decode(&path, &DecodeLimits::default()).unwrap();
        assert_eq!(size.shown(), decoded.dimensions(), "{} {orientation}", path.display());
        size
    })
}

#[test]
fn the_size_shown_is_that_of_what_is_decoded() {
    let folder = tempfile::tempdir().unwrap();
    for orientation in 1..=8 {
        for size in files(folder.path(), orientation) {
            assert_eq!((size.stored, size.orientation()), (SIZE, orientation));
            assert_eq!(size.is_turned(), orientation != 1);
            assert_eq!(size.shown() != SIZE, orientation >= 5, "{orientation}");
        }
    }
}

#[test]
fn points_are_turned_as_pixels_are_and_back() {
    let folder = tempfile::tempdir().unwrap();
    let stored = distinct();
    for orientation in 1..=8 {
        let [_, size, _] = files(folder.path(), orientation);
        let shown = naive::upright(&stored, orientation);
        for (x, y, pixel) in stored.enumerate_pixels() {
            let point = [x as f32, y as f32];
            let [to_x, to_y] = size.to_shown(point);
            assert_eq!(shown.get_pixel(to_x as u32, to_y as u32), pixel, "{orientation}: {point:?}");
            assert_eq!(size.to_stored([to_x, to_y]), point, "{orientation}");
        }
        // Between pixels, and outside of the image.
        for point in [[3.25, 7.5], [-2.0, 30.5]] {
            assert_eq!(size.to_stored(size.to_shown(point)), point, "{orientation}");
        }
    }
}

#[test]
fn an_orientation_that_there_is_not_turns_nothing() {
    let folder = tempfile::tempdir().unwrap();
    for orientation in [0, 9, 255] {
        for size in files(folder.path(), orientation) {
            assert_eq!((size.shown(), size.orientation(), size.is_turned()), (SIZE, 1, false), "{orientation}");
        }
    }
    assert_eq!(ImageSize::upright_as_stored((3, 4)).shown(), (3, 4));
}

#[test]
fn a_file_without_a_size_is_refused_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let refusal = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let error = image_size(&path).unwrap_err();
        assert_eq!(error.path, path);
        error.refusal
    };
    assert!(matches!(refusal("a.png", b"plain text"), Refusal::NotAnImage { .. }));
    assert!(matches!(refusal("b.png", b""), Refusal::Empty));
    let mut png = std::io::Cursor::new(Vec::new());
    distinct().write_to(&mut png, ImageFormat::Png).unwrap();
    assert!(matches!(refusal("c.jpg", &png.get_ref()[..20]), Refusal::Damaged { .. }));
    // The size is in the header: what is missing behind it is noticed by whoever decodes it.
    let cut = folder.path().join("d.jpg");
    std::fs::write(&cut, &png.get_ref()[..60]).unwrap();
    assert_eq!(image_size(&cut).unwrap().shown(), SIZE);
    assert!(matches!(decode(&cut, &DecodeLimits::default()).unwrap_err().refusal, Refusal::Truncated { .. }));
    assert!(matches!(image_size(&folder.path().join("nowhere.png")).unwrap_err().refusal, Refusal::Unreadable(_)));
    assert!(matches!(image_size(folder.path()).unwrap_err().refusal, Refusal::NotAFile));
}

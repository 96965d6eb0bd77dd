//! JPEGs of four inks that Adobe's marker does not speak of.
//!
//! Adobe's programs store ink inverted, 255 for none, and mark such files; `image` takes every file of four channels for one of
//! theirs. Without the mark the numbers are ink as they stand, as libjpeg and those that build on it have it:
//!
//! ```text
//! red = (255 − cyan)(255 − black) / 255          green, blue: magenta, yellow
//! ```

use image::RgbImage;
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

/// The pixels of a JPEG of four channels of `size` pixels, as it is stored; the error is what the decoder says.
pub(crate) fn decode_plain(bytes: &[u8], (width, height): (u32, u32)) -> Result<RgbImage, String> {
    let options = DecoderOptions::default()
        .set_strict_mode(false)
        .set_max_width(width as usize)
        .set_max_height(height as usize)
        .jpeg_set_out_colorspace(ColorSpace::CMYK);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    let ink = decoder.decode().map_err(|error| error.to_string())?;
    let rgb: Vec<u8> = ink.chunks_exact(4).flat_map(|ink| rgb([ink[0], ink[1], ink[2]], ink[3])).collect();
    RgbImage::from_raw(width, height, rgb).ok_or_else(|| format!("{} bytes for {width}x{height} pixels", ink.len()))
}

fn rgb(ink: [u8; 3], black: u8) -> [u8; 3] {
    ink.map(|ink| {
        let product = u32::from(255 - ink) * u32::from(255 - black);
        ((product + 127) / 255) as u8
    })
}

//! One way from a file to an [`RgbImage`], whatever the file is, and one word for each reason to refuse it.

use std::fs::{self, File};
use std::io::{self, Cursor, Read};
use std::panic;
use std::path::{Path, PathBuf};

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, RgbImage};
use serde::{Deserialize, Serialize};

use crate::cmyk;
use crate::container;
use crate::sniff;

/// What [`decode`] refuses before it allocates anything for an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DecodeLimits {
    /// Most pixels (width × height) an image may have. Default 64 million.
    pub max_pixels: u64,
    /// Fewest pixels a side may have; below it there is nothing to match. Default 16.
    pub min_side: u32,
    /// Most bytes a file may have. Default 256 MiB.
    pub max_file_bytes: u64,
}

impl Default for DecodeLimits {
    fn default() -> Self {
        Self { max_pixels: 64_000_000, min_side: 16, max_file_bytes: 256 * 1024 * 1024 }
    }
}

/// An image that could not be used: the file and the reason.
#[derive(Debug, thiserror::Error)]
#[error("{}: {refusal}", .path.display())]
pub struct DecodeError {
    /// The file.
    pub path: PathBuf,
    /// Why it is refused.
    pub refusal: Refusal,
}

/// Why an image is refused, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The file system would not give the file.
    #[error("cannot be read ({0}); check that it is there and that you may read it")]
    Unreadable(io::Error),
    /// A folder, a pipe, a device.
    #[error("is not a file; remove it from the class folder")]
    NotAFile,
    /// Zero bytes.
    #[error("is empty (zero bytes); fetch it again or delete it")]
    Empty,
    /// More bytes than [`DecodeLimits::max_file_bytes`].
    #[error("has {bytes} bytes, the limit is {limit}; delete it or raise max_file_bytes")]
    FileTooLarge {
        /// Bytes of the file.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// The content begins like no image format.
    #[error(
        "is not an image, whatever its name says (it begins with \"{beginning}\"); JPEG, PNG, WebP, GIF, TIFF and BMP are \
         read; delete it or fetch it again"
    )]
    NotAnImage {
        /// The first bytes, escaped.
        beginning: String,
    },
    /// A file that is known for something else than an image: a page that a server sent in its place, a PDF.
    #[error("is {what} and no image, whatever its name says; {advice}")]
    Document {
        /// What it is, with an article.
        what: &'static str,
        /// What to do.
        advice: &'static str,
    },
    /// An image format that is not read here.
    #[error("is {format}, which is not read here; convert it to JPEG or PNG")]
    UnsupportedFormat {
        /// The format's name.
        format: String,
    },
    /// More pixels than [`DecodeLimits::max_pixels`], by the header.
    #[error("is {width}x{height} by its header, the limit is {limit} pixels; shrink it, or raise max_pixels")]
    TooLarge {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// Most pixels allowed.
        limit: u64,
    },
    /// A side under [`DecodeLimits::min_side`].
    #[error("is {width}x{height}, at least {limit} pixels a side are needed; delete it")]
    TooSmall {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// Fewest pixels of a side.
        limit: u32,
    },
    /// The file stops before its end.
    #[error(
        "is a truncated {format} (its {bytes} bytes stop before the end of the image); fetch it again or delete it"
    )]
    Truncated {
        /// The format's name.
        format: &'static str,
        /// Bytes that are there.
        bytes: u64,
    },
    /// The decoder gives up on the content.
    #[error("is a damaged {format} ({detail}); fetch it again or delete it")]
    Damaged {
        /// The format's name.
        format: &'static str,
        /// What the decoder says.
        detail: String,
    },
    /// The decoder itself fails.
    #[error("makes the decoder panic; convert it with another program, or delete it")]
    DecoderPanic,
}

/// Reads an image file as 8-bit RGB, upright.
///
/// The content decides the format, the name's extension does not. Greyscale and palettes become RGB; 16 bits become 8
/// by rounding; CMYK and YCCK JPEGs with Adobe's marker are read as Adobe writes them, inverted, and those without it as they
/// are; the EXIF orientation is applied, so that the size is that of the upright image; transparent pixels are composited
/// on white, since the colour hidden behind them is arbitrary. Colour profiles are not applied. Of an animation the first
/// frame is read, of a TIFF the first page.
///
/// # Errors
///
/// Every [`Refusal`]. Sizes and completeness are checked before memory for the pixels is allocated.
pub fn decode(path: &Path, limits: &DecodeLimits) -> Result<RgbImage, DecodeError> {
    read(path, limits)
        .and_then(|bytes| decode_bytes(&bytes, limits))
        .map_err(|refusal| DecodeError { path: path.to_owned(), refusal })
}

/// [`decode`] for a file already in memory.
///
/// It comes back whatever the decoder does: decoders are other people's code on other people's bytes, and one that panics
/// must not end a run over a million images.
///
/// # Errors
///
/// As [`decode`], but for those of the file system.
pub fn decode_bytes(bytes: &[u8], limits: &DecodeLimits) -> Result<RgbImage, Refusal> {
    panic::catch_unwind(|| decode_unguarded(bytes, limits)).unwrap_or(Err(Refusal::DecoderPanic))
}

fn decode_unguarded(bytes: &[u8], limits: &DecodeLimits) -> Result<RgbImage, Refusal> {
    if bytes.is_empty() {
        return Err(Refusal::Empty);
    }
    let (format, name) = supported_format(bytes)?;
    let damaged = |error: image::ImageError| refusal_of(error, name);

    let container = container::inspect(bytes, format);
    if let Some((width, height)) = container.declared {
        check_size(width, height, limits)?;
    }
    if !container.complete {
        return Err(Refusal::Truncated { format: name, bytes: bytes.len() as u64 });
    }
    if container.channels == 2 {
        return Err(Refusal::UnsupportedFormat { format: "JPEG of two channels".to_owned() });
    }

    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut allocation = image::Limits::no_limits();
    // Sixteen bytes a pixel hold every colour type; the rest is for metadata that unpacks to more than it should.
    allocation.max_alloc = Some(limits.max_pixels.saturating_mul(16).saturating_add(1 << 26));
    reader.limits(allocation);
    let mut decoder = reader.into_decoder().map_err(damaged)?;
    let (width, height) = decoder.dimensions();
    check_size(width, height, limits)?;
    // Orientation is an ornament: unreadable metadata does not make the pixels worse.
    let orientation = decoder.orientation().ok();
    let mut image = if container.channels == 4 && !container.of_adobe {
        let detail = |detail| Refusal::Damaged { format: name, detail };
        DynamicImage::ImageRgb8(cmyk::decode_plain(bytes, (width, height)).map_err(detail)?)
    } else {
        DynamicImage::from_decoder(decoder).map_err(damaged)?
    };
    if let Some(orientation) = orientation {
        image.apply_orientation(orientation);
    }
    Ok(on_white(image))
}

/// A kind of a known format that is not read is told from damage.
fn refusal_of(error: image::ImageError, format: &'static str) -> Refusal {
    match error {
        image::ImageError::Unsupported(kind) => {
            Refusal::UnsupportedFormat { format: format!("a kind of {format} ({kind})") }
        }
        error => Refusal::Damaged { format, detail: error.to_string() },
    }
}

/// Whether an encoded image is stored as it is to be seen, so that coordinates of the upright image are also those of a
/// program that ignores the EXIF orientation, as the published loaders do. Bytes that are no image are.
pub fn is_stored_upright(bytes: &[u8]) -> bool {
    let Ok((format, _)) = supported_format(bytes) else {
        return true;
    };
    let orientation = panic::catch_unwind(|| {
        let mut decoder = ImageReader::with_format(Cursor::new(bytes), format).into_decoder().ok()?;
        decoder.orientation().ok()
    });
    matches!(orientation, Err(_) | Ok(None | Some(Orientation::NoTransforms)))
}

/// The whole file, if it is one and not too large.
pub(crate) fn read(path: &Path, limits: &DecodeLimits) -> Result<Vec<u8>, Refusal> {
    // Asked before opening: to open a pipe is to wait for its other end.
    let metadata = fs::metadata(path).map_err(Refusal::Unreadable)?;
    if !metadata.is_file() {
        return Err(Refusal::NotAFile);
    }
    if metadata.len() > limits.max_file_bytes {
        return Err(Refusal::FileTooLarge { bytes: metadata.len(), limit: limits.max_file_bytes });
    }
    let mut bytes = Vec::with_capacity(metadata.len() as usize);
    File::open(path)
        .and_then(|file| file.take(limits.max_file_bytes).read_to_end(&mut bytes))
        .map_err(Refusal::Unreadable)?;
    Ok(bytes)
}

/// Whether a file that begins with these bytes is one of an image format that is read.
pub(crate) fn begins_like_an_image(bytes: &[u8]) -> bool {
    supported_format(bytes).is_ok()
}

pub(crate) fn supported_format(bytes: &[u8]) -> Result<(ImageFormat, &'static str), Refusal> {
    let format = image::guess_format(bytes).ok();
    let name = match format {
        Some(ImageFormat::Jpeg) => "JPEG",
        Some(ImageFormat::Png) => "PNG",
        Some(ImageFormat::WebP) => "WebP",
        Some(ImageFormat::Gif) => "GIF",
        Some(ImageFormat::Tiff) => "TIFF",
        Some(ImageFormat::Bmp) => "BMP",
        _ => "",
    };
    match format {
        Some(format) if !name.is_empty() => Ok((format, name)),
        other => Err(sniff::refusal(bytes).unwrap_or_else(|| match other {
            Some(other) => Refusal::UnsupportedFormat { format: format!("{other:?}").to_uppercase() },
            None => Refusal::NotAnImage { beginning: bytes[..bytes.len().min(16)].escape_ascii().to_string() },
        })),
    }
}

fn check_size(width: u32, height: u32, limits: &DecodeLimits) -> Result<(), Refusal> {
    if u64::from(width) * u64::from(height) > limits.max_pixels {
        return Err(Refusal::TooLarge { width, height, limit: limits.max_pixels });
    }
    if width.min(height) < limits.min_side {
        return Err(Refusal::TooSmall { width, height, limit: limits.min_side });
    }
    Ok(())
}

/// `out = α c + (1 − α) 255`, rounded; an opaque image is only converted.
fn on_white(image: DynamicImage) -> RgbImage {
    if !image.color().has_alpha() {
        return image.into_rgb8();
    }
    let rgba = image.into_rgba8();
    let mut rgb = RgbImage::new(rgba.width(), rgba.height());
    for (out, pixel) in rgb.pixels_mut().zip(rgba.pixels()) {
        let alpha = u32::from(pixel[3]);
        for channel in 0..3 {
            let mixed = u32::from(pixel[channel]) * alpha + 255 * (255 - alpha);
            out[channel] = ((mixed + 127) / 255) as u8;
        }
    }
    rgb
}

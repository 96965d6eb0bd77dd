//! How large an image is as it is shown, and how its pixels are stored: from the header alone.

use std::fs::{self, File};
use std::io::{BufReader, Read, Seek};
use std::panic;
use std::path::Path;

use image::metadata::Orientation;
use image::{ImageDecoder, ImageFormat, ImageReader, ImageResult};

use crate::decode::{DecodeError, Refusal, supported_format};

/// Enough of a file to tell its format.
const BEGINNING: u64 = 4096;

/// The size of an image that [`decode`](crate::decode()) makes upright, and the way from stored pixels to those.
///
/// Points are `[x, y]` in pixels, the centre of the top-left pixel being `[0, 0]`, in both frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageSize {
    /// `(width, height)` of the pixels as they are stored; programs that pass over the EXIF orientation see these.
    pub stored: (u32, u32),
    orientation: Orientation,
}

impl ImageSize {
    /// An image that is stored as it is shown.
    pub fn upright_as_stored(size: (u32, u32)) -> Self {
        Self { stored: size, orientation: Orientation::NoTransforms }
    }

    /// `(width, height)` of the image as it is shown: that of what [`decode`](crate::decode()) returns.
    pub fn shown(&self) -> (u32, u32) {
        use Orientation::{Rotate90, Rotate90FlipH, Rotate270, Rotate270FlipH};
        let (width, height) = self.stored;
        match self.orientation {
            Rotate90 | Rotate270 | Rotate90FlipH | Rotate270FlipH => (height, width),
            _ => (width, height),
        }
    }

    /// The EXIF orientation, 1..=8; 1 where the file has none.
    pub fn orientation(&self) -> u8 {
        self.orientation.to_exif()
    }

    /// Whether the pixels are stored in another way than they are shown.
    pub fn is_turned(&self) -> bool {
        self.orientation != Orientation::NoTransforms
    }

    /// Where a point of the stored pixels lies in the image as it is shown.
    pub fn to_shown(&self, [x, y]: [f32; 2]) -> [f32; 2] {
        let (right, bottom) = ((self.stored.0 as f32) - 1.0, (self.stored.1 as f32) - 1.0);
        match self.orientation {
            Orientation::NoTransforms => [x, y],
            Orientation::FlipHorizontal => [right - x, y],
            Orientation::Rotate180 => [right - x, bottom - y],
            Orientation::FlipVertical => [x, bottom - y],
            Orientation::Rotate90FlipH => [y, x],
            Orientation::Rotate90 => [bottom - y, x],
            Orientation::Rotate270FlipH => [bottom - y, right - x],
            Orientation::Rotate270 => [y, right - x],
        }
    }

    /// Where a point of the image as it is shown lies in the stored pixels: [`ImageSize::to_shown`] turned back.
    pub fn to_stored(&self, [x, y]: [f32; 2]) -> [f32; 2] {
        let (right, bottom) = ((self.stored.0 as f32) - 1.0, (self.stored.1 as f32) - 1.0);
        match self.orientation {
            Orientation::Rotate90 => [y, bottom - x],
            Orientation::Rotate270 => [right - y, x],
            Orientation::Rotate270FlipH => [right - y, bottom - x],
            // Every other one undoes itself.
            _ => self.to_shown([x, y]),
        }
    }
}

/// Reads how large an image file is. No pixel is decoded, and what [`decode`](crate::decode()) would find wrong behind the
/// header is not noticed.
///
/// # Errors
///
/// [`DecodeError`] where the file cannot be read, is no image, or its header is damaged.
pub fn image_size(path: &Path) -> Result<ImageSize, DecodeError> {
    size_of_file(path).map_err(|refusal| DecodeError { path: path.to_owned(), refusal })
}

fn size_of_file(path: &Path) -> Result<ImageSize, Refusal> {
    // Asked before opening: to open a pipe is to wait for its other end.
    let metadata = fs::metadata(path).map_err(Refusal::Unreadable)?;
    if !metadata.is_file() {
        return Err(Refusal::NotAFile);
    }
    if metadata.len() == 0 {
        return Err(Refusal::Empty);
    }
    let mut file = File::open(path).map_err(Refusal::Unreadable)?;
    let mut beginning = Vec::new();
    file.by_ref().take(BEGINNING).read_to_end(&mut beginning).map_err(Refusal::Unreadable)?;
    let (format, name) = supported_format(&beginning)?;
    file.rewind().map_err(Refusal::Unreadable)?;
    // Decoders are other people's code on other people's bytes.
    let read = panic::catch_unwind(|| size_in_header(file, format)).map_err(|_| Refusal::DecoderPanic)?;
    let size = read.map_err(|error| Refusal::Damaged { format: name, detail: error.to_string() })?;
    match size.stored {
        (width @ 1.., height @ 1..) => Ok(ImageSize { stored: (width, height), ..size }),
        (width, height) => Err(Refusal::TooSmall { width, height, limit: 1 }),
    }
}

fn size_in_header(file: File, format: ImageFormat) -> ImageResult<ImageSize> {
    let mut reader = ImageReader::with_format(BufReader::new(file), format);
    reader.no_limits();
    let mut decoder = reader.into_decoder()?;
    // Unreadable metadata says nothing: `decode` leaves such an image as it is stored, too.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    Ok(ImageSize { stored: decoder.dimensions(), orientation })
}

//! Any listed image, by its number.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};

use image::RgbImage;

use super::{ImageSource, Place};
use crate::content::{ImageContent, Stamp};
use crate::decode::{self, DecodeError, DecodeLimits, Refusal, decode_bytes};

impl ImageSource {
    /// The encoded bytes of image `image`, as they are stored.
    ///
    /// Every call opens the file anew, so that any number of threads may read at once.
    ///
    /// # Errors
    ///
    /// [`Refusal::FileTooLarge`] beyond the limit, [`Refusal::Unreadable`] and [`Refusal::NotAFile`] where the file
    /// system says so; with the place of the image.
    ///
    /// # Panics
    ///
    /// If there is no such image.
    pub fn read(&self, image: usize, limits: &DecodeLimits) -> Result<Vec<u8>, DecodeError> {
        let path = self.describe(image);
        let bytes = match self.image(image).place {
            Place::File => decode::read(&path, limits),
            Place::Slice { file, offset, length } => self.read_slice(file, offset, length, limits),
        };
        bytes.map_err(|refusal| DecodeError { path, refusal })
    }

    /// As [`read`](Self::read), with what tells the image from another one of the same name.
    ///
    /// # Errors
    ///
    /// Those of [`read`](Self::read).
    ///
    /// # Panics
    ///
    /// If there is no such image.
    pub fn read_noting(&self, image: usize, limits: &DecodeLimits) -> Result<(Vec<u8>, ImageContent), DecodeError> {
        // Before the bytes: a file that is changed while it is read does not have this stamp afterwards.
        let stamp = self.stamp(image);
        let bytes = self.read(image, limits)?;
        let content = ImageContent::of(&bytes, stamp);
        Ok((bytes, content))
    }

    /// What tells without reading it that an image is still the same; `None` where the file system does not say.
    pub(crate) fn stamp(&self, image: usize) -> Option<Stamp> {
        let metadata = match self.image(image).place {
            Place::File => fs::metadata(self.describe(image)).map(|found| (found, 0)),
            Place::Slice { file, offset, .. } => fs::metadata(&self.files[file as usize]).map(|found| (found, offset)),
        };
        metadata.ok().map(|(found, offset)| Stamp::of(&found, offset))
    }

    /// Image `image` as [`decode()`](crate::decode()) has it.
    ///
    /// # Errors
    ///
    /// Every [`Refusal`], with the place of the image: the file, or the tar and the member.
    ///
    /// # Panics
    ///
    /// If there is no such image.
    pub fn decode(&self, image: usize, limits: &DecodeLimits) -> Result<RgbImage, DecodeError> {
        let bytes = self.read(image, limits)?;
        decode_bytes(&bytes, limits).map_err(|refusal| DecodeError { path: self.describe(image), refusal })
    }

    fn read_slice(&self, file: u32, offset: u64, length: u64, limits: &DecodeLimits) -> Result<Vec<u8>, Refusal> {
        if length > limits.max_file_bytes {
            return Err(Refusal::FileTooLarge { bytes: length, limit: limits.max_file_bytes });
        }
        let mut bytes = vec![0; length as usize];
        File::open(&self.files[file as usize])
            .and_then(|mut file| {
                file.seek(SeekFrom::Start(offset))?;
                file.read_exact(&mut bytes)
            })
            .map_err(Refusal::Unreadable)?;
        Ok(bytes)
    }
}

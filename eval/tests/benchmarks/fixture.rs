//! Folders written for a test, and the ways in which a text file is changed without losing its meaning.

use std::fs;
use std::path::{Path, PathBuf};

use eval::{BenchmarkName, KeyPointPair, ReadOptions, ReadPairs, read_pairs};
use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, ImageEncoder, RgbImage};
use tempfile::TempDir;

/// A folder that is removed when dropped.
pub struct Folder(TempDir);

impl Folder {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn join(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    pub fn write(&self, path: &str, bytes: impl AsRef<[u8]>) {
        let path = self.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    /// An image of one colour; the format follows the extension.
    pub fn image(&self, path: &str, width: u32, height: u32) {
        let path = self.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let format = image::ImageFormat::from_path(&path).unwrap();
        RgbImage::new(width, height).save_with_format(path, format).unwrap();
    }

    /// A JPEG of one colour that is stored turned.
    pub fn turned_image(&self, path: &str, (width, height): (u32, u32), orientation: u8) {
        let mut exif = b"II*\0\x08\0\0\0\x01\0".to_vec();
        exif.extend([0x12, 0x01, 3, 0, 1, 0, 0, 0, orientation, 0, 0, 0, 0, 0, 0, 0]);
        let mut bytes = Vec::new();
        let mut encoder = JpegEncoder::new(&mut bytes);
        encoder.set_exif_metadata(exif).unwrap();
        encoder.write_image(&RgbImage::new(width, height), width, height, ExtendedColorType::Rgb8).unwrap();
        self.write(path, bytes);
    }

    pub fn text(&self, path: &str) -> String {
        fs::read_to_string(self.join(path)).unwrap()
    }

    pub fn remove(&self, path: &str) {
        fs::remove_file(self.join(path)).unwrap();
    }

    /// Replaces `from`, which must be there, in a text file.
    pub fn replace(&self, path: &str, from: &str, to: &str) {
        let text = self.text(path);
        assert!(text.contains(from), "{path} has no {from}");
        self.write(path, text.replace(from, to));
    }

    pub fn read(&self, name: BenchmarkName) -> ReadPairs {
        self.read_with(name, &ReadOptions::default())
    }

    pub fn read_with(&self, name: BenchmarkName, options: &ReadOptions) -> ReadPairs {
        read_pairs(name, self.path(), options).unwrap_or_else(|error| panic!("{error}"))
    }

    /// What the reader says is wrong.
    pub fn message(&self, name: BenchmarkName) -> String {
        match read_pairs(name, self.path(), &ReadOptions::default()) {
            Ok(read) => panic!("{name} was read, {} pairs", read.pairs.len()),
            Err(error) => error.to_string(),
        }
    }

    /// Reads once for each way of writing `path` that means the same, and asserts that the pairs do not change.
    pub fn same_however_written(&self, name: BenchmarkName, path: &str) {
        let (text, pairs) = (self.text(path), self.read(name).pairs);
        for (how, changed) in ways_to_write(&text) {
            self.write(path, changed);
            assert_eq!(self.read(name).pairs, pairs, "{path} {how}");
        }
        self.write(path, text);
    }

    /// Puts `from → to` into a file, asserts that the message has every one of `said`, and puts the file back.
    pub fn damaged(&self, name: BenchmarkName, path: &str, from: &str, to: &str, said: &[&str]) {
        let text = self.text(path);
        self.replace(path, from, to);
        let message = self.message(name);
        for said in said {
            assert!(message.contains(said), "{path} with `{to}`: `{said}` is not in: {message}");
        }
        assert!(message.contains(path.rsplit('/').next().unwrap()), "the file is not named: {message}");
        self.write(path, text);
    }
}

pub fn ways_to_write(text: &str) -> [(&'static str, String); 4] {
    let crlf = text.replace("\r\n", "\n").replace('\n', "\r\n");
    [
        ("with CRLF", crlf.clone()),
        ("with a byte order mark", format!("\u{feff}{text}")),
        ("without the last line end", text.trim_end().to_owned()),
        ("with all three", format!("\u{feff}{}", crlf.trim_end())),
    ]
}

pub fn ids(pairs: &[KeyPointPair]) -> Vec<&str> {
    pairs.iter().map(|pair| pair.id.as_str()).collect()
}

/// Feeds a parser every beginning of a text, and the text with each byte in turn replaced: it must answer, never panic.
pub fn survives_damage<T, E>(bytes: &[u8], parse: impl Fn(&[u8]) -> Result<T, E>) {
    for end in 0..bytes.len() {
        let _ = parse(&bytes[..end]);
    }
    let mut damaged = bytes.to_vec();
    for index in 0..bytes.len() {
        for byte in [0, b'9', b',', b'"', b'-', 0xFF] {
            damaged[index] = byte;
            let _ = parse(&damaged);
        }
        damaged[index] = bytes[index];
    }
}

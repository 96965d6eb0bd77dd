//! Dense flow in `.flo` files, the format of the ground truth of TSS and of optical-flow benchmarks.
//!
//! ```text
//! f32 202021.25 | i32 width | i32 height | width · height · (f32 u, f32 v), row by row       all little endian
//! ```
//!
//! The pixel (x, y) of the flow's own image corresponds to (x + u, y + v) of the other image, in pixels. A vector with
//! a component that is NaN or larger than 1e9 in size is unknown.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// The number that a `.flo` file starts with.
const MAGIC: f32 = 202_021.25;

/// A component larger than this marks an unknown vector.
const LARGEST_KNOWN: f32 = 1e9;

const HEADER_BYTES: usize = 12;

const VECTOR_BYTES: usize = 8;

/// A file larger than this is refused before it is read: a flow of 8192×8192 pixels has this size.
const LARGEST_FILE: u64 = 512 << 20;

/// For each pixel of an image, where it goes in another.
#[derive(Clone, Debug, PartialEq)]
pub struct Flow {
    width: u32,
    height: u32,
    vectors: Vec<[f32; 2]>,
}

impl Flow {
    /// A flow on an image of the given size from its vectors `[u, v]`, row by row.
    ///
    /// # Panics
    ///
    /// If a side is 0 or larger than the format can hold (2^31 − 1), or the number of vectors is not that of the
    /// pixels.
    pub fn new(size: (u32, u32), vectors: Vec<[f32; 2]>) -> Self {
        let (width, height) = size;
        let fits = |side: u32| side > 0 && i32::try_from(side).is_ok();
        assert!(fits(width) && fits(height), "a flow cannot be {width}x{height}");
        let pixels = u64::from(width) * u64::from(height);
        assert_eq!(vectors.len() as u64, pixels, "a flow of {width}x{height} cannot hold {} vectors", vectors.len());
        Self { width, height, vectors }
    }

    /// `(width, height)` in pixels.
    pub fn size(&self) -> (u32, u32) {
        (self.width, self.height)
    }

    /// The vectors `[u, v]`, row by row, unknown ones included.
    pub fn vectors(&self) -> &[[f32; 2]] {
        &self.vectors
    }

    /// The vector at (x, y); `None` where it is unknown.
    ///
    /// # Panics
    ///
    /// If the pixel lies outside the flow.
    pub fn get(&self, x: u32, y: u32) -> Option<[f32; 2]> {
        assert!(x < self.width && y < self.height, "({x}, {y}) lies outside a {}x{} flow", self.width, self.height);
        let vector = self.vectors[y as usize * self.width as usize + x as usize];
        is_known(vector).then_some(vector)
    }

    /// The same flow into the other image mirrored left to right: `u' = (W − 1 − (x + u)) − x`, W being the other
    /// image's width. It turns the answers of a matcher that saw the other image as it is into those that TSS wants
    /// where `flip` is 1. Twice is nothing, but for rounding. Unknown vectors stay as they are.
    pub fn mirrored(mut self, other_width: u32) -> Self {
        let row = self.width as usize;
        for (index, vector) in self.vectors.iter_mut().enumerate().filter(|(_, vector)| is_known(**vector)) {
            let x = (index % row) as f64;
            vector[0] = (f64::from(other_width) - 1.0 - 2.0 * x - f64::from(vector[0])) as f32;
        }
        self
    }
}

/// Whether a vector says where its pixel goes.
pub(crate) fn is_known(vector: [f32; 2]) -> bool {
    // A NaN is not smaller than anything.
    vector.iter().all(|component| component.abs() <= LARGEST_KNOWN)
}

/// Why a `.flo` file could not be read or written.
#[derive(Debug, Error)]
pub enum FlowError {
    /// The operating system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file's bytes are not what they should be.
    #[error("{}: {problem}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong in it.
        problem: FlowProblem,
    },
}

/// What is wrong in the bytes of a `.flo` file.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum FlowProblem {
    /// Larger than any flow of images.
    #[error("{0} bytes are too many for a flow between two images; is this the right file?")]
    TooLarge(u64),
    /// Too short for a header.
    #[error("{0} bytes are too few for the header of a .flo file; is the file whole?")]
    NoHeader(usize),
    /// The first four bytes are another number.
    #[error("this is not a .flo file, which starts with the number 202021.25 in little-endian order")]
    NotFlow,
    /// A side that no image has.
    #[error("the header says {width}x{height} pixels, which no image has")]
    Size {
        /// What stands for the width.
        width: i32,
        /// What stands for the height.
        height: i32,
    },
    /// More or fewer bytes than the size in the header asks for.
    #[error("{width}x{height} vectors need {expected} bytes with the header, the file has {found}; is it whole?")]
    Length {
        /// Pixels in a row.
        width: i32,
        /// Rows.
        height: i32,
        /// Bytes the file should have.
        expected: u64,
        /// Bytes it has.
        found: usize,
    },
}

/// Reads a `.flo` file.
///
/// # Errors
///
/// [`FlowError`] with the path.
pub fn read_flow(path: &Path) -> Result<Flow, FlowError> {
    let io = |source| FlowError::Io { path: path.to_owned(), source };
    let content = |problem| FlowError::Content { path: path.to_owned(), problem };
    let size = fs::metadata(path).map_err(io)?.len();
    if size > LARGEST_FILE {
        return Err(content(FlowProblem::TooLarge(size)));
    }
    parse_flow(&fs::read(path).map_err(io)?).map_err(content)
}

/// Reads the bytes of a `.flo` file. Nothing is allocated before the size in the header is found to be that of the
/// bytes.
///
/// # Errors
///
/// [`FlowProblem`] where the bytes are no flow.
pub fn parse_flow(bytes: &[u8]) -> Result<Flow, FlowProblem> {
    let (header, values) = bytes.split_first_chunk::<HEADER_BYTES>().ok_or(FlowProblem::NoHeader(bytes.len()))?;
    let [magic, width, height] = words(header);
    if f32::from_le_bytes(magic) != MAGIC {
        return Err(FlowProblem::NotFlow);
    }
    let (width, height) = (i32::from_le_bytes(width), i32::from_le_bytes(height));
    let (Some(columns), Some(rows)) = (positive(width), positive(height)) else {
        return Err(FlowProblem::Size { width, height });
    };
    // Less than 2^62 vectors, so that the product with 8 still fits.
    let expected = (u64::from(columns) * u64::from(rows)).saturating_mul(VECTOR_BYTES as u64);
    if values.len() as u64 != expected {
        let expected = expected.saturating_add(HEADER_BYTES as u64);
        return Err(FlowProblem::Length { width, height, expected, found: bytes.len() });
    }
    let (vectors, _) = values.as_chunks::<VECTOR_BYTES>();
    let vector = |[a, b, c, d, e, f, g, h]: &[u8; VECTOR_BYTES]| {
        [f32::from_le_bytes([*a, *b, *c, *d]), f32::from_le_bytes([*e, *f, *g, *h])]
    };
    Ok(Flow { width: columns, height: rows, vectors: vectors.iter().map(vector).collect() })
}

/// The bytes of a flow's `.flo` file: what [`parse_flow`] was given, bit by bit.
pub fn flow_bytes(flow: &Flow) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER_BYTES + flow.vectors.len() * VECTOR_BYTES);
    bytes.extend_from_slice(&MAGIC.to_le_bytes());
    bytes.extend_from_slice(&flow.width.to_le_bytes());
    bytes.extend_from_slice(&flow.height.to_le_bytes());
    for component in flow.vectors.as_flattened() {
        bytes.extend_from_slice(&component.to_le_bytes());
    }
    bytes
}

/// Writes a `.flo` file.
///
/// # Errors
///
/// [`FlowError::Io`] where the file cannot be written.
pub fn write_flow(path: &Path, flow: &Flow) -> Result<(), FlowError> {
    fs::write(path, flow_bytes(flow)).map_err(|source| FlowError::Io { path: path.to_owned(), source })
}

fn words([a, b, c, d, e, f, g, h, i, j, k, l]: &[u8; HEADER_BYTES]) -> [[u8; 4]; 3] {
    [[*a, *b, *c, *d], [*e, *f, *g, *h], [*i, *j, *k, *l]]
}

fn positive(side: i32) -> Option<u32> {
    u32::try_from(side).ok().filter(|side| *side > 0)
}

//! Numeric matrices in MATLAB version 5 files, the format of the key points of WILLOW and PF-PASCAL.
//!
//! The layout is that of "MAT-File Format", The MathWorks: a header of 128 bytes, then tagged elements, each either a
//! matrix or a zlib stream that holds one. Only real, dense, two-dimensional numeric arrays are read; anything else in
//! the file is stepped over: of an array that is not the wanted one nothing is looked at, or decompressed, behind its name.
//! No input makes the reader panic, or allocate more than a small multiple of the file's size.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use flate2::read::ZlibDecoder;
use thiserror::Error;

/// A file larger than this is refused before it is read: annotation files have a few hundred bytes.
const LARGEST_FILE: u64 = 64 << 20;

/// Flags, dimensions and name of an array fit in so many bytes, or are damaged.
const LARGEST_HEADER: u64 = 4 << 10;

/// The wanted array may grow to this many times its compressed size, and [`FREE_GROWTH`] more: a zlib bomb is refused.
const LARGEST_GROWTH: u64 = 64;
const FREE_GROWTH: u64 = 64 << 10;

/// MATLAB allows names of this many characters; one that is longer is damage.
const LONGEST_NAME: usize = 63;

/// At most this many names of other variables are told to the user.
const MOST_NAMES: usize = 20;

const HEADER_BYTES: usize = 128;
const INT8: u32 = 1;
const INT32: u32 = 5;
const UINT32: u32 = 6;
const DOUBLE: u32 = 9;
const MATRIX: u32 = 14;
const COMPRESSED: u32 = 15;
const DOUBLE_CLASS: u32 = 6;
const NUMERIC_CLASSES: std::ops::RangeInclusive<u32> = 6..=15;
/// An object of a class of MATLAB's own, such as `string` or `table`: it has no dimensions before its name.
const OPAQUE_CLASS: u32 = 17;
/// Types of elements that version 5 files may have, but for what is read here: text and numbers outside of arrays.
const OTHER_ELEMENTS: std::ops::RangeInclusive<u32> = 1..=18;
/// The bits of an array's flags that are its class.
const CLASS: u32 = 0xff;
const COMPLEX_FLAG: u32 = 0x0800;

/// A real matrix, stored column by column as MATLAB does.
#[derive(Clone, Debug, PartialEq)]
pub struct Matrix {
    rows: usize,
    columns: usize,
    values: Vec<f64>,
}

impl Matrix {
    /// A matrix of the given shape from its values, column by column.
    ///
    /// # Panics
    ///
    /// If the number of values is not `rows * columns`.
    pub fn from_columns(rows: usize, columns: usize, values: Vec<f64>) -> Self {
        assert_eq!(values.len(), rows * columns, "a {rows}x{columns} matrix cannot hold {} values", values.len());
        Self { rows, columns, values }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// The value at (row, column), both counted from 0.
    ///
    /// # Panics
    ///
    /// If the position lies outside the matrix.
    pub fn get(&self, row: usize, column: usize) -> f64 {
        assert!(
            row < self.rows && column < self.columns,
            "({row}, {column}) lies outside a {}x{} matrix",
            self.rows,
            self.columns
        );
        self.values[column * self.rows + row]
    }
}

/// Why a `.mat` file could not be read or written.
#[derive(Debug, Error)]
pub enum MatError {
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
        problem: MatProblem,
    },
}

/// What is wrong in the bytes of a `.mat` file.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum MatProblem {
    /// Larger than any annotation file.
    #[error("{0} bytes are too many for a file of key points; is this the right file?")]
    TooLarge(u64),
    /// The header of a file of MATLAB 7.3, which is HDF5.
    #[error("this is a MATLAB 7.3 (HDF5) file; save it again in MATLAB with save(…, '-v7')")]
    Version73,
    /// No header of a version 5 file.
    #[error("this is not a MATLAB version 5 file")]
    NotVersion5,
    /// An element reaches past the end of the file, or of the element that holds it.
    #[error("the file is truncated: {what} at byte {offset} needs {needed} bytes, {left} are left")]
    Truncated {
        /// What was being read.
        what: &'static str,
        /// Where, counted from the start of the file, or of the decompressed element.
        offset: usize,
        /// Bytes it claims.
        needed: usize,
        /// Bytes there are.
        left: usize,
    },
    /// A zlib stream that does not decompress, or grows out of all proportion.
    #[error("the compressed element at byte {offset} is damaged: {reason}")]
    Compression {
        /// Where the element starts in the file.
        offset: usize,
        /// What the decompressor said.
        reason: String,
    },
    /// Well-formed elements in an order or of a kind that no version 5 file has.
    #[error("the file is damaged: {0}")]
    Damaged(String),
    /// The variable is not in the file.
    #[error("there is no variable `{wanted}` in the file (it has: {})", if found.is_empty() { "none".to_owned() } else { found.join(", ") })]
    MissingVariable {
        /// The name looked for.
        wanted: String,
        /// The names that are there.
        found: Vec<String>,
    },
    /// The variable is there and is no real two-dimensional numeric array.
    #[error("the variable `{name}` is {what}, not a real matrix")]
    NotAMatrix {
        /// Its name.
        name: String,
        /// What it is instead.
        what: String,
    },
}

/// Reads the matrix called `variable` from a MATLAB version 5 file.
///
/// # Errors
///
/// [`MatError`], with the path, where the file cannot be read, is damaged, or has no such matrix.
pub fn read_matrix(path: &Path, variable: &str) -> Result<Matrix, MatError> {
    let io = |source| MatError::Io { path: path.to_owned(), source };
    let size = fs::metadata(path).map_err(io)?.len();
    if size > LARGEST_FILE {
        return Err(MatError::Content { path: path.to_owned(), problem: MatProblem::TooLarge(size) });
    }
    let bytes = fs::read(path).map_err(io)?;
    parse_matrix(&bytes, variable).map_err(|problem| MatError::Content { path: path.to_owned(), problem })
}

/// Finds the matrix called `variable` in the bytes of a MATLAB version 5 file.
///
/// # Errors
///
/// [`MatProblem`] where the bytes are damaged or hold no such matrix.
pub fn parse_matrix(bytes: &[u8], variable: &str) -> Result<Matrix, MatProblem> {
    let big_endian = check_header(bytes)?;
    let mut file = Elements { bytes, offset: HEADER_BYTES, big_endian };
    let mut found = Vec::new();
    while !file.at_end() {
        let start = file.offset;
        let name = match file.next("an element")? {
            (MATRIX, content) => {
                let array = Array::parse(content, big_endian)?;
                if array.name == variable {
                    return array.into_matrix();
                }
                array.name
            }
            (COMPRESSED, content) => {
                let name = compressed_name(content, start, big_endian)?;
                if name == variable {
                    let inflated = inflate(content, start)?;
                    let array = Elements { bytes: &inflated, offset: 0, big_endian }.next("a compressed array")?.1;
                    return Array::parse(array, big_endian)?.into_matrix();
                }
                name
            }
            (kind, _) if OTHER_ELEMENTS.contains(&kind) => continue,
            (kind, _) => return Err(MatProblem::Damaged(format!("an element of type {kind} at byte {start}"))),
        };
        // What MATLAB keeps of its objects is an array without a name.
        if found.len() < MOST_NAMES && !name.is_empty() {
            found.push(name);
        }
    }
    Err(MatProblem::MissingVariable { wanted: variable.to_owned(), found })
}

/// Writes one matrix, uncompressed, as a MATLAB version 5 file that MATLAB, SciPy and [`read_matrix`] read.
///
/// # Errors
///
/// [`MatError::Io`] where the file cannot be written.
///
/// # Panics
///
/// If the name is empty or the matrix has more values than the format can hold (2^28).
pub fn write_matrix(path: &Path, variable: &str, matrix: &Matrix) -> Result<(), MatError> {
    fs::write(path, to_bytes(variable, matrix)).map_err(|source| MatError::Io { path: path.to_owned(), source })
}

fn to_bytes(variable: &str, matrix: &Matrix) -> Vec<u8> {
    assert!(!variable.is_empty(), "a MATLAB variable needs a name");
    assert!(matrix.values.len() <= 1 << 28, "{} values are too many for a version 5 file", matrix.values.len());
    let mut array = Vec::new();
    push_element(&mut array, UINT32, &[DOUBLE_CLASS.to_le_bytes(), 0u32.to_le_bytes()].concat());
    push_element(
        &mut array,
        INT32,
        &[(matrix.rows as i32).to_le_bytes(), (matrix.columns as i32).to_le_bytes()].concat(),
    );
    push_element(&mut array, INT8, variable.as_bytes());
    let values: Vec<u8> = matrix.values.iter().flat_map(|value| value.to_le_bytes()).collect();
    push_element(&mut array, DOUBLE, &values);

    let mut file = format!("{:<124}", "MATLAB 5.0 MAT-file").into_bytes();
    file.extend_from_slice(&0x0100u16.to_le_bytes());
    file.extend_from_slice(b"IM");
    push_element(&mut file, MATRIX, &array);
    file
}

fn push_element(to: &mut Vec<u8>, kind: u32, content: &[u8]) {
    to.extend_from_slice(&kind.to_le_bytes());
    to.extend_from_slice(&(content.len() as u32).to_le_bytes());
    to.extend_from_slice(content);
    to.resize(to.len().next_multiple_of(8), 0);
}

/// True for a big-endian file.
fn check_header(bytes: &[u8]) -> Result<bool, MatProblem> {
    if bytes.starts_with(b"MATLAB 7.3") || bytes.starts_with(b"\x89HDF") {
        return Err(MatProblem::Version73);
    }
    if bytes.len() < HEADER_BYTES && bytes.starts_with(b"MATLAB") {
        return Err(MatProblem::Truncated { what: "the header", offset: 0, needed: HEADER_BYTES, left: bytes.len() });
    }
    match bytes.get(HEADER_BYTES - 4..HEADER_BYTES) {
        Some([0x00, 0x01, b'I', b'M']) => Ok(false),
        Some([0x01, 0x00, b'M', b'I']) => Ok(true),
        _ => Err(MatProblem::NotVersion5),
    }
}

/// The name of the array in a compressed element; what stands behind it may be of any size, and damaged.
fn compressed_name(content: &[u8], offset: usize, big_endian: bool) -> Result<String, MatProblem> {
    let mut start = Vec::new();
    let read = ZlibDecoder::new(content).take(LARGEST_HEADER).read_to_end(&mut start);
    let mut inner = Elements { bytes: &start, offset: 0, big_endian };
    let name = match (inner.word("a compressed array"), inner.word("a compressed array")) {
        (Ok(MATRIX), Ok(_)) => Array::parse(&start[inner.offset..], big_endian).map(|array| array.name),
        (Ok(kind), Ok(_)) => Err(MatProblem::Damaged(format!("a compressed element of type {kind}"))),
        (Err(problem), _) | (_, Err(problem)) => Err(problem),
    };
    match read {
        Err(error) if name.is_err() => Err(MatProblem::Compression { offset, reason: error.to_string() }),
        _ => name,
    }
}

/// The whole of a compressed element.
fn inflate(content: &[u8], offset: usize) -> Result<Vec<u8>, MatProblem> {
    let limit = content.len() as u64 * LARGEST_GROWTH + FREE_GROWTH;
    let damaged = |reason: String| MatProblem::Compression { offset, reason };
    let mut inflated = Vec::new();
    ZlibDecoder::new(content).take(limit + 1).read_to_end(&mut inflated).map_err(|error| damaged(error.to_string()))?;
    if inflated.len() as u64 > limit {
        return Err(damaged(format!("{} bytes grow to more than {limit}", content.len())));
    }
    Ok(inflated)
}

/// A walk over tagged elements that lie one after another.
struct Elements<'a> {
    bytes: &'a [u8],
    offset: usize,
    big_endian: bool,
}

impl<'a> Elements<'a> {
    fn at_end(&self) -> bool {
        self.offset >= self.bytes.len()
    }

    fn take(&mut self, count: usize, what: &'static str) -> Result<&'a [u8], MatProblem> {
        let left = self.bytes.len().saturating_sub(self.offset);
        if count > left {
            return Err(MatProblem::Truncated { what, offset: self.offset, needed: count, left });
        }
        let taken = &self.bytes[self.offset..self.offset + count];
        self.offset += count;
        Ok(taken)
    }

    fn word(&mut self, what: &'static str) -> Result<u32, MatProblem> {
        Ok(first_word(self.take(4, what)?, self.big_endian))
    }

    /// The type and content of the next element, and steps over its padding.
    fn next(&mut self, what: &'static str) -> Result<(u32, &'a [u8]), MatProblem> {
        let tag = self.word(what)?;
        // A small element packs its byte count into the upper half of the tag and its content into the next four bytes.
        if tag >> 16 != 0 {
            let (kind, count) = (tag & 0xffff, (tag >> 16) as usize);
            if count > 4 {
                return Err(MatProblem::Damaged(format!("a small element of {count} bytes for {what}")));
            }
            return Ok((kind, &self.take(4, what)?[..count]));
        }
        let count = self.word(what)? as usize;
        let content = self.take(count, what)?;
        if tag != COMPRESSED {
            let padding = count.wrapping_neg() % 8;
            // Some writers leave out the padding of the last element.
            self.offset = (self.offset + padding).min(self.bytes.len());
        }
        Ok((tag, content))
    }
}

/// Chunks of `N` bytes, turned into the order of this machine.
fn numbers<const N: usize>(bytes: &[u8], big_endian: bool) -> impl Iterator<Item = [u8; N]> {
    let (chunks, _) = bytes.as_chunks::<N>();
    let swap = big_endian != cfg!(target_endian = "big");
    chunks.iter().map(move |chunk| {
        let mut chunk = *chunk;
        if swap {
            chunk.reverse();
        }
        chunk
    })
}

/// The first four bytes as a number; 0 where there are fewer.
fn first_word(bytes: &[u8], big_endian: bool) -> u32 {
    numbers(bytes, big_endian).next().map_or(0, u32::from_ne_bytes)
}

/// One array element before its values are decoded.
struct Array<'a> {
    name: String,
    flags: u32,
    dimensions: Vec<i32>,
    rest: Elements<'a>,
}

impl<'a> Array<'a> {
    fn parse(content: &'a [u8], big_endian: bool) -> Result<Self, MatProblem> {
        let mut parts = Elements { bytes: content, offset: 0, big_endian };
        let flags = match parts.next("array flags")? {
            (UINT32, flags) if flags.len() == 8 => first_word(flags, big_endian),
            (kind, flags) => {
                return Err(MatProblem::Damaged(format!("array flags of type {kind} and {} bytes", flags.len())));
            }
        };
        let dimensions = match flags & CLASS {
            OPAQUE_CLASS => Vec::new(),
            _ => match parts.next("array dimensions")? {
                (INT32, bytes) => numbers(bytes, big_endian).map(i32::from_ne_bytes).collect(),
                (kind, _) => return Err(MatProblem::Damaged(format!("array dimensions of type {kind}"))),
            },
        };
        let name = match parts.next("array name")? {
            (INT8, name) if name.len() > LONGEST_NAME => {
                return Err(MatProblem::Damaged(format!("an array name of {} bytes", name.len())));
            }
            (INT8, name) => String::from_utf8_lossy(name).into_owned(),
            (kind, _) => return Err(MatProblem::Damaged(format!("an array name of type {kind}"))),
        };
        Ok(Self { name, flags, dimensions, rest: parts })
    }

    fn into_matrix(mut self) -> Result<Matrix, MatProblem> {
        let class = self.flags & CLASS;
        let not_a_matrix = |name: String, what: String| MatProblem::NotAMatrix { name, what };
        if !NUMERIC_CLASSES.contains(&class) {
            return Err(not_a_matrix(self.name, class_name(class)));
        }
        if self.flags & COMPLEX_FLAG != 0 {
            return Err(not_a_matrix(self.name, "complex".to_owned()));
        }
        let &[rows, columns] = self.dimensions.as_slice() else {
            return Err(not_a_matrix(self.name, format!("an array of {} dimensions", self.dimensions.len())));
        };
        let (kind, bytes) = self.rest.next("array values")?;
        let values = decode(kind, bytes, self.rest.big_endian)?;
        let shape = usize::try_from(rows).ok().zip(usize::try_from(columns).ok());
        match shape {
            Some((rows, columns)) if rows.checked_mul(columns) == Some(values.len()) => {
                Ok(Matrix::from_columns(rows, columns, values))
            }
            _ => {
                Err(MatProblem::Damaged(format!("`{}` is {rows}x{columns} and has {} values", self.name, values.len())))
            }
        }
    }
}

fn class_name(class: u32) -> String {
    let name = match class {
        1 => "a cell array",
        2 => "a struct",
        3 => "an object",
        4 => "text",
        5 => "a sparse array",
        16 => "a function",
        OPAQUE_CLASS => "an object of MATLAB's own, such as a string or a table",
        other => return format!("an array of the unknown class {other}"),
    };
    name.to_owned()
}

/// MATLAB stores doubles that happen to be integers in the smallest type that holds them, so every type is decoded.
fn decode(kind: u32, bytes: &[u8], big_endian: bool) -> Result<Vec<f64>, MatProblem> {
    macro_rules! as_doubles {
        ($number:ty) => {{
            if bytes.len() % size_of::<$number>() != 0 {
                return Err(MatProblem::Damaged(format!("{} bytes of {}", bytes.len(), stringify!($number))));
            }
            numbers(bytes, big_endian).map(|chunk| <$number>::from_ne_bytes(chunk) as f64).collect()
        }};
    }
    Ok(match kind {
        INT8 => as_doubles!(i8),
        2 => as_doubles!(u8),
        3 => as_doubles!(i16),
        4 => as_doubles!(u16),
        INT32 => as_doubles!(i32),
        UINT32 => as_doubles!(u32),
        7 => as_doubles!(f32),
        DOUBLE => as_doubles!(f64),
        12 => as_doubles!(i64),
        13 => as_doubles!(u64),
        kind => return Err(MatProblem::Damaged(format!("array values of type {kind}"))),
    })
}

//! Rows of CSV lists with a header, and the numbers in their cells; what is wrong is said with the line.

use std::path::Path;

use csv::{Reader, ReaderBuilder, StringRecord, Trim};

use super::error::BenchmarkError;
use super::files::{bad_line, without_mark};

/// More key points than this in one pair, or vertices in one outline, are taken for damage.
pub(super) const MOST_POINTS: usize = 4096;

/// A coordinate beyond this many pixels is taken for damage.
pub(super) const LARGEST_COORDINATE: f64 = 1e6;

/// A CSV list, opened, its header read.
pub(super) struct Rows<'a> {
    path: &'a Path,
    reader: Reader<&'a [u8]>,
    header: StringRecord,
    record: StringRecord,
    lines: LineCounter<'a>,
}

/// One row of a list.
pub(super) struct Row<'a> {
    path: &'a Path,
    header: &'a StringRecord,
    record: &'a StringRecord,
    /// Its line in the file, from 1.
    pub(super) line: u64,
}

impl<'a> Rows<'a> {
    /// Reads the header. Lines that start with `#` are passed over.
    pub(super) fn new(path: &'a Path, bytes: &'a [u8]) -> Result<Self, BenchmarkError> {
        let bytes = without_mark(bytes);
        let mut reader = ReaderBuilder::new().flexible(true).trim(Trim::All).comment(Some(b'#')).from_reader(bytes);
        let mut lines = LineCounter { bytes, counted: 0, line: 1 };
        let header = reader.headers().map_err(|error| csv_error(path, &mut lines, &error))?.clone();
        if header.is_empty() {
            return Err(bad_line(path, 1, "the file is empty; expected a header that names the columns"));
        }
        Ok(Self { path, reader, header, record: StringRecord::new(), lines })
    }

    /// The names of the columns.
    pub(super) fn header(&self) -> &StringRecord {
        &self.header
    }

    /// The position of the column with one of the names.
    pub(super) fn find_column(&self, names: &[&str]) -> Option<usize> {
        self.header.iter().position(|column| names.iter().any(|name| column.eq_ignore_ascii_case(name)))
    }

    /// The position of the column with one of the names; an error where there is none.
    pub(super) fn column(&self, names: &[&str], whole: &str) -> Result<usize, BenchmarkError> {
        self.find_column(names).ok_or_else(|| {
            let name = names.first().copied().unwrap_or_default();
            bad_line(self.path, 1, format!("the header has no column `{name}`; expected {whole}"))
        })
    }

    /// The next row, which has as many cells as the header.
    pub(super) fn next_row(&mut self) -> Option<Result<Row<'_>, BenchmarkError>> {
        match self.reader.read_record(&mut self.record) {
            Ok(false) => return None,
            Ok(true) => {}
            Err(error) => return Some(Err(csv_error(self.path, &mut self.lines, &error))),
        }
        let line = self.lines.line_of(self.record.position());
        if self.record.len() != self.header.len() {
            let problem = format!("the row has {} columns, the header {}", self.record.len(), self.header.len());
            return Some(Err(bad_line(self.path, line, problem)));
        }
        Some(Ok(Row { path: self.path, header: &self.header, record: &self.record, line }))
    }
}

impl Row<'_> {
    /// The text of a cell; an error where it is empty.
    pub(super) fn text(&self, column: usize) -> Result<&str, BenchmarkError> {
        let text = self.record.get(column).unwrap_or_default();
        if text.is_empty() { Err(self.bad(column, "is empty")) } else { Ok(text) }
    }

    /// The text of a cell that may be empty or absent.
    pub(super) fn optional(&self, column: Option<usize>) -> Option<&str> {
        column.and_then(|column| self.record.get(column)).filter(|text| !text.is_empty())
    }

    /// Coordinates that a character separates.
    pub(super) fn coordinates(&self, column: usize, separator: char) -> Result<Vec<f32>, BenchmarkError> {
        let text = self.text(column)?;
        let text = text.strip_suffix(separator).unwrap_or(text);
        let count = text.split(separator).count();
        if count > MOST_POINTS {
            return Err(self.bad(column, &format!("has {count} values, more than {MOST_POINTS}")));
        }
        text.split(separator).map(|value| coordinate(value).map_err(|problem| self.bad(column, &problem))).collect()
    }

    /// The points of two columns, one with x and one with y.
    pub(super) fn points(&self, x: usize, y: usize, separator: char) -> Result<Vec<[f32; 2]>, BenchmarkError> {
        let (xs, ys) = (self.coordinates(x, separator)?, self.coordinates(y, separator)?);
        if xs.len() != ys.len() {
            let (x, y) = (self.name(x), self.name(y));
            return Err(self.error(format!("`{x}` has {} values, `{y}` has {}", xs.len(), ys.len())));
        }
        Ok(xs.into_iter().zip(ys).map(|(x, y)| [x, y]).collect())
    }

    /// An error in the row.
    pub(super) fn error(&self, problem: impl Into<String>) -> BenchmarkError {
        bad_line(self.path, self.line, problem)
    }

    /// An error in a cell.
    pub(super) fn bad(&self, column: usize, problem: &str) -> BenchmarkError {
        self.error(format!("`{}` {problem}", self.name(column)))
    }

    fn name(&self, column: usize) -> &str {
        self.header.get(column).unwrap_or_default()
    }
}

/// A coordinate in pixels from its text; else what is wrong, said of the place where it stands.
pub(super) fn coordinate(text: &str) -> Result<f32, String> {
    let value: f64 = text.trim().parse().map_err(|_| format!("has `{}`, expected a number", shortened(text)))?;
    checked(value)
}

/// A coordinate that is finite and no larger than an image can be.
pub(super) fn checked(value: f64) -> Result<f32, String> {
    if value.is_finite() && value.abs() <= LARGEST_COORDINATE {
        Ok(value as f32)
    } else {
        Err(format!("has the value {value}, which is no coordinate in pixels"))
    }
}

/// The start of a text, for a message.
pub(super) fn shortened(text: &str) -> String {
    let mut start: String = text.chars().take(40).collect();
    if start.len() < text.len() {
        start.push('…');
    }
    start
}

fn csv_error(path: &Path, lines: &mut LineCounter<'_>, error: &csv::Error) -> BenchmarkError {
    bad_line(path, lines.line_of(error.position()), format!("no CSV: {error}"))
}

/// Counts lines up to where a record starts. The csv crate's own count is of where it went on reading, which is one
/// line early after CRLF, and earlier still before comments and blank lines.
struct LineCounter<'a> {
    bytes: &'a [u8],
    counted: usize,
    line: u64,
}

impl LineCounter<'_> {
    fn line_of(&mut self, position: Option<&csv::Position>) -> u64 {
        let from = position.map_or(0, csv::Position::byte);
        let from = usize::try_from(from).unwrap_or(usize::MAX).clamp(self.counted, self.bytes.len());
        self.count_to(from);
        while let Some(byte) = self.bytes.get(self.counted) {
            match byte {
                b'\r' | b'\n' => self.count_to(self.counted + 1),
                b'#' => {
                    let rest = &self.bytes[self.counted..];
                    let length = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
                    self.count_to(self.counted + length);
                }
                _ => break,
            }
        }
        self.line
    }

    fn count_to(&mut self, end: usize) {
        self.line += self.bytes[self.counted..end].iter().filter(|byte| **byte == b'\n').count() as u64;
        self.counted = end;
    }
}

//! Rows into a Parquet file, some thousands at a time.

use std::fs::File;
use std::sync::Arc;

use parquet::basic::Compression;
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, FloatType, Int32Type, Int64Type};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;

use super::error::write_error;
use crate::atomic_file::{UnfinishedFile, WriteError};
use crate::build::BuildIdentity;

/// Rows that are held before they are written: enough to compress well, little enough to forget.
const ROWS_A_GROUP: usize = 4096;

/// A value of a row.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell {
    Text(String),
    /// Unsigned, of 64 bits.
    Long(u64),
    /// Unsigned, of 32 bits.
    Int(u32),
    Real(f32),
    Flag(bool),
    Missing,
}

/// A table of `COLUMNS` columns in the making.
pub(super) struct TableWriter<const COLUMNS: usize> {
    file: UnfinishedFile,
    writer: SerializedFileWriter<File>,
    /// Column by column.
    waiting: [Vec<Cell>; COLUMNS],
}

impl<const COLUMNS: usize> TableWriter<COLUMNS> {
    /// A table whose columns are those of `schema`, in Parquet's own notation.
    ///
    /// # Panics
    ///
    /// If the schema is none.
    pub(super) fn create(
        file: UnfinishedFile,
        schema: &str,
        identity: &BuildIdentity,
    ) -> std::result::Result<Self, WriteError> {
        let schema = match parse_message_type(schema) {
            Ok(schema) => Arc::new(schema),
            Err(error) => panic!("a schema that is none: {error}"),
        };
        let hash = KeyValue::new("config_hash".to_owned(), identity.config_hash.clone());
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_created_by(concat!("sc-imagenet ", env!("CARGO_PKG_VERSION")).to_owned())
            .set_key_value_metadata(Some(vec![hash]))
            .build();
        let writer = SerializedFileWriter::new(file.writer()?, schema, Arc::new(properties))
            .map_err(|error| write_error(file.destination(), error))?;
        Ok(Self { file, writer, waiting: std::array::from_fn(|_| Vec::new()) })
    }

    /// Adds a row; the cells are of their columns' types.
    pub(super) fn add(&mut self, row: [Cell; COLUMNS]) -> std::result::Result<(), WriteError> {
        for (column, cell) in self.waiting.iter_mut().zip(row) {
            column.push(cell);
        }
        if self.waiting.first().is_some_and(|column| column.len() >= ROWS_A_GROUP) {
            self.write_group().map_err(|error| write_error(self.file.destination(), error))?;
        }
        Ok(())
    }

    /// Brings the table into its place.
    pub(super) fn finish(mut self) -> std::result::Result<(), WriteError> {
        let written = self.write_group().and_then(|()| self.writer.close().map(drop));
        written.map_err(|error| write_error(self.file.destination(), error))?;
        self.file.finish()
    }

    fn write_group(&mut self) -> Result<()> {
        if self.waiting.first().is_none_or(Vec::is_empty) {
            return Ok(());
        }
        let mut group = self.writer.next_row_group()?;
        for column in &mut self.waiting {
            write_column(&mut group, std::mem::take(column))?;
        }
        group.close()?;
        Ok(())
    }
}

/// Writes the next column of a group; the first cell that is there says of which type it is.
fn write_column(group: &mut SerializedRowGroupWriter<'_, File>, cells: Vec<Cell>) -> Result<()> {
    match cells.iter().find(|cell| **cell != Cell::Missing) {
        Some(Cell::Text(_)) => write_typed::<ByteArrayType>(group, cells, |cell| match cell {
            Cell::Text(text) => Some(ByteArray::from(text.into_bytes())),
            _ => None,
        }),
        Some(Cell::Long(_)) => write_typed::<Int64Type>(group, cells, |cell| match cell {
            // Parquet keeps unsigned numbers as the signed ones of the same bits.
            Cell::Long(number) => Some(number as i64),
            _ => None,
        }),
        Some(Cell::Int(_)) => write_typed::<Int32Type>(group, cells, |cell| match cell {
            Cell::Int(number) => Some(number as i32),
            _ => None,
        }),
        Some(Cell::Real(_)) => write_typed::<FloatType>(group, cells, |cell| match cell {
            Cell::Real(number) => Some(number),
            _ => None,
        }),
        Some(Cell::Flag(_)) => write_typed::<BoolType>(group, cells, |cell| match cell {
            Cell::Flag(flag) => Some(flag),
            _ => None,
        }),
        Some(Cell::Missing) | None => write_missing(group, cells.len()),
    }
}

fn write_typed<T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, File>,
    cells: Vec<Cell>,
    value: impl Fn(Cell) -> Option<T::T>,
) -> Result<()> {
    let mut there = Vec::with_capacity(cells.len());
    let values: Vec<T::T> = cells
        .into_iter()
        .filter_map(|cell| {
            let value = value(cell);
            there.push(i16::from(value.is_some()));
            value
        })
        .collect();
    let mut column = group.next_column()?.ok_or_else(no_such_column)?;
    column.typed::<T>().write_batch(&values, Some(&there), None)?;
    column.close()
}

/// A column of which no row has a value, whatever its type.
fn write_missing(group: &mut SerializedRowGroupWriter<'_, File>, rows: usize) -> Result<()> {
    use parquet::column::writer::ColumnWriter;
    let there = vec![0; rows];
    let mut column = group.next_column()?.ok_or_else(no_such_column)?;
    match column.untyped() {
        ColumnWriter::ByteArrayColumnWriter(writer) => writer.write_batch(&[], Some(&there), None)?,
        ColumnWriter::Int64ColumnWriter(writer) => writer.write_batch(&[], Some(&there), None)?,
        ColumnWriter::Int32ColumnWriter(writer) => writer.write_batch(&[], Some(&there), None)?,
        ColumnWriter::FloatColumnWriter(writer) => writer.write_batch(&[], Some(&there), None)?,
        ColumnWriter::BoolColumnWriter(writer) => writer.write_batch(&[], Some(&there), None)?,
        _ => return Err(ParquetError::General("a column of a type that no cell has".to_owned())),
    };
    column.close()
}

fn no_such_column() -> ParquetError {
    ParquetError::General("a row with more cells than the schema has columns".to_owned())
}

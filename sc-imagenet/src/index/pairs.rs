//! `pairs.parquet`: a row a pair.

use super::IndexError;
use super::table::{Cell, TableWriter};
use crate::atomic_file::UnfinishedFile;
use crate::build::BuildIdentity;
use crate::labelled_pair::LabelledPair;

/// `pair` is the pair's name, `points` the number of its key points; cycle errors are in pixels of the source image.
const SCHEMA: &str = "
message pair {
  required int64 number (INTEGER(64, false));
  required binary pair (UTF8);
  required binary split (UTF8);
  required binary class (UTF8);
  required binary source (UTF8);
  required binary target (UTF8);
  required int32 points (INTEGER(32, false));
  optional float mean_confidence;
  optional float mean_cycle_error;
}";

/// The index of pairs in the making.
pub(crate) struct PairIndexWriter(TableWriter<9>);

impl PairIndexWriter {
    pub(crate) fn create(file: UnfinishedFile, identity: &BuildIdentity) -> Result<Self, IndexError> {
        Ok(Self(TableWriter::create(file, SCHEMA, identity)?))
    }

    pub(crate) fn add(&mut self, pair: &LabelledPair) -> Result<(), IndexError> {
        let real = |value: Option<f32>| value.map_or(Cell::Missing, Cell::Real);
        self.0.add([
            Cell::Long(pair.number),
            Cell::Text(pair.name().text),
            Cell::Text(pair.split.name().to_owned()),
            Cell::Text(pair.category.clone()),
            Cell::Text(pair.source.image.clone()),
            Cell::Text(pair.target.image.clone()),
            Cell::Int(pair.source.points.len() as u32),
            real(pair.mean_confidence()),
            real(pair.mean_cycle_error()),
        ])?;
        Ok(())
    }

    pub(crate) fn finish(self) -> Result<(), IndexError> {
        Ok(self.0.finish()?)
    }
}

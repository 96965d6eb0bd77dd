//! `images.parquet`: a row a judged image.

use std::collections::HashMap;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use parquet::errors::ParquetError;
use parquet::file::reader::SerializedFileReader;
use parquet::record::reader::RowIter;
use parquet::record::{Field, Row};

use super::IndexError;
use super::table::{Cell, TableWriter};
use crate::atomic_file::UnfinishedFile;
use crate::build::BuildIdentity;
use crate::content::{ImageContent, ImageOrigin};
use crate::judged_image::{ImageRejection, JudgedImage};

/// `class` and `image` are the class and the image's id in it as the layout has them, `source_class` and `source_name` the
/// class and the file as the source has them, `content` the hash of its bytes; `reason` and `detail` are there where it is not
/// kept, and `threshold` where one setting decided; the box and the size are in pixels of the upright image.
const SCHEMA: &str = "
message image {
  required int64 number (INTEGER(64, false));
  required binary class (UTF8);
  required binary image (UTF8);
  required boolean kept;
  optional binary reason (UTF8);
  optional binary detail (UTF8);
  optional float score;
  required int32 discriminative_cells (INTEGER(32, false));
  required int32 blocks (INTEGER(32, false));
  optional float box_left;
  optional float box_top;
  optional float box_right;
  optional float box_bottom;
  optional int32 width (INTEGER(32, false));
  optional int32 height (INTEGER(32, false));
  optional binary source_class (UTF8);
  optional binary source_name (UTF8);
  optional int64 bytes (INTEGER(64, false));
  optional int64 content (INTEGER(64, false));
  optional binary threshold (UTF8);
}";

/// The index of images in the making.
pub(crate) struct ImageIndexWriter(TableWriter<20>);

impl ImageIndexWriter {
    pub(crate) fn create(file: UnfinishedFile, identity: &BuildIdentity) -> Result<Self, IndexError> {
        Ok(Self(TableWriter::create(file, SCHEMA, identity)?))
    }

    pub(crate) fn add(&mut self, image: &JudgedImage) -> Result<(), IndexError> {
        let text = |text: Option<&String>| text.map_or(Cell::Missing, |text| Cell::Text(text.clone()));
        let real = |value: Option<f32>| value.map_or(Cell::Missing, Cell::Real);
        let side = |index: usize| real(image.object_box.map(|sides| sides[index]));
        let length = |index: usize| image.size.map_or(Cell::Missing, |size| Cell::Int(size[index]));
        let rejection = image.rejection.as_ref();
        let origin = image.origin.as_ref();
        let content = origin.and_then(|origin| origin.content);
        let long = |value: Option<u64>| value.map_or(Cell::Missing, Cell::Long);
        self.0.add([
            Cell::Long(image.number),
            Cell::Text(image.class.clone()),
            Cell::Text(image.id.clone()),
            Cell::Flag(image.kept()),
            text(rejection.map(|rejection| &rejection.reason)),
            text(rejection.map(|rejection| &rejection.detail)),
            real(image.score),
            Cell::Int(image.discriminative_cells),
            Cell::Int(image.blocks),
            side(0),
            side(1),
            side(2),
            side(3),
            length(0),
            length(1),
            text(origin.map(|origin| &origin.class)),
            text(origin.map(|origin| &origin.name)),
            long(content.map(|content| content.bytes)),
            long(content.map(|content| content.hash)),
            text(rejection.and_then(|rejection| rejection.threshold.as_ref())),
        ])?;
        Ok(())
    }

    pub(crate) fn finish(self) -> Result<(), IndexError> {
        Ok(self.0.finish()?)
    }
}

/// The rows of an index of images, in their order.
pub struct ImageRows {
    path: PathBuf,
    rows: RowIter<'static>,
    row: u64,
    ended: bool,
}

/// Opens an index of images; rows are read as they are asked for.
///
/// # Errors
///
/// [`IndexError`], where the file cannot be read or is no Parquet file; each row comes with its own.
pub fn read_image_index(path: &Path) -> Result<ImageRows, IndexError> {
    let file = File::open(path).map_err(|source| IndexError::Unreadable { path: path.to_owned(), source })?;
    let rows = guarded(|| Ok(RowIter::from_file_into(Box::new(SerializedFileReader::new(file)?))))
        .map_err(|detail| IndexError::Damaged { path: path.to_owned(), detail })?;
    Ok(ImageRows { path: path.to_owned(), rows, row: 0, ended: false })
}

impl Iterator for ImageRows {
    type Item = Result<JudgedImage, IndexError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let image = match guarded(|| self.rows.next().transpose()) {
            Ok(None) => return None,
            Ok(Some(row)) => to_image(row).map_err(|problem| {
                let path = self.path.clone();
                IndexError::Row { path, row: self.row, problem }
            }),
            Err(detail) => Err(IndexError::Damaged { path: self.path.clone(), detail }),
        };
        self.row += 1;
        self.ended = image.is_err();
        Some(image)
    }
}

/// The Parquet reader is other people's code on other people's bytes, and panics on some that are damaged.
fn guarded<T>(read: impl FnOnce() -> Result<T, ParquetError>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(read)) {
        Ok(read) => read.map_err(|error| error.to_string()),
        Err(_) => Err("the reader panics".to_owned()),
    }
}

/// The values of a row, by the names of their columns.
struct Columns(HashMap<String, Field>);

impl Columns {
    /// The value of a column that must have one.
    fn needed<T>(&mut self, name: &str, kind: impl Fn(Field) -> Option<T>) -> Result<T, String> {
        self.optional(name, kind)?.ok_or_else(|| format!("`{name}` is missing"))
    }

    fn optional<T>(&mut self, name: &str, kind: impl Fn(Field) -> Option<T>) -> Result<Option<T>, String> {
        match self.0.remove(name) {
            None | Some(Field::Null) => Ok(None),
            Some(field) => kind(field).map(Some).ok_or_else(|| format!("`{name}` is of another type")),
        }
    }
}

fn to_image(row: Row) -> Result<JudgedImage, String> {
    let text = |field| match field {
        Field::Str(text) => Some(text),
        _ => None,
    };
    let long = |field| match field {
        Field::ULong(number) => Some(number),
        _ => None,
    };
    let int = |field| match field {
        Field::UInt(number) => Some(number),
        _ => None,
    };
    let real = |field| match field {
        Field::Float(number) => Some(number),
        _ => None,
    };
    let flag = |field| match field {
        Field::Bool(flag) => Some(flag),
        _ => None,
    };

    let mut columns = Columns(row.into_columns().into_iter().collect());
    let kept = columns.needed("kept", flag)?;
    let reason = columns.optional("reason", text)?;
    let detail = columns.optional("detail", text)?.unwrap_or_default();
    let threshold = columns.optional("threshold", text)?;
    let rejection = match (kept, reason) {
        (true, None) => None,
        (false, Some(reason)) => Some(ImageRejection { reason, detail, threshold }),
        _ => return Err("`kept` and `reason` contradict each other".to_owned()),
    };
    let mut sides = [None; 4];
    for (side, name) in sides.iter_mut().zip(["box_left", "box_top", "box_right", "box_bottom"]) {
        *side = columns.optional(name, real)?;
    }
    let object_box = match sides {
        [Some(left), Some(top), Some(right), Some(bottom)] => Some([left, top, right, bottom]),
        _ => None,
    };
    let size = columns.optional("width", int)?.zip(columns.optional("height", int)?).map(<[u32; 2]>::from);
    let content = columns.optional("bytes", long)?.zip(columns.optional("content", long)?);
    let content = content.map(|(bytes, hash)| ImageContent { bytes, hash, stamp: None });
    let source = columns.optional("source_class", text)?.zip(columns.optional("source_name", text)?);
    Ok(JudgedImage {
        number: columns.needed("number", long)?,
        class: columns.needed("class", text)?,
        id: columns.needed("image", text)?,
        rejection,
        score: columns.optional("score", real)?,
        discriminative_cells: columns.needed("discriminative_cells", int)?,
        blocks: columns.needed("blocks", int)?,
        object_box,
        size,
        origin: source.map(|(class, name)| Box::new(ImageOrigin { class, name, content })),
    })
}

//! Pairs of one's own in a table: `pairs.csv`, or `pairs.jsonl` with one object a line.
//!
//! Either has a line a pair. What stands in it:
//!
//! | name | | CSV | JSONL |
//! | --- | --- | --- | --- |
//! | `class` | needed | text | string |
//! | `source_image`, `target_image` | needed | path | string |
//! | `source_points`, `target_points` | needed | `x y; x y; …` | `[[x, y], …]` |
//! | `id` | unless given: `<class>/<source stem>--<target stem>` | text | string |
//! | `point_ids` | unless given: 0, 1, … | `0; 1; …` | `[0, 1, …]` |
//! | `source_size`, `target_size` | unless given: from the image's header | `width height` | `[width, height]` |
//! | `source_box`, `target_box` | for `length=bbox` | `left top right bottom` | `[left, top, right, bottom]` |
//! | `frame` | unless given: `shown` | `shown` or `stored` | string |
//!
//! Paths are absolute, or count from the table's folder. Points and boxes are in pixels of the original image, the
//! centre of its top-left pixel being `0 0`; point i of the source and point i of the target are the same part, and
//! only parts that both images show are listed. They are those of the picture as it is shown; `stored` says that they are those
//! of the pixels as the file has them, which differs where a photo has an EXIF orientation, and `source_size` and
//! `target_size` are then meant so, too. Other names are errors, so that a misspelt one is not passed over. In
//! CSV, lines that start with `#` are passed over.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::ReadPairs;
use super::checks::{AnnotationFrame, Checks, Declared, Place, UnknownFrame, check_box};
use super::error::BenchmarkError;
use super::files::{self, ImageSizes, bad_line, lines, listed_stem, place};
use super::name::BenchmarkName;
use super::rows::{MOST_POINTS, Row, Rows, checked, coordinate};
use crate::key_points::{KeyPointPair, PairImage, PixelBox, tight_box};
use crate::protocol::{Length, Protocol};

const NAME: BenchmarkName = BenchmarkName::Table;

const COLUMNS: [&str; 12] = [
    "id",
    "class",
    "source_image",
    "target_image",
    "source_points",
    "target_points",
    "point_ids",
    "source_size",
    "target_size",
    "source_box",
    "target_box",
    "frame",
];

pub(super) const LAYOUT: &str = "\
<folder>/
  pairs.csv or pairs.jsonl                     or the table itself, under any name with one of these extensions
  images/a.jpg …                               wherever the table says
";

/// A table of one pair as CSV, to be filled in: what it says is explained in it.
pub const CSV_TEMPLATE: &str = "\
# One line a pair of images of one class. Lines that start with # are passed over.
# Paths count from this file's folder. Points are pixels of the original image, x before y, 0 0 being the centre of the
# top-left pixel; point i of the source and point i of the target are the same part.
# Columns that may be left out: id, point_ids, source_size and target_size (then read from the images), source_box and
# target_box (left top right bottom; needed for length=bbox), frame (stored: points of a photo as its file has it unturned).
id,class,source_image,target_image,source_points,target_points,point_ids,source_size,target_size,source_box,target_box
cup-1,cup,images/a.jpg,images/b.jpg,10 12; 40.5 30; 22 51,14 10; 44 33; 25 60,0; 1; 4,64 64,80 72,8 9 48 55,10 8 52 66
";

/// A table of two pairs as JSONL, to be filled in: the second leaves out what may be left out.
pub const JSONL_TEMPLATE: &str = r#"{"id": "cup-1", "class": "cup", "source_image": "images/a.jpg", "target_image": "images/b.jpg", "source_points": [[10, 12], [40.5, 30]], "target_points": [[14, 10], [44, 33]], "point_ids": [0, 1], "source_size": [64, 64], "target_size": [80, 72], "source_box": [8, 9, 48, 55], "target_box": [10, 8, 52, 66]}
{"class": "cup", "source_image": "images/b.jpg", "target_image": "images/c.jpg", "source_points": [[14, 10]], "target_points": [[20, 18]]}
"#;

/// One line of a table.
#[derive(Clone, Debug, PartialEq)]
pub struct TableRow {
    /// Its line in the file, from 1.
    pub line: u64,
    /// What predictions name the pair by.
    pub id: String,
    /// The class.
    pub class: String,
    /// The source.
    pub source: TableImage,
    /// The target; it has as many points as the source.
    pub target: TableImage,
    /// Which of the class's key points each point is.
    pub point_ids: Vec<u16>,
    /// What points, boxes and sizes are in, where the table says it.
    pub frame: Option<AnnotationFrame>,
}

/// One image of a [`TableRow`].
#[derive(Clone, Debug, PartialEq)]
pub struct TableImage {
    /// The image as the table names it.
    pub image: String,
    /// At least one point, `[x, y]` in pixels.
    pub points: Vec<[f32; 2]>,
    /// `(width, height)` in pixels, where the table gives it.
    pub size: Option<(u32, u32)>,
    /// The object's box, where the table gives it.
    pub object_box: Option<PixelBox>,
}

/// Reads a table as CSV from its bytes; `path` is what errors name.
///
/// # Errors
///
/// [`BenchmarkError`] with the line that is damaged.
pub fn parse_csv_table(path: &Path, bytes: &[u8]) -> Result<Vec<TableRow>, BenchmarkError> {
    let mut rows = Rows::new(path, bytes)?;
    let mut seen = HashSet::new();
    for column in rows.header() {
        if !COLUMNS.contains(&column) || !seen.insert(column) {
            let problem = format!("the column `{column}` is unknown or repeated; columns are {}", COLUMNS.join(", "));
            return Err(bad_line(path, 1, problem));
        }
    }
    let column = |name: &str| rows.find_column(&[name]);
    let optional = ["id", "point_ids", "source_size", "target_size", "source_box", "target_box", "frame"].map(column);
    let [id, point_ids, source_size, target_size, source_box, target_box, frame] = optional;
    let needed = ["class", "source_image", "target_image", "source_points", "target_points"];
    let needed = needed.map(|name| rows.column(&[name], &COLUMNS.join(", ")));
    let [class, source_image, target_image, source_points, target_points] = needed;
    let (class, source_image, target_image) = (class?, source_image?, target_image?);
    let (source_points, target_points) = (source_points?, target_points?);
    let mut found = Vec::new();
    while let Some(row) = rows.next_row() {
        let row = row?;
        let raw = RawRow {
            id: row.optional(id).map(str::to_owned),
            class: row.text(class)?.to_owned(),
            source_image: row.text(source_image)?.to_owned(),
            target_image: row.text(target_image)?.to_owned(),
            source_points: points(&row, source_points)?,
            target_points: points(&row, target_points)?,
            point_ids: row.optional(point_ids).map(|text| numbers(&row, text, ';')).transpose()?,
            source_size: row.optional(source_size).map(|text| exactly(&row, text)).transpose()?,
            target_size: row.optional(target_size).map(|text| exactly(&row, text)).transpose()?,
            source_box: row.optional(source_box).map(|text| exactly(&row, text)).transpose()?,
            target_box: row.optional(target_box).map(|text| exactly(&row, text)).transpose()?,
            frame: row.optional(frame).map(|text| self::frame(&row, text)).transpose()?,
        };
        found.push(raw.check(row.line).map_err(|problem| row.error(problem))?);
    }
    Ok(found)
}

/// Reads a table as JSONL from its bytes; `path` is what errors name.
///
/// # Errors
///
/// [`BenchmarkError`] with the line that is damaged.
pub fn parse_jsonl_table(path: &Path, bytes: &[u8]) -> Result<Vec<TableRow>, BenchmarkError> {
    let row = |(line, text): (u64, &str)| {
        let raw: RawRow = serde_json::from_str(text).map_err(|error| bad_line(path, line, error.to_string()))?;
        raw.check(line).map_err(|problem| bad_line(path, line, problem))
    };
    lines(path, bytes).map(|line| line.and_then(row)).collect()
}

/// A line before its values are checked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRow {
    id: Option<String>,
    class: String,
    source_image: String,
    target_image: String,
    source_points: Vec<[f64; 2]>,
    target_points: Vec<[f64; 2]>,
    point_ids: Option<Vec<u16>>,
    source_size: Option<[u32; 2]>,
    target_size: Option<[u32; 2]>,
    source_box: Option<[f64; 4]>,
    target_box: Option<[f64; 4]>,
    frame: Option<AnnotationFrame>,
}

impl RawRow {
    /// The row, or what is wrong in it.
    fn check(self, line: u64) -> Result<TableRow, String> {
        let count = self.source_points.len();
        if count == 0 || count > MOST_POINTS || self.target_points.len() != count {
            let other = self.target_points.len();
            return Err(format!(
                "source_points has {count} points and target_points {other}; expected as many in both, \
                 1 to {MOST_POINTS}"
            ));
        }
        let point_ids = match self.point_ids {
            Some(ids) if ids.len() != count => {
                return Err(format!("point_ids has {} entries, source_points {count}", ids.len()));
            }
            Some(ids) if ids.iter().collect::<HashSet<_>>().len() != count => {
                return Err("point_ids has an entry twice".to_owned());
            }
            Some(ids) => ids,
            None => (0..).zip(&self.source_points).map(|(id, _)| id).collect(),
        };
        let blank = |name: &str| Err(format!("{name} is empty"));
        if self.class.trim().is_empty() {
            return blank("class");
        }
        if self.id.as_ref().is_some_and(|id| id.trim().is_empty()) {
            return blank("id");
        }
        let stem = |image: &str| Some(listed_stem(image)).filter(|stem| !stem.is_empty());
        let (Some(from), Some(to)) = (stem(&self.source_image), stem(&self.target_image)) else {
            return blank("source_image or target_image");
        };
        Ok(TableRow {
            line,
            id: self.id.unwrap_or_else(|| format!("{}/{from}--{to}", self.class)),
            class: self.class,
            source: image("source", self.source_image, &self.source_points, self.source_size, self.source_box)?,
            target: image("target", self.target_image, &self.target_points, self.target_size, self.target_box)?,
            point_ids,
            frame: self.frame,
        })
    }
}

fn image(
    side: &str,
    image: String,
    points: &[[f64; 2]],
    size: Option<[u32; 2]>,
    object_box: Option<[f64; 4]>,
) -> Result<TableImage, String> {
    let number = |name: &str, value: f64| checked(value).map_err(|problem| format!("{side}_{name} {problem}"));
    let point = |&[x, y]: &[f64; 2]| Ok([number("points", x)?, number("points", y)?]);
    let size = match size {
        Some([width @ 1..=1_000_000, height @ 1..=1_000_000]) => Some((width, height)),
        Some([width, height]) => return Err(format!("{side}_size is {width} x {height}, which no image has")),
        None => None,
    };
    let object_box = match object_box {
        None => None,
        Some([left, top, right, bottom]) => {
            let sides = [number("box", left)?, number("box", top)?, number("box", right)?, number("box", bottom)?];
            check_box(sides).map_err(|problem| format!("{side}_box {problem}"))?;
            Some(sides)
        }
    };
    Ok(TableImage { image, points: points.iter().map(point).collect::<Result<_, String>>()?, size, object_box })
}

fn frame(row: &Row<'_>, text: &str) -> Result<AnnotationFrame, BenchmarkError> {
    text.parse().map_err(|error: UnknownFrame| row.error(error.to_string()))
}

/// The points of a cell `x y; x y; …`.
fn points(row: &Row<'_>, column: usize) -> Result<Vec<[f64; 2]>, BenchmarkError> {
    let text = row.text(column)?;
    let point = |text: &str| {
        let mut axes = text.split_ascii_whitespace().map(coordinate);
        match (axes.next(), axes.next(), axes.next()) {
            (Some(x), Some(y), None) => {
                let axis =
                    |value: Result<f32, String>| value.map(f64::from).map_err(|problem| row.bad(column, &problem));
                Ok([axis(x)?, axis(y)?])
            }
            _ => Err(row.bad(column, "is not of the form x y; x y; …")),
        }
    };
    text.trim_end_matches(';').split(';').map(point).collect()
}

fn numbers<T: std::str::FromStr>(row: &Row<'_>, text: &str, separator: char) -> Result<Vec<T>, BenchmarkError> {
    let number = |text: &str| {
        let unread = || row.error(format!("`{}` is no number of the kind expected", super::rows::shortened(text)));
        text.trim().parse().map_err(|_| unread())
    };
    text.split(separator).filter(|text| !text.trim().is_empty()).map(number).collect()
}

fn exactly<T: std::str::FromStr, const N: usize>(row: &Row<'_>, text: &str) -> Result<[T; N], BenchmarkError> {
    let values: Vec<T> = numbers(row, text, ' ')?;
    let count = values.len();
    values.try_into().map_err(|_| row.error(format!("`{text}` has {count} numbers, expected {N}")))
}

/// The table: the file itself, or `pairs.csv` or `pairs.jsonl` in the folder.
pub(super) fn find(root: &Path) -> Option<PathBuf> {
    let is_table = |path: &Path| path.is_file() && (has_extension(path, "csv") || has_extension(path, "jsonl"));
    let candidates = [root.to_owned(), root.join("pairs.csv"), root.join("pairs.jsonl")];
    candidates.into_iter().find(|path| is_table(path))
}

fn has_extension(path: &Path, wanted: &str) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case(wanted))
}

pub(super) fn read(root: &Path, annotated_in: Option<AnnotationFrame>) -> Result<ReadPairs, BenchmarkError> {
    let missing = "the file pairs.csv or pairs.jsonl".to_owned();
    let table = find(root).ok_or_else(|| BenchmarkError::Layout { name: NAME, root: root.to_owned(), missing })?;
    let bytes = files::read(&table)?;
    let rows = if has_extension(&table, "jsonl") {
        parse_jsonl_table(&table, &bytes)?
    } else {
        parse_csv_table(&table, &bytes)?
    };
    let folder = table.parent().unwrap_or(Path::new(""));
    let mut sizes = ImageSizes::default();
    // Whoever writes down the size of the stored pixels may have looked at the picture as it is shown.
    let mut checks = Checks::new(NAME.annotation_frame(), annotated_in).asking();
    let mut pairs = Vec::new();
    for row in rows {
        let here = Place::line(&table, row.line);
        let mut side = |key: &str, image: TableImage| {
            let path = folder.join(&image.image);
            let canvas = match image.size {
                Some(size) => {
                    let field = format!("{key}_size");
                    checks.declared_canvas(&mut sizes, &path, row.frame, Declared { size, field: &field }, here)?
                }
                None => {
                    let size = sizes.of_needed(NAME, &path, || place(&table, row.line))?;
                    checks.canvas(&path, size, row.frame, None)?
                }
            };
            let points = checks.points(&canvas, &image.points, here, &format!("{key}_points"))?;
            let field = format!("{key}_box");
            let object_box =
                image.object_box.map(|sides| checks.object_box(&canvas, sides, here, &field)).transpose()?;
            Ok::<_, BenchmarkError>(PairImage {
                path,
                size: canvas.size(),
                key_point_box: tight_box(&points).unwrap_or_default(),
                points,
                object_box,
                unshared: Vec::new(),
            })
        };
        pairs.push(KeyPointPair {
            source: side("source", row.source)?,
            target: side("target", row.target)?,
            id: row.id,
            class: row.class,
            ids: row.point_ids,
            difficulty: None,
            agreements: Vec::new(),
        });
    }
    let boxed = pairs.iter().all(|pair| pair.source.object_box.is_some() && pair.target.object_box.is_some());
    let length = if boxed && !pairs.is_empty() { Length::Bbox } else { Length::BboxKp };
    let default_protocol = Protocol { length, ..Protocol::default() };
    Ok(ReadPairs { pairs, default_protocol, notes: Vec::new(), counts: checks.counts })
}

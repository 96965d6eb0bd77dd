//! Caltech-101 as a benchmark: pairs of images with the outline of the object in each, for the transfer of masks.
//!
//! The list is `imageA,imageB,class,XA,YA,XB,YB`; the last four are quoted, `,`-separated coordinates of the vertices,
//! as many as the outline has, in no correspondence between the images.

use std::path::{Path, PathBuf};

use super::checks::{Checks, Place};
use super::error::BenchmarkError;
use super::files::{self, ImageSizes, find_base, find_listed, listed_folder, listed_stem, place};
use super::name::BenchmarkName;
use super::read_counts::ReadCounts;
use super::rows::Rows;

const NAME: BenchmarkName = BenchmarkName::Caltech;
const COLUMNS: &str = "imageA,imageB,class,XA,YA,XB,YB";
const LISTS: [&str; 3] = ["test_pairs_caltech_with_category.csv", "test_pairs_caltech.csv", "caltech_pairs.csv"];
/// The highest number that lists give to a class: 101 and the background.
const LARGEST_CLASS: f64 = 102.0;

pub(super) const LAYOUT: &str = "\
Caltech-101/
  101_ObjectCategories/<class>/image_0001.jpg
  test_pairs_caltech_with_category.csv         imageA,imageB,class,XA,YA,XB,YB
";

/// One row of the list.
#[derive(Clone, Debug, PartialEq)]
pub struct CaltechRow {
    /// Its line in the list, from 1.
    pub line: u64,
    /// The source image as the list names it.
    pub source: String,
    /// The target image as the list names it.
    pub target: String,
    /// The folder of both.
    pub class: String,
    /// The outline in the source, at least three vertices `[x, y]` in pixels.
    pub source_outline: Vec<[f32; 2]>,
    /// The outline in the target.
    pub target_outline: Vec<[f32; 2]>,
}

/// An image of a [`CaltechPair`].
#[derive(Clone, Debug, PartialEq)]
pub struct OutlinedImage {
    /// The image file.
    pub path: PathBuf,
    /// `(width, height)` in pixels.
    pub size: (u32, u32),
    /// The vertices of the object's outline, at least three, `[x, y]` in pixels; the last is joined to the first.
    pub outline: Vec<[f32; 2]>,
}

/// A pair of images of one class with the outlines of the objects.
#[derive(Clone, Debug, PartialEq)]
pub struct CaltechPair {
    /// `<class>/<source stem>--<target stem>`.
    pub id: String,
    /// The class.
    pub class: String,
    /// The image whose outline is transferred.
    pub source: OutlinedImage,
    /// The image that it is transferred to.
    pub target: OutlinedImage,
}

/// What [`read_caltech`] found.
#[derive(Clone, Debug, PartialEq)]
pub struct CaltechPairs {
    /// The pairs, in the list's order.
    pub pairs: Vec<CaltechPair>,
    /// What was taken although it is odd.
    pub counts: ReadCounts,
}

/// Reads the list of pairs; no image is needed.
///
/// # Errors
///
/// [`BenchmarkError`] with the line where the list is damaged.
pub fn read_caltech_list(path: &Path) -> Result<Vec<CaltechRow>, BenchmarkError> {
    parse_caltech_list(path, &files::read(path)?)
}

/// Reads the list of pairs from its bytes; `path` is what errors name.
///
/// # Errors
///
/// As [`read_caltech_list`].
pub fn parse_caltech_list(path: &Path, bytes: &[u8]) -> Result<Vec<CaltechRow>, BenchmarkError> {
    let mut rows = Rows::new(path, bytes)?;
    let source = rows.column(&["imageA", "source_image"], COLUMNS)?;
    let target = rows.column(&["imageB", "target_image"], COLUMNS)?;
    let number = rows.column(&["class"], COLUMNS)?;
    let [xa, ya, xb, yb] = ["XA", "YA", "XB", "YB"].map(|name| rows.column(&[name], COLUMNS));
    let (xa, ya, xb, yb) = (xa?, ya?, xb?, yb?);
    let mut found = Vec::new();
    while let Some(row) = rows.next_row() {
        let row = row?;
        let (from, to) = (row.text(source)?, row.text(target)?);
        let class = listed_folder(from).ok_or_else(|| row.bad(source, "is not of the form <class>/<name>.jpg"))?;
        if listed_folder(to) != Some(class) {
            return Err(row.bad(target, &format!("is not in the folder `{class}` of the source image")));
        }
        let given = row.text(number)?;
        let known = given == class || given.parse().is_ok_and(|value: f64| (0.0..=LARGEST_CLASS).contains(&value));
        if !known {
            let problem = format!("is `{given}`, neither the folder `{class}` nor a number up to {LARGEST_CLASS}");
            return Err(row.bad(number, &problem));
        }
        let outline = |x, y| {
            let points = row.points(x, y, ',')?;
            if points.len() < 3 { Err(row.bad(x, "has fewer than three vertices")) } else { Ok(points) }
        };
        found.push(CaltechRow {
            line: row.line,
            source_outline: outline(xa, ya)?,
            target_outline: outline(xb, yb)?,
            class: class.to_owned(),
            source: from.to_owned(),
            target: to.to_owned(),
        });
    }
    Ok(found)
}

/// Reads every pair of the list, with the sizes of the images; no pixel is decoded.
///
/// # Errors
///
/// [`BenchmarkError`] where the list or an image that it names is missing or damaged, or a vertex lies far outside of its
/// image.
pub fn read_caltech(root: &Path) -> Result<CaltechPairs, BenchmarkError> {
    let missing = |missing: &str| {
        let missing = missing.to_owned();
        BenchmarkError::Layout { name: NAME, root: root.to_owned(), missing }
    };
    let base = find(root).ok_or_else(|| missing("the list test_pairs_caltech_with_category.csv"))?;
    let list = list_path(&base).ok_or_else(|| missing("the list test_pairs_caltech_with_category.csv"))?;
    let roots = [base.join("101_ObjectCategories"), base.clone()];
    let (mut sizes, mut checks) = (ImageSizes::default(), Checks::new(NAME.annotation_frame(), None));
    let mut pairs = Vec::new();
    for row in read_caltech_list(&list)? {
        let here = Place::line(&list, row.line);
        let mut side = |field: &str, listed: &str, outline: Vec<[f32; 2]>| {
            let path = find_listed(&[&roots[0], &roots[1]], listed).ok_or_else(|| BenchmarkError::Missing {
                name: NAME,
                path: roots[0].join(listed.strip_prefix("101_ObjectCategories/").unwrap_or(listed)),
                needed_by: place(&list, row.line),
                hint: "",
            })?;
            let canvas = checks.canvas(&path, sizes.of(&path)?, None, None)?;
            let outline = checks.points(&canvas, &outline, here, field)?;
            Ok::<_, BenchmarkError>(OutlinedImage { size: canvas.size(), path, outline })
        };
        pairs.push(CaltechPair {
            id: format!("{}/{}--{}", row.class, listed_stem(&row.source), listed_stem(&row.target)),
            source: side("XA, YA", &row.source, row.source_outline)?,
            target: side("XB, YB", &row.target, row.target_outline)?,
            class: row.class,
        });
    }
    Ok(CaltechPairs { pairs, counts: checks.counts })
}

/// The data set's folder.
pub(super) fn find(root: &Path) -> Option<PathBuf> {
    let folders = ["Caltech-101", "caltech-101", "caltech", "caltech101"];
    find_base(root, &folders, |base| list_path(base).is_some())
}

fn list_path(base: &Path) -> Option<PathBuf> {
    LISTS.iter().map(|list| base.join(list)).find(|path| path.is_file())
}

//! Pairs of PF-WILLOW (of its class folders alone, or of its list of 42 columns) and of WILLOW-ObjectClass.

use std::fs;
use std::path::{Path, PathBuf};

use super::checks::{AnnotationFrame, Checks, Place};
use super::error::BenchmarkError;
use super::files::{self, ImageSizes, find_base, find_listed, listed_folder, place};
use super::name::{BenchmarkName, BenchmarkSplit};
use super::read_counts::{Oddity, ReadCounts};
use super::rows::Rows;
use super::{ReadOptions, ReadPairs};
use crate::key_points::{KeyPointImage, KeyPointPair, Split};
use crate::protocol::{Average, Protocol};
use crate::willow::{WillowImages, read_willow_in};

/// Key points of every pair of the list.
const LISTED_POINTS: usize = 10;
const LISTS: [&str; 3] = ["test_pairs.csv", "test_pairs_pf.csv", "image_pairs/test_pairs.csv"];

pub(super) const PF_WILLOW_LAYOUT: &str = "\
PF-WILLOW/                       or PF-dataset/
  car(G)/<name>.png              ten folders of ten images
  car(G)/<name>.mat              pts_coord, 2 x 10
  …
  winebottle(woC)/…
  test_pairs.csv                 not needed: imageA,imageB,XA1..XA10,YA1..YA10,XB1..XB10,YB1..YB10
";

pub(super) const WILLOW_LAYOUT: &str = "\
WILLOW-ObjectClass/
  Car/<name>.png                 five folders
  Car/<name>.mat                 pts_coord, 2 x 10
  Duck/…  Face/…  Motorbike/…  Winebottle/…
";

/// One row of the list of PF-WILLOW.
#[derive(Clone, Debug, PartialEq)]
pub struct PfWillowRow {
    /// Its line in the list, from 1.
    pub line: u64,
    /// The source image as the list names it.
    pub source: String,
    /// The target image as the list names it.
    pub target: String,
    /// The folder of both.
    pub class: String,
    /// The ten key points in source and target, `[x, y]` in pixels; `[-1, -1]` is an absent one.
    pub points: [Vec<[f32; 2]>; 2],
}

/// Reads PF-WILLOW's list of 42 columns from its bytes; `path` is what errors name.
///
/// # Errors
///
/// [`BenchmarkError`] with the line where the list is damaged.
pub fn parse_pf_willow_list(path: &Path, bytes: &[u8]) -> Result<Vec<PfWillowRow>, BenchmarkError> {
    const COLUMNS: &str = "imageA,imageB,XA1..XA10,YA1..YA10,XB1..XB10,YB1..YB10";
    let mut rows = Rows::new(path, bytes)?;
    let mut columns = [[0; LISTED_POINTS]; 4];
    for (axis, columns) in ["XA", "YA", "XB", "YB"].iter().zip(&mut columns) {
        for (number, column) in (1..).zip(columns.iter_mut()) {
            *column = rows.column(&[&format!("{axis}{number}")], COLUMNS)?;
        }
    }
    let source = rows.column(&["imageA", "source_image"], COLUMNS)?;
    let target = rows.column(&["imageB", "target_image"], COLUMNS)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next_row() {
        let row = row?;
        let (from, to) = (row.text(source)?, row.text(target)?);
        let class = listed_folder(from).ok_or_else(|| row.bad(source, "is not of the form <class>/<name>.png"))?;
        if listed_folder(to) != Some(class) {
            return Err(row.bad(target, &format!("is not in the folder `{class}` of the source image")));
        }
        let points = |xs: &[usize], ys: &[usize]| {
            let point = |(x, y): (&usize, &usize)| Ok([cell(&row, *x)?, cell(&row, *y)?]);
            xs.iter().zip(ys).map(point).collect::<Result<Vec<[f32; 2]>, BenchmarkError>>()
        };
        let [xa, ya, xb, yb] = &columns;
        let points = [points(xa, ya)?, points(xb, yb)?];
        let (class, source, target) = (class.to_owned(), from.to_owned(), to.to_owned());
        found.push(PfWillowRow { line: row.line, source, target, class, points });
    }
    Ok(found)
}

fn cell(row: &super::rows::Row<'_>, column: usize) -> Result<f32, BenchmarkError> {
    super::rows::coordinate(row.text(column)?).map_err(|problem| row.bad(column, &problem))
}

/// The folder of PF-WILLOW's sub-class folders: they have a view in brackets, as in `car(G)`.
pub(super) fn find_pf_willow(root: &Path) -> Option<PathBuf> {
    let folders = ["PF-WILLOW", "pf-willow", "PF-dataset", "proposal-flow-willow/PF-dataset", "PF-WILLOW/PF-dataset"];
    find_base(root, &folders, |base| class_folders(base).any(|folder| has_view(&folder)))
}

/// The folder of WILLOW-ObjectClass's class folders.
pub(super) fn find_willow(root: &Path) -> Option<PathBuf> {
    let folders = ["WILLOW-ObjectClass", "willow-object", "WILLOW"];
    let annotated = |folder: PathBuf| {
        let files = fs::read_dir(folder).into_iter().flatten().flatten();
        files.map(|file| file.path()).any(|path| path.extension().is_some_and(|extension| extension == "mat"))
    };
    find_base(root, &folders, |base| class_folders(base).any(annotated))
}

fn class_folders(base: &Path) -> impl Iterator<Item = PathBuf> {
    fs::read_dir(base).into_iter().flatten().flatten().map(|entry| entry.path()).filter(|path| path.is_dir())
}

fn has_view(folder: &Path) -> bool {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    name.ends_with(')') && name.contains('(')
}

pub(super) fn read_pf_willow(root: &Path, options: &ReadOptions) -> Result<ReadPairs, BenchmarkError> {
    let name = BenchmarkName::PfWillow;
    let missing = "a folder such as `car(G)` with images and .mat files".to_owned();
    let base = find_pf_willow(root).ok_or_else(|| BenchmarkError::Layout { name, root: root.to_owned(), missing })?;
    let parent = base.parent().unwrap_or(&base);
    let lists = [base.as_path(), parent].into_iter().flat_map(|folder| LISTS.map(|list| folder.join(list)));
    // Beside the folder there may be lists of other data sets.
    let list = lists.into_iter().find(|path| path.is_file() && is_pf_willow_list(path));
    let (pairs, mut notes, counts) = match list {
        Some(list) => {
            let (pairs, counts) = listed_pairs(&base, &list, options.annotated_in)?;
            (pairs, vec![format!("pairs and points are those of {}", list.display())], counts)
        }
        None => {
            let mut found = read_willow_in(&base, Split::All, options.annotated_in)?;
            let of_benchmark = |path: &Path| path.parent().is_some_and(has_view);
            found.images.retain(|image| of_benchmark(&image.path));
            found.without_key_points.retain(|path| of_benchmark(path));
            (options.pair_selection.pairs(&found.images), without_points(&found), found.counts)
        }
    };
    if pairs.len() != 900 && options.pair_selection.per_class.is_none() {
        notes.push(format!("{} pairs; the published data set has 900", pairs.len()));
    }
    Ok(ReadPairs { pairs, default_protocol: Protocol::default(), notes, counts })
}

fn is_pf_willow_list(path: &Path) -> bool {
    let bytes = files::read(path).unwrap_or_default();
    Rows::new(path, &bytes).is_ok_and(|rows| rows.header().len() == 2 + 4 * LISTED_POINTS)
}

fn listed_pairs(
    base: &Path,
    list: &Path,
    annotated_in: Option<AnnotationFrame>,
) -> Result<(Vec<KeyPointPair>, ReadCounts), BenchmarkError> {
    let name = BenchmarkName::PfWillow;
    let (mut sizes, mut checks) = (ImageSizes::default(), Checks::new(name.annotation_frame(), annotated_in));
    let mut pairs = Vec::new();
    for row in parse_pf_willow_list(list, &files::read(list)?)? {
        let here = Place::line(list, row.line);
        let mut side = |axis: &str, listed: &str, points: &[[f32; 2]]| {
            let path = find_listed(&[base], listed).ok_or_else(|| BenchmarkError::Missing {
                name,
                path: base.join(listed),
                needed_by: place(list, row.line),
                hint: "",
            })?;
            let canvas = checks.canvas(&path, sizes.of(&path)?, None, None)?;
            let point = |(number, point): (usize, &[f32; 2])| {
                let field = || format!("X{axis}{number}, Y{axis}{number}");
                checks.point_unless_minus_one(&canvas, *point, here, field)
            };
            let key_points = (1..).zip(points).map(point).collect::<Result<_, _>>()?;
            let (class, size) = (row.class.clone(), canvas.size());
            Ok::<_, BenchmarkError>(KeyPointImage { path, class, size, key_points, object_box: None })
        };
        let [from, to] = &row.points;
        let (source, target) = (side("A", &row.source, from)?, side("B", &row.target, to)?);
        match KeyPointPair::new(&source, &target) {
            Some(pair) => pairs.push(pair),
            None => checks.counts.add(Oddity::PairsWithoutPoints, || place(list, row.line)),
        }
    }
    Ok((pairs, checks.counts))
}

pub(super) fn read_willow_object(
    root: &Path,
    split: BenchmarkSplit,
    options: &ReadOptions,
) -> Result<ReadPairs, BenchmarkError> {
    let name = BenchmarkName::Willow;
    let missing = "a class folder such as `Car` with images and .mat files".to_owned();
    let base = find_willow(root).ok_or_else(|| BenchmarkError::Layout { name, root: root.to_owned(), missing })?;
    let half = match split {
        BenchmarkSplit::Train => Split::Train,
        BenchmarkSplit::Val => Split::Val,
        _ => Split::All,
    };
    let found = read_willow_in(&base, half, options.annotated_in)?;
    let pairs = options.pair_selection.pairs(&found.images);
    // Its classes differ much in size: faces would outweigh the rest.
    let default_protocol = Protocol { average: Average::Category, ..Protocol::default() };
    Ok(ReadPairs { pairs, default_protocol, notes: without_points(&found), counts: found.counts })
}

fn without_points(found: &WillowImages) -> Vec<String> {
    match found.without_key_points.as_slice() {
        [] => Vec::new(),
        [first, rest @ ..] => {
            vec![format!("{} images have no key points and are left out, such as {}", 1 + rest.len(), first.display())]
        }
    }
}

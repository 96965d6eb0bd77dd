//! PF-PASCAL: the pair lists in common use and the `.mat` annotations.
//!
//! A list with points (`source_image,target_image,class,XA,YA,XB,YB`) already has only the key points that both images
//! show; a list with `flip` has none, and takes them from the annotations. Which of the two a list is, its header says:
//! val lists of both kinds are in circulation. Coordinates are taken as they stand; (NaN, NaN) in an annotation is a point
//! that the image does not show.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use super::checks::{Canvas, Checks, Place, check_box};
use super::error::BenchmarkError;
use super::files::{self, ImageSizes, find_base, find_listed, listed_stem, place};
use super::leak::{LeakReport, leak_free};
use super::name::{BenchmarkName, BenchmarkSplit};
use super::rows::{MOST_POINTS, Rows, checked};
use super::{ReadOptions, ReadPairs};
use crate::key_points::{KeyPointImage, KeyPointPair, PairImage, PixelBox, tight_box};
use crate::mat::{MatError, MatProblem, Matrix, parse_matrix};
use crate::protocol::{Length, Protocol};

const NAME: BenchmarkName = BenchmarkName::PfPascal;
const FOLDERS: [&str; 4] = ["PF-PASCAL", "pf-pascal", "PF-dataset-PASCAL", "proposal-flow-pascal"];
const COLUMNS: &str = "source_image,target_image,class and either XA,YA,XB,YB or flip";

pub(super) const LAYOUT: &str = "\
PF-PASCAL/
  train_pairs.csv  val_pairs.csv  test_pairs.csv    or in image_pairs/; train may be called trn
  PF-dataset-PASCAL/                                or its two folders directly here
    JPEGImages/<id>.jpg
    Annotations/<class>/<id>.mat
";

/// The classes in the order of PASCAL VOC; lists number them from 1.
pub const PASCAL_CLASSES: [&str; 20] = [
    "aeroplane",
    "bicycle",
    "bird",
    "boat",
    "bottle",
    "bus",
    "car",
    "cat",
    "chair",
    "cow",
    "diningtable",
    "dog",
    "horse",
    "motorbike",
    "person",
    "pottedplant",
    "sheep",
    "sofa",
    "train",
    "tvmonitor",
];

/// One row of a pair list.
#[derive(Clone, Debug, PartialEq)]
pub struct PfPascalRow {
    /// Its line in the list, from 1.
    pub line: u64,
    /// The source image as the list names it.
    pub source: String,
    /// The target image as the list names it.
    pub target: String,
    /// The class of both.
    pub class: &'static str,
    /// The shared key points in source and target, `[x, y]` in pixels; `None` in a list with `flip`.
    pub points: Option<[Vec<[f32; 2]>; 2]>,
    /// Whether both images are to be mirrored.
    pub flip: bool,
}

impl PfPascalRow {
    /// The names of both images without folder and extension. An image of two classes is one image.
    pub fn image_names(&self) -> [String; 2] {
        [listed_stem(&self.source), listed_stem(&self.target)]
    }

    /// `<class>/<source stem>--<target stem>`.
    pub fn id(&self) -> String {
        let [source, target] = self.image_names();
        format!("{}/{source}--{target}", self.class)
    }
}

/// Reads a pair list; no image is needed.
///
/// # Errors
///
/// [`BenchmarkError`] with the line where the list is damaged.
pub fn read_pf_pascal_list(path: &Path) -> Result<Vec<PfPascalRow>, BenchmarkError> {
    parse_pf_pascal_list(path, &files::read(path)?)
}

/// Reads a pair list from its bytes; `path` is what errors name.
///
/// # Errors
///
/// As [`read_pf_pascal_list`].
pub fn parse_pf_pascal_list(path: &Path, bytes: &[u8]) -> Result<Vec<PfPascalRow>, BenchmarkError> {
    let mut rows = Rows::new(path, bytes)?;
    let source = rows.column(&["source_image", "imageA"], COLUMNS)?;
    let target = rows.column(&["target_image", "imageB"], COLUMNS)?;
    let class = rows.column(&["class"], COLUMNS)?;
    let flip = rows.find_column(&["flip"]);
    let points = match flip {
        Some(_) => None,
        None => {
            let [xa, ya, xb, yb] = ["XA", "YA", "XB", "YB"].map(|name| rows.column(&[name], COLUMNS));
            Some([xa?, ya?, xb?, yb?])
        }
    };
    let mut found = Vec::new();
    while let Some(row) = rows.next_row() {
        let row = row?;
        let number = row.text(class)?;
        let class = number.parse().ok().and_then(|number: usize| PASCAL_CLASSES.get(number.checked_sub(1)?));
        let class = class.ok_or_else(|| row.error(format!("class {number} is none of 1 to 20")))?;
        let points = match points {
            None => None,
            Some([xa, ya, xb, yb]) => {
                let (here, there) = (row.points(xa, ya, ';')?, row.points(xb, yb, ';')?);
                if here.len() != there.len() {
                    let problem = format!("the source has {} points, the target {}", here.len(), there.len());
                    return Err(row.error(problem));
                }
                Some([here, there])
            }
        };
        let flip = match row.optional(flip) {
            None if flip.is_some() => return Err(row.error("`flip` is empty, expected 0 or 1")),
            None | Some("0") => false,
            Some("1") => true,
            Some(other) => return Err(row.error(format!("`flip` is `{other}`, expected 0 or 1"))),
        };
        let (source, target) = (row.text(source)?.to_owned(), row.text(target)?.to_owned());
        found.push(PfPascalRow { line: row.line, source, target, class, points, flip });
    }
    Ok(found)
}

/// What is annotated of one object in one image.
#[derive(Clone, Debug, PartialEq)]
pub struct PfPascalAnnotation {
    /// The class's key points in their order; `None` where the image does not show one.
    pub key_points: Vec<Option<[f32; 2]>>,
    /// The object's box, where the file has one.
    pub object_box: Option<PixelBox>,
}

/// Reads an annotation from the bytes of its `.mat` file: `kps`, K × 2 with NaN for what is not seen, and `bbox`, 1 ×
/// 4.
///
/// # Errors
///
/// [`BenchmarkError`] where the file is damaged or its matrices have other shapes.
pub fn parse_pf_pascal_annotation(path: &Path, bytes: &[u8]) -> Result<PfPascalAnnotation, BenchmarkError> {
    let content = |problem| BenchmarkError::from(MatError::Content { path: path.to_owned(), problem });
    let key = |key: &str, problem| BenchmarkError::Key { path: path.to_owned(), key: key.to_owned(), problem };
    let shape = |matrix: &Matrix| format!("{} x {}", matrix.rows(), matrix.columns());
    let kps = parse_matrix(bytes, "kps").map_err(content)?;
    if kps.columns() != 2 || kps.rows() > MOST_POINTS {
        return Err(key("kps", format!("is {}, expected a row a key point and two columns, x and y", shape(&kps))));
    }
    let mut key_points = Vec::with_capacity(kps.rows());
    for row in 0..kps.rows() {
        let (x, y) = (kps.get(row, 0), kps.get(row, 1));
        key_points.push(if x.is_nan() && y.is_nan() {
            None
        } else {
            Some([
                checked(x).map_err(|problem| key("kps", problem))?,
                checked(y).map_err(|problem| key("kps", problem))?,
            ])
        });
    }
    let object_box = match parse_matrix(bytes, "bbox") {
        Err(MatProblem::MissingVariable { .. }) => None,
        Err(problem) => return Err(content(problem)),
        Ok(matrix) if matrix.rows() * matrix.columns() != 4 || matrix.rows().min(matrix.columns()) != 1 => {
            return Err(key("bbox", format!("is {}, expected 1 x 4", shape(&matrix))));
        }
        Ok(matrix) => {
            let side = |index| if matrix.rows() == 1 { matrix.get(0, index) } else { matrix.get(index, 0) };
            let [left, top, right, bottom] = [0, 1, 2, 3].map(|index| checked(side(index)));
            let corners = (|| Ok([left?, top?, right?, bottom?]))();
            let corners = corners.map_err(|problem: String| key("bbox", problem))?;
            check_box(corners).map_err(|problem| key("bbox", problem))?;
            Some(corners)
        }
    };
    Ok(PfPascalAnnotation { key_points, object_box })
}

/// The data set's folder: where `JPEGImages` lies, or the folder that holds it.
pub(super) fn find(root: &Path) -> Option<PathBuf> {
    let has_list = |base: &Path| {
        let any = |split| list_path(base, split).is_some();
        any(BenchmarkSplit::Test) || any(BenchmarkSplit::Val) || any(BenchmarkSplit::Train)
    };
    find_base(root, &FOLDERS, |base| has_list(base) && images_folder(base).is_some())
}

fn images_folder(base: &Path) -> Option<PathBuf> {
    // The lists may have been put into the folder of the images, or beside it.
    let beside = base.parent().map(|parent| parent.join("PF-dataset-PASCAL"));
    let candidates = [Some(base.to_owned()), Some(base.join("PF-dataset-PASCAL")), beside];
    candidates.into_iter().flatten().find(|folder| folder.join("JPEGImages").is_dir())
}

fn list_path(base: &Path, split: BenchmarkSplit) -> Option<PathBuf> {
    let names: &[&str] = match split {
        BenchmarkSplit::Train => &["train", "trn"],
        BenchmarkSplit::Val => &["val"],
        BenchmarkSplit::Test => &["test"],
        _ => &[],
    };
    let folders = [base.to_owned(), base.join("image_pairs"), base.join("PF-dataset-PASCAL")];
    let files = folders.iter().flat_map(|folder| {
        names.iter().flat_map(move |name| {
            ["_pairs.csv", "_pairs_pf_pascal.csv"].map(|ending| folder.join(format!("{name}{ending}")))
        })
    });
    files.into_iter().find(|path| path.is_file())
}

/// What is read on the way from rows to pairs.
struct Data<'a> {
    list: &'a Path,
    folder: PathBuf,
    sizes: ImageSizes,
    checks: Checks,
    annotations: BTreeMap<PathBuf, Option<PfPascalAnnotation>>,
}

pub(super) fn read(root: &Path, split: BenchmarkSplit, options: &ReadOptions) -> Result<ReadPairs, BenchmarkError> {
    let missing = |missing: String| BenchmarkError::Layout { name: NAME, root: root.to_owned(), missing };
    let base =
        find(root).ok_or_else(|| missing("a folder JPEGImages beside a list such as test_pairs.csv".to_owned()))?;
    let folder = images_folder(&base).ok_or_else(|| missing("the folder JPEGImages".to_owned()))?;
    let list = |split: BenchmarkSplit| {
        list_path(&base, split).ok_or_else(|| missing(format!("the list {split}_pairs.csv of the {split} split")))
    };
    let path = list(split)?;
    let rows = read_pf_pascal_list(&path)?;
    let mut notes = Vec::new();
    let train = match (split, options.leak_free) {
        (BenchmarkSplit::Train, true) => {
            let problem = "the train split has no leak-free subset; test and val have one".to_owned();
            return Err(BenchmarkError::Content { path, problem });
        }
        (BenchmarkSplit::Train, false) => None,
        (_, true) => Some(read_pf_pascal_list(&list(BenchmarkSplit::Train)?)?),
        (_, false) => list_path(&base, BenchmarkSplit::Train).map(|path| read_pf_pascal_list(&path)).transpose()?,
    };
    if let Some(train) = &train {
        notes.push(format!("{split}: {}", LeakReport::new(train, &rows)));
    }
    let wanted = match &train {
        Some(train) if options.leak_free => leak_free(train, &rows),
        _ => rows.iter().collect(),
    };

    let (sizes, checks) = (ImageSizes::default(), Checks::new(NAME.annotation_frame(), options.annotated_in));
    let mut data = Data { list: &path, folder, sizes, checks, annotations: BTreeMap::new() };
    let (mut pairs, mut flipped, mut repeated, mut pointless, mut unlike) = (Vec::new(), 0, 0, 0, 0);
    let mut seen = HashSet::new();
    for row in wanted {
        if row.flip {
            flipped += 1;
        } else if row.points.is_none() && !seen.insert(row.id()) {
            repeated += 1;
        } else {
            let (pair, annotated) = data.pair(row)?;
            unlike += usize::from(!annotated);
            match pair {
                Some(pair) => pairs.push(pair),
                None => pointless += 1,
            }
        }
    }
    let mut count = |count: usize, what: &str| {
        if count > 0 {
            notes.push(format!("{count} rows {what}"));
        }
    };
    count(flipped, "ask for mirrored images and are left out: scores are of images as they are");
    count(repeated, "repeat an earlier one and are left out");
    count(pointless, "have no key point that both images show and are left out");
    count(
        unlike,
        "have no annotation that agrees with their points: no object box, and bbox-kp is of the shared points alone",
    );
    let default_protocol = Protocol { length: Length::Img, ..Protocol::default() };
    Ok(ReadPairs { pairs, default_protocol, notes, counts: data.checks.counts })
}

impl Data<'_> {
    /// The pair of a row, and whether annotations stand behind it.
    fn pair(&mut self, row: &PfPascalRow) -> Result<(Option<KeyPointPair>, bool), BenchmarkError> {
        let (source, from) = self.image(row, &row.source)?;
        let (target, to) = self.image(row, &row.target)?;
        let Some([here, there]) = &row.points else {
            let ((source, true), (target, true)) = (source, target) else {
                let path = self.annotation_path(row, &row.source);
                let other = self.annotation_path(row, &row.target);
                let path = if path.is_file() { other } else { path };
                let needed_by = place(self.list, row.line);
                return Err(BenchmarkError::Missing {
                    name: NAME,
                    path,
                    needed_by,
                    hint: ", which has no points of its own",
                });
            };
            return Ok((KeyPointPair::new(&source, &target), true));
        };
        let place = Place::line(self.list, row.line);
        let here = self.checks.points(&from, here, place, "XA, YA")?;
        let there = self.checks.points(&to, there, place, "XB, YB")?;
        let annotated = (source.1 && target.1).then(|| KeyPointPair::new(&source.0, &target.0)).flatten();
        let agreeing = annotated.filter(|pair| close(&pair.source.points, &here) && close(&pair.target.points, &there));
        if let Some(mut pair) = agreeing {
            pair.source.points = here;
            pair.target.points = there;
            return Ok((Some(pair), true));
        }
        let side = |image: KeyPointImage, points: &[[f32; 2]]| {
            Some(PairImage {
                path: image.path,
                size: image.size,
                points: points.to_vec(),
                key_point_box: tight_box(points)?,
                object_box: image.object_box,
                unshared: Vec::new(),
            })
        };
        let pair = |source, target| {
            Some(KeyPointPair {
                id: row.id(),
                class: row.class.to_owned(),
                source: side(source, &here)?,
                target: side(target, &there)?,
                ids: (0..u16::try_from(here.len()).ok()?).collect(),
                difficulty: None,
                agreements: Vec::new(),
            })
        };
        Ok((pair(source.0, target.0), false))
    }

    /// An image of a row with what is annotated, and whether anything is; and the pixels that the row's points are in.
    fn image(&mut self, row: &PfPascalRow, listed: &str) -> Result<((KeyPointImage, bool), Canvas), BenchmarkError> {
        let roots = [self.folder.as_path(), self.folder.parent().unwrap_or(&self.folder)];
        let path = find_listed(&roots, listed).ok_or_else(|| BenchmarkError::Missing {
            name: NAME,
            path: self.folder.join("JPEGImages").join(listed.rsplit('/').next().unwrap_or(listed)),
            needed_by: place(self.list, row.line),
            hint: "",
        })?;
        let canvas = self.checks.canvas(&path, self.sizes.of(&path)?, None, None)?;
        let file = self.annotation_path(row, listed);
        if !self.annotations.contains_key(&file) {
            let annotation = match file.is_file() {
                true => Some(self.annotation(&file, &canvas)?),
                false => None,
            };
            self.annotations.insert(file.clone(), annotation);
        }
        let annotation = self.annotations.get(&file).and_then(Option::as_ref);
        let image = KeyPointImage {
            path,
            class: row.class.to_owned(),
            size: canvas.size(),
            key_points: annotation.map_or_else(Vec::new, |annotation| annotation.key_points.clone()),
            object_box: annotation.and_then(|annotation| annotation.object_box),
        };
        Ok(((image, annotation.is_some()), canvas))
    }

    fn annotation(&mut self, file: &Path, canvas: &Canvas) -> Result<PfPascalAnnotation, BenchmarkError> {
        let mut found = parse_pf_pascal_annotation(file, &files::read(file)?)?;
        let place = Place::file(file);
        for (row, point) in (1..).zip(&mut found.key_points) {
            if let Some(point) = point {
                *point = self.checks.point(canvas, *point, place, || format!("kps({row}, :)"))?;
            }
        }
        if let Some(sides) = &mut found.object_box {
            *sides = self.checks.object_box(canvas, *sides, place, "bbox")?;
        }
        Ok(found)
    }

    fn annotation_path(&self, row: &PfPascalRow, listed: &str) -> PathBuf {
        self.folder.join("Annotations").join(row.class).join(format!("{}.mat", listed_stem(listed)))
    }
}

/// Whether two lists of points are the same up to a pixel.
fn close(here: &[[f32; 2]], there: &[[f32; 2]]) -> bool {
    let near = |(p, q): (&[f32; 2], &[f32; 2])| (p[0] - q[0]).abs() <= 1.0 && (p[1] - q[1]).abs() <= 1.0;
    here.len() == there.len() && here.iter().zip(there).all(near)
}

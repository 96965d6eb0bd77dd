//! WILLOW-ObjectClass and PF-WILLOW: a folder of class folders, each with images and `.mat` files of the same stem.
//!
//! A `.mat` file holds `pts_coord`, a matrix of two rows (x, then y) and one column a key point; (NaN, NaN) or (−1, −1) is a
//! point that the image does not show. Coordinates are taken as they stand: the files do not say whether the first pixel is
//! 0 or 1, every public evaluation reads them unshifted, and PCK between two images annotated alike does not depend on it.
//! They are in the pixels as stored: MATLAB, with which the data sets were annotated, passes over an EXIF orientation.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use sc_imagenet::{DecodeError, Refusal, has_image_extension, image_size};
use thiserror::Error;

use crate::benchmarks::checks::{AnnotationError, AnnotationFrame, Checks, Place};
use crate::benchmarks::read_counts::ReadCounts;
use crate::key_points::{KeyPointImage, Split};
use crate::mat::{MatError, Matrix, read_matrix, write_matrix};

const VARIABLE: &str = "pts_coord";

/// What [`read_willow`] found.
#[derive(Clone, Debug, PartialEq)]
pub struct WillowImages {
    /// The split's images that have key points, by class and then by file name.
    pub images: Vec<KeyPointImage>,
    /// The split's images without a `.mat` file, or with one in which every point is absent: to be told to the user.
    pub without_key_points: Vec<PathBuf>,
    /// What was taken although it is odd.
    pub counts: ReadCounts,
}

/// Why a folder of images and key points could not be read.
#[derive(Debug, Error)]
pub enum WillowError {
    /// The operating system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// The folder or file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// No class folder with an image in it.
    #[error(
        "{} has no images in class folders; expected <class>/<name>.png beside <class>/<name>.mat, as WILLOW-ObjectClass and PF-WILLOW are laid out",
        .0.display()
    )]
    NoImages(PathBuf),
    /// Two images of one class folder share a stem, so that one `.mat` file would belong to both.
    #[error("{} and {} have the same name but for the extension; remove one", .0.display(), .1.display())]
    SameStem(PathBuf, PathBuf),
    /// The header of an image could not be read.
    #[error("{}: cannot read the image's size: it {source}", path.display())]
    Image {
        /// The image.
        path: PathBuf,
        /// Why.
        source: Refusal,
    },
    /// A point cannot be meant.
    #[error(transparent)]
    Annotation(#[from] AnnotationError),
    /// The key points' file could not be read or written.
    #[error(transparent)]
    Mat(#[from] MatError),
    /// `pts_coord` is no list of points.
    #[error("{}: `pts_coord` is {rows}x{columns}, expected two rows (x, then y) and a column a key point", path.display())]
    Shape {
        /// The `.mat` file.
        path: PathBuf,
        /// Rows of the matrix.
        rows: usize,
        /// Its columns.
        columns: usize,
    },
}

/// Reads the images of a split and their key points; no pixel is decoded.
///
/// Classes are the folders of `root` that hold an image, sorted by name; whether an image belongs to the split is decided
/// by its place among all images of its folder, sorted by file name. Names that start with a dot are passed over.
///
/// # Errors
///
/// [`WillowError`] with the path of what is missing or damaged.
pub fn read_willow(root: &Path, split: Split) -> Result<WillowImages, WillowError> {
    read_willow_in(root, split, None)
}

/// As [`read_willow`]; `annotated_in` is the frame that points are in where somebody says that it is not the stored one.
pub(crate) fn read_willow_in(
    root: &Path,
    split: Split,
    annotated_in: Option<AnnotationFrame>,
) -> Result<WillowImages, WillowError> {
    let mut checks = Checks::new(AnnotationFrame::Stored, annotated_in);
    let (mut images_found, mut without_key_points) = (Vec::new(), Vec::new());
    let mut any_image = false;
    for folder in entries(root)?.into_values().filter(|path| path.is_dir()) {
        let class = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let images: Vec<_> = entries(&folder)?.into_values().filter(|path| is_image(path)).collect();
        check_stems(&images)?;
        any_image |= !images.is_empty();
        for path in images.into_iter().enumerate().filter(|(index, _)| split.contains(*index)).map(|(_, path)| path) {
            let mat = path.with_extension("mat");
            let annotated = read_key_points(&mat)?;
            if annotated.iter().all(Option::is_none) {
                without_key_points.push(path);
                continue;
            }
            let size = image_size(&path)
                .map_err(|DecodeError { path, refusal: source }| WillowError::Image { path, source })?;
            let canvas = checks.canvas(&path, size, None, None)?;
            let mut key_points = Vec::with_capacity(annotated.len());
            for (column, point) in (1..).zip(annotated) {
                let field = || format!("{VARIABLE}(:, {column})");
                let point = point.map(|point| checks.point_unless_minus_one(&canvas, point, Place::file(&mat), field));
                key_points.push(point.transpose()?.flatten());
            }
            if key_points.iter().all(Option::is_none) {
                without_key_points.push(path);
                continue;
            }
            let class = class.clone();
            images_found.push(KeyPointImage { path, class, size: canvas.size(), key_points, object_box: None });
        }
    }
    if !any_image {
        return Err(WillowError::NoImages(root.to_owned()));
    }
    Ok(WillowImages { images: images_found, without_key_points, counts: checks.counts })
}

/// Writes an image's key points as the `.mat` file that [`read_willow`] reads; absent points become NaN.
///
/// # Errors
///
/// [`MatError::Io`] where the file cannot be written.
pub fn write_key_points(path: &Path, key_points: &[Option<[f32; 2]>]) -> Result<(), MatError> {
    let values = key_points.iter().flat_map(|point| point.unwrap_or([f32::NAN; 2])).map(f64::from).collect();
    write_matrix(path, VARIABLE, &Matrix::from_columns(2, key_points.len(), values))
}

/// The key points of one `.mat` file, as they stand but for (NaN, NaN); none where there is no such file.
fn read_key_points(path: &Path) -> Result<Vec<Option<[f32; 2]>>, WillowError> {
    let matrix = match read_matrix(path, VARIABLE) {
        Err(MatError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        matrix => matrix?,
    };
    if matrix.rows() != 2 {
        return Err(WillowError::Shape { path: path.to_owned(), rows: matrix.rows(), columns: matrix.columns() });
    }
    let point = |column| [matrix.get(0, column) as f32, matrix.get(1, column) as f32];
    Ok((0..matrix.columns()).map(point).map(|point| (!point.iter().all(|x| x.is_nan())).then_some(point)).collect())
}

/// The visible entries of a folder, by file name.
fn entries(folder: &Path) -> Result<BTreeMap<std::ffi::OsString, PathBuf>, WillowError> {
    let io = |source| WillowError::Io { path: folder.to_owned(), source };
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).map_err(io)? {
        let entry = entry.map_err(io)?;
        if !entry.file_name().as_encoded_bytes().starts_with(b".") {
            found.insert(entry.file_name(), entry.path());
        }
    }
    Ok(found)
}

fn is_image(path: &Path) -> bool {
    // The rule of those who train: the even and the odd half of a folder are the same files for both.
    path.is_file() && path.file_name().is_some_and(has_image_extension)
}

fn check_stems(images: &[PathBuf]) -> Result<(), WillowError> {
    let mut seen = BTreeMap::new();
    for path in images {
        if let Some(other) = seen.insert(path.file_stem(), path) {
            return Err(WillowError::SameStem(other.clone(), path.clone()));
        }
    }
    Ok(())
}

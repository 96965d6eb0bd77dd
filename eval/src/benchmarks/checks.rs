//! What every reader asks of sizes, boxes and points, in one place.
//!
//! What public evaluations take as it stands is taken, and counted in [`ReadCounts`]; what cannot be meant is an error that
//! names file, place and values:
//!
//! | what | taken | taken and counted | error |
//! | --- | --- | --- | --- |
//! | a point | up to 1 pixel outside the image | up to a quarter of the image's longer side outside | farther out; not finite, where that does not mean absent |
//! | a box | sides in order, up to 1 pixel outside | up to a quarter of the longer side outside | sides out of order, no extent, farther out |
//! | a declared size | that of the picture | the picture is there and cannot be opened | another one, such as height before width |
//!
//! One pixel is free because both 0 and 1 are in use for the first pixel, and boxes are given both with and without their
//! last pixel.

use std::collections::HashSet;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use sc_imagenet::ImageSize;
use serde::Deserialize;
use thiserror::Error;

use super::error::BenchmarkError;
use super::files::ImageSizes;
use super::read_counts::{Oddity, ReadCounts};
use crate::key_points::PixelBox;

/// So far outside its image a point or a box may be for nothing.
const FREE: f32 = 1.0;

/// A point or box farther outside than this share of the image's longer side cannot be meant.
const FARTHEST: f32 = 0.25;

/// How a user says what annotations are in.
const TELL: &str = "`--annotated-in shown` or `stored` (in a table also `frame`)";

/// In which pixels the points and boxes of an image with an EXIF orientation are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AnnotationFrame {
    /// `shown`: the picture as viewers, browsers and OpenCV show it.
    Shown,
    /// `stored`: the pixels as the file has them, which MATLAB and Pillow show.
    Stored,
}

/// A string that is no [`AnnotationFrame`].
#[derive(Debug, Error, PartialEq, Eq)]
#[error("`{0}` is no frame of annotations; expected shown or stored")]
pub struct UnknownFrame(String);

impl FromStr for AnnotationFrame {
    type Err = UnknownFrame;

    fn from_str(text: &str) -> Result<Self, UnknownFrame> {
        match text {
            "shown" => Ok(Self::Shown),
            "stored" => Ok(Self::Stored),
            _ => Err(UnknownFrame(text.to_owned())),
        }
    }
}

impl fmt::Display for AnnotationFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Shown => "shown",
            Self::Stored => "stored",
        })
    }
}

/// A size, box or point that cannot be meant.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("{at}: `{field}` {problem}")]
pub struct AnnotationError {
    /// The file, and its line where it has some.
    pub at: String,
    /// Which value of it.
    pub field: String,
    /// What is wrong, said of it.
    pub problem: String,
}

/// Where a value stands.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) path: &'a Path,
    /// From 1; of a file that is one value, none.
    pub(crate) line: Option<u64>,
}

impl<'a> Place<'a> {
    pub(crate) fn file(path: &'a Path) -> Self {
        Self { path, line: None }
    }

    pub(crate) fn line(path: &'a Path, line: u64) -> Self {
        Self { path, line: Some(line) }
    }

    fn error(self, field: &str, problem: String) -> AnnotationError {
        AnnotationError { at: self.to_string(), field: field.to_owned(), problem }
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match self.line {
            Some(line) => write!(f, "{path}:{line}"),
            None => write!(f, "{path}"),
        }
    }
}

/// A size that an annotation gives for its image.
#[derive(Clone, Copy)]
pub(crate) struct Declared<'a> {
    pub(crate) size: (u32, u32),
    pub(crate) field: &'a str,
}

/// The pixels that an image's annotation is in, and the way to those that are shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Canvas {
    image: ImageSize,
    frame: AnnotationFrame,
}

impl Canvas {
    /// `(width, height)` of the image as it is shown.
    pub(crate) fn size(&self) -> (u32, u32) {
        self.image.shown()
    }

    /// `(width, height)` in the frame of the annotation.
    fn annotated(&self) -> (u32, u32) {
        size_in(self.image, self.frame)
    }

    fn shown(&self, point: [f32; 2]) -> [f32; 2] {
        match self.frame {
            AnnotationFrame::Shown => point,
            AnnotationFrame::Stored => self.image.to_shown(point),
        }
    }

    /// By how many pixels the points reach out of the image.
    fn outside(&self, points: &[[f32; 2]]) -> f32 {
        let (width, height) = self.annotated();
        let over = |&[x, y]: &[f32; 2]| (-x).max(x - (width as f32 - 1.0)).max(-y).max(y - (height as f32 - 1.0));
        points.iter().map(over).fold(f32::MIN, f32::max)
    }

    /// Whether a box lies beside the image altogether.
    fn misses(&self, [left, top, right, bottom]: PixelBox) -> bool {
        let (width, height) = self.annotated();
        right < -FREE || bottom < -FREE || left > width as f32 - 1.0 + FREE || top > height as f32 - 1.0 + FREE
    }

    /// Whether points may be there: whether to count them; else what is wrong.
    fn judge(&self, points: &[[f32; 2]], value: &dyn fmt::Debug) -> Result<bool, String> {
        let (outside, (width, height)) = (self.outside(points), self.annotated());
        if outside <= FARTHEST * width.max(height) as f32 {
            return Ok(outside > FREE);
        }
        let mut problem =
            format!("is {value:?}, {outside} pixels outside of its image of {width} x {height}, which cannot be meant");
        if self.image.is_turned() {
            problem += &format!(
                "; the image has the EXIF orientation {}, and annotations are taken as those of the picture as it is {}: \
                 say in which they are meant, {TELL}",
                self.image.orientation(),
                self.frame
            );
        }
        Err(problem)
    }
}

fn size_in(image: ImageSize, frame: AnnotationFrame) -> (u32, u32) {
    match frame {
        AnnotationFrame::Shown => image.shown(),
        AnnotationFrame::Stored => image.stored,
    }
}

/// The checks of one reading of a data set.
pub(crate) struct Checks {
    /// What annotations of the data set are in.
    usual: AnnotationFrame,
    /// What the user says that they are in.
    told: Option<AnnotationFrame>,
    /// Whether a declared size may say it, where nobody else does.
    inferred: bool,
    turned: HashSet<PathBuf>,
    unopened: HashSet<PathBuf>,
    pub(crate) counts: ReadCounts,
}

impl Checks {
    pub(crate) fn new(usual: AnnotationFrame, told: Option<AnnotationFrame>) -> Self {
        let (turned, unopened) = (HashSet::new(), HashSet::new());
        Self { usual, told, inferred: true, turned, unopened, counts: ReadCounts::default() }
    }

    /// The same, for annotations in which a size proves nothing: it is asked for what is meant.
    pub(crate) fn asking(self) -> Self {
        Self { inferred: false, ..self }
    }

    /// The canvas of the image at `path`. `frame` is what the annotation itself says.
    pub(crate) fn canvas(
        &mut self,
        path: &Path,
        image: ImageSize,
        frame: Option<AnnotationFrame>,
        declared: Option<(Declared<'_>, Place<'_>)>,
    ) -> Result<Canvas, AnnotationError> {
        let said = frame.or(self.told);
        let mut frame = said.unwrap_or(self.usual);
        if let Some((Declared { size, field }, place)) = declared {
            let other = match frame {
                AnnotationFrame::Shown => AnnotationFrame::Stored,
                AnnotationFrame::Stored => AnnotationFrame::Shown,
            };
            if size_in(image, frame) != size && said.is_none() && self.inferred && size_in(image, other) == size {
                frame = other;
            }
            if size_in(image, frame) != size {
                return Err(place.error(field, wrong_size(path, size, image, frame)));
            }
        }
        if image.is_turned() && self.turned.insert(path.to_owned()) {
            let kind = match frame {
                AnnotationFrame::Shown => Oddity::TurnedTakenAsShown,
                AnnotationFrame::Stored => Oddity::TurnedTakenAsStored,
            };
            self.counts.add(kind, || format!("{} (orientation {})", path.display(), image.orientation()));
        }
        Ok(Canvas { image, frame })
    }

    /// The canvas of an image whose size is declared, so that it need not be there. Where it is, both have to agree.
    pub(super) fn declared_canvas(
        &mut self,
        sizes: &mut ImageSizes,
        path: &Path,
        frame: Option<AnnotationFrame>,
        declared: Declared<'_>,
        place: Place<'_>,
    ) -> Result<Canvas, BenchmarkError> {
        match sizes.of(path) {
            Ok(image) => return Ok(self.canvas(path, image, frame, Some((declared, place)))?),
            Err(BenchmarkError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
            Err(error) if self.unopened.insert(path.to_owned()) => {
                self.counts.add(Oddity::SizesUnchecked, || error.to_string());
            }
            Err(_) => {}
        }
        Ok(Canvas { image: ImageSize::upright_as_stored(declared.size), frame: AnnotationFrame::Shown })
    }

    /// A point as it is shown; none at (−1, −1), with which some data sets fill up their lists.
    pub(crate) fn point_unless_minus_one(
        &mut self,
        canvas: &Canvas,
        point: [f32; 2],
        place: Place<'_>,
        field: impl Fn() -> String,
    ) -> Result<Option<[f32; 2]>, AnnotationError> {
        if point == [-1.0, -1.0] {
            self.counts.add(Oddity::PointsAtMinusOne, || format!("{place}: `{}`", field()));
            return Ok(None);
        }
        self.point(canvas, point, place, field).map(Some)
    }

    /// A point as it is shown.
    pub(crate) fn point(
        &mut self,
        canvas: &Canvas,
        point: [f32; 2],
        place: Place<'_>,
        field: impl Fn() -> String,
    ) -> Result<[f32; 2], AnnotationError> {
        if !point.iter().all(|x| x.is_finite()) {
            return Err(place.error(&field(), format!("is {point:?}, which is no point")));
        }
        if canvas.judge(&[point], &point).map_err(|problem| place.error(&field(), problem))? {
            self.counts.add(Oddity::PointsOutside, || format!("{place}: `{}` is {point:?}", field()));
        }
        Ok(canvas.shown(point))
    }

    /// The points of a list `field` as they are shown.
    pub(crate) fn points(
        &mut self,
        canvas: &Canvas,
        points: &[[f32; 2]],
        place: Place<'_>,
        field: &str,
    ) -> Result<Vec<[f32; 2]>, AnnotationError> {
        let point =
            |(index, point): (usize, &[f32; 2])| self.point(canvas, *point, place, || format!("{field}[{index}]"));
        points.iter().enumerate().map(point).collect()
    }

    /// A box as it is shown.
    pub(crate) fn object_box(
        &mut self,
        canvas: &Canvas,
        sides: PixelBox,
        place: Place<'_>,
        field: &str,
    ) -> Result<PixelBox, AnnotationError> {
        let [left, top, right, bottom] = sides;
        check_box(sides).map_err(|problem| place.error(field, problem))?;
        if canvas.misses(sides) {
            let (width, height) = canvas.annotated();
            return Err(place.error(field, format!("is {sides:?}, which lies beside its image of {width} x {height}")));
        }
        let corners = [[left, top], [right, bottom]];
        if canvas.judge(&corners, &sides).map_err(|problem| place.error(field, problem))? {
            self.counts.add(Oddity::BoxesOutside, || format!("{place}: `{field}` is {sides:?}"));
        }
        let [a, b] = corners.map(|corner| canvas.shown(corner));
        Ok([a[0].min(b[0]), a[1].min(b[1]), a[0].max(b[0]), a[1].max(b[1])])
    }
}

/// Whether left and top come before right and bottom; else what is wrong.
pub(crate) fn check_box(sides: PixelBox) -> Result<(), String> {
    let [left, top, right, bottom] = sides;
    // Written so that a NaN is in no order.
    if left <= right && top <= bottom && (left < right || top < bottom) {
        return Ok(());
    }
    Err(format!("is [{left}, {top}, {right}, {bottom}], which is no box of left, top, right, bottom"))
}

fn wrong_size(path: &Path, (width, height): (u32, u32), image: ImageSize, frame: AnnotationFrame) -> String {
    let (path, in_frame) = (path.display(), size_in(image, frame));
    let there = format!("{} x {}", in_frame.0, in_frame.1);
    if image.is_turned() && [image.stored, image.shown()].contains(&(width, height)) {
        return format!(
            "is {width} x {height}, but {path} is {there} as it is {frame} (EXIF orientation {}): say in which the points \
             are meant, {TELL}",
            image.orientation()
        );
    }
    let exchanged = if (height, width) == in_frame { "; width and height are exchanged" } else { "" };
    format!("is {width} x {height}, but {path} is {there}{exchanged}")
}

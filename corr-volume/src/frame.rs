use crate::Grid;

/// One image's coordinate systems, and every conversion between them.
///
/// Three systems are in use. In all of them points are `[x, y]`, and the *centre* of the top-left element is `(0, 0)`:
///
/// - *original*: pixels of the image as it lies on disk, the system of annotations and of everything that is reported;
/// - *input*: pixels of the resized image that the backbone sees;
/// - *cells*: columns and rows of a [`Grid`] laid over the whole image.
///
/// An axis of `n` elements is mapped to one of `m` elements by
///
/// ```text
/// x' = (x + 1/2) * m / n - 1/2
/// ```
///
/// so the outer *edges* of the first and last elements, not their centres, coincide (PyTorch's `align_corners=False`).
/// Nothing else in the project multiplies a coordinate by a scale.
///
/// A grid made by a backbone of stride `s` covers the whole input only where the input's sides are multiples of `s`;
/// choose input sizes accordingly.
///
/// ```
/// use corr_volume::{Frame, Grid};
///
/// let frame = Frame::stretched((640, 480), (320, 320));
/// assert_eq!(frame.to_input([0.5, 0.25]), [0.0, 0.0]);
/// // The first of twenty cells is 32 original pixels wide and 24 high.
/// assert_eq!(frame.from_cells(Grid::square(20), [0.0, 0.0]), [15.5, 11.5]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    original: (u32, u32),
    input: (u32, u32),
}

impl Frame {
    /// The frame of an image of `original` (width, height) pixels stretched to `input` (width, height) pixels, each
    /// axis by its own factor.
    ///
    /// # Panics
    ///
    /// If any side is zero.
    pub fn stretched(original: (u32, u32), input: (u32, u32)) -> Self {
        assert!(
            original.0 > 0 && original.1 > 0 && input.0 > 0 && input.1 > 0,
            "an image has at least one pixel, got original {original:?} and input {input:?}"
        );
        Self { original, input }
    }

    /// Width and height of the image on disk, pixels.
    pub fn original(&self) -> (u32, u32) {
        self.original
    }

    /// Width and height of the image that the backbone sees, pixels.
    pub fn input(&self) -> (u32, u32) {
        self.input
    }

    /// Original pixels to input pixels.
    pub fn to_input(&self, original: [f32; 2]) -> [f32; 2] {
        map(original, sides(self.original), sides(self.input))
    }

    /// Input pixels to original pixels.
    pub fn to_original(&self, input: [f32; 2]) -> [f32; 2] {
        map(input, sides(self.input), sides(self.original))
    }

    /// Original pixels to cell coordinates of a grid over the whole image.
    pub fn to_cells(&self, grid: Grid, original: [f32; 2]) -> [f32; 2] {
        map(original, sides(self.original), grid_sides(grid))
    }

    /// Cell coordinates of a grid over the whole image to original pixels.
    pub fn from_cells(&self, grid: Grid, cells: [f32; 2]) -> [f32; 2] {
        map(cells, grid_sides(grid), sides(self.original))
    }

    /// Where a point of the original image lies in the left-right mirrored original image: `x` becomes `width - 1 - x`.
    pub fn mirror(&self, original: [f32; 2]) -> [f32; 2] {
        [self.original.0 as f32 - 1.0 - original[0], original[1]]
    }
}

fn sides(size: (u32, u32)) -> [f64; 2] {
    [f64::from(size.0), f64::from(size.1)]
}

fn grid_sides(grid: Grid) -> [f64; 2] {
    [grid.width as f64, grid.height as f64]
}

/// In f64, so that going there and back returns the very f32 for all image sizes in use.
fn map(point: [f32; 2], from: [f64; 2], to: [f64; 2]) -> [f32; 2] {
    let axis = |i: usize| ((f64::from(point[i]) + 0.5) * to[i] / from[i] - 0.5) as f32;
    [axis(0), axis(1)]
}

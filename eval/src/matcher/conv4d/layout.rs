//! How a volume lies in memory while it is convolved.

/// Planes are laid out for vectors of up to this many values.
pub(super) const LANES: usize = 16;

/// Sizes of a convolution of volumes `[b, c_in, h_s, w_s, h_t, w_t]` with weights `[c_out, c_in, k, k, k, k]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Shape {
    /// `c_in`, `c_out`.
    pub(super) channels: [usize; 2],
    /// Rows and columns of the source grid.
    pub(super) source: [usize; 2],
    /// Rows and columns of the target grid.
    pub(super) target: [usize; 2],
    /// `k`, odd.
    pub(super) kernel: usize,
}

impl Shape {
    pub(super) fn source_cells(&self) -> usize {
        self.source[0] * self.source[1]
    }

    pub(super) fn target_cells(&self) -> usize {
        self.target[0] * self.target[1]
    }

    /// Values of one channel of a pair.
    pub(super) fn scores(&self) -> usize {
        self.source_cells() * self.target_cells()
    }

    /// `k²`: taps over one of the two grids.
    pub(super) fn taps(&self) -> usize {
        self.kernel * self.kernel
    }

    /// Weights of one output channel.
    pub(super) fn weights(&self) -> usize {
        self.channels[0] * self.taps() * self.taps()
    }

    /// The same with input and output exchanged.
    pub(super) fn reversed(&self) -> Self {
        Self { channels: [self.channels[1], self.channels[0]], ..*self }
    }

    /// The source cells that `cell` sees, each with its tap. Taps beyond the border see nothing and are left out.
    pub(super) fn seen_from(&self, cell: usize) -> impl Iterator<Item = (usize, usize)> {
        let [height, width] = self.source;
        let (kernel, reach) = (self.kernel, self.kernel / 2);
        let (row, column) = (cell / width, cell % width);
        (0..self.taps()).filter_map(move |tap| {
            let (y, x) = (row + tap / kernel, column + tap % kernel);
            let inside = (reach..height + reach).contains(&y) && (reach..width + reach).contains(&x);
            inside.then(|| (tap, (y - reach) * width + x - reach))
        })
    }
}

/// A plane, which is the scores of one source cell against all target cells, laid out so that every tap over the target
/// grid reads one contiguous slice.
///
/// ```text
/// 0 0 0 0 0
/// 0 a b c d     reach 1, 2 rows of 4 cells, pitch 5: the zeros to the left of a row are those to the right of the one above
/// 0 e f g h
/// 0 0 0 0 0
/// 0 …
/// ```
///
/// Tap (u, v) adds the plane, moved by `u · pitch + v`, to all outputs at once. Outputs are `pitch` apart as well; what
/// comes out between their rows is thrown away.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    shape: Shape,
    pitch: usize,
    /// Values of a plane.
    pub(super) plane: usize,
    /// Where the first cell lies in a plane.
    pub(super) first: usize,
    /// Values computed of a plane of outputs, a multiple of [`LANES`].
    pub(super) outputs: usize,
    /// Where each tap begins to read.
    pub(super) taps: Vec<usize>,
}

impl Layout {
    pub(super) fn new(shape: Shape) -> Self {
        let [height, width] = shape.target;
        let reach = shape.kernel / 2;
        let pitch = width + reach;
        let outputs = (height * pitch).next_multiple_of(LANES);
        let taps = (0..shape.taps()).map(|tap| tap / shape.kernel * pitch + tap % shape.kernel).collect();
        let last = 2 * reach * (pitch + 1);
        Self { shape, pitch, plane: last + outputs, first: reach * (pitch + 1), outputs, taps }
    }

    /// Room for the planes of some channels of a pair, all zero.
    pub(super) fn planes(&self, channels: usize) -> Vec<f32> {
        vec![0.0; channels * self.shape.source_cells() * self.plane]
    }

    /// Lays a pair's volume out in planes that were all zero, or held another volume.
    pub(super) fn load(&self, volume: &[f32], planes: &mut [f32]) {
        for (from, to) in volume.chunks_exact(self.shape.target_cells()).zip(planes.chunks_exact_mut(self.plane)) {
            let rows = from.chunks_exact(self.shape.target[1]).zip(to[self.first..].chunks_mut(self.pitch));
            rows.for_each(|(from, to)| to[..from.len()].copy_from_slice(from));
        }
    }

    /// The outputs without what lies between their rows, plus `bias`.
    pub(super) fn store(&self, outputs: &[f32], bias: f32, cells: &mut [f32]) {
        let rows = cells.chunks_exact_mut(self.shape.target[1]).zip(outputs.chunks(self.pitch));
        rows.for_each(|(to, from)| to.iter_mut().zip(from).for_each(|(to, from)| *to = from + bias));
    }
}

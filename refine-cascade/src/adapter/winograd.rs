//! The 3×3 convolution as sixteen products of matrices: Winograd's F(2×2, 3×3).
//!
//! Every tile of 2×2 outputs depends on 4×4 inputs. With d such a patch of an input channel and g a kernel,
//!
//! ```text
//! outputs = Aᵀ ( Σ_channels (G g Gᵀ) ⊙ (Bᵀ d B) ) A
//! ```
//!
//! (Lavin and Gray, *Fast Algorithms for Convolutional Neural Networks*, CVPR 2016), which takes 16 multiplications a
//! tile and pair of channels where the definition takes 36. Each of the 16 places of a patch is one product of matrices
//! over channels. The gradients are the transposed maps, exactly, of 16 multiplications each as well.
//!
//! Layouts: *maps* are one slice an image, `[channels, cells]`, zero outside; *places* are `[channels, 16, tiles]`, the
//! tiles of a group of images one after the other; a *kernel in places* is `[outputs, 16, inputs]`.

use corr_volume::{Grid, Matrix, multiply, vectorised};
use rayon::prelude::*;

/// Places of a transformed patch.
pub(super) const PLACES: usize = 16;

/// Into how many blocks the channels are divided, each a task for a thread; fixed, so that the number of threads leaves
/// no trace in the sums.
const BLOCKS: usize = 4;

/// The tiles of a group of maps: 2×2 cells each, the last row and column of an odd map half outside.
#[derive(Clone, Copy)]
pub(super) struct Tiling {
    grid: Grid,
    rows: usize,
    columns: usize,
    images: usize,
}

impl Tiling {
    pub(super) fn new(grid: Grid, images: usize) -> Self {
        Self { grid, rows: grid.height.div_ceil(2), columns: grid.width.div_ceil(2), images }
    }

    /// Tiles of one map.
    fn tiles(&self) -> usize {
        self.rows * self.columns
    }

    /// Tiles of the group.
    fn total(&self) -> usize {
        self.images * self.tiles()
    }

    /// Values of `channels` channels in places.
    pub(super) fn places(&self, channels: usize) -> usize {
        channels * PLACES * self.total()
    }

    fn scratch(&self) -> Scratch {
        let stride = self.columns + 1;
        let half = vec![0.0; (2 * self.rows + 2) * stride];
        Scratch { stride, even: half.clone(), odd: half, rows: [0; 4].map(|_| vec![0.0; stride]) }
    }
}

/// One channel of one map with a border of one cell, its even and its odd columns apart, so that the transforms are sums
/// of slices; and four rows of tiles to work in.
struct Scratch {
    stride: usize,
    even: Vec<f32>,
    odd: Vec<f32>,
    rows: [Vec<f32>; 4],
}

impl Scratch {
    /// Cell (row, column) of the map lies at (row + 1, column + 1).
    #[inline(always)]
    fn load(&mut self, map: &[f32], grid: Grid) {
        for (row, cells) in map.chunks_exact(grid.width).enumerate() {
            let start = (row + 1) * self.stride;
            let odd = &mut self.odd[start..];
            odd.iter_mut().zip(cells.iter().step_by(2)).for_each(|(to, from)| *to = *from);
            let even = &mut self.even[start + 1..];
            even.iter_mut().zip(cells.iter().skip(1).step_by(2)).for_each(|(to, from)| *to = *from);
        }
    }

    #[inline(always)]
    fn store(&self, map: &mut [f32], grid: Grid) {
        for (row, cells) in map.chunks_exact_mut(grid.width).enumerate() {
            let start = (row + 1) * self.stride;
            cells.iter_mut().step_by(2).zip(&self.odd[start..]).for_each(|(to, from)| *to = *from);
            cells.iter_mut().skip(1).step_by(2).zip(&self.even[start + 1..]).for_each(|(to, from)| *to = *from);
        }
    }

    /// `Bᵀ d B` of the loaded map, row of tiles by row of tiles.
    #[inline(always)]
    fn inputs(&mut self, tiling: Tiling, places: &mut [f32]) {
        let (n, total) = (tiling.columns, tiling.total());
        let [a, b, ..] = &mut self.rows;
        let (a, b) = (&mut a[..=n], &mut b[..=n]);
        for row in 0..tiling.rows {
            for (vertical, (first, second, sign)) in
                [(0, 2, -1.0), (1, 2, 1.0), (2, 1, -1.0), (1, 3, -1.0)].into_iter().enumerate()
            {
                let (first, second) = ((2 * row + first) * self.stride, (2 * row + second) * self.stride);
                let (e0, e1) = (&self.even[first..=first + n], &self.even[second..=second + n]);
                let (o0, o1) = (&self.odd[first..=first + n], &self.odd[second..=second + n]);
                put(a, |t| e0[t] + sign * e1[t]);
                put(b, |t| o0[t] + sign * o1[t]);
                let start = 4 * vertical * total + row * n;
                put(&mut places[start..][..n], |t| a[t] - a[t + 1]);
                put(&mut places[start + total..][..n], |t| b[t] + a[t + 1]);
                put(&mut places[start + 2 * total..][..n], |t| a[t + 1] - b[t]);
                put(&mut places[start + 3 * total..][..n], |t| b[t] - b[t + 1]);
            }
        }
    }

    /// The transposed map of [`inputs`](Self::inputs): `B v Bᵀ`, summed over the tiles that share a cell.
    #[inline(always)]
    fn adjoint_inputs(&mut self, tiling: Tiling, places: &[f32]) {
        let (n, total) = (tiling.columns, tiling.total());
        self.even.fill(0.0);
        self.odd.fill(0.0);
        let [a, b, ..] = &mut self.rows;
        let (a, b) = (&mut a[..=n], &mut b[..=n]);
        for row in 0..tiling.rows {
            for (vertical, onto) in
                [[(0, 1.0), (2, -1.0)], [(1, 1.0), (2, 1.0)], [(1, -1.0), (2, 1.0)], [(1, 1.0), (3, -1.0)]]
                    .into_iter()
                    .enumerate()
            {
                let start = 4 * vertical * total + row * n;
                let place = |k: usize| &places[start + k * total..][..n];
                let (p0, p1, p2, p3) = (place(0), place(1), place(2), place(3));
                put(&mut a[..n], |t| p0[t]);
                put(&mut b[..n], |t| p1[t] - p2[t] + p3[t]);
                (a[n], b[n]) = (0.0, 0.0);
                add(&mut a[1..], |t| p1[t] + p2[t] - p0[t]);
                add(&mut b[1..], |t| -p3[t]);
                for (k, sign) in onto {
                    let start = (2 * row + k) * self.stride;
                    add(&mut self.even[start..=start + n], |t| sign * a[t]);
                    add(&mut self.odd[start..=start + n], |t| sign * b[t]);
                }
            }
        }
    }

    /// `Aᵀ m A + bias` of every tile, into the scratch map.
    #[inline(always)]
    fn outputs(&mut self, tiling: Tiling, places: &[f32], bias: f32) {
        let (n, total) = (tiling.columns, tiling.total());
        for row in 0..tiling.rows {
            for below in 0..2 {
                for (k, column) in self.rows.iter_mut().enumerate() {
                    let place = |vertical: usize| &places[(4 * vertical + k) * total + row * n..][..n];
                    let (m0, m1, m2, m3) = (place(0), place(1), place(2), place(3));
                    match below {
                        0 => put(&mut column[..n], |t| m0[t] + m1[t] + m2[t]),
                        _ => put(&mut column[..n], |t| m1[t] - m2[t] - m3[t]),
                    }
                }
                let [c0, c1, c2, c3] = &self.rows;
                let (c0, c1, c2, c3) = (&c0[..n], &c1[..n], &c2[..n], &c3[..n]);
                let start = (2 * row + below + 1) * self.stride;
                put(&mut self.odd[start..][..n], |t| c0[t] + c1[t] + c2[t] + bias);
                put(&mut self.even[start + 1..][..n], |t| c1[t] - c2[t] - c3[t] + bias);
            }
        }
    }

    /// The transposed map of [`outputs`](Self::outputs): `A y Aᵀ` of the loaded map. What an odd map has outside is
    /// zero and stays so.
    #[inline(always)]
    fn adjoint_outputs(&mut self, tiling: Tiling, places: &mut [f32]) {
        let (n, total) = (tiling.columns, tiling.total());
        let [left, right, ..] = &mut self.rows;
        let (left, right) = (&mut left[..n], &mut right[..n]);
        for row in 0..tiling.rows {
            let start = (2 * row + 1) * self.stride;
            let (o0, e0) = (&self.odd[start..][..n], &self.even[start + 1..][..n]);
            let start = start + self.stride;
            let (o1, e1) = (&self.odd[start..][..n], &self.even[start + 1..][..n]);
            for (vertical, (above, below)) in [(1.0, 0.0), (1.0, 1.0), (1.0, -1.0), (0.0, -1.0)].into_iter().enumerate()
            {
                put(left, |t| above * o0[t] + below * o1[t]);
                put(right, |t| above * e0[t] + below * e1[t]);
                let start = 4 * vertical * total + row * n;
                put(&mut places[start..][..n], |t| left[t]);
                put(&mut places[start + total..][..n], |t| left[t] + right[t]);
                put(&mut places[start + 2 * total..][..n], |t| left[t] - right[t]);
                put(&mut places[start + 3 * total..][..n], |t| -right[t]);
            }
        }
    }
}

#[inline(always)]
fn put(to: &mut [f32], value: impl Fn(usize) -> f32) {
    to.iter_mut().enumerate().for_each(|(t, to)| *to = value(t));
}

#[inline(always)]
fn add(to: &mut [f32], value: impl Fn(usize) -> f32) {
    to.iter_mut().enumerate().for_each(|(t, to)| *to += value(t));
}

/// Every channel of `maps` (one slice an image) as patches in places: what a convolution multiplies.
pub(super) fn inputs(maps: &[&[f32]], tiling: Tiling, places: &mut [f32]) {
    each_map(
        maps,
        tiling,
        places,
        #[inline(always)]
        |scratch, places| scratch.inputs(tiling, places),
    );
}

/// Gradients of a convolution's outputs (one slice an image) as gradients of its products.
pub(super) fn adjoint_outputs(maps: &[&[f32]], tiling: Tiling, places: &mut [f32]) {
    each_map(
        maps,
        tiling,
        places,
        #[inline(always)]
        |scratch, places| scratch.adjoint_outputs(tiling, places),
    );
}

fn each_map(maps: &[&[f32]], tiling: Tiling, places: &mut [f32], visit: impl Fn(&mut Scratch, &mut [f32]) + Sync) {
    let cells = tiling.grid.cells();
    places.par_chunks_mut(PLACES * tiling.total()).enumerate().for_each_init(
        || tiling.scratch(),
        |scratch, (channel, places)| {
            vectorised(
                #[inline(always)]
                || {
                    for (image, map) in maps.iter().enumerate() {
                        scratch.load(&map[channel * cells..][..cells], tiling.grid);
                        visit(scratch, &mut places[image * tiling.tiles()..]);
                    }
                },
            );
        },
    );
}

/// `outputs[o] = Σ_i kernel[o, i] ∗ inputs[i] + bias[o]`: inputs in places, outputs as `[channels, images, cells]`.
pub(super) fn convolve(kernel: &[f32], bias: &[f32], inputs: &[f32], tiling: Tiling, outputs: &mut [f32]) {
    let total = tiling.total();
    let channels = inputs.len() / (PLACES * total);
    let block = bias.len().div_ceil(BLOCKS);
    let (cells, group) = (tiling.grid.cells(), tiling.images * tiling.grid.cells());
    outputs.par_chunks_mut(block * group).zip(bias.par_chunks(block)).enumerate().for_each(|(index, (maps, bias))| {
        let mut products = vec![0.0; bias.len() * PLACES * total];
        for place in 0..PLACES {
            let kernel = &kernel[(index * block * PLACES + place) * channels..];
            let kernel = Matrix::by_rows(kernel, bias.len(), channels, PLACES * channels);
            let inputs = Matrix::by_rows(&inputs[place * total..], channels, total, PLACES * total);
            multiply(&mut products[place * total..], PLACES * total, false, kernel, inputs);
        }
        let mut scratch = tiling.scratch();
        vectorised(
            #[inline(always)]
            || {
                let channels = maps.chunks_exact_mut(group).zip(products.chunks_exact(PLACES * total)).zip(bias);
                for ((maps, products), bias) in channels {
                    for (image, map) in maps.chunks_exact_mut(cells).enumerate() {
                        scratch.outputs(tiling, &products[image * tiling.tiles()..], *bias);
                        scratch.store(map, tiling.grid);
                    }
                }
            },
        );
    });
}

/// Gradients of the inputs, `[channels, images, cells]`, from those of the products.
pub(super) fn adjoint_inputs(kernel: &[f32], products: &[f32], tiling: Tiling, channels: usize, inputs: &mut [f32]) {
    let total = tiling.total();
    let outputs = products.len() / (PLACES * total);
    let block = channels.div_ceil(BLOCKS);
    let (cells, group) = (tiling.grid.cells(), tiling.images * tiling.grid.cells());
    inputs.par_chunks_mut(block * group).enumerate().for_each(|(index, maps)| {
        let count = maps.len() / group;
        let mut patches = vec![0.0; count * PLACES * total];
        for place in 0..PLACES {
            let kernel = &kernel[place * channels + index * block..];
            let kernel = Matrix::by_rows(kernel, outputs, count, PLACES * channels).transposed();
            let products = Matrix::by_rows(&products[place * total..], outputs, total, PLACES * total);
            multiply(&mut patches[place * total..], PLACES * total, false, kernel, products);
        }
        let mut scratch = tiling.scratch();
        vectorised(
            #[inline(always)]
            || {
                for (maps, patches) in maps.chunks_exact_mut(group).zip(patches.chunks_exact(PLACES * total)) {
                    for (image, map) in maps.chunks_exact_mut(cells).enumerate() {
                        scratch.adjoint_inputs(tiling, &patches[image * tiling.tiles()..]);
                        scratch.store(map, tiling.grid);
                    }
                }
            },
        );
    });
}

/// Adds a group's gradient of the kernel in places: `Σ_tiles products · inputsᵀ`.
pub(super) fn add_kernel_gradient(products: &[f32], inputs: &[f32], tiling: Tiling, gradient: &mut [f32]) {
    let total = tiling.total();
    let channels = inputs.len() / (PLACES * total);
    let outputs = products.len() / (PLACES * total);
    let block = outputs.div_ceil(BLOCKS);
    gradient.par_chunks_mut(block * PLACES * channels).enumerate().for_each(|(index, gradient)| {
        let count = gradient.len() / (PLACES * channels);
        for place in 0..PLACES {
            let products = &products[(index * block * PLACES + place) * total..];
            let products = Matrix::by_rows(products, count, total, PLACES * total);
            let inputs = Matrix::by_rows(&inputs[place * total..], channels, total, PLACES * total).transposed();
            multiply(&mut gradient[place * channels..], PLACES * channels, true, products, inputs);
        }
    });
}

/// `G g Gᵀ` of every 3×3 kernel: `[outputs, inputs, 3, 3]` to `[outputs, 16, inputs]`.
pub(super) fn kernel(weights: &[f32], inputs: usize) -> Vec<f32> {
    let mut places = vec![0.0; weights.len() / 9 * PLACES];
    places.par_chunks_mut(PLACES * inputs).zip(weights.par_chunks(9 * inputs)).for_each_init(
        || vec![0.0; (9 + 12) * inputs],
        |scratch, (places, weights)| {
            let (taps, columns) = scratch.split_at_mut(9 * inputs);
            for (tap, taps) in taps.chunks_exact_mut(inputs).enumerate() {
                taps.iter_mut().zip(weights[tap..].iter().step_by(9)).for_each(|(to, from)| *to = *from);
            }
            vectorised(
                #[inline(always)]
                || {
                    // Down the columns, then along the rows.
                    for column in 0..3 {
                        let tap = |row: usize| &taps[(3 * row + column) * inputs..][..inputs];
                        spread([tap(0), tap(1), tap(2)], &mut columns[column * inputs..], 3 * inputs);
                    }
                    for row in 0..4 {
                        let column = |column: usize| &columns[(3 * row + column) * inputs..][..inputs];
                        spread([column(0), column(1), column(2)], &mut places[4 * row * inputs..], inputs);
                    }
                },
            );
        },
    );
    places
}

/// The transposed map of [`kernel`]: `Gᵀ u G`.
pub(super) fn adjoint_kernel(places: &[f32], inputs: usize) -> Vec<f32> {
    let mut weights = vec![0.0; places.len() / PLACES * 9];
    weights.par_chunks_mut(9 * inputs).zip(places.par_chunks(PLACES * inputs)).for_each_init(
        || vec![0.0; (12 + 9) * inputs],
        |scratch, (weights, places)| {
            let (columns, taps) = scratch.split_at_mut(12 * inputs);
            vectorised(
                #[inline(always)]
                || {
                    for row in 0..4 {
                        let place = |column: usize| &places[(4 * row + column) * inputs..][..inputs];
                        gather([place(0), place(1), place(2), place(3)], &mut columns[3 * row * inputs..], inputs);
                    }
                    for column in 0..3 {
                        let row = |row: usize| &columns[(3 * row + column) * inputs..][..inputs];
                        gather([row(0), row(1), row(2), row(3)], &mut taps[column * inputs..], 3 * inputs);
                    }
                },
            );
            for (tap, taps) in taps.chunks_exact(inputs).enumerate() {
                weights[tap..].iter_mut().step_by(9).zip(taps).for_each(|(to, from)| *to = *from);
            }
        },
    );
    weights
}

/// G times three rows of values, into four rows `stride` apart.
#[inline(always)]
fn spread([a, b, c]: [&[f32]; 3], to: &mut [f32], stride: usize) {
    let n = a.len();
    put(&mut to[..n], |t| a[t]);
    put(&mut to[stride..][..n], |t| 0.5 * (a[t] + c[t] + b[t]));
    put(&mut to[2 * stride..][..n], |t| 0.5 * (a[t] + c[t] - b[t]));
    put(&mut to[3 * stride..][..n], |t| c[t]);
}

/// Gᵀ times four rows of values, into three rows `stride` apart.
#[inline(always)]
fn gather([a, b, c, d]: [&[f32]; 4], to: &mut [f32], stride: usize) {
    let n = a.len();
    put(&mut to[..n], |t| a[t] + 0.5 * (b[t] + c[t]));
    put(&mut to[stride..][..n], |t| 0.5 * (b[t] - c[t]));
    put(&mut to[2 * stride..][..n], |t| 0.5 * (b[t] + c[t]) + d[t]);
}

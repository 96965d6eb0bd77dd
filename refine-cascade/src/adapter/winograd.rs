//! The 3×3 convolution as sixteen products of matrices: Winograd's F(2×2, 3×3).
//!
//! Every tile of 2×2 outputs depends on 4×4 inputs. With d such a patch of an input channel and g a kernel,
//!
//! ```text
//! outputs = Aᵀ ( Σ_channels (G g Gᵀ) ⊙ (Bᵀ d B) ) A
//! ```
//!
//! (Lavin and Gray, *Fast Algorithms for Convolutional Neural Networks*, CVPR 2016), which takes 16 multiplications a
//! tile and pair of channels where the definition takes 36. Each of the 16 *places* of a patch is one product of matrices,
//! tiles by channels. The gradients are the transposed maps, exactly, of 16 multiplications each as well.
//!
//! Maps are [cell-major](super::cell_major), zero outside. A place is gathered from the maps just before its product, so
//! that the patches of one place are all that is held of them.

use corr_volume::{Grid, Matrix, multiply, transpose, vectorised};
use rayon::prelude::*;

use super::cell_major::padded;

/// Places of a transformed patch.
const PLACES: usize = 16;

/// Bᵀ: every row is one input plus or minus another.
const INPUT: [(usize, usize, f32); 4] = [(0, 2, -1.0), (1, 2, 1.0), (2, 1, -1.0), (1, 3, -1.0)];
/// A: what the two outputs of an axis give to its four places; Aᵀ is the other way round.
const OUTPUT: [[f32; 2]; 4] = [[1.0, 0.0], [1.0, 1.0], [1.0, -1.0], [0.0, -1.0]];
/// G: what three taps give to four places.
const KERNEL: [[f32; 3]; 4] = [[1.0, 0.0, 0.0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0.0, 0.0, 1.0]];

/// Rows of a kernel that are transformed at a time.
const KERNEL_ROWS: usize = 16;
/// Values of a kernel, and of it with its columns transformed.
const TAPS: usize = 9;
const COLUMNS: usize = 12;

/// The tiles of a map: 2×2 cells each, the last row and column of an odd map half outside.
#[derive(Clone, Copy)]
pub(super) struct Tiling {
    grid: Grid,
    rows: usize,
    columns: usize,
}

impl Tiling {
    pub(super) fn new(grid: Grid) -> Self {
        Self { grid, rows: grid.height.div_ceil(2), columns: grid.width.div_ceil(2) }
    }

    fn tiles(&self) -> usize {
        self.rows * self.columns
    }

    /// Visits every tile: its index, row and column.
    #[inline(always)]
    fn each(&self, mut visit: impl FnMut(usize, usize, usize)) {
        for row in 0..self.rows {
            for column in 0..self.columns {
                visit(row * self.columns + column, row, column);
            }
        }
    }
}

/// Cells of a map by row and column, counted from one row and column outside it.
#[derive(Clone, Copy)]
struct Cells<'a> {
    map: &'a [f32],
    zeros: &'a [f32],
    grid: Grid,
}

impl<'a> Cells<'a> {
    /// The channels of a cell; zeros outside.
    #[inline(always)]
    fn at(&self, row: usize, column: usize) -> &'a [f32] {
        let width = self.zeros.len();
        match (row.wrapping_sub(1), column.wrapping_sub(1)) {
            (row, column) if row < self.grid.height && column < self.grid.width => {
                &self.map[(row * self.grid.width + column) * width..][..width]
            }
            _ => self.zeros,
        }
    }
}

/// `out = Σ_k c_k · x_k`.
#[inline(always)]
fn combine<const N: usize>(out: &mut [f32], terms: [(f32, &[f32]); N]) {
    let terms = terms.map(|(factor, values)| (factor, &values[..out.len()]));
    for (index, out) in out.iter_mut().enumerate() {
        let mut sum = 0.0;
        for (factor, values) in terms {
            sum += factor * values[index];
        }
        *out = sum;
    }
}

/// `Bᵀ d B` at one place of every tile of some maps: `[maps, tiles, width]`.
fn inputs(maps: &[f32], width: usize, tiling: Tiling, place: usize, out: &mut [f32]) {
    let ((r0, r1, vertical), (c0, c1, horizontal)) = (INPUT[place / 4], INPUT[place % 4]);
    each_map(
        maps,
        width,
        tiling,
        out,
        #[inline(always)]
        |cells, row, column, out| {
            let (row, column) = (2 * row, 2 * column);
            let terms = [
                (1.0, cells.at(row + r0, column + c0)),
                (horizontal, cells.at(row + r0, column + c1)),
                (vertical, cells.at(row + r1, column + c0)),
                (vertical * horizontal, cells.at(row + r1, column + c1)),
            ];
            combine(out, terms);
        },
    );
}

/// `A y Aᵀ` at one place of every tile of some maps of a convolution's outputs: `[maps, tiles, width]`.
fn adjoint_outputs(maps: &[f32], width: usize, tiling: Tiling, place: usize, out: &mut [f32]) {
    let ([a0, a1], [b0, b1]) = (OUTPUT[place / 4], OUTPUT[place % 4]);
    each_map(
        maps,
        width,
        tiling,
        out,
        #[inline(always)]
        |cells, row, column, out| {
            let (row, column) = (2 * row + 1, 2 * column + 1);
            let terms = [
                (a0 * b0, cells.at(row, column)),
                (a0 * b1, cells.at(row, column + 1)),
                (a1 * b0, cells.at(row + 1, column)),
                (a1 * b1, cells.at(row + 1, column + 1)),
            ];
            combine(out, terms);
        },
    );
}

#[inline(always)]
fn each_map(
    maps: &[f32],
    width: usize,
    tiling: Tiling,
    out: &mut [f32],
    visit: impl Fn(Cells<'_>, usize, usize, &mut [f32]),
) {
    let zeros = vec![0.0; width];
    vectorised(
        #[inline(always)]
        || {
            let images = maps.chunks_exact(tiling.grid.cells() * width);
            for (map, out) in images.zip(out.chunks_exact_mut(tiling.tiles() * width)) {
                let cells = Cells { map, zeros: &zeros, grid: tiling.grid };
                tiling.each(
                    #[inline(always)]
                    |tile, row, column| visit(cells, row, column, &mut out[tile * width..][..width]),
                );
            }
        },
    );
}

/// `G g Gᵀ` of every 3×3 kernel, `weights` being `[outputs, inputs, 3, 3]`.
pub(super) struct Kernel {
    /// `[places, rows, width]`.
    values: Vec<f32>,
    rows: usize,
    width: usize,
}

impl Kernel {
    /// A row an output channel, a column an input channel: what the gradient of the outputs is multiplied with.
    pub(super) fn adjoint(weights: &[f32], inputs: usize) -> Self {
        let (rows, width) = (weights.len() / 9 / inputs, padded(inputs));
        let mut values = vec![0.0; PLACES * rows * width];
        let mut blocks: Vec<Vec<&mut [f32]>> = Vec::new();
        blocks.resize_with(rows.div_ceil(KERNEL_ROWS), Vec::new);
        for place in values.chunks_exact_mut(rows * width) {
            blocks.iter_mut().zip(place.chunks_mut(KERNEL_ROWS * width)).for_each(|(block, part)| block.push(part));
        }
        let weights = weights.par_chunks(9 * inputs * KERNEL_ROWS);
        blocks.into_par_iter().zip(weights).for_each(|(mut places, weights)| {
            let mut scratch = vec![0.0; (TAPS + COLUMNS) * inputs];
            for (row, weights) in weights.chunks_exact(9 * inputs).enumerate() {
                let to = places.iter_mut().map(|place| &mut place[row * width..][..inputs]);
                transform_kernels(weights, &mut scratch, to);
            }
        });
        Self { values, rows, width }
    }

    /// A row an input channel, a column an output channel: what a convolution multiplies its inputs with.
    pub(super) fn forward(weights: &[f32], inputs: usize) -> Self {
        let turned = Self::adjoint(weights, inputs);
        let width = padded(turned.rows);
        let mut values = vec![0.0; PLACES * inputs * width];
        values.par_chunks_exact_mut(inputs * width).enumerate().for_each(|(place, values)| {
            let from = &turned.values[place * turned.rows * turned.width..];
            transpose(from, turned.width, values, width, turned.rows, inputs);
        });
        Self { values, rows: inputs, width }
    }

    fn place(&self, place: usize) -> Matrix<'_> {
        let size = self.rows * self.width;
        Matrix::by_rows(&self.values[place * size..][..size], self.rows, self.width, self.width)
    }

    /// `[places, images, tiles, width]` of what `gather` gathers for a place, times the kernel.
    fn products(&self, rows: usize, gathered: usize, gather: impl Fn(usize, &mut [f32]) + Sync, products: &mut [f32]) {
        products.par_chunks_exact_mut(rows * self.width).enumerate().for_each_init(
            || vec![0.0; rows * gathered],
            |patches, (place, products)| {
                gather(place, patches);
                let patches = Matrix::by_rows(patches, rows, self.rows, gathered);
                multiply(products, self.width, false, patches, self.place(place));
            },
        );
    }

    /// Room for the products of `images` images.
    pub(super) fn room(&self, images: usize, tiling: Tiling) -> Vec<f32> {
        vec![0.0; PLACES * images * tiling.tiles() * self.width]
    }
}

/// `G g Gᵀ` of some kernels one behind the other, into a row for each place.
fn transform_kernels<'a>(weights: &[f32], scratch: &mut [f32], mut to: impl Iterator<Item = &'a mut [f32]>) {
    let n = weights.len() / 9;
    let (taps, columns) = scratch.split_at_mut(TAPS * n);
    for (tap, taps) in taps.chunks_exact_mut(n).enumerate() {
        taps.iter_mut().zip(weights[tap..].iter().step_by(9)).for_each(|(to, from)| *to = *from);
    }
    vectorised(
        #[inline(always)]
        || {
            // Down the columns, then along the rows.
            for (index, column) in columns[..COLUMNS * n].chunks_exact_mut(n).enumerate() {
                let (factors, tap) = (KERNEL[index / 3], |row: usize| &taps[(3 * row + index % 3) * n..][..n]);
                combine(column, [(factors[0], tap(0)), (factors[1], tap(1)), (factors[2], tap(2))]);
            }
            for (index, to) in to.by_ref().enumerate() {
                let (factors, column) =
                    (KERNEL[index % 4], |column: usize| &columns[(3 * (index / 4) + column) * n..][..n]);
                combine(to, [(factors[0], column(0)), (factors[1], column(1)), (factors[2], column(2))]);
            }
        },
    );
}

/// A convolution's outputs before its bias, from its inputs: `finish` gets the map of an image, cell-major and as wide as the
/// kernel, which lives no longer than the call, and what `images` has for that image.
pub(super) fn convolve<T: Send>(
    kernel: &Kernel,
    maps: &[f32],
    width: usize,
    tiling: Tiling,
    room: &mut [f32],
    images: impl IndexedParallelIterator<Item = T>,
    finish: impl Fn(&[f32], T) + Sync,
) {
    let rows = images.len() * tiling.tiles();
    let products = &mut room[..PLACES * rows * kernel.width];
    kernel.products(rows, width, |place, patches| inputs(maps, width, tiling, place, patches), products);
    let products = &*products;
    images.enumerate().for_each_init(
        || vec![0.0; (tiling.grid.cells() + 8) * kernel.width],
        |scratch, (image, of_image)| {
            let (half, map) = scratch.split_at_mut(8 * kernel.width);
            outputs(products, image, rows, kernel.width, tiling, half, map);
            finish(map, of_image);
        },
    );
}

/// `Aᵀ m A` of every tile of an image. `half` has room for eight cells.
fn outputs(
    products: &[f32],
    image: usize,
    rows: usize,
    width: usize,
    tiling: Tiling,
    half: &mut [f32],
    map: &mut [f32],
) {
    let grid = tiling.grid;
    vectorised(
        #[inline(always)]
        || {
            tiling.each(
                #[inline(always)]
                |tile, row, column| {
                    let place =
                        |place: usize| &products[(place * rows + image * tiling.tiles() + tile) * width..][..width];
                    for (k, half) in half.chunks_exact_mut(2 * width).enumerate() {
                        let (above, below) = half.split_at_mut(width);
                        combine(above, [(1.0, place(k)), (1.0, place(4 + k)), (1.0, place(8 + k))]);
                        combine(below, [(1.0, place(4 + k)), (-1.0, place(8 + k)), (-1.0, place(12 + k))]);
                    }
                    for below in 0..2 {
                        let column_of = |k: usize| &half[(2 * k + below) * width..][..width];
                        let cell = |right: usize| (2 * row + below, 2 * column + right);
                        let [a, b, c, d] = [column_of(0), column_of(1), column_of(2), column_of(3)];
                        for (right, terms) in
                            [[(1.0, a), (1.0, b), (1.0, c)], [(1.0, b), (-1.0, c), (-1.0, d)]].into_iter().enumerate()
                        {
                            let (row, column) = cell(right);
                            if row < grid.height && column < grid.width {
                                combine(&mut map[(row * grid.width + column) * width..][..width], terms);
                            }
                        }
                    }
                },
            );
        },
    );
}

/// Gradients of a convolution's inputs from those of its outputs: `finish` gets those of a row of cells, `[columns, width]`,
/// and that row's part of `into`.
pub(super) fn adjoint_convolve(
    kernel: &Kernel,
    maps: &[f32],
    width: usize,
    tiling: Tiling,
    room: &mut [f32],
    into: &mut [f32],
    finish: impl Fn(&[f32], &mut [f32]) + Sync,
) {
    let images = maps.len() / (width * tiling.grid.cells());
    let rows = images * tiling.tiles();
    let products = &mut room[..PLACES * rows * kernel.width];
    kernel.products(rows, width, |place, patches| adjoint_outputs(maps, width, tiling, place, patches), products);
    let products = &*products;
    let row_size = tiling.grid.width * kernel.width;
    into.par_chunks_exact_mut(row_size).enumerate().for_each_init(
        || vec![0.0; row_size + 4 * tiling.columns * kernel.width],
        |scratch, (index, into)| {
            let (gathered, half) = scratch.split_at_mut(row_size);
            let (image, row) = (index / tiling.grid.height, index % tiling.grid.height);
            adjoint_inputs(products, (image * tiling.tiles(), rows), kernel.width, tiling, row, half, gathered);
            finish(gathered, into);
        },
    );
}

/// `B v Bᵀ`, summed over the tiles that share a cell, of a row of cells. `half` has room for the four places of a row of
/// tiles.
fn adjoint_inputs(
    products: &[f32],
    (first, tiles): (usize, usize),
    width: usize,
    tiling: Tiling,
    row: usize,
    half: &mut [f32],
    out: &mut [f32],
) {
    let zeros = vec![0.0; width];
    let vertical = shares(row, tiling.rows);
    vectorised(
        #[inline(always)]
        || {
            for (index, half) in half.chunks_exact_mut(width).enumerate() {
                let terms = vertical.map(|(tile_row, place, sign)| {
                    let tile = first + tile_row * tiling.columns + index / 4;
                    (sign, &products[((4 * place + index % 4) * tiles + tile) * width..][..width])
                });
                combine(half, terms);
            }
            for (column, out) in out.chunks_exact_mut(width).enumerate() {
                let terms = shares(column, tiling.columns).map(|(tile, place, sign)| {
                    (sign, if sign == 0.0 { &zeros[..] } else { &half[(4 * tile + place) * width..][..width] })
                });
                combine(out, terms);
            }
        },
    );
}

/// What the four terms of an axis are that make up a cell's gradient: tile, place of the axis, sign; 0 where there is no
/// such tile.
#[inline(always)]
fn shares(cell: usize, tiles: usize) -> [(usize, usize, f32); 4] {
    // Cell c is input c + 1 − 2t of tile t.
    let (near, far) = (cell.div_ceil(2), cell.div_ceil(2).wrapping_sub(1));
    let of = |tile: usize, place: usize, sign: f32| if tile < tiles { (tile, place, sign) } else { (0, 0, 0.0) };
    if cell.is_multiple_of(2) {
        // Input 1 of the near tile, input 3 of the one before.
        [of(near, 1, 1.0), of(near, 2, -1.0), of(near, 3, 1.0), of(far, 3, -1.0)]
    } else {
        // Input 0 of the near tile, input 2 of the one before.
        [of(near, 0, 1.0), of(far, 0, -1.0), of(far, 1, 1.0), of(far, 2, 1.0)]
    }
}

/// The gradient of the weights `[outputs, inputs, 3, 3]`: of `outputs` maps given the gradient, `inputs` maps the inputs, in
/// groups of `group` images.
pub(super) fn kernel_gradient(
    (outputs, output_channels): (&[f32], usize),
    (inputs_maps, input_channels): (&[f32], usize),
    tiling: Tiling,
    group: usize,
) -> Vec<f32> {
    let (of_outputs, of_inputs) = (padded(output_channels), padded(input_channels));
    let size = output_channels * of_inputs;
    let mut places = vec![0.0; PLACES * size];
    let tiles = group * tiling.tiles();
    places.par_chunks_exact_mut(size).enumerate().for_each_init(
        || (vec![0.0; tiles * of_outputs], vec![0.0; tiles * of_inputs]),
        |(gradients, patches), (place, sum)| {
            let cells = group * tiling.grid.cells();
            for (outputs, maps) in outputs.chunks(cells * of_outputs).zip(inputs_maps.chunks(cells * of_inputs)) {
                let rows = outputs.len() / (of_outputs * tiling.grid.cells()) * tiling.tiles();
                let (gradients, patches) = (&mut gradients[..rows * of_outputs], &mut patches[..rows * of_inputs]);
                adjoint_outputs(outputs, of_outputs, tiling, place, gradients);
                inputs(maps, of_inputs, tiling, place, patches);
                let gradients = Matrix::by_rows(gradients, rows, output_channels, of_outputs).transposed();
                multiply(sum, of_inputs, true, gradients, Matrix::by_rows(patches, rows, of_inputs, of_inputs));
            }
        },
    );
    let mut weights = vec![0.0; output_channels * input_channels * 9];
    weights.par_chunks_exact_mut(9 * input_channels).enumerate().for_each_init(
        || vec![0.0; (12 + 9) * of_inputs],
        |scratch, (row, weights)| {
            let (columns, taps) = scratch.split_at_mut(12 * of_inputs);
            vectorised(
                #[inline(always)]
                || {
                    let place = |place: usize| &places[place * size + row * of_inputs..][..of_inputs];
                    for (index, column) in columns.chunks_exact_mut(of_inputs).enumerate() {
                        let (k, tap) = (index / 3, index % 3);
                        combine(column, std::array::from_fn::<_, 4, _>(|p| (KERNEL[p][tap], place(4 * k + p))));
                    }
                    for (index, taps) in taps.chunks_exact_mut(of_inputs).enumerate() {
                        let (tap, along) = (index / 3, index % 3);
                        let column = |k: usize| &columns[(3 * k + along) * of_inputs..][..of_inputs];
                        combine(taps, std::array::from_fn::<_, 4, _>(|k| (KERNEL[k][tap], column(k))));
                    }
                },
            );
            for (tap, taps) in taps.chunks_exact(of_inputs).enumerate() {
                weights[tap..].iter_mut().step_by(9).zip(taps).for_each(|(to, from)| *to = *from);
            }
        },
    );
    weights
}

//! A depthwise convolution and its gradients on slices, one plane at a time.

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use crate::vectorised;

/// Sums are made in multiples of this many, four of the widest vectors.
const LANES: usize = 64;

/// Sizes of a depthwise convolution. A plane is one channel of one image.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::backbone) struct Shape {
    pub(in crate::backbone) batch: usize,
    pub(in crate::backbone) channels: usize,
    /// Rows and columns of an input plane.
    pub(in crate::backbone) input: [usize; 2],
    /// Rows and columns of the kernel.
    pub(in crate::backbone) kernel: [usize; 2],
    pub(in crate::backbone) stride: usize,
    pub(in crate::backbone) dilation: usize,
    /// Cells before and after each axis.
    pub(in crate::backbone) padding: [(usize, usize); 2],
}

impl Shape {
    /// Rows and columns of an output plane.
    pub(in crate::backbone) fn output(&self) -> [usize; 2] {
        [0, 1].map(|axis| {
            let (before, after) = self.padding[axis];
            let reach = (self.kernel[axis] - 1) * self.dilation;
            (self.input[axis] + before + after - reach - 1) / self.stride + 1
        })
    }

    fn inputs(&self) -> usize {
        self.input[0] * self.input[1]
    }

    fn outputs(&self) -> usize {
        let [height, width] = self.output();
        height * width
    }

    fn taps(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }
}

/// A plane laid out so that every tap of the kernel reads one contiguous slice.
///
/// The plane is padded and divided into `stride²` phases: cells whose rows and columns leave the same remainders. With
/// the rows of a phase `pitch` apart, tap (u, v) adds the phase of its remainders, moved by a constant, to all outputs at
/// once; outputs are `pitch` apart as well, and those beyond the width of a row are thrown away.
pub(in crate::backbone) struct Layout {
    shape: Shape,
    pitch: usize,
    phase: usize,
    offsets: Vec<usize>,
    outputs: usize,
}

impl Layout {
    pub(in crate::backbone) fn new(shape: Shape) -> Self {
        let Shape { kernel, stride, dilation, .. } = shape;
        let [height, width] = shape.output();
        // The furthest row and column that a tap reads, in cells of a phase.
        let reach = [0, 1].map(|axis| (kernel[axis] - 1) * dilation / stride);
        let pitch = width + reach[1];
        let outputs = (height * pitch).next_multiple_of(LANES);
        let phase = outputs + reach[0] * pitch + reach[1];
        let offset = |u: usize, v: usize| {
            let (row, column) = (u * dilation, v * dilation);
            (row % stride * stride + column % stride) * phase + row / stride * pitch + column / stride
        };
        let offsets = (0..shape.taps()).map(|tap| offset(tap / kernel[1], tap % kernel[1])).collect();
        Self { shape, pitch, phase, offsets, outputs }
    }

    /// Where a plane is laid out, and where its outputs are summed.
    pub(in crate::backbone) fn scratch(&self) -> Scratch {
        Scratch { plane: vec![0.0; self.phase * self.shape.stride.pow(2)], sums: vec![0.0; self.outputs] }
    }

    /// One plane: `store(bias + Σ_taps weight · load(x))`.
    #[inline(always)]
    pub(in crate::backbone) fn convolve(
        &self,
        (plane, load): (&[f32], impl Fn(f32) -> f32),
        (weights, bias): (&[f32], f32),
        (output, store): (&mut [f32], impl Fn(f32) -> f32),
        scratch: &mut Scratch,
    ) {
        self.load(plane, load, &mut scratch.plane);
        let Scratch { plane, sums } = scratch;
        Arch::new().dispatch(Correlate { weights, offsets: &self.offsets, bias, plane, sums });
        let [_, width] = self.shape.output();
        for (to, from) in output.chunks_exact_mut(width).zip(scratch.sums.chunks(self.pitch)) {
            to.iter_mut().zip(from).for_each(|(to, from)| *to = store(*from));
        }
    }

    /// Calls `visit` with every run of input cells and the place in a buffer of its first; the others follow `stride`
    /// cells later in the plane and next to each other in the buffer. Cells that no output sees have no place.
    #[inline(always)]
    fn each_run(&self, mut visit: impl FnMut(usize, usize, usize)) {
        let Shape { input: [height, width], stride, padding: [(top, _), (left, _)], .. } = self.shape;
        let rows = self.phase / self.pitch;
        for row in 0..height {
            let y = row + top;
            if y / stride > rows {
                break;
            }
            for first in 0..stride.min(width) {
                let x = first + left;
                let phase = (y % stride * stride + x % stride) * self.phase;
                let place = y / stride * self.pitch + x / stride;
                let wanted = (width - first).div_ceil(stride);
                let count = wanted.min(self.pitch.saturating_sub(x / stride)).min(self.phase.saturating_sub(place));
                visit(row * width + first, phase + place, count);
            }
        }
    }

    #[inline(always)]
    fn load(&self, plane: &[f32], value: impl Fn(f32) -> f32, buffer: &mut [f32]) {
        let stride = self.shape.stride;
        self.each_run(|from, to, count| {
            let to = &mut buffer[to..to + count];
            if stride == 1 {
                to.iter_mut().zip(&plane[from..from + count]).for_each(|(to, from)| *to = value(*from));
            } else {
                to.iter_mut().zip(plane[from..].iter().step_by(stride)).for_each(|(to, from)| *to = value(*from));
            }
        });
    }

    #[inline(always)]
    fn store(&self, buffer: &[f32], plane: &mut [f32]) {
        let stride = self.shape.stride;
        self.each_run(|to, from, count| {
            let from = &buffer[from..from + count];
            plane[to..].iter_mut().step_by(stride).zip(from).for_each(|(to, from)| *to = *from);
        });
    }

    /// The transposed map: every tap adds the outputs, times its weight, where it read.
    #[inline(always)]
    fn scatter(&self, weights: &[f32], sums: &[f32], buffer: &mut [f32]) {
        for (weight, offset) in weights.iter().zip(&self.offsets) {
            let to = &mut buffer[*offset..][..sums.len()];
            to.iter_mut().zip(sums).for_each(|(to, sum)| *to += weight * sum);
        }
    }

    /// Adds to each tap's gradient the sum of the products of what it read with the outputs' gradients.
    #[inline(always)]
    fn add_products(&self, buffer: &[f32], sums: &[f32], gradient: &mut [f32]) {
        for (gradient, offset) in gradient.iter_mut().zip(&self.offsets) {
            let mut lanes = [0.0f32; LANES];
            for (sums, from) in sums.chunks_exact(LANES).zip(buffer[*offset..].chunks_exact(LANES)) {
                for lane in 0..LANES {
                    lanes[lane] += sums[lane] * from[lane];
                }
            }
            *gradient += lanes.iter().sum::<f32>();
        }
    }

    /// What lies between the rows stays zero.
    #[inline(always)]
    fn load_outputs(&self, plane: &[f32], sums: &mut [f32]) {
        let [_, width] = self.shape.output();
        let rows = plane.chunks_exact(width).zip(sums.chunks_mut(self.pitch));
        rows.for_each(|(from, to)| to[..width].copy_from_slice(from));
    }
}

/// `sums[t] = bias + Σ_taps weight · plane[t + offset]`, four vectors of sums in registers at a time.
struct Correlate<'a> {
    weights: &'a [f32],
    offsets: &'a [usize],
    bias: f32,
    plane: &'a [f32],
    sums: &'a mut [f32],
}

impl WithSimd for Correlate<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let width = 4 * S::F32_LANES;
        for (chunk, sums) in self.sums.chunks_exact_mut(width).enumerate() {
            let bias = simd.splat_f32s(self.bias);
            let [mut a, mut b, mut c, mut d] = [bias; 4];
            for (weight, offset) in self.weights.iter().zip(self.offsets) {
                let weight = simd.splat_f32s(*weight);
                let (from, _) = S::as_simd_f32s(&self.plane[chunk * width + offset..][..width]);
                a = simd.mul_add_e_f32s(weight, from[0], a);
                b = simd.mul_add_e_f32s(weight, from[1], b);
                c = simd.mul_add_e_f32s(weight, from[2], c);
                d = simd.mul_add_e_f32s(weight, from[3], d);
            }
            S::as_mut_simd_f32s(sums).0.copy_from_slice(&[a, b, c, d]);
        }
    }
}

/// One thread's working memory.
pub(in crate::backbone) struct Scratch {
    plane: Vec<f32>,
    sums: Vec<f32>,
}

/// `[b, c, h, w]` and weights `[c, u, v]`, bias `[c]`, to `[b, c, h', w']`.
pub(super) fn convolve(x: &[f32], weights: &[f32], bias: &[f32], shape: Shape) -> Vec<f32> {
    let layout = Layout::new(shape);
    let mut outputs = vec![0.0; shape.batch * shape.channels * shape.outputs()];
    outputs.par_chunks_mut(shape.outputs()).zip(x.par_chunks(shape.inputs())).enumerate().for_each_init(
        || layout.scratch(),
        |scratch, (index, (output, plane))| {
            let channel = index % shape.channels;
            let weights = &weights[channel * shape.taps()..][..shape.taps()];
            let bias = bias[channel];
            vectorised(
                #[inline(always)]
                || layout.convolve((plane, |x| x), (weights, bias), (output, |x| x), scratch),
            );
        },
    );
    outputs
}

/// Gradient of the input, from that of the output.
pub(super) fn input_gradient(upstream: &[f32], weights: &[f32], shape: Shape) -> Vec<f32> {
    let layout = Layout::new(shape);
    let mut gradient = vec![0.0; shape.batch * shape.channels * shape.inputs()];
    gradient.par_chunks_mut(shape.inputs()).zip(upstream.par_chunks(shape.outputs())).enumerate().for_each_init(
        || layout.scratch(),
        |Scratch { plane: buffer, sums }, (index, (gradient, upstream))| {
            let weights = &weights[index % shape.channels * shape.taps()..][..shape.taps()];
            vectorised(
                #[inline(always)]
                || {
                    buffer.fill(0.0);
                    layout.load_outputs(upstream, sums);
                    layout.scatter(weights, sums, buffer);
                    layout.store(buffer, gradient);
                },
            );
        },
    );
    gradient
}

/// Gradient of the weights: of each channel over the images in their order, so that the number of threads leaves no trace.
pub(super) fn weight_gradient(x: &[f32], upstream: &[f32], shape: Shape) -> Vec<f32> {
    let layout = Layout::new(shape);
    let mut gradient = vec![0.0; shape.channels * shape.taps()];
    gradient.par_chunks_mut(shape.taps()).enumerate().for_each_init(
        || layout.scratch(),
        |Scratch { plane: buffer, sums }, (channel, gradient)| {
            vectorised(
                #[inline(always)]
                || {
                    for image in 0..shape.batch {
                        let plane = image * shape.channels + channel;
                        layout.load(&x[plane * shape.inputs()..][..shape.inputs()], |x| x, buffer);
                        layout.load_outputs(&upstream[plane * shape.outputs()..][..shape.outputs()], sums);
                        layout.add_products(buffer, sums, gradient);
                    }
                },
            );
        },
    );
    gradient
}

/// Gradient of the bias: `[c]`.
pub(super) fn bias_gradient(upstream: &[f32], shape: Shape) -> Vec<f32> {
    let mut gradient = vec![0.0; shape.channels];
    for (plane, values) in upstream.chunks_exact(shape.outputs()).enumerate() {
        gradient[plane % shape.channels] += values.iter().sum::<f32>();
    }
    gradient
}

//! A whole inverted residual block at once, for inference on the CPU.
//!
//! Layer by layer a block writes its widened maps (six times its channels) to memory and reads them back four times. Here
//! a few channels at a time are widened, filtered and written once, at the output's size.

use burn::tensor::{Device, Tensor, TensorData};
use rayon::prelude::*;

use super::block::{Activation, Block};
use super::depthwise::{Layout, Shape};
use crate::product::{Matrix, multiply};
use crate::vectorised;

/// Images whose filtered maps are in memory at a time.
const GROUP: usize = 4;

/// Values that a thread widens at a time.
const CHUNK: usize = 200_000;

/// Into how many parts the channels of the output are divided, each a task for a thread.
const PARTS: usize = 2;

/// Weight and bias of one layer, normalisation folded in.
struct Folded {
    weight: Vec<f32>,
    bias: Vec<f32>,
}

/// The block on maps that carry no gradient, `[b, c, h, w]`; `None` where it is no inverted residual, or not on the CPU.
pub(super) fn infer(block: &Block, x: &Tensor<4>) -> Option<Tensor<4>> {
    let device = x.device();
    if device.is_autodiff() || device != Device::flex() {
        return None;
    }
    let (expand, filter, project) = match block.layers.as_slice() {
        [filter, project] => (None, filter, project),
        [expand, filter, project] => (Some(expand), filter, project),
        _ => return None,
    };
    let fits = filter.conv.is_depthwise()
        && matches!((filter.activation, project.activation), (Activation::Relu6, Activation::Identity))
        && expand.is_none_or(|expand| matches!(expand.activation, Activation::Relu6));
    let fold = |layer: &super::block::Layer| {
        let (weight, bias) = layer.conv.folded();
        let plain = !weight.is_autodiff();
        plain.then(|| Folded { weight: host(weight), bias: host(bias) })
    };
    if !fits {
        return None;
    }
    let (filtering, projecting) = (fold(filter)?, fold(project)?);
    let expanding = match expand {
        Some(expand) => Some(fold(expand)?),
        None => None,
    };
    let [batch, channels, height, width] = x.dims();
    let inner = filtering.bias.len();
    let shape = filter.conv.depthwise_shape([batch, inner, height, width]);
    let x = host(x.clone());
    let output = run(&x, channels, expanding.as_ref(), &filtering, &projecting, shape, block.residual);
    let [height, width] = shape.output();
    Some(Tensor::from_data(TensorData::new(output, [batch, projecting.bias.len(), height, width]), &device))
}

/// Values of a tensor on the CPU.
fn host<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.try_into_vec_as().unwrap_or_else(|error| panic!("reading from the CPU backend: {error}"))
}

fn run(
    x: &[f32],
    channels: usize,
    expand: Option<&Folded>,
    filter: &Folded,
    project: &Folded,
    shape: Shape,
    residual: bool,
) -> Vec<f32> {
    let cells = shape.input[0] * shape.input[1];
    let [height, width] = shape.output();
    let (inner, outer, out_cells) = (shape.channels, project.bias.len(), height * width);
    let taps = filter.weight.len() / inner;
    let layout = Layout::new(shape);
    let mut output = vec![0.0; shape.batch * outer * out_cells];
    let mut filtered = vec![0.0; shape.batch.min(GROUP) * inner * out_cells];
    for (x, output) in x.chunks(GROUP * channels * cells).zip(output.chunks_mut(GROUP * outer * out_cells)) {
        let images = x.len() / (channels * cells);
        let filtered = &mut filtered[..images * inner * out_cells];
        // A divisor of the channels, so that no chunk crosses from one image to the next.
        let most = (CHUNK / cells).clamp(8, inner.div_ceil(4).max(8));
        let chunk = (1..=most.min(inner)).rev().find(|chunk| inner % chunk == 0).unwrap_or(1);
        filtered.par_chunks_mut(chunk * out_cells).enumerate().for_each_init(
            || (layout.scratch(), Vec::new()),
            |(scratch, wide), (index, filtered)| {
                let (image, first) = (index * chunk / inner, index * chunk % inner);
                let x = &x[image * channels * cells..][..channels * cells];
                if let Some(expand) = expand {
                    wide.resize(chunk * cells, 0.0);
                    let weight = Matrix::by_rows(&expand.weight[first * channels..], chunk, channels, channels);
                    multiply(wide, cells, false, weight, Matrix::by_rows(x, channels, cells, cells));
                }
                vectorised(
                    #[inline(always)]
                    || {
                        for (offset, filtered) in filtered.chunks_exact_mut(out_cells).enumerate() {
                            let channel = first + offset;
                            let weights = (&filter.weight[channel * taps..][..taps], filter.bias[channel]);
                            match expand {
                                Some(expand) => {
                                    let bias = expand.bias[channel];
                                    let plane = &wide[offset * cells..][..cells];
                                    let load = |x| relu6(x + bias);
                                    layout.convolve((plane, load), weights, (filtered, relu6), scratch);
                                }
                                None => {
                                    let plane = &x[channel * cells..][..cells];
                                    layout.convolve((plane, |x| x), weights, (filtered, relu6), scratch);
                                }
                            }
                        }
                    },
                );
            },
        );
        let part = outer.div_ceil(PARTS);
        let whole = outer * out_cells;
        let tasks: Vec<(usize, usize, &mut [f32])> = output
            .chunks_mut(whole)
            .enumerate()
            .flat_map(|(image, map)| {
                map.chunks_mut(part * out_cells).enumerate().map(move |(index, map)| (image, index * part, map))
            })
            .collect();
        tasks.into_par_iter().for_each(|(image, first, map)| {
            let rows = map.len() / out_cells;
            if residual {
                map.copy_from_slice(&x[image * whole + first * out_cells..][..map.len()]);
            }
            let weight = Matrix::by_rows(&project.weight[first * inner..], rows, inner, inner);
            let filtered = Matrix::by_rows(&filtered[image * inner * out_cells..], inner, out_cells, out_cells);
            multiply(map, out_cells, residual, weight, filtered);
            for (map, bias) in map.chunks_exact_mut(out_cells).zip(&project.bias[first..]) {
                map.iter_mut().for_each(|value| *value += bias);
            }
        });
    }
    output
}

#[inline(always)]
fn relu6(x: f32) -> f32 {
    let x = if x > 0.0 { x } else { 0.0 };
    if x < 6.0 { x } else { 6.0 }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Distribution, Tolerance};

    use crate::{BackboneConfig, BackboneName};

    use super::*;

    /// On an autodiff device a block runs layer by layer: the two have to agree, block after block.
    #[test]
    fn a_block_at_once_is_the_block_layer_by_layer() {
        let device = Device::flex();
        device.seed(13);
        for (dilated, batch, size) in [(false, 5, [70, 52]), (true, 1, [64, 64])] {
            let config = BackboneConfig { name: BackboneName::EfficientNetLite0, dilated };
            let learning = config.init(&device.clone().autodiff());
            let backbone = burn::module::Module::valid(&learning);
            let x = Tensor::<4>::random([batch, 3, size[0], size[1]], Distribution::Normal(0.0, 1.0), &device);
            let blocks: Vec<usize> = (0..backbone.block_count()).collect();
            let at_once = backbone.forward_from(x.clone(), 0, &blocks);
            let by_layers = learning.forward_from(x.autodiff(), 0, &blocks);
            for (at_once, by_layers) in at_once.into_iter().zip(by_layers) {
                let by_layers = by_layers.inner().into_data();
                at_once.into_data().assert_approx_eq::<f32>(&by_layers, Tolerance::rel_abs(1e-3, 1e-3));
            }
        }
    }
}

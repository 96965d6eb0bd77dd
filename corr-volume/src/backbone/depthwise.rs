//! The depthwise convolution, with a kernel of its own on the CPU.

mod kernel;

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::ops::FloatTensorOps;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, backend_extension};
use burn::tensor::module::conv2d;
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Device, Tensor, TensorData};

pub(super) use kernel::{Layout, Shape};

/// Convolves every channel with its own kernel and adds its bias.
///
/// ```text
/// y[b, c, i, j] = bias[c] + Σ_uv weight[c, 0, u, v] · x[b, c, m(i, u) − top, m(j, v) − left]
/// m(i, u) = i·stride + u·dilation
/// ```
///
/// `x` is `[batch, channels, height, width]` and zero outside, `weight` is `[channels, 1, kernel, kernel]`, `bias` is
/// `[channels]`.
pub(super) fn depthwise_conv(x: Tensor<4>, weight: Tensor<4>, bias: Tensor<1>, shape: Shape) -> Tensor<4> {
    if x.device().without_autodiff() != Device::flex() {
        let Shape { channels, stride, dilation, padding, .. } = shape;
        let options = ConvOptions::new_with_padding([stride; 2], padding, [dilation; 2], channels);
        return conv2d(x, weight, Some(bias), options);
    }
    Tensor::from_dispatch(<Dispatch as DepthwiseBackend>::depthwise(
        x.into_dispatch(),
        weight.into_dispatch(),
        bias.into_dispatch(),
        shape,
    ))
}

/// The operation on the primitives of a backend.
#[backend_extension(Flex, Autodiff)]
trait DepthwiseBackend: Backend {
    /// As [`depthwise_conv`].
    fn depthwise(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        shape: Shape,
    ) -> FloatTensor<Self>;
}

impl DepthwiseBackend for Flex {
    fn depthwise(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        shape: Shape,
    ) -> FloatTensor<Self> {
        let [x, weight, bias] = [x, weight, bias].map(contiguous);
        let output = kernel::convolve(values(&x), values(&weight), values(&bias), shape);
        let [height, width] = shape.output();
        upload(output, [shape.batch, shape.channels, height, width])
    }
}

impl<C: CheckpointStrategy> DepthwiseBackend for Autodiff<Flex, C> {
    fn depthwise(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        shape: Shape,
    ) -> FloatTensor<Self> {
        let tensors = [x, weight, bias];
        let nodes = tensors.each_ref().map(|tensor| tensor.node());
        let [x, weight, bias] = tensors.map(|tensor| contiguous(tensor.into_primitive()));
        let output = Flex::depthwise(x.clone(), weight.clone(), bias, shape);
        match Depthwise.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish((x, weight, shape), output),
            OpsKind::UnTracked(prepared) => prepared.finish(output),
        }
    }
}

#[derive(Debug)]
struct Depthwise;

impl Backward<Flex, 3> for Depthwise {
    type State = (FloatTensor<Flex>, FloatTensor<Flex>, Shape);

    fn backward(self, ops: Ops<Self::State, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let upstream = contiguous(gradients.consume::<Flex>(&ops.node));
        let upstream = values(&upstream);
        let (x, weight, shape) = ops.state;
        let [of_x, of_weight, of_bias] = ops.parents;
        let [height, width] = shape.input;
        let [rows, columns] = shape.kernel;
        if let Some(node) = of_x {
            let gradient = kernel::input_gradient(upstream, values(&weight), shape);
            gradients.register::<Flex>(node.id, upload(gradient, [shape.batch, shape.channels, height, width]));
        }
        if let Some(node) = of_weight {
            let gradient = kernel::weight_gradient(values(&x), upstream, shape);
            gradients.register::<Flex>(node.id, upload(gradient, [shape.channels, 1, rows, columns]));
        }
        if let Some(node) = of_bias {
            gradients.register::<Flex>(node.id, upload(kernel::bias_gradient(upstream, shape), [shape.channels]));
        }
    }
}

fn contiguous(tensor: FloatTensor<Flex>) -> FloatTensor<Flex> {
    if tensor.as_slice::<f32>().is_some() { tensor } else { tensor.to_contiguous() }
}

fn values(tensor: &FloatTensor<Flex>) -> &[f32] {
    tensor.as_slice().unwrap_or_else(|| unreachable!("made contiguous when it came in"))
}

fn upload<const D: usize>(values: Vec<f32>, shape: [usize; D]) -> FloatTensor<Flex> {
    Flex::float_from_data(TensorData::new(values, shape), &Default::default())
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Distribution, Tolerance};

    use super::*;

    /// Value and the gradients of x, weight and bias under a random upstream gradient.
    fn run(
        inputs: &(Tensor<4>, Tensor<4>, Tensor<1>),
        layer: impl Fn(Tensor<4>, Tensor<4>, Tensor<1>) -> Tensor<4>,
    ) -> Vec<TensorData> {
        let (x, weight, bias) = inputs.clone();
        let output = layer(x.clone(), weight.clone(), bias.clone());
        let [batch, channels, height, width] = output.dims();
        let ramp: Vec<f32> = (0..batch * channels * height * width).map(|i| ((i * 37) % 23) as f32 - 11.0).collect();
        let ramp = Tensor::from_data(TensorData::new(ramp, output.dims()), &output.device());
        let gradients = (output.clone() * ramp).sum().backward();
        let found = [x.grad(&gradients), weight.grad(&gradients)].map(|g| g.expect("tracked").into_data());
        let of_bias = bias.grad(&gradients).expect("tracked").into_data();
        [output.inner().into_data(), of_bias].into_iter().chain(found).collect()
    }

    #[test]
    fn the_kernel_and_the_backends_convolution_agree_in_value_and_gradients() {
        let device = Device::flex().autodiff();
        device.seed(11);
        for (size, kernel, stride, dilation, padding) in [
            ([20, 20], 5, 1, 1, [(2, 2); 2]),
            ([13, 17], 3, 1, 1, [(1, 1); 2]),
            ([16, 15], 3, 2, 1, [(0, 1), (1, 1)]),
            ([11, 40], 5, 2, 1, [(2, 2), (1, 2)]),
            ([10, 9], 5, 1, 2, [(4, 4); 2]),
            ([7, 8], 3, 2, 2, [(1, 2), (2, 2)]),
            ([1, 1], 3, 1, 1, [(1, 1); 2]),
            ([1, 1], 5, 2, 1, [(2, 2); 2]),
            ([6, 5], 1, 3, 1, [(0, 0); 2]),
        ] {
            let normal = Distribution::Normal(0.0, 1.0);
            let inputs = (
                Tensor::random([3, 4, size[0], size[1]], normal, &device).require_grad(),
                Tensor::random([4, 1, kernel, kernel], normal, &device).require_grad(),
                Tensor::random([4], normal, &device).require_grad(),
            );
            let shape = Shape { batch: 3, channels: 4, input: size, kernel: [kernel; 2], stride, dilation, padding };
            let own = run(&inputs, |x, weight, bias| depthwise_conv(x, weight, bias, shape));
            let options = ConvOptions::new_with_padding([stride; 2], padding, [dilation; 2], 4);
            let composed = run(&inputs, |x, weight, bias| conv2d(x, weight, Some(bias), options.clone()));
            for (own, composed) in own.iter().zip(&composed) {
                own.assert_approx_eq::<f32>(composed, Tolerance::rel_abs(1e-4, 1e-3));
            }
        }
    }
}

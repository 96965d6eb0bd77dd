//! The convolution as one differentiable operation of the CPU backend.

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::ops::FloatTensorOps;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Flex, TensorMetadata, backend_extension};
use burn::tensor::{Device, Tensor, TensorData};

use super::convolve::{bias_gradient, convolve, volume_gradient, weight_gradient};
use super::layout::Shape;

/// The convolution, see [`super::Conv4d`]; the tensors have to be on the CPU backend.
pub(super) fn on_host(volumes: Tensor<6>, weight: Tensor<6>, bias: Tensor<1>) -> Tensor<6> {
    Tensor::from_dispatch(<burn::backend::Dispatch as Conv4dBackend>::conv4d(
        volumes.into_dispatch(),
        weight.into_dispatch(),
        bias.into_dispatch(),
    ))
}

/// Whether [`on_host`] runs on the device.
pub(super) fn runs_on(device: &Device) -> bool {
    device.clone().without_autodiff() == Device::flex()
}

/// The operation on the primitives of a backend.
#[backend_extension(Flex, Autodiff)]
pub trait Conv4dBackend: Backend {
    /// As [`on_host`].
    fn conv4d(volumes: FloatTensor<Self>, weight: FloatTensor<Self>, bias: FloatTensor<Self>) -> FloatTensor<Self>;
}

impl Conv4dBackend for Flex {
    fn conv4d(volumes: FloatTensor<Self>, weight: FloatTensor<Self>, bias: FloatTensor<Self>) -> FloatTensor<Self> {
        Inputs::new([volumes, weight, bias]).convolve()
    }
}

impl<C: CheckpointStrategy> Conv4dBackend for Autodiff<Flex, C> {
    fn conv4d(volumes: FloatTensor<Self>, weight: FloatTensor<Self>, bias: FloatTensor<Self>) -> FloatTensor<Self> {
        let tensors = [volumes, weight, bias];
        let nodes = tensors.each_ref().map(|tensor| tensor.node());
        let inputs = Inputs::new(tensors.map(|tensor| tensor.into_primitive()));
        let output = inputs.convolve();
        match Convolution.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish(inputs, output),
            OpsKind::UnTracked(prepared) => prepared.finish(output),
        }
    }
}

#[derive(Debug)]
struct Convolution;

impl Backward<Flex, 3> for Convolution {
    type State = Inputs;

    fn backward(self, ops: Ops<Self::State, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let upstream = contiguous(gradients.consume::<Flex>(&ops.node));
        let (upstream, inputs) = (values(&upstream), ops.state);
        let ([volumes, weight, bias], shape) = (inputs.0.each_ref(), inputs.shape());
        let [to_volumes, to_weight, to_bias] = ops.parents;
        if let Some(node) = to_volumes {
            let gradient = volume_gradient(upstream, values(weight), shape);
            gradients.register::<Flex>(node.id, upload(gradient, volumes.shape().to_vec()));
        }
        if let Some(node) = to_weight {
            let gradient = weight_gradient(values(volumes), upstream, shape);
            gradients.register::<Flex>(node.id, upload(gradient, weight.shape().to_vec()));
        }
        if let Some(node) = to_bias {
            let gradient = bias_gradient(upstream, shape);
            gradients.register::<Flex>(node.id, upload(gradient, bias.shape().to_vec()));
        }
    }
}

/// Volumes, weight and bias, contiguous; clones share their values.
#[derive(Clone, Debug)]
struct Inputs([FloatTensor<Flex>; 3]);

impl Inputs {
    fn new(tensors: [FloatTensor<Flex>; 3]) -> Self {
        Self(tensors.map(contiguous))
    }

    fn shape(&self) -> Shape {
        let (volumes, weight) = (self.0[0].shape(), self.0[1].shape());
        Shape {
            channels: [weight[1], weight[0]],
            source: [volumes[2], volumes[3]],
            target: [volumes[4], volumes[5]],
            kernel: weight[2],
        }
    }

    fn convolve(&self) -> FloatTensor<Flex> {
        let ([volumes, weight, bias], shape) = (self.0.each_ref(), self.shape());
        let mut dims = volumes.shape().to_vec();
        dims[1] = shape.channels[1];
        upload(convolve(values(volumes), values(weight), values(bias), shape), dims)
    }
}

fn contiguous(tensor: FloatTensor<Flex>) -> FloatTensor<Flex> {
    // A view of the first of several parts is contiguous too, but begins at an offset.
    if tensor.as_slice::<f32>().is_some() { tensor } else { tensor.to_contiguous() }
}

fn values(tensor: &FloatTensor<Flex>) -> &[f32] {
    tensor.as_slice().unwrap_or_else(|| unreachable!("made contiguous when it came in"))
}

fn upload(values: Vec<f32>, dims: Vec<usize>) -> FloatTensor<Flex> {
    Flex::float_from_data(TensorData::new(values, dims), &Default::default())
}

//! The layer as one differentiable operation of the CPU backend.

use std::sync::Arc;

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients as Collected;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::ops::FloatTensorOps;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Flex, TensorMetadata, backend_extension};
use burn::tensor::{Device, Tensor, TensorData};
use corr_volume::Grid;

use super::residual::{Memory, Parameters, Shape, differentiate, differentiate_norm, evaluate};

/// `normalise(g + W₂ ∗ relu(W₁ g + b₁) + b₂)`; see [`super::Adapter`].
///
/// Features `[b, channels, h, w]`, `W₁` `[hidden, channels, 1, 1]`, `W₂` `[channels, hidden, 3, 3]`. The tensors have to be
/// on the CPU backend.
pub(super) fn layer(features: Tensor<4>, reduce: (Tensor<4>, Tensor<1>), spread: (Tensor<4>, Tensor<1>)) -> Tensor<4> {
    Tensor::from_dispatch(<burn::backend::Dispatch as LayerBackend>::residual_layer(
        features.into_dispatch(),
        reduce.0.into_dispatch(),
        reduce.1.into_dispatch(),
        spread.0.into_dispatch(),
        spread.1.into_dispatch(),
    ))
}

/// Whether [`layer`] runs on the device.
pub(super) fn runs_on(device: &Device) -> bool {
    device.clone().without_autodiff() == Device::flex()
}

/// The operation on the primitives of a backend.
#[backend_extension(Flex, Autodiff)]
pub trait LayerBackend: Backend {
    /// As [`layer`].
    fn residual_layer(
        features: FloatTensor<Self>,
        reduce: FloatTensor<Self>,
        reduce_bias: FloatTensor<Self>,
        spread: FloatTensor<Self>,
        spread_bias: FloatTensor<Self>,
    ) -> FloatTensor<Self>;
}

impl LayerBackend for Flex {
    fn residual_layer(
        features: FloatTensor<Self>,
        reduce: FloatTensor<Self>,
        reduce_bias: FloatTensor<Self>,
        spread: FloatTensor<Self>,
        spread_bias: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        let inputs = Inputs::new([features, reduce, reduce_bias, spread, spread_bias]);
        let (output, _) = evaluate(inputs.features(), inputs.parameters(), inputs.shape());
        upload(output, inputs.dims(0))
    }
}

impl<C: CheckpointStrategy> LayerBackend for Autodiff<Flex, C> {
    fn residual_layer(
        features: FloatTensor<Self>,
        reduce: FloatTensor<Self>,
        reduce_bias: FloatTensor<Self>,
        spread: FloatTensor<Self>,
        spread_bias: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        let tensors = [features, reduce, reduce_bias, spread, spread_bias];
        let nodes = tensors.each_ref().map(|tensor| tensor.node());
        let inputs = Inputs::new(tensors.map(|tensor| tensor.into_primitive()));
        let (output, memory) = evaluate(inputs.features(), inputs.parameters(), inputs.shape());
        let output = upload(output, inputs.dims(0));
        match Layer.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish((inputs, output.clone(), Arc::new(memory)), output),
            OpsKind::UnTracked(prepared) => prepared.finish(output),
        }
    }
}

#[derive(Debug)]
struct Layer;

impl Backward<Flex, 5> for Layer {
    type State = (Inputs, FloatTensor<Flex>, Arc<Memory>);

    fn backward(self, ops: Ops<Self::State, 5>, gradients: &mut Collected, _: &mut Checkpointer) {
        let upstream = gradients.consume::<Flex>(&ops.node).into_data();
        let upstream: Vec<f32> =
            upstream.try_into_vec().unwrap_or_else(|error| unreachable!("gradients are f32: {error}"));
        let (inputs, output, memory) = ops.state;
        // Shared only where a graph is walked twice.
        let memory = Arc::try_unwrap(memory).unwrap_or_else(|shared| (*shared).clone());
        let sum = differentiate_norm(values(&output), &memory, upstream, inputs.shape());
        // The largest buffers of a step are needed below: what has done its work makes room.
        drop(output);
        let found = differentiate(inputs.features(), inputs.parameters(), memory, sum, inputs.shape());
        let found = [found.features, found.reduce, found.reduce_bias, found.spread, found.spread_bias];
        for (index, (parent, gradient)) in ops.parents.into_iter().zip(found).enumerate() {
            if let Some(node) = parent {
                gradients.register::<Flex>(node.id, upload(gradient, inputs.dims(index)));
            }
        }
    }
}

/// The five tensors, contiguous; clones share their values.
#[derive(Clone, Debug)]
struct Inputs([FloatTensor<Flex>; 5]);

impl Inputs {
    fn new(tensors: [FloatTensor<Flex>; 5]) -> Self {
        Self(tensors.map(contiguous))
    }

    fn dims(&self, index: usize) -> Vec<usize> {
        self.0[index].shape().to_vec()
    }

    fn features(&self) -> &[f32] {
        values(&self.0[0])
    }

    fn parameters(&self) -> Parameters<'_> {
        let [_, reduce, reduce_bias, spread, spread_bias] = self.0.each_ref().map(values);
        Parameters { reduce, reduce_bias, spread, spread_bias }
    }

    fn shape(&self) -> Shape {
        let features = self.dims(0);
        Shape { channels: features[1], hidden: self.dims(1)[0], grid: Grid::new(features[2], features[3]) }
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

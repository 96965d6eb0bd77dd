//! A number whose gradient is known already, as a node of the automatic differentiation.

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, backend_extension};
use burn::tensor::{Shape, Tensor};

/// `value`, with `gradient` added to what it tells `of`, [`scale`](GivenGradient::given_gradient) times.
///
/// For losses that compute value and gradient in one pass: a chain of these, one for each tensor that feels the loss. `of` is
/// in the graph with this one edge and none of the loss's own operations.
///
/// # Shapes
///
/// - value, output: `[1]`
/// - of, gradient: the same as each other
///
/// # Panics
///
/// If these shapes differ, or on a device that is neither the host nor, with the feature `wgpu`, a GPU.
pub(crate) fn given_gradient<const D: usize>(
    value: Tensor<1>,
    of: Tensor<D>,
    gradient: Tensor<D>,
    scale: f64,
) -> Tensor<1> {
    assert_eq!(of.dims(), gradient.dims(), "a gradient has the shape of what it is taken in");
    let output = <Dispatch as GivenGradient>::given_gradient(
        value.into_dispatch(),
        of.into_dispatch(),
        gradient.into_dispatch(),
        scale,
    );
    Tensor::from_dispatch(output)
}

/// The operation, on a backend.
#[backend_extension(Flex, Cube: cfg(feature = "wgpu"), Autodiff)]
pub(crate) trait GivenGradient: Backend {
    /// The value as it is; its derivative in `of` is `scale · gradient`.
    fn given_gradient(
        value: FloatTensor<Self>,
        of: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        scale: f64,
    ) -> FloatTensor<Self>;
}

impl GivenGradient for Flex {
    fn given_gradient(
        value: FloatTensor<Self>,
        _of: FloatTensor<Self>,
        _gradient: FloatTensor<Self>,
        _scale: f64,
    ) -> FloatTensor<Self> {
        value
    }
}

#[cfg(feature = "wgpu")]
impl GivenGradient for burn_cubecl::CubeBackend {
    fn given_gradient(
        value: FloatTensor<Self>,
        _of: FloatTensor<Self>,
        _gradient: FloatTensor<Self>,
        _scale: f64,
    ) -> FloatTensor<Self> {
        value
    }
}

impl<B: Backend, C: CheckpointStrategy> GivenGradient for Autodiff<B, C> {
    fn given_gradient(
        value: FloatTensor<Self>,
        of: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        scale: f64,
    ) -> FloatTensor<Self> {
        match Given.prepare::<C>([value.node(), of.node()]).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish((gradient.into_primitive(), scale), value.into_primitive()),
            OpsKind::UnTracked(prepared) => prepared.finish(value.into_primitive()),
        }
    }
}

#[derive(Debug)]
struct Given;

impl<B: Backend> Backward<B, 2> for Given {
    type State = (B::FloatTensorPrimitive, f64);

    fn backward(self, ops: Ops<Self::State, 2>, gradients: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let arriving = gradients.consume::<B>(&ops.node);
        let [value, of] = ops.parents;
        let (gradient, scale) = ops.state;
        if let Some(of) = of {
            let rank = burn::backend::TensorMetadata::shape(&gradient).num_dims();
            let factor = B::float_mul_scalar(arriving.clone(), scale.into());
            let factor = B::float_reshape(factor, Shape::from(vec![1; rank]));
            gradients.register::<B>(of.id, B::float_mul(gradient, factor));
        }
        if let Some(value) = value {
            gradients.register::<B>(value.id, arriving);
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    fn numbers<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
        tensor.try_into_vec_as::<f32>().expect("f32 on the host")
    }

    #[test]
    fn a_chain_gives_each_tensor_its_gradient_times_what_arrives() {
        let device = Device::flex().autodiff();
        let a = Tensor::<2>::from_floats([[1.0, 2.0]], &device).require_grad();
        let b = Tensor::<2>::from_floats([[3.0], [4.0]], &device).require_grad();
        let inner = Device::flex();
        let value = Tensor::<1>::from_floats([5.0], &device);
        // `a` by way of another operation, which has to get what is due to it.
        let loss = given_gradient(value, a.clone() * 10.0, Tensor::from_floats([[1.0, -1.0]], &inner), 0.5);
        let loss = given_gradient(loss, b.clone(), Tensor::from_floats([[7.0], [0.0]], &inner), 1.0);
        assert_eq!(numbers(loss.clone()), [5.0]);
        let gradients = (loss * 2.0).backward();
        assert_eq!(numbers(a.grad(&gradients).expect("a gradient")), [10.0, -10.0]);
        assert_eq!(numbers(b.grad(&gradients).expect("a gradient")), [14.0, 0.0]);
    }

    #[test]
    fn without_autodiff_it_is_the_value() {
        let device = Device::flex();
        let of = Tensor::<1>::from_floats([1.0], &device);
        let value = given_gradient(Tensor::from_floats([2.0], &device), of.clone(), of, 1.0);
        assert_eq!(numbers(value), [2.0]);
    }
}

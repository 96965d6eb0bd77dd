//! The one place where tensors come to the host and go back.

use burn::tensor::{Device, Tensor, TensorData};

/// Row-major values of a tensor, without its gradient.
///
/// # Panics
///
/// When the device has failed: there is nothing a caller could do about it.
pub(crate) fn read<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor
        .without_autodiff()
        .try_into_vec_as::<f32>()
        .unwrap_or_else(|error| panic!("reading a tensor back from its device: {error}"))
}

/// A tensor of row-major values.
pub(crate) fn upload<const D: usize>(values: Vec<f32>, shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values, shape), device)
}

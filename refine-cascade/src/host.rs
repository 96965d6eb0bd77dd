//! The one place where tensors come to the host and go back.

use burn::backend::Flex;
use burn::backend::tensor::FloatTensor;
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

/// A tensor's values where they lie, without a copy if they lie in order; for devices that are the host itself.
pub(crate) struct HostValues(FloatTensor<Flex>);

impl HostValues {
    /// `None` on any other device. The values carry no gradient.
    pub fn of<const D: usize>(tensor: &Tensor<D>) -> Option<Self> {
        let values = tensor.clone().without_autodiff().try_into_primitive::<Flex>().ok()?;
        Some(Self(if values.is_contiguous() { values } else { values.to_contiguous() }))
    }

    /// In row-major order.
    ///
    /// # Panics
    ///
    /// If they are not f32.
    pub fn values(&self) -> &[f32] {
        self.0.as_slice().unwrap_or_else(|| panic!("values of type f32 are wanted, not {:?}", self.0.dtype()))
    }
}

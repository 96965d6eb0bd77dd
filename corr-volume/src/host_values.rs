//! A tensor's values where they lie.

use burn::backend::Flex;
use burn::backend::tensor::FloatTensor;
use burn::tensor::Tensor;

/// A tensor's values, without a copy if they lie in order on the host.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use corr_volume::HostValues;
///
/// let tensor = Tensor::<2>::from_floats([[1.0, 2.0], [3.0, 4.0]], &Device::flex());
/// let values = HostValues::of(&tensor.narrow(0, 1, 1)).expect("flex is the host");
/// assert_eq!(values.values(), [3.0, 4.0]);
/// ```
pub struct HostValues(Place);

enum Place {
    Host(FloatTensor<Flex>),
    Elsewhere(Vec<f32>),
}

impl HostValues {
    /// `None` on a device other than the host, and of numbers that are not f32. The values carry no gradient.
    pub fn of<const D: usize>(tensor: &Tensor<D>) -> Option<Self> {
        let values = tensor.clone().without_autodiff().try_into_primitive::<Flex>().ok()?;
        let values = if values.is_contiguous() { values } else { values.to_contiguous() };
        values.as_slice::<f32>().is_some().then_some(Self(Place::Host(values)))
    }

    /// As [`HostValues::of`], and from any other device, or of other numbers, a copy.
    ///
    /// # Panics
    ///
    /// When the device has failed: there is nothing a caller could do about it.
    pub fn fetch<const D: usize>(tensor: &Tensor<D>) -> Self {
        Self::of(tensor).unwrap_or_else(|| {
            let values = tensor.clone().without_autodiff().try_into_vec_as();
            Self(Place::Elsewhere(
                values.unwrap_or_else(|error| panic!("reading a tensor back from its device: {error}")),
            ))
        })
    }

    /// In row-major order.
    pub fn values(&self) -> &[f32] {
        match &self.0 {
            Place::Host(values) => values.as_slice().unwrap_or_else(|| unreachable!("checked when they came in")),
            Place::Elsewhere(values) => values,
        }
    }
}

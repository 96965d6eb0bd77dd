//! The choice of the device: the only place of the workspace that makes one.

use std::fmt;
use std::str::FromStr;

use anyhow::{Result, anyhow, bail};
use burn::tensor::{Device, DeviceKind, DeviceType};

/// What `--device` asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeviceChoice {
    /// A hardware adapter if there is one (never a software one), else the CPU.
    #[default]
    Auto,
    /// burn's flex backend on the CPU.
    Cpu,
    /// burn's wgpu backend: the best adapter, or the n-th that `doctor` lists. Software adapters too.
    Wgpu(Option<usize>),
}

impl FromStr for DeviceChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "wgpu" => Ok(Self::Wgpu(None)),
            _ => text
                .strip_prefix("wgpu:")
                .and_then(|index| index.parse().ok())
                .map(|index| Self::Wgpu(Some(index)))
                .ok_or_else(|| format!("{text:?} is no device; use auto, cpu, wgpu or wgpu:N")),
        }
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => f.write_str("cpu"),
            Self::Wgpu(None) => f.write_str("wgpu"),
            Self::Wgpu(Some(index)) => write!(f, "wgpu:{index}"),
        }
    }
}

impl DeviceChoice {
    /// Opens the device, without autodiff.
    ///
    /// # Errors
    ///
    /// Where an adapter is asked for that is not there or does not start.
    pub fn open(self) -> Result<Device> {
        match self {
            Self::Cpu => Ok(Device::flex()),
            Self::Auto => Ok(hardware_adapter().unwrap_or_else(Device::flex)),
            Self::Wgpu(None) => start(DeviceKind::DefaultDevice),
            Self::Wgpu(Some(index)) => {
                let found = adapters();
                match found.into_iter().nth(index) {
                    Some(device) => Ok(device),
                    None => bail!(
                        "there is no adapter wgpu:{index}, {} found; `cargo xtask doctor` lists them",
                        adapters().len()
                    ),
                }
            }
        }
    }
}

/// Where images are decoded, resized and warped, whatever device the network runs on: the CPU, without autodiff.
pub fn host() -> Device {
    Device::flex()
}

/// Every adapter that wgpu sees, software ones too, in the order of `wgpu:N`.
pub fn adapters() -> Vec<Device> {
    Device::enumerate(DeviceType::Wgpu).iter().cloned().collect()
}

/// The first hardware adapter that starts.
pub fn hardware_adapter() -> Option<Device> {
    [DeviceKind::DiscreteGpu(0), DeviceKind::IntegratedGpu(0), DeviceKind::VirtualGpu(0)]
        .into_iter()
        .find_map(|kind| start(kind).ok())
}

/// The name of a device as its driver gives it.
pub fn device_name(device: &Device) -> String {
    if *device == Device::flex() {
        return format!("CPU (flex, {} threads)", rayon::current_num_threads());
    }
    device.identity().map_or_else(|| format!("{device:?}"), |identity| format!("{} (wgpu)", identity.name))
}

fn start(kind: DeviceKind) -> Result<Device> {
    Device::wgpu_options()
        .device_kind(kind)
        .init()
        .map_err(|error| anyhow!("no wgpu adapter starts ({error}); install a Vulkan driver, or use --device cpu"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_survive_their_text() {
        for choice in [DeviceChoice::Auto, DeviceChoice::Cpu, DeviceChoice::Wgpu(None), DeviceChoice::Wgpu(Some(3))] {
            assert_eq!(choice.to_string().parse(), Ok(choice));
        }
        assert!("cuda".parse::<DeviceChoice>().unwrap_err().contains("use auto, cpu, wgpu"));
    }
}

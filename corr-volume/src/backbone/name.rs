//! The backbones' names, as configuration files and command lines spell them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The architectures there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum BackboneName {
    /// EfficientNet-Lite0: 16 blocks, 3.4 million parameters without the head, stride 16 up to block 10.
    #[serde(rename = "efficientnet-lite0")]
    EfficientNetLite0,
    /// EfficientNet-Lite2: 21 blocks, stride 16 up to block 14.
    #[serde(rename = "efficientnet-lite2")]
    EfficientNetLite2,
    /// Six plain convolutions ending at stride 8, for training from scratch.
    #[serde(rename = "small")]
    Small,
}

impl BackboneName {
    /// Every architecture.
    pub const ALL: [Self; 3] = [Self::EfficientNetLite0, Self::EfficientNetLite2, Self::Small];

    /// How many blocks the network has; they are numbered from 0.
    pub fn block_count(self) -> usize {
        match self {
            Self::EfficientNetLite0 => 16,
            Self::EfficientNetLite2 => 21,
            Self::Small => 6,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::EfficientNetLite0 => "efficientnet-lite0",
            Self::EfficientNetLite2 => "efficientnet-lite2",
            Self::Small => "small",
        }
    }
}

impl fmt::Display for BackboneName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A name that no backbone has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no backbone is called \"{0}\"; there are efficientnet-lite0, efficientnet-lite2 and small")]
pub struct UnknownBackbone(pub String);

impl FromStr for BackboneName {
    type Err = UnknownBackbone;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|known| known.as_str() == name).ok_or_else(|| UnknownBackbone(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::BackboneName;
    use crate::BackboneConfig;

    #[test]
    fn a_name_knows_how_many_blocks_its_network_has() {
        for name in BackboneName::ALL {
            assert_eq!(name.block_count(), BackboneConfig::new(name).init(&Device::flex()).block_count(), "{name}");
        }
    }

    #[test]
    fn names_survive_printing_parsing_and_serde() {
        for name in BackboneName::ALL {
            assert_eq!(name.to_string().parse(), Ok(name));
            let json = serde_json::to_string(&name).unwrap();
            assert_eq!(json, format!("\"{name}\""));
            assert_eq!(serde_json::from_str::<BackboneName>(&json).unwrap(), name);
        }
        assert!("resnet".parse::<BackboneName>().unwrap_err().to_string().contains("resnet"));
    }
}

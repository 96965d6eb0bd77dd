//! What the labels of a build depend on besides images, network and seed.

use anyhow::{Result, bail};
use pseudo_label::{Calibrator, ConsistencyConfig, KeyPointConfig};
use serde::{Deserialize, Serialize};

/// The settings of a build, `--config FILE` and `--set key=value`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LabelSettings {
    /// Images of its class that each image is matched with; even. Default 4.
    pub partners: usize,
    /// Images that are in memory at a time; partners are drawn among them. Default 24.
    pub block: usize,
    /// The seed of blocks and splits. Default 0.
    pub seed: u64,
    /// Share of each class's images that is for validation. Default 0.02.
    pub val_share: f64,
    /// Match by the last student's volume voted (mutual softmax and propagation) rather than as it is. Default true.
    pub voted: bool,
    /// Key points that a pair needs. Default 3.
    pub least_points: usize,
    /// Chains of three images have to close too, A→B→C→A. Default false.
    pub chains: bool,
    /// Which cells and images are kept.
    pub consistency: ConsistencyConfig,
    /// Which matches become key points.
    pub key_points: KeyPointConfig,
}

impl Default for LabelSettings {
    fn default() -> Self {
        Self {
            partners: 4,
            block: 24,
            seed: 0,
            val_share: 0.02,
            voted: true,
            least_points: 3,
            chains: false,
            consistency: consistency(),
            key_points: KeyPointConfig::default(),
        }
    }
}

/// Chosen on the train halves of `willow-object` (LAB.md, "Labels").
fn consistency() -> ConsistencyConfig {
    ConsistencyConfig {
        least_peakedness: 0.7,
        partners: 0.8,
        // Masks are staircases from 0.5 on: background has that much, foreground 0.8 or more.
        foreground: 0.75,
        ..ConsistencyConfig::default()
    }
}

impl LabelSettings {
    /// Refuses what makes no sense.
    ///
    /// # Errors
    ///
    /// A value out of its range, which is named.
    pub fn check(&self) -> Result<()> {
        if self.partners == 0 || !self.partners.is_multiple_of(2) {
            bail!("`partners` is an even number above 0, not {}", self.partners);
        }
        if self.chains && self.partners < 4 {
            bail!("`chains` needs 4 `partners` or more, not {}", self.partners);
        }
        if self.block <= self.partners {
            bail!("`block` is above `partners` ({}), not {}", self.partners, self.block);
        }
        if !(0.0..=1.0).contains(&self.val_share) {
            bail!("`val_share` is in 0..=1, not {}", self.val_share);
        }
        if self.key_points.most == 0 {
            bail!("a pair has at least 1 key point: --max-points 0");
        }
        let shares = [
            ("consistency.partners", self.consistency.partners),
            ("consistency.least_peakedness", self.consistency.least_peakedness),
            ("consistency.foreground", self.consistency.foreground),
        ];
        for (name, value) in shares {
            if !(0.0..=1.0).contains(&value) {
                bail!("`{name}` is in 0..=1, not {value}");
            }
        }
        if self.consistency.temperature.is_nan() || self.consistency.temperature <= 0.0 {
            bail!("`consistency.temperature` is above 0, not {}", self.consistency.temperature);
        }
        Ok(())
    }
}

/// Everything that the labels depend on, for the build's identity.
#[derive(Serialize)]
pub struct Identity<'a> {
    /// The settings.
    pub label: &'a LabelSettings,
    /// How confidences are calibrated.
    pub calibrator: &'a Calibrator,
    /// SHA-256 of the parameters of the network that matches.
    pub parameters: &'a str,
    /// SHA-256 of the parameters of the network that makes masks.
    pub masks: String,
    /// The run's configuration of masks, voting and readout.
    pub mask: &'a crate::config::MaskSection,
    /// The students'.
    pub student: &'a crate::config::StudentSection,
    /// Pixels a side of the network's input.
    pub input: usize,
    /// What the images are.
    pub images: String,
    /// The classes that masks know, in the classifier's order.
    pub classes: &'a [String],
    /// The device: others round otherwise.
    pub device: String,
    /// The version of the program.
    pub program: &'static str,
}

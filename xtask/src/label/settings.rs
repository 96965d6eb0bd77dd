//! What the labels of a build depend on besides images, network and seed.

use anyhow::{Result, bail};
use pseudo_label::{Calibrator, ConsistencyConfig, KeyPointConfig};
use serde::{Deserialize, Serialize};

use crate::config::{Range, check_ranges, share, temperature, within};

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
        check_ranges(self, &ranges())?;
        if !self.partners.is_multiple_of(2) {
            bail!("`partners` is an even number, not {}", self.partners);
        }
        if self.chains && self.partners < 4 {
            bail!("`chains` needs 4 `partners` or more, not {}", self.partners);
        }
        if self.block <= self.partners {
            bail!("`block` is above `partners` ({}), not {}", self.partners, self.block);
        }
        Ok(())
    }
}

/// The range of every number.
fn ranges() -> Vec<Range> {
    vec![
        within("partners", 2.0, 1000.0),
        within("block", 3.0, 1e5),
        within("seed", 0.0, 9.3e18),
        share("val_share"),
        within("least_points", 0.0, 1e6),
        within("consistency.cycle_cells", 0.0, 1e4),
        within("consistency.cycle_share", 0.0, 100.0),
        share("consistency.least_peakedness"),
        temperature("consistency.temperature"),
        share("consistency.partners"),
        share("consistency.foreground"),
        within("consistency.least_cells", 0.0, 1e6),
        within("consistency.least_blocks", 0.0, 16.0),
        within("key_points.most", 1.0, 1e6),
        within("key_points.spacing", 0.0, 1e4),
    ]
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{every_key, load_over};

    #[test]
    fn every_key_is_refused_by_its_name_or_makes_settings() {
        let load = |settings: &[String]| {
            let loaded: LabelSettings = load_over(&LabelSettings::default(), None, settings)?;
            loaded.check().map(|()| loaded)
        };
        assert!(every_key::try_all(&LabelSettings::default(), &ranges(), load).len() > 20);
    }
}

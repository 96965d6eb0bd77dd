//! What a matcher is made of and how it is trained, `--config FILE` and `--set key=value`.

use std::path::Path;

use anyhow::{Result, bail};
use clap::ValueEnum;
use corr_volume::BackboneName;
use eval::matcher::{AugmentConfig, CatsConfig, DhpfConfig, HoughConfig, NcNetConfig, Optimiser, TrainerConfig};
use serde::{Deserialize, Serialize};

use super::labels::LabelChoice;
use crate::config::{Range, above_zero, check_ranges, load_over, rate, share, temperature, under, weight, within};

/// A matcher, by its usual name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum MatcherName {
    /// Neighbourhood consensus networks.
    NcNet,
    /// Dynamic hyperpixel flow.
    Dhpf,
    /// Cost aggregation transformers.
    Cats,
    /// The nearest cell; learns nothing.
    Nearest,
    /// The mutually nearest cell; learns nothing.
    Mutual,
    /// Regularised Hough matching of hyperpixels; learns nothing.
    Hough,
    /// A run of `cargo xtask train`: its last student, voted; learns nothing more.
    Cascade,
}

impl MatcherName {
    /// The name in files and tables.
    pub fn name(self) -> &'static str {
        match self {
            MatcherName::NcNet => "nc-net",
            MatcherName::Dhpf => "dhpf",
            MatcherName::Cats => "cats",
            MatcherName::Nearest => "nearest",
            MatcherName::Mutual => "mutual",
            MatcherName::Hough => "hough",
            MatcherName::Cascade => "cascade",
        }
    }

    /// Whether it has parameters.
    pub fn learns(self) -> bool {
        matches!(self, MatcherName::NcNet | MatcherName::Dhpf | MatcherName::Cats)
    }
}

/// Everything about a matcher but the data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MatcherSettings {
    /// What it looks through.
    pub backbone: MatcherBackbone,
    /// Sizes of NC-Net.
    pub nc_net: NcNetConfig,
    /// Sizes of CATs.
    pub cats: CatsConfig,
    /// Sizes of DHPF.
    pub dhpf: DhpfConfig,
    /// Votes of the Hough matcher.
    pub hough: HoughConfig,
    /// Which run the cascade is of.
    pub cascade: CascadeSection,
    /// Which labels are learned from.
    pub labels: LabelChoice,
    /// Training on labels.
    pub pretrain: Phase,
    /// Training on key points.
    pub finetune: Phase,
    /// How images are changed in training.
    pub augment: AugmentConfig,
    /// How many changed views of each image there are, besides the image as it is; 0: none. Views are drawn once, so that
    /// what the frozen backbone says of them is computed once.
    pub views: usize,
    /// The most that the cache of frozen features may take on disk, in MiB.
    pub cache_mib: u64,
}

/// The cascade of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CascadeSection {
    /// The run's name or folder.
    pub run: String,
}

/// The frozen backbone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MatcherBackbone {
    /// `efficientnet-lite0`, `efficientnet-lite2`, or `small`, which has no weights and is random: to try things out.
    pub name: BackboneName,
    /// A weights file; empty: the known weights of that name in the cache folder.
    pub weights: String,
    /// Images are stretched to this many pixels a side.
    pub input: usize,
    /// The blocks (0-based) that matchers see; the first gives the grid.
    pub blocks: Vec<usize>,
}

impl Default for MatcherBackbone {
    /// 16 by 16 cells, as published for CATs.
    fn default() -> Self {
        Self { name: BackboneName::EfficientNetLite0, weights: String::new(), input: 256, blocks: vec![10, 14] }
    }
}

/// A phase of training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Phase {
    /// Steps, rates and the optimiser.
    pub trainer: TrainerConfig,
    /// Pairs a step.
    pub batch: usize,
    /// Steps between checkpoints; 0: one at the end.
    pub checkpoint_every: usize,
}

impl Phase {
    /// Pairs that its steps see, those that come again counted again.
    pub fn pairs_seen(&self) -> usize {
        self.trainer.steps.saturating_mul(self.batch)
    }
}

impl Default for Phase {
    fn default() -> Self {
        Self { trainer: TrainerConfig::default(), batch: 4, checkpoint_every: 50 }
    }
}

impl Default for MatcherSettings {
    fn default() -> Self {
        Self {
            backbone: MatcherBackbone::default(),
            nc_net: NcNetConfig::default(),
            cats: CatsConfig::default(),
            dhpf: DhpfConfig::default(),
            hough: HoughConfig::default(),
            cascade: CascadeSection::default(),
            labels: LabelChoice::default(),
            pretrain: Phase::default(),
            finetune: Phase::default(),
            augment: AugmentConfig::default(),
            views: 3,
            cache_mib: 4096,
        }
    }
}

impl MatcherSettings {
    /// The defaults of a matcher.
    pub fn of(name: MatcherName) -> Self {
        let mut settings = Self::default();
        let rates = match name {
            MatcherName::Cats => [(Optimiser::AdamW, 3e-4), (Optimiser::AdamW, 1e-4)],
            MatcherName::Dhpf => [(Optimiser::Adam, 3e-3), (Optimiser::Adam, 1e-3)],
            _ => [(Optimiser::Adam, 2e-3), (Optimiser::Adam, 1e-3)],
        };
        for (phase, (optimiser, rate)) in [&mut settings.pretrain, &mut settings.finetune].into_iter().zip(rates) {
            phase.trainer.optimiser = optimiser;
            phase.trainer.learning_rate = rate;
            phase.trainer.momentum = 0.5;
        }
        (settings.pretrain.trainer.steps, settings.finetune.trainer.steps) = match name {
            MatcherName::Dhpf => (1000, 200),
            MatcherName::Cats => (300, 60),
            _ => (600, 60),
        };
        if name == MatcherName::Dhpf {
            settings.pretrain.trainer.gradient_norm = 0.0;
            settings.finetune.trainer.gradient_norm = 0.0;
            settings.backbone.blocks = vec![6, 8, 10, 12, 14];
            // Its loss leaves out what is easy, and so learns more from what is wrong.
            settings.labels.least_agreement = 0.8;
        }
        settings
    }

    /// The defaults of a matcher, with a file and `key=value` settings over them. Where they name another backbone and no blocks,
    /// these are that backbone's.
    ///
    /// # Errors
    ///
    /// A file that cannot be read, an unknown key (the nearest known one is named), a value that makes no sense.
    pub fn load(name: MatcherName, file: Option<&Path>, settings: &[String]) -> Result<Self> {
        let mut base = Self::of(name);
        let mut loaded: Self = load_over(&base, file, settings)?;
        if loaded.backbone.name == BackboneName::Small {
            base.backbone.blocks = vec![3, 5];
            loaded = load_over(&base, file, settings)?;
        }
        loaded.check()?;
        Ok(loaded)
    }

    /// What of it a matcher depends on: not the others' sizes, nor how much is cached.
    ///
    /// # Errors
    ///
    /// Never for settings that were loaded.
    pub fn relevant(&self, name: MatcherName) -> Result<serde_json::Value> {
        let mut all = serde_json::to_value(self)?;
        if let Some(sections) = all.as_object_mut() {
            let own = name.name().replace('-', "_");
            sections.retain(|key, _| {
                *key == own || !matches!(key.as_str(), "nc_net" | "cats" | "dhpf" | "hough" | "cascade" | "cache_mib")
            });
        }
        Ok(all)
    }

    fn check(&self) -> Result<()> {
        check_ranges(self, &ranges())?;
        let MatcherBackbone { name, input, blocks, .. } = &self.backbone;
        if blocks.is_empty() || !blocks.is_sorted_by(|a, b| a < b) {
            bail!("`backbone.blocks` wants block numbers in ascending order, got {blocks:?}");
        }
        if let Some(block) = blocks.iter().find(|&&block| block >= name.block_count()) {
            bail!("`backbone.blocks` asks for block {block}, {name} has blocks 0 to {}", name.block_count() - 1);
        }
        if !input.is_multiple_of(32) {
            bail!("`backbone.input` is a multiple of 32, not {input}");
        }
        let (kernels, hidden) = (&self.nc_net.kernels, &self.nc_net.hidden);
        if kernels.len() != hidden.len() + 1 || kernels.iter().any(|kernel| kernel % 2 == 0) || kernels.len() > 8 {
            bail!(
                "`nc_net.kernels` are 1 to 8 odd numbers, one more than `nc_net.hidden` has: {kernels:?}, {hidden:?}"
            );
        }
        let side = self.cats.grid * self.cats.grid + self.cats.projected;
        if !side.is_multiple_of(self.cats.heads) || !side.is_multiple_of(2) {
            bail!("`cats.grid`² + `cats.projected` = {side} is even and a multiple of `cats.heads`");
        }
        let values = self.cats.depth * (8 + 4 * self.cats.widening) * side * side;
        if values > MOST_VALUES {
            bail!(
                "`cats.depth`, `cats.widening`, `cats.grid` and `cats.projected` make {values} parameters, at most {MOST_VALUES}"
            );
        }
        Ok(())
    }
}

/// The most parameters of a matcher: 4 GiB.
const MOST_VALUES: usize = 1 << 30;

/// The range of every number.
fn ranges() -> Vec<Range> {
    let mut ranges = vec![
        within("backbone.input", 32.0, 1024.0),
        within("backbone.blocks", 0.0, 63.0),
        within("nc_net.kernels", 1.0, 9.0),
        within("nc_net.hidden", 1.0, 256.0),
        temperature("nc_net.temperature"),
        within("nc_net.deviation", 0.1, 1e3),
        within("cats.grid", 1.0, 64.0),
        within("cats.projected", 1.0, 4096.0),
        within("cats.depth", 1.0, 64.0),
        within("cats.heads", 1.0, 256.0),
        within("cats.widening", 1.0, 64.0),
        temperature("cats.temperature"),
        weight("cats.cross_entropy"),
        temperature("cats.entropy_temperature"),
        within("dhpf.grid", 1.0, 64.0),
        // Every block of every backbone has as many channels or more.
        within("dhpf.reduction", 1.0, 16.0),
        within("dhpf.hidden", 1.0, 4096.0),
        share("dhpf.target_rate"),
        weight("dhpf.rate_weight"),
        within("dhpf.easy", 0.0, 1e3),
        share("labels.least_agreement"),
        within("labels.least_points", 0.0, 1e6),
        share("augment.crop"),
        share("augment.mirror"),
        share("augment.brightness"),
        share("augment.contrast"),
        share("augment.saturation"),
        within("views", 0.0, 1e4),
        within("cache_mib", 0.0, 1e8),
    ];
    for phase in ["pretrain", "finetune"] {
        ranges.extend(under(phase, phases()));
    }
    for hough in ["hough", "dhpf.hough"] {
        let of_hough = vec![above_zero("power", 32.0), within("radius", 0.0, 64.0), within("deviation", 0.1, 1e3)];
        ranges.extend(under(hough, of_hough));
    }
    ranges
}

fn phases() -> Vec<Range> {
    vec![
        weight("trainer.weight_decay"),
        share("trainer.momentum"),
        rate("trainer.learning_rate"),
        within("trainer.steps", 0.0, 1e9),
        within("trainer.warm_up", 0.0, 1e9),
        within("trainer.gradient_norm", 0.0, 1e38),
        within("batch", 1.0, 4096.0),
        within("checkpoint_every", 0.0, 1e9),
    ]
}

#[cfg(test)]
mod tests {
    use eval::matcher::Augmentation;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::config::every_key;
    use crate::device::host;

    #[test]
    fn the_configurations_named_published_have_the_published_sizes() {
        let load = |name: MatcherName| {
            let file = format!("{}/configs/matchers/{}-published.toml", env!("CARGO_MANIFEST_DIR"), name.name());
            MatcherSettings::load(name, Some(Path::new(&file)), &[]).unwrap()
        };
        assert_eq!(load(MatcherName::NcNet).nc_net, NcNetConfig::published());
        assert_eq!(load(MatcherName::Dhpf).dhpf, DhpfConfig::published());
        assert_eq!(load(MatcherName::Cats).cats, CatsConfig::published());
    }

    #[test]
    fn every_key_is_refused_by_its_name_or_makes_a_matcher() {
        let _generator = crate::train::small_run::generator();
        let name = MatcherName::NcNet;
        let load = |settings: &[String]| MatcherSettings::load(name, None, settings);
        let accepted = every_key::try_all(&MatcherSettings::of(name), &ranges(), load);
        assert!(accepted.len() > 50);
        for settings in accepted {
            let mut rng = ChaCha8Rng::seed_from_u64(1);
            Augmentation::draw(&settings.augment, (40, 30), [5.0, 6.0, 20.0, 21.0], &mut rng);
            if settings.cats.grid <= 16 && settings.cats.depth * settings.cats.widening <= 4 {
                settings.cats.init(&[16, 24], &host());
            }
            if settings.dhpf.hidden <= 32 {
                settings.dhpf.init(&[16, 24], &host());
            }
            if settings.nc_net.hidden.iter().all(|&channels| channels <= 16) {
                settings.nc_net.init(&host());
            }
        }
    }

    #[test]
    fn a_small_backbone_has_its_own_blocks() {
        let blocks = |settings: &[&str]| {
            let settings: Vec<String> = settings.iter().map(ToString::to_string).collect();
            MatcherSettings::load(MatcherName::Dhpf, None, &settings).map(|settings| settings.backbone.blocks)
        };
        assert_eq!(blocks(&["backbone.name=small"]).unwrap(), [3, 5]);
        assert_eq!(blocks(&["backbone.name=small", "backbone.blocks=[2]"]).unwrap(), [2]);
        assert!(
            blocks(&["backbone.name=small", "backbone.blocks=[2, 6]"]).unwrap_err().to_string().contains("block 6")
        );
    }
}

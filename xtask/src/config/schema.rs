//! Every key of a run's configuration, with its default and its reason.

use std::fmt;
use std::str::FromStr;

use corr_volume::{BackboneName, Readout};
use eval::Split;
use mil_matching::{MaskConfig, PixelConfig, RegionsConfig};
use refine_cascade::{LabelConfig, VoteConfig, WarpConfig, WarpLossConfig};
use sc_imagenet::drawn::DrawnConfig;
use serde::{Deserialize, Serialize};

/// The configuration of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainConfig {
    /// Which images.
    pub data: DataSection,
    /// The drawn objects that are learnt from where `data.folders` is empty.
    pub drawn: DrawnConfig,
    /// Which features.
    pub backbone: BackboneSection,
    /// The image level: the classifier that comes first.
    pub classifier: ClassifierSection,
    /// Foreground masks from activation maps.
    pub mask: MaskSection,
    /// How cells are grouped into regions.
    pub regions: RegionsConfig,
    /// The region level's two streams.
    pub region_matcher: RegionMatcherSection,
    /// The pixel level.
    pub pixel: PixelConfig,
    /// The voting that makes labels.
    pub vote: VoteConfig,
    /// The filter and the calibration of labels.
    pub labels: LabelConfig,
    /// The students.
    pub student: StudentSection,
    /// The random warps of warp consistency.
    pub warp: WarpConfig,
    /// How warp consistency is scored.
    pub warp_loss: WarpLossConfig,
    /// The weight of every loss.
    pub loss: LossSection,
    /// Steps, batches, learning rates.
    pub train: TrainSection,
}

/// Which images to learn from, and which to score on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DataSection {
    /// Folders of class folders. Empty: drawn objects.
    pub folders: Vec<String>,
    /// Which half of each class to learn from: `all`, `train` (even index by name) or `val` (odd).
    pub split: Split,
    /// The folder with key points to score on; empty: those of `folders` that have key points.
    pub validation: String,
    /// Which half of each class to score on.
    pub validation_split: Split,
    /// At most so many seeded ordered pairs a class are scored.
    pub validation_pairs: usize,
    /// For how many steps ahead images are decoded and warped, and on the CPU the frozen blocks run on them, on threads of
    /// their own. 0: everything in its turn. The result is the same.
    pub ahead: usize,
}

impl DataSection {
    /// The keys that have no part in the result of a run: it may be resumed under others.
    pub const WITHOUT_EFFECT: [&str; 1] = ["data.ahead"];

    /// How many threads may work ahead: as many as there are for everything else.
    pub fn threads(&self) -> usize {
        if self.ahead == 0 { 0 } else { rayon::current_num_threads() }
    }
}

impl Default for DataSection {
    fn default() -> Self {
        Self {
            folders: Vec::new(),
            split: Split::All,
            validation: String::new(),
            validation_split: Split::All,
            validation_pairs: 100,
            ahead: 2,
        }
    }
}

/// The backbone and what is taken from it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BackboneSection {
    /// `efficientnet-lite0`, `efficientnet-lite2` or `small` (which has no weights and learns from scratch).
    pub name: BackboneName,
    /// A weights file; empty: the known weights of that name in the cache folder.
    pub weights: String,
    /// Images are stretched to this many pixels a side.
    pub input: usize,
    /// The blocks (0-based) whose outputs make the hyperpixel; the first of them gives the grid.
    pub layers: Vec<usize>,
    /// Run the last stride-32 stage dilated at stride 16.
    pub dilated: bool,
    /// Take the training images' mean hyperpixel off every hyperpixel.
    pub centre: bool,
    /// `frozen`, or `last:N`: the last N blocks up to the deepest used one learn, their batch norm frozen.
    pub tune: Tune,
    /// Let the tuned blocks' depthwise convolutions learn too, at about a third more time a step.
    pub tune_depthwise: bool,
    /// The most that the cache of frozen features may take on disk, in MiB.
    pub cache_mib: u64,
}

impl Default for BackboneSection {
    fn default() -> Self {
        Self {
            name: BackboneName::EfficientNetLite0,
            weights: String::new(),
            input: 320,
            layers: vec![10, 12, 14],
            dilated: false,
            centre: true,
            tune: Tune::Last(7),
            tune_depthwise: false,
            cache_mib: 4096,
        }
    }
}

impl BackboneSection {
    /// The defaults of a backbone.
    pub fn of(name: BackboneName) -> Self {
        match name {
            // It ends at stride 8 and learns from scratch: small images, and few blocks to tune.
            BackboneName::Small => {
                Self { name, input: 128, layers: vec![3, 5], tune: Tune::Last(2), ..Self::default() }
            }
            BackboneName::EfficientNetLite0 | BackboneName::EfficientNetLite2 => Self { name, ..Self::default() },
        }
    }
}

/// Which blocks of the backbone learn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Tune {
    /// None.
    Frozen,
    /// The last so many, up to the deepest used one.
    Last(usize),
}

impl Tune {
    /// The first block that learns, where `deepest` is the deepest used one; `None` where none does.
    pub fn first_block(self, deepest: usize) -> Option<usize> {
        match self {
            Tune::Frozen | Tune::Last(0) => None,
            Tune::Last(count) => Some((deepest + 1).saturating_sub(count)),
        }
    }
}

impl FromStr for Tune {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "frozen" {
            return Ok(Tune::Frozen);
        }
        text.strip_prefix("last:")
            .and_then(|count| count.parse().ok())
            .map(Tune::Last)
            .ok_or_else(|| format!("{text:?} is neither `frozen` nor `last:N`"))
    }
}

impl TryFrom<String> for Tune {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl fmt::Display for Tune {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Tune::Frozen => f.write_str("frozen"),
            Tune::Last(count) => write!(f, "last:{count}"),
        }
    }
}

impl From<Tune> for String {
    fn from(tune: Tune) -> String {
        tune.to_string()
    }
}

/// The classifier's own training, before the cascade's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClassifierSection {
    /// Steps: of the linear layer alone on a pretrained backbone, of the whole backbone where it starts from scratch.
    pub steps: usize,
    /// Images a step.
    pub batch: usize,
    /// Learning rate.
    pub learning_rate: f64,
    /// Weight decay.
    pub weight_decay: f32,
}

impl Default for ClassifierSection {
    fn default() -> Self {
        Self { steps: 300, batch: 32, learning_rate: 3e-3, weight_decay: 1e-4 }
    }
}

/// Masks from activation maps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MaskSection {
    /// Let training weigh cells by their masks (regions, pixel scores, labels). Off: every cell counts fully, and masks only
    /// say which answers are about the object.
    pub training: bool,
    /// Scales, levels, thresholds.
    pub map: MaskConfig,
}

impl Default for MaskSection {
    fn default() -> Self {
        Self { training: true, map: MaskConfig { scales: vec![1.0, 1.5], ..MaskConfig::default() } }
    }
}

/// The region level's two streams.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RegionMatcherSection {
    /// Rank of what each stream learns beyond the cosine; 0: the whole matrix.
    pub rank: usize,
    /// Temperature of the choice of a target region for each source region.
    pub choice_temperature: f64,
    /// Temperature of the choice of the region pairs that speak for an image pair.
    pub selection_temperature: f64,
}

impl Default for RegionMatcherSection {
    fn default() -> Self {
        Self { rank: 32, choice_temperature: 0.1, selection_temperature: 0.1 }
    }
}

/// The cascade's students and how they are asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StudentSection {
    /// How many students, K.
    pub stages: usize,
    /// Channels between an adapter's two convolutions.
    pub hidden: usize,
    /// Temperature of the match distribution that learns from labels.
    pub temperature: f64,
    /// Standard deviation of a label's Gaussian, in cells.
    pub target_sigma: f64,
    /// Share of the voted row itself in a label; the rest is the Gaussian.
    pub voted_share: f64,
    /// Labels from the geometric mean of the previous stage with the frozen affinity (against drift).
    pub anchored: bool,
    /// Vote each pair with its target as it is and mirrored, and keep what agrees better.
    pub mirror: bool,
    /// Temperature of the margin over negative pairs, in cosine.
    pub negative_temperature: f64,
    /// How a student's volume is read out.
    pub readout: Readout,
    /// How a student's own volume is voted when it is asked to be.
    pub vote: VoteConfig,
    /// How a student's voted volume is read out.
    pub voted_readout: Readout,
}

impl Default for StudentSection {
    fn default() -> Self {
        Self {
            stages: 3,
            hidden: 64,
            temperature: 0.05,
            target_sigma: 1.0,
            voted_share: 0.5,
            anchored: true,
            mirror: false,
            negative_temperature: 0.05,
            readout: Readout::Kernel { beta: 35.0, sigma: 10.0 },
            vote: VoteConfig::for_trained(),
            voted_readout: Readout::Kernel { beta: 10.0, sigma: 8.0 },
        }
    }
}

/// The weight of every loss; 0 switches it off and saves its time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LossSection {
    /// Cross entropy of the class.
    pub image: f64,
    /// Binary cross entropy of region matches.
    pub region: f64,
    /// Positive pairs above negative pairs at pixel level.
    pub pixel: f64,
    /// Each student against its voted labels.
    pub labels: f64,
    /// Each student on a warped image against the image itself.
    pub warp_supervision: f64,
    /// Each student on the way from a warped image through the partner back.
    pub bipath: f64,
    /// Each student's margin of the positive over the negative pair.
    pub negative: f64,
}

impl Default for LossSection {
    fn default() -> Self {
        Self { image: 0.1, region: 0.1, pixel: 0.1, labels: 1.0, warp_supervision: 1.0, bipath: 1.0, negative: 0.1 }
    }
}

impl LossSection {
    /// Whether a loss with a weight looks at warped sources.
    pub fn uses_warps(&self) -> bool {
        self.warp_supervision > 0.0 || self.bipath > 0.0
    }
}

/// Steps, batches, learning rates.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainSection {
    /// Steps.
    pub steps: usize,
    /// Pairs a step.
    pub pairs: usize,
    /// Into how many shards a step's pairs are dealt, each computed on a thread of its own. Part of the result.
    pub shards: usize,
    /// How many different warps there are; the features of images under them are kept. 0: a fresh warp every time.
    pub fixed_warps: usize,
    /// Share of the pairs that are seen mirrored left to right, both images alike.
    pub mirrored: f64,
    /// Learning rate of the students, the classifier and the region matcher.
    pub learning_rate: f64,
    /// Learning rate of the tuned blocks.
    pub backbone_learning_rate: f64,
    /// Steps over which the learning rates rise from 0.
    pub warm_up: usize,
    /// Weight decay.
    pub weight_decay: f32,
    /// Largest norm of the gradient; larger ones are scaled down. 0: no limit.
    pub gradient_norm: f32,
    /// Score the stages every so many steps (and at the end); 0: at the end only.
    pub validate_every: usize,
    /// Save a checkpoint every so many steps (and at the end).
    pub checkpoint_every: usize,
    /// The seed of everything random.
    pub seed: u64,
}

impl Default for TrainSection {
    fn default() -> Self {
        Self {
            steps: 200,
            pairs: 4,
            shards: 2,
            fixed_warps: 8,
            mirrored: 0.5,
            learning_rate: 5e-4,
            backbone_learning_rate: 5e-5,
            warm_up: 20,
            weight_decay: 1e-4,
            gradient_norm: 1.0,
            validate_every: 100,
            checkpoint_every: 50,
            seed: 0,
        }
    }
}

impl TrainConfig {
    /// The deepest block in use.
    pub fn deepest(&self) -> usize {
        self.backbone.layers.last().copied().unwrap_or_default()
    }

    /// The first block that learns, or `None`.
    pub fn first_tuned(&self) -> Option<usize> {
        self.backbone.tune.first_block(self.deepest())
    }
}

//! What a run's configuration may be. Everything that would end a run later is refused here, by its key.

use anyhow::{Result, anyhow, bail};
use mil_matching::RegionKind;

use super::ranges::{Range, above_zero, check_ranges, rate, share, temperature, under, weight, within};
use super::schema::TrainConfig;
use crate::drawn::is_drawn;

/// The largest input at the largest scale of the masks, in pixels a side.
const LARGEST_INPUT: f64 = 4096.0;
/// Seeds and counts that nothing bounds but what TOML can hold.
const ANY: f64 = 9.3e18;

/// The range of every number.
pub fn ranges() -> Vec<Range> {
    let mut ranges = vec![
        within("data.validation_pairs", 0.0, 1e6),
        within("data.ahead", 0.0, 256.0),
        within("backbone.input", 32.0, 1024.0),
        within("backbone.layers", 0.0, 63.0),
        within("backbone.cache_mib", 0.0, 1e8),
        within("classifier.steps", 0.0, 1e7),
        within("classifier.batch", 1.0, 4096.0),
        rate("classifier.learning_rate"),
        weight("classifier.weight_decay"),
        within("mask.map.scales", 0.25, 4.0),
        share("mask.map.threshold"),
        share("mask.map.staircase.floor"),
        share("mask.map.staircase.steps"),
        within("regions.count", 1.0, 256.0),
        within("regions.iterations", 0.0, 1000.0),
        within("regions.temperature", 0.0, 100.0),
        share("regions.foreground"),
        within("regions.window_scales", 1.0, 16.0),
        within("region_matcher.rank", 0.0, 65536.0),
        temperature("region_matcher.choice_temperature"),
        temperature("region_matcher.selection_temperature"),
        within("pixel.prior_weight", 0.0, 1e3),
        temperature("pixel.temperature"),
        temperature("pixel.loss_temperature"),
        share("pixel.foreground"),
        share("labels.mask_min"),
        within("labels.cycle_distance", 0.0, 1e4),
        within("labels.confidence_power", 0.0, 32.0),
        within("labels.window", 0.1, 100.0),
        within("labels.sigma", 1e-3, 1e4),
        share("labels.blend"),
        within("labels.ridge", 0.0, 1e6),
        within("labels.min_support", 0.0, 1e6),
        within("student.stages", 1.0, 16.0),
        within("student.hidden", 1.0, 4096.0),
        temperature("student.temperature"),
        within("student.target_sigma", 0.1, 1e3),
        share("student.voted_share"),
        temperature("student.negative_temperature"),
        within("warp.rotation", 0.0, 180.0),
        within("warp.scale", 0.05, 20.0),
        within("warp.shear", 0.0, 10.0),
        within("warp.translation", 0.0, 2.0),
        share("warp.mirror"),
        share("warp.tps"),
        within("warp.tps_side", 2.0, 8.0),
        within("warp.tps_jitter", 0.0, 2.0),
        temperature("warp_loss.tau"),
        share("warp_loss.surest"),
        within("warp_loss.epsilon", 1e-12, 1.0),
        within("train.steps", 0.0, 1e9),
        within("train.pairs", 1.0, 4096.0),
        within("train.shards", 1.0, 256.0),
        within("train.fixed_warps", 0.0, 1e6),
        share("train.mirrored"),
        rate("train.learning_rate"),
        within("train.backbone_learning_rate", 0.0, 1e38),
        within("train.warm_up", 0.0, 1e9),
        weight("train.weight_decay"),
        within("train.gradient_norm", 0.0, 1e38),
        within("train.validate_every", 0.0, 1e9),
        within("train.checkpoint_every", 1.0, 1e9),
        within("train.seed", 0.0, ANY),
    ];
    ranges.extend(under("drawn", drawn()));
    ranges.extend(under("vote", vote()));
    ranges.extend(under("student.vote", vote()));
    ranges.extend(under("student.readout", readout()));
    ranges.extend(under("student.voted_readout", readout()));
    let losses = ["image", "region", "pixel", "labels", "warp_supervision", "bipath", "negative"];
    ranges.extend(under("loss", losses.map(weight).to_vec()));
    ranges
}

fn drawn() -> Vec<Range> {
    vec![
        within("size", 16.0, 2048.0),
        within("images_per_class", 2.0, 1e5),
        within("seed", 0.0, ANY),
        within("clutter", 0.0, 1000.0),
        within("occluders", 0.0, 1000.0),
        share("occluder_size"),
        within("rotation", 0.0, 180.0),
        within("span", 0.05, 1.5),
        within("overhang", 0.0, 0.5),
        within("variation", 0.0, 1.5),
        share("lighting"),
        share("grain"),
    ]
}

fn vote() -> Vec<Range> {
    vec![
        within("power", 0.01, 16.0),
        within("temperature", 0.0, 100.0),
        within("radius", 0.0, 64.0),
        within("hough_radius", 0.0, 256.0),
        within("hough_sigma", 0.01, 1e3),
    ]
}

fn readout() -> Vec<Range> {
    vec![above_zero("beta", 1e4), within("sigma", 0.01, 1e4), within("radius", 0.0, 4096.0)]
}

impl TrainConfig {
    /// Refuses values that no run can use.
    ///
    /// # Errors
    ///
    /// Names the key and what it must be.
    pub fn check(&self) -> Result<()> {
        check_ranges(self, &ranges())?;
        self.check_data()?;
        self.check_backbone()?;
        self.check_mask()?;
        for (key, vote) in [("vote", &self.vote), ("student.vote", &self.student.vote)] {
            if vote.temperature > 0.0 && vote.temperature < 1e-4 {
                bail!("`{key}.temperature` is 0 or in 0.0001..=100, not {}", vote.temperature);
            }
        }
        // Voting multiplies four powers of evidence, which the prior raises: of type f32, as everything there.
        if f64::from(self.vote.power) * (1.0 + self.pixel.prior_weight).log10() > 7.5 {
            bail!(
                "`vote.power` {} of evidence that `pixel.prior_weight` {} raises is beyond what a number can hold; lower one",
                self.vote.power,
                self.pixel.prior_weight
            );
        }
        if self.regions.kind == RegionKind::Windows && !(1..=8).contains(&self.regions.window_scales.len()) {
            bail!("`regions.window_scales` has 1 to 8 numbers, not {}", self.regions.window_scales.len());
        }
        let [smallest, largest] = self.warp.scale;
        if smallest > largest {
            bail!("`warp.scale` is the smallest scale and the largest, not {smallest} and {largest}");
        }
        let loss = &self.loss;
        // The others are of negative pairs, which not every step has.
        let always = [loss.image, loss.region, loss.labels, loss.warp_supervision, loss.bipath];
        if always.iter().all(|&weight| weight == 0.0) {
            bail!(
                "of the weights in `loss`, one of image, region, labels, warp_supervision and bipath must be above 0: without \
                 them a step whose pairs are all of one class has nothing to learn"
            );
        }
        Ok(())
    }

    fn check_data(&self) -> Result<()> {
        if let Some(empty) = self.data.folders.iter().position(|folder| folder.trim().is_empty()) {
            bail!("`data.folders`: folder {} has an empty name", empty + 1);
        }
        if !is_drawn(self) {
            return Ok(());
        }
        self.drawn.check().map_err(|complaint| anyhow!("`drawn`: {complaint}"))?;
        let needed = if self.data.split == eval::Split::All { 2 } else { 4 };
        if self.drawn.images_per_class < needed {
            bail!(
                "`drawn.images_per_class` must be at least {needed}, not {}: of what `data.split` leaves of a class, two images \
                 make a pair",
                self.drawn.images_per_class
            );
        }
        Ok(())
    }

    fn check_backbone(&self) -> Result<()> {
        let backbone = &self.backbone;
        if !backbone.input.is_multiple_of(32) {
            bail!("`backbone.input` must be a multiple of 32, got {}", backbone.input);
        }
        if backbone.layers.is_empty() || !backbone.layers.is_sorted_by(|a, b| a < b) {
            bail!("`backbone.layers` wants at least one block, and numbers that ascend, got {:?}", backbone.layers);
        }
        let blocks = backbone.name.block_count();
        if self.deepest() >= blocks {
            bail!(
                "`backbone.layers` asks for block {}, {} has blocks 0 to {}",
                self.deepest(),
                backbone.name,
                blocks - 1
            );
        }
        Ok(())
    }

    fn check_mask(&self) -> Result<()> {
        let map = &self.mask.map;
        if !(1..=8).contains(&map.scales.len()) {
            bail!("`mask.map.scales` has 1 to 8 numbers, not {}", map.scales.len());
        }
        if let Some(scale) = map.scales.iter().find(|&&scale| scale * self.backbone.input as f64 > LARGEST_INPUT) {
            bail!(
                "`mask.map.scales`: {scale} times `backbone.input` ({}) is more than {LARGEST_INPUT} pixels a side",
                self.backbone.input
            );
        }
        if !map.staircase.steps.is_sorted_by(|a, b| a.0 < b.0) {
            bail!("`mask.map.staircase.steps` has thresholds that ascend, got {:?}", map.staircase.steps);
        }
        Ok(())
    }
}

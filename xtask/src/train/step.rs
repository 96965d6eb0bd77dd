//! One step of the cascade: a batch in, every loss out. Reads from image level to the last student.

use burn::tensor::{Int, Tensor};
use corr_volume::{CorrVolume, soft_mutual};
use mil_matching::{
    assign_regions, cell_prior, choose_negatives, image_loss, pixel_bag_score, pixel_loss, pixel_volume,
    region_descriptors, region_loss,
};
use rand::Rng;
use refine_cascade::{Labels, StageLosses, StudentLossConfig, anchored, labels, vote, vote_either};

use crate::config::TrainConfig;
use crate::network::{FrozenFeatures, Layout, Network};

/// P positive pairs, with the warped sources.
pub struct Batch {
    /// Frozen features of the P sources and then the P targets.
    pub features: FrozenFeatures,
    /// Frozen features of the P warped sources (only what training needs); none where no loss uses them.
    pub warped: FrozenFeatures,
    /// Where each cell of a warped source lies in the source.
    pub known: Labels,
    /// Masks of the sources `[p, h, w]`.
    pub source_masks: Tensor<3>,
    /// Masks of the targets `[p, h, w]`.
    pub target_masks: Tensor<3>,
    /// The pairs' classes.
    pub classes: Vec<usize>,
}

/// Every loss of a batch that has a weight.
#[derive(Default)]
pub struct Losses {
    /// Their weighted sum, `[1]`; none without losses.
    pub sum: Option<Tensor<1>>,
    /// Each as the log shows it: `image`, `region`, `pixel`, `labels-1`, …, not weighted.
    pub terms: Vec<(String, f64)>,
}

impl Losses {
    fn add(&mut self, name: &str, weight: f64, value: Tensor<1>) {
        self.terms.push((name.to_owned(), f64::from(value.clone().inner().into_scalar::<f32>())));
        self.add_sum(value.mul_scalar(weight));
    }

    fn add_sum(&mut self, weighted: Tensor<1>) {
        self.sum = Some(match self.sum.take() {
            Some(sum) => sum + weighted,
            None => weighted,
        });
    }
}

/// Computes the losses of a batch.
pub fn losses(network: &Network, layout: &Layout, batch: &Batch, config: &TrainConfig, rng: &mut impl Rng) -> Losses {
    let mut found = Losses::default();
    let weights = &config.loss;
    let pairs = batch.classes.len();
    let negatives = negatives(&batch.classes, rng);

    // Features: sources, targets, warped sources, all at once.
    let use_warps = weights.uses_warps();
    let mut parts = vec![batch.features.clone().autodiff()];
    if use_warps {
        parts.push(batch.warped.clone().autodiff());
    }
    let layers = network.layers(layout, &FrozenFeatures::cat(&parts));
    let hyperpixel = network.hyperpixel(&layers);
    let source = |maps: &Tensor<4>| maps.clone().narrow(0, 0, pairs);
    let target = |maps: &Tensor<4>| maps.clone().narrow(0, pairs, pairs);

    // Image level.
    if weights.image > 0.0 {
        let deepest = layers[layers.len() - 1].clone().narrow(0, 0, 2 * pairs);
        let classes: Vec<usize> = batch.classes.iter().chain(&batch.classes).copied().collect();
        found.add("image", weights.image, image_loss(network.classifier.logits(deepest), &classes));
    }

    // Region level. Regions carry no gradient, their descriptors do.
    let (source_maps, target_maps) = (source(&hyperpixel), target(&hyperpixel));
    let mut prior = None;
    if weights.region > 0.0 {
        let regions = |maps: &Tensor<4>, masks: &Tensor<3>, rng: &mut _| {
            assign_regions(maps.clone().inner(), masks.clone(), &config.regions, rng).autodiff()
        };
        let source_regions = regions(&source_maps, &batch.source_masks, rng);
        let target_regions = regions(&target_maps, &batch.target_masks, rng);
        let source_descriptors = region_descriptors(source_maps.clone(), source_regions.clone());
        let target_descriptors = region_descriptors(target_maps.clone(), target_regions.clone());
        let scores = network.regions.forward(source_descriptors.clone(), target_descriptors.clone());
        let mut bags = vec![scores.bag.clone()];
        let mut positive = vec![true; pairs];
        if let Some((of, with)) = &negatives {
            let device = &source_maps.device();
            let of = Tensor::<1, Int>::from_ints(of.as_slice(), device);
            let with = Tensor::<1, Int>::from_ints(with.as_slice(), device);
            let negative =
                network.regions.forward(source_descriptors.select(0, of), target_descriptors.select(0, with));
            positive.extend(vec![false; negative.bag.dims()[0]]);
            bags.push(negative.bag);
        }
        found.add("region", weights.region, region_loss(Tensor::cat(bags, 0), &positive));
        prior = Some(cell_prior(source_regions, &scores, target_regions));
    }

    // Pixel level.
    if weights.pixel > 0.0
        && let Some((of, with)) = &negatives
    {
        let device = &source_maps.device();
        let of = Tensor::<1, Int>::from_ints(of.as_slice(), device);
        let with = Tensor::<1, Int>::from_ints(with.as_slice(), device);
        let affinity = CorrVolume::cosine(source_maps.clone(), target_maps.clone()).relu();
        let positive = match &prior {
            Some(prior) => pixel_volume(&affinity, prior.clone(), &config.pixel),
            None => soft_mutual(&affinity),
        };
        let masks = (batch.source_masks.clone().autodiff(), batch.target_masks.clone().autodiff());
        let positive_score = pixel_bag_score(&positive, masks.0.clone(), masks.1.clone(), &config.pixel);
        let negative =
            CorrVolume::cosine(source_maps.clone().select(0, of.clone()), target_maps.clone().select(0, with.clone()));
        let negative = soft_mutual(&negative.relu());
        let negative_score =
            pixel_bag_score(&negative, masks.0.select(0, of.clone()), masks.1.select(0, with), &config.pixel);
        let loss = pixel_loss(negative_score, positive_score.select(0, of), &config.pixel);
        found.add("pixel", weights.pixel, loss);
    }

    // What the features said before training, which teaches the first student and anchors the others' teachers.
    let frozen = network.hyperpixel(&batch.features.layers);
    let raw = CorrVolume::cosine(frozen.clone().narrow(0, 0, pairs), frozen.narrow(0, pairs, pairs)).relu();
    let mut teacher = match &prior {
        Some(prior) => pixel_volume(&raw, prior.clone().inner(), &config.pixel),
        None => soft_mutual(&raw),
    };

    // The students. Their losses read features, never a volume with a gradient.
    let student = &config.student;
    let scoring =
        StudentLossConfig { tau: student.temperature, sigma: student.target_sigma, voted_share: student.voted_share };
    let (sources, targets, warped) = (0..pairs, pairs..2 * pairs, 2 * pairs..3 * pairs);
    let stages = network.cascade.forward(hyperpixel);
    let last = stages.len();
    for (stage, maps) in (1..).zip(stages) {
        let own = (stage < last).then(|| CorrVolume::cosine(source(&maps).inner(), target(&maps).inner()));
        let mut losses = StageLosses::new(maps);
        let mut tell = |name: &str, value: f32| found.terms.push((format!("{name}-{stage}"), f64::from(value)));
        if weights.labels > 0.0 {
            let masks = (batch.source_masks.clone(), batch.target_masks.clone());
            let voted = if student.mirror {
                vote_either(&teacher, masks.0, masks.1, &config.vote).volume
            } else {
                vote(&teacher, masks.0, masks.1, &config.vote)
            };
            let forward = labels(&voted, batch.source_masks.clone(), &config.labels);
            let backward = labels(&voted.transpose(), batch.target_masks.clone(), &config.labels);
            let parts = [sources.clone(), targets.clone()];
            // The mean of both ways.
            let both = losses.student(0.5 * weights.labels, parts, &forward, &backward, Some(&voted), &scoring);
            tell("labels", 0.5 * both);
        }
        if weights.warp_supervision > 0.0 {
            let parts = [warped.clone(), sources.clone()];
            let value = losses.warp_supervision(weights.warp_supervision, parts, &batch.known, &config.warp_loss);
            tell("warp", value);
        }
        if weights.bipath > 0.0 {
            let parts = [warped.clone(), targets.clone(), sources.clone()];
            tell("bipath", losses.bipath(weights.bipath, parts, &batch.known, &config.warp_loss));
        }
        if weights.negative > 0.0
            && let Some((of, with)) = &negatives
        {
            let pairs: Vec<[usize; 2]> = of.iter().zip(with).map(|(of, with)| [*of as usize, *with as usize]).collect();
            let (parts, mask) = ([sources.clone(), targets.clone()], batch.source_masks.clone());
            let value = losses.negative(weights.negative, parts, mask, &pairs, student.negative_temperature);
            tell("negative", value);
        }
        found.add_sum(losses.sum());
        if let Some(own) = own {
            teacher = if student.anchored { anchored(&own, &raw) } else { own.relu() };
        }
    }
    found
}

/// For each pair of the batch that has one: itself, and a pair of another class.
fn negatives(classes: &[usize], rng: &mut impl Rng) -> Option<(Vec<i32>, Vec<i32>)> {
    let chosen = choose_negatives(classes, rng).into_iter().enumerate();
    let found: Vec<(i32, i32)> = chosen.filter_map(|(of, with)| Some((of as i32, with? as i32))).collect();
    (!found.is_empty()).then(|| found.into_iter().unzip())
}

//! One step of the cascade: a batch in, every loss out. Reads from image level to the last student.

use burn::tensor::{Int, Tensor};
use corr_volume::{CorrVolume, soft_mutual};
use mil_matching::{
    assign_regions, cell_prior, choose_negatives, image_loss, pixel_bag_score, pixel_loss, pixel_volume,
    region_descriptors, region_loss,
};
use rand::Rng;
use refine_cascade::{
    Labels, StudentLossConfig, anchored, bipath_loss_from_features, labels, negative_loss_from_features, student_loss,
    vote, vote_either, warp_supervision_from_features,
};

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

/// A named loss, already weighted, with its value before weighting kept for the log.
pub struct Term {
    /// As the log shows it: `image`, `region`, `pixel`, `labels-1`, …
    pub name: String,
    /// Its weight in the sum.
    pub weight: f64,
    /// `[1]`, not weighted.
    pub value: Tensor<1>,
}

/// Every loss of a batch that has a weight.
pub fn losses(
    network: &Network,
    layout: &Layout,
    batch: &Batch,
    config: &TrainConfig,
    rng: &mut impl Rng,
) -> Vec<Term> {
    let mut terms = Vec::new();
    let mut add = |name: String, weight: f64, value: Tensor<1>| terms.push(Term { name, weight, value });
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
    let warped = |maps: &Tensor<4>| maps.clone().narrow(0, 2 * pairs, pairs);

    // Image level.
    if weights.image > 0.0 {
        let deepest = layers[layers.len() - 1].clone().narrow(0, 0, 2 * pairs);
        let classes: Vec<usize> = batch.classes.iter().chain(&batch.classes).copied().collect();
        add("image".into(), weights.image, image_loss(network.classifier.logits(deepest), &classes));
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
        add("region".into(), weights.region, region_loss(Tensor::cat(bags, 0), &positive));
        prior = Some(cell_prior(source_regions, &scores, target_regions));
    }

    // Pixel level.
    let affinity = CorrVolume::cosine(source_maps.clone(), target_maps.clone()).relu();
    if weights.pixel > 0.0
        && let Some((of, with)) = &negatives
    {
        let device = &source_maps.device();
        let of = Tensor::<1, Int>::from_ints(of.as_slice(), device);
        let with = Tensor::<1, Int>::from_ints(with.as_slice(), device);
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
        add("pixel".into(), weights.pixel, loss);
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
    let stages = network.cascade.forward(hyperpixel);
    for (index, maps) in stages.iter().enumerate() {
        let stage = index + 1;
        let (source, target) = (source(maps), target(maps));
        if weights.labels > 0.0 {
            let masks = (batch.source_masks.clone(), batch.target_masks.clone());
            let voted = if student.mirror {
                vote_either(&teacher, masks.0, masks.1, &config.vote).volume
            } else {
                vote(&teacher, masks.0, masks.1, &config.vote)
            };
            let forward = labels(&voted, batch.source_masks.clone(), &config.labels);
            let backward = labels(&voted.transpose(), batch.target_masks.clone(), &config.labels);
            let loss = student_loss(source.clone(), target.clone(), &forward, &backward, Some(&voted), &scoring);
            add(format!("labels-{stage}"), weights.labels, loss.mul_scalar(0.5));
        }
        if use_warps {
            let warped = warped(maps);
            if weights.warp_supervision > 0.0 {
                let loss =
                    warp_supervision_from_features(warped.clone(), source.clone(), &batch.known, &config.warp_loss);
                add(format!("warp-{stage}"), weights.warp_supervision, loss);
            }
            if weights.bipath > 0.0 {
                let loss =
                    bipath_loss_from_features(warped, target.clone(), source.clone(), &batch.known, &config.warp_loss);
                add(format!("bipath-{stage}"), weights.bipath, loss);
            }
        }
        if weights.negative > 0.0
            && let Some((of, with)) = &negatives
        {
            let pairs: Vec<[usize; 2]> = of.iter().zip(with).map(|(of, with)| [*of as usize, *with as usize]).collect();
            let mask = batch.source_masks.clone();
            let loss =
                negative_loss_from_features(source.clone(), target.clone(), mask, &pairs, student.negative_temperature);
            add(format!("negative-{stage}"), weights.negative, loss);
        }
        if stage < stages.len() {
            let own = CorrVolume::cosine(source.inner(), target.inner());
            teacher = if student.anchored { anchored(&own, &raw) } else { own.relu() };
        }
    }
    terms
}

/// For each pair of the batch that has one: itself, and a pair of another class.
fn negatives(classes: &[usize], rng: &mut impl Rng) -> Option<(Vec<i32>, Vec<i32>)> {
    let chosen = choose_negatives(classes, rng).into_iter().enumerate();
    let found: Vec<(i32, i32)> = chosen.filter_map(|(of, with)| Some((of as i32, with? as i32))).collect();
    (!found.is_empty()).then(|| found.into_iter().unzip())
}

//! The operations that are timed. Each prepares its inputs and returns what is timed; those of the PyTorch script have
//! its names and shapes.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicUsize;

use anyhow::Result;
use burn::module::Module;
use burn::optim::{AdamWConfig, GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Tensor};
use corr_volume::{BackboneConfig, BackboneName, CorrVolume, DenseMatch, l2_normalise, soft_mutual};
use eval::{KeyPointImage, PairSelection, Protocol, score_pair};
use pseudo_label::{Calibrator, ConsistencyConfig};
use refine_cascade::{
    AdapterConfig, CascadeConfig, LabelConfig, Labels, StageLosses, StudentLossConfig, VoteConfig, labels, vote,
};
use sc_imagenet::ImageSource;
use sc_imagenet::drawn::{DrawnConfig, draw};

use super::inputs::{Inputs, SEED, upload};
use super::untrained::Untrained;
use crate::config::BackboneSection;
use crate::describe::Description;
use crate::label::{LabelSettings, Labeller, blocks};
use crate::score::match_points;

/// One run of an operation; it is called again and again.
pub type Run = Box<dyn FnMut() -> Result<()>>;

/// Something that is timed.
pub struct Operation {
    /// Its name, the script's where the script has it.
    pub name: &'static str,
    /// What it does.
    pub about: &'static str,
    /// Where the same in PyTorch is found, if anywhere.
    pub rival: Option<Rival>,
    /// How many of what one run handles, where the rate says more than the seconds.
    pub items: Option<(usize, &'static str)>,
    /// Draws the inputs, which is not timed.
    pub prepare: fn() -> Result<Run>,
}

/// A script with the same operation in PyTorch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rival {
    /// The one given with `--against-torch`.
    Given,
    /// The backbone's, which this program brings along.
    Backbone,
}

/// Every operation, in the order of tables.
pub const OPERATIONS: &[Operation] = &[
    Operation {
        name: "readout/20",
        about: "2 pairs, 20×20 cells, 256 channels: volume, mutual filter, points and confidences both ways",
        rival: Some(Rival::Given),
        items: None,
        prepare: || readout(2, 20),
    },
    Operation {
        name: "readout/32",
        about: "the same of 32×32 cells",
        rival: Some(Rival::Given),
        items: None,
        prepare: || readout(2, 32),
    },
    Operation {
        name: "readout/64",
        about: "the same of 1 pair, 64×64 cells",
        rival: Some(Rival::Given),
        items: None,
        prepare: || readout(1, 64),
    },
    Operation {
        name: "vote/20",
        about: "masked voting of 4 volumes of 20×20 cells a side",
        rival: Some(Rival::Given),
        items: None,
        prepare: || voting(4, 20),
    },
    Operation {
        name: "vote/32",
        about: "masked voting of 1 volume of 32×32 cells a side",
        rival: Some(Rival::Given),
        items: None,
        prepare: || voting(1, 32),
    },
    Operation {
        name: "student_step/20",
        about: "a training step of one student: 4 pairs, 20×20 cells, 304 channels, given labels",
        rival: Some(Rival::Given),
        items: None,
        prepare: student_step,
    },
    Operation {
        name: "cascade_step/20",
        about: "a training step of three students with online labels and negatives, same shapes",
        rival: Some(Rival::Given),
        items: None,
        prepare: cascade_step,
    },
    Operation {
        name: "backbone/320",
        about: "EfficientNet-Lite0, the default configuration's layers of 8 images of 320×320 pixels",
        rival: Some(Rival::Backbone),
        items: Some((8, "images")),
        prepare: backbone,
    },
    Operation {
        name: "match/320",
        about: "two JPEG files to 400 matched points, as `match` does it, masks included",
        rival: None,
        items: None,
        prepare: match_files,
    },
    Operation {
        name: "eval/pairs",
        about: "features in memory to scored key points, 32 pairs of 10 points",
        rival: None,
        items: Some((PAIRS, "pairs")),
        prepare: eval_pairs,
    },
    Operation {
        name: "label/images",
        about: "JPEG files to labels, as `label` does it: described, matched with 4 partners both ways, voted, judged",
        rival: None,
        items: Some((BLOCK, "images")),
        prepare: label_images,
    },
];

/// Channels of what is read out.
const READOUT_CHANNELS: usize = 256;
/// Channels of what is voted and learnt from.
const CHANNELS: usize = 304;
/// Pairs of a training step.
const BATCH: usize = 4;
/// Cells a side of a training step's grid.
const SIDE: usize = 20;
/// Temperature of the match distribution and of the negatives' margin.
const TEMPERATURE: f64 = 0.05;
/// Standard deviation of a label's Gaussian in cells.
const SIGMA: f64 = 1.0;
/// Pairs that are scored in one run.
const PAIRS: usize = 32;
/// Images that those pairs are drawn from.
const IMAGES: usize = 8;
/// Key points an image.
const KEY_POINTS: usize = 10;
/// Pixels a side of the images that are matched and scored.
const PIXELS: u32 = 480;
/// Images of the block that is labelled: enough for each to have all of its partners.
const BLOCK: usize = 8;

/// Volume, mutual filter, both directions' points and confidences, from features that are not yet of unit length.
pub fn readout(batch: usize, side: usize) -> Result<Run> {
    let mut inputs = Inputs::new();
    let source = inputs.features(batch, READOUT_CHANNELS, side);
    let target = inputs.features(batch, READOUT_CHANNELS, side);
    Ok(Box::new(move || {
        black_box(DenseMatch::default().read(l2_normalise(source.clone()), l2_normalise(target.clone())));
        Ok(())
    }))
}

fn voting(batch: usize, side: usize) -> Result<Run> {
    let mut inputs = Inputs::new();
    let features = [(); 2].map(|()| inputs.unit_features(batch, CHANNELS, side));
    let masks = [(); 2].map(|()| inputs.mask(batch, side));
    let volume = cosine(&features[0], &features[1]);
    Ok(Box::new(move || {
        black_box(vote(&volume, masks[0].clone(), masks[1].clone(), &vote_config()));
        Ok(())
    }))
}

fn student_step() -> Result<Run> {
    let mut inputs = Inputs::new();
    // Sources, then targets.
    let features = inputs.unit_features(2 * BATCH, CHANNELS, SIDE).autodiff();
    let points: Vec<f32> = inputs.points(BATCH * SIDE * SIDE, SIDE as f32 - 1.0).concat();
    let weights = inputs.mask(BATCH, SIDE).reshape([BATCH, SIDE * SIDE]);
    let labels = Labels { points: upload(points, [BATCH, SIDE * SIDE, 2]), weights };
    let mut student = AdapterConfig::new(CHANNELS, CHANNELS).init(&learning_device());
    let mut optimizer = optimizer();
    Ok(Box::new(move || {
        let mut losses = StageLosses::new(student.forward(features.clone()));
        losses.one_way(1.0, [0..BATCH, BATCH..2 * BATCH], &labels, None, &scoring());
        student = descend(&mut optimizer, student.clone(), losses.sum());
        Ok(())
    }))
}

fn cascade_step() -> Result<Run> {
    let mut inputs = Inputs::new();
    // Sources, targets and images of other classes.
    let features = inputs.unit_features(3 * BATCH, CHANNELS, SIDE);
    let masks = [(); 2].map(|()| inputs.mask(BATCH, SIDE));
    let everywhere = Tensor::<3>::ones([2 * BATCH, SIDE, SIDE], &Device::flex());
    let negatives: Vec<[usize; 2]> = (0..BATCH).map(|pair| [pair, BATCH + pair]).collect();
    let mut cascade = CascadeConfig::new(CHANNELS).with_stages(3).with_hidden(CHANNELS).init(&learning_device());
    let mut optimizer = optimizer();
    let part = |maps: &Tensor<4>, index: usize| maps.clone().narrow(0, index * BATCH, BATCH);
    Ok(Box::new(move || {
        let mut teacher = soft_mutual(&cosine(&part(&features, 0), &part(&features, 1)));
        let mut total = Tensor::<1>::zeros([1], &Device::flex()).autodiff();
        for maps in cascade.forward(features.clone().autodiff()) {
            let voted = vote(&teacher, masks[0].clone(), masks[1].clone(), &vote_config());
            let there = labels(&voted, masks[0].clone(), &LabelConfig::default());
            let back = labels(&voted.transpose(), masks[1].clone(), &LabelConfig::default());
            teacher = cosine(&part(&maps, 0).inner(), &part(&maps, 1).inner());
            let mut losses = StageLosses::new(maps);
            losses.student(1.0, [0..BATCH, BATCH..2 * BATCH], &there, &back, None, &scoring());
            // Sources before targets, targets before the others: pair i's negative is BATCH targets further on.
            let parts = [0..2 * BATCH, BATCH..3 * BATCH];
            losses.negative(1.0, parts, everywhere.clone(), &negatives, TEMPERATURE);
            total = total + losses.sum();
        }
        cascade = descend(&mut optimizer, cascade.clone(), total);
        Ok(())
    }))
}

fn backbone() -> Result<Run> {
    let device = Device::flex();
    device.seed(SEED);
    let backbone = BackboneConfig::new(BackboneName::EfficientNetLite0).init(&device);
    let layers = BackboneSection::default().layers;
    let images = Inputs::new().features(8, 3, 320);
    Ok(Box::new(move || {
        black_box(backbone.forward_from(images.clone(), 0, &layers));
        Ok(())
    }))
}

fn match_files() -> Result<Run> {
    let folder = tempfile::tempdir()?;
    let files = drawn_files(folder.path(), 2)?;
    let mut untrained = Untrained::new()?;
    Ok(Box::new(move || {
        let _files = &folder;
        black_box(untrained.match_files([&files[0], &files[1]], (PIXELS, PIXELS))?);
        Ok(())
    }))
}

fn eval_pairs() -> Result<Run> {
    let (mut inputs, mut untrained) = (Inputs::new(), Untrained::new()?);
    let (channels, side, method) = (untrained.channels(), untrained.grid().width, untrained.method());
    let images: Vec<KeyPointImage> = (0..IMAGES)
        .map(|index| KeyPointImage {
            path: PathBuf::from(format!("{index}.jpg")),
            class: "drawn".to_owned(),
            size: (PIXELS, PIXELS),
            key_points: inputs.points(KEY_POINTS, PIXELS as f32 - 1.0).into_iter().map(Some).collect(),
            object_box: None,
        })
        .collect();
    let stages = untrained.config.student.stages;
    let mut describe = |image: &KeyPointImage| {
        let raw = inputs.unit_features(1, channels, side);
        let stages = vec![raw.clone(); stages];
        (image.path.clone(), Description { raw, baselines: None, stages, mask: inputs.mask(1, side) })
    };
    let described: BTreeMap<PathBuf, Description> = images.iter().map(&mut describe).collect();
    let pairs = PairSelection { per_class: Some(PAIRS), seed: SEED }.pairs(&images);
    let protocol = Protocol::default();
    Ok(Box::new(move || {
        let describer = untrained.describer();
        for pair in &pairs {
            let source = (&described[&pair.source.path], pair.source.size);
            let target = (&described[&pair.target.path], pair.target.size);
            let (found, _) = match_points(&describer, source, target, &pair.source.points, method)?;
            black_box(score_pair(pair, &found, &protocol)?);
        }
        Ok(())
    }))
}

fn label_images() -> Result<Run> {
    let folder = tempfile::tempdir()?;
    drawn_files(&folder.path().join("drawn"), BLOCK)?;
    let source = ImageSource::open(folder.path(), &[])?;
    let matcher = Untrained::new()?.into_matcher();
    // Nothing is rejected: a network that has learnt nothing would be spared the choice of key points.
    let consistency = ConsistencyConfig {
        cycle: false,
        peaked: false,
        mask: false,
        partners: 0.0,
        least_cells: 1,
        least_blocks: 1,
        ..ConsistencyConfig::default()
    };
    let settings = LabelSettings { val_share: 0.0, consistency, ..LabelSettings::default() };
    let blocks = blocks(&source, &settings);
    Ok(Box::new(move || {
        let _files = &folder;
        let labeller = Labeller {
            source: &source,
            matcher: &matcher,
            settings: &settings,
            calibrator: &Calibrator::Uncalibrated,
            workers: rayon::current_num_threads(),
            described: &AtomicUsize::new(0),
        };
        for block in &blocks {
            black_box(labeller.label(block)?);
        }
        Ok(())
    }))
}

/// So many drawn objects of one class as JPEG files in a new folder.
fn drawn_files(folder: &Path, count: usize) -> Result<Vec<PathBuf>> {
    std::fs::create_dir_all(folder)?;
    let config = DrawnConfig { size: PIXELS, seed: SEED, ..DrawnConfig::default() };
    let save = |index: usize| {
        let path = folder.join(format!("{index}.jpg"));
        draw(0, index as u64, &config).image.save(&path)?;
        Ok(path)
    };
    (0..count).map(save).collect()
}

fn cosine(source: &Tensor<4>, target: &Tensor<4>) -> CorrVolume {
    CorrVolume::cosine(source.clone(), target.clone())
}

/// The script's voting.
fn vote_config() -> VoteConfig {
    VoteConfig { power: 3.0, radius: 3, ..VoteConfig::default() }
}

/// The script's losses.
fn scoring() -> StudentLossConfig {
    StudentLossConfig { tau: TEMPERATURE, sigma: SIGMA, voted_share: 0.0 }
}

fn learning_device() -> Device {
    let device = Device::flex();
    device.seed(SEED);
    device.autodiff()
}

/// PyTorch's AdamW.
fn optimizer() -> ModuleOptimizer {
    AdamWConfig::new().with_epsilon(1e-8).with_weight_decay(1e-2).init()
}

/// One step down the gradient of `loss`.
fn descend<M: Module>(optimizer: &mut ModuleOptimizer, module: M, loss: Tensor<1>) -> M {
    let gradients = GradientsParams::from_grads(loss.backward(), &module);
    optimizer.step(5e-4, module, gradients)
}

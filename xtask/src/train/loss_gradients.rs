//! What each loss teaches: every parameter of the groups that it is meant to teach has a gradient, and no other has one. And
//! what no loss depends on: the order of a batch's pairs.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Distribution, Int, Tensor};
use rand::TryRng;
use refine_cascade::Labels;

use super::batches::Batches;
use super::small_run::{generator, small_run};
use super::start::start;
use super::step::{Batch, Losses, losses};
use crate::config::{LossSection, TrainConfig, Tune};
use crate::foreground::Foregrounds;
use crate::images;
use crate::network::{FrozenFeatures, Layout, Network};
use crate::run_folder::RunFolder;

/// The groups of parameters: the blocks of the backbone that learn and those that do not, the classifier, the region
/// matcher's two streams, the students, and the hyperpixel's centre.
const GROUPS: [&str; 8] =
    ["tuned", "frozen", "classifier", "regions.choice", "regions.selection", "student 1", "student 2", "centre"];

/// A network away from its start, where what begins at zero would hide what is before it, and a shard of four pairs of two
/// classes or more.
struct Fixture {
    config: TrainConfig,
    network: Network,
    batch: Batch,
}

impl Fixture {
    fn new(tune: Tune, stages: usize) -> Fixture {
        let folder = tempfile::tempdir().unwrap();
        let mut config = small_run(folder.path(), 1);
        config.backbone.tune = tune;
        config.student.stages = stages;
        let run = RunFolder::create(&folder.path().join("run").to_string_lossy()).unwrap();
        let device = Device::flex().autodiff();
        let images = images::find(&config.data.folders, config.data.split, 2).unwrap();
        let start = start(&run, &config, &images, &config.data.folders, &device).unwrap();
        let mut network = start.network;
        let mut foregrounds = Foregrounds::new(network.classifier.valid(), &config.mask);
        let mut batches = Batches::new(&config, &images, &start.extractor);
        let batch = batches.shards(0, &images, &mut foregrounds).unwrap().remove(0).batch;
        network.cascade = network.cascade.map(&mut Shake);
        network.regions = network.regions.map(&mut Shake);
        let fixture = Fixture { config, network, batch };
        assert_eq!(fixture.batch.classes.len(), 4);
        assert!(fixture.batch.classes.iter().any(|class| *class != fixture.batch.classes[0]));
        fixture
    }

    fn losses(&self, batch: &Batch, weights: LossSection) -> Losses {
        let config = TrainConfig { loss: weights, ..self.config.clone() };
        losses(&self.network, &Layout::of(&config), batch, &config, &mut Constant)
    }

    /// The gradient of every parameter under these losses, by its path.
    fn gradients(&self, weights: LossSection) -> BTreeMap<String, Gradient> {
        let sum = self.losses(&self.batch, weights).sum.expect("a loss");
        let gradients = GradientsParams::from_grads(sum.backward(), &self.network);
        let mut collector = Collector { path: Vec::new(), gradients: &gradients, found: BTreeMap::new() };
        self.network.visit(&mut collector);
        collector.found
    }

    fn group_of(&self, path: &str) -> &'static str {
        let first_tuned = self.config.first_tuned().unwrap_or(usize::MAX);
        let block =
            path.strip_prefix("backbone.blocks.").and_then(|rest| rest.split('.').next()?.parse::<usize>().ok());
        match block {
            Some(block) if block >= first_tuned => "tuned",
            Some(_) => "frozen",
            None if path.starts_with("cascade.adapters.0") => "student 1",
            None if path.starts_with("cascade.adapters.1") => "student 2",
            None => GROUPS.into_iter().find(|group| path.starts_with(group)).unwrap_or_else(|| panic!("{path}")),
        }
    }

    /// Panics unless these losses teach these groups, every parameter of them that learns, and no others.
    fn check(&self, what: &str, weights: LossSection, taught: &[&str]) {
        let found = self.gradients(weights);
        let mut seen = BTreeSet::new();
        for (path, Gradient { length, learns }) in &found {
            let group = self.group_of(path);
            if taught.contains(&group) && *learns {
                seen.insert(group);
                assert!(length.is_finite() && *length > 1e-9, "{what} is to teach {path} ({group}): {length:e}");
            } else {
                assert_eq!(*length, 0.0, "{what} is not to teach {path} ({group})");
            }
        }
        assert_eq!(seen.len(), taught.len(), "{what} is to teach {taught:?}, there are {seen:?}");
    }
}

/// Moves every parameter a little.
struct Shake;

impl ModuleMapper for Shake {
    fn map_float<const D: usize>(&mut self, parameter: Param<Tensor<D>>) -> Param<Tensor<D>> {
        parameter.map(|value| {
            let noise = Tensor::random(value.dims(), Distribution::Normal(0.0, 0.05), &value.device());
            (value + noise).detach().require_grad()
        })
    }
}

/// What is kept of a parameter's gradient.
struct Gradient {
    length: f64,
    /// Whether the parameter learns at all: running statistics and the centre do not.
    learns: bool,
}

struct Collector<'a> {
    path: Vec<String>,
    gradients: &'a GradientsParams,
    found: BTreeMap<String, Gradient>,
}

impl ModuleVisitor for Collector<'_> {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
        let gradient = self.gradients.get::<D>(parameter.id);
        let length = gradient.map_or(0.0, |gradient| f64::from(gradient.square().sum().sqrt().into_scalar::<f32>()));
        self.found.insert(self.path.join("."), Gradient { length, learns: parameter.val().is_require_grad() });
    }
}

/// Draws the same number always: what is drawn for an image does not depend on its place in a batch.
struct Constant;

impl TryRng for Constant {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(u32::MAX / 3)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(u64::MAX / 3)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        bytes.fill(0x55);
        Ok(())
    }
}

const NOTHING: LossSection =
    LossSection { image: 0.0, region: 0.0, pixel: 0.0, labels: 0.0, warp_supervision: 0.0, bipath: 0.0, negative: 0.0 };

/// The losses of the students.
fn of_students() -> [(&'static str, LossSection); 4] {
    [
        ("labels", LossSection { labels: 1.0, ..NOTHING }),
        ("warp supervision", LossSection { warp_supervision: 1.0, ..NOTHING }),
        ("bipath", LossSection { bipath: 1.0, ..NOTHING }),
        ("negative", LossSection { negative: 1.0, ..NOTHING }),
    ]
}

#[test]
fn every_loss_teaches_what_it_is_meant_to_and_nothing_else() {
    let _generator = generator();
    let fixture = Fixture::new(Tune::Last(2), 2);
    fixture.check("image", LossSection { image: 1.0, ..NOTHING }, &["tuned", "classifier"]);
    let region = LossSection { region: 1.0, ..NOTHING };
    fixture.check("region", region, &["tuned", "regions.choice", "regions.selection"]);
    fixture.check("pixel", LossSection { pixel: 1.0, ..NOTHING }, &["tuned"]);
    // Where there are regions, their scores are the prior of the pixel level, which teaches them by it.
    let by_prior = |pixel: f64| fixture.gradients(LossSection { region: 1.0, pixel, ..NOTHING });
    let (without, with) = (by_prior(0.0), by_prior(100.0));
    for (path, Gradient { length, .. }) in without.iter().filter(|(path, _)| path.starts_with("regions")) {
        let with = with[path].length;
        assert!((with - length).abs() > 1e-3 * length, "{path}: {length} of regions, {with} with pixels");
    }
    for (what, weights) in of_students() {
        fixture.check(what, weights, &["tuned", "student 1", "student 2"]);
    }
}

#[test]
fn a_students_losses_reach_it_without_a_student_after_it() {
    let _generator = generator();
    let fixture = Fixture::new(Tune::Last(2), 1);
    for (what, weights) in of_students() {
        fixture.check(what, weights, &["tuned", "student 1"]);
    }
}

#[test]
fn where_the_backbone_is_frozen_no_loss_teaches_it() {
    let _generator = generator();
    let fixture = Fixture::new(Tune::Frozen, 2);
    fixture.check("image", LossSection { image: 1.0, ..NOTHING }, &["classifier"]);
    let region = LossSection { region: 1.0, ..NOTHING };
    fixture.check("region", region, &["regions.choice", "regions.selection"]);
    for (what, weights) in of_students() {
        fixture.check(what, weights, &["student 1", "student 2"]);
    }
}

fn picked(features: &FrozenFeatures, images: &Tensor<1, Int>) -> FrozenFeatures {
    let pick = |maps: &Tensor<4>| maps.clone().select(0, images.clone());
    FrozenFeatures {
        tuned_input: features.tuned_input.as_ref().map(pick),
        layers: features.layers.iter().map(pick).collect(),
    }
}

/// The pairs of these places, in this order; their images exchanged if `exchange`.
fn arranged(batch: &Batch, places: &[usize], exchange: bool) -> Batch {
    let device = batch.source_masks.device();
    let ints = |places: &[usize]| {
        let places: Vec<i32> = places.iter().map(|place| *place as i32).collect();
        Tensor::<1, Int>::from_ints(places.as_slice(), &device)
    };
    let targets: Vec<usize> = places.iter().map(|place| place + batch.classes.len()).collect();
    let ends = if exchange { [&targets[..], places] } else { [places, &targets[..]] };
    let pairs = ints(places);
    let masks = [&batch.source_masks, &batch.target_masks].map(|masks| masks.clone().select(0, pairs.clone()));
    let [source_masks, target_masks] = if exchange { [masks[1].clone(), masks[0].clone()] } else { masks };
    Batch {
        features: picked(&batch.features, &ints(&ends.concat())),
        warped: picked(&batch.warped, &pairs),
        known: Labels {
            points: batch.known.points.clone().select(0, pairs.clone()),
            weights: batch.known.weights.clone().select(0, pairs),
        },
        source_masks,
        target_masks,
        classes: places.iter().map(|place| batch.classes[*place]).collect(),
    }
}

/// Panics unless the terms of these losses whose name `chosen` takes are those of the others, to rounding.
fn assert_same_terms(one: &Losses, other: &Losses, chosen: impl Fn(&str) -> bool, least: usize) {
    let terms = |losses: &Losses| losses.terms.iter().filter(|(name, _)| chosen(name)).cloned().collect::<Vec<_>>();
    let (one, other) = (terms(one), terms(other));
    assert!(one.len() >= least && one.len() == other.len(), "{one:?} and {other:?}");
    for ((name, a), (other_name, b)) in one.iter().zip(&other) {
        assert!(name == other_name && (a - b).abs() <= 2e-5 * a.abs().max(0.1), "{name} is {a}, {other_name} {b}");
    }
}

#[test]
fn losses_do_not_depend_on_the_order_of_pairs() {
    let _generator = generator();
    let fixture = Fixture::new(Tune::Last(2), 2);
    let found = |places: &[usize]| fixture.losses(&arranged(&fixture.batch, places, false), LossSection::default());
    // Which pair of another class is drawn as the negative depends on the order: here on all that has none.
    let without_negatives = |name: &str| !["region", "pixel"].contains(&name) && !name.starts_with("negative");
    let in_order = found(&[0, 1, 2, 3]);
    for places in [[1, 0, 3, 2], [3, 2, 1, 0], [2, 0, 3, 1]] {
        assert_same_terms(&in_order, &found(&places), without_negatives, 7);
    }
    // And on every loss, of pairs of which all of another class are the same one.
    let other = (1..4).find(|place| fixture.batch.classes[*place] != fixture.batch.classes[0]).expect("another class");
    let twice = found(&[0, other, 0, other]);
    let sum = |losses: &Losses| f64::from(losses.sum.clone().expect("a sum").inner().into_scalar::<f32>());
    for places in [[0, 0, other, other], [other, other, 0, 0], [other, 0, 0, other]] {
        let moved = found(&places);
        assert_same_terms(&twice, &moved, |_| true, 11);
        assert!((sum(&twice) - sum(&moved)).abs() <= 2e-5 * sum(&twice).abs(), "{} and {}", sum(&twice), sum(&moved));
    }
    // The order is not all that it does not depend on: a loss is a mean over pairs.
    assert_same_terms(&twice, &found(&[other, 0]), |_| true, 11);
}

#[test]
fn the_loss_of_labels_does_not_depend_on_which_image_is_the_source() {
    let _generator = generator();
    let fixture = Fixture::new(Tune::Last(2), 2);
    // Without regions, whose scores ask the target for an answer to the source.
    let labels = || LossSection { labels: 1.0, ..NOTHING };
    let found = |exchange: bool| fixture.losses(&arranged(&fixture.batch, &[0, 1, 2, 3], exchange), labels());
    assert_same_terms(&found(false), &found(true), |_| true, 2);
}

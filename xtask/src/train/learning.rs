//! That the cascade learns: on drawn objects its last stage, voted, finds more key points than the features that it began with,
//! voted and read in the same way. What voting gives, both have.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use burn::module::Module;
use burn::tensor::Device;
use eval::{KeyPointPair, PairSelection, Protocol, Split, read_willow, score_pair, write_key_points};
use sc_imagenet::drawn::{DrawnConfig, class_names, draw};

use super::session::Session;
use super::small_run::generator;
use super::start::load_start;
use crate::config::{
    BackboneSection, ClassifierSection, DataSection, LossSection, StudentSection, TrainConfig, TrainSection, Tune,
};
use crate::describe::{Describer, Description, Method};
use crate::foreground::Foregrounds;
use crate::network::Network;
use crate::run_folder::RunFolder;
use crate::score::match_points;

const STAGES: usize = 2;

fn tmp(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

/// Draws images of a few classes with their key points into `folder/data`, and the configuration of a run on half of them.
fn drawn_run(folder: &Path) -> TrainConfig {
    let data = folder.join("data");
    let drawn = DrawnConfig {
        size: tmp("SIZE", 64) as u32,
        clutter: tmp("CLUTTER", 0),
        occluders: tmp("OCCLUDERS", 0),
        variation: tmp("VARIATION", 30) as f32 / 100.0,
        rotation: tmp("ROTATION", 8) as f32,
        lighting: tmp("LIGHTING", 10) as f32 / 100.0,
        grain: tmp("GRAIN", 1) as f32 / 100.0,
        ..crate::drawn::config().drawn
    };
    for (class, name) in class_names().iter().enumerate().take(tmp("CLASSES", 4)) {
        std::fs::create_dir_all(data.join(name)).unwrap();
        for index in 0..tmp("IMAGES", 40) as u64 {
            let path = data.join(name).join(format!("{index:02}.png"));
            let drawn = draw(class, index, &drawn);
            drawn.image.save(&path).unwrap();
            write_key_points(&path.with_extension("mat"), &drawn.key_points).unwrap();
        }
    }
    let base = crate::drawn::config();
    let folders = vec![data.to_string_lossy().into_owned()];
    TrainConfig {
        data: DataSection { folders, ..base.data },
        backbone: BackboneSection { input: tmp("SIZE", 64), cache_mib: 0, ..base.backbone },
        classifier: ClassifierSection { steps: tmp("CLASSIFIER", 150), batch: 16, ..base.classifier },
        student: StudentSection { stages: STAGES, hidden: 48, ..base.student },
        train: TrainSection {
            steps: tmp("STEPS", 40),
            learning_rate: tmp("RATE", 5) as f64 * 1e-4,
            seed: tmp("SEED", 0) as u64,
            warm_up: 5,
            validate_every: 0,
            ..base.train
        },
        ..base
    }
}

/// The share of key points, in percent, that are right at .10: of the network's last stage, voted, and of the features before
/// training, voted alike.
fn found(run: &RunFolder, config: &TrainConfig, network: &Network) -> [f64; 2] {
    let start = load_start(run, config, &Device::flex()).unwrap();
    let mut foregrounds = Foregrounds::new(start.network.classifier.valid(), &config.mask);
    let mut describer = Describer::new(&start.extractor, &mut foregrounds, network, config);
    let images = read_willow(Path::new(&config.data.folders[0]), Split::Val).unwrap().images;
    let pairs = PairSelection { per_class: Some(40), seed: 0 }.pairs(&images);
    let mut described: BTreeMap<PathBuf, Description> = BTreeMap::new();
    for image in pairs.iter().flat_map(|pair| [&pair.source.path, &pair.target.path]) {
        if !described.contains_key(image) {
            described.insert(image.clone(), describer.describe(image, None).unwrap());
        }
    }
    [Method::StageVoted(STAGES), Method::RawSmoothed].map(|method| share_found(&describer, &described, &pairs, method))
}

fn share_found(
    describer: &Describer,
    described: &BTreeMap<PathBuf, Description>,
    pairs: &[KeyPointPair],
    method: Method,
) -> f64 {
    let protocol = Protocol::default().with_alphas(&[0.10]);
    let (mut right, mut asked) = (0, 0);
    for pair in pairs {
        let [source, target] = [&pair.source, &pair.target].map(|image| (&described[&image.path], image.size));
        let (points, _) = match_points(describer, source, target, &pair.source.points, method).unwrap();
        let score = score_pair(pair, &points, &protocol).unwrap();
        (right, asked) = (right + score.correct[0], asked + score.points);
    }
    100.0 * right as f64 / asked as f64
}

#[test]
fn the_last_stage_finds_more_than_the_features_it_began_with() {
    let _generator = generator();
    let folder = tempfile::tempdir().unwrap();
    let config = drawn_run(folder.path());
    let run = |name: &str| RunFolder::create(&folder.path().join(name).to_string_lossy()).unwrap();
    let start = "start.ckpt";
    let first = run("first");
    let began = std::time::Instant::now();
    drop(Session::open(first.clone(), config.clone(), Device::flex(), false).unwrap());
    println!("start {:?}", began.elapsed());
    let labels = LossSection {
        image: 0.0,
        region: 0.0,
        pixel: 0.0,
        labels: 1.0,
        warp_supervision: 0.0,
        bipath: 0.0,
        negative: 0.0,
    };
    let arms = [
        ("all", config.backbone.tune, config.loss.clone()),
        ("labels", Tune::Frozen, labels.clone()),
        ("warps", Tune::Frozen, LossSection { labels: 0.0, warp_supervision: 1.0, bipath: 1.0, ..labels.clone() }),
        ("all, frozen", Tune::Frozen, config.loss.clone()),
    ];
    for (name, tune, loss) in arms {
        if std::env::var("ARM").is_ok_and(|arm| arm != name) {
            continue;
        }
        let mut config = config.clone();
        config.backbone.tune = tune;
        config.loss = loss;
        let run = run(name);
        std::fs::copy(first.checkpoints().join(start), run.checkpoints().join(start)).unwrap();
        let began = std::time::Instant::now();
        let mut session = Session::open(run.clone(), config.clone(), Device::flex(), false).unwrap();
        for _ in 0..config.train.steps {
            session.step().unwrap();
        }
        let trained = began.elapsed();
        let [taught, untaught] = found(&run, &config, session.network());
        println!("{name}: {taught:.1}, raw smoothed {untaught:.1}; {trained:?}, {:?}", began.elapsed());
    }
}

//! A run of seconds for the tests of sessions: nine drawn images of three classes, a small backbone, nothing cached. A shard
//! has four pairs of two classes or more, so that no loss is left out.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use eval::Split;
use sc_imagenet::drawn::{DrawnConfig, class_names, draw};

use crate::config::{BackboneSection, ClassifierSection, DataSection, StudentSection, TrainConfig, TrainSection};

/// Draws the images into `folder/data/<class>/{0,1,2}.png`, and the configuration of a run on them.
pub fn small_run(folder: &Path, steps: usize) -> TrainConfig {
    let data = folder.join("data");
    for (class, name) in class_names().iter().enumerate().take(3) {
        std::fs::create_dir_all(data.join(name)).unwrap();
        for index in 0..3 {
            let drawn = draw(class, index, &DrawnConfig { size: 64, ..DrawnConfig::default() });
            drawn.image.save(data.join(name).join(format!("{index}.png"))).unwrap();
        }
    }
    let folders = vec![data.to_string_lossy().into_owned()];
    let mut config = TrainConfig {
        data: DataSection { folders, split: Split::All, ..DataSection::default() },
        backbone: BackboneSection { input: 64, cache_mib: 0, ..crate::drawn::config().backbone },
        classifier: ClassifierSection { steps: 2, batch: 8, ..ClassifierSection::default() },
        student: StudentSection { stages: 2, hidden: 8, ..StudentSection::default() },
        train: TrainSection { steps, pairs: 8, warm_up: 1, validate_every: 0, ..TrainSection::default() },
        ..TrainConfig::default()
    };
    config.mask.map.scales = vec![1.0];
    config
}

/// To be held by every test that draws parameters: the tensor backend has one generator for the whole process, and what
/// another test draws in between would be missing here.
pub fn generator() -> MutexGuard<'static, ()> {
    static GENERATOR: Mutex<()> = Mutex::new(());
    GENERATOR.lock().unwrap_or_else(PoisonError::into_inner)
}

//! The embedded default: a data set of drawn objects on disk, and the configuration that learns from it.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use corr_volume::BackboneName;
use eval::{Split, write_key_points};
use refine_cascade::WarpConfig;
use sc_imagenet::drawn::{DrawnConfig, class_names, draw};

use crate::cache_folder::{cache_folder, cache_subfolder};
use crate::config::{BackboneSection, ClassifierSection, DataSection, StudentSection, TrainConfig, TrainSection, Tune};
use crate::short_hash::short_hash;
use crate::{atomic, progress};

/// The configuration of `cargo xtask train` without arguments: objects that six small convolutions can learn to tell apart
/// within minutes, and warps of about the range in which the objects differ.
pub fn config() -> TrainConfig {
    TrainConfig {
        data: DataSection {
            split: Split::Train,
            validation_split: Split::Val,
            validation_pairs: 40,
            ..DataSection::default()
        },
        drawn: DrawnConfig {
            size: 96,
            images_per_class: 240,
            rotation: 12.0,
            clutter: 2,
            occluders: 1,
            variation: 0.6,
            span: [0.8, 0.95],
            ..DrawnConfig::default()
        },
        backbone: BackboneSection {
            name: BackboneName::Small,
            input: 96,
            layers: vec![3, 5],
            tune: Tune::Last(2),
            ..BackboneSection::default()
        },
        classifier: ClassifierSection { steps: 400, batch: 32, learning_rate: 2e-3, ..ClassifierSection::default() },
        student: StudentSection { hidden: 96, ..StudentSection::default() },
        warp: WarpConfig { rotation: 12.0, scale: [0.8, 1.25], shear: 0.1, translation: 0.1, ..WarpConfig::default() },
        train: TrainSection { steps: 200, pairs: 8, ..TrainSection::default() },
        ..TrainConfig::default()
    }
}

/// Whether a configuration learns from drawn objects.
pub fn is_drawn(config: &TrainConfig) -> bool {
    config.data.folders.is_empty()
}

/// The folders to learn from: those of the configuration, or that of drawn objects, drawn if it is not there.
///
/// # Errors
///
/// A configuration out of range, a disk that is full.
pub fn folders(config: &TrainConfig) -> Result<Vec<String>> {
    if !is_drawn(config) {
        return Ok(config.data.folders.clone());
    }
    let cache = cache_folder();
    if cache.to_str().is_none() {
        bail!("the cache folder {} is not valid UTF-8; set SCORR_CACHE to one that is", cache.display());
    }
    Ok(vec![write(&config.drawn)?.to_string_lossy().into_owned()])
}

/// Draws a data set in WILLOW's layout into the cache folder, once.
fn write(config: &DrawnConfig) -> Result<PathBuf> {
    config.check().map_err(|complaint| anyhow!(complaint))?;
    let setting = format!("{} {}", env!("CARGO_PKG_VERSION"), serde_json::to_string(config)?);
    let name = short_hash(setting.as_bytes());
    let folder = cache_folder().join("drawn").join(&name);
    let complete = folder.join(".complete");
    if complete.exists() {
        return Ok(folder);
    }
    let folder = cache_subfolder("drawn")?.join(name);
    let classes = class_names();
    let bar = progress::count(classes.len() * config.images_per_class as usize, "drawing objects");
    for (class, name) in classes.iter().enumerate() {
        let class_folder = folder.join(name);
        std::fs::create_dir_all(&class_folder).with_context(|| format!("cannot create {}", class_folder.display()))?;
        for index in 0..config.images_per_class {
            write_image(&class_folder.join(format!("{index:05}.png")), class, index, config)?;
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    atomic::write(&complete, setting.as_bytes())?;
    Ok(folder)
}

fn write_image(path: &Path, class: usize, index: u64, config: &DrawnConfig) -> Result<()> {
    let drawn = draw(class, index, config);
    drawn.image.save(path).with_context(|| format!("cannot write {}", path.display()))?;
    write_key_points(&path.with_extension("mat"), &drawn.key_points)?;
    Ok(())
}

//! The label-free criterion by which the best checkpoint is chosen: cycle consistency on training pairs.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Result;
use burn::tensor::Tensor;
use sc_imagenet::{ImageSet, PairSampler};

use crate::describe::{Describer, Method};

/// How many pairs are looked at.
const PAIRS: usize = 40;
/// Distinguishes this sample's seed from the training pairs'.
const SALT: u64 = 0x6379_636c_6573;

/// The mask-weighted share of source cells that come back to within one cell of where they started, after being matched
/// forwards and then backwards by the last student, over a fixed sample of training pairs. In 0..=1.
///
/// # Errors
///
/// Images that cannot be decoded.
pub fn cycle_consistency(describer: &mut Describer, images: &ImageSet, seed: u64) -> Result<f64> {
    let labels = images.labels();
    let stages = describer.config.student.stages;
    let mut total = 0.0;
    let pairs = PairSampler::new(&labels, seed ^ SALT).epoch(0);
    let pairs = &pairs[..PAIRS.min(pairs.len())];
    let files: BTreeSet<&Path> =
        pairs.iter().flat_map(|pair| [pair.source, pair.target]).map(|image| &*images.images()[image].path).collect();
    describer.prepare(files.iter().copied())?;
    for pair in pairs {
        let (source, target) = (&images.images()[pair.source], &images.images()[pair.target]);
        let source = describer.describe(&source.path, Some(source.class))?;
        let target = describer.describe(&target.path, Some(target.class))?;
        let (volume, readout) = describer.volume(&source, &target, Method::Stage(stages));
        let there = readout.read_cells(&volume).points;
        let back = readout.read(&volume.transpose(), there).points;
        let cells = volume.source().cells();
        let start = volume.source().points(&back.device()).reshape([1, cells, 2]);
        let distance = (back - start).square().sum_dim(2).reshape([1, cells]);
        let closed: Tensor<2> = distance.lower_equal_scalar(1.0).float();
        let mask = source.mask.reshape([1, cells]);
        let share = (closed * mask.clone()).sum() / mask.sum().clamp_min(1e-6);
        total += f64::from(share.into_scalar::<f32>());
    }
    Ok(total / pairs.len().max(1) as f64)
}

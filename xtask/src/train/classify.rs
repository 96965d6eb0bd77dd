//! Before the cascade: the classifier learns the folders' labels, and with it the backbone where it has no weights.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Result, bail};
use burn::module::Module;
use burn::optim::{AdamWConfig, GradientsParams};
use burn::tensor::{Device, Tensor, TensorData};
use corr_volume::BatchNormMode;
use eval::matcher::learning_rate_share;
use mil_matching::{image_loss, predicted_classes};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use refine_cascade::{Padding, Warp, WarpConfig, warp_images};
use sc_imagenet::ImageSet;
use tracing::info;

use crate::ahead::in_order;
use crate::config::TrainConfig;
use crate::device::host;
use crate::images::{Extractor, input_of};
use crate::network::Network;
use crate::progress;
use crate::train::start::paths;

/// Trains the linear classifier on the pooled features of a pretrained, frozen backbone.
///
/// # Errors
///
/// Images that cannot be decoded; a loss that is not finite (the step is named).
pub fn train_head(
    mut network: Network,
    extractor: &Arc<Extractor>,
    images: &ImageSet,
    config: &TrainConfig,
) -> Result<Network> {
    let mut pooled = Vec::with_capacity(images.len());
    for frozen in extractor.each_frozen(paths(images).map(Path::to_owned)) {
        let frozen = frozen?;
        let deepest = frozen.layers[frozen.layers.len() - 1].clone();
        let [_, channels, height, width] = deepest.dims();
        pooled.push(deepest.reshape([1, channels, height * width, 1]).mean_dim(2));
    }
    let pooled = Tensor::cat(pooled, 0);
    let section = &config.classifier;
    let mut optimizer = AdamWConfig::new().with_epsilon(1e-8).with_weight_decay(section.weight_decay).init();
    let labels = images.labels();
    for step in 0..section.steps {
        let batch = batch(&labels, config, step);
        let (features, classes) =
            (gather(&pooled, &batch), batch.iter().map(|&image| labels[image]).collect::<Vec<_>>());
        let loss = image_loss(network.classifier.logits(features.autodiff()), &classes);
        check_finite(&loss, step)?;
        let gradients = GradientsParams::from_grads(loss.backward(), &network.classifier);
        let rate = section.learning_rate * learning_rate_share(step, 0, section.steps);
        network.classifier = optimizer.step(rate, network.classifier, gradients);
    }
    let found = predicted_classes(network.classifier.valid().logits(pooled));
    let right = found.iter().zip(&labels).filter(|(a, b)| a == b).count();
    info!("classifier: {:.1} % of the training images right", 100.0 * right as f64 / labels.len() as f64);
    Ok(network)
}

/// Trains backbone and classifier from scratch on warped images.
///
/// # Errors
///
/// Images that cannot be decoded; a loss that is not finite (the step is named).
pub fn train_from_scratch(
    mut network: Network,
    images: &ImageSet,
    config: &TrainConfig,
    device: &Device,
) -> Result<Network> {
    network.backbone = network.backbone.with_batch_norm(BatchNormMode::Training);
    let section = &config.classifier;
    let adam = AdamWConfig::new().with_epsilon(1e-8).with_weight_decay(section.weight_decay);
    let (mut backbone_optimizer, mut head_optimizer) = (adam.init(), adam.init());
    let labels = images.labels();
    let normalisation = network.backbone.normalisation();
    let side = config.backbone.input;
    let warp = WarpConfig { tps: 0.0, ..config.warp.clone() };
    let plain = device.clone().inner();
    // One job an image, in the order of the steps: all randomness is drawn here.
    let jobs = (0..section.steps).flat_map(|step| {
        let mut rng = step_rng(config.train.seed, step as u64);
        let batch = batch(&labels, config, step).into_iter();
        let warped: Vec<(usize, Warp)> = batch.map(|image| (image, Warp::sample(&warp, &mut rng))).collect();
        warped.into_iter().map(|(image, warp)| {
            let path = images.images()[image].path.clone();
            move || -> Result<TensorData> {
                let input = input_of(&path, side, &normalisation, &host())?;
                Ok(warp_images(input, &[warp], Padding::Mean).into_data())
            }
        })
    });
    let window = section.batch * (1 + config.data.ahead);
    let mut inputs = in_order(config.data.threads(), window, jobs);
    let (mut recent, mut right) = (0.0, 0.0);
    let bar = progress::steps(section.steps, 0);
    for step in 0..section.steps {
        let batch = batch(&labels, config, step);
        let inputs = inputs
            .by_ref()
            .take(batch.len())
            .map(|input: Result<TensorData>| Ok(Tensor::from_data(input?, &plain)))
            .collect::<Result<Vec<Tensor<4>>>>()?;
        let inputs = Tensor::cat(inputs, 0).autodiff();
        let classes: Vec<usize> = batch.iter().map(|&image| labels[image]).collect();
        let deepest = network.backbone.forward_from(inputs, 0, &[config.deepest()]).remove(0);
        let logits = network.classifier.logits(deepest);
        let found = predicted_classes(logits.clone().inner());
        let loss = image_loss(logits, &classes);
        let value = check_finite(&loss, step)?;
        let mut gradients = loss.backward();
        let rate = section.learning_rate * learning_rate_share(step, config.train.warm_up, section.steps);
        let of_head = GradientsParams::from_module(&mut gradients, &network.classifier);
        let of_backbone = GradientsParams::from_module(&mut gradients, &network.backbone);
        network.classifier = head_optimizer.step(rate, network.classifier, of_head);
        network.backbone = backbone_optimizer.step(rate, network.backbone, of_backbone);
        let share = found.iter().zip(&classes).filter(|(a, b)| a == b).count() as f64 / classes.len() as f64;
        let keep = if step == 0 { 0.0 } else { 0.95 };
        recent = keep * recent + (1.0 - keep) * value;
        right = keep * right + (1.0 - keep) * share;
        bar.set_message(format!("class loss {recent:.3}, {:.0} % right", 100.0 * right));
        bar.inc(1);
    }
    bar.finish_and_clear();
    info!("classifier: loss {recent:.3}, {:.1} % of the last training images right", 100.0 * right);
    network.backbone = network.backbone.with_batch_norm(BatchNormMode::Frozen);
    Ok(network)
}

/// The generator of a step: a pure function of the run's seed and the step.
pub fn step_rng(seed: u64, step: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(step + 1);
    rng
}

/// The images of a step: epochs are shuffles, a pure function of seed and epoch.
fn batch(labels: &[usize], config: &TrainConfig, step: usize) -> Vec<usize> {
    let size = config.classifier.batch.min(labels.len());
    let per_epoch = labels.len() / size;
    let mut order: Vec<usize> = (0..labels.len()).collect();
    order.shuffle(&mut ChaCha8Rng::seed_from_u64(config.train.seed ^ ((step / per_epoch) as u64) << 32));
    order[step % per_epoch * size..][..size].to_vec()
}

fn gather(pooled: &Tensor<4>, images: &[usize]) -> Tensor<4> {
    let indices: Vec<i32> = images.iter().map(|&image| image as i32).collect();
    pooled.clone().select(0, Tensor::from_ints(indices.as_slice(), &pooled.device()))
}

fn check_finite(loss: &Tensor<1>, step: usize) -> Result<f64> {
    let value = f64::from(loss.clone().inner().into_scalar::<f32>());
    if !value.is_finite() {
        bail!(
            "the class loss is {value} at step {step} of the classifier; lower classifier.learning_rate, or look at the \
             images of that step"
        );
    }
    Ok(value)
}

//! The loop of a run: data, losses, gradients, steps, and what is written down of them.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use burn::grad_clipping::GradientClippingConfig;
use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::{AdamWConfig, GradientsParams, ModuleOptimizer};
use burn::tensor::{Bytes, Device, Tensor};
use eval::matcher::learning_rate_share;
use sc_imagenet::ImageSet;
use tracing::{debug, info};

use crate::checkpoint::{Checkpoint, RunState};
use crate::config::TrainConfig;
use crate::foreground::Foregrounds;
use crate::images::{self, Extractor};
use crate::network::{Layout, Network};
use crate::progress::{self, ToldSteps};
use crate::run_folder::RunFolder;
use crate::train::batches::Batches;
use crate::train::export::export;
use crate::train::gradients::gradients;
use crate::train::start::{network_of, paths, start};
use crate::train::validate::Validation;

/// Everything that a run in progress holds.
pub struct Session {
    run: RunFolder,
    config: TrainConfig,
    device: Device,
    images: ImageSet,
    batches: Batches,
    layout: Layout,
    network: Network,
    backbone_optimizer: ModuleOptimizer,
    head_optimizer: ModuleOptimizer,
    extractor: Arc<Extractor>,
    foregrounds: Foregrounds,
    validation: Validation,
    state: RunState,
}

/// What a step says of itself.
pub struct StepReport {
    /// The weighted sum of all losses.
    pub loss: f64,
    /// Images of pairs a second.
    pub images_per_second: f64,
}

impl Session {
    /// Prepares a run: finds the images, makes or loads the start, or loads the last checkpoint. Nothing is written before all
    /// data are read and the start is made.
    ///
    /// # Errors
    ///
    /// Bad data, weights, checkpoints or disk; other images than those that a run to resume was begun with.
    pub fn open(run: RunFolder, config: TrainConfig, device: Device, resume: bool) -> Result<Session> {
        let folders = crate::drawn::folders(&config)?;
        let images = images::find(&folders, config.data.split, 2)?;
        images.require_classes(2)?;
        let validation = Validation::find(&config, &folders)?;
        let device = device.autodiff();
        let start = start(&run, &config, &images, &folders, &device)?;
        if start.state.classes != images.classes() {
            bail!(
                "the run was started with the classes {}, the data now has {}",
                start.state.classes.join(", "),
                images.classes().join(", ")
            );
        }
        let mut clipped = AdamWConfig::new().with_epsilon(1e-8).with_weight_decay(config.train.weight_decay);
        if config.train.gradient_norm > 0.0 {
            clipped = clipped.with_grad_clipping(Some(GradientClippingConfig::Norm(config.train.gradient_norm)));
        }
        let mut session = Session {
            batches: Batches::new(&config, &images, &start.extractor),
            layout: Layout::of(&config),
            backbone_optimizer: clipped.init(),
            head_optimizer: clipped.init(),
            foregrounds: Foregrounds::new(start.network.classifier.valid(), &config.mask),
            validation,
            network: for_training(start.network, &config),
            extractor: start.extractor,
            state: start.state,
            run,
            config,
            device,
            images,
        };
        let last = session.last();
        if resume && last.exists() {
            session.load(&last)?;
            info!("resumed at step {}", session.state.step);
        }
        session.run.rewind(session.state.step)?;
        session.extractor.prepare(paths(&session.images), std::iter::empty())?;
        Ok(session)
    }

    /// Runs to the end and prints the table of scores.
    ///
    /// # Errors
    ///
    /// A loss that is not finite, images that vanish, a full disk.
    pub fn run(mut self) -> Result<()> {
        let steps = self.config.train.steps;
        let bar = progress::steps(steps, self.state.step);
        let mut told = ToldSteps::new(steps, self.state.step);
        if self.state.step == 0 || self.state.step >= steps {
            self.validate()?;
        }
        while self.state.step < steps {
            let StepReport { loss, images_per_second } = self.step()?;
            let message = format!("loss {loss:.3}, {images_per_second:.1} images/s");
            let done = self.state.step;
            if bar.is_hidden() {
                told.at(done, &message);
            }
            bar.set_message(message);
            bar.inc(1);
            let due = |every: usize| every > 0 && done.is_multiple_of(every);
            if due(self.config.train.validate_every) || done == steps {
                bar.suspend(|| self.validate())?;
            }
            if due(self.config.train.checkpoint_every) || done == steps {
                let path = self.last();
                self.save(&path, true)?;
            }
        }
        if !self.last().exists() {
            // Of no steps.
            let path = self.last();
            self.save(&path, true)?;
        }
        bar.finish_and_clear();
        info!("{steps} steps done in {:.0} s, parameters {}", told.seconds(), self.network.digest());
        self.finish()
    }

    /// The network as it is now.
    #[cfg(test)]
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// One step: new parameters, and a line in the metrics.
    pub fn step(&mut self) -> Result<StepReport> {
        let began = Instant::now();
        let step = self.state.step;
        let shards = self.batches.shards(step, &self.images, &mut self.foregrounds)?;
        let data = began.elapsed();
        let computed = gradients(&self.network, &self.layout, shards, &self.config, &self.device).with_context(|| {
            format!(
                "step {step} failed; the last checkpoint is kept. Lower train.learning_rate, or switch losses off with \
                 --set loss.…=0 to find the cause"
            )
        })?;
        let differentiated = began.elapsed();
        let share = learning_rate_share(step, self.config.train.warm_up, self.config.train.steps);
        let rates = (self.config.train.backbone_learning_rate * share, self.config.train.learning_rate * share);
        let mut all = computed.gradients;
        let of_backbone = split_off(&mut all, &self.network.backbone);
        self.network.backbone = self.backbone_optimizer.step(rates.0, self.network.backbone.clone(), of_backbone);
        self.network = self.head_optimizer.step(rates.1, self.network.clone(), all);
        self.state.step += 1;
        let total = began.elapsed();
        debug!(
            "step {step}: {:.3} s waiting for data, {:.3} s gradients, {:.3} s optimiser",
            data.as_secs_f64(),
            (differentiated - data).as_secs_f64(),
            (total - differentiated).as_secs_f64()
        );
        let seconds = total.as_secs_f64();
        let images = 2.0 * self.config.train.pairs as f64 / seconds;
        self.run.append_metrics(&serde_json::json!({
            "step": self.state.step, "loss": computed.loss, "losses": computed.terms, "learning_rate": rates.1,
            "images_per_second": images, "seconds": seconds, "data_seconds": data.as_secs_f64(),
        }))?;
        Ok(StepReport { loss: computed.loss, images_per_second: images })
    }

    /// Scores the network, and keeps it if the label-free criterion says that it is the best so far.
    fn validate(&mut self) -> Result<()> {
        let consistency = self.validation.report(
            &self.run,
            &self.state,
            &self.extractor,
            &mut self.foregrounds,
            &self.network,
            &self.config,
            &self.images,
        )?;
        if self.state.step > 0 && self.state.best.is_none_or(|(best, _)| consistency > best) {
            self.state.best = Some((consistency, self.state.step));
            let path = self.run.checkpoints().join("best.ckpt");
            self.save(&path, false)?;
        }
        Ok(())
    }

    fn finish(mut self) -> Result<()> {
        export(&self.run, &self.network, &self.config)?;
        self.validation.table(&self.run, &self.state)?;
        if let Some((consistency, step)) = self.state.best
            && step != self.state.step
        {
            info!("the most cycle-consistent checkpoint is that of step {step} ({:.1} %):", 100.0 * consistency);
            let best = Checkpoint::load_to_use(&self.run.checkpoints().join("best.ckpt"))?;
            let network = network_of(best.network, &best.state, &self.config, &self.device)?;
            self.validation.report(
                &self.run,
                &best.state,
                &self.extractor,
                &mut self.foregrounds,
                &network,
                &self.config,
                &self.images,
            )?;
        }
        Ok(())
    }

    fn last(&self) -> std::path::PathBuf {
        self.run.checkpoints().join("last.ckpt")
    }

    fn save(&mut self, path: &Path, resumable: bool) -> Result<()> {
        self.state.parameters = self.network.digest();
        let mut optimizers = Vec::new();
        if resumable {
            for optimizer in [&self.backbone_optimizer, &self.head_optimizer] {
                optimizers.push(optimizer.into_bytes()?.to_vec());
            }
        }
        Checkpoint { state: self.state.clone(), network: self.network.to_bytes()?, optimizers }.save(path)?;
        self.run.has_checkpoint()
    }

    fn load(&mut self, path: &Path) -> Result<()> {
        let checkpoint = Checkpoint::load(path)?;
        self.network =
            for_training(network_of(checkpoint.network, &checkpoint.state, &self.config, &self.device)?, &self.config);
        let [backbone, head] = &checkpoint.optimizers[..] else {
            bail!("{} has no optimiser states and cannot be resumed from", path.display());
        };
        let bytes = |bytes: &Vec<u8>| Bytes::from_bytes_vec(bytes.clone());
        self.backbone_optimizer = self.backbone_optimizer.clone().from_bytes(bytes(backbone))?;
        self.head_optimizer = self.head_optimizer.clone().from_bytes(bytes(head))?;
        self.state = checkpoint.state;
        Ok(())
    }
}

/// The network with those parts frozen that the configuration says do not learn.
fn for_training(mut network: Network, config: &TrainConfig) -> Network {
    if !config.backbone.tune_depthwise {
        network.backbone = network.backbone.with_frozen_depthwise();
    }
    network
}

/// Takes the gradients of a part of the network out of those of the whole.
fn split_off(all: &mut GradientsParams, part: &impl Module) -> GradientsParams {
    struct Mover<'a> {
        from: &'a mut GradientsParams,
        to: GradientsParams,
    }
    impl ModuleVisitor for Mover<'_> {
        fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
            if let Some(gradient) = self.from.remove::<D>(parameter.id) {
                self.to.register(parameter.id, gradient);
            }
        }
    }
    let mut mover = Mover { from: all, to: GradientsParams::new() };
    part.visit(&mut mover);
    mover.to
}

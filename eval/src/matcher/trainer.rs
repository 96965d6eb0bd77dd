//! Steps of training, whichever matcher it is.

use burn::grad_clipping::GradientClippingConfig;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{AdamConfig, AdamWConfig, GradientsParams, ModuleOptimizer, SgdConfig};
use burn::store::ModuleRecord;
use burn::tensor::{Bytes, Device, Tensor};
use serde::{Deserialize, Serialize};

use super::{KeyPointBatch, PointsInCells, TrainableMatcher, learning_rate_share};

/// How steps follow from gradients.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Optimiser {
    /// Adam.
    Adam,
    /// Adam with decoupled weight decay.
    AdamW,
    /// Stochastic gradient descent with momentum.
    Sgd,
}

/// How a matcher is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainerConfig {
    /// How steps follow from gradients.
    pub optimiser: Optimiser,
    /// Of AdamW: the decay, times the learning rate.
    pub weight_decay: f64,
    /// Of SGD: the share of the last step that is in the next.
    pub momentum: f64,
    /// The learning rate after warming up; half a cosine takes it down to a twentieth.
    pub learning_rate: f64,
    /// Steps in all.
    pub steps: usize,
    /// Of these, how many at the beginning have a rate that rises in equal parts.
    pub warm_up: usize,
    /// Gradients longer than this are shortened to it; 0: they are not.
    pub gradient_norm: f64,
}

impl Default for TrainerConfig {
    fn default() -> Self {
        Self {
            optimiser: Optimiser::AdamW,
            weight_decay: 0.05,
            momentum: 0.9,
            learning_rate: 1e-3,
            steps: 200,
            warm_up: 10,
            gradient_norm: 1.0,
        }
    }
}

/// One pair to learn from.
#[derive(Clone, Debug)]
pub struct Sample {
    /// A map `[1, c_l, h_l, w_l]` of each block of the source image.
    pub source: Vec<Tensor<4>>,
    /// The same of the target image.
    pub target: Vec<Tensor<4>>,
    /// Their key points.
    pub points: PointsInCells,
}

/// A matcher in training.
#[derive(Clone)]
pub struct Trainer<M> {
    matcher: M,
    optimiser: ModuleOptimizer,
    config: TrainerConfig,
    step: usize,
    device: Device,
}

/// A loss that is no number.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("the loss of step {step} is {loss}; lower the learning rate, or set a gradient norm")]
pub struct NonFiniteLoss {
    /// The step, counted from 0.
    pub step: usize,
    /// Its loss.
    pub loss: f32,
}

/// A state that cannot be written or read.
#[derive(Debug, thiserror::Error)]
#[error("the state of a matcher in training is of another matcher, or damaged: {0}")]
pub struct TrainerStateError(String);

/// All that training needs to go on as if it had never been interrupted, besides the samples.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainerState {
    /// Steps done.
    pub step: usize,
    /// The matcher's parameters.
    pub matcher: Vec<u8>,
    /// The optimiser's.
    pub optimiser: Vec<u8>,
}

impl<M: TrainableMatcher> Trainer<M> {
    /// Begins to train `matcher` on `device`.
    pub fn new(matcher: M, config: TrainerConfig, device: &Device) -> Self {
        let device = device.clone().autodiff();
        let clipping =
            (config.gradient_norm > 0.0).then_some(GradientClippingConfig::Norm(config.gradient_norm as f32));
        let optimiser = match config.optimiser {
            Optimiser::Adam => AdamConfig::new().with_epsilon(1e-8).with_grad_clipping(clipping).init(),
            Optimiser::AdamW => AdamWConfig::new()
                .with_epsilon(1e-8)
                .with_weight_decay(config.weight_decay as f32)
                .with_grad_clipping(clipping)
                .init(),
            Optimiser::Sgd => {
                let momentum = MomentumConfig::new().with_momentum(config.momentum).with_dampening(0.0);
                SgdConfig::new().with_momentum(Some(momentum)).with_gradient_clipping(clipping).init()
            }
        };
        let matcher = matcher.fork(&device).train();
        Self { matcher, optimiser, config, step: 0, device }
    }

    /// Learns from some pairs at once, whose maps are of the same sizes; their mean loss before the step.
    ///
    /// # Errors
    ///
    /// [`NonFiniteLoss`]; the matcher is as it was then.
    ///
    /// # Panics
    ///
    /// If there is no sample, or one without a key point.
    pub fn step(&mut self, samples: &[Sample]) -> Result<f64, NonFiniteLoss> {
        let points: Vec<&PointsInCells> = samples.iter().map(|sample| &sample.points).collect();
        let points = KeyPointBatch::new(&points, &self.device);
        let maps = |of: fn(&Sample) -> &Vec<Tensor<4>>| -> Vec<Tensor<4>> {
            (0..of(&samples[0]).len())
                .map(|layer| Tensor::cat(samples.iter().map(|sample| of(sample)[layer].clone().inner()).collect(), 0))
                .map(Tensor::autodiff)
                .collect()
        };
        let (source, target) = (maps(|sample| &sample.source), maps(|sample| &sample.target));
        let loss = self.matcher.loss(&source, &target, &points, self.step as u64);
        let value = loss.clone().inner().into_scalar::<f32>();
        if !value.is_finite() {
            return Err(NonFiniteLoss { step: self.step, loss: value });
        }
        let gradients = GradientsParams::from_grads(loss.backward(), &self.matcher);
        let rate = self.config.learning_rate * learning_rate_share(self.step, self.config.warm_up, self.config.steps);
        self.matcher = self.optimiser.step(rate, self.matcher.clone(), gradients);
        self.step += 1;
        Ok(f64::from(value))
    }

    /// Steps done.
    pub fn steps_done(&self) -> usize {
        self.step
    }

    /// Whether all steps of the configuration are done.
    pub fn is_done(&self) -> bool {
        self.step >= self.config.steps
    }

    /// The matcher as it is now, to be used.
    pub fn matcher(&self) -> M {
        self.matcher.valid()
    }

    /// What is needed to go on.
    ///
    /// # Errors
    ///
    /// Never for a matcher in memory.
    pub fn state(&self) -> Result<TrainerState, TrainerStateError> {
        Ok(TrainerState {
            step: self.step,
            matcher: parameters(&self.matcher)?,
            optimiser: self.optimiser.into_bytes().map_err(|error| TrainerStateError(error.to_string()))?.to_vec(),
        })
    }

    /// Goes on from a state of the same matcher and configuration.
    ///
    /// # Errors
    ///
    /// A state that is another matcher's, or damaged.
    pub fn with_state(mut self, state: &TrainerState) -> Result<Self, TrainerStateError> {
        self.matcher = with_parameters(self.matcher, &state.matcher)?;
        let optimiser = self.optimiser.from_bytes(Bytes::from_bytes_vec(state.optimiser.clone()));
        self.optimiser = optimiser.map_err(|error| TrainerStateError(error.to_string()))?;
        self.step = state.step;
        Ok(self)
    }
}

/// A module's parameters as bytes.
///
/// # Errors
///
/// Never for a module in memory.
pub fn parameters<M: burn::module::Module>(module: &M) -> Result<Vec<u8>, TrainerStateError> {
    // `valid` flushes running statistics, which are written late.
    let bytes = module.valid().into_record().into_bytes().map_err(|error| TrainerStateError(error.to_string()))?;
    Ok(bytes.to_vec())
}

/// The module with the parameters that [`parameters`] gave.
///
/// # Errors
///
/// Bytes that are another module's, or damaged.
pub fn with_parameters<M: burn::module::Module>(module: M, bytes: &[u8]) -> Result<M, TrainerStateError> {
    ModuleRecord::from_bytes(Bytes::from_bytes_vec(bytes.to_vec()))
        .and_then(|record| module.try_load_record(record))
        .map_err(|error| TrainerStateError(error.to_string()))
}

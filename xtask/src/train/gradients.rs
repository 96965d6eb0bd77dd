//! The gradients of a step, computed shard by shard on threads of their own.
//!
//! Most tensor operations of the CPU backend use one core. A step's pairs are therefore dealt into shards, each with its
//! own graph, and the shards' gradients are summed in a fixed order: the result depends on the number of shards, which
//! the configuration sets, and not on the number of cores.

use anyhow::{Context, Result, bail};
use burn::module::Module;
use burn::optim::{GradientsAccumulator, GradientsParams};
use burn::tensor::Device;
use rand_chacha::ChaCha8Rng;

use crate::config::TrainConfig;
use crate::network::{Layout, Network};
use crate::train::step::{Batch, losses};

/// What a step computed.
pub struct StepGradients {
    /// The gradient of the mean loss of the shards.
    pub gradients: GradientsParams,
    /// That loss.
    pub loss: f64,
    /// The mean of every term over the shards that have it, not weighted.
    pub terms: serde_json::Map<String, serde_json::Value>,
}

/// One shard: its pairs, and its randomness.
pub struct Shard {
    /// The pairs.
    pub batch: Batch,
    /// What draws regions and negatives.
    pub rng: ChaCha8Rng,
}

struct ShardOutcome {
    gradients: GradientsParams,
    loss: f64,
    terms: Vec<(String, f64)>,
}

/// Computes every loss of the shards and the gradient of their mean.
///
/// # Errors
///
/// A loss that is not finite, which is named; no loss with a weight.
pub fn gradients(
    network: &Network,
    layout: &Layout,
    shards: Vec<Shard>,
    config: &TrainConfig,
    device: &Device,
) -> Result<StepGradients> {
    let share = 1.0 / shards.len() as f64;
    let one = |shard: Shard| {
        // A fork has a graph of its own.
        let fork = if share < 1.0 { network.clone().fork(device) } else { network.clone() };
        of_shard(&fork, layout, shard, config, share)
    };
    let outcomes: Vec<Result<ShardOutcome>> = if share < 1.0 {
        std::thread::scope(|scope| {
            let threads: Vec<_> = shards.into_iter().map(|shard| scope.spawn(|| one(shard))).collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
                .collect()
        })
    } else {
        shards.into_iter().map(one).collect()
    };
    let mut accumulator = GradientsAccumulator::new();
    let mut loss = 0.0;
    let mut sums: Vec<(String, f64, f64)> = Vec::new();
    for outcome in outcomes {
        let outcome = outcome?;
        accumulator.accumulate(network, outcome.gradients);
        loss += outcome.loss;
        for (name, value) in outcome.terms {
            match sums.iter_mut().find(|(known, ..)| *known == name) {
                Some((_, sum, count)) => (*sum, *count) = (*sum + value, *count + 1.0),
                None => sums.push((name, value, 1.0)),
            }
        }
    }
    let terms = sums.into_iter().map(|(name, sum, count)| (name, (sum / count).into())).collect();
    Ok(StepGradients { gradients: accumulator.grads(), loss, terms })
}

fn of_shard(
    network: &Network,
    layout: &Layout,
    mut shard: Shard,
    config: &TrainConfig,
    share: f64,
) -> Result<ShardOutcome> {
    let losses = losses(network, layout, &shard.batch, config, &mut shard.rng);
    if let Some((name, value)) = losses.terms.iter().find(|(_, value)| !value.is_finite()) {
        bail!("the loss `{name}` is {value}");
    }
    let sum = losses.sum.filter(|_| !losses.terms.is_empty());
    let total = sum.context("no loss has a weight above 0: there is nothing to learn")?.mul_scalar(share);
    let loss = f64::from(total.clone().inner().into_scalar::<f32>());
    Ok(ShardOutcome { gradients: GradientsParams::from_grads(total.backward(), network), loss, terms: losses.terms })
}

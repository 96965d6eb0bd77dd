//! The batches of a run's steps: planned from the seed and the step alone, fetched ahead on threads, put together in order.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use anyhow::{Context, Result};
use burn::tensor::Tensor;
use corr_volume::Grid;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use refine_cascade::{Warp, warp_targets};
use sc_imagenet::{ImageSet, PairSampler, TrainPair};

use crate::ahead::Ahead;
use crate::config::TrainConfig;
use crate::foreground::Foregrounds;
use crate::images::{Asked, Extractor, Fetched, View};
use crate::network::FrozenFeatures;
use crate::train::classify::step_rng;
use crate::train::gradients::Shard;
use crate::train::step::Batch;

/// Distinguishes the steps' generators from the classifier's.
const STEP_STREAM: u64 = 1 << 40;
/// The seed of the fixed warps, which are the same for every run so that their features can be kept.
const WARP_SEED: u64 = 0x7761_7270;

/// Makes the batches of one step after the other, while earlier steps compute those of the next.
///
/// Everything random is drawn when a step is planned, from generators of the seed and the step; what threads do depends
/// on the plan alone. A step's batches are therefore the same whether they were made ahead or not, and whatever was in the
/// cache.
pub struct Batches {
    config: TrainConfig,
    extractor: Arc<Extractor>,
    sampler: PairSampler,
    /// The latest epoch and its pairs, so that not every step draws them anew.
    epoch: (usize, Vec<TrainPair>),
    ahead: Ahead<Result<Fetched>>,
    /// Steps whose images have been asked for, in order.
    planned: VecDeque<(usize, Vec<ShardPlan>)>,
    /// Images whose masks' features have been asked for. A mask is made once.
    masks_asked: HashSet<usize>,
}

/// What a shard's batch is made of.
struct ShardPlan {
    pairs: Vec<TrainPair>,
    /// The sources and then the targets.
    images: Vec<ImagePlan>,
    /// A warp of each source, and the question for its features.
    warped: Vec<(Warp, Asked)>,
    /// What draws regions and negatives in the step.
    rng: ChaCha8Rng,
}

struct ImagePlan {
    image: usize,
    view: View,
    /// Whether the features that make its mask are fetched too.
    mask: bool,
}

impl Batches {
    /// The batches of a run on `images`.
    ///
    /// # Panics
    ///
    /// As [`PairSampler::new`].
    pub fn new(config: &TrainConfig, images: &ImageSet, extractor: &Arc<Extractor>) -> Batches {
        Batches {
            sampler: PairSampler::new(&images.labels(), config.train.seed),
            ahead: Ahead::new(extractor.threads),
            config: config.clone(),
            extractor: Arc::clone(extractor),
            epoch: (0, Vec::new()),
            planned: VecDeque::new(),
            masks_asked: HashSet::new(),
        }
    }

    /// The shards of a step; those of the next steps are begun first. Steps are to be asked for in order, from any.
    ///
    /// # Errors
    ///
    /// An image of this step that cannot be read or decoded, a cache that cannot be written.
    pub fn shards(&mut self, step: usize, images: &ImageSet, foregrounds: &mut Foregrounds) -> Result<Vec<Shard>> {
        let last = (step + self.config.data.ahead).min(self.config.train.steps.saturating_sub(1)).max(step);
        for next in self.planned.back().map_or(step, |(planned, _)| planned + 1)..=last {
            let plan = self.plan(next, images, foregrounds);
            self.ask(&plan, images, foregrounds);
            self.planned.push_back((next, plan));
        }
        let (planned, shards) = self.planned.pop_front().context("no step is planned")?;
        assert_eq!(planned, step, "steps are asked for in order");
        shards
            .into_iter()
            .map(|plan| Ok(Shard { batch: self.batch(&plan, images, foregrounds)?, rng: plan.rng }))
            .collect()
    }

    /// Draws everything random of a step's data.
    fn plan(&mut self, step: usize, images: &ImageSet, foregrounds: &Foregrounds) -> Vec<ShardPlan> {
        let pairs = self.pairs(step);
        let train = &self.config.train;
        let shard_size = pairs.len().div_ceil(train.shards.min(pairs.len()));
        let mut shards = Vec::new();
        for (index, pairs) in pairs.chunks(shard_size).enumerate() {
            let mut rng = step_rng(train.seed, STEP_STREAM + ((step as u64) << 8) + index as u64);
            // A share of the pairs is seen mirrored, both images alike.
            let views: Vec<View> = pairs
                .iter()
                .map(|_| if rng.random_bool(train.mirrored) { View::Mirrored } else { View::AsIs })
                .collect();
            let warped = views.iter().map(|&view| self.warp(view, &mut rng)).collect();
            let ends = pairs.iter().map(|pair| pair.source).chain(pairs.iter().map(|pair| pair.target));
            let mut of_images = Vec::new();
            for (image, &view) in ends.zip(views.iter().cycle()) {
                let file = &images.images()[image];
                let mask = self.config.mask.training
                    && foregrounds.made(&file.path, Some(file.class)).is_none()
                    && self.masks_asked.insert(image);
                of_images.push(ImagePlan { image, view, mask });
            }
            shards.push(ShardPlan { pairs: pairs.to_vec(), images: of_images, warped, rng });
        }
        shards
    }

    fn pairs(&mut self, step: usize) -> Vec<TrainPair> {
        let (size, per_epoch) = (self.config.train.pairs, self.sampler.pairs_per_epoch());
        let of = |index: usize| {
            let epoch = index / per_epoch;
            if self.epoch.0 != epoch || self.epoch.1.is_empty() {
                self.epoch = (epoch, self.sampler.epoch(epoch as u64));
            }
            self.epoch.1[index % per_epoch]
        };
        (step * size..(step + 1) * size).map(of).collect()
    }

    /// A random warp, and the question for the features of an image under it: those of a fresh warp are not kept, those of
    /// the run's fixed warps are.
    fn warp(&self, view: View, rng: &mut ChaCha8Rng) -> (Warp, Asked) {
        let (warp, name) = match self.config.train.fixed_warps {
            0 => (Warp::sample(&self.config.warp, rng), None),
            count => {
                let number = rng.random_range(0..count);
                let warp = Warp::sample(&self.config.warp, &mut step_rng(WARP_SEED, number as u64));
                (warp, Some(format!("warp {number} of {:?}", self.config.warp)))
            }
        };
        (warp.clone(), Asked::Warped { view, warp, name })
    }

    /// Asks for all that [`Batches::batch`] takes, in the order in which it takes it.
    fn ask(&mut self, shards: &[ShardPlan], images: &ImageSet, foregrounds: &Foregrounds) {
        let mut ask = |image: usize, asked: Asked| {
            let (extractor, path) = (Arc::clone(&self.extractor), images.images()[image].path.clone());
            self.ahead.push(move || extractor.fetch(&path, &asked));
        };
        for shard in shards {
            for ImagePlan { image, view, mask } in &shard.images {
                ask(*image, Asked::Frozen(*view));
                if *mask {
                    if *view != View::AsIs {
                        ask(*image, Asked::Frozen(View::AsIs));
                    }
                    for &scale in foregrounds.scales().iter().filter(|&&scale| scale != 1.0) {
                        ask(*image, self.extractor.at_scale(scale));
                    }
                }
            }
            if self.config.loss.uses_warps() {
                for (pair, (_, asked)) in shard.pairs.iter().zip(&shard.warped) {
                    ask(pair.source, asked.clone());
                }
            }
        }
    }

    /// Puts a shard's batch together.
    fn batch(&mut self, plan: &ShardPlan, images: &ImageSet, foregrounds: &mut Foregrounds) -> Result<Batch> {
        let extractor = Arc::clone(&self.extractor);
        let grid = extractor.layout.grid(&extractor.backbone);
        let mut features = Vec::new();
        let mut masks = Vec::new();
        for of in &plan.images {
            let of_view = self.features(of.image, &Asked::Frozen(of.view), images)?;
            masks.push(of.view.of(self.mask(of, &of_view, grid, images, foregrounds)?));
            features.push(of_view);
        }
        let mut warped = Vec::new();
        if self.config.loss.uses_warps() {
            for (pair, (_, asked)) in plan.pairs.iter().zip(&plan.warped) {
                warped.push(self.features(pair.source, asked, images)?);
            }
        }
        let warps: Vec<Warp> = plan.warped.iter().map(|(warp, _)| warp.clone()).collect();
        let target_masks = masks.split_off(plan.pairs.len());
        Ok(Batch {
            features: FrozenFeatures::cat(&features),
            warped: FrozenFeatures::cat(&warped),
            known: warp_targets(&warps, grid, extractor.device()),
            source_masks: Tensor::cat(masks, 0),
            target_masks: Tensor::cat(target_masks, 0),
            classes: plan.pairs.iter().map(|pair| images.images()[pair.source].class).collect(),
        })
    }

    /// The mask of an image, not mirrored: made before, or made of what was fetched for it.
    fn mask(
        &mut self,
        of: &ImagePlan,
        of_view: &FrozenFeatures,
        grid: Grid,
        images: &ImageSet,
        foregrounds: &mut Foregrounds,
    ) -> Result<Tensor<3>> {
        let file = &images.images()[of.image];
        if !self.config.mask.training {
            return Ok(Tensor::ones([1, grid.height, grid.width], self.extractor.device()));
        }
        if !of.mask {
            return foregrounds.made(&file.path, Some(file.class)).context("a mask was not asked for");
        }
        let as_is = match of.view {
            View::AsIs => of_view.clone(),
            View::Mirrored => self.features(of.image, &Asked::Frozen(View::AsIs), images)?,
        };
        let mut at_scales = VecDeque::new();
        for &scale in foregrounds.scales().iter().filter(|&&scale| scale != 1.0) {
            let asked = self.extractor.at_scale(scale);
            let fetched = self.fetched()?;
            at_scales.push_back(self.extractor.deepest(&file.path, fetched, &asked)?);
        }
        let deepest = &as_is.layers[as_is.layers.len() - 1];
        foregrounds.of_scales(&file.path, Some(file.class), deepest, grid, |_| {
            at_scales.pop_front().context("a scale of a mask was not asked for")
        })
    }

    fn features(&mut self, image: usize, asked: &Asked, images: &ImageSet) -> Result<FrozenFeatures> {
        let fetched = self.fetched()?;
        self.extractor.features(&images.images()[image].path, fetched, asked)
    }

    fn fetched(&mut self) -> Result<Fetched> {
        self.ahead.take().context("more is taken than was asked for")?
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use crate::run_folder::RunFolder;
    use crate::train::session::Session;
    use crate::train::small_run::{generator, small_run};

    const STEPS: usize = 6;

    /// A session on images of its own, and where those are.
    fn session(ahead: usize, fixed_warps: usize) -> (tempfile::TempDir, Session) {
        let folder = tempfile::tempdir().unwrap();
        let mut config = small_run(folder.path(), STEPS);
        config.data.ahead = ahead;
        config.train.fixed_warps = fixed_warps;
        config.mask.map.scales = vec![1.0, 1.5];
        let run = RunFolder::create(&folder.path().join("run").to_string_lossy()).unwrap();
        let session = Session::open(run, config, Device::flex(), false).unwrap();
        (folder, session)
    }

    #[test]
    fn steps_are_the_same_whatever_runs_ahead() {
        let _generator = generator();
        let losses = |ahead: usize| {
            let (_folder, mut session) = session(ahead, 0);
            (0..STEPS).map(|_| session.step().unwrap().loss.to_bits()).collect::<Vec<_>>()
        };
        let in_turn = losses(0);
        assert_eq!(in_turn, losses(1));
        assert_eq!(in_turn, losses(STEPS + 1));
    }

    #[test]
    fn an_image_that_goes_bad_stops_the_run_by_name_at_the_step_that_needs_it() {
        let _generator = generator();
        let ended = [0, 2].map(|ahead| {
            let (folder, mut session) = session(ahead, 8);
            let class =
                std::fs::read_dir(folder.path().join("data")).unwrap().flatten().map(|class| class.path()).min();
            let path = class.unwrap().join("1.png");
            std::fs::write(&path, b"no picture any more").unwrap();
            let mut steps = 0;
            let error = loop {
                match session.step() {
                    Ok(_) => steps += 1,
                    Err(error) => break format!("{error:#}"),
                }
            };
            let message = error.replace(&*path.to_string_lossy(), "PATH");
            assert!(message.starts_with("PATH: is not an image"), "{message}");
            (steps, message)
        });
        assert_eq!(ended[0], ended[1]);
    }
}

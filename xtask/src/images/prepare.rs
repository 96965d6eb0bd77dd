//! The features of many images, one after the other, with the images decoded ahead of the network.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Result;
use tracing::info;

use super::{Asked, Extractor, Fetched, View};
use crate::ahead::in_order;
use crate::network::FrozenFeatures;
use crate::progress::Counted;

/// How many images a device that is not the host is given at once.
const BATCH: usize = 8;

impl Extractor {
    /// Fills the cache with what the frozen blocks say of images, and with their deepest block's output at further
    /// scales, showing how far it is. Without a cache there is nothing to do, and once it is full no more is done.
    ///
    /// On the host every thread takes an image and runs the network on it; elsewhere threads decode, and the network
    /// runs on batches of 8.
    ///
    /// # Errors
    ///
    /// As [`Extractor::frozen`].
    pub fn prepare<'a>(
        self: &Arc<Self>,
        paths: impl Iterator<Item = &'a Path> + Clone,
        scales: impl Iterator<Item = f64>,
    ) -> Result<()> {
        let Some(cache) = &self.cache else { return Ok(()) };
        let mut questions = vec![Asked::Frozen(View::AsIs)];
        questions.extend(scales.filter(|&scale| scale != 1.0).map(|scale| self.at_scale(scale)));
        let mut shown = Counted::new("frozen features", paths.clone().count() * questions.len());
        let mut made = 0;
        for asked in questions {
            let jobs = paths.clone().map(|path| {
                let (extractor, path, asked) = (Arc::clone(self), path.to_owned(), asked.clone());
                move || extractor.fetch_missing(&path, &asked)
            });
            let mut fetched = in_order(self.threads, 2 * BATCH, jobs);
            loop {
                let batch = fetched.by_ref().take(BATCH).collect::<Result<Vec<Option<Fetched>>>>()?;
                if batch.is_empty() {
                    break;
                }
                shown.add(batch.len());
                made += batch.iter().flatten().count();
                let to_run = batch.into_iter().flatten().filter_map(|fetched| match fetched {
                    Fetched::Maps(_) => None,
                    Fetched::Input { input, key } => Some((input, key)),
                });
                let to_run: Vec<_> = to_run.collect();
                if !to_run.is_empty() {
                    self.run_batch(to_run, &asked)?;
                }
                if cache.is_full() {
                    info!("the cache of frozen features is full; raise backbone.cache_mib to keep those of all images");
                    return Ok(());
                }
            }
        }
        if made > 0 {
            shown.finish();
        }
        Ok(())
    }

    /// What the frozen blocks say of images, in their order, fetched ahead of who takes it.
    pub fn each_frozen(
        self: &Arc<Self>,
        paths: impl Iterator<Item = PathBuf>,
    ) -> impl Iterator<Item = Result<FrozenFeatures>> {
        let jobs = paths.map(|path| {
            let extractor = Arc::clone(self);
            move || {
                let fetched = extractor.fetch(&path, &Asked::Frozen(View::AsIs));
                (path, fetched)
            }
        });
        let extractor = Arc::clone(self);
        in_order(self.threads, 2 * BATCH, jobs)
            .map(move |(path, fetched)| extractor.features(&path, fetched?, &Asked::Frozen(View::AsIs)))
    }
}

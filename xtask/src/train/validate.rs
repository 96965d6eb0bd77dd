//! What a run reports of itself: the label-free criterion, and every stage's score where there are key points.

use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use eval::{Average, Direction, KeyPointPair, PairSelection, Protocol, ScoreReport, read_willow};
use sc_imagenet::ImageSet;
use tracing::{info, warn};

use crate::benchmark::warn_of;
use crate::checkpoint::RunState;
use crate::config::TrainConfig;
use crate::describe::{Describer, Method};
use crate::foreground::Foregrounds;
use crate::images::Extractor;
use crate::network::Network;
use crate::run_folder::RunFolder;
use crate::score;
use crate::train::criterion::cycle_consistency;

/// The pairs that a run is scored on, if there are key points. They decide nothing.
pub struct Validation {
    pairs: Vec<KeyPointPair>,
    latest: Option<ScoreReport>,
}

impl Validation {
    /// Reads the key points of the configuration's validation folder, or of the training folders that have some.
    ///
    /// # Errors
    ///
    /// A validation folder that cannot be read. Training folders without key points are no error.
    pub fn find(config: &TrainConfig, folders: &[String]) -> Result<Validation> {
        let data = &config.data;
        let mut images = Vec::new();
        if data.validation.is_empty() {
            for folder in folders {
                match read_willow(Path::new(folder), data.validation_split) {
                    Ok(found) => {
                        warn_of(folder, &found.counts);
                        images.extend(found.images);
                    }
                    Err(error) => warn!("no key points to score on in {folder}: {error}"),
                }
            }
        } else {
            let found = read_willow(Path::new(&data.validation), data.validation_split)?;
            warn_of(&data.validation, &found.counts);
            images = found.images;
        }
        let selection = PairSelection { per_class: Some(data.validation_pairs), seed: 0 };
        let pairs = if images.is_empty() { Vec::new() } else { selection.pairs(&images) };
        info!("{} pairs with key points to score on (they decide nothing)", pairs.len());
        Ok(Validation { pairs, latest: None })
    }

    /// Measures and writes down the cycle consistency, which is returned, and the scores.
    ///
    /// # Errors
    ///
    /// Images that cannot be decoded, a full disk.
    #[expect(clippy::too_many_arguments, reason = "the parts of a session, which cannot be lent as one")]
    pub fn report(
        &mut self,
        run: &RunFolder,
        state: &RunState,
        extractor: &Arc<Extractor>,
        foregrounds: &mut Foregrounds,
        network: &Network,
        config: &TrainConfig,
        images: &ImageSet,
    ) -> Result<f64> {
        let mut describer = Describer::new(extractor, foregrounds, network, config);
        let consistency = cycle_consistency(&mut describer, images, config.train.seed)?;
        let mut record = serde_json::json!({ "step": state.step, "cycle_consistency": consistency });
        if !self.pairs.is_empty() {
            let mut methods = Method::baselines(config);
            methods.extend(Method::all(config.student.stages));
            let predictions = score::predict(&mut describer, &self.pairs, Direction::Forward, &methods, None)?;
            let protocol =
                Protocol { average: Average::Category, ..Protocol::default() }.with_alphas(&[0.05, 0.10, 0.15]);
            let (report, _) =
                score::score("validation", &self.pairs, &predictions, &score::names(&methods), &protocol)?;
            info!(
                "step {}: cycle consistency {:.1} %; PCK@.10 {}",
                state.step,
                100.0 * consistency,
                report
                    .rows
                    .iter()
                    .filter(|row| row.alpha == 0.10)
                    .map(|row| format!("{} {:.1}", row.method, row.pck))
                    .collect::<Vec<_>>()
                    .join(", ")
            );
            record["scores"] = serde_json::to_value(&report)?;
            self.latest = Some(report);
        } else {
            info!("step {}: cycle consistency {:.1} %", state.step, 100.0 * consistency);
        }
        run.append_metrics(&record)?;
        Ok(consistency)
    }

    /// Prints the latest scores as a table and keeps them in the run's `eval/`.
    ///
    /// # Errors
    ///
    /// A full disk.
    pub fn table(&self, run: &RunFolder, state: &RunState) -> Result<()> {
        let Some(report) = &self.latest else { return Ok(()) };
        println!("{}", report.table(false));
        let json = serde_json::to_vec_pretty(report)?;
        crate::atomic::write(&run.eval(&format!("step-{}.json", state.step)), &json)
    }
}

//! `cargo xtask eval`: a run scored on benchmarks, every method side by side.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use corr_volume::Readout;
use eval::{
    BenchmarkName, BenchmarkSection, BenchmarkSplit, CacheKey, Direction, ScoreReport, Split, class_table,
    missing_images, read_willow, summary_table,
};
use tracing::info;

use crate::benchmark::{Benchmark, BenchmarkArgs};
use crate::config::TrainConfig;
use crate::describe::Method;
use crate::device::{DeviceChoice, device_name};
use crate::images::READING;
use crate::logging;
use crate::mask_report::mask_table;
use crate::more_metrics::{json_of, more_scores, more_tables};
use crate::report_files::{section, write_html, write_scores};
use crate::score::{self, Scored};
use crate::short_hash::short_hash;
use crate::trained::{Trained, Which};

/// Score a run on benchmarks: the raw features, voted, and every stage, side by side.
///
/// The network predicts once: predictions are kept in the run's eval/ folder, another protocol costs no second prediction,
/// and a killed evaluation goes on where it was. A picture that was changed is predicted anew, and so is a point that was
/// moved. Tables, figures and report.html are written into the run's folder.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:
  cargo xtask eval --run mine --data WILLOW --split val
  cargo xtask eval --run mine --data PF-WILLOW
  cargo xtask eval --run mine --benchmark pf-willow,spair --data FOLDER-OF-BOTH --limit 500
  cargo xtask eval --run mine --data WILLOW --split val --protocol frame=stretched:320 --json")]
pub struct EvalArgs {
    /// The run's name or folder
    #[arg(long, default_value = "default")]
    run: String,
    #[command(flatten)]
    benchmark: BenchmarkArgs,
    /// The last checkpoint, or the best by the label-free criterion
    #[arg(long, value_enum, default_value_t)]
    checkpoint: Which,
    /// hard, kernel or windowed; default: the run's own
    #[arg(long)]
    readout: Option<Readout>,
    /// Vote every stage, not the last alone
    #[arg(long)]
    vote: bool,
    /// Show the classes' scores at the middle threshold too
    #[arg(long)]
    classes: bool,
    /// Show PCK†, confusions, average precision and the breakdown by difficulty too
    #[arg(long)]
    more: bool,
    /// Show how well the foreground masks cover the key points, by class
    #[arg(long)]
    masks: bool,
    /// Print one JSON object a benchmark, a line each
    #[arg(long)]
    json: bool,
    /// auto, cpu, wgpu, or wgpu:N
    #[arg(long, default_value_t)]
    device: DeviceChoice,
}

impl EvalArgs {
    /// Runs the command.
    ///
    /// # Errors
    ///
    /// A run or data that cannot be read, a protocol that is none.
    pub fn run(&self) -> Result<()> {
        logging::start(None)?;
        let device = self.device.open()?;
        let mut trained = Trained::open(&self.run, self.checkpoint, &device)?;
        if let Some(readout) = self.readout {
            trained.config.student.readout = readout;
            trained.config.student.voted_readout = readout;
        }
        let mut asked = self.benchmark.clone();
        let folder = self.folder(&trained, &mut asked)?;
        let mut sections: Vec<BenchmarkSection> = Vec::new();
        if !self.json {
            println!("{} after {} steps", trained.run.root().display(), trained.step);
        }
        for name in asked.names(&folder)? {
            sections.extend(self.score(name, &folder, &asked, &mut trained, &device_name(&device))?);
        }
        if sections.len() > 1 && !self.json {
            let reports: Vec<ScoreReport> = sections.iter().map(|section| section.report.clone()).collect();
            print!("\n{}", summary_table(&reports));
        }
        if self.masks {
            let split = if asked.split == Some(BenchmarkSplit::Val) { Split::Val } else { Split::All };
            let images = read_willow(&folder, split)?.images;
            print!("\n{}", mask_table(&mut trained.describer(), &images)?);
        }
        let path = trained.run.root().join("report.html");
        write_html(&path, &format!("Run {}", trained.run.root().display()), facts(&trained), sections)?;
        if !self.json {
            println!("\nwritten: {}", path.display());
        }
        Ok(())
    }

    fn score(
        &self,
        name: BenchmarkName,
        folder: &Path,
        asked: &BenchmarkArgs,
        trained: &mut Trained,
        device: &str,
    ) -> Result<Option<BenchmarkSection>> {
        if matches!(name, BenchmarkName::Tss | BenchmarkName::Caltech) {
            return crate::dense::evaluate(name, folder, trained, self.json);
        }
        let benchmark = asked.read(name, folder)?;
        self.check_images(&benchmark)?;
        let methods = self.methods(trained);
        let data = format!("{name} {}", std::path::absolute(folder)?.display());
        let key = cache_key(trained, device, benchmark.protocol.direction, &data);
        let file = short_hash(&serde_json::to_vec(&key)?);
        let path = trained.run.eval(&format!("predictions-{file}.jsonl"));
        std::fs::create_dir_all(trained.run.root().join("eval")).context("cannot create the run's eval folder")?;
        let mut cache = score::open_cache(&path, &key)?;
        let direction = benchmark.protocol.direction;
        let predictions =
            score::predict(&mut trained.describer(), &benchmark.pairs, direction, &methods, Some(&mut cache))?;
        let scored = Scored::new(&benchmark, &predictions, &score::names(&methods))?;
        let section = section(&scored)?;
        write_scores(&trained.run.root().join("eval"), &section)?;
        let more = if self.more { more_scores(&scored)? } else { Vec::new() };
        let leak_free = benchmark.leak_free_report(&scored.scores);
        if self.json {
            println!("{}", json_of(&scored.report, &more, leak_free.as_ref())?);
        } else {
            let subset = leak_free.map(|report| format!("\n{}", report.table(true))).unwrap_or_default();
            let alpha = benchmark.shown_alpha();
            print!("\n{}{subset}{}", scored.report.table(true), more_tables(&more, alpha));
            if self.classes {
                print!("\n{}", class_table(&benchmark.protocol, &scored.scores, alpha));
            }
        }
        Ok(Some(section))
    }

    fn methods(&self, trained: &Trained) -> Vec<Method> {
        let stages = trained.config.student.stages;
        let mut methods = Method::baselines(&trained.config);
        methods.extend(Method::all(stages));
        if self.vote {
            methods.splice(methods.len() - 1..methods.len() - 1, (1..stages).map(Method::StageVoted));
        }
        methods
    }

    fn check_images(&self, benchmark: &Benchmark) -> Result<()> {
        let missing = missing_images(&benchmark.pairs);
        if let Some(first) = missing.first() {
            bail!("{}: images are missing, such as {}; the network has to see them", benchmark.name, first.display());
        }
        Ok(())
    }

    /// The folder to score on. The run's own has the run's own split.
    fn folder(&self, trained: &Trained, asked: &mut BenchmarkArgs) -> Result<PathBuf> {
        let data = &trained.config.data;
        if let Some(folder) = &asked.data {
            return Ok(folder.clone());
        }
        info!("no --data: the run's own validation data");
        asked.split = asked.split.or(Some(match data.validation_split {
            Split::All => BenchmarkSplit::All,
            Split::Train => BenchmarkSplit::Train,
            Split::Val => BenchmarkSplit::Val,
        }));
        if !data.validation.is_empty() {
            return Ok(PathBuf::from(&data.validation));
        }
        let folders = crate::drawn::folders(&trained.config)?;
        Ok(PathBuf::from(folders.first().context("the run has no data folder; give --data")?))
    }
}

/// What all predictions of a run depend on, whatever they are asked; `data` keeps data sets in files of their own.
fn cache_key(trained: &Trained, device: &str, direction: Direction, data: &str) -> CacheKey {
    let TrainConfig { backbone, student, vote, mask, train, .. } = &trained.config;
    let backbone = (&backbone.name, backbone.dilated, backbone.input, &backbone.layers, &backbone.tune);
    [
        ("parameters", format!("{} {}", trained.start_parameters, trained.parameters)),
        ("settings", format!("{backbone:?} {student:?} {vote:?} {mask:?} seed {}", train.seed)),
        ("program", format!("{} reading {READING}", env!("CARGO_PKG_VERSION"))),
        ("device", device.to_owned()),
        ("direction", direction.to_string()),
        ("data", data.to_owned()),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}

/// What the report says of the run.
fn facts(trained: &Trained) -> Vec<(String, String)> {
    let config = &trained.config;
    [
        ("steps", trained.step.to_string()),
        ("seed", config.train.seed.to_string()),
        (
            "backbone",
            format!("{}, blocks {:?}, {} px", config.backbone.name, config.backbone.layers, config.backbone.input),
        ),
        ("readout", serde_json::to_string(&config.student.readout).unwrap_or_default().replace(['{', '}', '"'], "")),
        ("parameters", trained.parameters.chars().take(16).collect()),
        ("program", format!("{} {}", env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}

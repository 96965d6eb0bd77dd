//! `cargo xtask eval`: a run scored on key points, every method side by side.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Args;
use corr_volume::Readout;
use eval::{Average, CacheKey, PairSelection, Protocol, Split, class_table, read_willow};
use sha2::{Digest, Sha256};
use tracing::info;

use crate::describe::Method;
use crate::device::{DeviceChoice, device_name};
use crate::logging;
use crate::mask_report::mask_table;
use crate::score;
use crate::trained::{Trained, Which};

/// Score a run on key points: the raw features, voted, and every stage, side by side.
///
/// DIR holds class folders of images with `.mat` key points beside them, as WILLOW-ObjectClass and PF-WILLOW do. What was
/// predicted is kept in the run's eval/ folder: another protocol costs no second prediction, and a killed evaluation goes
/// on where it was.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:
  cargo xtask eval --run mine --data WILLOW --split val
  cargo xtask eval --run mine --data PF-WILLOW --pairs 0 --protocol average=image
  cargo xtask eval --run mine --data WILLOW --split val --protocol frame=stretched:320 --json")]
pub struct EvalArgs {
    /// The run's name or folder
    #[arg(long, default_value = "default")]
    run: String,
    /// The folder of class folders with key points; default: the run's own validation data
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Which half of each class, by sorted name: all, train (even) or val (odd); default: the run's own
    #[arg(long)]
    split: Option<Split>,
    /// At most so many seeded ordered pairs a class; 0: all pairs
    #[arg(long, default_value_t = 100)]
    pairs: usize,
    /// The seed of the choice of pairs
    #[arg(long, default_value_t = 0)]
    pair_seed: u64,
    /// The last checkpoint, or the best by the label-free criterion
    #[arg(long, value_enum, default_value_t)]
    checkpoint: Which,
    /// hard, kernel or windowed; default: the run's own
    #[arg(long)]
    readout: Option<Readout>,
    /// Vote every stage, not the last alone
    #[arg(long)]
    vote: bool,
    /// How to score; keys left out: frame=original,length=bbox-kp,direction=forward,average=category
    #[arg(long)]
    protocol: Option<String>,
    /// Thresholds, as shares of the protocol's length
    #[arg(long, value_delimiter = ',', default_values_t = [0.05, 0.10, 0.15])]
    alpha: Vec<f64>,
    /// Show the classes' scores at .10 too
    #[arg(long)]
    classes: bool,
    /// Show how well the foreground masks cover the key points, by class
    #[arg(long)]
    masks: bool,
    /// Print one JSON object
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
        let protocol = self.protocol()?;
        let device = self.device.open()?;
        let mut trained = Trained::open(&self.run, self.checkpoint, &device)?;
        if let Some(readout) = self.readout {
            trained.config.student.readout = readout;
            trained.config.student.voted_readout = readout;
        }
        let (folder, split) = self.data(&trained)?;
        let found = read_willow(&folder, split)?;
        for path in &found.without_key_points {
            info!("{}: has no key points and is left out", path.display());
        }
        let per_class = (self.pairs > 0).then_some(self.pairs);
        let pairs = PairSelection { per_class, seed: self.pair_seed }.pairs(&found.images);
        if pairs.is_empty() {
            bail!("{} has no two images of a class that share a key point", folder.display());
        }
        let stages = trained.config.student.stages;
        let mut methods = Method::baselines(&trained.config);
        methods.extend(Method::all(stages));
        if self.vote {
            methods.splice(methods.len() - 1..methods.len() - 1, (1..stages).map(Method::StageVoted));
        }
        let key = CacheKey::from([
            ("parameters".to_owned(), trained.parameters.clone()),
            ("asked".to_owned(), format!("{:?} {:?}", trained.config.student, trained.config.vote)),
            ("device".to_owned(), device_name(&device)),
            ("data".to_owned(), std::path::absolute(&folder)?.display().to_string()),
        ]);
        let digest = Sha256::digest(serde_json::to_vec(&key)?);
        let name: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let path = trained.run.eval(&format!("predictions-{name}.jsonl"));
        std::fs::create_dir_all(trained.run.root().join("eval")).context("cannot create the run's eval folder")?;
        let mut cache = score::open_cache(&path, &key)?;
        let step = trained.step;
        let predictions = score::predict(&mut trained.describer(), &pairs, &methods, Some(&mut cache))?;
        let benchmark = folder.file_name().map_or("key points".to_owned(), |name| name.to_string_lossy().into_owned());
        let (report, scores) = score::score(&benchmark, &pairs, &predictions, &methods, &protocol)?;
        if self.json {
            println!("{}", serde_json::to_string(&report)?);
            return Ok(());
        }
        println!("{} after {step} steps", trained.run.root().display());
        print!("{}", report.table(true));
        if self.classes {
            print!("\n{}", class_table(&protocol, &scores, protocol.alphas[protocol.alphas.len() / 2]));
        }
        if self.masks {
            print!("\n{}", mask_table(&mut trained.describer(), &found.images)?);
        }
        Ok(())
    }

    fn protocol(&self) -> Result<Protocol> {
        let text = self.protocol.clone().unwrap_or_default();
        let given: Protocol = if text.is_empty() { Protocol::default() } else { text.parse()? };
        let average = if text.contains("average") { given.average } else { Average::Category };
        if let Some(alpha) = self.alpha.iter().find(|alpha| !(alpha.is_finite() && **alpha > 0.0)) {
            bail!("--alpha wants thresholds above 0, got {alpha}");
        }
        Ok(Protocol { average, ..given }.with_alphas(&self.alpha))
    }

    fn data(&self, trained: &Trained) -> Result<(PathBuf, Split)> {
        let data = &trained.config.data;
        let folder = match &self.data {
            Some(folder) => folder.clone(),
            None if !data.validation.is_empty() => PathBuf::from(&data.validation),
            None => PathBuf::from(
                crate::drawn::folders(&trained.config)?.first().context("the run has no data folder; give --data")?,
            ),
        };
        let own = if self.data.is_some() { Split::All } else { data.validation_split };
        Ok((folder, self.split.unwrap_or(own)))
    }
}

//! `cargo xtask label`: pseudo-labels for folders, tars or shards of images, by a trained run.

mod binding;
mod block;
mod blocks;
mod described;
mod facts;
mod settings;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use burn::tensor::Device;
use clap::Args;
use pseudo_label::Calibrator;
use sc_imagenet::{
    BuildIdentity, ContentCheck, DatasheetFacts, Finished, ImageSource, Journal, Record, Shard, Split, part_folder,
};
use sha2::{Digest, Sha256};
use tracing::{info, warn};

use self::settings::Identity;
use crate::allocator::{give_back_free_memory, keep_freed_memory, return_large_buffers};
use crate::config::load_over;
use crate::device::{DeviceChoice, device_name, host};
use crate::logging;
use crate::merge_parts::{Placement, merge_into};
use crate::progress::{self, Counted};
use crate::run_folder::RunFolder;
use crate::sources::{SourceFlags, form_of, tell_unused};
use crate::trained::{Trained, Which};

pub use block::Labeller;
pub use blocks::{Block, blocks};
pub use described::Matcher;
pub use facts::LabelFacts;
pub use settings::LabelSettings;

/// Label images with a trained run: pairs with key points, in the layout that CATs and DHPF load.
///
/// Each image is matched with a few others of its class. Matches that close the cycle and are peaked make an image's
/// discriminative cells; images with enough of them are kept, and their pairs get key points with confidences. A build can
/// be killed at any instant and goes on with --resume; what comes of it depends on images, run and settings alone, however
/// many shards and workers there are.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:
  cargo xtask label --run mine --data IMAGES --out LABELS
  cargo xtask label --run mine --data ILSVRC2012_img_train.tar --out LABELS --shard 3/64 --resume --images none
  cargo xtask label --run mine --data 'shard-{000..012}.tar' --class-names names.txt --out LABELS
  cargo xtask label --run mine --data IMAGES --out LABELS --set consistency.least_peakedness=.5 --calibrator fit.json
  cargo xtask inspect LABELS")]
pub struct LabelArgs {
    /// The run's name or folder
    #[arg(long, default_value = "default")]
    run: String,
    /// The last checkpoint, or the best by the label-free criterion
    #[arg(long, value_enum, default_value_t)]
    checkpoint: Which,
    /// Class folders, a tar of tars (ILSVRC2012_img_train.tar), or WebDataset shards
    #[arg(long, value_name = "SRC")]
    data: PathBuf,
    #[command(flatten)]
    source: SourceFlags,
    /// Where the data set goes
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Images of its class that each image is matched with
    #[arg(long, value_name = "M")]
    partners: Option<usize>,
    /// This part of n alone, i from 0; `cargo xtask merge` joins them
    #[arg(long, value_name = "i/n", default_value = "0/1")]
    shard: Shard,
    /// Threads; default: one a core
    #[arg(long, value_name = "N")]
    workers: Option<usize>,
    /// Go on where an earlier run of the same build was stopped
    #[arg(long)]
    resume: bool,
    /// Key points of a pair at most; CATs' loader fails on more than 40
    #[arg(long, value_name = "N")]
    max_points: Option<usize>,
    /// Share of each class's images whose pairs are for validation; below .5, all pairs are for training where most would be
    /// for validation
    #[arg(long, value_name = "SHARE")]
    val_share: Option<f64>,
    /// The seed of the choice of partners and of the split
    #[arg(long)]
    seed: Option<u64>,
    /// Settings over the defaults, TOML
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// One setting, over --config: consistency.cycle=false, chains=true, …
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Calibrates confidences: a file that `cargo xtask inspect --against … --fit-calibrator FILE` wrote
    #[arg(long, value_name = "FILE")]
    calibrator: Option<PathBuf>,
    /// What becomes of the images: links to the files of class folders, copies, or none; default: links where there are
    /// files, copies otherwise
    #[arg(long, value_enum)]
    images: Option<Placement>,
    /// The data set's name in its datasheet
    #[arg(long, default_value = "Pseudo-labels")]
    title: String,
    /// Under which terms images and labels may be used, for the datasheet
    #[arg(long, default_value = "Images belong to whom they belonged; ask there before passing them on.")]
    licence_note: String,
    /// Name every image that is refused and every file that is passed over
    #[arg(long, short)]
    verbose: bool,
    /// Print a JSON object of what was done
    #[arg(long)]
    json: bool,
    /// auto, cpu, wgpu, or wgpu:N
    #[arg(long, default_value_t)]
    device: DeviceChoice,
}

/// What a run of the command did.
#[derive(Debug, serde::Serialize)]
struct Done {
    shard: String,
    images: usize,
    kept: usize,
    finished_before: usize,
    pairs: usize,
    described: usize,
    seconds: f64,
    images_per_second: f64,
    pairs_per_second: f64,
}

impl Done {
    fn tell(&self) {
        let Done { images, kept, pairs, seconds, images_per_second, pairs_per_second, described, .. } = self;
        info!(
            "{images} images judged, {kept} kept, {pairs} pairs in {seconds:.0} s: {images_per_second:.1} images and \
             {pairs_per_second:.1} pairs a second; {described} looked at by the network"
        );
    }
}

impl LabelArgs {
    /// Runs the command.
    ///
    /// # Errors
    ///
    /// A run, source or calibrator that cannot be read, a folder of another build, a full disk: nothing that was finished is
    /// lost.
    pub fn run(&self) -> Result<()> {
        logging::start_verbose(None, self.verbose)?;
        RunFolder::check_name(&self.run)?;
        let settings = self.settings()?;
        let calibrator = self.calibrator()?;
        return_large_buffers();
        let source = self.source.open(&self.data)?;
        tell_unused(&self.data, &source);
        info!("{} images of {} classes in {}", source.images().len(), source.classes().len(), form_of(&source));
        keep_freed_memory();
        let device = self.device.open()?;
        let trained = Trained::without_cache(&self.run, self.checkpoint, &device)?;
        let facts = self.facts(&source, &trained, &settings, &calibrator);
        let masks = trained.start_parameters.clone();
        let matcher = Matcher::new(trained);
        // A checkpoint is larger than the network: it holds the optimisers' states too.
        give_back_free_memory();
        let identity = identity(&settings, &calibrator, &matcher, masks, &source, kind_of(&device));
        self.warn_of_unknown_classes(&source, &matcher);

        let part = part_folder(&self.out, self.shard);
        let (journal, finished) = self.open_journal(&part, &identity, &source, settings.key_points.most)?;
        if finished.images() > 0 && !finished.is_complete() && !self.resume {
            bail!(
                "{} holds {} finished images; go on with --resume, or choose another --out",
                part.display(),
                finished.images()
            );
        }
        facts.write(&part)?;
        let all = blocks(&source, &settings);
        let mine = &all[self.shard.range(all.len())];
        let open: Vec<&Block> = mine
            .iter()
            .filter(|block| block.images.iter().any(|image| finished.kept(*image as u64).is_none()))
            .collect();
        let described = AtomicUsize::new(0);
        let labeller = Labeller {
            source: &source,
            matcher: &matcher,
            settings: &settings,
            calibrator: &calibrator,
            workers: self.workers(),
            described: &described,
        };
        let done = self.label_blocks(&labeller, &open, journal, &finished)?;
        done.tell();
        // What labelled is not needed to merge.
        drop((matcher, all));
        give_back_free_memory();
        return_large_buffers();
        if self.shard == Shard::WHOLE {
            let statistics = merge_into(std::slice::from_ref(&self.out), &self.out, facts, self.images, Some(&source))?;
            info!(
                "{} pairs of {} images in {}",
                statistics.pairs(Split::Train) + statistics.pairs(Split::Validation),
                statistics.kept(),
                self.out.display()
            );
        } else {
            info!(
                "part {} of {} is in {}; when all are, run `cargo xtask merge`",
                self.shard.index(),
                self.shard.count(),
                part.display()
            );
        }
        if self.json {
            println!("{}", serde_json::to_string(&done)?);
        }
        Ok(())
    }

    /// Opens the journal of a part whose finished images are those of `source`.
    fn open_journal(
        &self,
        part: &Path,
        identity: &BuildIdentity,
        source: &ImageSource,
        max_points: usize,
    ) -> Result<(Journal, Finished)> {
        let mut check = ContentCheck::new(source);
        let opened = Journal::open_and_see(part, identity, self.shard, max_points, |image| check.see(image))?;
        let mut bar = None;
        let checked = check.finish(|done, total| {
            let bar = bar.get_or_insert_with(|| progress::count(total, "images read again"));
            bar.set_position(done as u64);
        });
        if let Some(bar) = bar {
            bar.finish_and_clear();
        }
        checked
            .with_context(|| format!("{} was made from other images; for these, give another --out", part.display()))?;
        Ok(opened)
    }

    /// Labels the blocks that are not finished, and finishes the journal.
    fn label_blocks(
        &self,
        labeller: &Labeller<'_>,
        open: &[&Block],
        mut journal: Journal,
        finished: &Finished,
    ) -> Result<Done> {
        let total: usize = open.iter().map(|block| block.images.len()).sum();
        if finished.images() > 0 {
            info!("{} images are finished, {total} are left", finished.images());
        }
        let began = Instant::now();
        let mut shown = Counted::new("labelled", total);
        let (mut images, mut kept, mut pairs) = (0, 0, 0);
        for block in open {
            let mut labelled = labeller.label(block)?;
            // A block that was killed while it was written is made again, but nothing is written twice.
            labelled
                .retain(|[judged, _]| !matches!(judged, Record::Image(image) if finished.kept(image.number).is_some()));
            for records in &labelled {
                let [Record::Image(judged), Record::Pairs { pairs: of_image, .. }] = records else { continue };
                images += 1;
                kept += usize::from(judged.kept());
                pairs += of_image.len();
            }
            journal.append_each(&labelled)?;
            journal.sync()?;
            // Blocks are of many sizes: what one leaves behind would make room for the next only in part.
            give_back_free_memory();
            shown.add(block.images.len());
        }
        journal.finish()?;
        if total > 0 {
            shown.finish();
        }
        let seconds = began.elapsed().as_secs_f64();
        let rate = |count: usize| if seconds > 0.0 { count as f64 / seconds } else { 0.0 };
        Ok(Done {
            shard: format!("{}/{}", self.shard.index(), self.shard.count()),
            images,
            kept,
            finished_before: finished.images(),
            pairs,
            described: labeller.described.load(Ordering::Relaxed),
            seconds,
            images_per_second: rate(images),
            pairs_per_second: rate(pairs),
        })
    }

    fn workers(&self) -> usize {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        self.workers.unwrap_or_else(cores).max(1)
    }

    fn settings(&self) -> Result<LabelSettings> {
        let mut settings = load_over(&LabelSettings::default(), self.config.as_deref(), &self.set)?;
        settings.partners = self.partners.unwrap_or(settings.partners);
        settings.key_points.most = self.max_points.unwrap_or(settings.key_points.most);
        settings.val_share = self.val_share.unwrap_or(settings.val_share);
        settings.seed = self.seed.unwrap_or(settings.seed);
        settings.check()?;
        Ok(settings)
    }

    fn calibrator(&self) -> Result<Calibrator> {
        let Some(path) = &self.calibrator else { return Ok(Calibrator::Uncalibrated) };
        let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        serde_json::from_str(&text).with_context(|| {
            format!(
                "{} is no calibrator; `cargo xtask inspect --against … --fit-calibrator FILE` writes one",
                path.display()
            )
        })
    }

    fn facts(
        &self,
        source: &ImageSource,
        trained: &Trained,
        settings: &LabelSettings,
        calibrator: &Calibrator,
    ) -> LabelFacts {
        let confidences = match calibrator {
            Calibrator::Uncalibrated => {
                "Confidences are not calibrated: they order labels, they are no shares of right ones.".to_owned()
            }
            calibrated => {
                format!("Confidences are calibrated ({calibrated}) on key points that the builder was given.")
            }
        };
        let datasheet = DatasheetFacts {
            title: self.title.clone(),
            images: format!(
                "{} images of {} classes, {} files refused, {} passed over (listing {:016x})",
                source.images().len(),
                source.classes().len(),
                source.refused().len(),
                source.passed_over().count(),
                source.listing_hash()
            ),
            program: format!("cargo xtask label {}", env!("CARGO_PKG_VERSION")),
            seed: settings.seed,
            weights: format!("a run at step {}, parameters {}", trained.step, trained.parameters),
            weights_sha256: trained.weights.clone(),
            licence_note: self.licence_note.clone(),
            notes: vec![confidences],
        };
        LabelFacts {
            datasheet,
            max_points: settings.key_points.most,
            // Who asks for validation above all has it.
            training_first: settings.val_share < 0.5,
        }
    }

    fn warn_of_unknown_classes(&self, source: &ImageSource, matcher: &Matcher) {
        let unknown = source.original_classes().iter().filter(|class| !matcher.classes.contains(class)).count();
        if unknown > 0 {
            warn!(
                "{unknown} of {} classes are not among those that the run was trained on: their masks are of the class that each image \
                 is taken for. Better: train on these folders",
                source.classes().len()
            );
        }
    }
}

/// The device as far as labels depend on it: not by the number of its threads.
fn kind_of(device: &Device) -> String {
    if *device == host() { "cpu".to_owned() } else { device_name(device) }
}

fn identity(
    settings: &LabelSettings,
    calibrator: &Calibrator,
    matcher: &Matcher,
    masks: String,
    source: &ImageSource,
    device: String,
) -> BuildIdentity {
    let parameters = matcher.parameters();
    let config = Identity {
        label: settings,
        calibrator,
        parameters: &parameters,
        masks,
        mask: &matcher.config.mask,
        student: &matcher.config.student,
        input: matcher.config.backbone.input,
        images: format!("{:016x}", source.listing_hash()),
        classes: &matcher.classes,
        device,
        program: env!("CARGO_PKG_VERSION"),
    };
    // Of text that JSON gives the same way each time: sections are in the order of their fields.
    let text = serde_json::to_string(&config).unwrap_or_else(|error| panic!("settings are plain values: {error}"));
    let hash = Sha256::digest(text.as_bytes());
    let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    BuildIdentity::new(hash, &config)
}

//! Which pairs are scored, and how: the flags that `eval` and `score` share.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use eval::{
    AnnotationFrame, BenchmarkName, BenchmarkSplit, Bootstrap, KeyPointPair, MethodScores, PairSelection, Protocol,
    ReadCounts, ReadOptions, ScoreReport, SpairSize, read_pairs,
};
use rand::SeedableRng;
use rand::seq::index::sample;
use rand_chacha::ChaCha8Rng;
use tracing::{info, warn};

/// What to score on.
#[derive(Clone, Debug, Args)]
pub struct BenchmarkArgs {
    /// The benchmark's folder, or the folder that holds it (of `table`: the file)
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// pf-pascal, pf-willow, willow, spair, ap-10k, sc-imagenet, table, tss or caltech, several with commas; default: found
    /// from the folder
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub benchmark: Vec<BenchmarkName>,
    /// train, val, test or all; default: the part that scores are published on. Of class folders with key points train and
    /// val are the even and the odd images of each class, and the default is all
    #[arg(long)]
    pub split: Option<BenchmarkSplit>,
    /// SPair-71k's large or small lists
    #[arg(long, value_enum, default_value_t)]
    pub spair: SpairLists,
    /// PF-PASCAL: only test pairs neither of whose images occurs in the training list
    #[arg(long)]
    pub leak_free: bool,
    /// Of data sets without a list of pairs: at most so many seeded ordered pairs a class; 0: all pairs
    #[arg(long, default_value_t = 100)]
    pub pairs: usize,
    /// In which pixels points, boxes and sizes of photos with an EXIF orientation are meant: `shown` or `stored`; default: as
    /// the data set has it. Pairs, and predictions, are always of the photos as they are shown
    #[arg(long, value_name = "FRAME")]
    pub annotated_in: Option<AnnotationFrame>,
    /// Score a seeded subset of so many pairs, and say so in the protocol
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    /// The seed of the choice of pairs
    #[arg(long, default_value_t = 0)]
    pub pair_seed: u64,
    /// How to score, such as `frame=original,length=bbox-kp,direction=forward,average=image`; keys left out are the
    /// benchmark's usual ones
    #[arg(long)]
    pub protocol: Option<String>,
    /// Thresholds, as shares of the protocol's length
    #[arg(long, value_delimiter = ',', default_values_t = [0.01, 0.05, 0.10, 0.15])]
    pub alpha: Vec<f64>,
}

/// SPair-71k's two sets of lists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum SpairLists {
    /// `Layout/large`, on which scores are published.
    #[default]
    Large,
    /// `Layout/small`.
    Small,
}

/// Pairs to score on, with the protocol.
pub struct Benchmark {
    /// Its name in reports.
    pub name: String,
    /// The pairs.
    pub pairs: Vec<KeyPointPair>,
    /// How they are scored.
    pub protocol: Protocol,
    /// The protocol as it stands beside the numbers; says what was left out.
    pub protocol_text: String,
    /// What has to be said with the scores.
    pub notes: Vec<String>,
    /// What the reader took although it is odd; `notes` has it as sentences.
    pub counts: ReadCounts,
    /// PF-PASCAL: the positions of the pairs neither of whose images occurs in the training list.
    pub leak_free: Option<Vec<usize>>,
}

impl Benchmark {
    /// The threshold of tables and pictures that show one: the middle one.
    pub fn shown_alpha(&self) -> f64 {
        self.protocol.alphas[self.protocol.alphas.len() / 2]
    }

    /// The scores of the leak-free subset, where it is known and has a pair.
    pub fn leak_free_report(&self, scores: &[MethodScores]) -> Option<ScoreReport> {
        let kept = self.leak_free.as_ref().filter(|kept| !kept.is_empty())?;
        let of_subset = |method: &MethodScores| MethodScores {
            method: method.method.clone(),
            pairs: kept.iter().map(|&index| method.pairs[index].clone()).collect(),
        };
        let scores: Vec<MethodScores> = scores.iter().map(of_subset).collect();
        let mut report = ScoreReport::new(&self.name, &self.protocol, &scores, Bootstrap::default());
        report.protocol = format!("{},subset=leak-free", self.protocol_text);
        Some(report)
    }
}

impl BenchmarkArgs {
    /// The names asked for, or the one that `root` is laid out as.
    ///
    /// # Errors
    ///
    /// A folder that is laid out as no known data set.
    pub fn names(&self, root: &Path) -> Result<Vec<BenchmarkName>> {
        if !self.benchmark.is_empty() {
            return Ok(self.benchmark.clone());
        }
        if !root.exists() {
            bail!("there is no {}; give the data set's folder with --data", root.display());
        }
        BenchmarkName::detect(root).map(|name| vec![name]).with_context(|| {
            let names: Vec<String> = BenchmarkName::ALL.iter().map(ToString::to_string).collect();
            format!(
                "{} is not laid out as one known data set; say which with --benchmark ({}), and see `cargo xtask score \
                 --layouts` for what each looks like",
                root.display(),
                names.join(", ")
            )
        })
    }

    /// Reads the pairs of a data set of key points.
    ///
    /// # Errors
    ///
    /// A data set that is not there or damaged, a protocol that is none.
    pub fn read(&self, name: BenchmarkName, root: &Path) -> Result<Benchmark> {
        let options = ReadOptions {
            split: match self.split {
                None if name == BenchmarkName::Willow => Some(BenchmarkSplit::All),
                // Of a data set that has one part alone, `all` is that.
                Some(BenchmarkSplit::All) if name.splits().len() == 1 => None,
                asked => asked,
            },
            spair_size: match self.spair {
                SpairLists::Large => SpairSize::Large,
                SpairLists::Small => SpairSize::Small,
            },
            pair_selection: PairSelection {
                per_class: (self.pairs > 0 && name != BenchmarkName::PfWillow).then_some(self.pairs),
                seed: self.pair_seed,
            },
            leak_free: self.leak_free,
            annotated_in: self.annotated_in,
        };
        let mut read = read_pairs(name, root, &options)?;
        for note in &read.notes {
            info!("{name}: {note}");
        }
        warn_of(name, &read.counts);
        let protocol = self.protocol_on(read.default_protocol)?;
        let mut protocol_text = protocol.to_string();
        // Where the training list is not there, nobody can tell what leaks.
        let clean: Option<HashSet<String>> = if name == BenchmarkName::PfPascal && !self.leak_free {
            let clean = read_pairs(name, root, &ReadOptions { leak_free: true, ..options });
            clean.ok().map(|clean| clean.pairs.into_iter().map(|pair| pair.id).collect())
        } else {
            None
        };
        if let Some(limit) = self.limit.filter(|limit| *limit < read.pairs.len()) {
            if limit == 0 {
                bail!("--limit wants at least 1 pair");
            }
            let mut rng = ChaCha8Rng::seed_from_u64(self.pair_seed);
            let mut chosen = sample(&mut rng, read.pairs.len(), limit).into_vec();
            chosen.sort_unstable();
            read.pairs = chosen.into_iter().map(|index| read.pairs[index].clone()).collect();
            protocol_text += &format!(",limit={limit},seed={}", self.pair_seed);
        }
        if self.leak_free && name == BenchmarkName::PfPascal {
            protocol_text += ",subset=leak-free";
        }
        let leak_free = clean.map(|clean| {
            read.pairs.iter().enumerate().filter(|(_, pair)| clean.contains(&pair.id)).map(|(index, _)| index).collect()
        });
        let (name, pairs, mut notes) = (name.to_string(), read.pairs, read.notes);
        notes.extend(read.counts.sentences());
        Ok(Benchmark { name, pairs, protocol, protocol_text, notes, counts: read.counts, leak_free })
    }

    /// The protocol asked for: what `--protocol` leaves out is that of `usual`.
    fn protocol_on(&self, usual: Protocol) -> Result<Protocol> {
        if let Some(alpha) = self.alpha.iter().find(|alpha| !(alpha.is_finite() && **alpha > 0.0)) {
            bail!("--alpha wants thresholds above 0, got {alpha}");
        }
        let protocol = usual.with_keys(self.protocol.as_deref().unwrap_or_default())?;
        Ok(protocol.with_alphas(&self.alpha))
    }
}

/// Tells what a reader took although it is odd.
pub fn warn_of(what: impl std::fmt::Display, counts: &ReadCounts) {
    for sentence in counts.sentences() {
        warn!("{what}: {sentence}");
    }
}

/// What is missing, where it is published and how it is laid out, of every data set.
pub fn layouts() -> String {
    let mut text = String::new();
    for name in BenchmarkName::ALL {
        text += &format!("{name}: {}\n{}\n", name.published_at(), indented(name.layout()));
    }
    text
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("    {line}\n")).collect()
}

//! A run's folder: `runs/NAME/{run.json, config.toml, images.jsonl, metrics.jsonl, log.txt, checkpoints/, eval/}`.

mod mark;
mod name;
mod replace;
#[cfg(test)]
mod tests;

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result, bail};
use serde::Serialize;
use tracing::warn;

use self::mark::{Mark, State, is_run, state_of};
use self::replace::{aside_of, settle};
use crate::atomic;

pub use mark::RunKind;

/// The paths of one run.
///
/// A run that [`RunFolder::claim`] gave is not there until [`RunFolder::begin`] makes it: what a command reads first may be
/// missing or wrong, and then nothing is changed.
#[derive(Clone, Debug)]
pub struct RunFolder {
    root: PathBuf,
    writer: Arc<Mutex<Writer>>,
}

/// How this process writes the run.
#[derive(Debug, Default)]
struct Writer {
    /// What is to be made, until it is.
    claim: Option<Claim>,
    begun: bool,
    /// Held, not read: other processes keep off.
    lock: Option<File>,
}

#[derive(Clone, Copy, Debug)]
struct Claim {
    kind: RunKind,
    overwrite: bool,
}

impl RunFolder {
    /// Refuses names that are no folder of their own.
    ///
    /// # Errors
    ///
    /// An empty name, one that ends in dots, the working folder or one round it, the folder of all runs.
    pub fn check_name(name: &str) -> Result<()> {
        name::folder_of(name).map(drop)
    }

    /// The folder of a run that is to be made by [`RunFolder::begin`]. Nothing is written, unless an earlier process was killed
    /// while it replaced the run: then the old run is put back.
    ///
    /// # Errors
    ///
    /// A name that [`RunFolder::check_name`] refuses; a run of that name, unless it is to be overwritten; anything else in its
    /// place, be it to be overwritten or not; a run that another process is writing.
    pub fn claim(name: &str, kind: RunKind, overwrite: bool) -> Result<RunFolder> {
        let root = name::folder_of(name)?;
        settle(&root)?;
        replace::check_free(&root, overwrite)?;
        Ok(RunFolder::with(root, Writer { claim: Some(Claim { kind, overwrite }), ..Writer::default() }))
    }

    /// Makes the folder of a claimed run, with its configuration. What is there is moved aside, and stays there until
    /// [`RunFolder::has_checkpoint`]. Does nothing for a run that is there already.
    ///
    /// # Errors
    ///
    /// As [`RunFolder::claim`], and a folder that cannot be written; what was there is there still.
    pub fn begin(&self, config: &str) -> Result<()> {
        let mut writer = self.writer();
        if let Some(Claim { kind, overwrite }) = writer.claim {
            writer.lock = Some(replace::begin(&self.root, kind, overwrite, config)?);
            (writer.claim, writer.begun) = (None, true);
        }
        Ok(())
    }

    /// Whether the run's folder is there: a claimed run's is not before it has begun.
    pub fn is_there(&self) -> bool {
        self.writer().claim.is_none()
    }

    /// To be called when a checkpoint of the training is written: the run that was replaced is removed.
    ///
    /// # Errors
    ///
    /// A folder that cannot be written.
    pub fn has_checkpoint(&self) -> Result<()> {
        replace::finish(&self.root)
    }

    /// To be called when the command fails: a run that began and has no checkpoint of its training makes room for the one that
    /// it was to replace.
    pub fn give_up(&self) {
        if std::mem::take(&mut self.writer().begun) {
            replace::give_up(&self.root);
        }
    }

    /// Makes the folder for a new run of `cargo xtask train`, at once.
    ///
    /// # Errors
    ///
    /// As [`RunFolder::claim`] and [`RunFolder::begin`].
    #[cfg(test)]
    pub fn create(name: &str) -> Result<RunFolder> {
        let run = RunFolder::claim(name, RunKind::Train, false)?;
        run.begin("")?;
        Ok(run)
    }

    /// Opens the folder of a run that is there.
    ///
    /// # Errors
    ///
    /// Where there is none; the runs that are there are named.
    pub fn open(name: &str) -> Result<RunFolder> {
        let root = name::folder_of(name)?;
        settle(&root)?;
        if !is_run(&root)? {
            let why = match state_of(&root)? {
                State::Other(why) => format!("{} {why}", root.display()),
                _ => format!("there is no run at {}", root.display()),
            };
            bail!("{why} ({}); `cargo xtask train` makes one", there());
        }
        let aside = aside_of(&root);
        if state_of(&root)? == State::Started && aside.is_dir() {
            warn!("{} has no checkpoint yet; the run that it is to replace is at {}", root.display(), aside.display());
        }
        Ok(RunFolder::with(root, Writer::default()))
    }

    /// Opens a run to go on with it; `None` where there is none.
    ///
    /// # Errors
    ///
    /// A name that [`RunFolder::check_name`] refuses, a run that was made by another command, one that another process is
    /// writing.
    pub fn resume(name: &str, kind: RunKind) -> Result<Option<RunFolder>> {
        let root = name::folder_of(name)?;
        settle(&root)?;
        if !is_run(&root)? || !root.join("config.toml").exists() {
            return Ok(None);
        }
        let run = RunFolder::open(name)?.of_kind(&[kind])?;
        run.writer().lock = Some(replace::take_lock(&run.root)?);
        Ok(Some(run))
    }

    /// The run, if one of these commands made it. A run of an older version does not say.
    ///
    /// # Errors
    ///
    /// A run that another command made.
    pub fn of_kind(self, kinds: &[RunKind]) -> Result<RunFolder> {
        if let Some(Mark { kind, .. }) = Mark::read(&self.root)?
            && !kinds.contains(&kind)
        {
            let wanted: Vec<&str> = kinds.iter().map(|kind| kind.command()).collect();
            bail!(
                "{} is a run of `cargo xtask {}`; one of `{}` is wanted",
                self.root.display(),
                kind.command(),
                wanted.join("` or `")
            );
        }
        Ok(self)
    }

    fn with(root: PathBuf, writer: Writer) -> RunFolder {
        RunFolder { root, writer: Arc::new(Mutex::new(writer)) }
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// `config.toml`: every key of the configuration as the run uses it.
    pub fn config(&self) -> PathBuf {
        self.root.join("config.toml")
    }

    /// `checkpoints/`.
    pub fn checkpoints(&self) -> PathBuf {
        self.root.join("checkpoints")
    }

    /// `images.jsonl`: which images a training learns from.
    pub fn images(&self) -> PathBuf {
        self.root.join("images.jsonl")
    }

    /// A file below `eval/`.
    pub fn eval(&self, name: &str) -> PathBuf {
        self.root.join("eval").join(name)
    }

    /// Appends one JSON object as a line to `metrics.jsonl`.
    ///
    /// # Errors
    ///
    /// Where the file cannot be written.
    pub fn append_metrics(&self, record: &impl Serialize) -> Result<()> {
        let path = self.root.join("metrics.jsonl");
        let mut line = serde_json::to_string(record).context("a metrics record does not serialise")?;
        line.push('\n');
        let mut file = append(&path)?;
        file.write_all(line.as_bytes()).with_context(|| format!("cannot write {}", path.display()))
    }

    /// `log.txt`, opened for appending.
    ///
    /// # Errors
    ///
    /// Where the file cannot be written.
    pub fn log(&self) -> Result<File> {
        append(&self.root.join("log.txt"))
    }

    /// Drops the lines of `metrics.jsonl` that a run resumed at `step` writes again (all of them at step 0), and what a
    /// killed process left half written.
    ///
    /// # Errors
    ///
    /// Where the folder cannot be read or written.
    pub fn rewind(&self, step: usize) -> Result<()> {
        for entry in std::fs::read_dir(self.checkpoints()).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with(atomic::PARTIAL) {
                // A leftover that cannot be removed does no harm.
                let _ = std::fs::remove_file(entry.path());
            }
        }
        let path = self.root.join("metrics.jsonl");
        let Ok(text) = std::fs::read_to_string(&path) else { return Ok(()) };
        let kept: String = text
            .lines()
            .filter(|line| {
                serde_json::from_str::<serde_json::Value>(line)
                    .is_ok_and(|record| step > 0 && record["step"].as_u64().is_some_and(|at| at <= step as u64))
            })
            .flat_map(|line| [line, "\n"])
            .collect();
        atomic::write(&path, kept.as_bytes())
    }
}

/// Refuses a folder for results that is not one of its own, and a run, with which they could be removed. `flag` is what
/// the user wrote it behind.
///
/// # Errors
///
/// Such a folder.
pub fn check_results_folder(folder: &Path, flag: &str) -> Result<()> {
    name::check_folder(folder, flag)?;
    if is_run(folder)? {
        bail!("{flag} {} is a run; choose another folder for results", folder.display());
    }
    Ok(())
}

/// The runs that are there, in words.
fn there() -> String {
    let entries = std::fs::read_dir(name::RUNS).into_iter().flatten().flatten();
    let runs = entries.filter(|entry| is_run(&entry.path()).unwrap_or(false));
    let mut names: Vec<String> = runs.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.retain(|name| !name.starts_with('.'));
    names.sort();
    if names.is_empty() { "there is none yet".to_owned() } else { format!("there are {}", names.join(", ")) }
}

fn append(path: &Path) -> Result<File> {
    OpenOptions::new().create(true).append(true).open(path).with_context(|| format!("cannot write {}", path.display()))
}

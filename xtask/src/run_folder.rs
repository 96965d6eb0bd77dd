//! A run's folder: `runs/NAME/{config.toml, metrics.jsonl, log.txt, checkpoints/, eval/}`.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::Serialize;

use crate::atomic;

/// The paths of one run.
#[derive(Clone, Debug)]
pub struct RunFolder {
    root: PathBuf,
}

impl RunFolder {
    /// The folder of the run `name`: `runs/NAME`, or `name` itself where it is a path.
    pub fn of(name: &str) -> RunFolder {
        let path = Path::new(name);
        let root = if path.components().count() > 1 { path.to_owned() } else { Path::new("runs").join(path) };
        RunFolder { root }
    }

    /// Creates the folder for a new run.
    ///
    /// # Errors
    ///
    /// Where a run of that name is already there, or the folder cannot be written.
    pub fn create(name: &str) -> Result<RunFolder> {
        let run = RunFolder::of(name);
        if run.config().exists() {
            bail!(
                "the run {} is already there; use --resume to go on with it, --overwrite to replace it, or --run NAME for another",
                run.root.display()
            );
        }
        for folder in [run.root.clone(), run.checkpoints(), run.root.join("eval")] {
            std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        }
        Ok(run)
    }

    /// Opens the folder of a run that is there.
    ///
    /// # Errors
    ///
    /// Where there is none; the runs that are there are named.
    pub fn open(name: &str) -> Result<RunFolder> {
        let run = RunFolder::of(name);
        if run.config().exists() {
            return Ok(run);
        }
        let mut names: Vec<String> = std::fs::read_dir("runs")
            .into_iter()
            .flatten()
            .flatten()
            .filter(|entry| entry.path().join("config.toml").exists())
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        let there =
            if names.is_empty() { "there is none yet".to_owned() } else { format!("there are {}", names.join(", ")) };
        bail!("there is no run at {} ({there}); `cargo xtask train` makes one", run.root.display())
    }

    /// Removes a run's folder, if it is one.
    ///
    /// # Errors
    ///
    /// Where the folder is there but holds no run, or cannot be removed.
    pub fn remove(name: &str) -> Result<()> {
        let run = RunFolder::of(name);
        if !run.root.exists() {
            return Ok(());
        }
        if !run.config().exists() {
            bail!("{} holds no run (there is no config.toml) and is not removed", run.root.display());
        }
        std::fs::remove_dir_all(&run.root).with_context(|| format!("cannot remove {}", run.root.display()))
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

fn append(path: &Path) -> Result<File> {
    OpenOptions::new().create(true).append(true).open(path).with_context(|| format!("cannot write {}", path.display()))
}

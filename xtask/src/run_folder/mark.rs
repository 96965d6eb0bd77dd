//! What a run is known by: `run.json`, and what is in its folder.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use crate::atomic;
use crate::config::TrainConfig;

/// The file that marks a folder as a run.
pub const MARK: &str = "run.json";
/// The file that a process holds locked while it writes a run.
pub const LOCK: &str = ".lock";
const WHAT: &str = "semantic correspondence run";
const VERSION: u64 = 1;

/// Everything that stands in a run's folder. A folder with anything else is never removed.
const ENTRIES: [&str; 10] = [
    MARK,
    LOCK,
    "config.toml",
    "images.jsonl",
    "metrics.jsonl",
    "log.txt",
    "report.html",
    "checkpoints",
    "eval",
    "model",
];
/// As [`ENTRIES`], of `checkpoints/`.
const CHECKPOINTS: [&str; 3] = ["start.ckpt", "last.ckpt", "best.ckpt"];
/// What file managers leave in every folder.
const LITTER: [&str; 3] = [".DS_Store", "Thumbs.db", "desktop.ini"];

/// What made a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunKind {
    /// `cargo xtask train`.
    Train,
    /// `cargo xtask pretrain`.
    Pretrain,
    /// `cargo xtask finetune`.
    Finetune,
}

impl RunKind {
    /// The command's name.
    pub fn command(self) -> &'static str {
        match self {
            RunKind::Train => "train",
            RunKind::Pretrain => "pretrain",
            RunKind::Finetune => "finetune",
        }
    }
}

/// The content of `run.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mark {
    what: String,
    version: u64,
    /// What made the run.
    pub kind: RunKind,
    /// The folder beside it with the run that it replaces, as long as that is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<String>,
}

impl Mark {
    /// The mark of a run of this version.
    pub fn new(kind: RunKind, replaces: Option<String>) -> Mark {
        Mark { what: WHAT.to_owned(), version: VERSION, kind, replaces }
    }

    /// The mark in a folder; `None` where there is none, as in runs of older versions.
    ///
    /// # Errors
    ///
    /// A mark of a newer version, a folder that cannot be read.
    pub fn read(root: &Path) -> Result<Option<Mark>> {
        let path = root.join(MARK);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        };
        let Ok(value) = serde_json::from_str::<serde_json::Value>(&text) else { return Ok(None) };
        if value["what"] != WHAT {
            return Ok(None);
        }
        if value["version"].as_u64().is_none_or(|version| version > VERSION) {
            bail!("{} is of a newer version of this program; use that one", path.display());
        }
        serde_json::from_value(value).map(Some).with_context(|| format!("{} is damaged", path.display()))
    }

    /// Writes the mark into a folder.
    ///
    /// # Errors
    ///
    /// A folder that cannot be written.
    pub fn write(&self, root: &Path) -> Result<()> {
        atomic::write(&root.join(MARK), serde_json::to_string_pretty(self)?.as_bytes())
    }
}

/// How far what is in a folder has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// There is no such folder.
    Absent,
    /// A folder that is empty, or a run without any checkpoint: there is nothing in it to go on from.
    NotStarted,
    /// A run with its start, and no checkpoint of its training.
    Started,
    /// A run with a checkpoint of its training.
    Trained,
    /// Something else, or nothing that is known: what it is instead.
    Other(String),
}

/// How far what is in a run's folder has come.
///
/// # Errors
///
/// A folder that cannot be read, a mark of a newer version.
pub fn state_of(root: &Path) -> Result<State> {
    let names = match names_in(root) {
        Ok(names) => names,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(State::Absent),
        Err(error) if error.kind() == ErrorKind::NotADirectory => return Ok(State::Other("is a file".to_owned())),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", root.display())),
    };
    if !is_run(root)? {
        let bare = names.iter().all(|name| is_leftover(name) || name == LOCK);
        return Ok(if bare { State::NotStarted } else { State::Other(format!("holds no run (there is no {MARK})")) });
    }
    let there = |name: &str| root.join("checkpoints").join(name).exists();
    Ok(match CHECKPOINTS.map(there) {
        [_, true, _] => State::Trained,
        [true, ..] | [.., true] => State::Started,
        _ => State::NotStarted,
    })
}

/// Whether a folder is a run: it bears the mark, or has what the runs of older versions have.
///
/// # Errors
///
/// As [`Mark::read`].
pub fn is_run(root: &Path) -> Result<bool> {
    let is_old = || root.join("config.toml").is_file() && root.join("checkpoints").is_dir();
    Ok(Mark::read(root)?.is_some() || is_old())
}

/// Why a folder must not be removed: something in it is not a run's.
///
/// # Errors
///
/// A folder that cannot be read, a mark of a newer version.
pub fn why_not_removed(root: &Path) -> Result<Option<String>> {
    match state_of(root)? {
        State::Absent => return Ok(None),
        State::Other(what) => return Ok(Some(what)),
        _ => {}
    }
    for (folder, known) in [("", &ENTRIES[..]), ("checkpoints", &CHECKPOINTS)] {
        if let Some(name) = foreign_entry(&root.join(folder), known)? {
            return Ok(Some(format!("holds {}, which is no part of a run", Path::new(folder).join(name).display())));
        }
    }
    if is_run(root)? && Mark::read(root)?.is_none() && !has_our_config(root) {
        return Ok(Some(format!("may be no run: it has no {MARK}, and its config.toml is not one of ours")));
    }
    Ok(None)
}

/// Whether `config.toml` has no key but those of a training's or a matcher's record.
fn has_our_config(root: &Path) -> bool {
    let Ok(text) = fs::read_to_string(root.join("config.toml")) else { return false };
    let (Ok(given), Ok(known)) = (text.parse::<toml::Table>(), toml::Table::try_from(TrainConfig::default())) else {
        return false;
    };
    let of_matcher = ["matcher", "init", "data", "pairs", "seed", "settings"];
    given.keys().all(|key| known.contains_key(key)) || given.keys().all(|key| of_matcher.contains(&key.as_str()))
}

fn foreign_entry(folder: &Path, known: &[&str]) -> Result<Option<String>> {
    match names_in(folder) {
        Ok(names) => Ok(names.into_iter().find(|name| !known.contains(&name.as_str()) && !is_leftover(name))),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", folder.display())),
    }
}

fn names_in(folder: &Path) -> std::io::Result<Vec<String>> {
    fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
}

/// What a killed process or a file manager leaves.
fn is_leftover(name: &str) -> bool {
    name.starts_with(atomic::PARTIAL) || LITTER.contains(&name)
}

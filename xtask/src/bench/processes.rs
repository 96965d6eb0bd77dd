//! The processes that measure: this program and a Python script, started alike.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::de::DeserializeOwned;

use super::memory::Held;
use super::operations::Rival;
use super::timing::Timed;

/// Our own EfficientNet-Lite0 in PyTorch, for what the given script lacks.
const BACKBONE_SCRIPT: &str = include_str!("../../benches/torch_backbone.py");

/// What is asked of a process.
#[derive(Clone, Copy, Debug)]
pub enum Question {
    /// How long: the median of so many runs.
    Time(usize),
    /// How much memory.
    Memory,
}

/// This program.
pub struct Ours {
    program: PathBuf,
    threads: usize,
}

/// PyTorch by way of two scripts.
pub struct Torch {
    python: OsString,
    script: PathBuf,
    backbone_script: PathBuf,
    threads: usize,
    /// PyTorch's own version.
    pub version: String,
    /// Holds the backbone's script.
    _folder: tempfile::TempDir,
}

/// Why PyTorch cannot be compared with, and what to do about it.
#[derive(Debug)]
pub struct NoTorch(String);

impl fmt::Display for NoTorch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}; its columns stay empty. Set PYTHON to an interpreter that has PyTorch, as in PYTHON=venv/bin/python",
            self.0
        )
    }
}

impl Ours {
    /// This program on so many threads.
    ///
    /// # Errors
    ///
    /// Where the system does not say which file this program is.
    pub fn new(threads: usize) -> Result<Ours> {
        Ok(Ours { program: std::env::current_exe().context("cannot find this program's own file")?, threads })
    }

    /// Seconds of an operation: the median.
    ///
    /// # Errors
    ///
    /// A process that fails.
    pub fn seconds(&self, op: &str, repeat: usize) -> Result<f64> {
        Ok(answer::<Timed>(&mut self.command(op, Question::Time(repeat)))?.median_s)
    }

    /// Extra memory of an operation in MiB, where the system says.
    ///
    /// # Errors
    ///
    /// A process that fails.
    pub fn mib(&self, op: &str) -> Result<Option<f64>> {
        Ok(answer::<Held>(&mut self.command(op, Question::Memory))?.peak_extra_mib)
    }

    fn command(&self, op: &str, question: Question) -> Command {
        let mut command = Command::new(&self.program);
        command.args(["bench", "--threads", &self.threads.to_string()]);
        match question {
            Question::Time(repeat) => command.args(["--time", op, "--repeat", &repeat.to_string()]),
            Question::Memory => command.args(["--memory", op]),
        };
        command
    }
}

impl Torch {
    /// PyTorch of the interpreter `$PYTHON`, else `python3`, with a script of operations.
    ///
    /// # Errors
    ///
    /// [`NoTorch`] where the script, the interpreter or PyTorch is missing.
    pub fn find(script: &Path, threads: usize) -> Result<Torch, NoTorch> {
        let python = std::env::var_os("PYTHON").filter(|name| !name.is_empty()).unwrap_or_else(|| "python3".into());
        let shown = python.to_string_lossy();
        if !script.is_file() {
            return Err(NoTorch(format!("there is no script {}", script.display())));
        }
        let output = Command::new(&python)
            .args(["-c", "import torch; print(torch.__version__)"])
            .output()
            .map_err(|error| NoTorch(format!("the interpreter {shown} cannot be started ({error})")))?;
        if !output.status.success() {
            let error = last_line(&output.stderr);
            return Err(NoTorch(format!("the interpreter {shown} cannot import torch ({error})")));
        }
        let folder = write_backbone_script().map_err(|error| NoTorch(format!("{error:#}")))?;
        Ok(Torch {
            version: last_line(&output.stdout),
            script: script.to_owned(),
            backbone_script: folder.path().join("torch_backbone.py"),
            threads,
            python,
            _folder: folder,
        })
    }

    /// Seconds of an operation: the median.
    ///
    /// # Errors
    ///
    /// A script that fails, as one that lacks the operation does.
    pub fn seconds(&self, op: &str, rival: Rival, repeat: usize) -> Result<f64> {
        Ok(answer::<Timed>(&mut self.command(op, rival, Question::Time(repeat)))?.median_s)
    }

    /// Extra memory of an operation in MiB.
    ///
    /// # Errors
    ///
    /// A script that fails, as one that lacks the operation does.
    pub fn mib(&self, op: &str, rival: Rival) -> Result<Option<f64>> {
        Ok(answer::<Held>(&mut self.command(op, rival, Question::Memory))?.peak_extra_mib)
    }

    fn command(&self, op: &str, rival: Rival, question: Question) -> Command {
        let script = match rival {
            Rival::Given => &self.script,
            Rival::Backbone => &self.backbone_script,
        };
        let mut command = Command::new(&self.python);
        command.arg(script).args(["--threads", &self.threads.to_string()]);
        match question {
            Question::Time(repeat) => command.args(["--repeat", &repeat.to_string(), "--only", op]),
            Question::Memory => command.args(["--memory", op]),
        };
        command
    }
}

fn write_backbone_script() -> Result<tempfile::TempDir> {
    let folder = tempfile::tempdir().context("cannot create a temporary folder")?;
    let path = folder.path().join("torch_backbone.py");
    std::fs::write(&path, BACKBONE_SCRIPT).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(folder)
}

/// Runs a process and reads the last line that it prints.
fn answer<T: DeserializeOwned>(command: &mut Command) -> Result<T> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().with_context(|| format!("cannot start {program}"))?;
    if !output.status.success() {
        bail!("{program} failed ({}): {}", output.status, last_line(&output.stderr));
    }
    let line = last_line(&output.stdout);
    serde_json::from_str(&line).with_context(|| format!("{program} answered {line:?}, which is no measurement"))
}

fn last_line(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default().trim().to_owned()
}

//! What a command says while it works: on the error stream, and in a run's `log.txt`.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, fmt};

use crate::run_folder::RunFolder;

/// The target of lines that each name a file and that only --verbose shows.
pub const NAMES: &str = "names";

/// A run's `log.txt`. What is said before the run's folder is there is kept until it is.
#[derive(Debug, Default)]
pub struct RunLog(Mutex<Sink>);

#[derive(Debug)]
enum Sink {
    Waiting(Vec<u8>),
    File(File),
}

impl Default for Sink {
    fn default() -> Self {
        Sink::Waiting(Vec::new())
    }
}

impl RunLog {
    /// Writes to the log of `run` from now on, what was said before first.
    ///
    /// # Errors
    ///
    /// A log that cannot be written.
    pub fn attach(&self, run: &RunFolder) -> Result<()> {
        let mut file = run.log()?;
        let mut sink = self.sink();
        if let Sink::Waiting(said) = &*sink {
            file.write_all(said).with_context(|| format!("cannot write the log of {}", run.root().display()))?;
        }
        *sink = Sink::File(file);
        Ok(())
    }

    fn sink(&self) -> MutexGuard<'_, Sink> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Write for &RunLog {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut *self.sink() {
            Sink::Waiting(said) => said.write(bytes),
            Sink::File(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Whether lines are coloured: in a terminal, unless `NO_COLOR` is set to anything but nothing (<https://no-color.org>).
fn coloured(no_color: Option<&OsStr>, terminal: bool) -> bool {
    terminal && no_color.is_none_or(OsStr::is_empty)
}

/// Starts logging; `SCORR_LOG` sets the level (default `info`).
///
/// # Errors
///
/// None at present.
pub fn start(run: Option<Arc<RunLog>>) -> Result<()> {
    start_verbose(run, false)
}

/// As [`start`]; `verbose` shows lines about single files too.
///
/// # Errors
///
/// As [`start`].
pub fn start_verbose(run: Option<Arc<RunLog>>, verbose: bool) -> Result<()> {
    let ours = "info,wgpu=error,wgpu_core=error,wgpu_hal=error,naga=error,cubecl=error,burn=warn";
    let ours = if verbose { format!("{ours},{NAMES}=debug") } else { ours.to_owned() };
    let filter = || EnvFilter::try_from_env("SCORR_LOG").unwrap_or_else(|_| EnvFilter::new(&ours));
    let terminal = fmt::layer()
        .with_target(false)
        .without_time()
        .with_ansi(coloured(std::env::var_os("NO_COLOR").as_deref(), std::io::stderr().is_terminal()))
        .with_writer(std::io::stderr)
        // It would tell of an error stream that cannot be written on the error stream, and panic.
        .log_internal_errors(false)
        .with_filter(filter());
    let file = run.map(|log| {
        fmt::layer()
            .with_target(false)
            .with_ansi(false)
            .with_writer(log)
            .log_internal_errors(false)
            .with_filter(filter())
    });
    // A second start, as in tests of one process, keeps the first subscriber.
    let _ = tracing_subscriber::registry().with(terminal).with(file).try_init();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_coloured_in_a_terminal_that_wants_it() {
        assert!(coloured(None, true) && coloured(Some("".as_ref()), true));
        assert!(!coloured(Some("1".as_ref()), true) && !coloured(Some("0".as_ref()), true) && !coloured(None, false));
    }
}

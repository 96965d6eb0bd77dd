//! What a command says while it works: on the error stream, and in a run's `log.txt`.

use std::io::IsTerminal;
use std::sync::Mutex;

use anyhow::Result;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, fmt};

use crate::run_folder::RunFolder;

/// The target of lines that each name a file and that only --verbose shows.
pub const NAMES: &str = "names";

/// Starts logging; `SCORR_LOG` sets the level (default `info`).
///
/// # Errors
///
/// A run folder whose log cannot be written.
pub fn start(run: Option<&RunFolder>) -> Result<()> {
    start_verbose(run, false)
}

/// As [`start`]; `verbose` shows lines about single files too.
///
/// # Errors
///
/// As [`start`].
pub fn start_verbose(run: Option<&RunFolder>, verbose: bool) -> Result<()> {
    let ours = "info,wgpu=error,wgpu_core=error,wgpu_hal=error,naga=error,cubecl=error,burn=warn";
    let ours = if verbose { format!("{ours},{NAMES}=debug") } else { ours.to_owned() };
    let filter = || EnvFilter::try_from_env("SCORR_LOG").unwrap_or_else(|_| EnvFilter::new(&ours));
    let terminal = fmt::layer()
        .with_target(false)
        .without_time()
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .with_filter(filter());
    let file = match run {
        Some(run) => Some(
            fmt::layer().with_target(false).with_ansi(false).with_writer(Mutex::new(run.log()?)).with_filter(filter()),
        ),
        None => None,
    };
    // A second start, as in tests of one process, keeps the first subscriber.
    let _ = tracing_subscriber::registry().with(terminal).with(file).try_init();
    Ok(())
}

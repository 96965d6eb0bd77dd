//! What a command says while it works: on the error stream, and in a run's `log.txt`.

use std::ffi::OsStr;
use std::io::IsTerminal;
use std::sync::Mutex;

use anyhow::Result;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, fmt};

use crate::run_folder::RunFolder;

/// Whether lines are coloured: in a terminal, unless `NO_COLOR` is set to anything but nothing (<https://no-color.org>).
fn coloured(no_color: Option<&OsStr>, terminal: bool) -> bool {
    terminal && no_color.is_none_or(OsStr::is_empty)
}

/// Starts logging; `SCORR_LOG` sets the level (default `info`).
///
/// # Errors
///
/// A run folder whose log cannot be written.
pub fn start(run: Option<&RunFolder>) -> Result<()> {
    let ours = "info,wgpu=error,wgpu_core=error,wgpu_hal=error,naga=error,cubecl=error,burn=warn";
    let filter = || EnvFilter::try_from_env("SCORR_LOG").unwrap_or_else(|_| EnvFilter::new(ours));
    let terminal = fmt::layer()
        .with_target(false)
        .without_time()
        .with_ansi(coloured(std::env::var_os("NO_COLOR").as_deref(), std::io::stderr().is_terminal()))
        .with_writer(std::io::stderr)
        // It would tell of an error stream that cannot be written on the error stream, and panic.
        .log_internal_errors(false)
        .with_filter(filter());
    let file = match run {
        Some(run) => Some(
            fmt::layer()
                .with_target(false)
                .with_ansi(false)
                .with_writer(Mutex::new(run.log()?))
                .log_internal_errors(false)
                .with_filter(filter()),
        ),
        None => None,
    };
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

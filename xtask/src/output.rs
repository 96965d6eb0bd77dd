//! The one door to standard output and to the error stream. Nothing that happens to either ends the program in a panic.
//!
//! The standard library's `println!` and its kin panic where they cannot write. In this program the same names are macros of
//! this module, so that no line goes past it; `clippy::print_stdout` and `clippy::print_stderr` refuse the library's own.
//!
//! - A pipe whose reader has gone (`… | head`) is no fault. What is left is not said, the command still does its work and
//!   writes its files, and ends as if it had been heard.
//! - Anything else, such as a full disk, is kept, and [`finish`] ends the program with it, once the work is done.
//! - Where the error stream cannot be written, nobody is left to tell: what is said there is lost.

use std::fmt::Arguments;
use std::io::{self, ErrorKind, Write};
use std::path::Path;
use std::sync::OnceLock;

use anyhow::{Result, bail};

/// The first thing that went wrong with standard output; after it nothing more is written.
static FAILED: OnceLock<io::Error> = OnceLock::new();

macro_rules! print {
    ($($text:tt)*) => { $crate::output::say(format_args!($($text)*)) };
}

macro_rules! println {
    ($($text:tt)*) => { $crate::output::say(format_args!("{}\n", format_args!($($text)*))) };
}

macro_rules! eprintln {
    ($($text:tt)*) => { $crate::output::complain(format_args!("{}\n", format_args!($($text)*))) };
}

/// Writes to standard output.
pub fn say(text: Arguments) {
    if FAILED.get().is_none()
        && let Err(error) = io::stdout().write_fmt(text)
    {
        keep(error);
    }
}

/// Writes to the error stream.
pub fn complain(text: Arguments) {
    let _ = io::stderr().write_fmt(text);
}

/// What became of standard output, all of which is written now.
///
/// # Errors
///
/// Where it could not be written, unless its reader had gone.
pub fn finish() -> Result<()> {
    if let Err(error) = io::stdout().flush() {
        keep(error);
    }
    match FAILED.get() {
        Some(error) if error.kind() != ErrorKind::BrokenPipe => bail!("cannot write to standard output: {error}"),
        _ => Ok(()),
    }
}

/// Remembers what went wrong with standard output.
pub fn keep(error: io::Error) {
    let _ = FAILED.set(error);
}

/// A path as it stands in JSON, which is UTF-8: what of a name is not comes out as U+FFFD.
pub fn json_path(path: &Path) -> String {
    path.display().to_string()
}

/// An error with its causes. A cause that the message before it has said already, as that of a library may, is not said
/// again.
pub fn chain(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain() {
        let cause = cause.to_string();
        if text.is_empty() {
            text = cause;
        } else if !text.contains(&cause) {
            text += &format!(": {cause}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_said_once() {
        let json = serde_json::from_str::<u32>("[").unwrap_err();
        let said = json.to_string();
        let quoting = eval::PredictionsError::Io { path: "p.jsonl".into(), source: io::Error::other(json) };
        let error = anyhow::Error::new(quoting).context("cannot use the predictions in p.jsonl");
        let text = chain(&error);
        assert_eq!(text, format!("cannot use the predictions in p.jsonl: p.jsonl: {said}"));
        // Different causes are all said, from the outermost to the innermost.
        let error = anyhow::anyhow!("no such file").context("cannot read a.toml").context("in the plan");
        assert_eq!(chain(&error), "in the plan: cannot read a.toml: no such file");
    }
}

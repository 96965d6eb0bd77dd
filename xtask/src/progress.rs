//! Progress lines with an estimate of the time left, for anything longer than a second.

use indicatif::{ProgressBar, ProgressStyle};

/// A line that shows how far a count has come; nothing where the error stream is no terminal.
pub fn count(total: usize, what: &str) -> ProgressBar {
    let bar = ProgressBar::new(total as u64);
    bar.set_style(style("{msg} [{bar:30}] {pos}/{len}, {per_sec}, {eta} left"));
    bar.set_message(what.to_owned());
    bar
}

/// As [`count`], with room for losses behind the time left.
pub fn steps(total: usize, done: usize) -> ProgressBar {
    let bar = ProgressBar::new(total as u64).with_position(done as u64);
    bar.set_style(style("step {pos}/{len} [{bar:20}] {eta} left  {msg}"));
    bar.reset_eta();
    bar
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> ")
}

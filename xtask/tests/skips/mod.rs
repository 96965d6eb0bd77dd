//! Tests that need more than Rust are skipped where it is missing, and never in silence.
//!
//! The tests of every crate include this file by its path.
//!
//! ```text
//! SCORR_REQUIRE=gpu,weights   a test that is skipped for want of one of these fails instead
//! SCORR_SKIPS=/FILE           each skip adds a line to this file: what is missing, the test, and why, with tabs between
//! ```
//!
//! A test may be skipped in several places: `cut -f 1,2 FILE | sort -u` has a line for each test.

use std::fmt::Display;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::{env, fs, io, thread};

/// What a test may need: a GPU adapter (software counts), the published weights of EfficientNet-Lite0 and those of Lite2, the
/// folder of test data, a Chromium, a `python3`, a font of the system, a shell that sets limits.
pub const PARTS: [&str; 8] = ["gpu", "weights", "weights-lite2", "data", "browser", "python", "font", "limits"];

/// Says that the running test, or the rest of it, is skipped.
///
/// # Panics
///
/// If `SCORR_REQUIRE` lists the part or a word that is no part; if the line cannot be added to `SCORR_SKIPS`.
pub fn skip(part: &str, why: impl Display) {
    assert!(PARTS.contains(&part), "{part:?} is none of {}", PARTS.join(", "));
    let test = format!(
        "{} {}::{}",
        env!("CARGO_PKG_NAME"),
        env!("CARGO_CRATE_NAME"),
        thread::current().name().unwrap_or("(a thread without a name)")
    );
    let list = env::var("SCORR_REQUIRE").unwrap_or_default();
    assert!(!required(&list).contains(&part), "{test} needs what SCORR_REQUIRE lists, {part}: {why}");
    // Not by `eprintln`, which the test harness shows of failing tests alone.
    let told = writeln!(io::stderr(), "skipped for want of {part}: {test}: {why}");
    told.expect("standard error takes a line");
    if let Some(file) = env::var_os("SCORR_SKIPS").filter(|file| !file.is_empty()) {
        count(Path::new(&file), &format!("{part}\t{test}\t{why}"));
    }
}

/// The parts in a list with commas.
///
/// # Panics
///
/// If a word is no part.
pub fn required(list: &str) -> Vec<&str> {
    let words: Vec<&str> = list.split(',').map(str::trim).filter(|word| !word.is_empty()).collect();
    for word in &words {
        assert!(PARTS.contains(word), "SCORR_REQUIRE lists {word:?}; known are {}", PARTS.join(", "));
    }
    words
}

/// Adds a line, in one write: tests of several processes do so at a time.
fn count(file: &Path, line: &str) {
    assert!(
        file.is_absolute(),
        "SCORR_SKIPS is an absolute path, since tests run in folders of their own, not {file:?}"
    );
    let line = format!("{}\n", line.replace('\n', " "));
    let added =
        fs::OpenOptions::new().create(true).append(true).open(file).and_then(|mut to| to.write_all(line.as_bytes()));
    added.unwrap_or_else(|error| panic!("SCORR_SKIPS: {}: cannot be written ({error})", file.display()));
}

/// The folder `name` in the test data that `SCORR_TEST_DATA` names; where it is not there, the test is skipped.
#[allow(dead_code)]
pub fn test_data(name: &str) -> Option<PathBuf> {
    let Some(folder) = env::var_os("SCORR_TEST_DATA").map(|root| PathBuf::from(root).join(name)) else {
        skip("data", "SCORR_TEST_DATA is not set");
        return None;
    };
    if !folder.is_dir() {
        skip("data", format!("{} is not there", folder.display()));
        return None;
    }
    Some(folder)
}

/// The browser on the path; where there is none, the test is skipped.
#[allow(dead_code)]
pub fn browser() -> Option<PathBuf> {
    const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
    let path = env::var_os("PATH").unwrap_or_default();
    let mut candidates = env::split_paths(&path).flat_map(|folder| NAMES.map(|name| folder.join(name)));
    let found = candidates.find(|file| file.is_file());
    if found.is_none() {
        skip("browser", format!("none of {} is on PATH", NAMES.join(", ")));
    }
    found
}

//! A test within a test, in a process that may do less than others.

// no test uses all of it
#![allow(dead_code)]

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::skips::skip;

/// No file can have more than 8 KiB (in some shells 4): to the process, the disk is full. Without the trap, the signal that
/// goes with the limit would end it.
pub const LITTLE_DISK: &str = "trap '' XFSZ; ulimit -f 8";
/// No more than 32 files can be open.
pub const FEW_FILES: &str = "ulimit -n 32";

const FOLDER: &str = "SC_IMAGENET_LIMITED_TEST";

/// Runs the test called `name` of this program under a limit, and gives back what it prints. `None`, and a skip, where
/// there is no shell for it.
pub fn run(name: &str, limit: &str, folder: &Path) -> Option<String> {
    if !cfg!(unix) {
        skip("limits", "there are no limits to set here");
        return None;
    }
    let output = Command::new("sh")
        .args(["-c", &format!("{limit}; exec \"$0\" \"$@\"")])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(FOLDER, folder)
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{printed}{}", String::from_utf8_lossy(&output.stderr));
    Some(printed)
}

/// In the process that [`run`] starts: the folder to work in.
pub fn folder() -> Option<PathBuf> {
    std::env::var_os(FOLDER).map(PathBuf::from)
}

//! A test within a test, in a process whose files cannot grow: to it, the disk is full.

use std::path::{Path, PathBuf};
use std::process::Command;

const FOLDER: &str = "SC_IMAGENET_LITTLE_DISK";

/// Runs the test called `name` of this program so that no file can have more than 8 KiB (in some shells 4), and gives back
/// what it prints. `None`, with a message, where there is no shell for it.
pub fn run(name: &str, folder: &Path) -> Option<String> {
    if !cfg!(unix) {
        println!("skipped: there is no limit of file sizes to set here");
        return None;
    }
    // Without the trap, the signal that goes with the limit would end the process.
    let script = "trap '' XFSZ; ulimit -f 8; exec \"$0\" \"$@\"";
    let program = std::env::current_exe().unwrap();
    let output = Command::new("sh")
        .args(["-c", script])
        .arg(program)
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

//! The scripts that read a layout, where there is a Python to run them.

use std::path::Path;
use std::process::Command;

use crate::skips::skip;

/// Walks a data set as a program would that knows nothing but the description of the layout; `None`, and a skip, without
/// Python.
pub fn walk_with_python(out: &Path, more: &[&str]) -> Option<Result<String, String>> {
    run_script("walk_layout.py", out, more)
}

/// Runs a script of this folder's parent on a data set; what it prints, or its complaint; `None` without Python.
pub fn run_script(script: &str, out: &Path, more: &[&str]) -> Option<Result<String, String>> {
    let script = Path::new("tests").join(script);
    let output = match Command::new("python3").arg(script).arg(out).args(more).output() {
        Ok(output) => output,
        Err(error) => {
            skip("python", format!("python3 cannot be run ({error})"));
            return None;
        }
    };
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    Some(if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) })
}

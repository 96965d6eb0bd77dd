//! What is skipped says so, is counted, and fails where it is required.

use std::fs;
use std::process::{Command, Output};

use crate::skips::{PARTS, required, skip};

/// Skips a test in a process of its own, which is this program: by the test below.
const SKIP: &str = "SCORR_SKIPPING_TEST";

/// Run by the tests below; by itself it has nothing to do.
#[test]
fn skipped_by_another_test() {
    if std::env::var_os(SKIP).is_some() {
        skip("browser", "this is a test\nof skips");
        skip("python", "and it goes on");
    }
}

fn skipped(variables: &[(&str, &str)]) -> Output {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "skipping::skipped_by_another_test"])
        .env_remove("SCORR_REQUIRE")
        .env_remove("SCORR_SKIPS")
        .env(SKIP, "1")
        .envs(variables.iter().copied())
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes)).concat()
}

#[test]
fn a_skip_is_told_although_the_test_passes_and_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("skips");
    let name = file.to_string_lossy().into_owned();
    for times in 1..3 {
        let output = skipped(&[("SCORR_SKIPS", &name), ("SCORR_REQUIRE", "gpu,weights")]);
        assert!(output.status.success(), "{}", said(&output));
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(told.contains("skipped for want of browser: xtask cli::skipping::skipped_by_another_test: "), "{told}");
        let lines = fs::read_to_string(&file).unwrap();
        assert_eq!(lines.lines().count(), 2 * times, "{lines}");
        let first: Vec<&str> = lines.lines().next().unwrap().split('\t').collect();
        assert_eq!(first, ["browser", "xtask cli::skipping::skipped_by_another_test", "this is a test of skips"]);
    }
}

#[test]
fn a_skip_of_what_is_required_fails() {
    // The second of two parts counts too, and so do spaces and a comma too many.
    for list in ["browser", "gpu, python ,", "gpu,weights,data,browser,python"] {
        let output = skipped(&[("SCORR_REQUIRE", list)]);
        let message = said(&output);
        assert!(!output.status.success() && message.contains("needs what SCORR_REQUIRE lists"), "{list}: {message}");
    }
    for list in ["", "gpu"] {
        assert!(skipped(&[("SCORR_REQUIRE", list)]).status.success(), "{list}");
    }
}

#[test]
fn what_is_asked_for_wrongly_fails() {
    let unknown = skipped(&[("SCORR_REQUIRE", "gpu,chromium")]);
    let message = said(&unknown);
    assert!(
        !unknown.status.success()
            && message.contains("lists \"chromium\"; known are gpu, weights, weights-lite2, data"),
        "{message}"
    );
    for (file, complaint) in [("skips.txt", "is an absolute path"), ("/no/such/folder/skips", "cannot be written")] {
        let output = skipped(&[("SCORR_SKIPS", file)]);
        assert!(!output.status.success() && said(&output).contains(complaint), "{}", said(&output));
    }
}

/// A word that is misspelt would otherwise be noticed only where something is skipped.
#[test]
fn what_is_required_of_this_run_is_known() {
    required(&std::env::var("SCORR_REQUIRE").unwrap_or_default());
    assert_eq!(required(&PARTS.join(",")), PARTS);
}

//! The benchmark: times of ours with and without PyTorch, and what is refused.

use serde_json::Value;

use crate::support::Scene;

const QUICK: [&str; 7] = ["bench", "--only", "vote/20", "--repeat", "1", "--threads", "1"];

fn row(line: &str) -> Value {
    let row: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line:?}"));
    let keys: Vec<&str> = row.as_object().unwrap().keys().map(String::as_str).collect();
    for key in ["op", "ours_s", "torch_s", "ratio", "ours_mib", "torch_mib"] {
        assert!(keys.contains(&key), "{key} is missing in {row}");
    }
    row
}

#[test]
fn one_operation_is_one_line_with_a_time() {
    let scene = Scene::new();
    let printed = scene.succeed(&[&QUICK[..], &["--json"]].concat());
    assert_eq!(printed.lines().count(), 1, "{printed}");
    let row = row(&printed);
    assert_eq!(row["op"], "vote/20");
    assert!(row["ours_s"].as_f64().unwrap() > 0.0, "{row}");
    assert!(row["torch_s"].is_null() && row["ratio"].is_null() && row["torch_mib"].is_null(), "{row}");
    if cfg!(target_os = "linux") {
        // Four volumes of 400×400 f32 are 2.4 MiB, and the result is as large.
        assert!(row["ours_mib"].as_f64().unwrap() > 2.0, "{row}");
    }

    let table = scene.succeed(&QUICK);
    assert!(table.contains("vote/20") && table.contains("ms") && !table.contains("PyTorch"), "{table}");
    assert!(scene.succeed(&["bench", "--list"]).lines().any(|line| line.starts_with("cascade_step/20")));
}

#[test]
fn an_unknown_name_is_refused_with_those_that_there_are() {
    let message = Scene::new().fail(&["bench", "--only", "vote/20", "vote/21"]);
    assert!(message.contains("\"vote/21\"") && message.contains("readout/64, vote/20, vote/32"), "{message}");
}

#[test]
fn without_an_interpreter_ours_are_measured_all_the_same() {
    let scene = Scene::new();
    let script = scene.path("ops.py");
    std::fs::write(&script, "").unwrap();
    let against = |script: &str, python: &str| {
        let flags = [&QUICK[..], &["--json", "--against-torch", script]].concat();
        let output = scene.command(&flags).env("PYTHON", python).output().unwrap();
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{message}");
        let row = row(&String::from_utf8_lossy(&output.stdout));
        assert!(row["ours_s"].as_f64().unwrap() > 0.0 && row["torch_s"].is_null(), "{row}");
        message
    };
    let message = against(&script.to_string_lossy(), "no-such-python");
    assert!(message.contains("no-such-python cannot be started") && message.contains("Set PYTHON"), "{message}");
    let message = against("nowhere.py", "no-such-python");
    assert!(message.contains("no script nowhere.py"), "{message}");
}

#[test]
#[cfg(unix)]
fn the_script_takes_turns_and_what_it_lacks_stays_empty() {
    use std::process::Command;

    // Stands in for Python: answers the question for a version, and any operation but one.
    let scene = Scene::new();
    let answers = r#"#!/bin/sh
echo "$@" >> asked.txt
case "$*" in
*import*) echo 1.2.3 ;;
*vote/32*) echo "KeyError: 'vote/32'" >&2; exit 1 ;;
*--memory*) echo '{"op": "vote/20", "peak_extra_mib": 50.0}' ;;
*) echo '{"op": "vote/20", "median_s": 2.0, "min_s": 1.0, "threads": 1, "torch": "1.2.3"}' ;;
esac
"#;
    // Written by another process: a file that this one has just held open cannot always be executed.
    let write = r#"printf '%s' "$1" > python && chmod +x python"#;
    let written = Command::new("sh").args(["-c", write, "sh", answers]).current_dir(scene.path("")).status().unwrap();
    assert!(written.success());
    std::fs::write(scene.path("ops.py"), "").unwrap();
    let flags =
        ["bench", "--only", "vote/20", "vote/32", "--repeat", "1", "--threads", "1", "--against-torch", "ops.py"];
    let flags = [&flags[..], &["--json"]].concat();
    let output = scene.command(&flags).env("PYTHON", scene.path("python")).output().unwrap();
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{message}");
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let rows: Vec<Value> = printed.lines().map(row).collect();
    assert_eq!((&rows[0]["torch_s"], &rows[0]["torch_mib"]), (&Value::from(2.0), &Value::from(50.0)));
    let ratio = rows[0]["ours_s"].as_f64().unwrap() / 2.0;
    assert!((rows[0]["ratio"].as_f64().unwrap() - ratio).abs() < 1e-9, "{printed}");
    assert!(rows[1]["ours_s"].as_f64().unwrap() > 0.0 && rows[1]["torch_s"].is_null(), "{printed}");
    assert!(message.contains("vote/32: ") && message.contains("KeyError"), "{message}");
    let asked = std::fs::read_to_string(scene.path("asked.txt")).unwrap();
    let timed = asked.lines().filter(|line| line.contains("ops.py --threads 1 --repeat 1 --only vote/20"));
    assert_eq!(timed.count(), 5, "{asked}");
}

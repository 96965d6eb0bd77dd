//! The main job, end to end, as a user runs it.

/// The library user's way, which has to find what the command line finds.
#[path = "../../../refine-cascade/examples/match_pair.rs"]
mod match_pair;

use std::io::Read;
use std::process::Stdio;
use std::time::Duration;

use crate::support::{Scene, state};

#[test]
fn a_run_trains_is_scored_and_matches() {
    let scene = Scene::new();
    let table = scene.succeed(&scene.tiny("a", &[]));
    let methods = [
        "identity",
        "raw-rgb",
        "untrained",
        "raw-hard",
        "raw-voted",
        "raw-smoothed",
        "stage-1",
        "stage-2",
        "stage-2-voted",
    ];
    for method in methods {
        assert!(table.contains(method), "{method} is not in the table:\n{table}");
    }
    for file in ["config.toml", "metrics.jsonl", "log.txt", "checkpoints/last.ckpt", "checkpoints/best.ckpt"] {
        assert!(scene.path("runs/a").join(file).exists(), "{file}");
    }

    let report = scene.succeed(&["eval", "--run", "a", "--device", "cpu", "--pairs", "3", "--json"]);
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["protocol"], "frame=original,length=bbox-kp,direction=forward,average=category");
    for method in ["raw-smoothed", "stage-2"] {
        assert!(report["rows"].as_array().unwrap().iter().any(|row| row["method"] == method && row["alpha"] == 0.1));
    }
    assert!(std::fs::read_to_string(scene.path("runs/a/report.html")).unwrap().contains("raw-smoothed"));

    let data = std::fs::read_dir(scene.path("cache/drawn")).unwrap().next().unwrap().unwrap().path();
    let image = |index: usize| data.join(format!("car/{index:05}.png")).to_string_lossy().into_owned();
    let out = scene.path("match.png").to_string_lossy().into_owned();
    let flags = ["match", &image(1), &image(3), "--run", "a", "--device", "cpu", "--points", "20,30", "--out", &out];
    let flags = [&flags[..], &["--method", "stage-2"]].concat();
    let json: serde_json::Value = serde_json::from_str(&scene.succeed(&flags)).unwrap();
    assert_eq!(json["matches"][0]["source"], serde_json::json!([20.0, 30.0]));
    let model = scene.path("runs/a/model");
    let by_library = match_pair::match_point(&model, [image(1).as_ref(), image(3).as_ref()], [20.0, 30.0]).unwrap();
    let by_command: [f32; 2] = serde_json::from_value(json["matches"][0]["target"].clone()).unwrap();
    assert!((0..2).all(|axis| (by_library[axis] - by_command[axis]).abs() < 0.05), "{by_library:?} {by_command:?}");

    let picture = image::open(&out).unwrap();
    assert!(picture.width() > 128 && picture.height() > 128);
}

#[test]
fn one_seed_gives_one_run_and_another_seed_another() {
    let scene = Scene::new();
    let parameters = |run: &str, seed: &str| {
        scene.succeed(&scene.tiny(run, &["--seed", seed]));
        state(&scene.path("runs").join(run).join("checkpoints/last.ckpt"))["parameters"].clone()
    };
    let first = parameters("a", "1");
    assert_eq!(first, parameters("b", "1"));
    assert_ne!(first, parameters("c", "2"));
}

#[test]
fn a_killed_run_resumes_to_the_same_parameters() {
    let scene = Scene::new();
    scene.succeed(&scene.tiny("whole", &[]));
    let whole = state(&scene.path("runs/whole/checkpoints/last.ckpt"));

    // Killed at five instants spread over the run, and resumed each time.
    let flags = scene.tiny("killed", &[]);
    let mut resume = flags.clone();
    resume.push("--resume");
    for (attempt, milliseconds) in [900, 300, 1500, 700, 400].into_iter().enumerate() {
        let there = scene.path("runs/killed/config.toml").exists();
        let mut child = scene
            .command(if attempt == 0 || !there { &flags } else { &resume })
            .stderr(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(milliseconds));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let there = scene.path("runs/killed/config.toml").exists();
    scene.succeed(if there { &resume } else { &flags });
    let killed = state(&scene.path("runs/killed/checkpoints/last.ckpt"));
    assert_eq!((&killed["parameters"], &killed["step"]), (&whole["parameters"], &whole["step"]));

    // Every step is in the metrics once.
    let mut metrics = String::new();
    std::fs::File::open(scene.path("runs/killed/metrics.jsonl")).unwrap().read_to_string(&mut metrics).unwrap();
    let steps: Vec<u64> = metrics
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .filter(|record| record.get("loss").is_some())
        .map(|record| record["step"].as_u64().unwrap())
        .collect();
    assert_eq!(steps, [1, 2, 3, 4]);
}

#[test]
fn a_run_is_not_resumed_under_a_changed_configuration() {
    let scene = Scene::new();
    scene.succeed(&scene.tiny("a", &[]));
    let message = scene.fail(&["train", "--run", "a", "--resume", "--device", "cpu", "--set", "train.steps=9"]);
    assert!(message.contains("`train.steps`: 9 / 4"), "{message}");
    let message = scene.fail(&scene.tiny("a", &[]));
    assert!(message.contains("--resume"), "{message}");
}

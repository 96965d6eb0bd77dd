//! The main job, end to end, as a user runs it.

/// The library user's way, which has to find what the command line finds.
#[path = "../../../refine-cascade/examples/match_pair.rs"]
mod match_pair;

use std::fs;

use serde_json::Value;

use crate::support::{Scene, kill_at, state};

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
    // Every loss is computed in every step: what the other tests compare, they compare of all of them.
    for record in metrics(&scene, "a") {
        let losses: Vec<&String> = record["losses"].as_object().unwrap().keys().collect();
        let mut wanted = vec!["image", "region", "pixel"];
        wanted.extend(["labels-1", "warp-1", "bipath-1", "negative-1", "labels-2", "warp-2", "bipath-2", "negative-2"]);
        assert!(
            losses.len() == wanted.len() && wanted.iter().all(|name| losses.iter().any(|loss| loss == name)),
            "{losses:?}"
        );
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

    // Killed before its start is saved, after that, and after each step but the last; resumed each time.
    let flags = scene.tiny("killed", &[]);
    let resume = [&flags[..], &["--resume"]].concat();
    let file = |name: &str| scene.path("runs/killed").join(name);
    let last = file("checkpoints/last.ckpt");
    let step = || if last.exists() { state(&last)["step"].as_u64().unwrap() } else { 0 };
    let command = || scene.command(if file("config.toml").exists() { &resume } else { &flags });
    kill_at(command(), || file("config.toml").exists().then_some(()));
    kill_at(command(), || file("checkpoints/start.ckpt").exists().then_some(()));
    for least in 1..4 {
        let killed_at = kill_at(command(), || Some(step()).filter(|step| *step >= least));
        assert!((least..4).contains(&step()), "of 4 steps {} were done, killed at step {killed_at}", step());
    }
    scene.succeed(&resume);
    let killed = state(&last);
    assert_eq!((&killed["parameters"], &killed["step"]), (&whole["parameters"], &whole["step"]));

    // Every step is in the metrics once.
    let steps: Vec<u64> = metrics(&scene, "killed").iter().map(|record| record["step"].as_u64().unwrap()).collect();
    assert_eq!(steps, [1, 2, 3, 4]);
}

/// What the steps of a run wrote down.
fn metrics(scene: &Scene, run: &str) -> Vec<Value> {
    let text = fs::read_to_string(scene.path("runs").join(run).join("metrics.jsonl")).unwrap();
    let records = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    records.filter(|record| record.get("loss").is_some()).collect()
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

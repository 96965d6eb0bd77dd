//! Scoring: runs on benchmarks, and what other programs predicted.

use std::path::{Path, PathBuf};

use eval::{BenchmarkName, KeyPointPair, ReadOptions, read_pairs};
use serde_json::{Value, json};

use crate::support::Scene;

/// A small data set of class folders with key points, in the scene's folder.
fn drawn(scene: &Scene) -> PathBuf {
    scene.succeed(&scene.tiny("run", &["--set", "train.steps=1"]));
    std::fs::read_dir(scene.path("cache/drawn")).unwrap().next().unwrap().unwrap().path()
}

fn pairs(folder: &Path) -> Vec<KeyPointPair> {
    let options = ReadOptions { split: Some(eval::BenchmarkSplit::All), ..ReadOptions::default() };
    read_pairs(BenchmarkName::Willow, folder, &options).unwrap().pairs
}

/// A file of predictions: the annotation, moved by so many pixels.
fn predictions(scene: &Scene, name: &str, pairs: &[KeyPointPair], shift: f32) -> String {
    let line = |pair: &KeyPointPair| {
        let points: Vec<[f32; 2]> = pair.target.points.iter().map(|[x, y]| [x + shift, *y]).collect();
        format!("{}\n", json!({ "pair": pair.id, "points": points }))
    };
    let path = scene.path(name);
    std::fs::write(&path, pairs.iter().map(line).collect::<String>()).unwrap();
    path.to_string_lossy().into_owned()
}

fn score(scene: &Scene, flags: &[&str]) -> Value {
    serde_json::from_str(&scene.succeed(&[&["score"], flags, &["--json"]].concat())).unwrap()
}

#[test]
fn predictions_of_another_program_are_scored() {
    let scene = Scene::new();
    let folder = scene.key_points();
    let data = folder.to_string_lossy().into_owned();
    let all = pairs(&folder);
    let right = predictions(&scene, "right.jsonl", &all, 0.0);
    let protocol = "frame=original,length=img,direction=forward,average=image";
    let flags = ["--data", &data, "--pairs", "0", "--protocol", protocol, "--alpha", ".05,.1"];

    let report = score(&scene, &[&flags[..], &["--predictions", &right]].concat());
    assert_eq!(report["protocol"], protocol);
    assert_eq!(report["pairs"], all.len());
    let rows = report["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 2);
    assert!(rows.iter().all(|row| row["pck"] == 100.0 && row["low"] == 100.0 && row["method"] == "right"), "{rows:?}");

    // Images are 64 pixels wide: 5 pixels are within .1 and not within .05.
    let shifted = predictions(&scene, "shifted.jsonl", &all, 5.0);
    let report = score(&scene, &[&flags[..], &["--predictions", &shifted, "--against", &right]].concat());
    let pck = |method: &str, alpha: f64| {
        let rows = report["rows"].as_array().unwrap();
        rows.iter().find(|row| row["method"] == method && row["alpha"] == alpha).unwrap()["pck"].clone()
    };
    assert_eq!(
        [pck("shifted", 0.05), pck("shifted", 0.1), pck("right", 0.05)],
        [json!(0.0), json!(100.0), json!(100.0)]
    );
    assert_eq!(report["compared"][0]["difference"], -100.0);
    assert_eq!(report["compared"][0]["better"], 0.0);

    // A subset says so.
    let report = score(
        &scene,
        &["--data", &data, "--pairs", "0", "--limit", "3", "--predictions", &{
            let limited = scene.path("asked.jsonl").to_string_lossy().into_owned();
            scene.succeed(&["score", "--data", &data, "--pairs", "0", "--limit", "3", "--asked", &limited]);
            let asked: Vec<Value> = std::fs::read_to_string(&limited)
                .unwrap()
                .lines()
                .map(|line| serde_json::from_str(line).unwrap())
                .collect();
            assert_eq!(asked.len(), 3);
            assert!(asked.iter().all(|line| Path::new(line["predict_in"].as_str().unwrap()).is_file()));
            let chosen: Vec<KeyPointPair> =
                all.iter().filter(|pair| asked.iter().any(|line| line["pair"] == pair.id.as_str())).cloned().collect();
            predictions(&scene, "three.jsonl", &chosen, 0.0)
        }],
    );
    assert_eq!(report["pairs"], 3);
    assert!(report["protocol"].as_str().unwrap().ends_with(",limit=3,seed=0"), "{report}");
}

#[test]
fn predictions_that_do_not_fit_are_refused() {
    let scene = Scene::new();
    let folder = scene.key_points();
    let data = folder.to_string_lossy().into_owned();
    let all = pairs(&folder);
    let flags = ["score", "--data", &data, "--pairs", "0", "--predictions"];

    let missing = predictions(&scene, "missing.jsonl", &all[1..], 0.0);
    let message = scene.fail(&[&flags[..], &[&missing]].concat());
    assert!(message.contains(&all[0].id) && message.contains("--partial"), "{message}");
    let partial = score(&scene, &[&flags[1..], &[&missing, "--partial"]].concat());
    assert_eq!(partial["pairs"], all.len() - 1);
    assert!(partial["protocol"].as_str().unwrap().contains(&format!("partial={}/{}", all.len() - 1, all.len())));

    let right = predictions(&scene, "surplus.jsonl", &all, 0.0);
    let text = std::fs::read_to_string(&right).unwrap();
    std::fs::write(&right, format!("{text}{}\n", json!({ "pair": "zebra/1--2", "points": [] }))).unwrap();
    assert!(scene.fail(&[&flags[..], &[&right]].concat()).contains("zebra/1--2"));

    let damaged = scene.path("damaged.jsonl").to_string_lossy().into_owned();
    std::fs::write(&damaged, "{\"pair\": \"a\"\n").unwrap();
    let message = scene.fail(&[&flags[..], &[&damaged]].concat());
    assert!(message.contains("damaged.jsonl, line 1"), "{message}");

    let message = scene.fail(&["score", "--data", "nowhere", "--predictions", &damaged]);
    assert!(message.contains("nowhere"), "{message}");
    let message = scene.fail(&["score", "--benchmark", "spair", "--data", &data, "--predictions", &damaged]);
    assert!(message.contains("SPair-71k") && message.contains("Layout"), "{message}");
    let message = scene.fail(&[&flags[..], &[&right, "--protocol", "frame=round"]].concat());
    assert!(message.contains("stretched:S"), "{message}");
}

#[test]
fn a_run_is_scored_once_and_reported_under_any_protocol() {
    let scene = Scene::new();
    let data = drawn(&scene).to_string_lossy().into_owned();
    let flags = ["eval", "--run", "run", "--data", &data, "--pairs", "3", "--device", "cpu"];
    let table = scene.succeed(&[&flags[..], &["--more", "--classes"]].concat());
    for expected in ["stage-2-voted", "PCK†", "KAP", "swapped", "report.html"] {
        assert!(table.contains(expected), "{expected} is not in\n{table}");
    }
    let run = scene.path("runs/run");
    let html = std::fs::read_to_string(run.join("report.html")).unwrap();
    assert!(html.contains("<svg") && html.contains("data:image/jpeg") && html.contains("average=category"));
    for file in ["willow.json", "willow.md", "figures/willow-curves.svg", "figures/willow-classes.svg"] {
        assert!(run.join("eval").join(file).metadata().unwrap().len() > 100, "{file}");
    }
    let cached = || {
        let files = std::fs::read_dir(run.join("eval")).unwrap().flatten();
        let mut found: Vec<_> = files
            .filter(|file| file.file_name().to_string_lossy().starts_with("predictions-"))
            .map(|file| (file.file_name(), std::fs::read(file.path()).unwrap()))
            .collect();
        found.sort();
        found
    };
    let before = cached();
    assert_eq!(before.len(), 1);

    // Another protocol asks the network nothing; another direction does, in a file of its own.
    let report = scene.succeed(&[&flags[..], &["--protocol", "frame=stretched:64,average=image", "--json"]].concat());
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["protocol"], "frame=stretched:64,length=bbox-kp,direction=forward,average=image");
    assert_eq!(cached(), before);
    scene.succeed(&[&flags[..], &["--protocol", "direction=backward"]].concat());
    assert_eq!(cached().len(), 2);

    // What the run predicted is what `score` scores alike.
    let lines = String::from_utf8(before[0].1.clone()).unwrap();
    let of_stage: Vec<String> = lines
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|line| line["method"] == "stage-2")
        .map(|line| format!("{}\n", json!({ "pair": line["pair"], "points": line["points"] })))
        .collect();
    let file = scene.path("stage-2.jsonl");
    std::fs::write(&file, of_stage.concat()).unwrap();
    let scored =
        scene.succeed(&["score", "--data", &data, "--pairs", "3", "--predictions", &file.to_string_lossy(), "--json"]);
    let scored: Value = serde_json::from_str(&scored).unwrap();
    let own: Value = serde_json::from_str(&scene.succeed(&[&flags[..], &["--json"]].concat())).unwrap();
    let own: Vec<&Value> = own["rows"].as_array().unwrap().iter().filter(|row| row["method"] == "stage-2").collect();
    assert_eq!(scored["rows"].as_array().unwrap().iter().collect::<Vec<_>>(), own);
}

#[test]
fn a_template_is_written_once_and_read() {
    let scene = Scene::new();
    for name in ["mine.csv", "mine.jsonl"] {
        let path = scene.path(name).to_string_lossy().into_owned();
        scene.succeed(&["score", "--template", &path]);
        assert!(scene.fail(&["score", "--template", &path]).contains("not overwritten"));
    }
    // The second line of the JSONL template leaves sizes to the images, which are not there.
    let [csv, jsonl] = ["mine.csv", "mine.jsonl"].map(|name| scene.path(name).to_string_lossy().into_owned());
    let asked = scene.path("asked.jsonl").to_string_lossy().into_owned();
    scene.succeed(&["score", "--benchmark", "table", "--data", &csv, "--asked", &asked]);
    let first = std::fs::read_to_string(&asked).unwrap();
    let first: Value = serde_json::from_str(first.lines().next().unwrap()).unwrap();
    assert_eq!(first["points"].as_array().unwrap().len(), 3);
    let message = scene.fail(&["score", "--benchmark", "table", "--data", &jsonl, "--asked", &asked]);
    assert!(message.contains("b.jpg"), "{message}");
    assert!(scene.fail(&["score", "--template", "mine.txt"]).contains(".jsonl"));
    assert!(scene.succeed(&["score", "--layouts"]).contains("PairAnnotation"));
}

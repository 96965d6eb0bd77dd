//! `pretrain`, `finetune` and `experiment` on drawn objects, through a random backbone.

use std::fs;
use std::path::PathBuf;

use crate::support::{LENIENT, Scene, kill_at, state};

/// A random backbone, and training of seconds.
const SMALL: [&str; 12] = [
    "backbone.name=small",
    "backbone.input=64",
    "backbone.blocks=[3]",
    "cats.grid=4",
    "cats.projected=8",
    "dhpf.grid=4",
    "pretrain.trainer.steps=6",
    "pretrain.checkpoint_every=1",
    "pretrain.batch=2",
    "finetune.trainer.steps=3",
    "finetune.batch=2",
    "views=1",
];

/// Drawn objects with their key points, and labels of them.
fn scene() -> (Scene, PathBuf) {
    let scene = Scene::new();
    scene.succeed(&scene.tiny("a", &[]));
    let drawn = fs::read_dir(scene.path("cache/drawn")).unwrap().next().unwrap().unwrap().path();
    let data = drawn.to_string_lossy().into_owned();
    let mut flags =
        vec!["label", "--run", "a", "--device", "cpu", "--data", &data, "--out", "labels", "--val-share", "0"];
    LENIENT.iter().for_each(|setting| flags.extend(["--set", setting]));
    scene.succeed(&flags);
    (scene, drawn)
}

/// Strings as TOML lists them.
fn quoted(strings: &[&str]) -> String {
    strings.iter().map(|string| format!("{string:?}")).collect::<Vec<_>>().join(", ")
}

fn with_small<'a>(flags: &[&'a str]) -> Vec<&'a str> {
    let mut all = flags.to_vec();
    all.extend(["--device", "cpu"]);
    SMALL.iter().for_each(|setting| all.extend(["--set", setting]));
    all
}

#[test]
fn matchers_are_pre_trained_fine_tuned_and_scored() {
    let (scene, drawn) = scene();
    let data = drawn.to_string_lossy();
    for matcher in ["nc-net", "dhpf", "cats"] {
        scene.succeed(&with_small(&["pretrain", "--matcher", matcher, "--data", "labels", "--run", matcher]));
        let tuned = format!("{matcher}-tuned");
        let scores = scene.succeed(&with_small(&[
            "finetune",
            "--matcher",
            matcher,
            "--init",
            matcher,
            "--data",
            &data,
            "--pairs",
            "4",
            "--run",
            &tuned,
            "--json",
        ]));
        let report: serde_json::Value = serde_json::from_str(&scores).unwrap();
        assert_eq!(report["rows"].as_array().map(Vec::len), Some(3), "{report}");
        assert!(scene.path(&format!("runs/{tuned}/metrics.jsonl")).exists());
    }
    // What learns nothing is scored all the same; it cannot be trained.
    scene.succeed(&with_small(&["finetune", "--matcher", "hough", "--data", &data, "--run", "h", "--json"]));
    let message = scene.fail(&with_small(&["pretrain", "--matcher", "nearest", "--data", "labels", "--run", "x"]));
    assert!(message.contains("nothing to learn"), "{message}");
    // Another matcher's parameters, a run that is there, a folder without labels, a key that there is not.
    let mixed = ["finetune", "--matcher", "dhpf", "--init", "cats", "--data", &data, "--pairs", "0", "--run", "x"];
    let message = scene.fail(&with_small(&mixed));
    assert!(message.contains("another matcher") && message.contains("last.ckpt"), "{message}");
    let message = scene.fail(&with_small(&["pretrain", "--matcher", "cats", "--data", "labels", "--run", "cats"]));
    assert!(message.contains("--resume"), "{message}");
    let message = scene.fail(&with_small(&["pretrain", "--matcher", "cats", "--data", &data, "--run", "x"]));
    assert!(message.contains("cargo xtask label"), "{message}");
    let wrong = ["pretrain", "--matcher", "cats", "--data", "labels", "--run", "x", "--set", "cats.head=3"];
    let message = scene.fail(&wrong);
    assert!(message.contains("cats.heads"), "{message}");
    // Labels that nobody agrees about enough, and an agreement that there cannot be.
    for (setting, said) in [
        ("labels.least_points=1000", "has 1000 points with an agreement of 0.8"),
        ("labels.least_agreement=1.5", "is in 0..=1, not 1.5"),
    ] {
        let asked = ["pretrain", "--matcher", "dhpf", "--data", "labels", "--run", "x", "--set", setting];
        let message = scene.fail(&with_small(&asked));
        assert!(message.contains("labels.least_agreement") && message.contains(said), "{message}");
    }
    let diverging = [
        "pretrain",
        "--matcher",
        "cats",
        "--data",
        "labels",
        "--run",
        "x",
        "--set",
        "pretrain.trainer.learning_rate=1e30",
    ];
    let message = scene.fail(&with_small(&diverging));
    assert!(message.contains("the loss of step"), "{message}");
}

#[test]
fn a_killed_pre_training_goes_on_to_the_same_parameters() {
    let (scene, _) = scene();
    let flags = |run, more: &[&'static str]| {
        let mut flags =
            with_small(&["pretrain", "--matcher", "nc-net", "--data", "labels", "--run", run, "--seed", "5"]);
        flags.extend(["--set", "pretrain.trainer.steps=40"]);
        flags.extend(more);
        flags
    };
    scene.succeed(&flags("whole", &[]));
    let checkpoint = scene.path("runs/killed/checkpoints/last.ckpt");
    kill_at(scene.command(&flags("killed", &[])), || checkpoint.exists().then_some(()));
    let step = state(&checkpoint)["step"].as_u64().unwrap();
    assert!((1..40).contains(&step), "it was at step {step} of 40 when it was killed");
    let message = scene.fail(&flags("killed", &["--resume", "--set", "views=0"]));
    assert!(message.contains("other settings"), "{message}");
    scene.succeed(&flags("killed", &["--resume"]));
    let parameters = |run: &str| state(&scene.path(&format!("runs/{run}/checkpoints/last.ckpt")))["parameters"].clone();
    assert_eq!(parameters("whole"), parameters("killed"));
    let metrics = fs::read_to_string(scene.path("runs/killed/metrics.jsonl")).unwrap();
    assert_eq!(metrics, fs::read_to_string(scene.path("runs/whole/metrics.jsonl")).unwrap());
}

#[test]
fn a_killed_experiment_goes_on_within_a_training_on_labels() {
    let (scene, drawn) = scene();
    let plan = format!(
        "matchers = [\"nc-net\"]\ninits = [\"labels\"]\npairs = [\"0\"]\nseeds = [5]\nlabels = [\"labels=labels\"]\n\
         settings = [{}, \"pretrain.trainer.steps=40\"]\n[benchmark]\ndata = {:?}\nscore_pairs = 4\n",
        quoted(&SMALL),
        drawn.to_string_lossy()
    );
    fs::write(scene.path("plan.toml"), plan).unwrap();
    let flags = |out| ["experiment", "plan.toml", "--out", out, "--json", "--device", "cpu"];
    let start = |out: &str| {
        let mut files = fs::read_dir(scene.path(out).join("starts")).ok()?;
        files.find_map(|file| {
            file.ok().map(|file| file.path()).filter(|path| path.extension().is_some_and(|end| end == "ckpt"))
        })
    };
    let whole = scene.succeed(&flags("whole"));
    let checkpoint = kill_at(scene.command(&flags("killed")), || start("killed"));
    let step = state(&checkpoint)["step"].as_u64().unwrap();
    assert!((1..40).contains(&step), "it was at step {step} of 40 when it was killed");
    assert_eq!(scene.succeed(&flags("killed")), whole);
    let of_whole = state(&start("whole").unwrap());
    assert_eq!(of_whole["step"], 40);
    assert_eq!(state(&checkpoint), of_whole);
}

#[test]
fn a_killed_experiment_goes_on_within_a_training_on_key_points() {
    let (scene, drawn) = scene();
    let plan = format!(
        "matchers = [\"nc-net\"]\ninits = [\"none\"]\npairs = [\"4\"]\nseeds = [5]\n\
         settings = [{}, \"finetune.trainer.steps=40\", \"finetune.checkpoint_every=1\"]\n[benchmark]\ndata = {:?}\nscore_pairs = 4\n",
        quoted(&SMALL),
        drawn.to_string_lossy()
    );
    fs::write(scene.path("plan.toml"), plan).unwrap();
    let flags = |out| ["experiment", "plan.toml", "--out", out, "--json", "--device", "cpu"];
    let unfinished = |out: &str| {
        let mut files = fs::read_dir(scene.path(out).join("unfinished")).ok()?;
        files.find_map(|file| {
            file.ok().map(|file| file.path()).filter(|path| path.extension().is_some_and(|end| end == "ckpt"))
        })
    };
    let whole = scene.succeed(&flags("whole"));
    assert_eq!(unfinished("whole"), None);
    let checkpoint = kill_at(scene.command(&flags("killed")), || unfinished("killed"));
    let step = state(&checkpoint)["step"].as_u64().unwrap();
    assert!((1..46).contains(&step), "it was at step {step} of 46 when it was killed");
    assert_eq!(scene.succeed(&flags("killed")), whole);
    assert_eq!(unfinished("killed"), None);
}

#[test]
fn an_experiment_fills_its_grid_once() {
    let (scene, drawn) = scene();
    let settings = quoted(&SMALL);
    let plan = format!(
        "matchers = [\"hough\", \"nc-net\"]\ninits = [\"none\", \"labels\"]\npairs = [\"0\", \"4\", \"all\"]\nseeds = [0, 1]\n\
         labels = [\"labels=labels\"]\nsettings = [{settings}]\n[benchmark]\ndata = {:?}\nscore_pairs = 4\n",
        drawn.to_string_lossy()
    );
    fs::write(scene.path("plan.toml"), plan).unwrap();
    let run = |out: &'static str, more: &[&'static str]| {
        let mut flags = vec!["experiment", "plan.toml", "--out", out, "--json", "--device", "cpu"];
        flags.extend(more);
        flags
    };
    let table: serde_json::Value = serde_json::from_str(&scene.succeed(&run("e", &[]))).unwrap();
    // Hough once, the network from two beginnings with three numbers of pairs, at three thresholds.
    assert_eq!(table["rows"].as_array().unwrap().len(), (1 + 2 * 3) * 3);
    assert_eq!(table["cells"], serde_json::json!([13, 13]));
    for row in table["rows"].as_array().unwrap() {
        let [low, pck, high] = ["low", "pck", "high"].map(|key| row[key].as_f64().unwrap());
        assert!(low <= pck && pck <= high, "{row}");
        assert_eq!(row["seeds"], if row["matcher"] == "hough" { 1 } else { 2 });
    }
    // Both learn equally long: 6 steps of 2 pairs on labels are 6 more on key points without them. All 16 pairs are 8 steps.
    let steps = |init: &str, pairs: &str| {
        let of_these =
            |row: &&serde_json::Value| row["matcher"] == "nc-net" && row["init"] == init && row["pairs"] == pairs;
        let mut rows = table["rows"].as_array().unwrap().iter();
        rows.find(of_these).unwrap_or_else(|| panic!("no row of {init} with {pairs} pairs"))["steps"].clone()
    };
    for (init, pairs, wanted) in [
        ("untrained", "0", [0, 0]),
        ("none", "4", [0, 9]),
        ("none", "all", [0, 14]),
        ("labels", "0", [6, 0]),
        ("labels", "4", [6, 3]),
        ("labels", "all", [6, 8]),
    ] {
        assert_eq!(steps(init, pairs), serde_json::json!(wanted), "{init} with {pairs} pairs");
    }
    let text = scene.succeed(&["experiment", "plan.toml", "--out", "e", "--summary"]);
    assert!(
        text.contains("| nc-net | untrained | 0 | 0 |") && text.contains("| nc-net | labels | all | 6 + 8 |"),
        "{text}"
    );
    assert!(text.contains("| nc-net | 0 | labels − untrained |") && text.contains("| hough | none | 0 |"), "{text}");
    // Of the two beginnings, for each number of pairs, and for the mean over those at which both have learned equally long.
    let compared = table["comparisons"].as_array().unwrap();
    assert_eq!(compared.len(), (3 + 1) * 3);
    let differences = |pairs: &str| {
        let of_these = compared.iter().filter(|found| found["pairs"] == pairs && found["alpha"] == 0.1);
        of_these.map(|found| found["difference"].as_f64().unwrap()).sum::<f64>()
    };
    let mean = ["4", "all"].map(differences).iter().sum::<f64>() / 2.0;
    assert!((differences("mean") - mean).abs() < 1e-9, "{} and {mean}", differences("mean"));
    let figure = fs::read_to_string(scene.path("e/nc-net.svg")).unwrap();
    assert!(figure.contains("untrained"), "{figure}");
    assert!(fs::read_to_string(scene.path("e/nc-net.svg")).unwrap().contains("<svg"));
    // Nothing is done twice, a removed cell is done again to the same bytes but for its time, and the order does not matter.
    let cell = scene.path("e/cells/nc-net_labels_4_1.json");
    let before: serde_json::Value = serde_json::from_slice(&fs::read(&cell).unwrap()).unwrap();
    fs::remove_file(&cell).unwrap();
    let again: serde_json::Value = serde_json::from_str(&scene.succeed(&run("e", &["--jobs", "1"]))).unwrap();
    assert_eq!(again["rows"], table["rows"]);
    let after: serde_json::Value = serde_json::from_slice(&fs::read(&cell).unwrap()).unwrap();
    assert_eq!(before["scores"], after["scores"]);
    assert_eq!(again, serde_json::from_str::<serde_json::Value>(&scene.succeed(&run("e", &["--summary"]))).unwrap());
    // Cells of labels that were built anew are not taken for those of the new ones.
    let build = scene.path("labels/build.json");
    let text = fs::read_to_string(&build).unwrap();
    fs::write(&build, format!("{text}\n")).unwrap();
    let message = scene.fail(&run("e", &["--summary"]));
    assert!(message.contains("other settings or data") && message.contains("nc-net_labels_"), "{message}");
    fs::write(&build, text).unwrap();
    // Cells of another plan are not taken for this one's, and damage is named.
    let other = "settings=[\"backbone.name=small\", \"backbone.input=64\", \"backbone.blocks=[3]\", \"views=0\"]";
    let message = scene.fail(&run("e", &["--set", other]));
    assert!(message.contains("other settings") && message.contains(".json"), "{message}");
    fs::write(&cell, "{").unwrap();
    let message = scene.fail(&run("e", &["--summary"]));
    assert!(message.contains("nc-net_labels_4_1.json") && message.contains("damaged"), "{message}");
    let message = scene.fail(&run("f", &["--set", "inits=[\"lables\"]"]));
    assert!(message.contains("lables"), "{message}");
}

//! Runs by name: what is refused, what a failed or killed start leaves, and what is resumed.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use image::{Rgb, RgbImage};

use crate::support::{Scene, state};

/// Class folders of pictures that can be told apart.
fn photos(scene: &Scene, name: &str) -> String {
    let root = scene.path(name);
    for (class, shade) in [("cup", 20), ("lamp", 160)] {
        fs::create_dir_all(root.join(class)).unwrap();
        (0..4).for_each(|index| picture(shade + index).save(root.join(class).join(format!("{index}.png"))).unwrap());
    }
    root.to_string_lossy().into_owned()
}

fn picture(shade: u32) -> RgbImage {
    RgbImage::from_fn(48, 40, |x, y| Rgb([(x * 5 + shade) as u8, (y * 6) as u8, (x * y + shade) as u8]))
}

/// A tiny training on photographs.
fn train<'a>(scene: &Scene, data: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let mut flags = scene.tiny("q", &["--data", data, "--backbone", "small"]);
    flags.extend(more);
    flags
}

fn exists(scene: &Scene, name: &str) -> bool {
    scene.path("runs").join(name).exists()
}

#[test]
fn a_failed_start_keeps_neither_the_name_nor_harms_the_run_that_was_there() {
    let scene = Scene::new();
    let data = photos(&scene, "photos");
    scene.fail(&train(&scene, "typo", &[]));
    assert!(!scene.path("runs").exists(), "a start that failed has left a run");
    // The corrected command, without a word of the failed one; the backbone's layers are its own.
    scene.succeed(&train(&scene, &data, &[]));
    let last = scene.path("runs/q/checkpoints/last.ckpt");
    let before = fs::read(&last).unwrap();
    assert!(fs::read_to_string(scene.path("runs/q/config.toml")).unwrap().contains("layers = [\n    3,\n    5,\n]"));
    let mark = fs::read_to_string(scene.path("runs/q/run.json")).unwrap();
    assert!(mark.contains("\"kind\": \"train\""), "{mark}");
    // The log has what was said before there was a folder.
    assert!(fs::read_to_string(scene.path("runs/q/log.txt")).unwrap().contains("8 images in 2 classes"));

    // Data, configuration, key points, weights, and a loss that is no number: the run that was there stays.
    for (data, settings, said) in [
        ("typo", &[][..], "typo"),
        (&data, &["train.pairs=0"], "`train.pairs`"),
        (&data, &["data.validation=nowhere"], "nowhere"),
        (&data, &["backbone.name=efficientnet-lite0", "backbone.weights=none.pth"], "none.pth"),
        (&data, &["train.learning_rate=1e30", "train.checkpoint_every=100"], "failed"),
    ] {
        let settings: Vec<&str> = settings.iter().flat_map(|setting| ["--set", setting]).collect();
        let message = scene.fail(&train(&scene, data, &[&["--overwrite"], &settings[..]].concat()));
        assert!(message.contains(said), "{settings:?}: {message}");
        assert_eq!(fs::read(&last).unwrap(), before, "{settings:?}");
        assert!(!exists(&scene, "q.replaced"));
    }
    // And one that succeeds replaces it.
    scene.succeed(&train(&scene, &data, &["--overwrite", "--seed", "7"]));
    assert_ne!(fs::read(&last).unwrap(), before);
    let mut names: Vec<_> = fs::read_dir(scene.path("runs")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["q"]);
}

#[test]
fn a_run_that_is_killed_while_it_replaces_another_can_be_resumed_and_loses_nothing() {
    let scene = Scene::new();
    let data = photos(&scene, "photos");
    scene.succeed(&train(&scene, &data, &[]));
    let checkpoint = |run: &str| scene.path("runs").join(run).join("checkpoints/last.ckpt");
    let old = fs::read(checkpoint("q")).unwrap();

    // Killed when it has its start, long before its first checkpoint.
    let long = ["--overwrite", "--set", "train.steps=100000", "--set", "train.checkpoint_every=100000"];
    let kill = || {
        let metrics = scene.path("runs/q/metrics.jsonl");
        // Not those of the run that was killed before.
        let _ = fs::remove_file(&metrics);
        let flags = [&train(&scene, &data, &long)[..], &["--set", "train.validate_every=0"]].concat();
        let mut child = scene.command(&flags).stderr(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
        let began = Instant::now();
        let steps = || fs::read_to_string(&metrics).unwrap_or_default().contains("\"loss\"");
        while !(exists(&scene, "q.replaced") && steps()) {
            assert!(began.elapsed() < Duration::from_secs(60), "it never began");
            std::thread::sleep(Duration::from_millis(5));
        }
        // While it runs nobody else writes there.
        let message = scene.fail(&train(&scene, &data, &["--overwrite"]));
        assert!(message.contains("another process"), "{message}");
        child.kill().unwrap();
        assert!(!child.wait().unwrap().success());
        assert!(!checkpoint("q").exists(), "it was killed too late");
    };
    kill();
    kill();
    assert_eq!(fs::read(checkpoint("q.replaced")).unwrap(), old);
    let eval = ["eval", "--run", "q", "--data", &data, "--device", "cpu"];
    let message = scene.fail(&eval);
    assert!(message.contains("q.replaced"), "{message}");
    // Put back by hand or resumed: here resumed, to fewer steps.
    let config = scene.path("runs/q/config.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace("steps = 100000\n", "steps = 3\n")).unwrap();
    scene.succeed(&["train", "--run", "q", "--resume", "--device", "cpu"]);
    assert_eq!(state(&checkpoint("q"))["step"], 3);
    assert!(!exists(&scene, "q.replaced"));

    // Killed before there was anything of the new one: the old one is put back by whatever comes next.
    let now = fs::read(checkpoint("q")).unwrap();
    fs::rename(scene.path("runs/q"), scene.path("runs/q.replaced")).unwrap();
    let output = scene.run(&["eval", "--run", "q", "--data", "nowhere", "--device", "cpu"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("the old one is back"));
    assert_eq!(fs::read(checkpoint("q")).unwrap(), now);
}

#[test]
fn a_run_is_not_resumed_on_other_images_of_the_same_names() {
    let scene = Scene::new();
    let data = photos(&scene, "photos");
    scene.succeed(&train(&scene, &data, &[]));
    let resume = ["train", "--run", "q", "--resume", "--device", "cpu"];
    // The same pictures, copied.
    let cup = Path::new(&data).join("cup/1.png");
    let bytes = fs::read(&cup).unwrap();
    fs::remove_file(&cup).unwrap();
    fs::write(&cup, &bytes).unwrap();
    scene.succeed(&resume);
    let before = fs::read(scene.path("runs/q/checkpoints/last.ckpt")).unwrap();
    picture(90).save(&cup).unwrap();
    let message = scene.fail(&resume);
    assert!(message.contains("1 changed, the first is 0/cup/1.png"), "{message}");
    fs::write(&cup, &bytes).unwrap();
    picture(91).save(Path::new(&data).join("lamp/9.png")).unwrap();
    fs::remove_file(Path::new(&data).join("cup/0.png")).unwrap();
    let message = scene.fail(&resume);
    assert!(message.contains("1 missing or refused, the first is 0/cup/0.png"), "{message}");
    assert!(message.contains("1 new, the first is 0/lamp/9.png"), "{message}");
    assert_eq!(fs::read(scene.path("runs/q/checkpoints/last.ckpt")).unwrap(), before);
}

#[test]
fn no_command_takes_a_name_that_is_no_folder_of_its_own() {
    let scene = Scene::new();
    let data = photos(&scene, "photos");
    // What an earlier version left, and a project with a configuration of its own.
    for file in ["runs/config.toml", "runs/other/config.toml", "project/config.toml", "project/src/thesis.txt"] {
        fs::create_dir_all(scene.path(file).parent().unwrap()).unwrap();
        fs::write(scene.path(file), "title = \"site\"\n").unwrap();
    }
    fs::write(scene.path("plan.toml"), format!("[benchmark]\ndata = {data:?}\n")).unwrap();
    let here = scene.path("").canonicalize().unwrap().to_string_lossy().into_owned();
    let parent = scene.path("").parent().unwrap().canonicalize().unwrap().to_string_lossy().into_owned();
    let [one, other] = ["cup/0.png", "cup/1.png"].map(|name| format!("{data}/{name}"));
    for name in ["", " ", ".", "..", "runs", "runs/", "./runs", "runs/..", "q/..", "/", &here, &parent] {
        for flags in [
            &["train", "--data", &data, "--overwrite"][..],
            &["train", "--resume"],
            &["eval", "--data", &data, "--device", "cpu"],
            &["match", &one, &other, "--device", "cpu"],
            &["label", "--data", &data, "--out", "labels"],
            &["pretrain", "--matcher", "cats", "--data", &data, "--overwrite"],
            &["finetune", "--matcher", "cats", "--data", &data, "--overwrite"],
            &["finetune", "--matcher", "cats", "--data", &data, "--pairs", "0"],
        ] {
            let message = scene.fail(&[flags, &["--run", name]].concat());
            assert!(message.contains("the run's name"), "{flags:?} {name:?}: {message}");
        }
        // As a run to begin with, and as the run of a cascade.
        let init = ["finetune", "--matcher", "cats", "--data", &data, "--run", "x", "--init", name];
        assert!(scene.fail(&init).contains("the run's name"), "--init {name:?}");
        let output = scene.run(&["experiment", "plan.toml", "--out", name]);
        assert!(!output.status.success() && String::from_utf8_lossy(&output.stderr).contains("--out"), "{name:?}");
    }
    let message = scene.fail(&["train", "--data", &data, "--run", "./project", "--overwrite"]);
    assert!(message.contains("holds no run"), "{message}");
    assert!(scene.path("project/src/thesis.txt").exists() && scene.path("runs/other/config.toml").exists());
    assert!(!scene.path("labels").exists() && !scene.path("cells").exists());
}

#[test]
fn values_that_no_run_can_use_are_refused_before_any_work() {
    let scene = Scene::new();
    for (setting, said) in [
        ("backbone.input=100000", "`backbone.input` is in 32..=1024, not 100000"),
        ("warp.mirror=2", "`warp.mirror` is in 0..=1, not 2"),
        ("student.temperature=nan", "`student.temperature`"),
        ("mask.map.scales=[]", "`mask.map.scales`"),
        ("mask.map.scales=[1.0, inf]", "`mask.map.scales`"),
        ("backbone.layers=[3, 6]", "`backbone.layers` asks for block 6"),
        ("train.pairs=-3", "`train.pairs`"),
        ("data.split=half", "`data.split`"),
        ("student.readout={ kind = \"kernel\", beta = nan, sigma = 1.0 }", "`student.readout.beta`"),
        ("loss.labels=-1", "`loss.labels`"),
        ("vote=3", "`vote`"),
    ] {
        let message = scene.fail(&["train", "--device", "cpu", "--set", setting]);
        assert!(message.contains(said), "{setting}: {message}");
    }
    let message = scene.fail(&["label", "--data", "x", "--out", "y", "--set", "block=0"]);
    assert!(message.contains("`block` is in"), "{message}");
    let pretrain = ["pretrain", "--matcher", "cats", "--data", "x", "--run", "y", "--set", "augment.brightness=inf"];
    assert!(scene.fail(&pretrain).contains("`augment.brightness`"));
    fs::write(scene.path("plan.toml"), "[benchmark]\ndata = \"x\"\nalphas = [0.1, nan]\n").unwrap();
    assert!(scene.fail(&["experiment", "plan.toml", "--out", "y"]).contains("`benchmark.alphas`"));
    assert!(!scene.path("runs").exists() && !scene.path("y").exists());
}

#[test]
fn a_run_of_no_steps_is_a_run() {
    let scene = Scene::new();
    let data = photos(&scene, "photos");
    scene.succeed(&train(&scene, &data, &["--set", "train.steps=0"]));
    assert_eq!(state(&scene.path("runs/q/checkpoints/last.ckpt"))["step"], 0);
    let message = scene.fail(&["finetune", "--matcher", "cats", "--data", &data, "--run", "x", "--init", "q"]);
    assert!(message.contains("is a run of `cargo xtask train`"), "{message}");
}

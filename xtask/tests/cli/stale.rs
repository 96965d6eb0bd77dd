//! What is kept from one command to the next is of these images, points and labels, not of others under the same names.

use std::fs;
use std::path::{Path, PathBuf};

use sc_imagenet::drawn::{DrawnConfig, class_names, draw};
use serde_json::{Value, json};

use crate::support::Scene;

fn picture(path: &Path, index: u64) {
    draw(0, index, &DrawnConfig { size: 64, ..DrawnConfig::default() }).image.save(path).unwrap();
}

/// The lines of all files of predictions of the run `t`.
fn predictions(scene: &Scene) -> usize {
    let files = fs::read_dir(scene.path("runs/t/eval")).unwrap().map(|file| file.unwrap().path());
    let of_predictions = files.filter(|file| file.extension().is_some_and(|end| end == "jsonl"));
    of_predictions.map(|file| fs::read_to_string(file).unwrap().lines().count()).sum()
}

fn evaluated(scene: &Scene) -> Value {
    let flags =
        ["eval", "--run", "t", "--benchmark", "table", "--data", "mine/pairs.jsonl", "--device", "cpu", "--json"];
    serde_json::from_str(&scene.succeed(&flags)).unwrap()
}

#[test]
fn predictions_are_of_the_pictures_and_points_that_are_there() {
    let scene = Scene::new();
    scene.succeed(&scene.tiny("t", &["--set", "train.steps=1"]));
    let folder = scene.path("mine");
    fs::create_dir(&folder).unwrap();
    ["a", "b", "c"].into_iter().zip(0..).for_each(|(name, index)| picture(&folder.join(format!("{name}.png")), index));
    let annotate = |of_b: &[[f32; 2]]| {
        let row = |target: &str, points: &[[f32; 2]]| json!({"class": "car", "source_image": "a.png", "target_image": target, "source_points": points, "target_points": points});
        let rows = format!("{}\n{}\n", row("b.png", of_b), row("c.png", &[[20.0, 20.0], [40.0, 30.0]]));
        fs::write(folder.join("pairs.jsonl"), rows).unwrap();
    };
    let points = [[12.0, 40.0], [30.0, 20.0], [50.0, 50.0]];
    annotate(&points);
    let first = evaluated(&scene);
    let all = predictions(&scene);
    let of_pair = (all - 1) / 2;
    assert_eq!(evaluated(&scene), first);
    assert_eq!(predictions(&scene), all, "nothing is predicted twice");

    // The answer with the cache must be that without one, and `new` more predictions are made for it.
    let mut before = all;
    let mut changed = |what: &str, new: usize| {
        let found = evaluated(&scene);
        assert_eq!(predictions(&scene), before + new, "{what}");
        before += new;
        let (kept, aside) = (scene.path("runs/t/eval"), scene.path("aside"));
        fs::rename(&kept, &aside).unwrap();
        assert_eq!(evaluated(&scene), found, "{what}");
        fs::remove_dir_all(&kept).unwrap();
        fs::rename(&aside, &kept).unwrap();
        found
    };
    picture(&folder.join("b.png"), 7);
    assert_ne!(changed("another picture, of one of the pairs", of_pair), first);
    picture(&folder.join("b.png"), 1);
    assert_eq!(changed("the picture is put back", 0), first);
    annotate(&[points[0], points[1], [49.0, 50.0]]);
    changed("a point is moved in both images", of_pair);
    annotate(&[points[1], points[0]]);
    changed("a point less, and another order", 0);
    annotate(&[points[0], points[1], points[2], [8.0, 8.0]]);
    changed("a point more", of_pair);
    annotate(&points);
    assert_eq!(changed("as it was", 0), first);
}

#[test]
fn cells_of_an_experiment_are_of_the_images_and_points_that_are_there() {
    let scene = Scene::new();
    let data = scene.key_points();
    let plan = format!(
        "matchers = [\"nearest\"]\nseeds = [0]\nsettings = [\"backbone.name=small\", \"backbone.input=64\", \"backbone.blocks=[3]\"]\n\
         [benchmark]\ndata = {data:?}\nscore_pairs = 4\n"
    );
    fs::write(scene.path("plan.toml"), plan).unwrap();
    let flags = ["experiment", "plan.toml", "--out", "e", "--json", "--device", "cpu"];
    let first = scene.succeed(&flags);
    assert_eq!(scene.succeed(&flags), first);
    // Odd images are scored on. Each change is refused by name, and taken back is taken.
    let image = data.join(class_names()[0]).join("1.png");
    let annotation = image.with_extension("mat");
    for file in [&image, &annotation] {
        let before = fs::read(file).unwrap();
        if file == &image {
            picture(file, 9);
        } else {
            eval::write_key_points(file, &draw(0, 9, &DrawnConfig { size: 64, ..DrawnConfig::default() }).key_points)
                .unwrap();
        }
        let message = scene.fail(&flags);
        assert!(message.contains("images, key points, labels or weights are others now"), "{message}");
        assert!(message.contains("nearest_none_0_0.json") && message.contains("--out"), "{message}");
        fs::write(file, before).unwrap();
        assert_eq!(scene.succeed(&flags), first);
    }
}

#[test]
fn fine_tuning_goes_on_with_the_pairs_that_it_was_begun_with() {
    let scene = Scene::new();
    let data = scene.key_points().to_string_lossy().into_owned();
    let mut flags = vec!["finetune", "--matcher", "dhpf", "--data", &data, "--run", "f", "--resume", "--device", "cpu"];
    for setting in
        ["backbone.name=small", "backbone.input=64", "backbone.blocks=[3]", "dhpf.grid=4", "finetune.trainer.steps=2"]
    {
        flags.extend(["--set", setting]);
    }
    scene.succeed(&flags);
    scene.succeed(&flags);
    let image = Path::new(&data).join(class_names()[0]).join("0.png");
    let before = fs::read(&image).unwrap();
    picture(&image, 9);
    let message = scene.fail(&flags);
    assert!(message.contains("begun with other settings or data") && message.contains("runs/f"), "{message}");
    fs::write(&image, before).unwrap();
    scene.succeed(&flags);
}

#[test]
fn a_cache_folder_that_cannot_be_written_is_named_with_what_to_set() {
    let scene = Scene::new();
    // A file stands where the folder should be; and a folder that nobody can write, not even root.
    fs::write(scene.path("file"), "").unwrap();
    for cache in [scene.path("file"), scene.path("file/below"), PathBuf::from("/proc/none")] {
        let mut command = scene.command(&scene.tiny("x", &[]));
        let output = command.env("SCORR_CACHE", &cache).output().unwrap();
        let message = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{message}");
        let said = format!("cannot write the cache folder {}", cache.display());
        assert!(message.contains(&said) && message.contains("set SCORR_CACHE to a folder"), "{message}");
    }
}

//! `label` takes images whatever they are called, knows other images under the same names, and says when nothing comes of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use sc_imagenet::drawn::{DrawnConfig, class_names, draw};
use serde_json::Value;

use crate::skips::skip;
use crate::support::{LENIENT, Scene};

/// Class folders as Stanford Dogs has them, with files as phones name them, and key points beside them.
fn photos(scene: &Scene, folder: &str, seed: u64) -> PathBuf {
    let root = scene.path(folder);
    let config = DrawnConfig { size: 64, seed, ..DrawnConfig::default() };
    for class in 0..2 {
        let class_folder = root.join(format!("n0208562{class}-{}", class_names()[class]));
        fs::create_dir_all(&class_folder).unwrap();
        for index in 0..5_u64 {
            let drawn = draw(class, index, &config);
            let path = class_folder.join(FILES[index as usize]);
            drawn.image.save(&path).unwrap();
            if path.extension().is_some_and(|extension| extension == "png") {
                eval::write_key_points(&path.with_extension("mat"), &drawn.key_points).unwrap();
            }
        }
    }
    root
}

const FILES: [&str; 5] = ["IMG-20200101-WA0001.png", "img-20200101-wa0001.jpg", "cat 3:4.png", "b_1.png", "b_1.jpg"];

/// A scene with a run that was trained on the photos.
fn scene() -> Scene {
    let scene = Scene::new();
    photos(&scene, "photos", 1);
    // As on drawn objects, whose small backbone needs no weights.
    scene.succeed(&scene.tiny("a", &["--set", "data.folders=[\"photos\"]", "--set", "data.split=all"]));
    scene
}

fn flags<'a>(data: &'a str, out: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let mut flags = vec!["label", "--run", "a", "--device", "cpu", "--val-share", "0", "--data", data, "--out", out];
    for setting in LENIENT {
        flags.extend(["--set", setting]);
    }
    flags.extend(more);
    flags
}

/// The script that reads a data set as the published loaders do; `None`, and a skip, without Python.
fn read_as_published_loaders_do(out: &Path) -> Option<String> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../sc-imagenet/tests/published_loaders.py");
    let output = match Command::new("python3").arg(script).arg(out).output() {
        Ok(output) => output,
        Err(error) => {
            skip("python", format!("python3 cannot be run ({error})"));
            return None;
        }
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).unwrap())
}

#[test]
fn images_of_any_name_are_labelled_and_known_again() {
    let scene = scene();
    let output = scene.run(&flags("photos", "labels", &["--json"]));
    let messages = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{messages}");
    // The run was trained on these classes, under the names of their folders.
    assert!(!messages.contains("not among those that the run was trained on"), "{messages}");
    let done: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(done["images"], 10);
    let pairs = done["pairs"].as_u64().unwrap();
    assert!(pairs > 0, "{done}");
    if let Some(read) = read_as_published_loaders_do(&scene.path("labels")) {
        assert_eq!(read, format!("{pairs} pairs\n"));
    }
    let index = sc_imagenet::read_image_index(&scene.path("labels/index/images.parquet")).unwrap();
    let mut names: Vec<[String; 4]> = index
        .map(|image| image.map(|image| image.origin.map(|origin| [image.class, image.id, origin.class, origin.name])))
        .map(|named| named.unwrap().unwrap())
        .collect();
    names.truncate(5);
    let class = class_names()[0];
    let expected = [
        ("b_1~2Ejpg", FILES[4]),
        ("b_1~2Epng", FILES[3]),
        ("cat 3~3A4", FILES[2]),
        ("img~2D20200101~2Dwa0001", FILES[1]),
        ("~49~4D~47~2D20200101~2D~57~410001", FILES[0]),
    ];
    let expected = expected
        .map(|(id, file)| [format!("n02085620~2D{class}"), id.into(), format!("n02085620-{class}"), file.into()]);
    assert_eq!(names, expected);
    let datasheet = fs::read_to_string(scene.path("labels/DATASHEET.md")).unwrap();
    assert!(datasheet.contains(&format!("| n02085620~2D{class} | n02085620-{class} |")), "{datasheet}");

    // Labels are held against the key points of the files that they are of; a reader of key points wants one image a name.
    for class in 0..2 {
        let folder = scene.path("photos").join(format!("n0208562{class}-{}", class_names()[class]));
        fs::remove_file(folder.join("b_1.jpg")).unwrap();
    }
    let against = ["inspect", "labels", "--json", "--no-html", "--against", "willow=photos:all"];
    let report: Value = serde_json::from_str(&scene.succeed(&against)).unwrap();
    assert!(report["against"]["pairs"].as_u64().unwrap() > 0, "{report}");
}

/// Lines of a journal, but for those after the first few.
fn cut_journal(out: &Path, lines: usize) {
    let path = out.join("parts/0000-of-0001/journal.jsonl");
    let journal = fs::read_to_string(&path).unwrap();
    fs::write(path, journal.split_inclusive('\n').take(lines).collect::<String>()).unwrap();
}

#[test]
fn other_images_of_the_same_names_are_refused() {
    let scene = scene();
    photos(&scene, "other", 2);
    scene.succeed(&flags("photos", "labels", &[]));
    let annotations = |out: &str| {
        let mut files: Vec<_> = fs::read_dir(scene.path(out).join("SC-IMAGENET/PairAnnotation/trn"))
            .unwrap()
            .map(|entry| fs::read(entry.unwrap().path()).unwrap())
            .collect();
        files.sort();
        files
    };
    let before = (annotations("labels"), fs::read(scene.path("labels/build.json")).unwrap());
    let refused = |message: &str| {
        for part in ["b_1.jpg: is not the image that was labelled as", "10 of 10 labelled images are others here"] {
            assert!(message.contains(part), "{message}");
        }
        assert_eq!((annotations("labels"), fs::read(scene.path("labels/build.json")).unwrap()), before);
    };
    let message = scene.fail(&flags("other", "labels", &[]));
    refused(&message);
    assert!(message.contains("give another --out"), "{message}");
    refused(&scene.fail(&flags("other", "labels", &["--resume"])));
    refused(&scene.fail(&["merge", "labels", "--out", "labels", "--data", "other"]));
    refused(&scene.fail(&["merge", "labels", "--out", "new", "--data", "other", "--images", "copy"]));
    refused(&scene.fail(&["merge", "labels", "--out", "new", "--data", "other", "--images", "none"]));
    assert!(!scene.path("new").exists());

    // The same images elsewhere are the same: nothing is looked at again.
    photos(&scene, "copy", 1);
    let done: Value = serde_json::from_str(&scene.succeed(&flags("copy", "labels", &["--json"]))).unwrap();
    assert_eq!((&done["described"], annotations("labels")), (&Value::from(0), before.0.clone()));
    scene.succeed(&["merge", "labels", "--out", "new", "--data", "photos", "--images", "copy"]);
    assert_eq!(annotations("new"), before.0);

    // Half of a build: what is finished is of the first images.
    cut_journal(&scene.path("labels"), 4);
    let message = scene.fail(&flags("other", "labels", &["--resume"]));
    assert!(message.contains("3 of 3 labelled images are others here"), "{message}");
    scene.succeed(&flags("photos", "labels", &["--resume"]));
    assert_eq!(annotations("labels"), before.0);
}

#[test]
fn a_data_set_of_nothing_is_a_warning_that_names_the_setting() {
    let scene = scene();
    let output = scene.run(&flags(
        "photos",
        "labels",
        &["--set", "consistency.peaked=true", "--set", "consistency.least_peakedness=1"],
    ));
    let messages = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{messages}");
    let datasheet = fs::read_to_string(scene.path("labels/DATASHEET.md")).unwrap();
    for part in ["the data set is empty: no pair has labels", "The setting that rejects most images is `consistency."] {
        assert!(messages.contains(part) && datasheet.contains(part), "{messages}\n{datasheet}");
    }
}

//! `label` and `merge`: from a tiny run to a data set, killed, in shards, from tars, and on a full disk.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use sc_imagenet::Record;

use crate::support::{LENIENT, Scene, kill_at};

/// A run and its images.
struct Labelling {
    scene: Scene,
    images: PathBuf,
}

impl Labelling {
    fn new() -> Labelling {
        let scene = Scene::new();
        scene.succeed(&scene.tiny("a", &[]));
        let drawn = fs::read_dir(scene.path("cache/drawn")).unwrap().next().unwrap().unwrap().path();
        // Without what only the drawn set has beside its images.
        let images = scene.path("images");
        for class in fs::read_dir(&drawn).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()) {
            let to = images.join(class.file_name().unwrap());
            fs::create_dir_all(&to).unwrap();
            for file in fs::read_dir(&class).unwrap().map(|entry| entry.unwrap().path()) {
                if file.extension().is_some_and(|extension| extension == "png") {
                    fs::copy(&file, to.join(file.file_name().unwrap())).unwrap();
                }
            }
        }
        Labelling { scene, images }
    }

    fn flags(&self, data: &Path, out: &str, more: &[&str]) -> Vec<String> {
        let data = data.to_string_lossy().into_owned();
        let mut flags =
            vec!["label", "--run", "a", "--device", "cpu", "--set", "val_share=0.3", "--data", &data, "--out", out];
        for setting in LENIENT {
            flags.extend(["--set", setting]);
        }
        flags.extend(more);
        flags.into_iter().map(str::to_owned).collect()
    }

    fn label(&self, data: &Path, out: &str, more: &[&str]) -> String {
        let flags = self.flags(data, out, more);
        self.scene.succeed(&flags.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// Label, which must fail; the message.
    fn fail(&self, data: &Path, out: &str, more: &[&str]) -> String {
        let flags = self.flags(data, out, more);
        self.scene.fail(&flags.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// Every file of a data set with its bytes, but for the parts it was made from. Links count as what they lead to.
    fn files(&self, out: &str) -> BTreeMap<String, Vec<u8>> {
        fn walk(folder: &Path, name: &str, files: &mut BTreeMap<String, Vec<u8>>) {
            for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
                let name = format!("{name}/{}", entry.file_name().to_string_lossy());
                // The layout's other spelling leads to what is there already.
                if name == "/parts" || name == "/SC-ImageNet" {
                    continue;
                }
                match entry.path().is_dir() {
                    true => walk(&entry.path(), &name, files),
                    false => drop(files.insert(name, fs::read(entry.path()).unwrap())),
                }
            }
        }
        let mut files = BTreeMap::new();
        walk(&self.scene.path(out), "", &mut files);
        files
    }

    /// The pairs of a data set by their names.
    fn annotations(&self, out: &str) -> BTreeMap<String, serde_json::Value> {
        let files = self.files(out).into_iter().filter(|(name, _)| name.contains("/PairAnnotation/"));
        files.map(|(name, bytes)| (name, serde_json::from_slice(&bytes).unwrap())).collect()
    }

    /// How often each image stands in the journals of a build.
    fn journalled(&self, out: &str) -> BTreeMap<u64, usize> {
        let mut times = BTreeMap::new();
        for part in fs::read_dir(self.scene.path(out).join("parts")).into_iter().flatten() {
            let journal = fs::read_to_string(part.unwrap().path().join("journal.jsonl")).unwrap_or_default();
            // Without the line that was being written when the process was killed, and without the first and the last,
            // which are no records.
            let whole = &journal[..journal.rfind('\n').map_or(0, |end| end + 1)];
            for line in whole.lines().filter(|line| line.starts_with('[')) {
                for record in serde_json::from_str::<Vec<Record>>(line).unwrap() {
                    if let Record::Image(image) = record {
                        *times.entry(image.number).or_default() += 1;
                    }
                }
            }
        }
        times
    }
}

fn assert_same(one: &BTreeMap<String, Vec<u8>>, other: &BTreeMap<String, Vec<u8>>) {
    assert_eq!(one.keys().collect::<Vec<_>>(), other.keys().collect::<Vec<_>>());
    for (name, bytes) in one {
        assert!(other[name] == *bytes, "{name} differs");
    }
}

#[test]
fn a_run_labels_images_and_looks_at_each_once() {
    let labelling = Labelling::new();
    let json = labelling.label(&labelling.images, "labels", &["--json"]);
    let done: serde_json::Value = serde_json::from_str(&json).unwrap();
    let images = done["images"].as_u64().unwrap();
    assert!(images > 0 && done["described"] == images && done["kept"].as_u64().unwrap() > 0, "{done}");
    assert!(done["pairs"].as_u64().unwrap() > 0, "{done}");
    let files = labelling.files("labels");
    assert!(files.contains_key("/DATASHEET.md") && files.contains_key("/index/pairs.parquet"));
    let annotations = labelling.annotations("labels");
    assert_eq!(annotations.len() as u64, done["pairs"].as_u64().unwrap());
    for pair in annotations.values() {
        let count = pair["src_kps"].as_array().unwrap().len();
        assert!((3..=40).contains(&count) && pair["trg_kps"].as_array().unwrap().len() == count, "{pair}");
        // One or both of the two partners agree about each point.
        let agreements = pair["agreement"].as_array().unwrap();
        assert!(agreements.len() == count && agreements.iter().all(|share| *share == 0.5 || *share == 1.0), "{pair}");
        // The drawn images are 64 pixels wide and high.
        let points = pair["src_kps"].as_array().unwrap().iter().chain(pair["trg_kps"].as_array().unwrap());
        assert!(
            points.flat_map(|point| point.as_array().unwrap()).all(|x| (0.0..=63.0).contains(&x.as_f64().unwrap()))
        );
    }
    // Again: everything is finished, nothing is looked at, nothing changes.
    let again = labelling.label(&labelling.images, "labels", &["--json", "--resume"]);
    let again: serde_json::Value = serde_json::from_str(&again).unwrap();
    assert_eq!((&again["described"], &again["finished_before"]), (&0.into(), &images.into()));
    assert_same(&files, &labelling.files("labels"));
}

#[test]
fn shards_and_workers_leave_no_trace() {
    let labelling = Labelling::new();
    labelling.label(&labelling.images, "whole", &["--workers", "1"]);
    let data = labelling.images.to_string_lossy().into_owned();
    for (count, workers) in [(3, "2"), (7, "1")] {
        let out = format!("shards-{count}");
        for index in (0..count).rev() {
            let shard = format!("{index}/{count}");
            labelling.label(&labelling.images, &out, &["--shard", &shard, "--workers", workers]);
        }
        labelling.scene.succeed(&["merge", &out, "--out", &out, "--data", &data]);
        assert_same(&labelling.files("whole"), &labelling.files(&out));
    }
}

#[test]
fn a_build_that_is_killed_seven_times_is_that_of_one_go() {
    let labelling = Labelling::new();
    labelling.label(&labelling.images, "whole", &["--workers", "1"]);
    let all = labelling.journalled("whole").len();
    let flags = labelling.flags(&labelling.images, "killed", &["--workers", "1", "--resume"]);
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let command = || labelling.scene.command(&flags);
    let done = || labelling.journalled("killed").len();
    // Before the first image, and each time that there are more.
    kill_at(command(), || labelling.scene.path("killed/parts").exists().then_some(()));
    for kill in 1..7 {
        let before = done();
        kill_at(command(), || (done() > before).then_some(()));
        assert!((before + 1..all).contains(&done()), "kill {kill}: {before} of {all} images before, {} after", done());
    }
    labelling.scene.succeed(&flags);
    assert_same(&labelling.files("whole"), &labelling.files("killed"));
    assert!(labelling.journalled("killed").values().all(|times| *times == 1), "an image was judged twice");
    assert!(all > 10 && done() == all, "{} of {all} images", done());
}

#[test]
fn chains_of_three_images_are_asked_for_too_where_they_are_wanted() {
    let labelling = Labelling::new();
    // A chain needs three images of a class and split.
    let four = ["--set", "partners=4", "--set", "block=5", "--set", "val_share=0", "--json"];
    let label = |out: &str, more: &[&str]| -> serde_json::Value {
        serde_json::from_str(&labelling.label(&labelling.images, out, &[&four[..], more].concat())).unwrap()
    };
    let (pairs, chained) = (label("pairs", &[]), label("chained", &["--set", "chains=true"]));
    assert_eq!(chained["images"], pairs["images"]);
    // A point of which a chain is asked too has no more partners that agree, and some have fewer.
    let points = |out: &str| -> BTreeMap<(String, String), f64> {
        let mut points = BTreeMap::new();
        for (name, pair) in labelling.annotations(out) {
            let source = pair["src_kps"].as_array().unwrap().iter().map(serde_json::Value::to_string);
            let agreements = pair["agreement"].as_array().unwrap().iter().map(|share| share.as_f64().unwrap());
            points.extend(source.map(|point| (name.clone(), point)).zip(agreements));
        }
        points
    };
    let (loose, strict) = (points("pairs"), points("chained"));
    assert!(
        !strict.is_empty() && strict.len() < loose.len(),
        "{} points of pairs, {} of chains",
        loose.len(),
        strict.len()
    );
    let both: Vec<(f64, f64)> = strict.iter().filter_map(|(key, share)| Some((*share, *loose.get(key)?))).collect();
    assert!(both.iter().all(|(strict, loose)| strict <= loose), "{both:?}");
    assert!(both.iter().any(|(strict, loose)| strict < loose), "{both:?}");
    // It is a setting like others: said in the datasheet, and another build.
    assert!(
        fs::read_to_string(labelling.scene.path("chained/DATASHEET.md")).unwrap().contains("| label.chains | true |")
    );
    let message =
        labelling.fail(&labelling.images, "pairs", &[&four[..], &["--set", "chains=true", "--resume"]].concat());
    assert!(message.contains("label.chains"), "{message}");
    let message = labelling.fail(&labelling.images, "few", &["--set", "chains=true"]);
    assert!(message.contains("`chains` needs 4 `partners` or more, not 2"), "{message}");
}

#[test]
fn tars_and_shards_of_the_same_images_give_the_same_labels() {
    let labelling = Labelling::new();
    labelling.label(&labelling.images, "folders", &[]);
    let mut outer = tar::Builder::new(Vec::new());
    let mut shard = tar::Builder::new(Vec::new());
    let append = |builder: &mut tar::Builder<Vec<u8>>, name: &str, bytes: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, bytes).unwrap();
    };
    let mut classes: Vec<PathBuf> =
        fs::read_dir(&labelling.images).unwrap().map(|entry| entry.unwrap().path()).collect();
    classes.sort();
    for class in classes {
        let name = class.file_name().unwrap().to_string_lossy().into_owned();
        let mut inner = tar::Builder::new(Vec::new());
        let mut files: Vec<PathBuf> = fs::read_dir(&class).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        for file in files {
            let (id, bytes) = (file.file_stem().unwrap().to_string_lossy().into_owned(), fs::read(&file).unwrap());
            append(&mut inner, &format!("{id}.png"), &bytes);
            append(&mut shard, &format!("{id}-{name}.png").replace('-', "_"), &bytes);
            append(&mut shard, &format!("{id}-{name}.cls").replace('-', "_"), name.as_bytes());
        }
        append(&mut outer, &format!("{name}.tar"), &inner.into_inner().unwrap());
    }
    let tar_of_tars = labelling.scene.path("all.tar");
    fs::write(&tar_of_tars, outer.into_inner().unwrap()).unwrap();
    let web = labelling.scene.path("shard-000.tar");
    fs::write(&web, shard.into_inner().unwrap()).unwrap();
    labelling.label(&tar_of_tars, "tars", &[]);
    labelling.label(&web, "web", &[]);

    // Names of pairs begin with their number; of a shard, ids have the class in them.
    let points = |out: &str| -> BTreeMap<String, (serde_json::Value, serde_json::Value)> {
        let files = labelling.files(out);
        let pairs = files.iter().filter(|(name, _)| name.contains("/PairAnnotation/"));
        let pair = |(name, bytes): (&String, &Vec<u8>)| {
            let json: serde_json::Value = serde_json::from_slice(bytes).unwrap();
            let number = name.rsplit('/').next().unwrap().split('-').next().unwrap().to_owned();
            (number, (json["src_kps"].clone(), json["trg_kps"].clone()))
        };
        pairs.map(pair).collect()
    };
    assert!(!points("folders").is_empty());
    assert_eq!(points("folders"), points("tars"));
    assert_eq!(points("folders"), points("web"));

    // Cut off in the middle: an error that says where.
    let whole = fs::read(&tar_of_tars).unwrap();
    let cut = labelling.scene.path("cut.tar");
    fs::write(&cut, &whole[..whole.len() / 2]).unwrap();
    let message = labelling.fail(&cut, "cut", &[]);
    assert!(message.contains("cut.tar") && (message.contains("offset") || message.contains("byte")), "{message}");
}

#[test]
fn what_is_there_already_is_not_harmed() {
    let labelling = Labelling::new();
    labelling.label(&labelling.images, "labels", &[]);
    let files = labelling.files("labels");
    let message = labelling.fail(&labelling.images, "labels", &["--set", "least_points=2"]);
    assert!(message.contains("label.least_points"), "{message}");
    let message = labelling.fail(&labelling.images, "labels", &["--set", "consistency.cycel=false"]);
    assert!(message.contains("did you mean `consistency.cycle`"), "{message}");
    assert_same(&files, &labelling.files("labels"));
    // A file where a folder is wanted.
    fs::write(labelling.scene.path("file"), "mine").unwrap();
    assert!(labelling.fail(&labelling.images, "file", &[]).contains("file"));
    assert_eq!(fs::read_to_string(labelling.scene.path("file")).unwrap(), "mine");
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_loses_nothing() {
    let labelling = Labelling::new();
    labelling.label(&labelling.images, "whole", &["--workers", "1"]);
    let binary = labelling.scene.command(&[]).get_program().to_owned();
    let flags = labelling.flags(&labelling.images, "full", &["--workers", "1", "--resume"]);
    let limited = std::process::Command::new("bash")
        .args(["-c", "trap '' XFSZ; ulimit -f 12; exec \"$0\" \"$@\""])
        .arg(binary)
        .args(&flags)
        .current_dir(labelling.scene.path(""))
        .env("SCORR_CACHE", labelling.scene.path("cache"))
        .output()
        .unwrap();
    let message = String::from_utf8_lossy(&limited.stderr).into_owned();
    assert!(!limited.status.success() && message.contains("full/"), "{message}");
    assert!(!message.contains("panicked"), "{message}");
    labelling.scene.succeed(&flags.iter().map(String::as_str).collect::<Vec<_>>());
    assert_same(&labelling.files("whole"), &labelling.files("full"));
}

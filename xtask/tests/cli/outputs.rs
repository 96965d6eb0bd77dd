//! Every command where standard output is closed or full, and where paths are not UTF-8: no panic, and nothing lost.
#![cfg(target_os = "linux")]

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use image::{Rgb, RgbImage};

use crate::support::{LENIENT, Scene};

/// A random backbone, and training of an instant.
const SMALL: [&str; 9] = [
    "backbone.name=small",
    "backbone.input=64",
    "backbone.blocks=[3]",
    "dhpf.grid=4",
    "pretrain.trainer.steps=1",
    "pretrain.batch=2",
    "finetune.trainer.steps=1",
    "finetune.batch=2",
    "views=1",
];

/// A scene with a tiny run `t` and key points to score on, all of drawn objects.
fn stage() -> (Scene, PathBuf) {
    let scene = Scene::new();
    scene.succeed(&scene.tiny("t", &["--set", "train.steps=1"]));
    let drawn = fs::read_dir(scene.path("cache/drawn")).unwrap().next().unwrap().unwrap().path();
    (scene, drawn)
}

fn words(line: &str) -> Vec<OsString> {
    line.split(' ').map(OsString::from).collect()
}

fn label<'a>(data: &'a OsStr, out: &'a OsStr) -> Vec<&'a OsStr> {
    let mut flags: Vec<&OsStr> =
        ["label", "--run", "t", "--device", "cpu", "--resume", "--json", "--val-share", "0"].map(OsStr::new).into();
    flags.extend([OsStr::new("--data"), data, OsStr::new("--out"), out]);
    LENIENT.iter().for_each(|setting| flags.extend(["--set", setting].map(OsStr::new)));
    flags
}

fn with_small(line: &str) -> Vec<OsString> {
    let small = SMALL.iter().flat_map(|setting| ["--set", setting].map(OsString::from));
    words(line).into_iter().chain(words("--device cpu")).chain(small).collect()
}

/// A pipe that nobody reads.
fn closed() -> Stdio {
    std::io::pipe().unwrap().1.into()
}

fn full() -> Stdio {
    File::options().write(true).open("/dev/full").unwrap().into()
}

fn run(scene: &Scene, flags: &[impl AsRef<OsStr>], out: Stdio, err: Stdio) -> Output {
    let mut command = scene.command(&[]);
    command.args(flags).stdout(out).stderr(err).stdin(Stdio::null()).spawn().unwrap().wait_with_output().unwrap()
}

/// The exit code of a command, which does not panic and is not killed; and what it complains of.
fn ends(scene: &Scene, flags: &[impl AsRef<OsStr>], out: Stdio) -> (i32, String) {
    let shown: Vec<_> = flags.iter().map(|flag| flag.as_ref().to_string_lossy().into_owned()).collect();
    let output = run(scene, flags, out, Stdio::piped());
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!message.contains("panicked"), "{shown:?}: {message}");
    let code = output.status.code().unwrap_or_else(|| panic!("{shown:?} was killed: {message}"));
    assert_ne!(code, 101, "{shown:?}: {message}");
    (code, message)
}

/// Every command, and whether it prints something. `#` stands for a number of the case.
fn table(drawn: &Path) -> Vec<(Vec<OsString>, bool)> {
    let data = drawn.to_str().unwrap();
    let tiny = Scene::new().tiny("again-#", &["--set", "train.steps=1"]).join(" ");
    let plain = [
        ("--help", true),
        ("help match", true),
        ("--version", true),
        ("doctor", true),
        ("doctor --json", true),
        ("weights list", true),
        ("weights list --json", true),
        ("train --print-config", true),
        (&tiny, true),
        ("eval --run t --device cpu --pairs 1", true),
        ("eval --run t --device cpu --pairs 1 --json --masks", true),
        ("score --layouts", true),
        (&format!("score --data {data} --pairs 1 --asked asked.jsonl"), false),
        (&format!("score --data {data} --predictions all.jsonl --partial"), true),
        (&format!("match {data}/car/00001.png {data}/car/00003.png --run t --device cpu --out m.png"), true),
        ("merge labels --out merged --images none --json", true),
        ("inspect labels", true),
        ("inspect labels --json --no-html", true),
        ("experiment plan.toml --out e --device cpu", true),
        ("experiment plan.toml --out e --summary --json", true),
        ("bench --list", true),
    ];
    let mut all: Vec<(Vec<OsString>, bool)> = plain.into_iter().map(|(line, prints)| (words(line), prints)).collect();
    all.push((label(drawn.as_os_str(), OsStr::new("labels")).into_iter().map(OsStr::to_owned).collect(), true));
    all.push((with_small("pretrain --matcher dhpf --data labels --run pre-#"), false));
    all.push((with_small(&format!("finetune --matcher hough --data {data} --score-pairs 1 --run no")), true));
    all
}

/// What the table's commands read: labels, an experiment, and predictions.
fn prepare(scene: &Scene, drawn: &Path) {
    let (code, message) = ends(scene, &label(drawn.as_os_str(), OsStr::new("labels")), Stdio::null());
    assert_eq!(code, 0, "{message}");
    let settings = SMALL.map(|setting| format!("{setting:?}")).join(", ");
    let plan = format!(
        "matchers = [\"hough\"]\nseeds = [0]\nsettings = [{settings}]\n[benchmark]\ndata = {drawn:?}\nscore_pairs = 1\n"
    );
    fs::write(scene.path("plan.toml"), plan).unwrap();
    let asked = scene.path("asked.jsonl");
    scene.succeed(&["score", "--data", drawn.to_str().unwrap(), "--asked", asked.to_str().unwrap()]);
    let first = fs::read_to_string(&asked).unwrap();
    let first: serde_json::Value = serde_json::from_str(first.lines().next().unwrap()).unwrap();
    let predicted = serde_json::json!({ "pair": first["pair"], "points": first["points"] });
    fs::write(scene.path("all.jsonl"), format!("{predicted}\n")).unwrap();
}

#[test]
fn every_command_ends_well_where_standard_output_is_closed_or_full() {
    let (scene, drawn) = stage();
    prepare(&scene, &drawn);
    for (case, out) in [("closed", closed as fn() -> Stdio), ("full", full)] {
        for (flags, prints) in table(&drawn) {
            let number = |flag: &OsString| flag.to_str().unwrap().replace('#', case);
            let flags: Vec<String> = flags.iter().map(number).collect();
            let (code, message) = ends(&scene, &flags, out());
            if case == "full" && prints {
                assert_eq!(code, 1, "{flags:?}: {message}");
                let said = "error: cannot write to standard output: No space left on device";
                assert!(message.contains(said), "{flags:?}: {message}");
            } else {
                assert_eq!(code, 0, "{flags:?}, standard output is {case}: {message}");
            }
        }
        // The work is done all the same.
        assert!(image::open(scene.path("m.png")).is_ok());
        fs::remove_file(scene.path("m.png")).unwrap();
        assert!(fs::remove_file(scene.path("runs/t/report.html")).is_ok());
    }
}

#[test]
fn an_error_stream_that_is_closed_or_full_changes_nothing() {
    let scene = Scene::new();
    for err in [closed, full] {
        for (flags, code) in [
            (&["doctor"][..], 0),
            (&["bench", "--list"], 0),
            (&["bench", "--only", "nothing"], 1),
            (&["match", "no-such.png", "no-such.png"], 1),
            (&["score", "--no-such-flag"], 2),
        ] {
            let output = run(&scene, flags, Stdio::piped(), err());
            assert_eq!(output.status.code(), Some(code), "{flags:?}");
        }
        // Where both are, too.
        assert_eq!(run(&scene, &["bench", "--list"], full(), err()).status.code(), Some(1));
    }
}

/// A name that is not UTF-8.
fn odd(folder: &Path, name: &str) -> OsString {
    folder.join(OsString::from_vec([name.as_bytes(), b"-caf\xe9"].concat())).into_os_string()
}

#[test]
fn every_command_takes_or_refuses_paths_that_are_not_utf_8() {
    let (scene, drawn) = stage();
    prepare(&scene, &drawn);
    let root = scene.path(".");
    let [data, labels, out, asked, plan, text] =
        ["data", "labels", "out", "asked", "plan", "text"].map(|name| odd(&root, name));
    // Two classes of the drawn objects, of which one picture has a name that is not UTF-8 either.
    for class in ["car", "lamp"].map(|class| drawn.join(class)) {
        copy(&class, &Path::new(&data).join(class.file_name().unwrap()));
    }
    let classes: Vec<_> = fs::read_dir(&data).unwrap().map(|class| class.unwrap().path()).collect();
    let [a, b] = ["00001.png", "00003.png"].map(|name| classes[0].join(name));
    let picture = PathBuf::from(odd(&classes[0], "picture")).with_extension("png");
    fs::copy(&a, &picture).unwrap();
    let picture_out = PathBuf::from(odd(&root, "match")).with_extension("png");
    fs::copy(scene.path("plan.toml"), &plan).unwrap();
    fs::write(&text, "no weights").unwrap();

    let expect = |line: &str, paths: &[&OsStr], code: i32, said: &str| {
        let mut paths = paths.iter();
        let fill = |word: OsString| if word == "@" { paths.next().unwrap().to_os_string() } else { word };
        let flags: Vec<OsString> = words(line).into_iter().map(fill).collect();
        let (found, message) = ends(&scene, &flags, Stdio::null());
        assert_eq!(found, code, "{line}: {message}");
        assert!(message.contains(said), "{line}: {said:?} is not in {message}");
    };
    expect("doctor --data @", &[&data], 0, "");
    expect("eval --run t --device cpu --pairs 1 --data @ --json", &[&data], 0, "");
    expect("eval --run @", &[&out], 2, "UTF-8");
    expect("score --data @ --asked @", &[&data, &asked], 0, "not valid UTF-8");
    let first = fs::read_to_string(&asked).unwrap();
    let first: serde_json::Value = serde_json::from_str(first.lines().next().unwrap()).unwrap();
    // What is asked stands in JSON, which is UTF-8, with a sign that it is not the name itself.
    assert!(first["asked_in"].as_str().unwrap().contains("data-caf\u{fffd}"), "{first}");
    let predicted = serde_json::json!({ "pair": first["pair"], "points": first["points"] });
    fs::write(&asked, format!("{predicted}\n")).unwrap();
    expect("score --data @ --predictions @ --out @ --partial", &[&data, &asked, &out], 0, "");
    expect("match @ @ --run t --device cpu --out @", &[picture.as_ref(), b.as_ref(), picture_out.as_ref()], 0, "");
    assert!(image::open(&picture_out).is_ok());
    expect("train --device cpu --run x --data @", &[&data], 2, "UTF-8");
    expect("train --device cpu --run x --config @", &[&text], 1, "");
    expect("weights verify @", &[&text], 1, "no known weights");
    expect("experiment @ --out @ --device cpu", &[&plan, &out], 0, "");
    expect("bench --list --against-torch @", &[&text], 0, "");
    let (code, message) = ends(&scene, &label(&data, &labels), Stdio::null());
    assert_eq!(code, 0, "{message}");
    expect("inspect @", &[&labels], 0, "");
    expect("merge @ --out @ --images none", &[&labels, &odd(&root, "merged")], 0, "");
    // A run's configuration is TOML, which is UTF-8.
    for (line, folder) in
        [("pretrain --matcher dhpf --run x --data", &labels), ("finetune --matcher dhpf --run x --data", &data)]
    {
        let mut flags = with_small(line);
        flags.insert(words(line).len(), folder.clone());
        let (code, message) = ends(&scene, &flags, Stdio::null());
        assert!(code == 1 && message.contains("not valid UTF-8") && message.contains("rename it"), "{line}: {message}");
    }

    // The cache in such a folder.
    let images = [a, drawn.join("car/00003.png")];
    let matched = ["match", "@", "@", "--run", "t", "--device", "cpu"];
    for (line, code, said) in [
        (&["weights", "list", "--json"][..], 0, ""),
        (&["doctor"], 0, ""),
        (&["train", "--device", "cpu", "--run", "x"], 1, "set SCORR_CACHE"),
        (&matched, 0, ""),
    ] {
        let mut images = images.iter();
        let fill = |word: &&str| if *word == "@" { images.next().unwrap().into() } else { OsString::from(word) };
        let flags: Vec<OsString> = line.iter().map(fill).collect();
        let output = scene.command(&[]).args(flags).env("SCORR_CACHE", &out).output().unwrap();
        let message = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{line:?}: {message}");
        assert!(message.contains(said), "{line:?}: {message}");
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for file in fs::read_dir(from).unwrap().map(|entry| entry.unwrap().path()) {
        fs::copy(&file, to.join(file.file_name().unwrap())).unwrap();
    }
}

#[test]
fn a_picture_of_matches_replaces_a_file_once_it_is_whole_and_is_never_huge() {
    let (scene, drawn) = stage();
    let images = ["00001.png", "00003.png"].map(|name| drawn.join("car").join(name).to_string_lossy().into_owned());
    let flags = |out: &'static str| {
        ["match", &images[0], &images[1], "--run", "t", "--device", "cpu", "--out", out].map(str::to_owned)
    };
    let matched = |out: &'static str| ends(&scene, &flags(out), Stdio::null());
    // Names of no picture are refused before anything is done, and what was there stays.
    for name in ["keep.gif", "keep", "keep.txt"] {
        fs::write(scene.path(name), "mine").unwrap();
        let (code, message) = matched(name);
        assert!(code == 1 && message.contains(".png or .jpg") && message.contains(name), "{message}");
        assert_eq!(fs::read(scene.path(name)).unwrap(), b"mine", "{name}");
    }
    fs::create_dir(scene.path("folder.png")).unwrap();
    assert!(matched("folder.png").1.contains("is a folder"));
    // A picture over another, and one that finds no room: files end at eight blocks.
    assert_eq!(matched("m.png").0, 0);
    let first = fs::read(scene.path("m.png")).unwrap();
    let limited = "trap '' XFSZ; ulimit -f 8; exec \"$0\" \"$@\"";
    let mut command = std::process::Command::new("sh");
    let binary = env!("CARGO_BIN_EXE_xtask");
    command.args(["-c", limited, binary]).args(flags("m.png")).current_dir(scene.path("."));
    let output = command.env("SCORR_CACHE", scene.path("cache")).output().unwrap();
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(1) && message.contains("cannot write m.png"), "{message}");
    assert_eq!(fs::read(scene.path("m.png")).unwrap(), first);
    // A device is written into, not replaced.
    std::os::unix::fs::symlink("/dev/full", scene.path("full.png")).unwrap();
    let (code, message) = matched("full.png");
    assert!(code == 1 && message.contains("cannot write full.png"), "{message}");
    assert!(fs::symlink_metadata(scene.path("full.png")).unwrap().is_symlink());

    // Forms that cameras do not have.
    for (name, size) in [("long.png", (60_000, 16)), ("high.png", (16, 60_000)), ("large.png", (4000, 1500))] {
        RgbImage::from_fn(size.0, size.1, |x, y| Rgb([(x / 3) as u8, (y * 5) as u8, 90]))
            .save(scene.path(name))
            .unwrap();
        scene.succeed(&["match", name, &images[1], "--run", "t", "--device", "cpu", "--out", "odd.png"]);
        let (width, height) = image::image_dimensions(scene.path("odd.png")).unwrap();
        assert!(u64::from(width) * u64::from(height) < 40_000_000, "{name}: {width}x{height}");
    }
}

#[test]
fn the_method_that_matches_is_said_and_can_be_chosen() {
    let (scene, drawn) = stage();
    let images = ["00001.png", "00003.png"].map(|name| drawn.join("car").join(name).to_string_lossy().into_owned());
    let flags = ["match", &images[0], &images[1], "--run", "t", "--device", "cpu", "--points", "20,30"];
    let matched = |more: &[&str]| {
        let output = scene.run(&[&flags[..], more].concat());
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        (output.status.code().unwrap(), json, message)
    };
    let (_, usual, message) = matched(&[]);
    assert_eq!(usual["method"], "stage-2-voted");
    assert!(message.contains("matched by stage-2-voted"), "{message}");
    assert_eq!(matched(&["--method", "stage-2-voted"]).1, usual);
    let mut found = Vec::new();
    for method in ["raw", "raw-hard", "raw-voted", "stage-1", "stage-2", "raw-rgb", "untrained"] {
        let (code, json, message) = matched(&["--method", method]);
        assert_eq!((code, &json["method"]), (0, &serde_json::json!(method)), "{message}");
        found.push(json["matches"][0]["target"].to_string());
    }
    found.sort();
    found.dedup();
    assert!(found.len() > 3, "methods differ: {found:?}");
    // A stage that the run has not, and no method at all.
    let (code, _, message) = matched(&["--method", "stage-3-voted"]);
    assert!(code == 1 && message.contains("stage-3-voted") && message.contains("stage-2-voted"), "{message}");
    let (code, _, message) = matched(&["--method", "best"]);
    assert!(code == 2 && message.contains("stage-N-voted"), "{message}");
}

//! What runs ahead and what is cached changes how long a run takes, and nothing else.

use std::fs;

use crate::support::{Scene, state};

#[test]
fn parameters_do_not_depend_on_threads_nor_on_what_the_cache_has() {
    let scene = Scene::new();
    let mut first = None;
    let mut train = |run: &str, settings: &[&str]| {
        let settings: Vec<&str> = settings.iter().flat_map(|setting| ["--set", setting]).collect();
        let output = scene.run(&scene.tiny(run, &settings));
        let log = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{run} failed: {log}");
        let parameters = state(&scene.path("runs").join(run).join("checkpoints/last.ckpt"))["parameters"].clone();
        assert_eq!(*first.get_or_insert(parameters.clone()), parameters, "{run}");
        log
    };
    train("in-turn", &["data.ahead=0"]);
    train("ahead-of-a-warm-cache", &["data.ahead=3"]);

    // A changed byte, a file cut short, and another version, in turn.
    let files: Vec<_> = fs::read_dir(scene.path("cache/features")).unwrap().flatten().map(|file| file.path()).collect();
    assert!(files.len() > 10, "{} files in the cache", files.len());
    for (index, file) in files.iter().enumerate() {
        let mut bytes = fs::read(file).unwrap();
        match index % 3 {
            0 => *bytes.last_mut().unwrap() ^= 1,
            1 => bytes.truncate(bytes.len() / 2),
            _ => bytes[7] -= 1,
        }
        fs::write(file, bytes).unwrap();
    }
    let log = train("spoilt-cache", &[]);
    for complaint in ["does not match its checksum", "is cut short", "is of another version"] {
        assert!(log.contains(complaint), "{complaint:?} is not in the log:\n{log}");
    }
    let log = train("mended-cache", &[]);
    assert!(!log.contains("computed again"), "{log}");

    fs::remove_dir_all(scene.path("cache/features")).unwrap();
    train("ahead-of-a-cold-cache", &[]);
    train("no-cache", &["backbone.cache_mib=0"]);
}

#[test]
fn a_run_may_be_resumed_with_more_or_less_ahead() {
    let scene = Scene::new();
    scene.succeed(&scene.tiny("a", &["--set", "data.ahead=0"]));
    scene.succeed(&["train", "--run", "a", "--resume", "--device", "cpu", "--set", "data.ahead=1"]);
}

//! Runs that replace others, and are killed at every instant of it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::{RunFolder, RunKind, check_results_folder};

/// A folder of runs.
struct Runs(tempfile::TempDir);

impl Runs {
    fn new() -> Runs {
        Runs(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn name(&self, name: &str) -> String {
        self.path(name).to_string_lossy().into_owned()
    }

    fn claim(&self, name: &str, overwrite: bool) -> anyhow::Result<RunFolder> {
        RunFolder::claim(&self.name(name), RunKind::Train, overwrite)
    }

    /// A run that began, and was killed after it wrote these checkpoints. Its content is its name in them.
    fn killed_after(&self, content: &str, overwrite: bool, checkpoints: &[&str]) {
        let run = self.claim("mine", overwrite).unwrap();
        run.begin("").unwrap();
        checkpoints.iter().for_each(|name| fs::write(run.checkpoints().join(name), content).unwrap());
    }

    /// A run that is done.
    fn trained(&self, content: &str) {
        self.killed_after(content, false, &["start.ckpt", "last.ckpt"]);
        RunFolder::open(&self.name("mine")).unwrap().has_checkpoint().unwrap();
    }

    fn put(&self, file: &str, content: &str) {
        let path = self.path(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn last(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.path(name).join("checkpoints/last.ckpt")).ok()
    }

    /// Every file with its content, but for locks.
    fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        fn walk(folder: &Path, files: &mut BTreeMap<PathBuf, Vec<u8>>) {
            for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
                if path.is_dir() {
                    walk(&path, files);
                } else if !path.ends_with(super::mark::LOCK) {
                    files.insert(path.clone(), fs::read(path).unwrap());
                }
            }
        }
        let mut files = BTreeMap::new();
        walk(self.0.path(), &mut files);
        files
    }
}

fn complaint<T: std::fmt::Debug>(outcome: anyhow::Result<T>) -> String {
    format!("{:#}", outcome.unwrap_err())
}

#[test]
fn a_start_that_fails_leaves_the_old_run_as_it_was() {
    let runs = Runs::new();
    runs.trained("old");
    let before = runs.files();
    // Before there is anything to write, when the folder is there, and when there is a start.
    for checkpoints in [None, Some(&[][..]), Some(&["start.ckpt"][..])] {
        let run = runs.claim("mine", true).unwrap();
        assert_eq!(runs.files(), before);
        if let Some(checkpoints) = checkpoints {
            run.begin("").unwrap();
            assert_eq!((runs.last("mine"), runs.last("mine.replaced")), (None, Some("old".to_owned())));
            checkpoints.iter().for_each(|name| fs::write(run.checkpoints().join(name), "new").unwrap());
        }
        run.give_up();
        assert_eq!(runs.files(), before, "after {checkpoints:?}");
    }
    assert!(complaint(runs.claim("mine", false)).contains("--overwrite"));
}

#[test]
fn a_start_that_fails_does_not_keep_its_name() {
    let runs = Runs::new();
    runs.killed_after("new", false, &[]);
    runs.claim("mine", false).unwrap().begin("").unwrap();
    // As an older version left it, and an empty folder.
    runs.put("old/config.toml", "[train]\nsteps = 4\n");
    fs::create_dir_all(runs.path("old/checkpoints")).unwrap();
    fs::create_dir_all(runs.path("empty")).unwrap();
    for name in ["old", "empty"] {
        let run = runs.claim(name, false).unwrap();
        run.begin("steps").unwrap();
        assert_eq!(fs::read_to_string(run.config()).unwrap(), "steps");
        run.give_up();
        assert!(!runs.path(name).exists());
    }
    // A start takes minutes, and is kept to be resumed from.
    let run = runs.claim("started", false).unwrap();
    run.begin("").unwrap();
    fs::write(run.checkpoints().join("start.ckpt"), "start").unwrap();
    run.give_up();
    drop(run);
    assert!(complaint(runs.claim("started", false)).contains("--resume"));
    assert!(RunFolder::resume(&runs.name("started"), RunKind::Train).unwrap().is_some());
}

#[test]
fn a_kill_at_any_instant_loses_no_trained_run() {
    let open = |runs: &Runs| RunFolder::open(&runs.name("mine")).map(drop);
    // The old one is moved aside, and no more.
    let runs = Runs::new();
    runs.trained("old");
    let before = runs.files();
    fs::rename(runs.path("mine"), runs.path("mine.replaced")).unwrap();
    open(&runs).unwrap();
    assert_eq!(runs.files(), before);
    // The new folder is there, empty or with its mark, and no checkpoint.
    fs::rename(runs.path("mine"), runs.path("mine.replaced")).unwrap();
    fs::create_dir(runs.path("mine")).unwrap();
    open(&runs).unwrap();
    assert_eq!(runs.files(), before);
    runs.killed_after("new", true, &[]);
    open(&runs).unwrap();
    assert_eq!(runs.files(), before);
    // Half of what was to be removed is there.
    fs::create_dir_all(runs.path(".discarded-mine/checkpoints")).unwrap();
    open(&runs).unwrap();
    assert_eq!(runs.files(), before);

    // With a start it can be resumed; the old one waits, through one more that is killed and one that fails.
    runs.killed_after("second", true, &["start.ckpt"]);
    open(&runs).unwrap();
    assert_eq!((runs.last("mine"), runs.last("mine.replaced")), (None, Some("old".to_owned())));
    runs.killed_after("third", true, &["start.ckpt"]);
    assert_eq!(runs.last("mine.replaced"), Some("old".to_owned()));
    assert!(complaint(runs.claim("mine", false)).contains("--resume"));
    let resumed = RunFolder::resume(&runs.name("mine"), RunKind::Train).unwrap().unwrap();
    resumed.has_checkpoint().unwrap();
    assert_eq!(runs.last("mine.replaced"), Some("old".to_owned()), "it is removed before there is a checkpoint");
    fs::write(resumed.checkpoints().join("last.ckpt"), "third").unwrap();
    resumed.has_checkpoint().unwrap();
    assert_eq!((runs.last("mine"), runs.last("mine.replaced")), (Some("third".to_owned()), None));
    drop(resumed);

    // The checkpoint is there, and the old one was not removed yet.
    runs.killed_after("fourth", true, &["start.ckpt", "last.ckpt"]);
    assert_eq!(runs.last("mine.replaced"), Some("third".to_owned()));
    open(&runs).unwrap();
    assert_eq!((runs.last("mine"), runs.last("mine.replaced")), (Some("fourth".to_owned()), None));
}

#[test]
fn what_is_no_run_is_never_replaced() {
    let runs = Runs::new();
    runs.put("site/config.toml", "title = \"site\"\n");
    runs.put("site/src/thesis.txt", "text");
    // Another program's training.
    runs.put("other/config.toml", "optimizer = \"sgd\"\n");
    runs.put("other/checkpoints/last.ckpt", "theirs");
    runs.put("marked/run.json", "{\"what\": \"a race\", \"version\": 1}");
    runs.put("file", "mine");
    // Runs that hold something of the user's.
    runs.trained("old");
    runs.put("mine/notes.txt", "what I saw");
    runs.put("copied/config.toml", "");
    runs.put("copied/checkpoints/last.ckpt", "old");
    runs.put("copied/checkpoints/step-100.ckpt", "mine");
    let before = runs.files();
    for (name, said) in [
        ("site", "holds no run"),
        ("other", "not one of ours"),
        ("marked", "holds no run"),
        ("file", "is a file"),
        ("mine", "notes.txt"),
        ("copied", "step-100.ckpt"),
    ] {
        let message = complaint(runs.claim(name, true));
        assert!(message.contains(said) && message.contains("choose another --run"), "{name}: {message}");
        assert!(runs.claim(name, false).is_err());
    }
    assert!(complaint(runs.claim("mine.replaced", false)).contains("are kept for"));
    assert_eq!(runs.files(), before);
    // A run of an older version that can be nothing else.
    runs.put("older/config.toml", "[train]\nsteps = 4\n");
    runs.put("older/checkpoints/last.ckpt", "old");
    runs.claim("older", true).unwrap().begin("").unwrap();
    assert_eq!(runs.last("older.replaced"), Some("old".to_owned()));
    // Something that stands where the old run would go is left alone.
    runs.put("older.replaced/notes.txt", "what I saw");
    RunFolder::open(&runs.name("older")).unwrap();
    fs::remove_file(runs.path("older/notes.txt")).unwrap();
    runs.put("older.replaced/thesis.txt", "text");
    let message = complaint(runs.claim("older", true).unwrap().begin(""));
    assert!(message.contains("in the way"), "{message}");
    assert_eq!(runs.last("older"), Some("old".to_owned()));
}

#[test]
fn a_run_that_another_process_writes_is_left_alone() {
    let runs = Runs::new();
    runs.trained("old");
    // As another process would: it holds the lock.
    let writing = runs.claim("mine", true).unwrap();
    writing.begin("").unwrap();
    let before = runs.files();
    assert!(complaint(runs.claim("mine", true)).contains("another process"));
    assert!(complaint(RunFolder::resume(&runs.name("mine"), RunKind::Train)).contains("another process"));
    // It has no checkpoint yet, and its old run is not put back over it.
    RunFolder::open(&runs.name("mine")).unwrap();
    assert_eq!(runs.files(), before);
    drop(writing);
    RunFolder::open(&runs.name("mine")).unwrap();
    assert_eq!(runs.last("mine"), Some("old".to_owned()));
}

#[test]
fn a_run_says_what_made_it() {
    let runs = Runs::new();
    runs.trained("old");
    let run = || RunFolder::open(&runs.name("mine")).unwrap();
    assert!(run().of_kind(&[RunKind::Train]).is_ok());
    let message = complaint(run().of_kind(&[RunKind::Pretrain, RunKind::Finetune]));
    assert!(message.contains("`cargo xtask train`") && message.contains("`pretrain` or `finetune`"), "{message}");
    assert!(complaint(RunFolder::resume(&runs.name("mine"), RunKind::Pretrain)).contains("is wanted"));
    assert!(complaint(check_results_folder(&runs.path("mine"), "--out")).contains("is a run"));
    assert!(check_results_folder(&runs.path("table"), "--out").is_ok());
    // A newer version may mean anything by its files. A run of an older one does not say.
    let mark = fs::read_to_string(runs.path("mine/run.json")).unwrap();
    runs.put("mine/run.json", &mark.replace("\"version\": 1", "\"version\": 2"));
    assert!(complaint(RunFolder::open(&runs.name("mine"))).contains("newer version"));
    fs::remove_file(runs.path("mine/run.json")).unwrap();
    assert!(run().of_kind(&[RunKind::Pretrain]).is_ok());
    // Without checkpoints/ a config.toml makes no run.
    fs::remove_dir_all(runs.path("mine/checkpoints")).unwrap();
    assert!(complaint(RunFolder::open(&runs.name("mine"))).contains("holds no run"));
}

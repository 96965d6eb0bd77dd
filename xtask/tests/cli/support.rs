//! Running the binary in a folder of its own, on a data set that is small enough for a test.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use sc_imagenet::drawn::{DrawnConfig, class_names, draw};

/// A folder for one test, with its cache and runs.
pub struct Scene {
    folder: tempfile::TempDir,
}

impl Scene {
    /// An empty folder.
    pub fn new() -> Scene {
        Scene { folder: tempfile::tempdir().expect("a temporary folder") }
    }

    /// A path in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Drawn objects of two classes with their key points, as class folders below `points`.
    pub fn key_points(&self) -> PathBuf {
        let folder = self.path("points");
        let config = DrawnConfig { size: 64, ..DrawnConfig::default() };
        for class in 0..2 {
            for index in 0..4 {
                let drawn = draw(class, index, &config);
                let path = folder.join(class_names()[class]).join(format!("{index}.png"));
                std::fs::create_dir_all(path.parent().expect("a class folder")).expect("a folder");
                drawn.image.save(&path).expect("an image");
                eval::write_key_points(&path.with_extension("mat"), &drawn.key_points).expect("key points");
            }
        }
        folder
    }

    /// The binary, not yet run, with its cache in the folder.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        command.args(arguments).current_dir(self.folder.path()).env("SCORR_CACHE", self.path("cache"));
        command
    }

    /// Runs the binary.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("the binary starts")
    }

    /// Runs the binary, which must succeed; what it printed.
    pub fn succeed(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?} failed: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("output is UTF-8")
    }

    /// Runs the binary, which must fail with a message and no panic; the message.
    pub fn fail(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{arguments:?} should fail cleanly: {message}");
        assert!(!message.contains("panicked"), "{message}");
        message
    }

    /// The flags of a tiny run on drawn objects, named `run`, and more.
    pub fn tiny<'a>(&self, run: &'a str, more: &[&'a str]) -> Vec<&'a str> {
        let mut flags = vec!["train", "--run", run, "--device", "cpu"];
        for setting in TINY {
            flags.extend(["--set", setting]);
        }
        flags.extend(more);
        flags
    }
}

/// Starts a command, kills it as soon as `sign` finds what it waits for, and gives that back. The kill must have landed: a
/// command that was done before it is no killed one.
pub fn kill_at<T>(mut command: Command, sign: impl Fn() -> Option<T>) -> T {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the binary starts");
    let began = Instant::now();
    let found = loop {
        if let Some(found) = sign() {
            break found;
        }
        let ended = child.try_wait().expect("a child");
        assert!(ended.is_none(), "it ended ({ended:?}) before there was what it was to be killed at");
        assert!(began.elapsed() < Duration::from_secs(120), "it never did what it was to be killed at");
        std::thread::sleep(Duration::from_millis(1));
    };
    child.kill().expect("a child that can be killed");
    let status = child.wait().expect("a child");
    assert!(is_killed(status), "it ended by itself ({status}) before the kill landed");
    found
}

#[cfg(unix)]
fn is_killed(status: std::process::ExitStatus) -> bool {
    std::os::unix::process::ExitStatusExt::signal(&status) == Some(9)
}

#[cfg(not(unix))]
fn is_killed(status: std::process::ExitStatus) -> bool {
    !status.success()
}

/// A run of seconds: enough to pass through every line of the method. A shard has four pairs, of four classes.
const TINY: [&str; 12] = [
    "drawn.images_per_class=4",
    "drawn.size=64",
    "backbone.input=64",
    "classifier.steps=3",
    "classifier.batch=8",
    "mask.map.scales=[1.0]",
    "student.stages=2",
    "student.hidden=8",
    "train.steps=4",
    "train.pairs=8",
    "train.validate_every=2",
    "train.checkpoint_every=1",
];

/// Settings under which a network that has learnt next to nothing labels something.
pub const LENIENT: [&str; 7] = [
    "consistency.partners=0.5",
    "consistency.peaked=false",
    "consistency.cycle_cells=2",
    "consistency.least_cells=2",
    "consistency.least_blocks=1",
    "block=3",
    "partners=2",
];

/// What a checkpoint says of itself; `parameters` is a hash of all parameter values.
pub fn state(checkpoint: &Path) -> serde_json::Value {
    let bytes = std::fs::read(checkpoint).expect("a checkpoint");
    let length = u64::from_le_bytes(bytes[8..16].try_into().expect("eight bytes")) as usize;
    let header: serde_json::Value = serde_json::from_slice(&bytes[16..16 + length]).expect("a header");
    header["state"].clone()
}

//! A build that is killed and begun again, many times over, is the build that nobody touched.

#![cfg(unix)]

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sc_imagenet::{ImageSource, Record, Shard, part_folder};

#[allow(dead_code)]
#[path = "../examples/build_drawn.rs"]
mod build_drawn;
#[path = "made/data_set.rs"]
mod made;
use made::{Files, snapshot};

const KILLS: usize = 32;
const SHARDS: u32 = 2;
/// Where the process that is to be killed finds photos and its output folder.
const PHOTOS: &str = "SC_IMAGENET_KILLED_PHOTOS";
const OUT: &str = "SC_IMAGENET_KILLED_OUT";

/// Builds in `shards` parts, one after the other, and merges them; says what it begins.
fn build(photos: &Path, out: &Path, shards: u32) {
    let source = ImageSource::open(photos, &[]).unwrap();
    for index in 0..shards {
        let shard = Shard::new(index, shards).unwrap();
        build_drawn::label(&source, out, shard, |image| say(&format!("begun {image}"))).unwrap();
    }
    say("merging");
    build_drawn::assemble(&source, out).unwrap();
}

/// Prints a line of its own, wherever in its line the test harness is.
fn say(what: &str) {
    println!("\n{what}");
}

/// Run by the test below, in a process that does not live long.
#[test]
fn to_be_killed() {
    if let (Some(photos), Some(out)) = (std::env::var_os(PHOTOS), std::env::var_os(OUT)) {
        build(Path::new(&photos), Path::new(&out), SHARDS);
    }
}

fn start(photos: &Path, out: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "to_be_killed", "--nocapture", "--test-threads=1"])
        .envs([(PHOTOS, photos), (OUT, out)])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Runs the build and kills it: some time after it has printed `lines` lines, or after it has begun to merge. What it has
/// printed, and whether it was killed before it was done.
fn run_and_kill(photos: &Path, out: &Path, lines: usize, time: impl Fn(bool) -> Duration) -> (Vec<String>, bool) {
    let mut child = start(photos, out);
    let mut output = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut printed = Vec::new();
    for line in output.by_ref().filter(|line| line == "merging" || line.starts_with("begun ")) {
        let merging = line == "merging";
        printed.push(line);
        if merging || printed.len() > lines {
            std::thread::sleep(time(merging));
            break;
        }
    }
    child.kill().unwrap();
    printed.extend(output);
    let status = child.wait().unwrap();
    assert!(status.success() || status.signal() == Some(9), "{status}");
    (printed, !status.success())
}

/// The whole lines of every part's journal: what is finished, and must never be lost or done again.
fn finished(out: &Path) -> Vec<Vec<String>> {
    let journal = |index| part_folder(out, Shard::new(index, SHARDS).unwrap()).join("journal.jsonl");
    let lines = |path: PathBuf| {
        let text = fs::read_to_string(path).unwrap_or_default();
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole.lines().map(str::to_owned).collect()
    };
    (0..SHARDS).map(|index| lines(journal(index))).collect()
}

/// The numbers of the images in a journal's lines.
fn images(journals: &[Vec<String>]) -> BTreeSet<usize> {
    // All but the first and the last are arrays of records.
    let lines = journals.iter().flatten().filter(|line| line.starts_with('['));
    let records = lines.flat_map(|line| serde_json::from_str::<Vec<Record>>(line).unwrap());
    let number = |record: Record| match record {
        Record::Image(image) => Some(image.number as usize),
        Record::Pairs { .. } => None,
    };
    records.filter_map(number).collect()
}

#[test]
fn killed_at_any_instant_nothing_is_lost_and_nothing_done_twice() {
    let folder = tempfile::tempdir().unwrap();
    let photos = folder.path().join("photos");
    build_drawn::draw_photos(&photos).unwrap();
    let untouched = folder.path().join("untouched");
    build(&photos, &untouched, 1);
    let expected: Files = snapshot(&untouched);
    let source = ImageSource::open(&photos, &[]).unwrap();
    let before = Instant::now();
    build_drawn::assemble(&source, &untouched).unwrap();
    let merging_takes = before.elapsed();

    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let (mut while_labelling, mut while_merging, mut builds, mut begun, mut begun_twice) = (0, 0, 0, 0, 0);
    let mut midway = 0;
    while while_labelling + while_merging < KILLS {
        let out = folder.path().join(format!("out {builds}"));
        loop {
            let before = finished(&out);
            let (lines, share) = (rng.random_range(0..20), rng.random_range(0.0..1.0));
            // Writing anew takes longer than finding all as it should be.
            let time = |merging| if merging { merging_takes * 3 } else { Duration::from_millis(4) };
            let (printed, killed) = run_and_kill(&photos, &out, lines, |merging| time(merging).mul_f64(share));

            let known = images(&before);
            for line in printed.iter().filter_map(|line| line.strip_prefix("begun ")) {
                begun += 1;
                begun_twice += usize::from(known.contains(&line.parse().unwrap()));
            }
            for (before, after) in before.iter().zip(finished(&out)) {
                assert!(after.starts_with(before), "finished work is lost");
            }
            if !killed {
                break;
            }
            let done = images(&finished(&out)).len();
            if printed.iter().any(|line| line == "merging") {
                assert_eq!(done, source.images().len(), "what is not labelled is merged");
                while_merging += 1;
            } else {
                while_labelling += 1;
                midway += usize::from((1..source.images().len()).contains(&done));
            }
        }
        assert_eq!(images(&finished(&out)).len(), source.images().len());
        assert!(snapshot(&out) == expected, "other bytes than those of the build that nobody touched");
        builds += 1;
    }
    println!(
        "{while_labelling} kills while labelling, {midway} of them with some images done and some not, {while_merging} while \
         merging, {builds} builds of {} images; {begun} images begun, {begun_twice} of them finished before",
        source.images().len()
    );
    assert_eq!(begun_twice, 0);
    assert!(begun >= builds * source.images().len());
    assert!(midway > KILLS / 4 && while_merging > 0, "{midway} kills amid the images, {while_merging} amid the merge");
}

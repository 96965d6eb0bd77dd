//! Which parts make a data set together, and which do not.

use std::fs;
use std::path::PathBuf;

use sc_imagenet::{BuildIdentity, ImagePlacement, Journal, Record, Shard};

#[path = "made/limited.rs"]
mod limited;
#[path = "made/data_set.rs"]
mod made;
#[path = "../../xtask/tests/skips/mod.rs"]
mod skips;
use made::{MAX_POINTS, build_shard, identity, merge_into, merged, single, snapshot, work};

#[test]
fn parts_that_do_not_belong_together_are_refused() {
    let work = work(3);
    let folder = tempfile::tempdir().unwrap();
    let shard = |text: &str| text.parse::<Shard>().unwrap();
    let parts: Vec<PathBuf> = ["0/3", "1/3", "2/3"].map(|text| build_shard(folder.path(), shard(text), &work)).to_vec();
    let refusal = |parts: &[PathBuf]| {
        let out = folder.path().join("out");
        let message = merge_into(&out, parts, ImagePlacement::LeaveOut).unwrap_err().to_string();
        assert!(!out.exists(), "{message}");
        message
    };
    assert_eq!(merged(&[&parts[..], &parts[..1]].concat()), single(&work), "a part that is named twice");

    let message = refusal(&[parts[1].clone()]);
    assert!(message.contains("of 3 shards these are missing: 0/3, 2/3; build them"), "{message}");
    let message = refusal(&[folder.path().join("none")]);
    assert!(message.contains("none: holds no part of a build"), "{message}");

    let other = build_shard(folder.path(), shard("0/2"), &work);
    let message = refusal(&[parts[0].clone(), other]);
    assert!(message.contains("parts of different builds: one has 2 shards, the other 3"), "{message}");

    let elsewhere = tempfile::tempdir().unwrap();
    let other = BuildIdentity::new("beef", &serde_json::json!({"consistency": {"cycle_share": 0.5}, "seed": 8}));
    let (journal, _) = Journal::open(elsewhere.path(), &other, shard("0/3"), MAX_POINTS).unwrap();
    journal.finish().unwrap();
    let message = refusal(&[elsewhere.path().to_owned(), parts[1].clone()]);
    assert!(
        message.contains("`seed` is 8 there and 7 here") || message.contains("`seed` is 7 there and 8 here"),
        "{message}"
    );

    let unfinished = tempfile::tempdir().unwrap();
    drop(Journal::open(unfinished.path(), &identity(), shard("0/3"), MAX_POINTS).unwrap());
    let message = refusal(&[unfinished.path().to_owned(), parts[1].clone(), parts[2].clone()]);
    assert!(message.contains("shard 0/3 is not finished; resume it first"), "{message}");
}

#[test]
fn a_shard_that_was_built_twice_counts_once_and_must_agree() {
    let work = work(3);
    let shards = ["0/2", "1/2"].map(|text| text.parse::<Shard>().unwrap());
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let parts = [
        build_shard(one.path(), shards[0], &work),
        build_shard(one.path(), shards[1], &work),
        build_shard(other.path(), shards[0], &work),
    ];
    assert_eq!(merged(&parts), single(&work));

    let mut different = work.clone();
    if let Record::Pairs { pairs, .. } = &mut different[0][1] {
        pairs[1].confidences[0] = 0.125;
    }
    let disagreeing = tempfile::tempdir().unwrap();
    let parts = [parts[0].clone(), parts[1].clone(), build_shard(disagreeing.path(), shards[0], &different)];
    let out = tempfile::tempdir().unwrap();
    let message = merge_into(out.path(), &parts, ImagePlacement::LeaveOut).unwrap_err().to_string();
    assert!(message.contains("different results for pair 000001-8-10:cup"), "{message}");
}

#[test]
fn settings_that_differ_are_another_build_even_under_one_hash() {
    let folder = tempfile::tempdir().unwrap();
    let work = work(3);
    let one = build_shard(folder.path(), "0/2".parse().unwrap(), &work);
    let other = folder.path().join("other");
    let mut identity = identity();
    identity.settings.insert("seed".to_owned(), "8".to_owned());
    let (journal, _) = Journal::open(&other, &identity, "1/2".parse().unwrap(), MAX_POINTS).unwrap();
    journal.finish().unwrap();
    let out = folder.path().join("out");
    for parts in [[one.clone(), other.clone()], [other, one]] {
        let message = merge_into(&out, &parts, ImagePlacement::LeaveOut).unwrap_err().to_string();
        assert!(message.contains("parts of different builds: `seed` is 8 there and 7 here"), "{message}");
    }
}

#[test]
fn there_may_be_more_parts_than_files_that_can_be_open() {
    let folder = tempfile::tempdir().unwrap();
    let work = work(25);
    for index in 0..50 {
        build_shard(folder.path(), Shard::new(index, 50).unwrap(), &work);
    }
    if limited::run("merge_with_few_open_files", limited::FEW_FILES, folder.path()).is_some() {
        assert_eq!(snapshot(&folder.path().join("out")), single(&work));
    }
}

/// Run by the test above, in a process that may open a few files only.
#[test]
fn merge_with_few_open_files() {
    if let Some(folder) = limited::folder() {
        merge_into(&folder.join("out"), &[folder], ImagePlacement::LeaveOut).unwrap();
    }
}

/// A build that is not a pure function of its configuration: labels made anew come out otherwise.
#[test]
fn annotations_of_earlier_labels_are_not_taken_along() {
    let (folder, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let before = work(4);
    merge_into(out.path(), &[build_shard(folder.path(), Shard::WHOLE, &before)], ImagePlacement::LeaveOut).unwrap();
    let mut now = before.clone();
    if let Record::Pairs { pairs, .. } = &mut now[0][1] {
        pairs.pop();
    }
    let anew = tempfile::tempdir().unwrap();
    let parts = [build_shard(anew.path(), Shard::WHOLE, &now)];
    let message = merge_into(out.path(), &parts, ImagePlacement::LeaveOut).unwrap_err().to_string();
    assert!(message.contains("PairAnnotation/trn: holds 9 files for 8 pairs; those of earlier labels"), "{message}");
    fs::remove_dir_all(out.path().join("SC-IMAGENET/PairAnnotation/trn")).unwrap();
    merge_into(out.path(), &parts, ImagePlacement::LeaveOut).unwrap();
    assert_eq!(snapshot(out.path()), single(&now));
}

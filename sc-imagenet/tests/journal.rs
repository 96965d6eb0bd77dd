//! A journal loses nothing that was finished, whatever happens to the process or the disk.

use std::fs;
use std::path::Path;

use sc_imagenet::{BuildIdentity, Journal, JournalError, Layout, Record, Shard, part_folder};

#[path = "made/limited.rs"]
mod limited;
#[path = "made/data_set.rs"]
mod made;
#[path = "../../xtask/tests/skips/mod.rs"]
mod skips;
use made::{MAX_POINTS, build_shard, identity, image, merged, pair, single, work};

const JOURNAL: &str = "journal.jsonl";

fn open(part: &Path) -> Result<(Journal, sc_imagenet::Finished), JournalError> {
    Journal::open(part, &identity(), Shard::WHOLE, MAX_POINTS)
}

/// Does what is left to do, and counts it.
fn resume(part: &Path, work: &[Vec<Record>]) -> usize {
    let (mut journal, finished) = open(part).unwrap();
    let mut done = 0;
    for (unit, records) in (0..).zip(work) {
        match finished.kept(unit) {
            Some(kept) => {
                assert_eq!((kept, finished.is_labelled(unit)), (unit % 3 != 2, true), "all of a line or none")
            }
            None => {
                journal.append(records).unwrap();
                done += 1;
            }
        }
    }
    journal.finish().unwrap();
    done
}

#[test]
fn a_build_is_resumed_from_every_prefix_of_its_journal() {
    let work = work(3);
    let folder = tempfile::tempdir().unwrap();
    let part = build_shard(folder.path(), Shard::WHOLE, &work);
    let whole = fs::read(part.join(JOURNAL)).unwrap();
    let expected = merged(std::slice::from_ref(&part));
    let line_ends: Vec<usize> = (0..whole.len()).filter(|&at| whole[at] == b'\n').map(|at| at + 1).collect();
    assert_eq!(line_ends.len(), 1 + work.len() + 1);

    for length in 0..=whole.len() {
        fs::write(part.join(JOURNAL), &whole[..length]).unwrap();
        let lines = line_ends.iter().filter(|&&end| end <= length).count();
        let known = lines.saturating_sub(1).min(work.len());
        {
            let (_journal, finished) = open(&part).unwrap();
            assert_eq!((finished.images(), finished.sources()), (known, known), "{length}");
            assert_eq!(finished.is_complete(), length == whole.len(), "{length}");
            let torn = if lines == 0 { 0 } else { length - line_ends[lines - 1] };
            assert_eq!(finished.torn_bytes(), torn as u64, "{length}");
        }
        // Doing the rest takes longer than looking: at every end of a line, round it, and now and then.
        if line_ends.iter().any(|end| end.abs_diff(length) <= 1) || length % 251 == 0 {
            assert_eq!(resume(&part, &work), work.len() - known, "{length}: no finished work is done again");
            assert_eq!(fs::read(part.join(JOURNAL)).unwrap(), whole, "{length}");
            assert_eq!(resume(&part, &work), 0, "{length}");
        }
    }
    assert_eq!(merged(&[part]), expected);
}

fn without_line(text: &str, line: usize) -> String {
    text.lines().enumerate().filter(|(at, _)| *at != line).map(|(_, text)| format!("{text}\n")).collect()
}

#[test]
fn a_journal_of_something_else_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let part = build_shard(folder.path(), Shard::WHOLE, &work(2));
    let path = part.join(JOURNAL);
    let before = fs::read(&path).unwrap();
    let refusal = |identity: &BuildIdentity, shard| {
        let error = Journal::open(&part, identity, shard, MAX_POINTS).map(drop).unwrap_err();
        assert_eq!(fs::read(&path).unwrap(), before);
        error.to_string()
    };

    let other = BuildIdentity::new("beef", &serde_json::json!({"consistency": {"cycle_share": 0.6}, "seed": 7}));
    let message = refusal(&other, Shard::WHOLE);
    assert!(message.starts_with(path.to_str().unwrap()), "{message}");
    assert!(
        message.contains("`consistency.cycle_share` is 0.5 there and 0.6 here; choose another folder"),
        "{message}"
    );
    let weights = BuildIdentity { config_hash: "beef".to_owned(), ..identity() };
    let message = refusal(&weights, Shard::WHOLE);
    assert!(message.contains("no setting differs, but the hash does (c0ffee there, beef here)"), "{message}");
    let mut settings = identity();
    settings.settings.insert("seed".to_owned(), "8".to_owned());
    let message = refusal(&settings, Shard::WHOLE);
    assert!(message.contains("`seed` is 7 there and 8 here"), "the hash alone does not decide: {message}");
    let message = refusal(&identity(), "1/2".parse().unwrap());
    assert!(message.contains("is of shard 0/1, not of 1/2"), "{message}");

    let text = String::from_utf8(before.clone()).unwrap();
    for (content, expected) in [
        ("some notes", "is no journal of a build"),
        ("{\"journal\":\"another\"}\n", "is no journal of a build"),
        (
            &text.replace("\"version\":2", "\"version\":9"),
            "is a journal of version 9, and this program writes version 2",
        ),
        (
            &text.replace("\"version\":2", "\"version\":1"),
            "choose another folder, or finish the build with the program that began it",
        ),
        (&text.replace("\"count\":1", "\"count\":0"), "there is no shard 0/0"),
        (&text.replacen("[{\"image\"", "[{\"imago\"", 1), "journal.jsonl:2: damaged at byte"),
        (&text.replacen("\n[", "\nnonsense\n[", 1), "journal.jsonl:2: damaged at byte"),
        (&without_line(&text, 2), "(4 images, 4 sources and 6 pairs are to be in it, and 3 images, 3 sources and"),
        (&format!("{text}[]\n"), "(a line behind the last one); cut the file off"),
    ] {
        fs::write(&path, content).unwrap();
        let message = open(&part).map(drop).unwrap_err().to_string();
        assert!(message.contains(expected), "`{expected}` is not in: {message}");
        assert_eq!(fs::read_to_string(&path).unwrap(), content);
    }
}

#[test]
fn a_part_has_one_writer() {
    let folder = tempfile::tempdir().unwrap();
    let (journal, _) = open(folder.path()).unwrap();
    let message = open(folder.path()).map(drop).unwrap_err().to_string();
    assert!(message.contains("another process is building this part"), "{message}");
    drop(journal);
    assert!(open(folder.path()).is_ok());
}

/// As two processes would that build one part on a file system without locks.
#[test]
fn what_another_process_has_written_is_not_cut_off() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(JOURNAL);
    let (mut journal, _) = open(folder.path()).unwrap();
    let work = work(2);
    journal.append(&work[0]).unwrap();
    let ours = fs::read(&path).unwrap();
    let theirs = [&ours[..], b"[]\n"].concat();
    for there in [&theirs[..], &ours[..ours.len() - 7]] {
        fs::write(&path, there).unwrap();
        let message = journal.append(&work[1]).unwrap_err().to_string();
        assert!(
            message.contains(&format!("is {} bytes long, {} of them of this", there.len(), ours.len())),
            "{message}"
        );
        assert_eq!(fs::read(&path).unwrap(), there);
    }
    fs::write(&path, &ours).unwrap();
    journal.append(&work[1]).unwrap();
}

#[test]
#[should_panic(expected = "less than 67108864 fit")]
fn records_that_could_not_be_read_again_are_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let (mut journal, _) = open(folder.path()).unwrap();
    let mut endless = image(2, "cup", "a");
    endless.rejection.as_mut().unwrap().detail = "x".repeat(1 << 26);
    let _ = journal.append(&[Record::Image(endless)]);
}

#[test]
fn what_the_layout_cannot_hold_never_enters() {
    let folder = tempfile::tempdir().unwrap();
    let (mut journal, _) = open(folder.path()).unwrap();
    let before = fs::read(folder.path().join(JOURNAL)).unwrap();
    let mut crowded = pair(1, "cup", "a", "b");
    crowded.source.points = vec![[1.0, 1.0]; MAX_POINTS + 1];
    let mut unnumbered = image(1, "cup", "a");
    unnumbered.score = Some(f32::NAN);
    for (record, expected) in [
        (Record::Pairs { source: 0, pairs: vec![crowded] }, "has 41 key points, at most 40 are asked for"),
        (Record::Pairs { source: 0, pairs: vec![pair(1, "cup", "a-1", "b")] }, "the image id `a-1` has `-` in it"),
        (Record::Image(image(1, "c:p", "a")), "the class `c:p` has `:` in it"),
        (Record::Image(unnumbered), "its score is NaN"),
    ] {
        let message = journal.append(&[Record::Image(image(0, "cup", "b")), record]).unwrap_err().to_string();
        assert!(message.contains(expected), "`{expected}` is not in: {message}");
    }
    journal.append(&[]).unwrap();
    assert_eq!(fs::read(folder.path().join(JOURNAL)).unwrap(), before, "all records of a call or none");
}

#[test]
fn a_finished_part_takes_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let part = build_shard(folder.path(), Shard::WHOLE, &work(2));
    let (mut journal, finished) = open(&part).unwrap();
    assert!(finished.is_complete());
    assert_eq!(finished.pairs(), 6);
    let message = journal.append(&[Record::Image(image(9, "cup", "x"))]).unwrap_err().to_string();
    assert!(message.contains("the part is finished"), "{message}");
    let before = fs::read(part.join(JOURNAL)).unwrap();
    journal.finish().unwrap();
    assert_eq!(fs::read(part.join(JOURNAL)).unwrap(), before);
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "x").unwrap();
    let part = part_folder(&folder.path().join("file"), Shard::WHOLE);
    let message = open(&part).map(drop).unwrap_err().to_string();
    assert!(message.starts_with(part.to_str().unwrap()), "{message}");
    assert!(message.contains("cannot be written") && message.contains("name another folder"), "{message}");
}

#[test]
fn a_full_disk_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let work = work(40);
    let Some(output) = limited::run("on_a_little_disk", limited::LITTLE_DISK, folder.path()) else {
        return;
    };
    let appended: usize = output.lines().find_map(|line| line.strip_prefix("appended ")).unwrap().parse().unwrap();
    assert!((1..work.len()).contains(&appended), "{appended}");
    let part = part_folder(folder.path(), Shard::WHOLE);
    assert_eq!(resume(&part, &work), work.len() - appended);
    assert_eq!(merged(&[part]), single(&work));
}

/// Run by the test above, in a process that may write files of a few thousand bytes only.
#[test]
fn on_a_little_disk() {
    let Some(folder) = limited::folder() else {
        return;
    };
    let part = part_folder(&folder, Shard::WHOLE);
    let (mut journal, _) = open(&part).unwrap();
    let mut appended = 0;
    for records in work(40) {
        if let Err(error) = journal.append(&records) {
            let message = error.to_string();
            assert!(
                message.contains("free some space") && message.contains("nothing that was finished is lost"),
                "{message}"
            );
            assert!(journal.append(&records).is_err(), "still full");
            break;
        }
        appended += 1;
    }
    let content = fs::read(part.join(JOURNAL)).unwrap();
    assert!(content.ends_with(b"\n"), "what was begun is taken back");
    println!("appended {appended}");
}

#[test]
fn parts_that_are_not_merged_are_pointed_at() {
    let folder = tempfile::tempdir().unwrap();
    build_shard(folder.path(), Shard::WHOLE, &work(2));
    let message = Layout::open(folder.path()).unwrap_err().to_string();
    assert!(message.contains("parts of a build that are not merged yet"), "{message}");
}

//! A data set is the same bytes, however the work was divided, interrupted, or put together.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use proptest::prelude::*;
use sc_imagenet::{
    BuildIdentity, ImagePlacement, ImageSource, Journal, LabelledPair, Layout, LayoutStatistics, LayoutWriter,
    MergeError, MergeOptions, Record, Shard, Split, merge, part_folder,
};

#[path = "made/little_disk.rs"]
mod little_disk;
#[path = "made/data_set.rs"]
mod made;
#[path = "made/tars.rs"]
mod tars;
use made::{MAX_POINTS, any_pair, build_shard, facts, identity, image, pair, snapshot, work};

type Files = BTreeMap<PathBuf, Vec<u8>>;

fn merge_into(out: &Path, parts: &[PathBuf], images: ImagePlacement<'_>) -> Result<LayoutStatistics, MergeError> {
    merge(parts, out, &MergeOptions { images, max_points: MAX_POINTS, facts: facts() }, |_, _| ())
}

fn merged(parts: &[PathBuf]) -> Files {
    let out = tempfile::tempdir().unwrap();
    merge_into(out.path(), parts, ImagePlacement::LeaveOut).unwrap();
    snapshot(out.path())
}

fn single(work: &[Vec<Record>]) -> Files {
    let folder = tempfile::tempdir().unwrap();
    merged(&[build_shard(folder.path(), Shard::WHOLE, work)])
}

/// Walks a data set as a program would that knows nothing but the description of the layout; `false` without Python.
fn walk_with_python(out: &Path, more: &[&str]) -> Option<Result<String, String>> {
    let script = Path::new("tests/walk_layout.py");
    let output = match Command::new("python3").arg(script).arg(out).args(more).output() {
        Ok(output) => output,
        Err(error) => {
            println!("skipped: python3 cannot be run ({error})");
            return None;
        }
    };
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    Some(if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) })
}

/// The source of the images that [`work`] labels, in the form of a tar of tars and of class folders.
fn sources(folder: &Path, images_a_class: u64) -> [ImageSource; 2] {
    let images =
        || (8..8 + images_a_class).map(|id| (id.to_string(), tars::picture(id as u8, image::ImageFormat::Jpeg)));
    let classes: tars::Classes =
        ["cup", "lamp"].into_iter().map(|class| (class.to_owned(), images().collect())).collect();
    let tar = folder.join("train.tar");
    fs::write(&tar, tars::tar_of_tars(&classes)).unwrap();
    tars::folders(&folder.join("photos"), &classes);
    [tar, folder.join("photos")].map(|path| ImageSource::open(&path, &[]).unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10))]

    #[test]
    fn any_division_and_any_order_give_the_bytes_of_a_single_build(
        count in 1_u32..8,
        order in Just((0..8).collect::<Vec<u32>>()).prop_shuffle(),
        shuffled in Just((0..8).collect::<Vec<usize>>()).prop_shuffle(),
    ) {
        let work = work(4);
        let folder = tempfile::tempdir().unwrap();
        let mut parts = Vec::new();
        for index in order.into_iter().filter(|index| *index < count) {
            // the workers of a shard finish in any order
            let shard = Shard::new(index, count).unwrap();
            let (mut journal, _) =
                Journal::open(&part_folder(folder.path(), shard), &identity(), shard, MAX_POINTS).unwrap();
            let range = shard.range(work.len() as u64);
            for unit in shuffled.iter().filter(|unit| range.contains(&(**unit as u64))) {
                journal.append(&work[*unit]).unwrap();
            }
            journal.finish().unwrap();
            parts.push(part_folder(folder.path(), shard));
        }
        let expected = single(&work);
        prop_assert_eq!(&merged(&parts), &expected);
        prop_assert_eq!(&merged(&[folder.path().to_owned()]), &expected, "by the folder that holds the parts");
    }

    #[test]
    fn what_is_written_is_read(numbers in prop::collection::btree_set(0_u64..1 << 40, 0..6), pairs in prop::collection::vec(any_pair(0), 6)) {
        let pairs: Vec<LabelledPair> =
            numbers.into_iter().zip(pairs).map(|(number, pair)| LabelledPair { number, ..pair }).collect();
        let out = tempfile::tempdir().unwrap();
        let images = [image(3, "n01440764", "a_1"), image(5, "n01440764", "b")];
        let write = || {
            let mut writer =
                LayoutWriter::begin(out.path(), &identity(), ImagePlacement::LeaveOut, MAX_POINTS).unwrap();
            for some in pairs.chunks(4) {
                writer.write_pairs(some).unwrap();
            }
            images.iter().for_each(|image| writer.write_image(image).unwrap());
            writer.finish(&facts()).unwrap()
        };
        let statistics = write();
        let first = snapshot(out.path());
        write();
        prop_assert_eq!(snapshot(out.path()), first, "written again");

        let layout = Layout::open(out.path()).unwrap();
        for split in Split::ALL {
            let read: Vec<LabelledPair> = layout.pairs(split).unwrap().map(Result::unwrap).collect();
            let written: Vec<LabelledPair> = pairs.iter().filter(|pair| pair.split == split).cloned().collect();
            prop_assert_eq!(read, written);
        }
        prop_assert_eq!(layout.statistics().unwrap(), statistics);
        if let Some(walked) = walk_with_python(out.path(), &["--images-left-out"]) {
            prop_assert!(walked.is_ok(), "{:?}", walked);
        }
    }
}

#[test]
fn images_are_linked_copied_or_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let [tar, photos] = sources(folder.path(), 4);
    let parts = [build_shard(folder.path(), Shard::WHOLE, &work(4))];
    let place = Path::new("SC-IMAGENET/JPEGImages/cup/cup_8.JPEG");

    let copied = folder.path().join("copied");
    merge_into(&copied, &parts, ImagePlacement::Copy(&tar)).unwrap();
    assert_eq!(fs::read(copied.join(place)).unwrap(), tars::picture(8, image::ImageFormat::Jpeg));
    let also_copied = folder.path().join("also copied");
    merge_into(&also_copied, &parts, ImagePlacement::Copy(&photos)).unwrap();
    assert_eq!(snapshot(&also_copied), snapshot(&copied));

    let linked = folder.path().join("linked");
    merge_into(&linked, &parts, ImagePlacement::Link(&photos)).unwrap();
    assert_eq!(fs::read_link(linked.join(place)).unwrap(), folder.path().join("photos/cup/cup_8.JPEG"));
    assert_eq!(fs::read(linked.join(place)).unwrap(), tars::picture(8, image::ImageFormat::Jpeg));
    let message = merge_into(&linked, &parts, ImagePlacement::Link(&tar)).unwrap_err().to_string();
    assert!(
        message.contains("cup.tar/cup_") && message.contains("lies in a tar, to which no link can point"),
        "{message}"
    );
    // copies take the place of links, and do not write through them
    merge_into(&linked, &parts, ImagePlacement::Copy(&tar)).unwrap();
    assert_eq!(snapshot(&linked), snapshot(&copied));

    let left_out = folder.path().join("left out");
    merge_into(&left_out, &parts, ImagePlacement::LeaveOut).unwrap();
    assert!(!left_out.join("SC-IMAGENET/JPEGImages").exists());
    for (out, more) in [(&copied, &[][..]), (&linked, &[]), (&left_out, &["--images-left-out"])] {
        if let Some(walked) = walk_with_python(out, more) {
            assert_eq!(walked.unwrap(), "9 pairs in trn, 3 in val, 18 key points, 2 classes\n");
        }
    }
    if let Some(walked) = walk_with_python(&left_out, &[]) {
        assert!(walked.unwrap_err().contains("JPEGImages"));
    }

    let [few, _] = sources(folder.path(), 2);
    let message = merge_into(&left_out, &parts, ImagePlacement::Copy(&few)).unwrap_err().to_string();
    assert!(message.contains("is not in the source of images"), "{message}");
}

#[test]
fn nothing_is_written_outside_the_output_folder() {
    let folder = tempfile::tempdir().unwrap();
    let image = tars::picture(1, image::ImageFormat::Jpeg);
    let inner = tars::tar(&[("../x.jpg", &image), ("/x.jpg", &image), ("8.jpg", &image), ("9.jpg", &image)]);
    fs::write(folder.path().join("train.tar"), tars::tar(&[("../cup.tar", &inner), ("cup.tar", &inner)])).unwrap();
    let source = ImageSource::open(&folder.path().join("train.tar"), &[]).unwrap();
    assert_eq!((source.images().len(), source.refused().len()), (2, 3));

    let out = folder.path().join("deep/out");
    let records = [Record::Pairs { source: 0, pairs: vec![pair(0, "cup", "8", "9")] }];
    let parts = [build_shard(&out, Shard::WHOLE, &[records.to_vec()])];
    merge_into(&out, &parts, ImagePlacement::Copy(&source)).unwrap();
    let names = |folder: &Path| {
        let mut names: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    assert_eq!(names(folder.path()), ["deep", "train.tar"]);
    assert_eq!(names(&folder.path().join("deep")), ["out"]);
    assert_eq!(names(&out), ["DATASHEET.md", "SC-IMAGENET", "build.json", "index", "parts"]);
    assert_eq!(names(&out.join("SC-IMAGENET/JPEGImages/cup")), ["cup_8.JPEG", "cup_9.JPEG"]);
}

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
    let identity = BuildIdentity::new("beef", &serde_json::json!({"consistency": {"cycle_share": 0.5}, "seed": 8}));
    let (journal, _) = Journal::open(elsewhere.path(), &identity, shard("0/3"), MAX_POINTS).unwrap();
    journal.finish().unwrap();
    let message = refusal(&[elsewhere.path().to_owned(), parts[1].clone()]);
    assert!(
        message.contains("`seed` is 8 there and 7 here") || message.contains("`seed` is 7 there and 8 here"),
        "{message}"
    );

    let unfinished = tempfile::tempdir().unwrap();
    drop(Journal::open(unfinished.path(), &made::identity(), shard("0/3"), MAX_POINTS).unwrap());
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
fn an_output_folder_of_something_else_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let parts = [build_shard(folder.path(), Shard::WHOLE, &work(3))];
    let refusal = |out: &Path| {
        let before = snapshot(out);
        let message = merge_into(out, &parts, ImagePlacement::LeaveOut).unwrap_err().to_string();
        assert_eq!(snapshot(out), before, "{message}");
        message
    };

    let out = tempfile::tempdir().unwrap();
    let other = BuildIdentity::new("beef", &serde_json::json!({"consistency": {"cycle_share": 0.9}, "seed": 7}));
    let writer = LayoutWriter::begin(out.path(), &other, ImagePlacement::LeaveOut, MAX_POINTS).unwrap();
    let message = merge_into(out.path(), &parts, ImagePlacement::LeaveOut).unwrap_err().to_string();
    assert!(message.contains("another configuration"), "{message}");
    let again = LayoutWriter::begin(out.path(), &other, ImagePlacement::LeaveOut, MAX_POINTS);
    let message = again.map(drop).unwrap_err().to_string();
    assert!(message.contains("another process writes into this folder"), "{message}");
    writer.finish(&facts()).unwrap();
    let message = refusal(out.path());
    assert!(message.contains("`consistency.cycle_share` is 0.9 there and 0.5 here"), "{message}");

    let published = tempfile::tempdir().unwrap();
    fs::create_dir_all(published.path().join("SC-IMAGENET/Layout")).unwrap();
    let message = refusal(published.path());
    assert!(message.contains("holds a `SC-IMAGENET` that no build of this program made"), "{message}");

    let file = folder.path().join("file");
    fs::write(&file, "x").unwrap();
    let message = merge_into(&file, &parts, ImagePlacement::LeaveOut).unwrap_err().to_string();
    assert!(message.contains("cannot be written") && message.contains("name another folder"), "{message}");
}

#[test]
fn a_merge_that_was_interrupted_is_begun_again() {
    let folder = tempfile::tempdir().unwrap();
    let work = work(3);
    let parts = [build_shard(folder.path(), Shard::WHOLE, &work)];
    let out = tempfile::tempdir().unwrap();
    let mut writer = LayoutWriter::begin(out.path(), &identity(), ImagePlacement::LeaveOut, MAX_POINTS).unwrap();
    writer.write_pairs(&[pair(0, "cup", "8", "9")]).unwrap();
    drop(writer);
    fs::write(out.path().join(".unfinished/77"), "half a file").unwrap();
    let message = Layout::open(out.path()).unwrap().pair_names(Split::Train).unwrap_err().to_string();
    assert!(message.contains("has the build that made the folder been finished?"), "{message}");
    let mark = fs::read_to_string(out.path().join("build.json")).unwrap();
    assert!(mark.contains("\"complete\": false"), "{mark}");

    merge_into(out.path(), &parts, ImagePlacement::LeaveOut).unwrap();
    assert_eq!(snapshot(out.path()), single(&work));
}

#[test]
fn a_disk_that_is_full_during_a_merge_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    // before the limit holds: it is the merge that fails
    build_shard(folder.path(), Shard::WHOLE, &work(400));
    if little_disk::run("merge_on_a_little_disk", folder.path()).is_none() {
        return;
    }
    let out = folder.path().join("out");
    merge_into(&out, &[folder.path().to_owned()], ImagePlacement::LeaveOut).unwrap();
    assert_eq!(snapshot(&out), single(&work(400)));
}

/// Run by the test above, in a process that may write files of a few thousand bytes only.
#[test]
fn merge_on_a_little_disk() {
    let Some(folder) = little_disk::folder() else {
        return;
    };
    let out = folder.join("out");
    let message = merge_into(&out, std::slice::from_ref(&folder), ImagePlacement::LeaveOut).unwrap_err().to_string();
    assert!(message.contains(".txt: cannot be written") && message.contains("free some space"), "{message}");
    assert!(!out.join("SC-IMAGENET/Layout/large/trn.txt").exists(), "no half of a list");
}

#[test]
fn the_datasheet_says_what_was_made_and_how() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let parts = [build_shard(folder.path(), Shard::WHOLE, &work(3))];
    let statistics = merge_into(&out, &parts, ImagePlacement::LeaveOut).unwrap();
    assert_eq!((statistics.judged(), statistics.kept(), statistics.paired_images()), (6, 4, 6));
    let text = fs::read_to_string(out.join("DATASHEET.md")).unwrap();
    for line in [
        "# Cups and lamps",
        "- seed: 7",
        "- configuration: hash `c0ffee`, settings below",
        "Do what you like with it.",
        "| images rejected: few discriminative cells | 2 |",
        "| images kept | 4 |",
        "| cup | 3 | 2 | 3 | 1 | 6 |",
        "| consistency.cycle_share | 0.5 |",
    ] {
        assert!(text.lines().any(|found| found == line), "`{line}` is no line of:\n{text}");
    }
}

//! A data set is the same bytes, however the work was divided, interrupted, or put together.

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use sc_imagenet::{
    BuildIdentity, ImagePlacement, Journal, LabelledPair, Layout, LayoutWriter, Shard, Split, part_folder,
};

#[path = "made/limited.rs"]
mod limited;
#[path = "made/data_set.rs"]
mod made;
#[path = "made/python.rs"]
mod python;
#[path = "../../xtask/tests/skips/mod.rs"]
mod skips;
use made::{
    MAX_POINTS, any_pair, build_shard, facts, identity, image, merge_into, merged, pair, single, snapshot, work,
};
use python::walk_with_python;

/// As files have it: boxes in whole pixels.
fn with_whole_boxes(mut pair: LabelledPair) -> LabelledPair {
    for side in [&mut pair.source, &mut pair.target] {
        side.object_box = side.whole_box().map(|side| side as f32);
    }
    pair
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
            let range = shard.range(work.len());
            for unit in shuffled.iter().filter(|unit| range.contains(*unit)) {
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
            let written: Vec<LabelledPair> =
                pairs.iter().filter(|pair| pair.split == split).cloned().map(with_whole_boxes).collect();
            prop_assert_eq!(read, written);
        }
        prop_assert_eq!(layout.statistics().unwrap(), statistics);
        if let Some(walked) = walk_with_python(out.path(), &["--images-left-out"]) {
            prop_assert!(walked.is_ok(), "{:?}", walked);
        }
    }
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
    let message = Layout::open(out.path()).unwrap().pair_names(Split::Train).err().unwrap().to_string();
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
    if limited::run("merge_on_a_little_disk", limited::LITTLE_DISK, folder.path()).is_none() {
        return;
    }
    let out = folder.path().join("out");
    merge_into(&out, &[folder.path().to_owned()], ImagePlacement::LeaveOut).unwrap();
    assert_eq!(snapshot(&out), single(&work(400)));
}

/// Run by the test above, in a process that may write files of a few thousand bytes only.
#[test]
fn merge_on_a_little_disk() {
    let Some(folder) = limited::folder() else {
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
        "| images rejected by the setting `consistency.partners` | 1 |",
        "| cup | 3 | 2 | 3 | 1 | 6 |",
        "| consistency.cycle_share | 0.5 |",
    ] {
        assert!(text.lines().any(|found| found == line), "`{line}` is no line of:\n{text}");
    }
}

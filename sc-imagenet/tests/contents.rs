//! Other images under the same names are not taken for those that were labelled.

use std::fs;
use std::path::{Path, PathBuf};

use image::ImageFormat;
use sc_imagenet::{
    ContentCheck, DecodeLimits, ImagePlacement, ImageSource, Journal, JudgedImage, MergeOptions, OtherImages, Record,
    Shard, Split, check_images, merge, part_folder,
};

#[path = "made/data_set.rs"]
mod made;
#[path = "made/tars.rs"]
mod tars;
use made::{MAX_POINTS, build_shard, facts, identity, image, merge_into, pair, snapshot};

/// The images of [`tars::classes`], each with a pair with the next of its class, as a matcher that reads them labels them.
fn work_of(source: &ImageSource) -> Vec<Vec<Record>> {
    let unit = |number: usize| {
        let id = |image: usize| source.images()[image].id();
        let class = source.class_name(number);
        let images = source.images_of(source.images()[number].class());
        let next = if number + 1 < images.end { number + 1 } else { images.start };
        let (_, content) = source.read_noting(number, &DecodeLimits::default()).unwrap();
        let origin = Some(source.origin(number, Some(content)));
        let judged = JudgedImage { rejection: None, origin, ..image(number as u64, class, id(number)) };
        let pairs = vec![pair(number as u64, class, id(number), id(next))];
        vec![Record::Image(judged), Record::Pairs { source: number as u64, pairs }]
    };
    (0..source.images().len()).map(unit).collect()
}

/// Whether `source` has the images that are in a part's journal.
fn held_against(part: &Path, source: &ImageSource) -> Result<(), OtherImages> {
    let mut check = ContentCheck::new(source);
    drop(Journal::open_and_see(part, &identity(), Shard::WHOLE, MAX_POINTS, |image| check.see(image)).unwrap());
    check.finish(|_, _| ())
}

struct Scene {
    folder: tempfile::TempDir,
    source: ImageSource,
    part: PathBuf,
}

impl Scene {
    /// Class folders in `photos`, and a finished part.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        tars::folders(&folder.path().join("photos"), &tars::classes());
        let source = ImageSource::open(&folder.path().join("photos"), &[]).unwrap();
        let part = build_shard(folder.path(), Shard::WHOLE, &work_of(&source));
        Self { folder, source, part }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// Gives a file other bytes, as many as before.
fn spoil(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes).unwrap();
}

#[test]
fn images_that_were_touched_are_the_same_and_others_are_not() {
    let scene = Scene::new();
    assert_eq!(held_against(&scene.part, &scene.source), Ok(()));

    // Copied elsewhere, with other times and numbers in the file system.
    tars::folders(&scene.path("copy"), &tars::classes());
    let copy = ImageSource::open(&scene.path("copy"), &[]).unwrap();
    assert_eq!(held_against(&scene.part, &copy), Ok(()));

    let file = scene.path("copy/cup/cup_8.JPEG");
    spoil(&file);
    let error = held_against(&scene.part, &copy).unwrap_err();
    assert_eq!((error.differing, error.labelled, error.name.as_str()), (1, 9, "cup/8"));
    let message = error.to_string();
    assert!(message.starts_with(file.to_str().unwrap()) && message.contains("it holds other bytes"), "{message}");
    assert!(message.contains("1 of 9 labelled images are others here") && message.contains("another output folder"));

    fs::write(&file, "longer or shorter").unwrap();
    fs::remove_file(scene.path("copy/lamp/lamp_10.JPEG")).unwrap();
    let error = held_against(&scene.part, &copy).unwrap_err();
    assert!(error.differing == 2 && error.detail.starts_with("it has 17 bytes, that one had"), "{error}");
}

/// The time says nothing where a program sets it back.
#[test]
fn a_file_with_the_old_time_is_not_taken_for_the_old_one() {
    let scene = Scene::new();
    let file = scene.path("photos/cup/cup_9.JPEG");
    let before = fs::metadata(&file).unwrap().modified().unwrap();
    // Longer than a tick of the file system's clock.
    std::thread::sleep(std::time::Duration::from_millis(30));
    spoil(&file);
    fs::File::options().write(true).open(&file).unwrap().set_modified(before).unwrap();
    let same = held_against(&scene.part, &scene.source).is_ok();
    assert_eq!(same, cfg!(not(unix)), "where the file system notes changes, it is asked");
}

#[test]
fn members_of_a_tar_are_known_by_what_they_hold() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("train.tar");
    let bytes = tars::tar_of_tars(&tars::classes());
    fs::write(&path, &bytes).unwrap();
    let source = ImageSource::open(&path, &[]).unwrap();
    let part = build_shard(folder.path(), Shard::WHOLE, &work_of(&source));
    assert_eq!(held_against(&part, &source), Ok(()));

    // The same members at other places of another file, and as files of their own.
    let mut classes = tars::classes();
    classes.insert(0, ("aaa".to_owned(), vec![("1".to_owned(), tars::picture(1, ImageFormat::Png))]));
    fs::write(&path, tars::tar_of_tars(&classes)).unwrap();
    assert_eq!(held_against(&part, &ImageSource::open(&path, &[]).unwrap()), Ok(()));
    tars::folders(&folder.path().join("photos"), &tars::classes());
    assert_eq!(held_against(&part, &ImageSource::open(&folder.path().join("photos"), &[]).unwrap()), Ok(()));

    // Another member in its place.
    classes.remove(0);
    classes[1].1[0].1 = tars::picture(200, ImageFormat::Jpeg);
    fs::write(&path, tars::tar_of_tars(&classes)).unwrap();
    let error = held_against(&part, &ImageSource::open(&path, &[]).unwrap()).unwrap_err();
    assert_eq!((error.differing, error.first), (1, path.join("cup.tar/cup_10.JPEG")));
}

#[test]
fn nothing_is_merged_with_other_images() {
    let scene = Scene::new();
    let parts = [scene.part.clone()];
    let out = scene.path("out");
    merge_into(&out, &parts, ImagePlacement::Link(&scene.source)).unwrap();
    let before = snapshot(&out);

    tars::folders(&scene.path("other"), &tars::classes());
    spoil(&scene.path("other/lamp/lamp_9.JPEG"));
    let other = ImageSource::open(&scene.path("other"), &[]).unwrap();
    for (out, placement) in [(&out, ImagePlacement::Link(&other)), (&scene.path("new"), ImagePlacement::Copy(&other))] {
        let message = merge_into(out, &parts, placement).unwrap_err().to_string();
        assert!(message.contains("lamp_9.JPEG: is not the image that was labelled as `lamp/9`"), "{message}");
    }
    assert!(check_images(&parts, &other).is_err() && check_images(&parts, &scene.source).is_ok());
    assert_eq!(snapshot(&out), before);
    assert!(!scene.path("new").exists());

    // Labels of the other images, into the folder of the first data set.
    let labelled_anew = build_shard(&scene.path("anew"), Shard::WHOLE, &work_of(&other));
    let message = merge_into(&out, &[labelled_anew], ImagePlacement::Link(&other)).unwrap_err().to_string();
    assert!(message.contains("`image_contents` is") && message.contains("choose another folder"), "{message}");
    assert_eq!(snapshot(&out), before);
}

#[test]
fn where_an_image_was_read_leaves_no_trace_in_the_data_set() {
    let scene = Scene::new();
    tars::folders(&scene.path("copy"), &tars::classes());
    let copy = ImageSource::open(&scene.path("copy"), &[]).unwrap();
    let half = |index| Shard::new(index, 2).unwrap();
    // One half on one machine, the other on another; the first of them twice.
    let parts = [
        build_shard(&scene.path("a"), half(1), &work_of(&scene.source)),
        build_shard(&scene.path("b"), half(0), &work_of(&copy)),
        build_shard(&scene.path("c"), half(1), &work_of(&copy)),
    ];
    assert_eq!(made::merged(&parts), made::merged(std::slice::from_ref(&scene.part)));
    assert_eq!(made::merged(&[part_folder(&scene.path("a"), half(1)), parts[1].clone()]), made::merged(&parts));
}

/// Pairs of a build in which so many are for validation.
fn pairs_by_split(validation: u64, all: u64, training_first: bool) -> ([u64; 2], String) {
    let folder = tempfile::tempdir().unwrap();
    let unit = |number: u64| {
        let mut pair = pair(number, "cup", "a", "b");
        pair.split = if number < validation { Split::Validation } else { Split::Train };
        vec![Record::Image(image(number, "cup", "a")), Record::Pairs { source: number, pairs: vec![pair] }]
    };
    let part = build_shard(folder.path(), Shard::WHOLE, &(0..all).map(unit).collect::<Vec<_>>());
    // As a shard that was built twice, which must not count twice.
    let again = folder.path().join("again");
    fs::create_dir(&again).unwrap();
    fs::copy(part.join("journal.jsonl"), again.join("journal.jsonl")).unwrap();
    let out = folder.path().join("out");
    let options = MergeOptions { training_first, max_points: MAX_POINTS, facts: facts(), ..MergeOptions::default() };
    let statistics = merge(&[part, again], &out, &options, |_, _| ()).unwrap();
    let datasheet = fs::read_to_string(out.join("DATASHEET.md")).unwrap();
    (Split::ALL.map(|split| statistics.pairs(split)), datasheet)
}

#[test]
fn the_first_pairs_are_for_training() {
    let (pairs, datasheet) = pairs_by_split(4, 4, true);
    assert_eq!(pairs, [4, 0]);
    assert!(datasheet.contains("4 of 4 pairs were to be for validation: all of them are for training."), "{datasheet}");
    assert_eq!(pairs_by_split(3, 5, true).0, [5, 0]);
    assert_eq!(pairs_by_split(2, 4, true).0, [2, 2]);
    assert_eq!(pairs_by_split(1, 50, true).0, [49, 1]);
    let (pairs, datasheet) = pairs_by_split(4, 4, false);
    assert_eq!(pairs, [0, 4], "who wants validation pairs alone has them");
    assert!(datasheet.contains("**Warning:** no pair is for training: all 4 are for validation"), "{datasheet}");
}

#[test]
fn an_empty_data_set_says_which_setting_decided() {
    let folder = tempfile::tempdir().unwrap();
    let rejected = |number: u64| {
        let mut image = image(number * 3 + 2, "cup", "a");
        let threshold = if number == 0 { "consistency.least_blocks" } else { "consistency.partners" };
        image.rejection.as_mut().unwrap().threshold = Some(threshold.to_owned());
        vec![Record::Image(image)]
    };
    let part = build_shard(folder.path(), Shard::WHOLE, &(0..3).map(rejected).collect::<Vec<_>>());
    let statistics = merge_into(&folder.path().join("out"), &[part], ImagePlacement::LeaveOut).unwrap();
    let [warning] = &statistics.warnings()[..] else { panic!("{:?}", statistics.warnings()) };
    for part in [
        "the data set is empty: no pair has labels. 0 of 3 images are kept; rejected: `few discriminative cells` (3)",
        "The setting that rejects most images is `consistency.partners` (2), before `consistency.least_blocks` (1)",
    ] {
        assert!(warning.contains(part), "{warning}");
    }
    let datasheet = fs::read_to_string(folder.path().join("out/DATASHEET.md")).unwrap();
    assert!(datasheet.contains(&format!("**Warning:** {warning}.")), "{datasheet}");
}

//! A check says what is wrong with a tree, and does its work once.

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, SystemTime};

use image::{ImageFormat, Rgb, RgbImage};
use sc_imagenet::{CheckConfig, CheckError, CheckReport, Checked, ClassTree, DecodeLimits, check};
use tempfile::TempDir;

fn save(path: &Path, format: ImageFormat) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let image = RgbImage::from_fn(32, 24, |x, y| Rgb([x as u8, y as u8, 90]));
    image.save_with_format(path, format).unwrap();
}

/// Two good classes with a few bad files, one class of a single image, and one whose images are all bad.
fn mixed() -> TempDir {
    let root = tempfile::tempdir().unwrap();
    for name in ["cup/1.png", "cup/2.png", "lamp/1.png", "lamp/2.png", "lonely/1.png"] {
        save(&root.path().join(name), ImageFormat::Png);
    }
    save(&root.path().join("cup/3.jpg"), ImageFormat::Jpeg);
    let jpeg = fs::read(root.path().join("cup/3.jpg")).unwrap();
    fs::write(root.path().join("cup/4.jpg"), &jpeg[..jpeg.len() - 30]).unwrap();
    fs::write(root.path().join("lamp/3.jpg"), b"").unwrap();
    fs::create_dir(root.path().join("broken")).unwrap();
    fs::write(root.path().join("broken/1.jpg"), b"some text").unwrap();
    root
}

fn run(root: &Path, cache: Option<&Path>) -> Checked {
    check(&ClassTree::walk(root).unwrap(), &CheckConfig::default(), cache, |_, _| ()).unwrap()
}

/// The report but for how much of it was known before.
fn findings(report: &CheckReport) -> CheckReport {
    CheckReport { from_cache: 0, ..report.clone() }
}

#[test]
fn the_report_names_every_refused_image_and_class() {
    let root = mixed();
    let Checked { images, report } = run(root.path(), None);

    assert_eq!(images.classes(), ["cup", "lamp"]);
    assert_eq!(images.labels(), [0, 0, 0, 1, 1]);
    assert_eq!(images.images()[2].path, root.path().join("cup/3.jpg"));
    assert_eq!((images.images()[2].width, images.images()[2].height), (32, 24));

    assert_eq!((report.total, report.usable(), report.from_cache), (9, 6, 0));
    let refused: Vec<&str> = report.refused.iter().map(|image| image.path.as_str()).collect();
    assert_eq!(refused, ["broken/1.jpg", "cup/4.jpg", "lamp/3.jpg"]);
    assert!(report.refused[1].reason.starts_with("is a truncated JPEG"), "{}", report.refused[1].reason);
    let left_out: Vec<_> = report.left_out().collect();
    assert_eq!(
        left_out,
        [
            ("broken", "0 usable images of 1, at least 2 needed; add images or remove the folder"),
            ("lonely", "1 usable images of 1, at least 2 needed; add images or remove the folder"),
        ]
    );
    let text = report.to_string();
    assert!(text.contains("6 of 9 images usable (0 known from the last check), 2 of 4 classes kept"), "{text}");
    assert!(text.contains("refused lamp/3.jpg: is empty (zero bytes)"), "{text}");

    let json = serde_json::to_string(&report).unwrap();
    assert_eq!(serde_json::from_str::<CheckReport>(&json).unwrap(), report);
}

#[test]
fn one_image_is_enough_where_the_caller_says_so() {
    let root = mixed();
    let config = CheckConfig { min_images_per_class: 1, ..CheckConfig::default() };
    let checked = check(&ClassTree::walk(root.path()).unwrap(), &config, None, |_, _| ()).unwrap();
    assert_eq!(checked.images.classes(), ["cup", "lamp", "lonely"]);
}

#[test]
fn nothing_usable_is_an_error_that_says_why() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("x")).unwrap();
    fs::write(root.path().join("x/a.jpg"), b"").unwrap();
    let error = check(&ClassTree::walk(root.path()).unwrap(), &CheckConfig::default(), None, |_, _| ()).unwrap_err();
    let message = error.to_string();
    assert!(message.contains("no class has enough usable images"), "{message}");
    assert!(message.contains("refused x/a.jpg: is empty"), "{message}");
}

#[test]
fn progress_counts_every_image_once() {
    let root = mixed();
    let mut calls = Vec::new();
    let tree = ClassTree::walk(root.path()).unwrap();
    check(&tree, &CheckConfig::default(), None, |done, total| calls.push((done, total))).unwrap();
    assert_eq!(calls, (1..=9).map(|done| (done, 9)).collect::<Vec<_>>());
}

#[test]
fn a_second_check_opens_no_file_and_a_changed_file_is_checked_again() {
    let root = mixed();
    let elsewhere = tempfile::tempdir().unwrap();
    let cache = elsewhere.path().join("new/folder/checked.jsonl");
    let first = run(root.path(), Some(&cache));

    // Ruin an image behind the cache's back: same size, same time.
    let victim = root.path().join("cup/1.png");
    let (size, time) = (fs::metadata(&victim).unwrap().len(), fs::metadata(&victim).unwrap().modified().unwrap());
    fs::write(&victim, vec![b'x'; size as usize]).unwrap();
    set_time(&victim, time);
    let second = run(root.path(), Some(&cache));
    assert_eq!(second.report.from_cache, 9);
    assert_eq!((second.images, findings(&second.report)), (first.images, first.report));

    // Now tell: another time.
    set_time(&victim, time + Duration::from_nanos(1_000_000));
    let third = run(root.path(), Some(&cache));
    assert_eq!((third.report.from_cache, third.report.usable()), (8, 5));
    assert_eq!(run(root.path(), Some(&cache)).report.from_cache, 9);

    let left: Vec<_> = fs::read_dir(cache.parent().unwrap()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["checked.jsonl"], "no unfinished file stays behind");
}

fn set_time(path: &Path, time: SystemTime) {
    File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
}

#[test]
fn a_spoilt_cache_is_as_good_as_none() {
    let (root, elsewhere) = (mixed(), tempfile::tempdir().unwrap());
    let cache = elsewhere.path().join("checked.jsonl");
    let first = run(root.path(), Some(&cache));
    let good = fs::read(&cache).unwrap();

    let torn = &good[..good.len() - 20];
    let garbage = vec![0xfe; 5000];
    let headless = &good[good.iter().position(|&byte| byte == b'\n').unwrap()..];
    for (name, content, known) in
        [("torn", torn, 8), ("garbage", &garbage, 0), ("headless", headless, 0), ("empty", &[], 0)]
    {
        fs::write(&cache, content).unwrap();
        let again = run(root.path(), Some(&cache));
        assert_eq!(again.report.from_cache, known, "{name}");
        assert_eq!(findings(&again.report), first.report, "{name}");
        assert_eq!(fs::read(&cache).unwrap(), good, "{name}: rebuilt");
    }
}

#[test]
fn verdicts_hold_for_the_limits_they_were_found_with() {
    let root = mixed();
    let cache = root.path().join("checked.jsonl");
    run(root.path(), Some(&cache));
    let config = CheckConfig {
        limits: DecodeLimits { max_pixels: 100, min_side: 1, ..DecodeLimits::default() },
        ..CheckConfig::default()
    };
    let error = check(&ClassTree::walk(root.path()).unwrap(), &config, Some(&cache), |_, _| ()).unwrap_err();
    assert!(error.to_string().contains("is 32x24 by its header, the limit is 100 pixels"), "{error}");
}

#[test]
fn parts_of_a_tree_share_a_cache() {
    use sc_imagenet::Half;
    let root = mixed();
    let cache = root.path().join("checked.jsonl");
    let tree = ClassTree::walk(root.path()).unwrap();
    let config = CheckConfig { min_images_per_class: 1, ..CheckConfig::default() };
    for half in [Half::Even, Half::Odd] {
        let checked = check(&tree.half(half), &config, Some(&cache), |_, _| ()).unwrap();
        assert_eq!(checked.report.from_cache, 0);
    }
    assert_eq!(run(root.path(), Some(&cache)).report.from_cache, 9);
}

#[test]
fn a_cache_that_cannot_be_written_is_an_error_with_its_path() {
    let root = mixed();
    let cache = root.path().join("cup/1.png/checked.jsonl");
    let tree = ClassTree::walk(root.path()).unwrap();
    let error = check(&tree, &CheckConfig::default(), Some(&cache), |_, _| ()).unwrap_err();
    assert!(matches!(&error, CheckError::Cache { path, .. } if *path == cache));
    assert!(error.to_string().starts_with(cache.to_str().unwrap()), "{error}");
}

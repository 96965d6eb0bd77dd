//! An independent script walks what the writer writes, and trips over what loaders would trip over.

use std::fs;

use sc_imagenet::{ImagePlacement, LayoutWriter};

#[path = "made/data_set.rs"]
mod made;
#[path = "made/python.rs"]
mod python;
#[path = "../../xtask/tests/skips/mod.rs"]
mod skips;
use made::{MAX_POINTS, facts, identity, pair};
use python::walk_with_python;

#[test]
fn the_python_script_finds_deviations_too() {
    let out = tempfile::tempdir().unwrap();
    let mut writer = LayoutWriter::begin(out.path(), &identity(), ImagePlacement::LeaveOut, MAX_POINTS).unwrap();
    writer.write_pairs(&[pair(4, "cup", "a", "b"), pair(7, "cup", "b", "a")]).unwrap();
    writer.finish(&facts()).unwrap();
    let base = out.path().join("SC-IMAGENET");
    let walk = |more: &[&str]| walk_with_python(out.path(), &[&["--images-left-out"], more].concat());
    let Some(walked) = walk(&[]) else {
        return;
    };
    assert_eq!(walked.unwrap(), "1 pairs in trn, 1 in val, 8 key points, 1 classes\n");
    let complaint = |more: &[&str]| walk(more).unwrap().unwrap_err();
    assert!(complaint(&["--max-points", "4"]).contains("has not 1 to 4 src_kps"));
    let annotation = base.join("PairAnnotation/trn/000004-a-b:cup.json");
    let good = fs::read_to_string(&annotation).unwrap();
    for (from, to, expected) in [
        ("\"category\":\"cup\"", "\"category\":\"cap\"", "is of category cap"),
        ("\"occlusion\":0", "\"occlusion\":0.5", "occlusion is no integer"),
        ("\"src_bndbox\":[0,", "\"src_bndbox\":[0.5,", "src_bndbox is no [x1, y1, x2, y2] of integers"),
        ("\"trg_kps\":[", "\"trg_kps\":[[1,2],", "trg_kps is not as long as src_kps"),
        ("\"src_bndbox\":[0,", "\"src_bndbox\":[NaN,", "holds NaN"),
    ] {
        fs::write(&annotation, good.replace(from, to)).unwrap();
        let message = complaint(&[]);
        assert!(message.contains(expected), "`{expected}` is not in: {message}");
    }
    fs::write(&annotation, &good).unwrap();
    for (file, content, expected) in [
        ("PairAnnotation/val/stray.json", "{}", "annotations of no pair: ['stray.json']"),
        ("Layout/large/test.txt", "", "holds ['test.txt', 'trn.txt', 'val.txt']"),
        ("JPEGImages", "", "instead of ['Layout', 'PairAnnotation']"),
    ] {
        fs::write(base.join(file), content).unwrap();
        let message = complaint(&[]);
        assert!(message.contains(expected), "`{expected}` is not in: {message}");
        fs::remove_file(base.join(file)).unwrap();
    }

    let with_images = || walk_with_python(out.path(), &[]).unwrap();
    let images = base.join("JPEGImages");
    fs::create_dir_all(images.join("cup")).unwrap();
    fs::write(images.join("cup/cup_a.JPEG"), "a").unwrap();
    assert!(with_images().unwrap_err().contains("cup_b.JPEG is not there, or is empty"));
    fs::write(images.join("cup/cup_b.JPEG"), "b").unwrap();
    assert!(with_images().is_ok());
    fs::write(images.join("cup/b.jpg"), "b").unwrap();
    assert!(with_images().unwrap_err().contains("b.jpg is not <category>_<image id>.JPEG"));
    fs::remove_file(images.join("cup/b.jpg")).unwrap();
    fs::create_dir(images.join("lamp")).unwrap();
    assert!(with_images().unwrap_err().contains("holds ['cup', 'lamp'] instead of ['cup']"));
    fs::remove_dir_all(images).unwrap();

    fs::write(base.join("Layout/large/trn.txt"), "000004-a-b:cup").unwrap();
    assert!(complaint(&[]).contains("has no newline at its end"));
}

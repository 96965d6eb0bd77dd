//! The published layout is read, and what is wrong with one is said precisely.

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use sc_imagenet::{ImagePlacement, Layout, LayoutError, LayoutWriter, PairName, Split};
use tempfile::TempDir;

#[path = "made/data_set.rs"]
mod made;
use made::{MAX_POINTS, facts, identity, pair};

const NAME: &str = "12-10026-10029:n01440764";
const ANNOTATION: &str = r#"{"src_kps": [[10, 20.5], [30, 40]], "trg_kps": [[1, 2], [3, 4]],
 "src_bndbox": [0, 0, 100, 90], "trg_bndbox": [5, 5, 60, 70], "category": "n01440764", "something": [null],
 "viewpoint_variation": 0, "scale_variation": 1, "truncation": 2, "occlusion": 3}"#;

/// A data set as the authors have it: no index, no keys of ours.
fn published(list: &str, annotation: &str) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    let base = root.path().join("SC-IMAGENET");
    for folder in ["Layout/large", "PairAnnotation/trn", "PairAnnotation/val"] {
        fs::create_dir_all(base.join(folder)).unwrap();
    }
    fs::write(base.join("Layout/large/trn.txt"), list).unwrap();
    fs::write(base.join("Layout/large/val.txt"), "").unwrap();
    fs::write(base.join("PairAnnotation/trn").join(format!("{NAME}.json")), annotation).unwrap();
    root
}

fn read_all(root: &Path) -> Result<usize, LayoutError> {
    let layout = Layout::open(root)?;
    layout.pairs(Split::Train)?.try_fold(0, |count, pair| pair.map(|_| count + 1))
}

#[test]
fn the_published_form_is_read() {
    let root = published(&format!("{NAME}\n"), ANNOTATION);
    for start in [root.path(), &root.path().join("SC-IMAGENET")] {
        let layout = Layout::open(start).unwrap();
        let name: PairName = NAME.parse().unwrap();
        assert_eq!(layout.pair_names(Split::Train).unwrap(), std::slice::from_ref(&name));
        let pair = layout.read_pair(Split::Train, &name).unwrap();
        assert_eq!((pair.number, pair.category.as_str()), (12, "n01440764"));
        assert_eq!(pair.source.points, [[10.0, 20.5], [30.0, 40.0]]);
        assert_eq!(pair.target.object_box, [5.0, 5.0, 60.0, 70.0]);
        assert_eq!((pair.source.size, pair.confidences.len(), pair.difficulty.occlusion), (None, 0, 3));
        let image = layout.image("n01440764", "10026");
        assert!(image.ends_with("SC-IMAGENET/JPEGImages/n01440764/n01440764_10026.JPEG"));

        let statistics = layout.statistics().unwrap();
        assert_eq!((statistics.pairs(Split::Train), statistics.judged(), statistics.paired_images()), (1, 0, 2));
        assert_eq!((statistics.points_a_pair(), statistics.confidences.value()), (Some(2.0), None));
    }
}

#[test]
fn every_deviation_is_named_with_its_place() {
    let list = format!("{NAME}\n");
    let lists = [
        (NAME.to_owned(), "trn.txt:1: has no newline at its end"),
        (format!("{NAME}\n1-2:3\n"), "trn.txt:2: `1-2:3` is not of the form <number>"),
        (format!("\n{NAME}\n"), "trn.txt:1: `` is not of the form"),
        (format!("{NAME}\r\n"), "trn.txt:1: the class `n01440764\\r` has `\\r` in it"),
        ("1-a-b:../../x\n".to_owned(), "trn.txt:1: the class `../../x` has `/` in it"),
        ("1-a-b:c\n".to_owned(), "1-a-b:c.json: there is no such file, and Layout/large/trn.txt needs it"),
    ];
    for (list, expected) in lists {
        let message = read_all(published(&list, ANNOTATION).path()).unwrap_err().to_string();
        assert!(message.contains(expected), "`{expected}` is not in: {message}");
    }
    for (from, to, expected) in [
        ("{\"src", "[\"src", "expected"),
        ("[30, 40]]", "[30, NaN]]", "expected value at line 1"),
        ("src_kps", "src_kp", "`src_kps` is missing or null"),
        ("[30, 40]]", "[30, null]]", "`src_kps[1]` is missing or null"),
        ("[[1, 2], [3, 4]]", "[[1, 2]]", "`trg_kps` has 1 points, `src_kps` has 2"),
        ("[[10, 20.5], [30, 40]]", "[]", "`src_kps` has 0 points"),
        ("[5, 5, 60, 70]", "[5, 5, 5, 70]", "`trg_bndbox` is [5, 5, 5, 70], which holds nothing"),
        ("[5, 5, 60, 70]", "[5, 5, 1e99, 70]", "`trg_bndbox` is too large"),
        ("\"n01440764\"", "\"cup\"", "`category` is `cup`, the pair's name says `n01440764`"),
        ("\"occlusion\": 3", "\"occlusion\": 0.5", "expected i64"),
        ("\"occlusion\": 3", "\"occlusions\": 3", "`occlusion` is missing"),
        ("\"something\": [null]", "\"confidence\": [1]", "`confidence` has 1 entries, `src_kps` has 2"),
        ("\"something\": [null]", "\"src_imsize\": [0, 1]", "`src_imsize` is no width and height"),
    ] {
        let message = read_all(published(&list, &ANNOTATION.replace(from, to)).path()).unwrap_err().to_string();
        assert!(message.contains(expected), "`{expected}` is not in: {message}");
        assert!(message.contains(&format!("{NAME}.json")), "{message}");
    }
    let nothing = tempfile::tempdir().unwrap();
    let message = read_all(nothing.path()).unwrap_err().to_string();
    assert!(message.contains("is not laid out as SC-ImageNet is"), "{message}");
}

#[test]
fn the_python_script_finds_deviations_too() {
    let out = tempfile::tempdir().unwrap();
    let mut writer = LayoutWriter::begin(out.path(), &identity(), ImagePlacement::LeaveOut, MAX_POINTS).unwrap();
    writer.write_pairs(&[pair(4, "cup", "a", "b"), pair(7, "cup", "b", "a")]).unwrap();
    writer.finish(&facts()).unwrap();
    let base = out.path().join("SC-IMAGENET");
    let walk = |more: &[&str]| {
        let script = "tests/walk_layout.py";
        std::process::Command::new("python3").arg(script).arg(out.path()).arg("--images-left-out").args(more).output()
    };
    let Ok(walked) = walk(&[]) else {
        println!("skipped: python3 cannot be run");
        return;
    };
    assert_eq!(String::from_utf8_lossy(&walked.stdout), "1 pairs in trn, 1 in val, 8 key points, 1 classes\n");

    let complaint = |more: &[&str]| {
        let walked = walk(more).unwrap();
        assert!(!walked.status.success());
        String::from_utf8_lossy(&walked.stderr).into_owned()
    };
    assert!(complaint(&["--max-points", "4"]).contains("has not 1 to 4 src_kps"));
    let annotation = base.join("PairAnnotation/trn/000004-a-b:cup.json");
    let good = fs::read_to_string(&annotation).unwrap();
    for (from, to, expected) in [
        ("\"category\":\"cup\"", "\"category\":\"cap\"", "is of category cap"),
        ("\"occlusion\":0", "\"occlusion\":0.5", "occlusion is no integer"),
        ("\"trg_kps\":[", "\"trg_kps\":[[1,2],", "trg_kps is not as long as src_kps"),
        ("\"src_bndbox\":[0.0,", "\"src_bndbox\":[NaN,", "holds NaN"),
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
    fs::write(base.join("Layout/large/trn.txt"), "000004-a-b:cup").unwrap();
    assert!(complaint(&[]).contains("has no newline at its end"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn any_list_and_any_annotation_are_no_panic(
        list in "([0-9a-b:\\-./\n]|12-10026-10029:n01440764\n){0,8}",
        cut in 0_usize..400,
        noise in prop::collection::vec((0_usize..400, any::<char>()), 0..4),
    ) {
        let mut text: Vec<char> = ANNOTATION.chars().collect();
        for (at, character) in noise {
            let at = at % text.len();
            text[at] = character;
        }
        text.truncate(text.len().saturating_sub(cut % 7));
        let text: String = text.into_iter().collect();
        drop(read_all(published(&list, ANNOTATION).path()));
        drop(read_all(published(&format!("{NAME}\n"), &text).path()));
    }
}

//! The published layout is read, and what is wrong with one is said precisely.

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use sc_imagenet::{Layout, LayoutError, PairName, Split};
use tempfile::TempDir;

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
    // As CATs' loader calls it.
    let other = published(&format!("{NAME}\n"), ANNOTATION);
    fs::rename(other.path().join("SC-IMAGENET"), other.path().join("SC-ImageNet")).unwrap();
    assert_eq!(read_all(other.path()).unwrap(), 1);
    for start in [root.path(), &root.path().join("SC-IMAGENET")] {
        let layout = Layout::open(start).unwrap();
        let name: PairName = NAME.parse().unwrap();
        let names: Result<Vec<PairName>, _> = layout.pair_names(Split::Train).unwrap().collect();
        assert_eq!(names.unwrap(), std::slice::from_ref(&name));
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
fn a_wrong_line_costs_no_other_pair() {
    let root = published(&format!("{NAME}\n{}\n{NAME}\n", "1".repeat(5000)), ANNOTATION);
    let layout = Layout::open(root.path()).unwrap();
    let pairs: Vec<Result<_, String>> =
        layout.pairs(Split::Train).unwrap().map(|pair| pair.map_err(|error| error.to_string())).collect();
    assert!(pairs[0].is_ok() && pairs[pairs.len() - 1].is_ok());
    assert!(pairs[1].as_ref().unwrap_err().contains("trn.txt:2: is far too long"), "{:?}", pairs[1]);
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

use std::path::Path;

use eval::{BenchmarkName, BenchmarkSplit, ReadOptions, parse_ap_10k_image, parse_ap_10k_pair, read_pairs};

use crate::fixture::{Folder, ids, survives_damage};
use crate::spair::PAIR_JSON;

const NAME: BenchmarkName = BenchmarkName::Ap10k;
const PAIR: &str = "ap-10k/PairAnnotation/test/0-000000000001-000000000002:brown bear.json";
const IMAGE: &str = "ap-10k/ImageAnnotation/Ursidae/brown bear/000000000001.json";
const PAIR_TEXT: &str = r#"{"src_json_path": "data/ap-10k/ImageAnnotation/Ursidae/brown bear/000000000001.json",
"trg_json_path": "data/ap-10k/ImageAnnotation/Ursidae/brown bear/000000000002.json"}
"#;
const IMAGE_TEXT: &str = r#"{"width": 640, "height": 480, "bbox": [10, 20, 300, 200],
"keypoints": [50, 60, 2, 0, 0, 0, 70, 80, 1]}
"#;

fn fixture() -> Folder {
    let folder = Folder::new();
    folder.write(PAIR, PAIR_TEXT);
    folder.write(&PAIR.replace("/test/", "/test_cross_family/").replace("brown bear", "all"), PAIR_TEXT);
    folder.write(IMAGE, IMAGE_TEXT);
    let other = IMAGE_TEXT.replace("0, 0, 0", "5, 6, 2");
    folder.write("ap-10k/ImageAnnotation/Ursidae/brown bear/000000000002.json", other);
    folder
}

#[test]
fn pairs_of_two_annotations_share_what_both_show() {
    let folder = fixture();
    assert_eq!(BenchmarkName::detect(folder.path()), Some(NAME));
    let read = folder.read(NAME);
    assert_eq!(ids(&read.pairs), ["0-000000000001-000000000002:brown bear"]);
    assert_eq!(read.default_protocol.length.to_string(), "bbox");
    let pair = &read.pairs[0];
    assert_eq!((pair.class.as_str(), pair.ids.as_slice()), ("brown bear", [0, 2].as_slice()));
    assert_eq!(pair.source.points, [[50.0, 60.0], [70.0, 80.0]]);
    assert_eq!(pair.target.unshared[0].point, [5.0, 6.0]);
    assert_eq!(pair.source.object_box, Some([10.0, 20.0, 310.0, 220.0]));
    assert_eq!(pair.source.size, (640, 480));
    assert_eq!(pair.source.path, folder.join("ap-10k/JPEGImages/Ursidae/brown bear/000000000001.jpg"));
    let across = ReadOptions { split: Some(BenchmarkSplit::TestCrossFamily), ..ReadOptions::default() };
    assert_eq!(folder.read_with(NAME, &across).pairs[0].class, "all");
    for path in [PAIR, IMAGE] {
        folder.same_however_written(NAME, path);
    }
}

#[test]
fn the_layout_of_spair_is_read_too() {
    let folder = Folder::new();
    let line = "000001-2008_002719-2008_004100:aeroplane";
    folder.write("ap-10k/Layout/large/test.txt", line);
    folder.write(&format!("ap-10k/PairAnnotation/test/{line}.json"), PAIR_JSON);
    for name in ["2008_002719", "2008_004100"] {
        folder.write(&format!("ap-10k/ImageAnnotation/aeroplane/{name}.json"), r#"{"kps": {}}"#);
    }
    assert_eq!(BenchmarkName::detect(folder.path()), Some(NAME));
    assert_eq!(ids(&folder.read(NAME).pairs), [line]);
}

#[test]
fn damage_is_named_with_file_and_key() {
    let folder = fixture();
    for (from, to, said) in [
        ("src_json_path", "src_path", "`src_json_path` is missing or null"),
        ("ImageAnnotation", "Images", "expected …/ImageAnnotation/<family>/<species>/<name>.json"),
        ("Ursidae", "../Ursidae", "expected …/ImageAnnotation/"),
        ("}", "", "EOF while parsing"),
    ] {
        folder.damaged(NAME, PAIR, from, to, &[said]);
    }
    for (from, to, said) in [
        ("70, 80, 1]", "70, 80]", "`keypoints` has 8 numbers, expected three a key point"),
        ("70, 80, 1]", "70, null, 1]", "`keypoints[2]` is missing or null"),
        ("70, 80, 1]", "70, 1e9, 1]", "`keypoints[2]` has the value 1000000000"),
        ("640", "0", "`width` is no width and height of an image"),
        ("300, 200", "-300, 200", "`bbox` is [10, 20, -290, 220], which is no box"),
        ("\"bbox\"", "\"box\"", "`bbox` is missing or null"),
        ("480", "NaN", "the file has `NaN`, which is no JSON"),
    ] {
        folder.damaged(NAME, IMAGE, from, to, &[said]);
    }
    folder.remove(IMAGE);
    let message = folder.message(NAME);
    assert!(message.contains(&format!("{IMAGE}: there is no such file")) && message.contains(PAIR), "{message}");
    let val = ReadOptions { split: Some(BenchmarkSplit::Val), ..ReadOptions::default() };
    let message = read_pairs(NAME, folder.path(), &val).unwrap_err().to_string();
    assert!(message.contains("the folder PairAnnotation/val is missing"), "{message}");
    folder.write("ap-10k/PairAnnotation/test/0-1-2_brown bear.json", PAIR_TEXT);
    folder.remove(PAIR);
    assert!(folder.message(NAME).contains("Windows does not allow"), "{}", folder.message(NAME));

    survives_damage(PAIR_TEXT.as_bytes(), |bytes| parse_ap_10k_pair(Path::new("pair.json"), bytes));
    survives_damage(IMAGE_TEXT.as_bytes(), |bytes| parse_ap_10k_image(Path::new("image.json"), bytes));
}

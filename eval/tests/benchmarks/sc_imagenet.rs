use std::path::Path;

use eval::{BenchmarkName, BenchmarkSplit, ReadOptions, parse_sc_imagenet_pair};

use crate::fixture::{Folder, ids, survives_damage};

const NAME: BenchmarkName = BenchmarkName::ScImageNet;
const LAYOUT: &str = "Layout/large/val.txt";
const LINE: &str = "12-10026-977:n01440764";
const PAIR: &str = "PairAnnotation/val/12-10026-977:n01440764.json";
const PAIR_JSON: &str = r#"{"src_kps": [[1, 2], [3, 4.5]], "trg_kps": [[5, 6], [7, 8]], "src_bndbox": [0, 0, 20, 20],
"trg_bndbox": [1, 1, 30, 20], "category": "n01440764", "viewpoint_variation": 0, "scale_variation": 0, "truncation": 0,
"occlusion": 9, "confidence": [0.5, 0.75], "cycle_error": [1, 2], "agreement": [1, 0.5]}
"#;

fn fixture() -> Folder {
    let folder = Folder::new();
    folder.write(LAYOUT, format!("{LINE}\n"));
    folder.write(PAIR, PAIR_JSON);
    folder.image("JPEGImages/n01440764/n01440764_10026.JPEG", 40, 30);
    folder.image("JPEGImages/n01440764/n01440764_977.JPEG", 50, 35);
    folder
}

#[test]
fn a_pair_has_the_sizes_of_its_images_and_no_difficulty() {
    let folder = fixture();
    assert_eq!(BenchmarkName::detect(folder.path()), Some(NAME));
    let read = folder.read(NAME);
    assert_eq!(ids(&read.pairs), [LINE]);
    let pair = &read.pairs[0];
    assert_eq!((pair.source.size, pair.target.size), ((40, 30), (50, 35)));
    assert_eq!(pair.source.points, [[1.0, 2.0], [3.0, 4.5]]);
    assert_eq!(pair.target.object_box, Some([1.0, 1.0, 30.0, 20.0]));
    assert_eq!((pair.difficulty, pair.ids.as_slice()), (None, [0, 1].as_slice()));
    assert_eq!(pair.agreements, [1.0, 0.5]);
    assert!(read.notes[0].contains("pseudo-labels"));
    for path in [LAYOUT, PAIR] {
        folder.same_however_written(NAME, path);
    }
    // Others' data sets do not say who agrees.
    folder.write(PAIR, PAIR_JSON.replace(", \"agreement\": [1, 0.5]", ""));
    assert!(folder.read(NAME).pairs[0].agreements.is_empty());
}

#[test]
fn damage_is_named_with_file_and_key() {
    let folder = fixture();
    for (from, to, said) in [
        ("[7, 8]", "null", "`trg_kps[1]` is missing or null"),
        (", [7, 8]", "", "`src_kps` has 2 points, `trg_kps` has 1"),
        ("\"n01440764\"", "\"n01440765\"", "`category` is `n01440765`"),
        ("[1, 0.5]", "[1]", "`agreement` has 1 entries, `src_kps` has 2"),
        ("[1, 0.5]", "[1, null]", "`agreement[1]` is missing or null"),
        ("[1, 0.5]", "[1, 1.5]", "`agreement[1]` is 1.5, expected 0 to 1"),
        ("\"truncation\": 0,", "", "`truncation` is missing or null"),
        ("\"truncation\": 0,", "\"truncation\": 0.5,", "invalid type: floating point"),
    ] {
        folder.damaged(NAME, PAIR, from, to, &[said]);
    }
    folder.damaged(NAME, LAYOUT, "10026", "100-26", &["val.txt:1: `12-100-26-977:n01440764` is no pair"]);
    let train = ReadOptions { split: Some(BenchmarkSplit::Train), ..ReadOptions::default() };
    let message = eval::read_pairs(NAME, folder.path(), &train).unwrap_err().to_string();
    assert!(message.contains("Layout/large/trn.txt: there is no such file"), "{message}");
    folder.remove("JPEGImages/n01440764/n01440764_977.JPEG");
    let message = folder.message(NAME);
    assert!(message.contains("n01440764_977.JPEG: there is no such file") && message.contains("val.txt:1 needs it"));
    folder.remove(PAIR);
    assert!(folder.message(NAME).contains("Windows"), "{}", folder.message(NAME));
    survives_damage(PAIR_JSON.as_bytes(), |bytes| parse_sc_imagenet_pair(Path::new("pair.json"), bytes));
}

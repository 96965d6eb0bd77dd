use std::path::Path;

use eval::{
    BenchmarkName, BenchmarkSplit, Difficulty, ReadOptions, SpairSize, parse_pair_layout, parse_spair_image,
    parse_spair_pair, read_pairs,
};

use crate::fixture::{Folder, ids, survives_damage};

const NAME: BenchmarkName = BenchmarkName::Spair;
const LAYOUT: &str = "Layout/large/test.txt";
const LINE: &str = "000001-2008_002719-2008_004100:aeroplane";
const PAIR: &str = "PairAnnotation/test/000001-2008_002719-2008_004100:aeroplane.json";
const IMAGE: &str = "ImageAnnotation/aeroplane/2008_002719.json";

pub const PAIR_JSON: &str = r#"{"pair_id": 1, "filename": "000001-2008_002719-2008_004100:aeroplane",
"src_imname": "2008_002719.jpg", "trg_imname": "2008_004100.jpg",
"src_imsize": [500, 333, 3], "trg_imsize": [480, 360, 3],
"src_bndbox": [10, 20, 400, 300], "trg_bndbox": [11.5, 21, 401, 301], "category": "aeroplane",
"src_pose": "Left", "trg_pose": "Unspecified",
"src_kps": [[100, 110], [120.5, 130]], "trg_kps": [[200, 210], [220, 230]], "kps_ids": ["4", "12"],
"mirror": 0, "viewpoint_variation": 1, "scale_variation": 2, "truncation": 3, "occlusion": 0}
"#;

/// Two pairs of one class, the second the first reversed.
fn fixture() -> Folder {
    let folder = Folder::new();
    folder.write(LAYOUT, format!("{LINE}\n000002-2008_004100-2008_002719:aeroplane\n"));
    folder.write("Layout/small/test.txt", format!("{LINE}\n"));
    folder.write(PAIR, PAIR_JSON);
    let reversed = PAIR_JSON.replace("src_", "tmp_").replace("trg_", "src_").replace("tmp_", "trg_");
    folder.write("PairAnnotation/test/000002-2008_004100-2008_002719:aeroplane.json", reversed);
    let image = |name: &str, kps: &str| format!(r#"{{"filename": "{name}", "pose": "Left", "kps": {kps}}}"#);
    folder.write(
        IMAGE,
        image("2008_002719.jpg", r#"{"0": null, "4": [100, 110], "7": [90, 300], "12": [120.5, 130], "29": null}"#),
    );
    let other = image("2008_004100.jpg", r#"{"4": [200, 210], "12": [220, 230], "7": null}"#);
    folder.write("ImageAnnotation/aeroplane/2008_004100.json", other);
    folder
}

#[test]
fn a_pair_has_everything_that_its_files_say() {
    let folder = fixture();
    assert_eq!(BenchmarkName::detect(folder.path()), Some(NAME));
    let read = folder.read(NAME);
    assert_eq!(ids(&read.pairs), [LINE, "000002-2008_004100-2008_002719:aeroplane"]);
    assert_eq!(read.default_protocol.to_string(), "frame=original,length=bbox,direction=forward,average=image");
    let pair = &read.pairs[0];
    assert_eq!((pair.class.as_str(), pair.ids.as_slice()), ("aeroplane", [4, 12].as_slice()));
    assert_eq!(pair.difficulty, Some(Difficulty { viewpoint: 1, scale: 2, truncation: 3, occlusion: 0 }));
    assert_eq!(pair.source.path, folder.join("JPEGImages/aeroplane/2008_002719.jpg"));
    assert_eq!((pair.source.size, pair.target.size), ((500, 333), (480, 360)));
    assert_eq!(pair.source.points, [[100.0, 110.0], [120.5, 130.0]]);
    assert_eq!(pair.target.object_box, Some([11.5, 21.0, 401.0, 301.0]));
    assert_eq!((pair.source.unshared[0].id, pair.source.unshared[0].point), (7, [90.0, 300.0]));
    assert_eq!(pair.source.key_point_box, [90.0, 110.0, 120.5, 300.0]);
    assert!(pair.target.unshared.is_empty());
    assert!(read.notes.is_empty(), "{:?}", read.notes);
    // The fixture has no images, and needs none to be scored.
    assert_eq!(read.missing_images().len(), 2);
}

#[test]
fn sizes_and_splits_are_told_apart_and_the_parent_folder_will_do() {
    let folder = fixture();
    let small = ReadOptions { spair_size: SpairSize::Small, ..ReadOptions::default() };
    assert_eq!(folder.read_with(NAME, &small).pairs.len(), 1);
    let val = ReadOptions { split: Some(BenchmarkSplit::Val), ..ReadOptions::default() };
    let message = read_pairs(NAME, folder.path(), &val).unwrap_err().to_string();
    assert!(message.contains("Layout/large/val.txt: there is no such file, and the val split needs it"), "{message}");

    let parent = Folder::new();
    std::fs::rename(folder.path(), parent.join("SPair-71k")).unwrap();
    assert_eq!(BenchmarkName::detect(parent.path()), Some(NAME));
    assert_eq!(parent.read(NAME).pairs.len(), 2);
    std::fs::rename(parent.join("SPair-71k"), folder.path()).unwrap();
}

#[test]
fn without_image_annotations_pairs_are_read_and_the_lack_is_noted() {
    let folder = fixture();
    std::fs::remove_dir_all(folder.join("ImageAnnotation")).unwrap();
    let read = folder.read(NAME);
    assert_eq!(read.pairs[0].source.key_point_box, [100.0, 110.0, 120.5, 130.0]);
    assert!(read.notes[0].contains("KAP cannot be scored"), "{:?}", read.notes);
}

#[test]
fn line_ends_and_byte_order_marks_do_not_matter() {
    let folder = fixture();
    for path in [LAYOUT, PAIR, IMAGE] {
        folder.same_however_written(NAME, path);
    }
}

#[test]
fn a_missing_file_is_named_with_the_line_that_needs_it_and_the_colon_is_explained() {
    let folder = fixture();
    folder.remove(PAIR);
    let message = folder.message(NAME);
    assert!(message.contains(&format!("{PAIR}: there is no such file")) && message.contains("test.txt:1 needs it"));
    assert!(message.contains("`:`, which Windows does not allow in file names"), "{message}");
    assert!(message.contains("SPair-71k.tar.gz"), "{message}");
    folder.write(PAIR, PAIR_JSON);
    folder.remove(IMAGE);
    assert!(folder.message(NAME).contains(&format!("{IMAGE}: there is no such file")), "{}", folder.message(NAME));
}

#[test]
fn damaged_pairs_are_named_with_their_key() {
    let folder = fixture();
    for (from, to, said) in [
        ("[220, 230]", "[220, 230], [1, 2]", "`src_kps` has 2 points, `trg_kps` has 3"),
        ("[220, 230]", "null", "`trg_kps[1]` is missing or null"),
        ("[220, 230]", "[220, null]", "`trg_kps` has 2 points"),
        ("[220, 230]", "[220, NaN]", "the file has `NaN`, which is no JSON"),
        ("[220, 230]", "[220, 1e39]", "`trg_kps[1]` has the value 1000000000"),
        ("[220, 230]", "[220, 1e999]", "number out of range at line"),
        ("[220, 230]", "[220]", "invalid length 1"),
        ("[[100, 110], [120.5, 130]]", "[]", "`src_kps` has 0 points"),
        ("[[100, 110], [120.5, 130]]", "7", "invalid type: integer `7`"),
        ("\"src_kps\"", "\"src_kp\"", "`src_kps` is missing or null"),
        ("[\"4\", \"12\"]", "[\"4\"]", "`kps_ids` has 1 entries, `src_kps` has 2"),
        ("[\"4\", \"12\"]", "[\"4\", \"4\"]", "`kps_ids` has 4 twice"),
        ("[\"4\", \"12\"]", "[\"4\", \"wing\"]", "`kps_ids` has an entry that is no number"),
        ("[\"4\", \"12\"]", "[\"4\", 99999999]", "`kps_ids` has an entry that is no number"),
        (
            "\"category\": \"aeroplane\"",
            "\"category\": \"cat\"",
            "`category` is `cat`, the pair's name says `aeroplane`",
        ),
        ("\"2008_002719.jpg\"", "\"2008_000009.jpg\"", "`src_imname` is of the image `2008_000009`"),
        ("\"2008_002719.jpg\"", "\"../2008_002719.jpg\"", "which is no file name"),
        ("[500, 333, 3]", "[0, 333, 3]", "`src_imsize` is no width and height"),
        ("[500, 333, 3]", "[500]", "`src_imsize` is no width and height"),
        ("[10, 20, 400, 300]", "[400, 20, 10, 300]", "`src_bndbox` is [400, 20, 10, 300], which is no box"),
        ("\"viewpoint_variation\": 1", "\"viewpoint_variation\": 3", "`viewpoint_variation`"),
        ("\"occlusion\": 0", "\"occlusion\": -1", "must be 0 to 2"),
        ("\"occlusion\": 0", "\"occlusion\": null", "`occlusion` is missing or null"),
        ("\"occlusion\": 0}", "\"occlusion\": 0", "EOF while parsing an object at line"),
    ] {
        // A null coordinate is named like a null point.
        let said = if to == "[220, null]" { "`trg_kps[1]` is missing or null" } else { said };
        folder.damaged(NAME, PAIR, from, to, &[said]);
    }
    folder.damaged(NAME, IMAGE, "[90, 300]", "[90]", &["invalid length 1"]);
    folder.damaged(NAME, IMAGE, "\"29\"", "\"tail\"", &["`kps.tail` is no number of a key point"]);
    folder.damaged(NAME, IMAGE, "\"29\"", "\"4000000000\"", &["`kps.4000000000` is no number"]);
    folder.damaged(NAME, IMAGE, "\"kps\"", "\"points\"", &["`kps` is missing or null"]);
    folder.write(PAIR, "");
    assert!(folder.message(NAME).contains("EOF while parsing"));
    folder.write(PAIR, "[".repeat(1 << 16));
    assert!(folder.message(NAME).contains(&format!("{PAIR}: ")));
}

#[test]
fn damaged_lines_of_the_layout_are_named_with_their_number() {
    let folder = fixture();
    for (from, to) in [
        ("000001-", "one-"),
        (":aeroplane", ""),
        (":aeroplane", ":aero:plane"),
        (":aeroplane", ":../aeroplane"),
        ("2008_004100:", "2008-004100:"),
        ("000001-2008_002719-2008_004100:aeroplane", "000001-2008_002719:aeroplane"),
        ("000001-2008_002719-", "000001-a/b-"),
    ] {
        folder.damaged(NAME, LAYOUT, from, to, &["test.txt:1: `", "is no pair of the form"]);
    }
    folder.write(LAYOUT, format!("{LINE}\n\n{LINE}\n"));
    assert!(folder.message(NAME).contains("is listed twice"));
    folder.write(LAYOUT, [LINE.as_bytes(), b"\n\xFF\xFE\n"].concat());
    assert!(folder.message(NAME).contains("test.txt:2: this is not UTF-8"), "{}", folder.message(NAME));
    folder.write(LAYOUT, "");
    assert!(folder.message(NAME).contains("no pair here"));
}

#[test]
fn no_damage_makes_the_parsers_panic() {
    let path = Path::new("damaged");
    survives_damage(PAIR_JSON.as_bytes(), |bytes| parse_spair_pair(path, bytes));
    survives_damage(LINE.as_bytes(), |bytes| parse_pair_layout(path, bytes));
    let image = br#"{"kps": {"0": null, "4": [100, 110], "29": [1.5, 2]}}"#;
    survives_damage(image, |bytes| parse_spair_image(path, bytes));
}

use std::path::Path;

use eval::{BenchmarkName, CSV_TEMPLATE, JSONL_TEMPLATE, ReadOptions, parse_csv_table, parse_jsonl_table, read_pairs};

use crate::fixture::{Folder, ids, survives_damage};

const NAME: BenchmarkName = BenchmarkName::Table;

fn images() -> Folder {
    let folder = Folder::new();
    for (name, width, height) in [("a", 64, 64), ("b", 80, 72), ("c", 90, 72)] {
        folder.image(&format!("images/{name}.jpg"), width, height);
    }
    folder
}

#[test]
fn the_templates_can_be_read() {
    let folder = images();
    folder.write("pairs.csv", CSV_TEMPLATE);
    assert_eq!(BenchmarkName::detect(folder.path()), Some(NAME));
    let read = folder.read(NAME);
    assert_eq!(ids(&read.pairs), ["cup-1"]);
    let pair = &read.pairs[0];
    assert_eq!(pair.ids, [0, 1, 4]);
    assert_eq!(pair.source.points, [[10.0, 12.0], [40.5, 30.0], [22.0, 51.0]]);
    assert_eq!((pair.source.size, pair.target.size), ((64, 64), (80, 72)));
    assert_eq!(pair.target.object_box, Some([10.0, 8.0, 52.0, 66.0]));
    assert_eq!(read.default_protocol.length.to_string(), "bbox");
    folder.same_however_written(NAME, "pairs.csv");

    folder.remove("pairs.csv");
    folder.write("pairs.jsonl", JSONL_TEMPLATE);
    let read = folder.read(NAME);
    assert_eq!(ids(&read.pairs), ["cup-1", "cup/b--c"]);
    // What is left out: ids count up, the size is the image's, and a pair without boxes has bbox-kp.
    let pair = &read.pairs[1];
    assert_eq!((pair.ids.as_slice(), pair.target.size, pair.target.object_box), ([0].as_slice(), (90, 72), None));
    assert_eq!(read.default_protocol.length.to_string(), "bbox-kp");
    assert!(read.missing_images().is_empty());
    folder.same_however_written(NAME, "pairs.jsonl");
    assert_eq!(read_pairs(NAME, &folder.join("pairs.jsonl"), &ReadOptions::default()).unwrap(), read);
}

#[test]
fn a_csv_of_needed_columns_alone_means_the_same_as_jsonl() {
    let csv = "class,source_image,target_image,target_points,source_points\ncup,b.jpg,c.jpg,20 18,14 10\n";
    let jsonl = r#"{"class": "cup", "source_image": "b.jpg", "target_image": "c.jpg", "source_points": [[14, 10]], "target_points": [[20, 18]]}"#;
    let path = Path::new("pairs");
    let mut from_csv = parse_csv_table(path, csv.as_bytes()).unwrap();
    from_csv[0].line = 1;
    assert_eq!(from_csv, parse_jsonl_table(path, jsonl.as_bytes()).unwrap());
}

#[test]
fn damage_to_a_csv_is_named_with_its_line() {
    let folder = images();
    folder.write("pairs.csv", CSV_TEMPLATE);
    for (from, to, said) in [
        ("id,class,", "id,kind,", "pairs.csv:1: the column `kind` is unknown or repeated"),
        ("point_ids,source_size", "class,source_size", "the column `class` is unknown or repeated"),
        ("14 10; 44 33; 25 60", "14 10; 44 33", "pairs.csv:7: source_points has 3 points and target_points 2"),
        ("14 10; 44 33; 25 60", "14 10 44 33; 25 60", "`target_points` is not of the form x y; x y; …"),
        ("14 10; 44 33", "14 NaN; 44 33", "`target_points` has the value NaN"),
        ("0; 1; 4", "0; 1", "point_ids has 2 entries, source_points 3"),
        ("0; 1; 4", "0; 1; 1", "point_ids has an entry twice"),
        ("0; 1; 4", "0; 1; 70000", "is no number of the kind expected"),
        ("64 64", "64", "`64` has 1 numbers, expected 2"),
        ("64 64", "64 0", "source_size is 64 x 0, which no image has"),
        ("8 9 48 55", "48 9 8 55", "source_box is [48, 9, 8, 55], which is no box"),
        ("8 9 48 55", "nan 9 8 55", "source_box has the value NaN"),
        (",cup,", ",,", "`class` is empty"),
        ("cup-1,cup", "cup", "the row has 10 columns, the header 11"),
    ] {
        folder.damaged(NAME, "pairs.csv", from, to, &[said]);
    }
    let text = folder.text("pairs.csv");
    for end in ["\n", "\r\n"] {
        let text = text.replace("id,class", "\n# a comment, with a comma\nid,class") + "# and another\n\nx,cup\n";
        folder.write("pairs.csv", text.replace('\n', end));
        assert!(folder.message(NAME).contains("pairs.csv:12: the row has 2 columns"), "{}", folder.message(NAME));
    }
    folder.write("pairs.csv", format!("{text}{}\n", text.lines().last().unwrap()));
    assert!(folder.message(NAME).contains("the pair `cup-1` is listed twice"));
    let table = "class,source_image,target_image,source_points,target_points\ncup,images/a.jpg,images/z.jpg,1 2,3 4\n";
    folder.write("pairs.csv", table);
    let message = folder.message(NAME);
    assert!(message.contains("images/z.jpg: there is no such file") && message.contains("pairs.csv:2 needs it"));
    survives_damage(CSV_TEMPLATE.as_bytes(), |bytes| parse_csv_table(Path::new("pairs.csv"), bytes));
}

#[test]
fn damage_to_a_jsonl_is_named_with_its_line() {
    let folder = images();
    folder.write("pairs.jsonl", JSONL_TEMPLATE);
    for (from, to, said) in [
        ("[[20, 18]]", "[[20, 18], [1, 2]]", "pairs.jsonl:2: source_points has 1 points and target_points 2"),
        ("[[20, 18]]", "[null]", "pairs.jsonl:2: invalid type: null"),
        ("[[20, 18]]", "[[20, NaN]]", "pairs.jsonl:2: expected"),
        ("[[20, 18]]", "[[20, 1e8]]", "target_points has the value 100000000"),
        ("[[14, 10]]", "[]", "source_points has 0 points"),
        ("\"class\": \"cup\", \"source_image\": \"images/b", "\"source_image\": \"images/b", "missing field `class`"),
        ("\"source_size\"", "\"source_sice\"", "pairs.jsonl:1: unknown field `source_sice`"),
        ("\"id\": \"cup-1\"", "\"id\": \" \"", "id is empty"),
        ("\"images/c.jpg\"", "\"\"", "source_image or target_image is empty"),
    ] {
        folder.damaged(NAME, "pairs.jsonl", from, to, &[said]);
    }
    survives_damage(JSONL_TEMPLATE.as_bytes(), |bytes| parse_jsonl_table(Path::new("pairs.jsonl"), bytes));
}

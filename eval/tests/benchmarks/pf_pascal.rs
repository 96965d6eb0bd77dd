use std::path::Path;

use eval::{
    BenchmarkName, BenchmarkSplit, LeakReport, Matrix, ReadOptions, leak_free, parse_pf_pascal_annotation,
    parse_pf_pascal_list, read_pairs, write_matrix,
};

use crate::fixture::{Folder, ids, survives_damage, ways_to_write};

const NAME: BenchmarkName = BenchmarkName::PfPascal;
const TEST: &str = "\
source_image,target_image,class,XA,YA,XB,YB
PF-dataset-PASCAL/JPEGImages/2008_000001.jpg,PF-dataset-PASCAL/JPEGImages/2008_000002.jpg,1,10.5;20,11;21,12;22,13;23
PF-dataset-PASCAL/JPEGImages/2008_000003.jpg,PF-dataset-PASCAL/JPEGImages/2008_000004.jpg,20,1;2;3,4;5;6,7;8;9,1;2;3
PF-dataset-PASCAL/JPEGImages/2008_000003.jpg,PF-dataset-PASCAL/JPEGImages/2008_000004.jpg,15,1;2;3,4;5;6,7;8;9,1;2;3
";
const TRAIN: &str = "\
source_image,target_image,class,flip
PF-dataset-PASCAL/JPEGImages/2008_000002.jpg,PF-dataset-PASCAL/JPEGImages/2008_000001.jpg,1,0
PF-dataset-PASCAL/JPEGImages/2008_000002.jpg,PF-dataset-PASCAL/JPEGImages/2008_000001.jpg,1,1
PF-dataset-PASCAL/JPEGImages/2008_000002.jpg,PF-dataset-PASCAL/JPEGImages/2008_000001.jpg,1,0
";

fn annotate(folder: &Folder, class: &str, image: &str, variable: &str, matrix: &Matrix) {
    let path = format!("PF-dataset-PASCAL/Annotations/{class}/{image}.mat");
    folder.write(&path, "");
    write_matrix(&folder.join(&path), variable, matrix).unwrap();
}

/// Image 1 shows key points 0, 1 and 3, image 2 shows 1, 2 and 3; the test list has 1 and 3.
fn fixture() -> Folder {
    let folder = Folder::new();
    folder.write("test_pairs.csv", TEST);
    folder.write("train_pairs.csv", TRAIN);
    for (image, width) in [(1, 50), (2, 60), (3, 70), (4, 80)] {
        folder.image(&format!("PF-dataset-PASCAL/JPEGImages/2008_00000{image}.jpg"), width, 40);
    }
    let (no, nan) = (f64::NAN, f64::NAN);
    let one = Matrix::from_columns(4, 2, vec![1.0, 10.5, no, 20.0, 2.0, 11.0, nan, 21.0]);
    let two = Matrix::from_columns(4, 2, vec![no, 12.0, 5.0, 22.0, nan, 13.0, 6.0, 23.0]);
    annotate(&folder, "aeroplane", "2008_000001", "kps", &one);
    annotate(&folder, "aeroplane", "2008_000002", "kps", &two);
    folder
}

#[test]
fn a_listed_pair_has_the_points_of_the_list_and_what_is_annotated_besides() {
    let folder = fixture();
    assert_eq!(BenchmarkName::detect(folder.path()), Some(NAME));
    let read = folder.read(NAME);
    let expected =
        ["aeroplane/2008_000001--2008_000002", "tvmonitor/2008_000003--2008_000004", "person/2008_000003--2008_000004"];
    assert_eq!(ids(&read.pairs), expected);
    assert_eq!(read.default_protocol.to_string(), "frame=original,length=img,direction=forward,average=image");
    let pair = &read.pairs[0];
    assert_eq!((pair.source.size, pair.target.size), ((50, 40), (60, 40)));
    assert_eq!(pair.source.points, [[10.5, 11.0], [20.0, 21.0]]);
    assert_eq!(pair.target.points, [[12.0, 13.0], [22.0, 23.0]]);
    assert_eq!(pair.ids, [1, 3]);
    assert_eq!((pair.source.unshared[0].id, pair.source.unshared[0].point), (0, [1.0, 2.0]));
    assert_eq!(pair.source.key_point_box, [1.0, 2.0, 20.0, 21.0]);
    // The other pairs have no annotations: the list is all that is known.
    assert_eq!((read.pairs[1].ids.as_slice(), read.pairs[1].source.unshared.len()), ([0, 1, 2].as_slice(), 0));
    assert!(
        read.notes.iter().any(|note| note.starts_with("2 rows have no annotation that agrees")),
        "{:?}",
        read.notes
    );
    assert!(read.missing_images().is_empty());
}

#[test]
fn points_of_a_flip_list_come_from_annotations_and_mirrored_rows_are_left_out() {
    let folder = fixture();
    let train = ReadOptions { split: Some(BenchmarkSplit::Train), ..ReadOptions::default() };
    let read = folder.read_with(NAME, &train);
    assert_eq!(ids(&read.pairs), ["aeroplane/2008_000002--2008_000001"]);
    assert_eq!(read.pairs[0].source.points, [[12.0, 13.0], [22.0, 23.0]]);
    assert!(read.notes[0].starts_with("1 rows ask for mirrored images"), "{:?}", read.notes);
    assert!(read.notes[1].starts_with("1 rows repeat an earlier one"), "{:?}", read.notes);

    folder.remove("PF-dataset-PASCAL/Annotations/aeroplane/2008_000001.mat");
    let message = read_pairs(NAME, folder.path(), &train).unwrap_err().to_string();
    assert!(message.contains("aeroplane/2008_000001.mat: there is no such file"), "{message}");
    assert!(message.contains("train_pairs.csv:2 needs it"), "{message}");
}

#[test]
fn the_leak_free_subset_has_no_image_of_the_training_list() {
    let folder = fixture();
    let read = folder.read(NAME);
    let note = "test: 2 of 4 images and 1 of 3 unordered pairs are in the training list; 2 pairs have no image in it";
    assert_eq!(read.notes[0], note);
    let options = ReadOptions { leak_free: true, ..ReadOptions::default() };
    let read = folder.read_with(NAME, &options);
    assert_eq!(ids(&read.pairs), ["tvmonitor/2008_000003--2008_000004", "person/2008_000003--2008_000004"]);

    let list = |text: &str| parse_pf_pascal_list(Path::new("list.csv"), text.as_bytes()).unwrap();
    // An image leaks under whatever class it stands in the training list.
    let train = list(&TRAIN.replace("2008_000001.jpg,1,", "2008_000004.jpg,7,"));
    let report = LeakReport::new(&train, &list(TEST));
    let counts = (report.test_images_in_train, report.unordered_test_pairs_in_train, report.leak_free_pairs);
    assert_eq!(counts, (2, 0, 0));
    assert!(leak_free(&train, &list(TEST)).is_empty());

    folder.remove("train_pairs.csv");
    let message = read_pairs(NAME, folder.path(), &options).unwrap_err().to_string();
    assert!(message.contains("the list train_pairs.csv of the train split is missing"), "{message}");
}

#[test]
fn lists_and_images_are_found_where_peers_put_them() {
    for (list, images, root) in [
        ("image_pairs/test_pairs.csv", "PF-dataset-PASCAL/JPEGImages", ""),
        ("PF-PASCAL/test_pairs.csv", "PF-PASCAL/JPEGImages", ""),
        ("PF-dataset-PASCAL/test_pairs_pf_pascal.csv", "PF-dataset-PASCAL/JPEGImages", ""),
        ("lists/test_pairs.csv", "PF-dataset-PASCAL/JPEGImages", "lists"),
    ] {
        let folder = Folder::new();
        folder.write(list, TEST);
        for image in 1..=4 {
            folder.image(&format!("{images}/2008_00000{image}.jpg"), 50, 40);
        }
        let read = read_pairs(NAME, &folder.join(root), &ReadOptions::default());
        assert_eq!(read.unwrap_or_else(|error| panic!("{list}: {error}")).pairs.len(), 3);
    }
}

#[test]
fn line_ends_and_byte_order_marks_do_not_matter() {
    let folder = fixture();
    folder.same_however_written(NAME, "test_pairs.csv");
    folder.same_however_written(NAME, "train_pairs.csv");
    let list = |text: &str| parse_pf_pascal_list(Path::new("list.csv"), text.as_bytes()).unwrap();
    for (how, text) in ways_to_write(TRAIN) {
        assert_eq!(list(&text), list(TRAIN), "{how}");
    }
}

#[test]
fn damage_is_named_with_file_and_line() {
    let folder = fixture();
    let list = "test_pairs.csv";
    for (from, to, said) in [
        (",20,1;2;3", ",21,1;2;3", "test_pairs.csv:3: class 21 is none of 1 to 20"),
        (",20,1;2;3", ",0,1;2;3", "test_pairs.csv:3: class 0 is none"),
        (",20,1;2;3", ",99999999999999999999,1;2;3", "none of 1 to 20"),
        (",20,1;2;3", ",dog,1;2;3", "class dog is none"),
        ("10.5;20,11;21", "10.5;20,11", "test_pairs.csv:2: `XA` has 2 values, `YA` has 1"),
        ("10.5;20,11;21", "10.5,11", "test_pairs.csv:2: the source has 1 points, the target 2"),
        ("10.5;20,11;21", "NaN;20,11;21", "test_pairs.csv:2: `XA` has the value NaN"),
        ("10.5;20,11;21", "inf;20,11;21", "no coordinate in pixels"),
        ("10.5;20,11;21", "1e30;20,11;21", "no coordinate in pixels"),
        ("10.5;20,11;21", ",11;21", "`XA` is empty"),
        ("10.5;20,11;21", "ten;20,11;21", "`XA` has `ten`, expected a number"),
        ("10.5;20,11;21,12;22,13;23", "10.5", "test_pairs.csv:2: the row has 4 columns, the header 7"),
        ("target_image", "other_image", "test_pairs.csv:1: the header has no column `target_image`"),
        ("XA", "AX", "the header has no column `XA`"),
        ("2008_000004.jpg,20", "2009_000004.jpg,20", "JPEGImages/2009_000004.jpg: there is no such file"),
        ("2008_000004.jpg,20", "../../2008_000004.jpg,20", "there is no such file"),
    ] {
        folder.damaged(NAME, list, from, to, &[said]);
    }
    folder.damaged(NAME, "train_pairs.csv", ",1,1", ",1,2", &["train_pairs.csv:3: `flip` is `2`, expected 0 or 1"]);
    folder.write(list, "");
    assert!(folder.message(NAME).contains("the file is empty"));
    folder.write(list, TEST.replace("1;2;3,4", &format!("{}1,4", "1;".repeat(5000))));
    assert!(folder.message(NAME).contains("`XA` has 5001 values, more than 4096"), "{}", folder.message(NAME));
    folder.write(list, TEST);

    for (variable, matrix, said) in [
        ("kps", Matrix::from_columns(2, 3, vec![0.0; 6]), "`kps` is 2 x 3"),
        ("kps", Matrix::from_columns(1, 2, vec![1.0, f64::INFINITY]), "`kps` has the value inf"),
        ("points", Matrix::from_columns(1, 2, vec![1.0; 2]), "there is no variable `kps`"),
    ] {
        annotate(&folder, "aeroplane", "2008_000001", variable, &matrix);
        let message = folder.message(NAME);
        assert!(message.contains("2008_000001.mat") && message.contains(said), "{message}");
    }
    folder.write("PF-dataset-PASCAL/JPEGImages/2008_000001.jpg", "plain text");
    assert!(folder.message(NAME).contains("2008_000001.jpg: cannot read the image's size"));
}

#[test]
fn no_damage_to_a_list_or_annotation_makes_the_parsers_panic() {
    survives_damage(TEST.as_bytes(), |bytes| parse_pf_pascal_list(Path::new("list.csv"), bytes));
    let folder = fixture();
    let file = std::fs::read(folder.join("PF-dataset-PASCAL/Annotations/aeroplane/2008_000001.mat")).unwrap();
    survives_damage(&file, |bytes| parse_pf_pascal_annotation(Path::new("a.mat"), bytes));
}

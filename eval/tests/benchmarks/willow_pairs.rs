use std::path::Path;

use eval::{
    BenchmarkName, BenchmarkSplit, PairSelection, ReadOptions, parse_pf_willow_list, read_pairs, write_key_points,
};

use crate::fixture::{Folder, ids, survives_damage};

const NAME: BenchmarkName = BenchmarkName::PfWillow;
const LIST: &str = "PF-dataset/test_pairs_pf.csv";

fn point(image: usize, index: usize) -> [f32; 2] {
    [(index * 3 + image) as f32, (index * 2) as f32 + 0.5]
}

fn class_folders(classes: &[&str], images: usize) -> Folder {
    let folder = Folder::new();
    for class in classes {
        for image in 0..images {
            folder.image(&format!("PF-dataset/{class}/i{image}.png"), 40 + image as u32, 30);
            let points: Vec<_> = (0..10).map(|index| Some(point(image, index))).collect();
            write_key_points(&folder.join(&format!("PF-dataset/{class}/i{image}.mat")), &points).unwrap();
        }
    }
    folder
}

fn list(rows: &[(&str, usize, usize)]) -> String {
    let numbered = |axis: &str| (1..=10).map(|number| format!("{axis}{number}")).collect::<Vec<_>>().join(",");
    let mut text = format!("imageA,imageB,{}\n", ["XA", "YA", "XB", "YB"].map(numbered).join(","));
    for (class, from, to) in rows {
        let axis =
            |image, axis: usize| (0..10).map(|i| point(image, i)[axis].to_string()).collect::<Vec<_>>().join(",");
        let cells = [axis(*from, 0), axis(*from, 1), axis(*to, 0), axis(*to, 1)].join(",");
        text += &format!("PF-dataset/{class}/i{from}.png,PF-dataset/{class}/i{to}.png,{cells}\n");
    }
    text
}

const CLASSES: [&str; 10] = [
    "car(G)",
    "car(M)",
    "car(S)",
    "duck(S)",
    "motorbike(G)",
    "motorbike(M)",
    "motorbike(S)",
    "winebottle(M)",
    "winebottle(wC)",
    "winebottle(woC)",
];

#[test]
fn class_folders_alone_give_all_900_ordered_pairs() {
    let folder = class_folders(&CLASSES, 10);
    folder.image("PF-dataset/thumbnails/i0.png", 4, 4);
    assert_eq!(BenchmarkName::detect(folder.path()), Some(NAME));
    let read = folder.read(NAME);
    assert_eq!((read.pairs.len(), read.notes.as_slice()), (900, [].as_slice()));
    assert_eq!(read.pairs[0].id, "car(G)/i0--i1");
    assert_eq!(read.default_protocol.to_string(), "frame=original,length=bbox-kp,direction=forward,average=image");
}

#[test]
fn the_list_of_42_columns_gives_the_pairs_that_the_folders_give() {
    let folder = class_folders(&["car(G)"], 2);
    let from_folders = folder.read(NAME).pairs;
    folder.write(LIST, list(&[("car(G)", 0, 1), ("car(G)", 1, 0)]));
    let read = folder.read(NAME);
    assert_eq!(read.pairs, from_folders);
    assert!(read.notes[0].contains("test_pairs_pf.csv"), "{:?}", read.notes);
    folder.same_however_written(NAME, LIST);
}

#[test]
fn a_damaged_list_is_named_with_its_line() {
    let folder = class_folders(&["car(G)", "duck(S)"], 2);
    folder.write(LIST, list(&[("car(G)", 0, 1), ("duck(S)", 1, 0)]));
    let other_class = "PF-dataset/car(G)/i1.png";
    for (from, to, said) in [
        (other_class, "PF-dataset/duck(S)/i1.png", "test_pairs_pf.csv:2: `imageB` is not in the folder `car(G)`"),
        (other_class, "i1.png", "is not in the folder"),
        (other_class, "PF-dataset/car(G)/i7.png", "car(G)/i7.png: there is no such file"),
        ("27,0.5", "NaN,0.5", "`XA10` has the value NaN"),
        ("27,0.5", ",0.5", "`XA10` is empty"),
        ("27,0.5", "27", "the row has 41 columns, the header 42"),
        ("YB10", "YB11", "the header has no column `YB10`"),
    ] {
        folder.damaged(NAME, LIST, from, to, &[said]);
    }
    folder.replace(LIST, "PF-dataset/duck(S)/i1.png,PF-dataset/duck(S)/i0.png", "car(G)/i0.png,car(G)/i1.png");
    assert!(folder.message(NAME).contains("`car(G)/i0--i1` is listed twice"), "{}", folder.message(NAME));
    let text = list(&[("car(G)", 0, 1)]);
    survives_damage(text.as_bytes(), |bytes| parse_pf_willow_list(Path::new("list.csv"), bytes));
}

#[test]
fn a_damaged_class_folder_is_named() {
    let folder = class_folders(&["car(G)"], 2);
    folder.write("PF-dataset/car(G)/i0.mat", "not a matrix");
    assert!(folder.message(NAME).contains("i0.mat: this is not a MATLAB version 5 file"));
    folder.remove("PF-dataset/car(G)/i0.mat");
    assert!(folder.message(NAME).contains("no pair"), "{}", folder.message(NAME));
}

#[test]
fn willow_object_class_has_halves_and_draws() {
    let folder = Folder::new();
    for class in ["Car", "Duck"] {
        for image in 0..6 {
            folder.image(&format!("WILLOW-ObjectClass/{class}/i{image}.png"), 40, 30);
            let points: Vec<_> = (0..10).map(|index| Some(point(image, index))).collect();
            write_key_points(&folder.join(&format!("WILLOW-ObjectClass/{class}/i{image}.mat")), &points).unwrap();
        }
    }
    folder.image("WILLOW-ObjectClass/Duck/i9.png", 40, 30);
    let name = BenchmarkName::Willow;
    assert_eq!(BenchmarkName::detect(folder.path()), Some(name));
    let read = |split, per_class| {
        let pair_selection = PairSelection { per_class, seed: 1 };
        let options = ReadOptions { split: Some(split), pair_selection, ..ReadOptions::default() };
        read_pairs(name, folder.path(), &options).unwrap()
    };
    let val = read(BenchmarkSplit::Val, None);
    assert_eq!(val.pairs, folder.read(name).pairs, "val is the default");
    assert_eq!(ids(&val.pairs)[..2], ["Car/i1--i3", "Car/i1--i5"]);
    assert_eq!(val.pairs.len(), 12);
    let train = read(BenchmarkSplit::Train, None);
    assert_eq!((train.pairs.len(), train.pairs[0].id.as_str()), (12, "Car/i0--i2"));
    assert!(train.notes[0].starts_with("1 images have no key points"), "{:?}", train.notes);
    assert_eq!(read(BenchmarkSplit::All, Some(4)).pairs.len(), 8);

    folder.write("WILLOW-ObjectClass/Car/i1.mat", "");
    assert!(folder.message(name).contains("i1.mat"));
}

//! Sizes, boxes and points that are odd: counted where public evaluations take them, errors where they cannot be meant.

use eval::{
    BenchmarkName, BenchmarkSplit, Matrix, Oddity, ReadOptions, read_caltech, read_pairs, write_key_points,
    write_matrix,
};

use crate::fixture::{Folder, ids};

const SPAIR_LINE: &str = "1-a-b:cup";

/// A pair of images of 400 x 300 pixels with the target's points, box and size.
fn spair(points: &str, sides: &str, size: &str) -> Folder {
    let folder = Folder::new();
    folder.write("Layout/large/test.txt", SPAIR_LINE);
    let json = format!(
        r#"{{"category": "cup", "src_imname": "a.jpg", "trg_imname": "b.jpg", "src_imsize": [400, 300, 3],
        "trg_imsize": {size}, "src_bndbox": [1, 1, 400, 300], "trg_bndbox": {sides}, "src_kps": [[5, 6], [7, 8]],
        "trg_kps": {points}, "kps_ids": ["0", "1"], "viewpoint_variation": 0, "scale_variation": 0, "truncation": 0,
        "occlusion": 0}}"#
    );
    folder.write(&format!("PairAnnotation/test/{SPAIR_LINE}.json"), json);
    folder.image("JPEGImages/cup/a.jpg", 400, 300);
    folder.image("JPEGImages/cup/b.jpg", 400, 300);
    folder
}

#[test]
fn points_outside_are_kept_and_counted_up_to_a_quarter_of_the_longer_side() {
    let read = |points| spair(points, "[10, 10, 90, 90]", "[400, 300, 3]").read(BenchmarkName::Spair);
    // Whether the first pixel is 0 or 1 nobody knows.
    assert!(read("[[-1, 300], [400, 0]]").counts.is_empty());
    let found = read("[[-5, -9], [7, 399]]");
    assert_eq!(found.counts.of(Oddity::PointsOutside), 2);
    assert_eq!(found.pairs[0].target.points, [[-5.0, -9.0], [7.0, 399.0]]);
    let said = found.counts.to_string();
    assert!(said.starts_with("2 points lie outside their image and are kept; the first: "), "{said}");
    assert!(said.contains(&format!("{SPAIR_LINE}.json: `trg_kps[0]` is [-5.0, -9.0]")), "{said}");
    for (points, said) in [
        ("[[7, 8], [999, 999]]", "`trg_kps[1]` is [999.0, 999.0], 700 pixels outside of its image of 400 x 300"),
        ("[[5000, 3], [7, 8]]", "`trg_kps[0]` is [5000.0, 3.0]"),
        ("[[7, 8], [7, 399.5]]", "`trg_kps[1]`"),
        ("[[-101, 8], [7, 8]]", "101 pixels outside"),
    ] {
        let message = spair(points, "[10, 10, 90, 90]", "[400, 300, 3]").message(BenchmarkName::Spair);
        assert!(message.contains(&format!("{SPAIR_LINE}.json: `trg_kps[")) && message.contains(said), "{message}");
    }
}

#[test]
fn boxes_are_in_order_and_in_their_image() {
    let folder = |sides| spair("[[5, 6], [7, 8]]", sides, "[400, 300, 3]");
    for sides in ["[0, 0, 399, 299]", "[1, 1, 400, 300]", "[-1, 5, 9, 5]"] {
        assert!(folder(sides).read(BenchmarkName::Spair).counts.is_empty(), "{sides}");
    }
    let read = folder("[10, 10, 460, 90]").read(BenchmarkName::Spair);
    assert_eq!(read.counts.of(Oddity::BoxesOutside), 1);
    assert_eq!(read.pairs[0].target.object_box, Some([10.0, 10.0, 460.0, 90.0]));
    for (sides, said) in [
        ("[90, 10, 10, 90]", "`trg_bndbox` is [90, 10, 10, 90], which is no box"),
        ("[10, 90, 90, 10]", "which is no box"),
        ("[10, 10, 10, 10]", "which is no box"),
        ("[10, 10, 2600, 90]", "2201 pixels outside of its image of 400 x 300"),
        ("[401, 10, 450, 90]", "which lies beside its image of 400 x 300"),
        ("[-50, 10, -10, 90]", "which lies beside its image"),
    ] {
        let message = folder(sides).message(BenchmarkName::Spair);
        assert!(message.contains(&format!("{SPAIR_LINE}.json: `trg_bndbox`")) && message.contains(said), "{message}");
    }
}

#[test]
fn a_declared_size_is_that_of_the_picture_where_there_is_one() {
    let folder = spair("[[5, 6], [7, 8]]", "[10, 10, 90, 90]", "[300, 400, 3]");
    let message = folder.message(BenchmarkName::Spair);
    assert!(message.contains(&format!("{SPAIR_LINE}.json: `trg_imsize` is 300 x 400, but ")), "{message}");
    assert!(message.contains("b.jpg is 400 x 300; width and height are exchanged"), "{message}");
    // Scoring needs no pictures.
    folder.remove("JPEGImages/cup/b.jpg");
    let read = folder.read(BenchmarkName::Spair);
    assert_eq!((read.pairs[0].target.size, read.counts.is_empty()), ((300, 400), true));
    folder.write("JPEGImages/cup/b.jpg", "404: not found");
    let counts = folder.read(BenchmarkName::Spair).counts;
    assert_eq!(counts.of(Oddity::SizesUnchecked), 1);
    assert!(counts.to_string().contains("b.jpg: cannot read the image's size: it is not an image"), "{counts}");
}

#[test]
fn a_table_is_held_against_its_pictures() {
    let folder = Folder::new();
    folder.image("a.jpg", 400, 300);
    let row = |source: &str| {
        let target = r#""target_image": "a.jpg", "target_points": [[3, 4]]"#;
        folder.write("pairs.jsonl", format!(r#"{{"class": "cup", "source_image": "a.jpg", {target}, {source}}}"#));
    };
    let message = |source| {
        row(source);
        folder.message(BenchmarkName::Table)
    };
    for (source, said) in [
        (r#""source_points": [[1, 2]], "source_size": [300, 400]"#, "pairs.jsonl:1: `source_size` is 300 x 400, but "),
        (r#""source_points": [[1, 2]], "source_size": [401, 300]"#, "a.jpg is 400 x 300"),
        (r#""source_points": [[999, 999]]"#, "pairs.jsonl:1: `source_points[0]` is [999.0, 999.0]"),
        (r#""source_points": [[1, 2]], "source_box": [9, 1, 3, 5]"#, "pairs.jsonl:1: source_box is [9, 1, 3, 5]"),
        (
            r#""source_points": [[1, 2]], "source_box": [9, 1, 900, 5]"#,
            "pairs.jsonl:1: `source_box` is [9.0, 1.0, 900.0",
        ),
    ] {
        let message = message(source);
        assert!(message.contains(said), "{message}");
    }
    row(r#""source_points": [[-30, 2]]"#);
    assert_eq!(folder.read(BenchmarkName::Table).counts.of(Oddity::PointsOutside), 1);
}

#[test]
fn willow_has_minus_one_and_nan_for_absent_points() {
    let folder = Folder::new();
    let image = |name: &str, points: &[[f64; 2]]| {
        folder.image(&format!("WILLOW-ObjectClass/Car/{name}.png"), 40, 30);
        let matrix = Matrix::from_columns(2, points.len(), points.concat());
        write_matrix(&folder.join(&format!("WILLOW-ObjectClass/Car/{name}.mat")), "pts_coord", &matrix).unwrap();
    };
    let all = ReadOptions { split: Some(BenchmarkSplit::All), ..ReadOptions::default() };
    let nan = f64::NAN;
    image("a", &[[-1.0, -1.0], [5.0, 6.0], [0.0, 0.0], [nan, nan]]);
    image("b", &[[7.0, 8.0], [9.0, 9.0], [1.0, 1.0], [2.0, 2.0]]);
    let read = folder.read_with(BenchmarkName::Willow, &all);
    assert_eq!(read.counts.of(Oddity::PointsAtMinusOne), 1);
    assert!(read.counts.to_string().contains("a.mat: `pts_coord(:, 1)`"), "{}", read.counts);
    let pair = &read.pairs[0];
    assert_eq!((pair.ids.as_slice(), pair.source.points[1]), ([1, 2].as_slice(), [0.0, 0.0]));
    assert_eq!(pair.target.unshared.iter().map(|point| point.id).collect::<Vec<_>>(), [0, 3]);
    assert_eq!(pair.source.key_point_box, [0.0, 0.0, 5.0, 6.0], "an absent point is in no box");

    for (points, said) in [
        ([[nan, 6.0], [1.0, 1.0]], "a.mat: `pts_coord(:, 1)` is [NaN, 6.0], which is no point"),
        ([[1.0, 1.0], [f64::INFINITY, 2.0]], "`pts_coord(:, 2)` is [inf, 2.0], which is no point"),
        ([[1.0, 1.0], [999.0, 2.0]], "`pts_coord(:, 2)` is [999.0, 2.0], 960 pixels outside of its image of 40 x 30"),
    ] {
        image("a", &points);
        let message = read_pairs(BenchmarkName::Willow, folder.path(), &all).unwrap_err().to_string();
        assert!(message.contains(said), "{message}");
    }
    // An image all of whose points are absent has none.
    image("a", &[[-1.0, -1.0]; 2]);
    image("c", &[[7.0, 8.0], [9.0, 9.0]]);
    let read = folder.read_with(BenchmarkName::Willow, &all);
    assert_eq!(ids(&read.pairs), ["Car/b--c", "Car/c--b"]);
    assert!(read.notes[0].starts_with("1 images have no key points"), "{:?}", read.notes);
}

#[test]
fn the_list_of_pf_willow_has_minus_one_for_absent_points() {
    let folder = Folder::new();
    for name in ["a", "b"] {
        folder.image(&format!("PF-dataset/car(G)/{name}.png"), 40, 30);
        write_key_points(&folder.join(&format!("PF-dataset/car(G)/{name}.mat")), &[Some([1.0, 1.0])]).unwrap();
    }
    let columns =
        ["XA", "YA", "XB", "YB"].map(|axis| (1..=10).map(|n| format!("{axis}{n}")).collect::<Vec<_>>().join(","));
    let row = |first: [f32; 4], rest: f32| {
        let column = |first: f32| format!("{first},{}", vec![rest.to_string(); 9].join(","));
        format!("car(G)/a.png,car(G)/b.png,{}\n", first.map(column).join(","))
    };
    let write = |rows: &str| {
        folder.write("PF-dataset/test_pairs_pf.csv", format!("imageA,imageB,{}\n{rows}", columns.join(",")));
    };
    write(&row([-1.0, -1.0, 4.0, 5.0], 3.0));
    let read = folder.read(BenchmarkName::PfWillow);
    assert_eq!((read.pairs[0].ids.len(), read.pairs[0].ids[0]), (9, 1));
    assert_eq!(read.pairs[0].target.unshared[0].point, [4.0, 5.0]);
    assert_eq!(read.counts.of(Oddity::PointsAtMinusOne), 1);
    assert!(read.counts.to_string().contains("test_pairs_pf.csv:2: `XA1, YA1`"), "{}", read.counts);

    write(&(row([2.0; 4], 3.0) + &row([2.0, 2.0, -1.0, -1.0], -1.0)));
    let read = folder.read(BenchmarkName::PfWillow);
    assert_eq!((read.pairs.len(), read.counts.of(Oddity::PairsWithoutPoints)), (1, 1));
    write(&row([2.0, 2.0, 2.0, 77.0], 3.0));
    let message = folder.message(BenchmarkName::PfWillow);
    assert!(message.contains("test_pairs_pf.csv:2: `XB1, YB1` is [2.0, 77.0], 48 pixels outside"), "{message}");
}

#[test]
fn pf_pascal_checks_its_list_and_its_annotations() {
    let folder = Folder::new();
    let images = "PF-dataset-PASCAL/JPEGImages";
    let list = |x: &str| {
        let row = format!("{images}/a.jpg,{images}/b.jpg,7,{x},20,12,22");
        folder.write("test_pairs.csv", format!("source_image,target_image,class,XA,YA,XB,YB\n{row}\n"));
    };
    folder.image(&format!("{images}/a.jpg"), 320, 240);
    folder.image(&format!("{images}/b.jpg"), 320, 240);
    let annotate = |kps: [f64; 4], sides: [f64; 4]| {
        for image in ["a", "b"] {
            let path = format!("PF-dataset-PASCAL/Annotations/car/{image}.mat");
            let bytes = |variable: &str, matrix: Matrix| {
                folder.write(&path, "");
                write_matrix(&folder.join(&path), variable, &matrix).unwrap();
                std::fs::read(folder.join(&path)).unwrap()
            };
            let kps = bytes("kps", Matrix::from_columns(2, 2, kps.to_vec()));
            let sides = bytes("bbox", Matrix::from_columns(1, 4, sides.to_vec()));
            folder.write(&path, [&kps, &sides[128..]].concat());
        }
    };
    let nan = f64::NAN;
    let (kps, sides) = ([10.0, nan, 20.0, nan], [60.0, 60.0, 260.0, 180.0]);
    list("10");
    annotate(kps, sides);
    let read = folder.read(BenchmarkName::PfPascal);
    assert!(read.counts.is_empty() && read.pairs[0].target.object_box.is_some(), "{}", read.counts);
    for (kps, sides, said) in [
        (kps, [260.0, 180.0, 60.0, 60.0], "a.mat: `bbox` is [260, 180, 60, 60], which is no box"),
        (kps, [60.0, 180.0, 260.0, 60.0], "which is no box"),
        (kps, [nan, 60.0, 260.0, 180.0], "`bbox` has the value NaN"),
        (kps, [60.0, 60.0, 2600.0, 180.0], "`bbox` is [60.0, 60.0, 2600.0, 180.0], 2281 pixels outside"),
        ([10.0, nan, 20.0, 5.0], sides, "`kps` has the value NaN"),
        ([10.0, 999.0, 20.0, 999.0], sides, "a.mat: `kps(2, :)` is [999.0, 999.0]"),
    ] {
        annotate(kps, sides);
        let message = folder.message(BenchmarkName::PfPascal);
        assert!(message.contains(said) && message.contains("Annotations/car/a.mat"), "{message}");
    }
    annotate(kps, sides);
    list("999");
    let message = folder.message(BenchmarkName::PfPascal);
    assert!(message.contains("test_pairs.csv:2: `XA, YA[0]` is [999.0, 20.0]"), "{message}");
    list("330");
    assert_eq!(folder.read(BenchmarkName::PfPascal).counts.of(Oddity::PointsOutside), 1);
}

#[test]
fn ap_10k_and_caltech_are_held_against_their_pictures() {
    let folder = Folder::new();
    let pair = r#"{"src_json_path": "ImageAnnotation/Bovidae/cow/1.json", "trg_json_path": "ImageAnnotation/Bovidae/cow/2.json"}"#;
    folder.write("PairAnnotation/test/0-1-2:cow.json", pair);
    let annotation = |name: u32, keys: &str| folder.write(&format!("ImageAnnotation/Bovidae/cow/{name}.json"), keys);
    let right = r#"{"width": 64, "height": 48, "bbox": [10, 20, 30, 20], "keypoints": [50, 40, 2, 0, 0, 0]}"#;
    annotation(1, right);
    annotation(2, right);
    for name in [1, 2] {
        folder.image(&format!("JPEGImages/Bovidae/cow/{name}.jpg"), 64, 48);
    }
    let read = folder.read(BenchmarkName::Ap10k);
    assert!(read.counts.is_empty() && read.pairs[0].source.size == (64, 48), "{}", read.counts);
    for (from, to, said) in [
        ("\"width\": 64, \"height\": 48", "\"width\": 48, \"height\": 64", "`width, height` is 48 x 64, but "),
        ("[50, 40, 2,", "[500, 40, 2,", "`keypoints[0]` is [500.0, 40.0]"),
        ("[10, 20, 30, 20]", "[10, 20, 300, 20]", "`bbox` is [10.0, 20.0, 310.0, 40.0], 247 pixels outside"),
    ] {
        folder.damaged(BenchmarkName::Ap10k, "ImageAnnotation/Bovidae/cow/2.json", from, to, &[said]);
    }
    annotation(2, &right.replace("[50, 40, 2,", "[70, 40, 2,"));
    assert_eq!(folder.read(BenchmarkName::Ap10k).counts.of(Oddity::PointsOutside), 1);
    // Visibility 0 is absent, wherever the point is said to be.
    annotation(2, &right.replace("0, 0, 0]", "999, -7, 0]"));
    assert!(folder.read(BenchmarkName::Ap10k).counts.is_empty());

    folder.image("cow/a.jpg", 40, 30);
    let outlines = |x: u32| {
        let row = format!("cow/a.jpg,cow/a.jpg,cow,\"1,{x},2\",\"1,1,9\",\"1,20,2\",\"1,1,9\"");
        folder.write("caltech_pairs.csv", format!("imageA,imageB,class,XA,YA,XB,YB\n{row}\n"));
    };
    outlines(45);
    assert_eq!(read_caltech(folder.path()).unwrap().counts.of(Oddity::PointsOutside), 1);
    outlines(450);
    let message = read_caltech(folder.path()).unwrap_err().to_string();
    assert!(message.contains("caltech_pairs.csv:2: `XA, YA[1]` is [450.0, 1.0]"), "{message}");
}

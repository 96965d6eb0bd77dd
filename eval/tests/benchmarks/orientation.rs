//! Photos that are stored turned: pairs are of the pictures as they are shown, whatever frame the annotation is in.

use eval::{
    AnnotationFrame, BenchmarkName, Matrix, Oddity, ReadCounts, ReadOptions, read_caltech, read_pairs, read_tss,
    write_key_points, write_matrix,
};

use crate::fixture::Folder;

/// As stored, and where a point and a box of it are shown, by orientation from 1.
const STORED: (u32, u32) = (40, 30);
const POINT: [f32; 2] = [5.0, 7.0];
const SHOWN: [[f32; 2]; 8] =
    [[5.0, 7.0], [34.0, 7.0], [34.0, 22.0], [5.0, 22.0], [7.0, 5.0], [22.0, 5.0], [22.0, 34.0], [7.0, 34.0]];
const BOX: [f32; 4] = [2.0, 3.0, 12.0, 24.0];
const SHOWN_BOX: [[f32; 4]; 8] = [
    [2.0, 3.0, 12.0, 24.0],
    [27.0, 3.0, 37.0, 24.0],
    [27.0, 5.0, 37.0, 26.0],
    [2.0, 5.0, 12.0, 26.0],
    [3.0, 2.0, 24.0, 12.0],
    [5.0, 2.0, 26.0, 12.0],
    [5.0, 27.0, 26.0, 37.0],
    [3.0, 27.0, 24.0, 37.0],
];

fn shown_size(orientation: u8) -> (u32, u32) {
    if orientation < 5 { STORED } else { (STORED.1, STORED.0) }
}

fn told(frame: AnnotationFrame) -> ReadOptions {
    ReadOptions { annotated_in: Some(frame), ..ReadOptions::default() }
}

/// What is counted of one turned image, and of none where the image is stored as it is shown.
fn assert_counted(counts: &ReadCounts, orientation: u8, kind: Oddity, file: &str) {
    if orientation == 1 {
        return assert!(counts.is_empty(), "{counts}");
    }
    assert_eq!(counts.of(kind), 1, "{counts}");
    assert!(counts.to_string().contains(&format!("{file} (orientation {orientation})")), "{counts}");
}

fn list(values: &[f32]) -> String {
    values.iter().map(f32::to_string).collect::<Vec<_>>().join(", ")
}

fn table(folder: &Folder, point: [f32; 2], sides: [f32; 4], more: &str) {
    let row = format!(
        r#"{{"class": "cup", "source_image": "a.jpg", "target_image": "b.jpg", "source_points": [[{}]],
        "target_points": [[1, 2]], "source_box": [{}], "target_box": [0, 0, 9, 9]{more}}}"#,
        list(&point),
        list(&sides)
    );
    folder.write("pairs.jsonl", row.replace('\n', ""));
}

#[test]
fn a_table_is_of_pictures_as_shown_unless_it_says_stored() {
    let folder = Folder::new();
    folder.image("b.jpg", 50, 40);
    for orientation in 1..=8 {
        folder.turned_image("a.jpg", STORED, orientation);
        let place = usize::from(orientation - 1);
        let expected = (shown_size(orientation), vec![SHOWN[place]], Some(SHOWN_BOX[place]));
        let read = |options: &ReadOptions| {
            let read = folder.read_with(BenchmarkName::Table, options);
            let pair = &read.pairs[0];
            assert_eq!(pair.target.points, [[1.0, 2.0]], "an image that is not turned stays as it is");
            ((pair.source.size, pair.source.points.clone(), pair.source.object_box), read.counts)
        };
        table(&folder, SHOWN[place], SHOWN_BOX[place], "");
        let (found, counts) = read(&ReadOptions::default());
        assert_eq!(found, expected, "{orientation}");
        assert_counted(&counts, orientation, Oddity::TurnedTakenAsShown, "a.jpg");

        table(&folder, POINT, BOX, r#", "frame": "stored", "source_size": [40, 30], "target_size": [50, 40]"#);
        let (found, counts) = read(&ReadOptions::default());
        assert_eq!(found, expected, "{orientation}");
        assert_counted(&counts, orientation, Oddity::TurnedTakenAsStored, "a.jpg");
        // What a row says of itself goes before what is said of all.
        assert_eq!(read(&told(AnnotationFrame::Shown)).0, expected);

        table(&folder, POINT, BOX, "");
        assert_eq!(read(&told(AnnotationFrame::Stored)).0, expected, "{orientation}");
        if orientation >= 5 {
            // A size alone does not say what the points are in.
            table(&folder, POINT, BOX, r#", "source_size": [40, 30]"#);
            let message = folder.message(BenchmarkName::Table);
            assert!(message.contains("pairs.jsonl:1: `source_size` is 40 x 30, but "), "{message}");
            assert!(message.contains("is 30 x 40 as it is shown") && message.contains("`frame`"), "{message}");
        }
    }
}

#[test]
fn the_frame_of_a_csv_table_is_a_column() {
    let folder = Folder::new();
    folder.turned_image("a.jpg", STORED, 6);
    let header = "class,source_image,target_image,source_points,target_points,frame\n";
    let row = |frame: &str, id: &str| format!("{id},a.jpg,a.jpg,5 7,5 7,{frame}\n");
    folder.write("pairs.csv", format!("{header}{}{}{}", row("stored", "c"), row("shown", "d"), row("", "e")));
    let points: Vec<_> = folder.read(BenchmarkName::Table).pairs.iter().map(|pair| pair.source.points[0]).collect();
    assert_eq!(points, [SHOWN[5], POINT, POINT]);
    folder.write("pairs.csv", format!("{header}{}", row("upright", "c")));
    let message = folder.message(BenchmarkName::Table);
    assert!(message.contains("pairs.csv:2: `upright` is no frame of annotations"), "{message}");
}

#[test]
fn willow_is_of_pixels_as_stored_unless_somebody_says_shown() {
    let folder = Folder::new();
    folder.image("WILLOW-ObjectClass/Car/b.png", 50, 40);
    write_key_points(&folder.join("WILLOW-ObjectClass/Car/b.mat"), &[Some([1.0, 2.0])]).unwrap();
    let all = |options: ReadOptions| ReadOptions { split: Some(eval::BenchmarkSplit::All), ..options };
    for orientation in 1..=8 {
        folder.turned_image("WILLOW-ObjectClass/Car/a.jpg", STORED, orientation);
        let shown = SHOWN[usize::from(orientation - 1)];
        for (point, options, kind) in [
            (POINT, ReadOptions::default(), Oddity::TurnedTakenAsStored),
            (shown, told(AnnotationFrame::Shown), Oddity::TurnedTakenAsShown),
        ] {
            write_key_points(&folder.join("WILLOW-ObjectClass/Car/a.mat"), &[Some(point)]).unwrap();
            let read = folder.read_with(BenchmarkName::Willow, &all(options));
            let source = &read.pairs[0].source;
            assert_eq!((source.size, source.points[0]), (shown_size(orientation), shown), "{orientation}");
            assert_counted(&read.counts, orientation, kind, "a.jpg");
        }
    }
}

#[test]
fn the_declared_size_of_spair_says_which_frame_is_meant() {
    let folder = Folder::new();
    let line = "1-a-b:cup";
    folder.write("Layout/large/test.txt", line);
    folder.image("JPEGImages/cup/b.jpg", 50, 40);
    let pair = |(width, height): (u32, u32), [x, y]: [f32; 2], sides: [f32; 4]| {
        let json = format!(
            r#"{{"category": "cup", "src_imname": "a.jpg", "trg_imname": "b.jpg", "src_imsize": [{width}, {height}, 3],
            "trg_imsize": [50, 40, 3], "src_bndbox": [{}], "trg_bndbox": [0, 0, 9, 9], "src_kps": [[{x}, {y}]],
            "trg_kps": [[1, 2]], "kps_ids": ["0"], "viewpoint_variation": 0, "scale_variation": 0, "truncation": 0,
            "occlusion": 0}}"#,
            list(&sides)
        );
        folder.write(&format!("PairAnnotation/test/{line}.json"), json);
    };
    let source = || folder.read(BenchmarkName::Spair).pairs[0].source.clone();
    for orientation in 1..=8 {
        folder.turned_image("JPEGImages/cup/a.jpg", STORED, orientation);
        let place = usize::from(orientation - 1);
        pair(STORED, POINT, BOX);
        let found = source();
        assert_eq!((found.size, found.points[0]), (shown_size(orientation), SHOWN[place]), "{orientation}");
        assert_eq!(found.object_box, Some(SHOWN_BOX[place]));
        if orientation >= 5 {
            pair(shown_size(orientation), SHOWN[place], SHOWN_BOX[place]);
            assert_eq!(source(), found);
            let read = read_pairs(BenchmarkName::Spair, folder.path(), &told(AnnotationFrame::Stored));
            assert!(read.unwrap_err().to_string().contains("`src_imsize` is 30 x 40"));
        }
    }
}

#[test]
fn boxes_and_points_of_pf_pascal_are_turned_together() {
    let folder = Folder::new();
    let images = "PF-dataset-PASCAL/JPEGImages";
    folder.write(
        "test_pairs.csv",
        format!("source_image,target_image,class,XA,YA,XB,YB\n{images}/a.jpg,{images}/b.jpg,7,5,7,1,2\n"),
    );
    folder.turned_image(&format!("{images}/a.jpg"), STORED, 6);
    folder.image(&format!("{images}/b.jpg"), 50, 40);
    let read = folder.read(BenchmarkName::PfPascal);
    assert_eq!((read.pairs[0].source.size, read.pairs[0].source.points[0]), ((30, 40), SHOWN[5]));
    assert_eq!(read.counts.of(Oddity::TurnedTakenAsStored), 1);

    let annotate = |image: &str, point: [f32; 2], sides: [f32; 4]| {
        let path = format!("PF-dataset-PASCAL/Annotations/car/{image}.mat");
        let bytes = |variable: &str, matrix: &Matrix| {
            folder.write(&path, "");
            write_matrix(&folder.join(&path), variable, matrix).unwrap();
            std::fs::read(folder.join(&path)).unwrap()
        };
        let kps = bytes("kps", &Matrix::from_columns(1, 2, point.map(f64::from).to_vec()));
        let object_box = bytes("bbox", &Matrix::from_columns(1, 4, sides.map(f64::from).to_vec()));
        folder.write(&path, [&kps, &object_box[128..]].concat());
    };
    annotate("a", POINT, BOX);
    annotate("b", [1.0, 2.0], [0.0, 0.0, 9.0, 9.0]);
    let read = folder.read(BenchmarkName::PfPascal);
    let source = &read.pairs[0].source;
    assert_eq!((source.points[0], source.object_box), (SHOWN[5], Some(SHOWN_BOX[5])));
    assert!(!read.notes.iter().any(|note| note.contains("no annotation that agrees")), "{:?}", read.notes);
}

#[test]
fn outlines_are_turned_and_a_turned_image_with_a_flow_is_refused() {
    let folder = Folder::new();
    folder.write(
        "test_pairs_caltech.csv",
        "imageA,imageB,class,XA,YA,XB,YB\ncup/a.jpg,cup/b.jpg,cup,\"5,6,5\",\"7,7,9\",\"1,2,3\",\"1,1,5\"\n",
    );
    folder.turned_image("101_ObjectCategories/cup/a.jpg", STORED, 6);
    folder.image("101_ObjectCategories/cup/b.jpg", 50, 40);
    let read = read_caltech(folder.path()).unwrap();
    assert_eq!((read.pairs[0].source.size, read.pairs[0].source.outline[0]), ((30, 40), SHOWN[5]));
    assert_eq!(read.counts.of(Oddity::TurnedTakenAsStored), 1);

    for subset in eval::TSS_SUBSETS {
        for number in [1, 2] {
            for kind in ["image", "mask"] {
                folder.turned_image(&format!("{subset}/p/{kind}{number}.png"), STORED, 6);
            }
            folder.write(&format!("{subset}/p/flow{number}.flo"), "");
        }
        folder.write(&format!("{subset}/p/flip_gt.txt"), "0");
    }
    let message = read_tss(folder.path()).unwrap_err().to_string();
    assert!(message.contains("image1.png: the image is stored turned (EXIF orientation 6)"), "{message}");
}

//! The WILLOW reader on folders made here.

use std::fs;
use std::path::Path;

use eval::{Matrix, Split, WillowError, read_willow, write_key_points, write_matrix};
use image::RgbImage;

type Points = Vec<Option<[f32; 2]>>;

fn add(root: &Path, class: &str, name: &str, size: (u32, u32), points: Option<&Points>) {
    let folder = root.join(class);
    fs::create_dir_all(&folder).unwrap();
    RgbImage::new(size.0, size.1).save(folder.join(name)).unwrap();
    if let Some(points) = points {
        write_key_points(&folder.join(name).with_extension("mat"), points).unwrap();
    }
}

fn names(root: &Path, split: Split) -> Vec<String> {
    let found = read_willow(root, split).unwrap();
    found.images.iter().map(|image| image.path.file_stem().unwrap().to_string_lossy().into_owned()).collect()
}

#[test]
fn reads_classes_sizes_and_points() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    let ten: Points = (0..10).map(|i| Some([i as f32 + 0.25, 1.5 * i as f32])).collect();
    let mut eight: Points = ten[..8].to_vec();
    eight[3] = None;
    add(root, "car(G)", "b.png", (30, 20), Some(&ten));
    add(root, "car(G)", "a.jpg", (31, 21), Some(&eight));
    add(root, "Duck", "x.png", (5, 6), None);
    add(root, "Duck", "y.png", (5, 6), Some(&vec![None; 4]));
    add(root, ".thumbnails", "z.png", (5, 6), Some(&ten));
    fs::create_dir(root.join("notes")).unwrap();
    fs::write(root.join("README"), "not an image").unwrap();

    let found = read_willow(root, Split::All).unwrap();
    assert_eq!(found.images.len(), 2);
    assert_eq!((found.images[0].class.as_str(), found.images[0].size), ("car(G)", (31, 21)));
    assert_eq!(found.images[0].key_points, eight);
    assert_eq!((found.images[1].size, &found.images[1].key_points), ((30, 20), &ten));
    assert_eq!(found.without_key_points, [root.join("Duck/x.png"), root.join("Duck/y.png")]);
}

#[test]
fn splits_alternate_within_a_class() {
    let root = tempfile::tempdir().unwrap();
    let point: Points = vec![Some([1.0, 1.0])];
    for name in ["a1.png", "a2.png", "a3.png", "a4.png", "a5.png"] {
        // An image without key points still takes its place.
        add(root.path(), "A", name, (9, 9), (name != "a2.png").then_some(&point));
    }
    add(root.path(), "B", "b1.png", (9, 9), Some(&point));
    add(root.path(), "B", "b2.png", (9, 9), Some(&point));
    assert_eq!(names(root.path(), Split::Train), ["a1", "a3", "a5", "b1"]);
    assert_eq!(names(root.path(), Split::Val), ["a4", "b2"]);
    assert_eq!(names(root.path(), Split::All).len(), 6);
    assert_eq!("val".parse(), Ok(Split::Val));
    assert_eq!(
        "test".parse::<Split>().unwrap_err().to_string(),
        "`test` is no split; the splits are all, train and val"
    );
}

#[test]
fn what_is_wrong_is_said_with_its_path() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    let message = |root: &Path| read_willow(root, Split::All).unwrap_err().to_string();
    assert!(message(&root.join("nowhere")).contains("nowhere"));
    assert!(message(root).contains("no images in class folders"));

    let point: Points = vec![Some([1.0, 1.0])];
    add(root, "A", "a.png", (9, 9), Some(&point));
    let mat = root.join("A/a.mat");
    write_matrix(&mat, "pts_coord", &Matrix::from_columns(3, 1, vec![0.0; 3])).unwrap();
    assert!(message(root).contains("A/a.mat: `pts_coord` is 3x1, expected two rows"), "{}", message(root));
    write_matrix(&mat, "kps", &Matrix::from_columns(2, 1, vec![0.0; 2])).unwrap();
    assert!(message(root).contains("A/a.mat: there is no variable `pts_coord` in the file (it has: kps)"));
    fs::write(&mat, "").unwrap();
    assert!(message(root).contains("A/a.mat: this is not a MATLAB version 5 file"));

    write_key_points(&mat, &point).unwrap();
    fs::write(root.join("A/a.png"), "plain text").unwrap();
    assert!(message(root).contains("A/a.png: cannot read the image's size"), "{}", message(root));

    add(root, "A", "a.png", (9, 9), None);
    add(root, "A", "a.jpg", (9, 9), None);
    assert!(matches!(read_willow(root, Split::All), Err(WillowError::SameStem(..))));
}

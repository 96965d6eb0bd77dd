//! Class folders of every bad shape, and the order of good ones.

use std::fs;
use std::path::{Path, PathBuf};

use sc_imagenet::{ClassTree, Half, ImageEntry, ImageSet};
use tempfile::TempDir;

fn tree_of(files: &[&str]) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    for file in files {
        let path = root.path().join(file);
        if file.ends_with('/') {
            fs::create_dir_all(path).unwrap();
        } else {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, b"not opened here").unwrap();
        }
    }
    root
}

fn listed(tree: &ClassTree) -> Vec<(&str, Vec<&str>)> {
    tree.classes().iter().map(|class| (class.name.as_str(), class.files.iter().map(String::as_str).collect())).collect()
}

fn refusal(root: &Path) -> String {
    let message = ClassTree::walk(root).unwrap_err().to_string();
    assert!(message.starts_with(root.to_str().unwrap()), "no path in: {message}");
    message
}

#[test]
fn images_of_all_extensions_are_listed_in_the_order_of_their_bytes() {
    let root = tree_of(&[
        "n02/b.JPEG",
        "n02/a.jpg",
        "n02/B.png",
        "n02/10.webp",
        "n02/9.bmp",
        "n02/a.mat",
        "n02/._a.jpg",
        "n02/deep/x.jpg",
        "n02/Z/y/x.jpg",
        "n01/ä.JPG",
        "n01/z.jpeg",
        ".git/a.jpg",
        "loose.jpg",
        "README.md",
    ]);
    let tree = ClassTree::walk(root.path()).unwrap();
    assert_eq!(
        listed(&tree),
        [
            ("n01", vec!["z.jpeg", "ä.JPG"]),
            ("n02", vec!["10.webp", "9.bmp", "B.png", "a.jpg", "b.JPEG", "Z/y/x.jpg", "deep/x.jpg"])
        ]
    );
    assert_eq!((tree.image_count(), tree.nested_count()), (9, 2));
    assert_eq!(tree.root(), root.path());
}

#[test]
fn halves_are_every_second_file_of_a_class() {
    let root = tree_of(&["x/1.jpg", "x/2.jpg", "x/2.mat", "x/3.jpg", "y/1.jpg"]);
    let tree = ClassTree::walk(root.path()).unwrap();
    assert_eq!(listed(&tree.half(Half::Even)), [("x", vec!["1.jpg", "3.jpg"]), ("y", vec!["1.jpg"])]);
    assert_eq!(listed(&tree.half(Half::Odd)), [("x", vec!["2.jpg"]), ("y", vec![])]);
}

#[test]
fn a_missing_folder() {
    let root = tree_of(&[]);
    assert!(refusal(&root.path().join("nowhere")).contains("there is no such folder; give the folder that holds"));
}

#[test]
fn a_file_in_place_of_a_folder() {
    let root = tree_of(&["a.jpg"]);
    assert!(refusal(&root.path().join("a.jpg")).contains("is a file; give the folder"));
}

#[test]
fn an_empty_folder() {
    let root = tree_of(&[]);
    assert!(refusal(root.path()).contains("the folder is empty; put one folder of images per class into it"));
}

#[test]
fn images_without_class_folders() {
    let root = tree_of(&["a.jpg", "b.png", "notes.txt"]);
    assert!(refusal(root.path()).contains("no class folders, only files (2 of them images); sort the images"));
}

#[test]
fn folders_without_images() {
    let root = tree_of(&["x/a.txt", "y/"]);
    assert!(refusal(root.path()).contains("none of the 2 folders in it holds an image"));
}

#[test]
fn a_folder_one_level_too_high() {
    let root = tree_of(&["train/x/a.jpg", "val/x/a.jpg"]);
    assert!(refusal(root.path()).contains("`train` holds folders: perhaps that is the one to give"));
}

#[cfg(unix)]
#[test]
fn links_are_followed_and_names_that_are_no_text_are_told() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::symlink;

    let root = tree_of(&["x/a.jpg", "elsewhere.png"]);
    symlink("../elsewhere.png", root.path().join("x/b.png")).unwrap();
    symlink("x", root.path().join("y")).unwrap();
    let strange = root.path().join("x").join(OsStr::from_bytes(b"\xff.jpg"));
    // Some file systems have no such names, and then no such problem.
    let has_strange = fs::write(&strange, b"").is_ok();
    let tree = ClassTree::walk(root.path()).unwrap();
    assert_eq!(listed(&tree), [("x", vec!["a.jpg", "b.png"]), ("y", vec!["a.jpg", "b.png"])]);
    assert_eq!(tree.unreadable_names().contains(&strange), has_strange);
}

fn set(classes: &[(&str, usize)]) -> ImageSet {
    let names = classes.iter().map(|(name, _)| (*name).to_owned()).collect();
    let images = classes.iter().enumerate().flat_map(|(class, (name, count))| {
        (0..*count).map(move |i| ImageEntry {
            path: PathBuf::from(format!("{name}/{i}.png")),
            class,
            width: 32,
            height: 24,
        })
    });
    ImageSet::new(names, images.collect())
}

#[test]
fn one_class_is_too_few_for_negatives() {
    let one = set(&[("cup", 3)]);
    assert!(one.require_classes(1).is_ok());
    assert_eq!(
        one.require_classes(2).unwrap_err().to_string(),
        "only one class here (cup), at least 2 are needed, since negative pairs join images of different classes; add \
         folders of other classes"
    );
}

#[test]
fn joined_sets_share_the_classes_of_one_name() {
    let joined = ImageSet::join([set(&[("cup", 2), ("lamp", 1)]), set(&[("ant", 1), ("lamp", 2)])]);
    assert_eq!(joined.classes(), ["ant", "cup", "lamp"]);
    assert_eq!(joined.labels(), [0, 1, 1, 2, 2, 2]);
    assert_eq!(joined.images()[3].path, PathBuf::from("lamp/0.png"));
}

#[test]
#[should_panic(expected = "class 1 of a.png is beyond the 1 classes")]
fn a_label_beyond_the_classes() {
    let image = ImageEntry { path: "a.png".into(), class: 1, width: 1, height: 1 };
    ImageSet::new(vec!["x".to_owned()], vec![image]);
}

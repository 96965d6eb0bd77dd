//! Files that are not looked at are counted, and what looks like an image is looked at.

#[cfg(unix)]
#[path = "../../xtask/tests/skips/mod.rs"]
mod skips;

use std::fs;
use std::path::Path;

use image::{ImageFormat, Rgb, RgbImage};
use sc_imagenet::{CheckConfig, CheckReport, ClassTree, Half, ImageSource, PassedReason, check};
use tempfile::TempDir;

fn picture(format: ImageFormat) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    RgbImage::from_fn(24, 18, |x, y| Rgb([(x * 9) as u8, (y * 13) as u8, 90])).write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn tree_of(files: &[(&str, &[u8])]) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    for (file, bytes) in files {
        let path = root.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    root
}

/// Photos as they come from telephones, browsers and scanners, sorted into folders of years.
fn photos() -> TempDir {
    let [jpeg, tiff, gif] = [ImageFormat::Jpeg, ImageFormat::Tiff, ImageFormat::Gif].map(picture);
    tree_of(&[
        ("cat/0.jpg", &jpeg),
        ("cat/1.jfif", &jpeg),
        ("cat/2.HEIC", b"\0\0\0\x18ftypheic"),
        ("cat/3.heic", b"\0\0\0\x18ftypheic"),
        ("cat/4.avif", b"\0\0\0\x18ftypavif"),
        ("cat/4.xml", b"<annotation/>"),
        ("cat/5", &jpeg),
        ("cat/notes", b"some text"),
        ("cat/.DS_Store", b""),
        ("cat/@eaDir/0.jpg", &jpeg),
        ("dog/0.tif", &tiff),
        ("dog/1.gif", &gif),
        ("dog/2023/0.jpg", &jpeg),
        ("dog/2023/may/0.jpg", &jpeg),
        ("dog/2022/0.jpg", &jpeg),
        ("__MACOSX/cat/._0.jpg", b""),
        ("loose.jpg", &jpeg),
    ])
}

const SUMMARY: &str = "10 files passed over: 1 .avif, 2 .heic (not read here: convert to JPEG), 1 image without extension \
                       (put .jpg behind the name), 1 image in no class's folder (each image belongs into the folder of its \
                       class), 1 without extension, 1 .xml, 3 hidden or of the system";

#[test]
fn what_is_not_read_is_counted_with_its_reason_and_the_rest_is_read() {
    let root = photos();
    let tree = ClassTree::walk(root.path()).unwrap();
    let files: Vec<_> = tree.classes().iter().map(|class| (class.name.as_str(), class.files.as_slice())).collect();
    assert_eq!(files[0].1, ["0.jpg", "1.jfif"]);
    assert_eq!(files[1].1, ["0.tif", "1.gif", "2022/0.jpg", "2023/0.jpg", "2023/may/0.jpg"]);
    assert_eq!(files.len(), 2, "{files:?}");
    assert_eq!(tree.passed_over().to_string(), SUMMARY);
    let named = &tree.passed_over().groups()[1];
    assert_eq!(named.reason, PassedReason::UnreadImage("heic".to_owned()));
    let mut heic = named.named.clone();
    heic.sort();
    assert_eq!(heic, ["cat/2.HEIC", "cat/3.heic"]);

    let checked = check(&tree, &CheckConfig::default(), None, |_, _| ()).unwrap();
    assert_eq!(checked.images.len(), 7, "{}", checked.report);
    assert!(checked.images.images()[4].path.ends_with("dog/2022/0.jpg"));
    assert!(checked.report.to_string().ends_with(&tree.passed_over().to_string()), "{}", checked.report);
    let json = serde_json::to_string(&checked.report).unwrap();
    assert_eq!(serde_json::from_str::<CheckReport>(&json).unwrap(), checked.report);

    // A source of the same folder loses nothing either.
    let source = ImageSource::class_folders(&tree).unwrap();
    assert_eq!(source.images().len() + source.refused().len(), 7, "{:?}", source.refused());
    assert_eq!(source.passed_over(), tree.passed_over());
}

#[test]
fn folders_within_a_class_do_not_change_the_halves_of_its_own_images() {
    let files = ["x/1.jpg", "x/2.jpg", "x/3.jpg", "y/1.jpg", "x/0/0.jpg", "x/9/0.jpg"];
    let root = tree_of(&files.map(|file| (file, &b""[..])));
    let tree = ClassTree::walk(root.path()).unwrap();
    assert_eq!(tree.half(Half::Even).classes()[0].files, ["1.jpg", "3.jpg", "9/0.jpg"]);
    assert_eq!(tree.half(Half::Odd).classes()[0].files, ["2.jpg", "0/0.jpg"]);
}

#[test]
fn a_folder_of_nothing_that_can_be_read_says_what_is_there() {
    let root = tree_of(&[("cat/0.heic", b""), ("cat/1.heic", b""), ("dog/0.dng", b"")]);
    let message = ClassTree::walk(root.path()).unwrap_err().to_string();
    assert!(message.contains("3 files passed over: 1 .dng, 2 .heic (not read here: convert to JPEG)"), "{message}");
    let message = ImageSource::open(root.path(), &[]).unwrap_err().to_string();
    assert!(message.contains("2 .heic (not read here"), "{message}");

    let root = tree_of(&[("0.heic", b"")]);
    let message = ClassTree::walk(root.path()).unwrap_err().to_string();
    assert!(message.contains("(0 of them images)") && message.contains("1 .heic"), "{message}");

    // Photos in folders of years alone may as well be the halves of a split.
    let root = tree_of(&[("cat/2022/0.jpg", b""), ("dog/2023/0.jpg", b"")]);
    let message = ClassTree::walk(root.path()).unwrap_err().to_string();
    assert!(message.contains("`cat` holds folders") && message.contains("move the images out"), "{message}");

    let root = tree_of(&[(".hidden", b""), ("Thumbs.db", b"")]);
    let message = ClassTree::walk(root.path()).unwrap_err().to_string();
    assert!(message.contains("the folder is empty"), "{message}");
}

#[cfg(unix)]
#[test]
fn links_in_a_circle_end() {
    use std::os::unix::fs::symlink;

    let root = tree_of(&[("cat/0.jpg", b""), ("cat/2023/1.jpg", b""), ("dog/0.jpg", b"")]);
    let link = |to: &str, at: &str| symlink(to, root.path().join(at)).unwrap();
    link(".", "cat/self");
    link("..", "cat/up");
    link("..", "cat/2023/back");
    link("2023", "cat/again");
    link(".", "all");
    link("nowhere", "cat/nowhere");
    link("loop", "cat/loop");
    link("/", "dog/machine");
    let tree = ClassTree::walk(root.path()).unwrap();
    let files: Vec<_> = tree.classes().iter().map(|class| class.files.clone()).collect();
    assert_eq!(files[1], ["0.jpg"]);
    assert!(files[0] == ["0.jpg", "2023/1.jpg"] || files[0] == ["0.jpg", "again/1.jpg"], "{files:?}");
    assert_eq!(files.len(), 2, "the link to the root is no class");
    let groups = tree.passed_over().groups();
    let count = |reason| groups.iter().find(|group| group.reason == reason).map_or(0, |group| group.count);
    assert_eq!(count(PassedReason::LinkedFolder), 6, "{}", tree.passed_over());
    assert_eq!(count(PassedReason::Other(String::new())), 2, "{}", tree.passed_over());
}

/// A pipe without an extension is not waited for.
#[cfg(unix)]
#[test]
fn pipes_are_not_opened() {
    let root = tree_of(&[("cat/0.jpg", b"")]);
    let made = std::process::Command::new("mkfifo").arg(root.path().join("cat/pipe")).status();
    if !made.is_ok_and(|status| status.success()) {
        return skips::skip("limits", "there is no mkfifo");
    }
    let tree = ClassTree::walk(Path::new(root.path())).unwrap();
    assert_eq!(tree.passed_over().to_string(), "1 file passed over: 1 without extension");
}

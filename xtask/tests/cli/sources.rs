//! What commands say of sources of images: what they pass over, how keys end, and which names classes have.

use std::fs;
use std::path::{Path, PathBuf};

use image::{ImageFormat, Rgb, RgbImage};

use crate::support::{LENIENT, Scene};

fn picture(shade: usize, format: ImageFormat) -> Vec<u8> {
    let shade = shade as u32 * 20;
    let image = RgbImage::from_fn(48, 40, |x, y| Rgb([(x * 5 + shade) as u8, (y * 6) as u8, (x * y) as u8]));
    let mut bytes = std::io::Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// Two classes of photos of every format, one in a folder of its own, and some that are not read.
fn photos(scene: &Scene) -> String {
    let root = scene.path("photos");
    for (shade, (name, format)) in [
        ("cat/0.jpg", ImageFormat::Jpeg),
        ("cat/1.jfif", ImageFormat::Jpeg),
        ("dog/0.tif", ImageFormat::Tiff),
        ("dog/1.gif", ImageFormat::Gif),
        ("dog/2023/0.jpg", ImageFormat::Jpeg),
    ]
    .into_iter()
    .enumerate()
    {
        fs::create_dir_all(root.join(name).parent().unwrap()).unwrap();
        fs::write(root.join(name), picture(shade, format)).unwrap();
    }
    for name in ["cat/2.HEIC", "cat/3.heic", "cat/3.xml", "dog/.DS_Store"] {
        fs::write(root.join(name), "not read").unwrap();
    }
    root.to_string_lossy().into_owned()
}

const PASSED_OVER: &str =
    "4 files passed over: 2 .heic (not read here: convert to JPEG), 1 .xml, 1 hidden or of the system";

fn text(output: &std::process::Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    [&output.stdout[..], &output.stderr].map(String::from_utf8_lossy).concat()
}

#[test]
fn doctor_counts_what_is_passed_over_and_names_it_when_asked() {
    let scene = Scene::new();
    let data = photos(&scene);
    let said = text(&scene.run(&["doctor", "--data", &data]));
    assert!(said.contains("5 images in 2 class folders, 1 of them in folders within these"), "{said}");
    assert!(said.contains(PASSED_OVER) && !said.contains("2.HEIC"), "{said}");
    let said = text(&scene.run(&["doctor", "--data", &data, "--verbose"]));
    assert!(said.contains("passed over cat/2.HEIC") && said.contains("passed over dog/.DS_Store"), "{said}");

    // A tar, and nothing.
    let tar = shard(&scene, "some.tar", &["0a", "0.0003"], &["0", "0"]);
    let said = text(&scene.run(&["doctor", "--data", &tar.to_string_lossy()]));
    assert!(said.contains("1 images of 1 classes in WebDataset shards, for `label`"), "{said}");
    assert!(said.contains("1 image with a dot in the key"), "{said}");
    let said = text(&scene.run(&["doctor", "--data", &tar.to_string_lossy(), "--keys", "last-dot"]));
    assert!(said.contains("2 images of 1 classes") && !said.contains("passed over"), "{said}");
    let said = text(&scene.run(&["doctor", "--data", "nowhere"]));
    assert!(said.contains("cannot be learnt from") && said.contains("nowhere"), "{said}");
}

/// A shard of samples with these keys and the text of their classes.
fn shard(scene: &Scene, name: &str, keys: &[&str], classes: &[&str]) -> PathBuf {
    let mut builder = tar::Builder::new(Vec::new());
    let mut append = |name: String, bytes: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, bytes).unwrap();
    };
    for (shade, (key, class)) in keys.iter().zip(classes).enumerate() {
        append(format!("{key}.jpg"), &picture(shade, ImageFormat::Jpeg));
        append(format!("{key}.cls"), class.as_bytes());
    }
    let path = scene.path(name);
    fs::write(&path, builder.into_inner().unwrap()).unwrap();
    path
}

fn label(scene: &Scene, data: &Path, out: &str, more: &[&str]) -> std::process::Output {
    let data = data.to_string_lossy();
    let mut flags = vec!["label", "--run", "a", "--device", "cpu", "--data", &data, "--out", out];
    for setting in LENIENT {
        flags.extend(["--set", setting]);
    }
    flags.extend(more);
    scene.run(&flags)
}

#[test]
fn train_and_label_say_what_they_pass_over() {
    let scene = Scene::new();
    let data = photos(&scene);
    let said = text(&scene.run(
        &scene.tiny("a", &["--data", &data, "--backbone", "small", "--set", "backbone.layers=[3,5]", "--verbose"]),
    ));
    assert!(said.contains(PASSED_OVER) && said.contains("passed over cat/3.heic"), "{said}");
    assert!(said.contains("5 images in 2 classes") && said.contains("1 of the images lie in folders"), "{said}");
    let log = fs::read_to_string(scene.path("runs/a/log.txt")).unwrap();
    assert!(log.contains(PASSED_OVER), "{log}");

    let said = text(&label(&scene, Path::new(&data), "folders", &[]));
    assert!(said.contains(PASSED_OVER), "{said}");
    let datasheet = fs::read_to_string(scene.path("folders/DATASHEET.md")).unwrap();
    assert!(datasheet.contains("4 passed over"), "{datasheet}");

    // Classes that are numbers, keys with dots, and two classes of one name.
    let keys = ["0a", "0b", "0.0003", "1a", "1b", "1.0003", "2a"];
    let tar = shard(&scene, "some.tar", &keys, &["0", "0", "0", "1", "1", "1", "2"]);
    let names = scene.path("names.txt").to_string_lossy().into_owned();
    fs::write(&names, "crane\ncrane\n").unwrap();
    let said = text(&label(&scene, &tar, "web", &["--class-names", &names]));
    assert!(said.contains("stay apart as `crane_0`, `crane_1`"), "{said}");
    assert!(said.contains("2 images with a dot in the key") && said.contains("--keys last-dot"), "{said}");
    assert!(said.contains("class number 2: has no name; write it on line 3 (its 1 images are left out)"), "{said}");
    assert!(said.contains("4 images of 2 classes in WebDataset shards"), "{said}");
    let said = text(&label(&scene, &tar, "dots", &["--class-names", &names, "--keys", "last-dot"]));
    assert!(said.contains("6 images of 2 classes in WebDataset shards"), "{said}");

    fs::write(&names, "a\n\nb\n").unwrap();
    let output = label(&scene, &tar, "blank", &["--class-names", &names]);
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(message.contains("names.txt:2: the line is empty"), "{message}");
    assert!(!scene.path("blank").exists());
}

/// The halves of a folder, of which one is learnt from and one scored on, have no image in common.
#[test]
fn readers_of_key_points_take_the_same_files_for_images() {
    let scene = Scene::new();
    let class = scene.path("data/cup");
    fs::create_dir_all(&class).unwrap();
    for (number, extension) in sc_imagenet::IMAGE_EXTENSIONS.iter().enumerate() {
        fs::write(class.join(format!("{number}.{extension}")), "").unwrap();
    }
    fs::write(class.join("x.heic"), "").unwrap();
    let found = eval::read_willow(&scene.path("data"), eval::Split::All).unwrap();
    let tree = sc_imagenet::ClassTree::walk(&scene.path("data")).unwrap();
    let names: Vec<String> =
        found.without_key_points.iter().map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect();
    assert_eq!(names, tree.classes()[0].files);
}

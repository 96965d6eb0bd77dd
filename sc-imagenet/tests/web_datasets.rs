//! Shards as people make them: keys with dots, tars joined by `cat`, samples that are not whole.

use std::fs;
use std::path::{Path, PathBuf};

use image::ImageFormat;
use sc_imagenet::{ImageSource, KeyEnd, PassedReason, SourceError, SourceOptions};
use tempfile::TempDir;

#[path = "made/tars.rs"]
mod made;
use made::{classes, header, picture, tar, tar_of_tars};

/// A tar of samples, each with the class in front of its key.
fn shard(keys: &[&str]) -> Vec<u8> {
    let image = picture(7, ImageFormat::Jpeg);
    let members: Vec<(String, Vec<u8>)> = keys
        .iter()
        .flat_map(|key| {
            let class = key.chars().next().unwrap().to_string().into_bytes();
            [(format!("{key}.jpg"), image.clone()), (format!("{key}.cls"), class)]
        })
        .collect();
    tar(&members.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect::<Vec<_>>())
}

fn file(bytes: &[u8]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("some.tar");
    fs::write(&path, bytes).unwrap();
    (folder, path)
}

fn read(path: &Path, keys: KeyEnd) -> Result<ImageSource, SourceError> {
    ImageSource::open_with(path, &SourceOptions { keys, ..SourceOptions::default() })
}

fn ids(source: &ImageSource) -> Vec<String> {
    (0..source.images().len()).map(|i| format!("{}/{}", source.class_name(i), source.images()[i].id())).collect()
}

fn count(source: &ImageSource, reason: &PassedReason) -> usize {
    source.passed_over().groups().iter().find(|group| group.reason == *reason).map_or(0, |group| group.count)
}

#[test]
fn keys_with_dots_are_told_and_read_where_they_are_asked_for() {
    let (_folder, path) = file(&shard(&["0a", "0.0003", "0.0004", "1a", "1.0003"]));
    let source = read(&path, KeyEnd::FirstDot).unwrap();
    assert_eq!(ids(&source), ["0/0a", "1/1a"]);
    let told = source.passed_over().to_string();
    let expected = "6 files passed over: 3 images with a dot in the key (WebDataset ends a key at the first dot; --keys \
                    last-dot ends it at the last), 3 .cls";
    assert_eq!(told, expected);
    assert!(source.passed_over().is_alarming());

    let source = read(&path, KeyEnd::LastDot).unwrap();
    assert_eq!(ids(&source), ["0/0.0003", "0/0.0004", "0/0a", "1/1.0003", "1/1a"]);
    assert!(source.passed_over().is_empty() && source.refused().is_empty());
    // The two readings are two builds.
    assert_ne!(source.listing_hash(), read(&path, KeyEnd::FirstDot).unwrap().listing_hash());
}

#[test]
fn a_shard_of_nothing_but_dotted_keys_says_why_it_holds_nothing() {
    let (_folder, path) = file(&shard(&["0/22.00_0", "0/22.01_0"]));
    let message = read(&path, KeyEnd::FirstDot).unwrap_err().to_string();
    assert!(message.contains("holds no image that can be used; 4 files passed over: 2 images with a dot"), "{message}");
    assert!(message.contains("--keys last-dot"), "{message}");
    assert_eq!(ids(&read(&path, KeyEnd::LastDot).unwrap()), ["0/22.00_0", "0/22.01_0"]);
}

/// Fields of several parts are WebDataset's own way to have more than one image a sample.
#[test]
fn fields_of_several_parts_are_counted_in_either_reading() {
    let image = picture(1, ImageFormat::Png);
    let members: &[(&str, &[u8])] =
        &[("1.jpg", &image), ("1.seg.png", &image), ("1.cls", b"cup"), ("1.meta.json", b"{}")];
    let (_folder, path) = file(&tar(members));
    let source = read(&path, KeyEnd::FirstDot).unwrap();
    assert_eq!(ids(&source), ["cup/1"]);
    assert_eq!((count(&source, &PassedReason::DottedKey), source.passed_over().count()), (1, 2));
    let source = read(&path, KeyEnd::LastDot).unwrap();
    assert_eq!(ids(&source), ["cup/1"]);
    assert_eq!(source.refused()[0].path, "some.tar: 1.seg");
    assert!(source.refused()[0].reason.contains("no `.cls`"), "{:?}", source.refused());
}

#[test]
fn tars_joined_one_behind_the_other_are_all_read() {
    let (a, b) = (shard(&["0a", "0b"]), shard(&["0c", "1a"]));
    let joined = [a.as_slice(), &[0; 10 * 1024], &b].concat();
    let lone_zero_block = [&a[..a.len() - 512], b.as_slice()].concat();
    let unpadded = [&a[..a.len() - 500], b.as_slice()].concat();
    let empty_first = [&[0; 1024], a.as_slice(), &b, &[0; 512]].concat();
    for bytes in [joined, lone_zero_block, unpadded, empty_first] {
        let (_folder, path) = file(&bytes);
        let source = read(&path, KeyEnd::FirstDot).unwrap();
        assert_eq!(ids(&source), ["0/0a", "0/0b", "0/0c", "1/1a"]);
        assert!(source.passed_over().is_empty(), "{}", source.passed_over());
        for image in 0..4 {
            assert!(source.decode(image, &Default::default()).is_ok());
        }
    }
}

#[test]
fn samples_of_one_key_in_two_joined_tars_are_two_samples() {
    let (_folder, path) = file(&[shard(&["0a", "0b"]), shard(&["0a", "1a"])].concat());
    let source = read(&path, KeyEnd::FirstDot).unwrap();
    assert_eq!(ids(&source), ["0/0a", "0/0b", "1/1a"]);
    assert!(source.refused()[0].reason.contains("has the id `0a`"), "{:?}", source.refused());
}

#[test]
fn what_is_behind_the_end_and_no_tar_is_told() {
    let a = shard(&["0a"]);
    for behind in [&b"\x1f\x8b\x08 a compressed tar"[..], &[7; 2000]] {
        let (_folder, path) = file(&[a.as_slice(), behind].concat());
        let source = read(&path, KeyEnd::FirstDot).unwrap();
        assert_eq!(ids(&source), ["0/0a"]);
        assert_eq!(count(&source, &PassedReason::BehindTheEnd), 1);
        assert_eq!(source.passed_over().groups()[0].named, [format!("some.tar: from byte {} on", a.len())]);
    }
    // A second tar that is cut short is an error, as a first one is.
    let (_folder, path) = file(&[a.as_slice(), &a[..700]].concat());
    let message = read(&path, KeyEnd::FirstDot).unwrap_err().to_string();
    assert!(message.contains(&format!("truncated: it ends at byte {}", a.len() + 700)), "{message}");
}

#[test]
fn joined_tars_of_tars_and_joined_class_tars_are_read() {
    let image = picture(1, ImageFormat::Jpeg);
    let (one, two) = (tar(&[("1.jpg", &image)]), tar(&[("2.jpg", &image), ("2.heic", b"x"), ("notes.txt", b"x")]));
    let class = [one.as_slice(), &two, b"rest"].concat();
    let bytes = [tar(&[("cup.tar", &class), ("README", b"x")]), tar(&[("lamp.tar", &one)])].concat();
    let (_folder, path) = file(&bytes);
    let source = read(&path, KeyEnd::FirstDot).unwrap();
    assert_eq!(ids(&source), ["cup/1", "cup/2", "lamp/1"]);
    let told = source.passed_over().to_string();
    assert!(
        told.starts_with("4 files passed over: 1 .heic (not read here: convert to JPEG), 1 run of bytes"),
        "{told}"
    );
    let (_folder, path) = file(&tar_of_tars(&classes()));
    assert!(read(&path, KeyEnd::FirstDot).unwrap().passed_over().is_empty());
}

#[test]
fn links_in_a_tar_are_told() {
    let image = picture(1, ImageFormat::Jpeg);
    let mut builder = tar::Builder::new(Vec::new());
    builder.append(&header(b"1.jpg", image.len()), image.as_slice()).unwrap();
    builder.append(&header(b"1.cls", 3), &b"cup"[..]).unwrap();
    for (name, kind) in [(b"2.jpg", tar::EntryType::Link), (b"2.cls", tar::EntryType::Symlink)] {
        let mut header = header(name, 0);
        header.set_entry_type(kind);
        header.as_old_mut().linkname[..5].copy_from_slice(b"1.jpg");
        header.set_cksum();
        builder.append(&header, &[][..]).unwrap();
    }
    let (_folder, path) = file(&builder.into_inner().unwrap());
    let source = read(&path, KeyEnd::FirstDot).unwrap();
    assert_eq!((ids(&source), count(&source, &PassedReason::LinkInTar)), (vec!["cup/1".to_owned()], 2));
}

#[test]
fn two_classes_under_one_key_are_refused() {
    let image = picture(1, ImageFormat::Jpeg);
    let members: &[(&str, &[u8])] =
        &[("1.jpg", &image), ("1.cls", b"a"), ("1.CLS", b"b"), ("2.jpg", &image), ("2.cls", b"a")];
    let (_folder, path) = file(&tar(members));
    let source = read(&path, KeyEnd::FirstDot).unwrap();
    assert_eq!(ids(&source), ["a/2"]);
    assert!(source.refused()[0].reason.contains("more than one `.cls`"), "{:?}", source.refused());
}

#[test]
fn numbers_that_are_no_line_are_refused_where_names_are_given() {
    let image = picture(1, ImageFormat::Jpeg);
    let members: &[(&str, &[u8])] = &[
        ("1.jpg", &image),
        ("1.cls", b"0\n"),
        ("2.jpg", &image),
        ("2.cls", b"-1"),
        ("3.jpg", &image),
        ("3.cls", b"1.0"),
        ("4.jpg", &image),
        ("4.cls", b"lamp"),
    ];
    let (_folder, path) = file(&tar(members));
    let source = ImageSource::open(&path, &["cup".to_owned()]).unwrap();
    assert_eq!(ids(&source), ["cup/1", "lamp/4"]);
    let reasons: Vec<&str> = source.refused().iter().map(|refused| refused.reason.as_str()).collect();
    assert_eq!(reasons[0], "is of class `-1`, which is no number of a line, from 0");
    assert_eq!(reasons.len(), 2);
}

#[test]
fn files_beside_shards_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.tar"), shard(&["0a"])).unwrap();
    fs::write(folder.path().join("B.TAR"), shard(&["0b"])).unwrap();
    fs::write(folder.path().join("c.tar.gz"), "compressed").unwrap();
    fs::write(folder.path().join(".d.tar"), "hidden").unwrap();
    let source = read(folder.path(), KeyEnd::FirstDot).unwrap();
    assert_eq!(ids(&source), ["0/0a", "0/0b"]);
    let told = source.passed_over().to_string();
    assert_eq!(
        told,
        "2 files passed over: 1 .gz (archives are not looked into: unpack them), 1 hidden or of the system"
    );
}

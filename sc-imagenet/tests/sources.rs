//! The same images in three forms are the same source.

use std::fs;
use std::path::{Path, PathBuf};

use image::ImageFormat;
use proptest::prelude::*;
use sc_imagenet::{DecodeLimits, ImageSource, SourceForm};
use tempfile::TempDir;

#[path = "made/tars.rs"]
mod made;
#[path = "../../xtask/tests/skips/mod.rs"]
mod skips;
use made::{Classes, classes, folders, picture, shards, tar, tar_of_tars};

/// Class, id and bytes of every image, in order.
fn listed(source: &ImageSource) -> Vec<(String, String, Vec<u8>)> {
    let limits = DecodeLimits::default();
    (0..source.images().len())
        .map(|image| {
            let bytes = source.read(image, &limits).unwrap();
            assert_eq!(source.find(source.class_name(image), source.images()[image].id()), Some(image));
            (source.class_name(image).to_owned(), source.images()[image].id().to_owned(), bytes)
        })
        .collect()
}

/// Class folders, a tar of tars and three shards in one folder.
fn three_forms(classes: &Classes) -> (TempDir, [PathBuf; 3]) {
    let root = tempfile::tempdir().unwrap();
    let paths = ["photos", "train.tar", "shards/shard-{000..002}.tar"].map(|name| root.path().join(name));
    folders(&paths[0], classes);
    fs::write(&paths[1], tar_of_tars(classes)).unwrap();
    fs::create_dir(root.path().join("shards")).unwrap();
    for (number, shard) in shards(classes, 3, |_, class| format!("{class}\n")).into_iter().enumerate() {
        fs::write(root.path().join(format!("shards/shard-{number:03}.tar")), shard).unwrap();
    }
    (root, paths)
}

fn open(path: &Path) -> ImageSource {
    ImageSource::open(path, &[]).unwrap()
}

#[test]
fn the_three_forms_have_the_same_images_in_the_same_order() {
    let (root, paths) = three_forms(&classes());
    let sources = paths.clone().map(|path| open(&path));
    let forms = sources.each_ref().map(ImageSource::form);
    assert_eq!(forms, [SourceForm::ClassFolders, SourceForm::TarOfTars, SourceForm::WebDataset]);

    let expected = listed(&sources[0]);
    let ids: Vec<String> = expected.iter().map(|(class, id, _)| format!("{class}/{id}")).collect();
    assert_eq!(ids[..3], ["cup/10", "cup/8", "cup/9"], "sorted by bytes");
    assert_eq!(ids.len(), 9);
    for source in &sources {
        assert_eq!(source.classes(), ["cup", "lamp", "n01440764"]);
        assert_eq!(source.images_of(1), 3..5);
        assert_eq!(listed(source), expected);
        assert_eq!(source.listing_hash(), sources[0].listing_hash());
        assert_eq!(source.refused(), []);
        assert_eq!(source.decode(0, &DecodeLimits::default()).unwrap().dimensions(), (24, 18));
    }
    assert_eq!(sources[0].file(0), Some(paths[0].join("cup/cup_10.JPEG")));
    assert_eq!(sources[1].file(0), None);
    assert_eq!(sources[1].describe(0), paths[1].join("cup.tar/cup_10.JPEG"));
    assert_eq!(sources[2].find("cup", "no"), None);

    // shards by their folder, and as many as there are
    assert_eq!(listed(&open(&root.path().join("shards"))), expected);
    assert_eq!(listed(&open(&root.path().join("shards/shard-{000..}.tar"))), expected);
    // tars left beside class folders do not count
    fs::write(paths[0].join("cup.tar"), "left over").unwrap();
    assert_eq!(listed(&open(&paths[0])), expected);
}

#[test]
fn classes_that_are_numbers_are_looked_up() {
    let classes = classes();
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("one.tar");
    fs::write(&path, &shards(&classes, 1, |number, _| number.to_string())[0]).unwrap();

    let names: Vec<String> = classes.iter().map(|(class, _)| class.clone()).collect();
    let source = ImageSource::open(&path, &names).unwrap();
    assert_eq!(source.classes(), ["cup", "lamp", "n01440764"]);
    assert_eq!(source.images()[0].id(), "10");

    let unnamed = ImageSource::open(&path, &[]).unwrap();
    assert_eq!(unnamed.classes(), ["0", "1", "2"]);
    let too_few = ImageSource::open(&path, &names[..2]).unwrap();
    let [refused] = too_few.refused() else { panic!("{:?}", too_few.refused()) };
    assert_eq!(refused.path, "class number 2");
    assert_eq!(refused.reason, "has no name; write it on line 3 (its 2 images are left out)");
}

#[test]
fn samples_that_are_not_whole_are_reported() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("shard.tar");
    let image = picture(1, ImageFormat::Png);
    let long = "x".repeat(5000);
    let members: &[(&str, &[u8])] = &[
        ("train/good.png", &image),
        ("train/good.json", b"{}"),
        ("train/good.cls", b" cup \n"),
        ("alone.png", &image),
        ("twice.jpg", &image),
        ("twice.png", &image),
        ("twice.cls", b"cup"),
        ("text.cls", b"cup"),
        ("._good.jpg", b"metadata of some system"),
        ("long.jpg", &image),
        ("long.cls", long.as_bytes()),
        ("bytes.webp", &image),
        ("bytes.cls", b"\xff"),
        ("a-b.png", &image),
        ("a-b.cls", b"cup"),
        ("1.png", &image),
        ("1.cls", b"x:y"),
        ("2.png", &image),
        ("2.cls", b"x:y"),
    ];
    fs::write(&path, tar(members)).unwrap();
    let source = ImageSource::open(&path, &[]).unwrap();
    assert_eq!((source.classes(), source.images().len()), (&["cup".to_owned(), "x~3Ay".to_owned()][..], 4));
    let ids: Vec<&str> = source.images().iter().map(|image| image.id()).collect();
    assert_eq!(
        (ids, source.original_classes()),
        (vec!["a~2Db", "good", "1", "2"], &["cup".to_owned(), "x:y".to_owned()][..])
    );
    let refused: Vec<String> =
        source.refused().iter().map(|image| format!("{} {}", image.path, image.reason)).collect();
    for (refused, expected) in refused.iter().zip([
        "shard.tar: alone has no `.cls`",
        "shard.tar: bytes has a `.cls` that is not UTF-8",
        "shard.tar: long has a `.cls` that is too long",
        "shard.tar: twice has more than one image",
    ]) {
        assert!(refused.starts_with(expected), "`{expected}` is not at the beginning of: {refused}");
    }
    assert_eq!(source.passed_over().to_string(), "3 files passed over: 1 .cls, 1 .json, 1 hidden or of the system");
    assert_eq!(refused.len(), 4);
}

#[test]
fn two_images_of_one_id_are_told_apart_from_one() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("cup")).unwrap();
    for name in ["cup_1.jpg", "1.jpg", "2.jpg", "2.png"] {
        fs::write(root.path().join("cup").join(name), picture(1, ImageFormat::Jpeg)).unwrap();
    }
    let source = open(root.path());
    let ids: Vec<&str> = source.images().iter().map(|image| image.id()).collect();
    assert_eq!(ids, ["1~2Ejpg", "2~2Ejpg", "2~2Epng", "cup_1~2Ejpg"]);
    assert_eq!(source.refused(), []);

    // One name twice, as a tar can have it.
    let image = picture(1, ImageFormat::Jpeg);
    fs::write(root.path().join("twice.tar"), tar(&[("cup.tar", &tar(&[("1.jpg", &image), ("1.jpg", &image)]))]))
        .unwrap();
    let source = open(&root.path().join("twice.tar"));
    assert_eq!(source.images().len(), 1);
    assert_eq!(source.refused()[0].reason, "has the id `1`, and so has `1.jpg`; rename one");
}

#[test]
fn long_names_are_read_in_both_notations() {
    let id = "y".repeat(105);
    let image = picture(3, ImageFormat::Jpeg);
    let root = tempfile::tempdir().unwrap();
    let gnu = tar(&[(&format!("{id}.JPEG"), &image)]);

    let mut pax = tar::Builder::new(Vec::new());
    let path = format!("folder/{id}.JPEG");
    pax.append_pax_extensions([("mtime", b"1.5".as_slice()), ("path", path.as_bytes())]).unwrap();
    pax.append(&made::header(b"cut short", image.len()), image.as_slice()).unwrap();
    for (name, inner) in [("gnu", gnu), ("pax", pax.into_inner().unwrap())] {
        let path = root.path().join(name);
        fs::write(&path, tar(&[("c.tar", &inner)])).unwrap();
        let source = open(&path);
        assert_eq!(source.images()[0].id(), id, "{name}");
        assert_eq!(source.read(0, &DecodeLimits::default()).unwrap(), image, "{name}");
    }
}

#[test]
fn what_is_no_source_is_refused_with_what_it_is() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("x.tar");
    for (content, expected) in [
        (&b""[..], "is empty; give a folder"),
        (b"\x1f\x8b\x08aaaa", "is compressed with gzip"),
        (b"PK\x03\x04", "is a zip"),
        (b"some text", "the tar is truncated: it ends at byte 9 in the middle of a header"),
        (&[b'x'; 2000], "the tar is damaged at byte 0"),
        (&tar(&[("readme.txt", b"x")]), "holds no image that can be used"),
        (&tar(&[("a.png", b"x")]), "1 refused, the first of them x.tar: a: has no `.cls`"),
    ] {
        fs::write(&path, content).unwrap();
        let message = ImageSource::open(&path, &[]).unwrap_err().to_string();
        assert!(message.starts_with(path.to_str().unwrap()) && message.contains(expected), "{message}");
    }
    let message = ImageSource::open(&root.path().join("none"), &[]).unwrap_err().to_string();
    assert!(message.contains("none: cannot be read"), "{message}");
    let message = ImageSource::open(&root.path().join("s-{0..1}.tar"), &[]).unwrap_err().to_string();
    assert!(message.contains("s-0.tar: cannot be read"), "{message}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Ids with dots come apart elsewhere in WebDataset's keys, so that there are none here.
    #[test]
    fn any_names_have_the_same_order_in_every_form(
        names in prop::collection::btree_map("[a-c_ ]{0,2}[a-c]", prop::collection::btree_set("[a-c_ 0-9]{0,2}[a-c]", 1..5), 1..4),
    ) {
        // white space in front is refused, alike in every form but for the message
        let classes: Classes = names
            .iter()
            .filter(|(class, _)| !class.starts_with(' '))
            .map(|(class, ids)| (class.clone(), ids.iter().map(|id| (id.clone(), id.clone().into_bytes())).collect()))
            .collect();
        prop_assume!(!classes.is_empty());
        let (_root, paths) = three_forms(&classes);
        let sources: Vec<_> = paths.iter().map(|path| ImageSource::open(path, &[]).ok()).collect();
        let found: Vec<_> = sources.iter().map(|source| source.as_ref().map(listed)).collect();
        prop_assert_eq!(&found[0], &found[1]);
        prop_assert_eq!(&found[0], &found[2]);
    }
}

#[test]
fn real_photographs_are_the_same_in_a_tar() {
    let Some(root) = skips::test_data("willow-object") else { return };
    let folders = open(&root);
    let classes: Classes = folders
        .classes()
        .iter()
        .enumerate()
        .map(|(class, name)| {
            let read = |image: usize| {
                (folders.images()[image].id().to_owned(), folders.read(image, &DecodeLimits::default()).unwrap())
            };
            (name.clone(), folders.images_of(class).map(read).collect())
        })
        .collect();
    let packed = tempfile::NamedTempFile::new().unwrap();
    fs::write(packed.path(), tar_of_tars(&classes)).unwrap();
    let packed = open(packed.path());
    assert_eq!(packed.images().len(), 232);
    assert_eq!(packed.listing_hash(), folders.listing_hash());
    for image in 0..232 {
        let limits = DecodeLimits::default();
        assert!(packed.read(image, &limits).unwrap() == folders.read(image, &limits).unwrap(), "image {image}");
    }
}

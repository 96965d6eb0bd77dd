//! The images of a data set: linked, copied, left out, and never outside of it.

use std::fs;
use std::path::Path;

use image::ImageFormat;
use sc_imagenet::{ImagePlacement, ImageSource, Record, Shard};

#[path = "made/data_set.rs"]
mod made;
#[path = "made/python.rs"]
mod python;
#[path = "../../xtask/tests/skips/mod.rs"]
mod skips;
#[path = "made/tars.rs"]
mod tars;
use made::{build_shard, merge_into, pair, snapshot, work};
use python::walk_with_python;

/// The source of the images that [`work`] labels, in the form of a tar of tars and of class folders.
fn sources(folder: &Path, images_a_class: u64) -> [ImageSource; 2] {
    let images = || (8..8 + images_a_class).map(|id| (id.to_string(), tars::picture(id as u8, ImageFormat::Jpeg)));
    let classes: tars::Classes =
        ["cup", "lamp"].into_iter().map(|class| (class.to_owned(), images().collect())).collect();
    let tar = folder.join("train.tar");
    fs::write(&tar, tars::tar_of_tars(&classes)).unwrap();
    tars::folders(&folder.join("photos"), &classes);
    [tar, folder.join("photos")].map(|path| ImageSource::open(&path, &[]).unwrap())
}

#[test]
fn images_are_linked_copied_or_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let [tar, photos] = sources(folder.path(), 4);
    let parts = [build_shard(folder.path(), Shard::WHOLE, &work(4))];
    let place = Path::new("SC-IMAGENET/JPEGImages/cup/cup_8.JPEG");

    let copied = folder.path().join("copied");
    merge_into(&copied, &parts, ImagePlacement::Copy(&tar)).unwrap();
    assert_eq!(fs::read(copied.join(place)).unwrap(), tars::picture(8, ImageFormat::Jpeg));
    let also_copied = folder.path().join("also copied");
    merge_into(&also_copied, &parts, ImagePlacement::Copy(&photos)).unwrap();
    assert_eq!(snapshot(&also_copied), snapshot(&copied));

    let linked = folder.path().join("linked");
    merge_into(&linked, &parts, ImagePlacement::Link(&photos)).unwrap();
    assert_eq!(fs::read_link(linked.join(place)).unwrap(), folder.path().join("photos/cup/cup_8.JPEG"));
    assert_eq!(fs::read(linked.join(place)).unwrap(), tars::picture(8, ImageFormat::Jpeg));
    let message = merge_into(&linked, &parts, ImagePlacement::Link(&tar)).unwrap_err().to_string();
    assert!(
        message.contains("cup.tar/cup_") && message.contains("lies in a tar, to which no link can point"),
        "{message}"
    );
    // copies take the place of links, and do not write through them
    merge_into(&linked, &parts, ImagePlacement::Copy(&tar)).unwrap();
    assert_eq!(snapshot(&linked), snapshot(&copied));

    let left_out = folder.path().join("left out");
    merge_into(&left_out, &parts, ImagePlacement::LeaveOut).unwrap();
    assert!(!left_out.join("SC-IMAGENET/JPEGImages").exists());
    for (out, more) in [(&copied, &[][..]), (&linked, &[]), (&left_out, &["--images-left-out"])] {
        if let Some(walked) = walk_with_python(out, more) {
            assert_eq!(walked.unwrap(), "9 pairs in trn, 3 in val, 18 key points, 2 classes\n");
        }
    }
    if let Some(walked) = walk_with_python(&left_out, &[]) {
        assert!(walked.unwrap_err().contains("JPEGImages"));
    }

    let [few, _] = sources(folder.path(), 2);
    let message = merge_into(&left_out, &parts, ImagePlacement::Copy(&few)).unwrap_err().to_string();
    assert!(message.contains("is not in the source of images"), "{message}");
}

#[test]
fn nothing_is_written_outside_the_output_folder() {
    let folder = tempfile::tempdir().unwrap();
    let image = tars::picture(1, ImageFormat::Jpeg);
    let inner = tars::tar(&[("../x.jpg", &image), ("/x.jpg", &image), ("8.jpg", &image), ("9.jpg", &image)]);
    fs::write(folder.path().join("train.tar"), tars::tar(&[("../cup.tar", &inner), ("cup.tar", &inner)])).unwrap();
    let source = ImageSource::open(&folder.path().join("train.tar"), &[]).unwrap();
    assert_eq!((source.images().len(), source.refused().len()), (2, 3));

    let out = folder.path().join("deep/out");
    let records = [Record::Pairs { source: 0, pairs: vec![pair(0, "cup", "8", "9")] }];
    let parts = [build_shard(&out, Shard::WHOLE, &[records.to_vec()])];
    merge_into(&out, &parts, ImagePlacement::Copy(&source)).unwrap();
    let names = |folder: &Path| {
        let mut names: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    assert_eq!(names(folder.path()), ["deep", "train.tar"]);
    assert_eq!(names(&folder.path().join("deep")), ["out"]);
    assert_eq!(names(&out), ["DATASHEET.md", "SC-IMAGENET", "SC-ImageNet", "build.json", "index", "parts"]);
    assert_eq!(names(&out.join("SC-IMAGENET/JPEGImages/cup")), ["cup_8.JPEG", "cup_9.JPEG"]);
}

/// Whoever has ImageNet's images links `JPEGImages` to them, and a later merge must not put anything in their place.
#[cfg(unix)]
#[test]
fn images_behind_a_link_are_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let [tar, photos] = sources(folder.path(), 4);
    let parts = [build_shard(folder.path(), Shard::WHOLE, &work(4))];
    let before = snapshot(&folder.path().join("photos"));
    for within in ["", "cup"] {
        let out = folder.path().join(format!("out {within}"));
        merge_into(&out, &parts, ImagePlacement::LeaveOut).unwrap();
        let link = out.join("SC-IMAGENET/JPEGImages").join(within);
        let link = if within.is_empty() { out.join("SC-IMAGENET/JPEGImages") } else { link };
        fs::create_dir_all(link.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(folder.path().join("photos").join(within), &link).unwrap();
        for placement in [ImagePlacement::Link(&photos), ImagePlacement::Copy(&tar)] {
            let message = merge_into(&out, &parts, placement).unwrap_err().to_string();
            assert!(message.starts_with(link.to_str().unwrap()) && message.contains("remove the link"), "{message}");
            assert_eq!(snapshot(&folder.path().join("photos")), before);
        }
        merge_into(&out, &parts, ImagePlacement::LeaveOut).unwrap();
    }
}

#[test]
fn a_data_set_whose_images_are_the_source_keeps_them() {
    let folder = tempfile::tempdir().unwrap();
    let [_, photos] = sources(folder.path(), 4);
    let parts = [build_shard(folder.path(), Shard::WHOLE, &work(4))];
    let out = folder.path().join("out");
    merge_into(&out, &parts, ImagePlacement::Copy(&photos)).unwrap();
    let before = snapshot(&out);
    let own = ImageSource::open(&out.join("SC-IMAGENET/JPEGImages"), &[]).unwrap();
    for placement in [ImagePlacement::Link(&own), ImagePlacement::Copy(&own)] {
        merge_into(&out, &parts, placement).unwrap();
        assert_eq!(snapshot(&out), before);
    }
}

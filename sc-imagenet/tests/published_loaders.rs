//! The published loaders read every pair, whatever images are called and wherever boxes lie.

use std::fs;
use std::path::Path;

use image::ImageFormat;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sc_imagenet::{ImagePlacement, ImageSource, JudgedImage, LabelledPair, LayoutWriter, PairSide};

#[path = "made/data_set.rs"]
mod made;
#[path = "made/python.rs"]
mod python;
#[path = "../../xtask/tests/skips/mod.rs"]
mod skips;
#[path = "made/tars.rs"]
mod tars;
use made::{MAX_POINTS, facts, identity, pair};
use python::{run_script, walk_with_python};

/// Class folders whose names, and whose images' names, come apart, mean something to a pattern, or differ by little.
fn odd_photos(root: &Path) -> ImageSource {
    let long = "ä".repeat(115);
    let classes = ["n02085620-Chihuahua", "a:b", " outer ", "größe", "Case", "case", "[ab]*"];
    let files =
        ["IMG-20200101-WA0001.jpg", "img-20200101-wa0001.jpg", "a.jpg", "a.png", "what?.jpg", "~2D.jpg", "_.jpg"];
    for class in classes {
        fs::create_dir_all(root.join(class)).unwrap();
        for file in files.iter().map(|file| (*file).to_owned()).chain([format!("{long}.jpg"), format!("{class}_1.jpg")])
        {
            let format = if file.ends_with("png") { ImageFormat::Png } else { ImageFormat::Jpeg };
            fs::write(root.join(class).join(file), tars::picture(9, format)).unwrap();
        }
    }
    ImageSource::open(root, &[]).unwrap()
}

/// A side of images of 24 × 18 pixels with a box as a matcher has it, which may touch the edges or be less than a pixel.
fn side(image: &str, points: usize, rng: &mut ChaCha8Rng) -> PairSide {
    let range = |rng: &mut ChaCha8Rng, last: f32| {
        let from = rng.random_range(-0.2..last - 0.3).max(0.0);
        (from, (from + rng.random_range(0.1..1.3) * last).min(last).max(from + 0.1))
    };
    let ((left, right), (top, bottom)) = (range(rng, 23.0), range(rng, 17.0));
    let points = (0..points).map(|_| [rng.random_range(0.0..=23.0), rng.random_range(0.0..=17.0)]).collect();
    PairSide { image: image.to_owned(), points, object_box: [left, top, right, bottom], size: Some([24, 18]) }
}

fn write(source: &ImageSource, out: &Path) -> usize {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let mut pairs: Vec<LabelledPair> = Vec::new();
    for (class, name) in source.classes().iter().enumerate() {
        let images = source.images_of(class);
        for image in images.clone() {
            let other = if image + 1 < images.end { image + 1 } else { images.start };
            let [from, to] = [image, other].map(|image| source.images()[image].id());
            let pair = pair(pairs.len() as u64, name, from, to);
            let points = pair.source.points.len();
            let [source, target] = [from, to].map(|id| side(id, points, &mut rng));
            pairs.push(LabelledPair { source, target, ..pair });
        }
    }
    let mut writer = LayoutWriter::begin(out, &identity(), ImagePlacement::Link(source), MAX_POINTS).unwrap();
    writer.write_pairs(&pairs).unwrap();
    for image in 0..source.images().len() {
        let judged = made::image(image as u64, source.class_name(image), source.images()[image].id());
        writer.write_image(&JudgedImage { origin: Some(source.origin(image, None)), ..judged }).unwrap();
    }
    writer.finish(&facts()).unwrap();
    pairs.len()
}

#[test]
fn every_pair_is_read_as_the_published_loaders_do() {
    let folder = tempfile::tempdir().unwrap();
    let source = odd_photos(&folder.path().join("photos"));
    assert_eq!(source.refused(), []);
    let out = folder.path().join("out");
    let pairs = write(&source, &out);
    assert_eq!(pairs, source.images().len());
    if cfg!(target_os = "linux") {
        assert_eq!(pairs, 7 * 9, "no image is left out");
    }
    for walked in [run_script("published_loaders.py", &out, &[]), walk_with_python(&out, &[])] {
        let Some(walked) = walked else { return };
        assert!(walked.as_ref().is_ok_and(|text| text.contains("pairs")), "{walked:?}");
    }
    assert_eq!(run_script("published_loaders.py", &out, &[]), Some(Ok(format!("{pairs} pairs\n"))));

    // Every original name is in the index, and renamed ones are in the datasheet.
    let index = sc_imagenet::read_image_index(&out.join("index/images.parquet")).unwrap();
    for image in index.map(Result::unwrap) {
        let origin = image.origin.unwrap();
        assert!(folder.path().join("photos").join(&origin.class).join(&origin.name).is_file(), "{origin:?}");
    }
    let text = fs::read_to_string(out.join("DATASHEET.md")).unwrap();
    for line in ["| n02085620~2DChihuahua | n02085620-Chihuahua |", "| ~43ase | Case |"] {
        assert!(text.contains(line) || cfg!(not(target_os = "linux")), "{text}");
    }
}

#[test]
fn the_script_finds_what_ends_a_training() {
    let folder = tempfile::tempdir().unwrap();
    tars::folders(&folder.path().join("photos"), &tars::classes());
    let source = ImageSource::open(&folder.path().join("photos"), &[]).unwrap();
    let out = folder.path().join("out");
    write(&source, &out);
    let name = format!("000000-{}-{}:cup.json", source.images()[0].id(), source.images()[1].id());
    let annotation = out.join("SC-IMAGENET/PairAnnotation/trn").join(name);
    let good = fs::read_to_string(&annotation).unwrap();
    let at = good.find("\"src_bndbox\":[").unwrap() + "\"src_bndbox\":[".len();
    fs::write(&annotation, format!("{}0.5,0.5,9.5,9.5],\"was\":[{}", &good[..at], &good[at..])).unwrap();
    let Some(complaint) = run_script("published_loaders.py", &out, &[]) else { return };
    assert!(complaint.unwrap_err().contains("randint"), "a fractional box is no box for random.randint");
}

#[cfg(unix)]
#[test]
fn the_other_spelling_is_a_link_that_replaces_nothing() {
    let folder = tempfile::tempdir().unwrap();
    tars::folders(&folder.path().join("photos"), &tars::classes());
    let source = ImageSource::open(&folder.path().join("photos"), &[]).unwrap();
    let out = folder.path().join("out");
    write(&source, &out);
    let link = out.join("SC-ImageNet");
    assert_eq!(fs::read_link(&link).unwrap(), Path::new("SC-IMAGENET"));
    // Again, and where somebody has linked it otherwise, as one has to with data sets of before.
    write(&source, &out);
    fs::remove_file(&link).unwrap();
    std::os::unix::fs::symlink(out.join("SC-IMAGENET"), &link).unwrap();
    write(&source, &out);
    assert_eq!(fs::read_link(&link).unwrap(), out.join("SC-IMAGENET"));

    // The published data set, beside which ours is to be written.
    fs::remove_file(&link).unwrap();
    fs::create_dir(&link).unwrap();
    fs::write(link.join("mine"), "mine").unwrap();
    let message = LayoutWriter::begin(&out, &identity(), ImagePlacement::LeaveOut, MAX_POINTS).map(drop).unwrap_err();
    assert!(message.to_string().contains("holds a `SC-ImageNet` that no build of this program made"), "{message}");
    assert_eq!(fs::read_to_string(link.join("mine")).unwrap(), "mine");
}

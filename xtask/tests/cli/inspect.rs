//! Inspecting a data set of labels: counts, a gallery, and labels held against key points.

use std::path::{Path, PathBuf};

use image::{Rgb, RgbImage};
use sc_imagenet::{
    BuildIdentity, DatasheetFacts, ImagePlacement, ImageRejection, ImageSource, JudgedImage, LabelledPair,
    LayoutWriter, PairDifficulty, PairSide, Split,
};
use serde_json::{Value, json};

use crate::support::Scene;

/// The key points of the images of 100 × 80 pixels: the tight box is 60 pixels wide, so that .10 of it are 6 pixels.
const POINTS: [[f32; 2]; 3] = [[20.0, 20.0], [80.0, 20.0], [50.0, 60.0]];
/// `c` is twice as large, and so is everything on it.
const LARGER: f32 = 2.0;

/// Class folders `photos/Duck/{a,b,c,d}.png`, of which `d` shows nothing and has no key points.
pub fn photos(scene: &Scene) -> PathBuf {
    let folder = scene.path("photos");
    std::fs::create_dir_all(folder.join("Duck")).unwrap();
    for (id, scale) in [("a", 1.0), ("b", 1.0), ("c", LARGER), ("d", 1.0)] {
        let (width, height) = ((100.0 * scale) as u32, (80.0 * scale) as u32);
        let picture = RgbImage::from_fn(width, height, |x, y| Rgb([x as u8, y as u8, 90]));
        let path = folder.join("Duck").join(format!("{id}.png"));
        picture.save(&path).unwrap();
        if id != "d" {
            let points = POINTS.map(|point| Some(point.map(|x| x * scale)));
            eval::write_key_points(&path.with_extension("mat"), &points).unwrap();
        }
    }
    folder
}

/// A pair whose labels are at `sources`, and say `targets`.
fn pair(number: u64, source: &str, target: &str, labels: &[([f32; 2], [f32; 2], f32)]) -> LabelledPair {
    let side = |id: &str, points: Vec<[f32; 2]>| {
        let scale = if id == "c" { 2 } else { 1 };
        let [right, bottom] = [90 * scale, 70 * scale].map(|side| side as f32);
        PairSide {
            image: id.to_owned(),
            points,
            object_box: [10.0, 10.0, right, bottom],
            size: Some([100 * scale, 80 * scale]),
        }
    };
    LabelledPair {
        number,
        split: if number == 0 { Split::Train } else { Split::Validation },
        category: "Duck".to_owned(),
        source: side(source, labels.iter().map(|label| label.0).collect()),
        target: side(target, labels.iter().map(|label| label.1).collect()),
        confidences: labels.iter().map(|label| label.2).collect(),
        cycle_errors: vec![1.5; labels.len()],
        agreements: Vec::new(),
        difficulty: PairDifficulty::default(),
    }
}

/// Labels `labels/`:
/// a → b: the first point exactly; beside the second (3 pixels) and as far beside it there; the third 8 pixels off, wrong
/// at .10 and right at .15.
/// a → c: beside the first by 4 pixels, and so beside it by 8 in the larger image; another one 5.1 pixels below the
/// second, which is more than a cell of 5 × 4 pixels away.
pub fn labels(scene: &Scene, photos: &Path, settings: &Value) -> PathBuf {
    let out = scene.path("labels");
    let source = ImageSource::open(photos, &[]).unwrap();
    let identity = BuildIdentity::new("c0ffee", settings);
    let mut writer = LayoutWriter::begin(&out, &identity, ImagePlacement::Copy(&source), 40).unwrap();
    let to_b =
        [([20.0, 20.0], [20.0, 20.0], 0.95), ([77.0, 20.0], [77.0, 20.0], 0.85), ([50.0, 60.0], [58.0, 60.0], 0.15)];
    let to_c = [([24.0, 20.0], [48.0, 40.0], 0.75), ([80.0, 25.1], [160.0, 50.2], 0.05)];
    writer.write_pairs(&[pair(0, "a", "b", &to_b), pair(1, "a", "c", &to_c)]).unwrap();
    for (number, id) in (0..).zip(["a", "b", "c", "d"]) {
        let rejection = (id == "d").then(|| ImageRejection {
            reason: "few discriminative cells".to_owned(),
            detail: "2 of <at least> 9".to_owned(),
            threshold: None,
        });
        let image = JudgedImage {
            number,
            class: "Duck".to_owned(),
            id: id.to_owned(),
            score: rejection.is_none().then_some(0.5),
            rejection,
            discriminative_cells: 2 + number as u32,
            blocks: 3,
            object_box: Some([10.0, 10.0, 90.0, 70.0]),
            size: Some(if id == "c" { [200, 160] } else { [100, 80] }),
            origin: None,
        };
        writer.write_image(&image).unwrap();
    }
    writer.finish(&DatasheetFacts::default()).unwrap();
    out
}

/// A scene with photos and labels, and `--against` what is annotated on the photos.
fn scene() -> (Scene, String) {
    let scene = Scene::new();
    let folder = photos(&scene);
    labels(&scene, &folder, &json!({"seed": 7}));
    (scene, "willow=photos:all".to_owned())
}

fn inspect(scene: &Scene, flags: &[&str]) -> Value {
    serde_json::from_str(&scene.succeed(&[&["inspect", "labels", "--json"], flags].concat())).unwrap()
}

#[test]
fn inspect_counts_what_there_is() {
    let (scene, _) = scene();
    let report = inspect(&scene, &["--no-html"]);
    assert!(!scene.path("labels/inspect.html").exists());
    let counted = &report["statistics"];
    assert_eq!([&counted["judged"], &counted["kept"], &counted["rejected"]], [4, 3, 1].map(Value::from).each_ref());
    assert_eq!(counted["rejections"], json!({"few discriminative cells": 1}));
    assert_eq!((&counted["pairs"], &counted["points"]), (&json!({"trn": 1, "val": 1}), &json!(5)));
    assert_eq!(counted["pairs_by_points"], json!({"2": 1, "3": 1}));
    assert_eq!((&counted["points_a_pair"], &counted["mean_cycle_error"]), (&json!(2.5), &json!(1.5)));
    assert_eq!(counted["confidence_histogram"], json!([1, 1, 0, 0, 0, 0, 0, 1, 1, 1]));
    assert_eq!(counted["classes"]["Duck"]["kept"], 3);
    assert!(report.get("against").is_none());

    let text = scene.succeed(&["inspect", "labels", "--no-html"]);
    assert!(text.contains("images judged") && text.contains("few discriminative cells"), "{text}");
}

#[test]
fn inspect_knows_which_labels_are_right() {
    let (scene, against) = scene();
    let report = inspect(&scene, &["--against", &against]);
    let checked = &report["against"];
    let all = &checked["all"];
    // Six key points of two pairs; four have a label within a cell, as the one 5.1 pixels below is too far away.
    assert_eq!((&checked["pairs"], &all["points"], &all["labelled"]), (&json!(2), &json!(6), &json!(4)));
    // The box is 60 pixels wide in b, and 120 in c: 8 pixels are right at .15 alone.
    assert_eq!(all["right"], json!([3, 3, 4]));
    // Where they stand, the second is 3 pixels off in b (right at .05), the one in c 8 pixels (right at .10 of 120).
    assert_eq!(all["right_unmoved"], json!([2, 3, 4]));
    assert_eq!(checked["classes"]["Duck"]["right"], all["right"]);
    assert_eq!(checked["alphas"], json!([0.05, 0.1, 0.15]));
    assert_eq!(all["precision"][1], 0.75);
    assert_eq!(checked["protocol"], "frame=original,length=bbox-kp,direction=forward,average=point");

    // The surest three are right, the last is not; mean confidences are off by .05, .15, .25 and .15.
    let kept = checked["kept"].as_array().unwrap();
    let precision: Vec<f64> = kept.iter().map(|point| point["precision"].as_f64().unwrap()).collect();
    assert_eq!(precision, [1.0, 1.0, 1.0, 0.75]);
    let error = checked["expected_calibration_error"].as_f64().unwrap();
    assert!((error - 0.15).abs() < 1e-6, "{error}");

    // In cells of 10 × 8 pixels, the label below the second point belongs to it too, and is right.
    let coarse = inspect(&scene, &["--no-html", "--against", &against, "--cells", "10"]);
    assert_eq!(coarse["against"]["all"]["labelled"], 5);
    assert_eq!(coarse["against"]["all"]["right"], json!([4, 4, 5]));

    let html = std::fs::read_to_string(scene.path("labels/inspect.html")).unwrap();
    assert!(html.contains("id=\"checked\"") && html.matches("class=\"chart\"").count() == 2);
}

#[test]
fn inspect_shows_pairs_and_images() {
    let (scene, _) = scene();
    scene.succeed(&["inspect", "labels", "--data", "photos"]);
    let path = scene.path("labels/inspect.html");
    let html = std::fs::read_to_string(&path).unwrap();
    assert!(html.contains("000000-a-b:Duck (trn)") && html.contains("000001-a-c:Duck (val)"));
    assert!(html.contains("few discriminative cells: 2 of &lt;at least&gt; 9") && !html.contains("<at least>"));
    assert_eq!(html.matches("<details class=\"pair\"").count(), 2);
    assert_eq!(html.matches("<figure class=\"single kept\"").count(), 3);
    assert_eq!(html.matches("<figure class=\"single rejected\"").count(), 1);
    // Two small and two large images a pair, and four single ones.
    assert_eq!(html.matches("data:image/jpeg;base64,").count(), 2 * 4 + 4);

    // The same again, byte for byte; without the source, the rejected image is not to be had.
    scene.succeed(&["inspect", "labels", "--data", "photos", "--html", "again.html"]);
    assert_eq!(std::fs::read_to_string(scene.path("again.html")).unwrap(), html);
    scene.succeed(&["inspect", "labels", "--pairs", "1", "--images", "2", "--html", "less.html"]);
    let less = std::fs::read_to_string(scene.path("less.html")).unwrap();
    assert_eq!(
        (less.matches("<details class=\"pair\"").count(), less.matches("<figure class=\"single").count()),
        (1, 2)
    );
    assert!(less.contains("Not shown: the data set holds no image Duck/d; give the images"), "--data is not asked for");
}

#[test]
fn inspect_reads_a_data_set_without_an_index() {
    let (scene, _) = scene();
    std::fs::remove_dir_all(scene.path("labels/index")).unwrap();
    let report = inspect(&scene, &[]);
    assert_eq!((&report["statistics"]["indexed"], &report["statistics"]["points"]), (&json!(false), &json!(5)));
    let html = std::fs::read_to_string(scene.path("labels/inspect.html")).unwrap();
    assert!(html.contains("There is no index of images") && html.contains("<figure class=\"single kept\""));
}

#[test]
fn inspect_fits_a_calibrator_that_is_read_back() {
    let (scene, against) = scene();
    for kind in ["isotonic", "platt"] {
        let file = format!("{kind}.json");
        let flags = ["--no-html", "--against", &against, "--fit-calibrator", &file, "--kind", kind];
        inspect(&scene, &flags);
        let fitted: Value = serde_json::from_slice(&std::fs::read(scene.path(&file)).unwrap()).unwrap();
        assert_eq!(fitted["method"], kind);
    }
    // Wrong at .15, right from .75 on: a step.
    let fitted: Value = serde_json::from_slice(&std::fs::read(scene.path("isotonic.json")).unwrap()).unwrap();
    let shares: Vec<f64> = fitted["knots"].as_array().unwrap().iter().map(|knot| knot[1].as_f64().unwrap()).collect();
    assert_eq!(shares, [0.0, 1.0, 1.0]);
}

#[test]
fn inspect_refuses_what_it_cannot_use() {
    let (scene, against) = scene();
    let fail = |flags: &[&str]| scene.fail(&[&["inspect"], flags].concat());
    let message = fail(&["nowhere"]);
    assert!(message.contains("nowhere"), "{message}");
    let message = fail(&["labels", "--data", "nothing"]);
    assert!(message.contains("nothing"), "{message}");
    let message = fail(&["labels", "--against", "willow=missing"]);
    assert!(message.contains("missing"), "{message}");

    // Key points of other images.
    std::fs::rename(scene.path("photos/Duck"), scene.path("photos/Goose")).unwrap();
    let message = fail(&["labels", "--no-html", "--against", &against]);
    assert!(message.contains("Goose/a there and Duck/a here"), "{message}");
    std::fs::rename(scene.path("photos/Goose"), scene.path("photos/Duck")).unwrap();

    // Confidences that are calibrated already.
    std::fs::remove_dir_all(scene.path("labels")).unwrap();
    labels(&scene, &scene.path("photos"), &json!({"calibrator": {"method": "platt", "slope": 1.0}}));
    let message = fail(&["labels", "--no-html", "--against", &against, "--fit-calibrator", "fit.json"]);
    assert!(message.contains("calibrated already") && !scene.path("fit.json").exists(), "{message}");

    let damaged = scene.path("labels/SC-IMAGENET/PairAnnotation/trn/000000-a-b:Duck.json");
    std::fs::write(&damaged, "{}").unwrap();
    let message = fail(&["labels", "--no-html"]);
    assert!(message.contains("000000-a-b:Duck.json") && message.contains("src_kps"), "{message}");
}

//! Annotations that are odd: what `score` says of them, beside the score or instead of it.

use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, ImageEncoder, RgbImage};
use serde_json::{Value, json};

use crate::support::Scene;

/// A table of one pair: a photo of 48 x 30 pixels that is stored turned (EXIF orientation 6), and the same upright.
fn table(scene: &Scene, source_points: &str, more: &str) -> String {
    let mut exif = b"II*\0\x08\0\0\0\x01\0".to_vec();
    exif.extend([0x12, 0x01, 3, 0, 1, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0]);
    let mut encoder = JpegEncoder::new(std::fs::File::create(scene.path("a.jpg")).unwrap());
    encoder.set_exif_metadata(exif).unwrap();
    encoder.write_image(&RgbImage::new(30, 48), 30, 48, ExtendedColorType::Rgb8).unwrap();
    RgbImage::new(48, 30).save(scene.path("b.jpg")).unwrap();
    let path = scene.path("pairs.jsonl");
    let row = format!(
        r#"{{"class": "c", "source_image": "a.jpg", "target_image": "b.jpg", "source_points": {source_points},
        "target_points": [[10, 8], [38, 7]]{more}}}"#
    );
    std::fs::write(&path, row.replace('\n', " ")).unwrap();
    path.to_string_lossy().into_owned()
}

/// The points asked of the source, and what is printed and told of right answers.
fn scored(scene: &Scene, data: &str, flags: &[&str]) -> (Value, Value, String) {
    let [asked, answers] = ["asked.jsonl", "answers.jsonl"].map(|name| scene.path(name).to_string_lossy().into_owned());
    let of_table = ["score", "--benchmark", "table", "--data", data];
    scene.succeed(&[&of_table[..], flags, &["--asked", &asked]].concat());
    let pair: Value = serde_json::from_str(&std::fs::read_to_string(&asked).unwrap()).unwrap();
    std::fs::write(&answers, json!({ "pair": pair["pair"], "points": [[10, 8], [38, 7]] }).to_string()).unwrap();
    let flags = [&of_table[..], flags, &["--predictions", &answers]].concat();
    let table = scene.succeed(&flags);
    let output = scene.run(&[&flags[..], &["--json"]].concat());
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    for (kind, found) in report["counts"].as_object().into_iter().flatten() {
        assert!(table.contains(&format!("{} ", found["count"])), "{kind} is not in {table}");
    }
    (pair["points"].clone(), report, String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn a_turned_photo_is_told_of_and_its_points_may_be_in_either_frame() {
    let scene = Scene::new();
    let shown = json!([[10.0, 8.0], [38.0, 7.0]]);
    // The same points in the pixels as stored: (y, 47 − x).
    let (as_shown, as_stored) = ("[[10, 8], [38, 7]]", "[[8, 37], [7, 9]]");
    for (points, more, flags, kind) in [
        (as_shown, "", &[][..], "turned_taken_as_shown"),
        (as_stored, r#", "frame": "stored""#, &[], "turned_taken_as_stored"),
        (as_stored, "", &["--annotated-in", "stored"], "turned_taken_as_stored"),
    ] {
        let data = table(&scene, points, more);
        let (asked, report, told) = scored(&scene, &data, flags);
        assert_eq!(asked, shown, "{more} {flags:?}");
        assert_eq!(report["rows"][0]["pck"], 100.0);
        assert_eq!(report["counts"][kind]["count"], 1, "{report}");
        assert!(told.contains("WARN") && told.contains("a.jpg (orientation 6)"), "{told}");
    }
    // Who does not say it is told what was taken for granted.
    let data = table(&scene, as_stored, "");
    let (asked, report, _) = scored(&scene, &data, &[]);
    assert_eq!(asked, json!([[8.0, 37.0], [7.0, 9.0]]));
    assert_eq!(report["counts"]["turned_taken_as_shown"]["count"], 1);
    assert_eq!(report["counts"]["points_outside"]["count"], 1);
}

#[test]
fn what_cannot_be_meant_ends_the_command() {
    let scene = Scene::new();
    let points = "[[10, 8], [38, 7]]";
    for (points, more, said) in [
        (points, r#", "target_size": [30, 48]"#, "b.jpg is 48 x 30; width and height are exchanged"),
        (points, r#", "source_size": [30, 48]"#, "EXIF orientation 6"),
        ("[[10, 8], [999, 999]]", "", "pairs.jsonl:1: `source_points[1]` is [999.0, 999.0]"),
        (points, r#", "target_box": [40, 8, 10, 20]"#, "pairs.jsonl:1: target_box is [40, 8, 10, 20]"),
        (points, r#", "frame": "upright""#, "expected `shown` or `stored`"),
    ] {
        let data = table(&scene, points, more);
        let message = scene.fail(&["score", "--benchmark", "table", "--data", &data, "--asked", "asked.jsonl"]);
        assert!(message.contains("pairs.jsonl:1") && message.contains(said), "{message}");
        assert!(!scene.path("asked.jsonl").exists(), "nothing is written");
    }
    let data = table(&scene, points, "");
    let output = scene.run(&["score", "--benchmark", "table", "--data", &data, "--annotated-in", "sideways"]);
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{message}");
    assert!(message.contains("expected shown or stored"), "{message}");
}

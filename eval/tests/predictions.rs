//! The cache of predictions: goes on where it was cut, and refuses what is not its own.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;

use eval::{CacheKey, CachedPrediction, Prediction, PredictionCache, PredictionsError};

fn key(weights: &str) -> CacheKey {
    CacheKey::from([("weights".to_owned(), weights.to_owned()), ("data".to_owned(), "d0".to_owned())])
}

fn prediction(pair: &str, method: &str, points: Vec<[f32; 2]>) -> Prediction {
    Prediction { pair: pair.to_owned(), method: method.to_owned(), points, confidence: None, unshared_confidence: None }
}

/// A prediction for a pair of the images `of`, asked at one point after the other on a line.
fn cached(of: &str, prediction: Prediction) -> CachedPrediction {
    let asked = (0..prediction.points.len()).map(|index| [index as f32, 0.5]).collect();
    CachedPrediction { prediction, images: of.to_owned(), asked, asked_unshared: Vec::new() }
}

fn fill(path: &Path, count: usize) {
    let mut cache = PredictionCache::open(path, &key("w0")).unwrap();
    for index in 0..count {
        cache.insert(numbered(index)).unwrap();
    }
}

fn numbered(index: usize) -> CachedPrediction {
    cached("i0", prediction(&format!("Duck/a--{index}"), "raw", vec![[index as f32, 0.1]]))
}

#[test]
fn keeps_what_was_put_in() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("predictions.jsonl");
    let mut sure = prediction("Duck/a--b", "raw", vec![[1.5, f32::NAN], [0.1, f32::INFINITY]]);
    sure.confidence = Some(vec![0.5, 1.0]);
    {
        let mut cache = PredictionCache::open(&path, &key("w0")).unwrap();
        assert!(cache.is_empty());
        cache.insert(cached("i0", sure.clone())).unwrap();
        cache.insert(cached("i0", prediction("Duck/a--b", "identity", vec![[0.1, 0.2]]))).unwrap();
    }
    let cache = PredictionCache::open(&path, &key("w0")).unwrap();
    assert_eq!(cache.len(), 2);
    assert_eq!(cache.get("identity", "Duck/a--b", "i0").unwrap().prediction.points, [[0.1, 0.2]]);
    let read = &cache.get("raw", "Duck/a--b", "i0").unwrap().prediction;
    assert_eq!((read.points[0][0], read.points[1][0]), (1.5, 0.1));
    assert!(read.points[0][1].is_nan() && read.points[1][1].is_nan(), "what is no finite number comes back as NaN");
    assert_eq!(read.confidence, sure.confidence);
    assert!(cache.get("raw", "Duck/a--c", "i0").is_none());

    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines[0], r#"{"predictions":2,"key":{"data":"d0","weights":"w0"}}"#);
    let second = r#"{"pair":"Duck/a--b","method":"identity","points":[[0.1,0.2]],"images":"i0","asked":[[0.0,0.5]]}"#;
    assert_eq!(lines[2], second);
}

#[test]
fn a_prediction_is_of_its_images_and_of_its_points() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("predictions.jsonl");
    let mut cache = PredictionCache::open(&path, &key("w0")).unwrap();
    let mut sure = prediction("Duck/a--b", "raw", vec![[7.0, 8.0], [9.0, 10.0]]);
    (sure.confidence, sure.unshared_confidence) = (Some(vec![0.25, 0.75]), Some(vec![0.125]));
    cache.insert(CachedPrediction { asked_unshared: vec![[3.0, 3.0]], ..cached("before", sure.clone()) }).unwrap();
    // Another picture under the same name, and the first one put back.
    assert!(cache.get("raw", "Duck/a--b", "after").is_none());
    sure.points[0] = [1.0, 1.0];
    cache.insert(CachedPrediction { asked_unshared: vec![[3.0, 3.0]], ..cached("after", sure) }).unwrap();
    drop(cache);
    let cache = PredictionCache::open(&path, &key("w0")).unwrap();
    let of = |images: &str| cache.get("raw", "Duck/a--b", images).unwrap();
    assert_eq!(of("before").answer([0.0, 0.5]), Some(([7.0, 8.0], Some(0.25))));
    assert_eq!(of("after").answer([0.0, 0.5]), Some(([1.0, 1.0], Some(0.25))));
    // Points that were not asked, such as those that were moved since, have no answer.
    assert_eq!(of("after").answer([0.0, 0.6]), None);
    assert_eq!(of("after").answer([3.0, 3.0]), None);
    assert_eq!(of("after").unshared_answer([3.0, 3.0]), Some(0.125));
    assert_eq!(of("after").unshared_answer([0.0, 0.5]), None);
}

#[test]
fn goes_on_after_being_cut_at_any_byte() {
    let folder = tempfile::tempdir().unwrap();
    let whole = folder.path().join("whole.jsonl");
    fill(&whole, 3);
    let bytes = fs::read(&whole).unwrap();
    for end in 0..bytes.len() {
        let path = folder.path().join("cut.jsonl");
        fs::write(&path, &bytes[..end]).unwrap();
        let lines = bytes[..end].iter().filter(|byte| **byte == b'\n').count();
        let mut cache = PredictionCache::open(&path, &key("w0")).unwrap();
        assert_eq!(cache.len(), lines.saturating_sub(1), "cut at {end}");
        for index in cache.len()..3 {
            cache.insert(numbered(index)).unwrap();
        }
        assert_eq!(fs::read(&path).unwrap(), bytes, "cut at {end}");
    }
}

#[test]
fn refuses_another_key_and_leaves_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("predictions.jsonl");
    fill(&path, 2);
    OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"torn").unwrap();
    let before = fs::read(&path).unwrap();
    let message = PredictionCache::open(&path, &key("w1")).unwrap_err().to_string();
    assert!(message.contains("made with another weights (there w0, here w1); delete the file"), "{message}");
    let mut more = key("w0");
    more.insert("direction".to_owned(), "backward".to_owned());
    let message = PredictionCache::open(&path, &more).unwrap_err().to_string();
    assert!(message.contains("direction (there nothing, here backward)"), "{message}");
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn refuses_damage_with_the_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("predictions.jsonl");
    fill(&path, 2);
    let good = fs::read_to_string(&path).unwrap();
    let lines: Vec<_> = good.lines().collect();
    let message = |text: String| {
        fs::write(&path, text).unwrap();
        PredictionCache::open(&path, &key("w0")).unwrap_err().to_string()
    };
    assert!(message(format!("{}\n{}\n{}\n", lines[0], "{}", lines[1])).contains("line 2: missing field `images`"));
    assert!(message(format!("{}\n\u{0}\n", lines[0])).contains("line 2"));
    assert!(message(format!("{}\n", lines[1])).contains("line 1: not the header of a file of predictions"));
    assert!(message(good.replacen("\"predictions\":2", "\"predictions\":1", 1)).contains("format 1 is not known"));
    let torn_confidence = lines[1].replace("}", ",\"confidence\":[1,1]}");
    assert!(message(format!("{}\n{torn_confidence}\n", lines[0])).contains("line 2: not one confidence a point"));
    let torn_question = lines[1].replace("\"asked\":[[0.0,0.5]]", "\"asked\":[]");
    assert!(message(format!("{}\n{torn_question}\n", lines[0])).contains("line 2: not one answer a point asked"));
}

#[test]
fn two_evaluations_do_not_write_one_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("predictions.jsonl");
    let first = PredictionCache::open(&path, &key("w0")).unwrap();
    assert!(matches!(PredictionCache::open(&path, &key("w0")), Err(PredictionsError::InUse(_))));
    drop(first);
    assert!(PredictionCache::open(&path, &key("w0")).is_ok());
}

//! The cache of predictions: goes on where it was cut, and refuses what is not its own.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;

use eval::{CacheKey, Prediction, PredictionCache, PredictionsError};

fn key(weights: &str) -> CacheKey {
    CacheKey::from([("weights".to_owned(), weights.to_owned()), ("data".to_owned(), "d0".to_owned())])
}

fn prediction(pair: &str, method: &str, points: Vec<[f32; 2]>) -> Prediction {
    Prediction { pair: pair.to_owned(), method: method.to_owned(), points, confidence: None, unshared_confidence: None }
}

fn fill(path: &Path, count: usize) {
    let mut cache = PredictionCache::open(path, &key("w0")).unwrap();
    for index in 0..count {
        cache.insert(prediction(&format!("Duck/a--{index}"), "raw", vec![[index as f32, 0.1]])).unwrap();
    }
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
        cache.insert(sure.clone()).unwrap();
        cache.insert(prediction("Duck/a--b", "identity", vec![[0.1, 0.2]])).unwrap();
    }
    let cache = PredictionCache::open(&path, &key("w0")).unwrap();
    assert_eq!(cache.len(), 2);
    assert_eq!(cache.get("identity", "Duck/a--b").unwrap().points, [[0.1, 0.2]]);
    let read = cache.get("raw", "Duck/a--b").unwrap();
    assert_eq!((read.points[0][0], read.points[1][0]), (1.5, 0.1));
    assert!(read.points[0][1].is_nan() && read.points[1][1].is_nan(), "what is no finite number comes back as NaN");
    assert_eq!(read.confidence, sure.confidence);
    assert!(cache.get("raw", "Duck/a--c").is_none());

    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines[0], r#"{"predictions":1,"key":{"data":"d0","weights":"w0"}}"#);
    assert_eq!(lines[2], r#"{"pair":"Duck/a--b","method":"identity","points":[[0.1,0.2]]}"#);
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
            cache.insert(prediction(&format!("Duck/a--{index}"), "raw", vec![[index as f32, 0.1]])).unwrap();
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
    assert!(message(format!("{}\n{}\n{}\n", lines[0], "{}", lines[1])).contains("line 2: missing field `pair`"));
    assert!(message(format!("{}\n\u{0}\n", lines[0])).contains("line 2"));
    assert!(message(format!("{}\n", lines[1])).contains("line 1: not the header of a file of predictions"));
    assert!(message(good.replacen("\"predictions\":1", "\"predictions\":2", 1)).contains("format 2 is not known"));
    let torn_confidence = lines[1].replace("}", ",\"confidence\":[1,1]}");
    assert!(message(format!("{}\n{torn_confidence}\n", lines[0])).contains("line 2: not one confidence a point"));
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

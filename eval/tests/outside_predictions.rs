//! Predictions of other programs: what is read, and what is refused with file, line and pair.

use std::fs;
use std::path::Path;

use eval::{
    AskedPairs, Direction, KeyPointPair, OutsidePrediction, OutsidePredictionsError, PairImage, Protocol,
    UnsharedPoint, parse_outside_predictions, read_outside_predictions, score_pair,
};
use proptest::prelude::*;

/// Two shared points; the source shows one more, the target two more.
fn pair(id: &str) -> KeyPointPair {
    let image = |name: &str, unshared: u16| PairImage {
        path: name.into(),
        size: (100, 80),
        points: vec![[10.0, 10.0], [60.0, 50.0]],
        key_point_box: [10.0, 10.0, 60.0, 50.0],
        object_box: None,
        unshared: (0..unshared).map(|id| UnsharedPoint { id: 2 + id, point: [1.0, 1.0] }).collect(),
    };
    let (source, target) = (image("a.png", 1), image("b.png", 2));
    KeyPointPair {
        id: id.to_owned(),
        class: "cat".to_owned(),
        source,
        target,
        ids: vec![0, 1],
        difficulty: None,
        agreements: Vec::new(),
    }
}

fn parse(text: &str, ids: &[&str], partial: bool) -> Result<Vec<Option<OutsidePrediction>>, OutsidePredictionsError> {
    let pairs: Vec<_> = ids.iter().map(|id| pair(id)).collect();
    let asked = AskedPairs { pairs: &pairs, direction: Direction::Forward, partial };
    parse_outside_predictions(Path::new("theirs.jsonl"), text.as_bytes(), asked)
}

fn message(text: &str, ids: &[&str]) -> String {
    parse(text, ids, false).unwrap_err().to_string()
}

const A: &str = r#"{"pair": "a", "points": [[1, 2.5], [3, 4e0]]}"#;
const B: &str = r#"{"pair": "b", "points": [[5, 6], [7, 8]], "confidence": [0.5, 1], "unshared_confidence": [0.25]}"#;

#[test]
fn lines_come_in_the_order_of_the_pairs() {
    let read = parse(&format!("{B}\n{A}\n"), &["a", "b"], false).unwrap();
    let first = OutsidePrediction { points: vec![[1.0, 2.5], [3.0, 4.0]], confidence: None, unshared_confidence: None };
    assert_eq!(read[0].as_ref(), Some(&first));
    let second = read[1].as_ref().unwrap();
    assert_eq!((&second.confidence, &second.unshared_confidence), (&Some(vec![0.5, 1.0]), &Some(vec![0.25])));
}

#[test]
fn line_ends_byte_order_mark_and_empty_lines_do_not_matter() {
    let plain = parse(&format!("{A}\n{B}\n"), &["a", "b"], false).unwrap();
    for text in [format!("{A}\n{B}"), format!("\u{feff}{A}\r\n{B}\r\n"), format!("\n {A} \n\r\n\t\n{B}\n\n")] {
        assert_eq!(parse(&text, &["a", "b"], false).unwrap(), plain, "{text:?}");
    }
}

#[test]
fn what_is_no_finite_number_is_wrong_and_counted() {
    for odd in ["null, 1", "1, null", "NaN, 1", "-Infinity, 1", "1,Infinity", "1e39, 0"] {
        let text = format!(r#"{{"pair": "a", "points": [[{odd}], [60, 50]], "confidence": [NaN, 1]}}"#);
        let read = parse(&text, &["a"], false).unwrap();
        let points = &read[0].as_ref().unwrap().points;
        let score = score_pair(&pair("a"), points, &Protocol::default()).unwrap();
        assert_eq!((score.invalid, score.correct), (1, vec![1; 4]), "{odd}");
        assert!(read[0].as_ref().unwrap().confidence.as_ref().unwrap()[0].is_nan());
    }
    // The same letters in a name, beside an escaped quote, are a name.
    let text = r#"{"pair": "NaN \" Infinity", "points": [[NaN, 1], [60, 50]]}"#;
    assert!(parse(text, &["NaN \" Infinity"], false).unwrap()[0].is_some());
}

#[test]
fn missing_surplus_and_repeated_pairs_are_refused() {
    let text = message(A, &["a", "b", "c"]);
    assert!(text.starts_with("theirs.jsonl: 2 of 3 pairs are not predicted: b, c; "), "{text}");
    let partial = parse(A, &["a", "b"], true).unwrap();
    assert!(partial[0].is_some() && partial[1].is_none());

    let many: String = (0..8).map(|index| A.replace("\"a\"", &format!("\"x{index}\"")) + "\n").collect();
    for partial in [false, true] {
        let text = parse(&many, &["a"], partial).unwrap_err().to_string();
        let expected = "8 of the predicted pairs are not in the benchmark: x0 (line 1), x1 (line 2), x2 (line 3), x3 (line \
                        4), x4 (line 5) and 3 more; ";
        assert!(text.contains(expected), "{text}");
    }
    let text = message(&format!("{A}\n{B}\n{A}"), &["a", "b"]);
    assert_eq!(text, "theirs.jsonl, line 3, pair a: predicted before, in line 1; leave one of the two");
}

#[test]
fn counts_that_do_not_fit_are_refused() {
    let with = |rest: &str| message(&format!(r#"{{"pair": "a", "points": [[1, 2], [3, 4]], {rest}}}"#), &["a"]);
    let short = message("\n{\"pair\": \"a\", \"points\": [[1, 2]]}", &["a"]);
    assert_eq!(short, "theirs.jsonl, line 2, pair a: 1 points are predicted, 2 are asked");
    assert!(with("\"confidence\": [1]").contains("line 1, pair a: 1 confidences for 2 points"));
    assert!(with("\"unshared_confidence\": [1, 1]").contains("2 unshared confidences, but 1 points"));
    // Backward, the target is asked, and shows two points alone.
    let pairs = [pair("b")];
    let asked = AskedPairs { pairs: &pairs, direction: Direction::Backward, partial: false };
    let text = parse_outside_predictions(Path::new("t"), B.as_bytes(), asked).unwrap_err().to_string();
    assert!(text.contains("1 unshared confidences, but 2 points"), "{text}");
}

#[test]
fn what_is_no_prediction_is_refused_with_its_line() {
    for (line, reason) in [
        ("[1, 2]", "line 2: "),
        (r#"{"pair": "b"}"#, "missing field `points`"),
        (r#"{"pair": "b", "points": [[1, 2, 3], [1, 2]]}"#, "line 2: "),
        (r#"{"pair": "b", "points": [["1", 2], [1, 2]]}"#, "invalid type: string \"1\""),
        (r#"{"pair": "b", "points": [[1, 2], [1, 2]], "confidense": []}"#, "unknown field `confidense`"),
        (r#"{"pair": "b", "points": [[1, 2], [1, 2]"#, "EOF while parsing"),
        ("{\"pair\": \"\u{0}\"", "line 2: "),
    ] {
        let text = message(&format!("{A}\n{line}\n"), &["a", "b"]);
        assert!(text.contains(reason) && text.starts_with("theirs.jsonl, line 2: "), "{text}");
        assert!(!text.contains("at line 1"), "the parser's own line would mislead: {text}");
    }
    let pairs = [pair("a")];
    let asked = AskedPairs { pairs: &pairs, direction: Direction::Forward, partial: false };
    let utf16: Vec<u8> = "\u{feff}{}".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let text = parse_outside_predictions(Path::new("t"), &utf16, asked).unwrap_err().to_string();
    assert!(text.contains("write it as UTF-8"), "{text}");
}

#[test]
fn a_pair_that_stands_twice_in_the_benchmark_is_answered_twice() {
    let read = parse(A, &["a", "a"], false).unwrap();
    assert!(read[0].is_some() && read[0] == read[1]);
}

#[test]
fn a_file_is_read_and_one_that_is_not_there_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("theirs.jsonl");
    let pairs = [pair("a")];
    let asked = AskedPairs { pairs: &pairs, direction: Direction::Forward, partial: false };
    let text = read_outside_predictions(&path, asked).unwrap_err().to_string();
    assert!(text.starts_with(&path.display().to_string()), "{text}");
    fs::write(&path, A).unwrap();
    assert_eq!(read_outside_predictions(&path, asked).unwrap().len(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(prop_oneof![
        any::<u8>().prop_map(|byte| vec![byte]),
        prop::sample::select(vec![A, B, "\n", "NaN", "-Infinity", "null", "\"", "\\", "[", "]", "{", "}", ",", "\"pair\":"])
            .prop_map(|part| part.as_bytes().to_vec()),
    ], 0..24), partial in any::<bool>()) {
        let pairs = [pair("a"), pair("b")];
        let asked = AskedPairs { pairs: &pairs, direction: Direction::Forward, partial };
        if let Ok(read) = parse_outside_predictions(Path::new("t"), &bytes.concat(), asked) {
            prop_assert_eq!(read.len(), 2);
            prop_assert!(partial || read.iter().all(Option::is_some));
            prop_assert!(read.iter().flatten().all(|prediction| prediction.points.len() == 2));
        }
    }
}

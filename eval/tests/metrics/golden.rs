//! Agreement with `tests/golden/metrics.json`, which `tests/golden/metrics.py` writes.

use eval::{
    Bootstrap, Direction, Flow, KapAnswers, KapPair, KeyPointImage, KeyPointPair, ObjectMask, PairScore, Protocol,
    Rivals, TSS_ALPHA, TssScores, average, kap, kap_candidates, localisation_error, score_confusion, score_flow,
    score_mask_transfer, score_pair,
};
use serde::Deserialize;
use std::collections::BTreeMap;

/// Both sides compute in f64 from the same numbers, and no case is decided by rounding: what is left is the order of
/// sums.
const TOLERANCE: f64 = 1e-9;

const NONE: Bootstrap = Bootstrap { resamples: 0, seed: 0 };

type Point = [f32; 2];

#[derive(Deserialize)]
struct Golden {
    key_points: KeyPoints,
    flow: Flows,
    masks: Vec<Mask>,
    localisation: Vec<Localisation>,
}

#[derive(Deserialize)]
struct KeyPoints {
    alphas: Vec<f64>,
    pairs: Vec<Pair>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Pair {
    id: String,
    class: String,
    source: Image,
    target: Image,
    forward: Answers,
    backward: Answers,
}

#[derive(Deserialize)]
struct Image {
    size: (u32, u32),
    key_points: Vec<Option<Point>>,
    #[serde(rename = "box")]
    object_box: [f32; 4],
}

#[derive(Deserialize)]
struct Answers {
    points: Vec<[Option<f32>; 2]>,
    confidence: Vec<f32>,
    unshared_confidence: Vec<f32>,
}

#[derive(Deserialize)]
struct Case {
    protocol: String,
    pck: Vec<f64>,
    right_swapped_missed: BTreeMap<String, [Vec<f64>; 3]>,
    kap: Vec<f64>,
}

#[derive(Deserialize)]
struct Flows {
    pairs: Vec<FlowPair>,
    scores: BTreeMap<String, FlowMeans>,
}

#[derive(Deserialize)]
struct FlowPair {
    subset: String,
    size: (u32, u32),
    other_size: (u32, u32),
    truth: Vec<[Option<f32>; 2]>,
    predicted: Vec<[Option<f32>; 2]>,
    mask: Vec<bool>,
    share: f64,
    foreground_share: f64,
}

#[derive(Deserialize)]
struct FlowMeans {
    subsets: BTreeMap<String, f64>,
    average: f64,
}

#[derive(Deserialize)]
struct Mask {
    size: (u32, u32),
    truth: Vec<Point>,
    predicted: Vec<Point>,
    label_accuracy: f64,
    iou: f64,
}

#[derive(Deserialize)]
struct Localisation {
    boxes: [[f32; 4]; 2],
    asked: Vec<Point>,
    predicted: Vec<Point>,
    error: f64,
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("../golden/metrics.json")).unwrap()
}

fn numbers(points: &[[Option<f32>; 2]]) -> Vec<Point> {
    points.iter().map(|point| point.map(|x| x.unwrap_or(f32::NAN))).collect()
}

fn key_point_pairs(pairs: &[Pair]) -> Vec<KeyPointPair> {
    let image = |pair: &Pair, image: &Image, name: &str| KeyPointImage {
        path: name.into(),
        class: pair.class.clone(),
        size: image.size,
        key_points: image.key_points.clone(),
        object_box: Some(image.object_box),
    };
    let read = |pair: &Pair| {
        let (source, target) = (image(pair, &pair.source, "s"), image(pair, &pair.target, "t"));
        KeyPointPair { id: pair.id.clone(), ..KeyPointPair::new(&source, &target).unwrap() }
    };
    pairs.iter().map(read).collect()
}

#[track_caller]
fn assert_close(found: &[f64], expected: &[f64], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() < TOLERANCE, "{what}: {found}, the script says {expected}");
    }
}

#[test]
fn pck_confusion_and_kap_equal_the_script_under_every_protocol() {
    let KeyPoints { alphas, pairs, cases } = golden().key_points;
    let read = key_point_pairs(&pairs);
    assert_eq!(cases.len(), 3 * 4 * 2 * 3, "frames, lengths, directions, averages");
    for case in cases {
        let protocol = case.protocol.parse::<Protocol>().unwrap().with_alphas(&alphas);
        assert_eq!(protocol.to_string(), case.protocol);
        let forward = protocol.direction == Direction::Forward;
        let answers = pairs.iter().map(|pair| if forward { &pair.forward } else { &pair.backward });
        let asked: Vec<_> = read.iter().zip(answers).collect();
        let points: Vec<_> = asked.iter().map(|(pair, answers)| (*pair, numbers(&answers.points))).collect();
        let mean = |scores: &[PairScore]| {
            average(scores, protocol.average, NONE).iter().map(|pck| pck.value).collect::<Vec<_>>()
        };

        let scores: Vec<_> = points.iter().map(|(pair, points)| score_pair(pair, points, &protocol).unwrap()).collect();
        assert_close(&mean(&scores), &case.pck, &case.protocol);

        for (rivals, name) in [(Rivals::Shared, "shared"), (Rivals::Shown, "shown")] {
            let found = points.iter().map(|(pair, points)| score_confusion(pair, points, &protocol, rivals).unwrap());
            let found: Vec<_> = found.collect();
            let of_kind = [
                found.iter().map(|score| score.right.clone()).collect::<Vec<_>>(),
                found.iter().map(|score| score.swapped.clone()).collect(),
                found.iter().map(|score| score.missed.clone()).collect(),
            ];
            for (scores, expected) in of_kind.iter().zip(&case.right_swapped_missed[name]) {
                assert_close(&mean(scores), expected, &format!("{}, rivals {name}", case.protocol));
            }
        }

        let candidates = asked.iter().zip(&points).map(|((pair, answers), (_, points))| {
            let answers = KapAnswers {
                points,
                confidence: Some(&answers.confidence),
                unshared_confidence: Some(&answers.unshared_confidence),
            };
            kap_candidates(pair, answers, &protocol).unwrap()
        });
        let candidates: Vec<KapPair> = candidates.collect();
        assert_close(&kap(&candidates, protocol.average), &case.kap, &format!("KAP, {}", case.protocol));
    }
}

#[test]
fn flow_scores_equal_the_script() {
    let Flows { pairs, scores } = golden().flow;
    let (mut kit, mut foreground) = (Vec::new(), Vec::new());
    for pair in &pairs {
        let [truth, predicted] = [&pair.truth, &pair.predicted].map(|vectors| Flow::new(pair.size, numbers(vectors)));
        let mask = ObjectMask::from_pixels(pair.size, pair.mask.clone());
        let score = |mask| score_flow(&predicted, &truth, pair.other_size, mask, TSS_ALPHA).unwrap();
        assert_close(&[score(None).share(), score(Some(&mask)).share()], &[pair.share, pair.foreground_share], "flow");
        kit.push((pair.subset.as_str(), score(None)));
        foreground.push((pair.subset.as_str(), score(Some(&mask))));
    }
    for (found, expected) in [(kit, &scores["share"]), (foreground, &scores["foreground_share"])] {
        let found = TssScores::new(&found);
        assert_close(&[found.average], &[expected.average], "average");
        for subset in &found.subsets {
            assert_close(&[subset.score], &[expected.subsets[&subset.subset]], &subset.subset);
        }
        assert_eq!(found.subsets.len(), expected.subsets.len());
    }
}

#[test]
fn mask_transfer_equals_the_script() {
    let Golden { masks, localisation, .. } = golden();
    for Mask { size, truth, predicted, label_accuracy, iou } in masks {
        let score = score_mask_transfer(&predicted, &truth, size).unwrap();
        assert_close(&[score.label_accuracy, score.iou], &[label_accuracy, iou], "LT-ACC, IoU");
    }
    for Localisation { boxes: [source, target], asked, predicted, error } in localisation {
        let found = localisation_error(&asked, &predicted, source, target).unwrap();
        assert_close(&[found.mean.unwrap()], &[error], "LOC-ERR");
    }
}

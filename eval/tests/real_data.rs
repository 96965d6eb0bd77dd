//! The reader and the identity baseline on WILLOW-ObjectClass, where `SCORR_TEST_DATA` names a folder that has it.

#[path = "../../xtask/tests/skips/mod.rs"]
mod skips;

use std::collections::BTreeMap;

use eval::{
    Average, Bootstrap, Frame, KeyPointPair, MethodScores, PairSelection, Protocol, ScoreReport, Split, identity,
    read_willow, score_pair,
};

#[test]
fn reads_every_image() {
    let Some(root) = skips::test_data("willow-object") else { return };
    let found = read_willow(&root, Split::All).unwrap();
    assert_eq!((found.images.len(), found.without_key_points.len()), (232, 0));
    let mut classes = BTreeMap::new();
    let mut counts = BTreeMap::new();
    for image in &found.images {
        *classes.entry(image.class.as_str()).or_insert(0) += 1;
        *counts.entry(image.key_points.len()).or_insert(0) += 1;
    }
    assert_eq!(
        classes,
        BTreeMap::from([("Car", 18), ("Duck", 40), ("Face", 109), ("Motorbike", 20), ("Winebottle", 45)])
    );
    assert_eq!(counts, BTreeMap::from([(8, 1), (10, 231)]));
    let halves = [Split::Train, Split::Val].map(|split| read_willow(&root, split).unwrap().images.len());
    assert_eq!(halves.iter().sum::<usize>(), 232);
}

/// Mean over six draws of pairs; the spread of one draw is about ±1 at the largest threshold.
#[test]
fn identity_scores_what_independent_programs_measured() {
    let Some(root) = skips::test_data("willow-object") else { return };
    let images = read_willow(&root, Split::Val).unwrap().images;
    let cases = [
        // A NumPy script of the same formulas, on its own draws of pairs.
        (Frame::Original, [4.9, 14.9, 27.4]),
        // The prototype; it measured in this frame.
        (Frame::Stretched(320), [3.9, 11.6, 22.1]),
    ];
    for (frame, expected) in cases {
        let protocol = Protocol { frame, average: Average::Category, ..Protocol::default() };
        let protocol = protocol.with_alphas(&[0.05, 0.10, 0.15]);
        let mut means = [0.0; 3];
        for seed in 0..6 {
            let pairs = PairSelection { per_class: Some(100), seed }.pairs(&images);
            let score = |pair: &KeyPointPair| {
                let answers = identity(&pair.source.points, pair.source.size, pair.target.size);
                score_pair(pair, &answers, &protocol).unwrap()
            };
            let scores = MethodScores { method: "identity".to_owned(), pairs: pairs.iter().map(score).collect() };
            let report = ScoreReport::new("willow-object val", &protocol, &[scores], Bootstrap::default());
            println!("seed {seed}: {}", report.table(true));
            means.iter_mut().zip(&report.rows).for_each(|(mean, row)| *mean += row.pck / 6.0);
        }
        for (mean, expected) in means.iter().zip(expected) {
            assert!((mean - expected).abs() < 1.0, "{means:?} in frame {frame}, expected {expected}");
        }
    }
}

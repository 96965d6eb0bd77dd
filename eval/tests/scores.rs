//! The metric is given answers whose score is known: by hand, by arithmetic, and by a naive twin.

mod naive;

use eval::{
    Average, Bootstrap, KeyPointImage, KeyPointPair, MethodScores, PairScore, PairSelection, Protocol, ProtocolError,
    ReadCounts, Row, ScoreError, ScoreReport, average, class_means, class_table, identity, score_pair, summary_table,
};
use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn image(name: &str, class: &str, size: (u32, u32), points: &[[f32; 2]]) -> KeyPointImage {
    let key_points = points.iter().copied().map(Some).collect();
    KeyPointImage { path: name.into(), class: class.to_owned(), size, key_points, object_box: None }
}

/// A 200×100 target whose key points span a box of 80×40 pixels that ends at (140, 70).
fn wide_pair() -> KeyPointPair {
    let source = image("s.png", "Car", (60, 60), &[[1.0, 2.0], [30.0, 40.0], [50.0, 9.0]]);
    let target = image("t.png", "Car", (200, 100), &[[60.0, 30.0], [140.0, 70.0], [100.0, 50.0]]);
    KeyPointPair::new(&source, &target).unwrap()
}

fn share(pair: &KeyPointPair, predicted: &[[f32; 2]], protocol: &str, alpha: f64) -> f64 {
    let protocol = protocol.parse::<Protocol>().unwrap().with_alphas(&[alpha]);
    let score = score_pair(pair, predicted, &protocol).unwrap();
    score.correct[0] as f64 / score.points as f64
}

fn shifted(points: &[[f32; 2]], dx: f32, dy: f32) -> Vec<[f32; 2]> {
    points.iter().map(|[x, y]| [x + dx, y + dy]).collect()
}

#[test]
fn shifts_of_known_length_score_what_arithmetic_says() {
    let mut pair = wide_pair();
    pair.target.object_box = Some([50.0, 20.0, 150.0, 80.0]);
    let truth = pair.target.points.clone();
    // (protocol, length, shift, scaled length of the shift)
    let cases = [
        ("frame=original,length=bbox-kp", 80.0, [0.0, 6.0], 6.0),
        ("frame=original,length=bbox", 100.0, [3.0, 4.0], 5.0),
        ("frame=original,length=img", 200.0, [0.0, -7.0], 7.0),
        ("frame=original,length=bbox-padded", 141.0, [9.0, 0.0], 9.0),
        // Stretched to 50: x by 1/4, y by 1/2. The box of 80×40 becomes 20×20, not 40×20 and not 20×80.
        ("frame=stretched:50,length=bbox-kp", 20.0, [0.0, 2.0], 1.0),
        ("frame=stretched:50,length=bbox", 30.0, [4.0, 0.0], 1.0),
        ("frame=stretched:50,length=img", 50.0, [0.0, 6.0], 3.0),
        ("frame=stretched:50,length=bbox-padded", 36.0, [8.0, 0.0], 2.0),
        // Padded to 50: both axes by 1/4.
        ("frame=padded:50,length=bbox-kp", 20.0, [0.0, 4.0], 1.0),
        ("frame=padded:50,length=img", 50.0, [12.0, 0.0], 3.0),
    ];
    for (protocol, length, [dx, dy], distance) in cases {
        let exact = distance / length;
        let predicted = shifted(&truth, dx, dy);
        assert_eq!(share(&pair, &predicted, protocol, exact * 1.0001), 1.0, "{protocol}");
        assert_eq!(share(&pair, &predicted, protocol, exact * 0.9999), 0.0, "{protocol}");
    }
}

#[test]
fn a_point_on_the_threshold_is_right() {
    let pair = wide_pair();
    assert_eq!(share(&pair, &shifted(&pair.target.points, 8.0, 0.0), "length=bbox-kp", 0.1), 1.0);
}

#[test]
fn a_box_is_scaled_axis_by_axis() {
    // One code base multiplied the whole box by the scale of y: on this image the length would be 40 instead of 20.
    let pair = wide_pair();
    let predicted = shifted(&pair.target.points, 0.0, 6.0);
    assert_eq!(share(&pair, &predicted, "frame=stretched:50,length=bbox-kp", 0.1), 0.0);
}

#[test]
fn perfect_answers_score_one_and_random_ones_little() {
    let pair = wide_pair();
    for length in ["img", "bbox-kp", "bbox-padded"] {
        let protocol = format!("frame=stretched:320,length={length}");
        assert_eq!(share(&pair, &pair.target.points, &protocol, 0.01), 1.0);
    }
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let trials = 20_000;
    let mut right = 0.0;
    for _ in 0..trials {
        let predicted: Vec<_> = (0..3).map(|_| [rng.random_range(0.0..200.0), rng.random_range(0.0..100.0)]).collect();
        right += share(&pair, &predicted, "length=bbox-kp", 0.1);
    }
    // A disc of radius 8 in an image of 200×100: π·64 / 20000 = 1.005 %; the standard error is 0.04 %.
    assert!((right / f64::from(trials) - 0.01005).abs() < 0.002, "{right}");
}

#[test]
fn answers_that_are_no_numbers_are_wrong_and_counted() {
    let pair = wide_pair();
    let mut predicted = pair.target.points.clone();
    predicted[0] = [f32::NAN, 30.0];
    predicted[2] = [100.0, f32::INFINITY];
    let score = score_pair(&pair, &predicted, &Protocol::default()).unwrap();
    assert_eq!((score.points, score.invalid), (3, 2));
    assert_eq!(score.correct, [1, 1, 1, 1]);
}

#[test]
fn answers_that_cannot_be_scored_are_errors() {
    let pair = wide_pair();
    let error = score_pair(&pair, &[[0.0; 2]], &Protocol::default()).unwrap_err();
    assert_eq!(error.to_string(), "Car/s--t: 1 points are predicted, 3 are asked");
    let boxes: Protocol = "length=bbox".parse().unwrap();
    let error = score_pair(&pair, &pair.target.points, &boxes).unwrap_err();
    assert_eq!(error, ScoreError::NoBox { pair: "Car/s--t".to_owned() });
}

#[test]
fn averages_by_hand() {
    let score = |class: &str, points, correct| PairScore {
        class: class.to_owned(),
        images: [1, 2],
        points,
        correct: vec![correct],
        invalid: 0,
    };
    let scores = [score("a", 10, 10), score("a", 10, 5), score("b", 2, 0)];
    let value = |kind| average(&scores, kind, Bootstrap::default())[0].value;
    assert_eq!(value(Average::Image), 0.5);
    assert_eq!(value(Average::Point), 15.0 / 22.0);
    assert_eq!(value(Average::Category), 0.375);
    assert_eq!(class_means(&scores)["a"], [0.75]);
    let table = class_table(
        &Protocol::default().with_alphas(&[0.1]),
        &[MethodScores { method: "raw".to_owned(), pairs: scores.to_vec() }],
        0.1,
    );
    assert_eq!(table, "PCK (%) @0.10     a    b  mean\nraw            75.0  0.0  37.5\n");
}

#[test]
fn intervals_are_those_of_the_binomial_and_repeat() {
    let score = |index: usize| PairScore {
        class: (index % 4).to_string(),
        // Images of their own: pairs are independent.
        images: [2 * index as u64, 2 * index as u64 + 1],
        points: 1,
        correct: vec![usize::from(index % 10 < 3), 1],
        invalid: 0,
    };
    let scores: Vec<_> = (0..400).map(score).collect();
    for kind in [Average::Image, Average::Point, Average::Category] {
        let [pck, all_right] = average(&scores, kind, Bootstrap::default())[..] else { panic!("two thresholds") };
        // Standard error √(.3·.7/400) = .0229, 95 %: ±.045.
        assert!((pck.value - 0.3).abs() < 1e-12);
        assert!((pck.low - 0.255).abs() < 0.01 && (pck.high - 0.345).abs() < 0.01, "{pck:?}");
        assert_eq!((all_right.value, all_right.low, all_right.high), (1.0, 1.0, 1.0));
        assert_eq!(average(&scores, kind, Bootstrap::default())[0], pck);
        let few = |seed| average(&scores, kind, Bootstrap { seed, resamples: 10 })[0];
        assert_ne!(few(0), few(1));
    }
}

#[test]
fn report_is_the_json_and_the_table_of_its_documentation() {
    let pair = wide_pair();
    let protocol = Protocol::default().with_alphas(&[0.05, 0.1]);
    let predicted = [shifted(&pair.target.points[..1], 5.0, 0.0), shifted(&pair.target.points[1..], 3.0, 0.0)].concat();
    let pairs = vec![score_pair(&pair, &predicted, &protocol).unwrap()];
    let methods = [MethodScores { method: "raw-hard".to_owned(), pairs }];
    let report = ScoreReport::new("willow-object", &protocol, &methods, Bootstrap::default());
    let two_thirds = report.rows[0].pck;
    assert!((two_thirds - 200.0 / 3.0).abs() < 1e-9);
    let expected = serde_json::json!({
        "benchmark": "willow-object",
        "protocol": "frame=original,length=bbox-kp,direction=forward,average=image",
        "pairs": 1,
        "rows": [
            {"method": "raw-hard", "alpha": 0.05, "pck": two_thirds, "low": two_thirds, "high": two_thirds},
            {"method": "raw-hard", "alpha": 0.1, "pck": 100.0, "low": 100.0, "high": 100.0},
        ],
    });
    assert_eq!(serde_json::to_value(&report).unwrap(), expected);
    assert!(serde_json::to_string(&report).unwrap().starts_with(r#"{"benchmark":"willow-object","protocol":"frame="#));
    let table = report.table(false);
    let lines: Vec<_> = table.lines().collect();
    assert_eq!(lines[0], format!("willow-object, 1 pairs, {protocol}"));
    assert_eq!(lines[1..], ["PCK (%)   @0.05  @0.10", "raw-hard   66.7  100.0"]);
    assert!(report.table(true).contains("66.7 [66.7, 66.7]"));
    assert_eq!(methods[0].invalid(), 0);
}

#[test]
fn protocol_strings() {
    let text = "frame=stretched:320,length=bbox-padded,direction=backward,average=category";
    assert_eq!(text.parse::<Protocol>().unwrap().to_string(), text);
    let default = "frame=original,length=bbox-kp,direction=forward,average=image";
    assert_eq!("".parse::<Protocol>().unwrap().to_string(), default);
    assert_eq!("average=image, frame=original".parse::<Protocol>().unwrap(), Protocol::default());
    let message = |text: &str| text.parse::<Protocol>().unwrap_err().to_string();
    assert_eq!(
        message("length=box"),
        "`box` is no value of `length` in a protocol; expected img, bbox, bbox-kp or bbox-padded"
    );
    assert!(message("frame=stretched:0").contains("S a number of pixels"));
    assert!(message("frame=padded").contains("padded:S"));
    assert_eq!(message("alpha=.1"), "a protocol has no key `alpha`; its keys are frame, length, direction and average");
    assert_eq!("frame".parse::<Protocol>().unwrap_err(), ProtocolError::NoValue("frame".to_owned()));
    assert_eq!(message("average=image,average=point"), "the protocol gives `average` twice");
}

#[test]
fn pairs_are_ordered_seeded_and_share_a_point() {
    let mut images: Vec<_> =
        (0..5).map(|i| image(&format!("c{i}.png"), "Car", (9, 9), &[[1.0, 1.0], [i as f32, 2.0]])).collect();
    images.push(image("d.png", "Duck", (9, 9), &[[1.0, 1.0]]));
    images[4].key_points = vec![None, None];
    let all = PairSelection::ALL.pairs(&images);
    assert_eq!(all.len(), 4 * 3, "no pair with the image without points, none of one duck");
    assert_eq!((all[0].id.as_str(), all[1].id.as_str()), ("Car/c0--c1", "Car/c0--c2"));
    images[3].key_points[0] = None;
    let pair = KeyPointPair::new(&images[3], &images[2]).unwrap();
    assert_eq!((pair.source.points, pair.target.points), (vec![[3.0, 2.0]], vec![[2.0, 2.0]]));
    assert_eq!(pair.target.key_point_box, [1.0, 1.0, 2.0, 2.0], "the box is that of all points the image shows");

    let draw = |seed| {
        PairSelection { per_class: Some(5), seed }.pairs(&images).into_iter().map(|pair| pair.id).collect::<Vec<_>>()
    };
    assert_eq!(draw(1).len(), 5);
    assert_eq!(draw(1), draw(1));
    assert_ne!(draw(1), draw(2));
}

#[test]
fn identity_keeps_the_relative_position() {
    // Corners of the image stay corners: pixel borders at −0.5 and W − 0.5.
    let mapped = identity(&[[-0.5, -0.5], [99.5, 49.5], [0.0, 0.0]], (100, 50), (200, 200));
    assert_eq!(mapped, [[-0.5, -0.5], [199.5, 199.5], [0.5, 1.5]]);
}

fn any_protocol() -> impl Strategy<Value = Protocol> {
    let frame = prop_oneof![
        Just("original".to_owned()),
        (1u32..600).prop_map(|s| format!("stretched:{s}")),
        (1u32..600).prop_map(|s| format!("padded:{s}"))
    ];
    let length = prop::sample::select(vec!["img", "bbox", "bbox-kp", "bbox-padded"]);
    let average = prop::sample::select(vec!["image", "point", "category"]);
    (frame, length, prop::bool::ANY, average).prop_map(|(frame, length, forward, average)| {
        let direction = if forward { "forward" } else { "backward" };
        format!("frame={frame},length={length},direction={direction},average={average}").parse().unwrap()
    })
}

prop_compose! {
    /// A pair of sizes up to 400 with up to 8 points anywhere near the images, boxes, and answers.
    fn any_scored_pair()(
        sizes in prop::array::uniform2((10u32..400, 10u32..400)),
        points in prop::collection::vec((prop::array::uniform2(0.0f32..400.0), prop::array::uniform2(0.0f32..400.0), prop::array::uniform2(-40.0f32..40.0)), 1..8),
        class in prop::sample::select(vec!["a", "b", "c"]),
    ) -> (KeyPointPair, [Vec<[f32; 2]>; 2]) {
        let side = |name, size, points: Vec<[f32; 2]>| image(name, class, size, &points);
        let source = side("s", sizes[0], points.iter().map(|p| p.0).collect());
        let target = side("t", sizes[1], points.iter().map(|p| p.1).collect());
        let mut pair = KeyPointPair::new(&source, &target).unwrap();
        pair.source.object_box = Some([3.0, 5.0, 90.0, 70.0]);
        pair.target.object_box = Some([-4.0, 0.0, 120.0, 170.0]);
        let off = |points: &[[f32; 2]], deltas: Vec<[f32; 2]>| points.iter().zip(deltas).map(|(p, d)| [p[0] + d[0], p[1] + d[1]]).collect();
        let deltas: Vec<_> = points.iter().map(|p| p.2).collect();
        let answers = [off(&pair.target.points, deltas.clone()), off(&pair.source.points, deltas)];
        (pair, answers)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn equals_its_naive_twin(pairs in prop::collection::vec(any_scored_pair(), 1..12), protocol in any_protocol()) {
        let forward = protocol.direction == eval::Direction::Forward;
        let (mut scores, mut naive) = (Vec::new(), Vec::new());
        for (pair, [target, source]) in &pairs {
            let predicted = if forward { target } else { source };
            scores.push(score_pair(pair, predicted, &protocol).unwrap());
            let shares = protocol.alphas.iter().map(|alpha| naive::pck_of_pair(pair, predicted, &protocol, *alpha));
            naive.push((pair.class.clone(), predicted.len(), shares.collect::<Vec<_>>()));
        }
        let bare = Bootstrap { resamples: 20, seed: 0 };
        for (index, pck) in average(&scores, protocol.average, bare).iter().enumerate() {
            let terms: Vec<_> = naive.iter().map(|(class, points, shares)| (class.clone(), *points, shares[index])).collect();
            prop_assert!((pck.value - naive::average(&terms, protocol.average)).abs() < 1e-9);
            prop_assert!(0.0 <= pck.low && pck.low <= pck.high && pck.high <= 1.0 + 1e-12);
        }
    }

    #[test]
    fn a_larger_threshold_is_no_harder((pair, [predicted, _]) in any_scored_pair(), mut protocol in any_protocol()) {
        protocol.direction = eval::Direction::Forward;
        let score = score_pair(&pair, &predicted, &protocol).unwrap();
        prop_assert!(score.correct.is_sorted());
    }

    #[test]
    fn backward_is_forward_on_the_reversed_pair((pair, [_, predicted]) in any_scored_pair(), mut protocol in any_protocol()) {
        protocol.direction = eval::Direction::Backward;
        let backward = score_pair(&pair, &predicted, &protocol);
        protocol.direction = eval::Direction::Forward;
        prop_assert_eq!(backward, score_pair(&pair.reversed(), &predicted, &protocol));
    }

    #[test]
    fn scaling_everything_changes_nothing((pair, [predicted, _]) in any_scored_pair(), length in prop::sample::select(vec!["img", "bbox", "bbox-kp"])) {
        // By a power of two, so that no rounding moves a point over a threshold. The padded length has its own "plus 1".
        let doubled = |points: &[[f32; 2]]| points.iter().map(|[x, y]| [2.0 * x, 2.0 * y]).collect::<Vec<_>>();
        let mut large = pair.clone();
        large.target.size = (2 * pair.target.size.0, 2 * pair.target.size.1);
        large.target.points = doubled(&pair.target.points);
        large.target.key_point_box = pair.target.key_point_box.map(|x| 2.0 * x);
        large.target.object_box = pair.target.object_box.map(|corners| corners.map(|x| 2.0 * x));
        for frame in ["original", "stretched:256", "padded:256"] {
            let protocol: Protocol = format!("frame={frame},length={length}").parse().unwrap();
            prop_assert_eq!(score_pair(&pair, &predicted, &protocol), score_pair(&large, &doubled(&predicted), &protocol));
        }
    }

    #[test]
    fn frames_agree_on_square_images((mut pair, [predicted, _]) in any_scored_pair(), side in 10u32..400, length in prop::sample::select(vec!["img", "bbox", "bbox-kp", "bbox-padded"])) {
        pair.target.size = (side, side);
        let score = |frame: &str| {
            let protocol: Protocol = format!("frame={frame},length={length}").parse().unwrap();
            score_pair(&pair, &predicted, &protocol).unwrap()
        };
        prop_assert_eq!(score("original"), score(&format!("stretched:{side}")));
        prop_assert_eq!(score("original"), score(&format!("padded:{side}")));
    }

    #[test]
    fn the_padded_box_is_no_smaller((pair, [predicted, _]) in any_scored_pair()) {
        let score = |length: &str| score_pair(&pair, &predicted, &format!("length={length}").parse().unwrap()).unwrap();
        prop_assert!(score("bbox-padded").correct.iter().zip(score("bbox-kp").correct).all(|(padded, tight)| *padded >= tight));
    }

    #[test]
    fn protocols_survive_their_string(protocol in any_protocol()) {
        prop_assert_eq!(protocol.to_string().parse::<Protocol>().unwrap(), protocol);
    }
}

#[test]
fn several_benchmarks_make_one_table() {
    let row = |method: &str, alpha: f64, pck: f64| Row { method: method.to_owned(), alpha, pck, low: pck, high: pck };
    let report = |benchmark: &str, pairs: usize, rows: Vec<Row>| ScoreReport {
        benchmark: benchmark.to_owned(),
        protocol: Protocol::default().to_string(),
        pairs,
        rows,
        counts: ReadCounts::default(),
    };
    let reports = [
        report(
            "one",
            3,
            vec![row("identity", 0.05, 1.0), row("identity", 0.1, 2.0), row("raw", 0.05, 30.0), row("raw", 0.1, 40.25)],
        ),
        report("two", 70, vec![row("raw", 0.1, 55.0)]),
    ];
    let protocol = Protocol::default();
    let expected = format!(
        "PCK (%)   one @0.05  one @0.10  two @0.10\n\
         identity        1.0        2.0           \n\
         raw            30.0       40.2       55.0\n\
         one: 3 pairs, {protocol}\n\
         two: 70 pairs, {protocol}\n"
    );
    assert_eq!(summary_table(&reports), expected);
}

#[test]
fn keys_left_out_are_those_of_the_protocol_they_are_laid_over() {
    let usual: Protocol = "frame=padded:320,length=bbox,average=category".parse().unwrap();
    let usual = usual.with_alphas(&[0.2]);
    let over = usual.clone().with_keys("length=img, direction=backward").unwrap();
    assert_eq!(over.to_string(), "frame=padded:320,length=img,direction=backward,average=category");
    assert_eq!(over.alphas, [0.2]);
    assert_eq!(usual.clone().with_keys("").unwrap(), usual);
    assert!(matches!(usual.with_keys("size=3"), Err(ProtocolError::UnknownKey(_))));
}

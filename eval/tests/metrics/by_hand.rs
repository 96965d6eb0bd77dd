//! Cases small enough to be computed by hand.

use eval::{
    Average, Bootstrap, Candidate, Difficulty, DifficultyField, Flow, FlowProblem, FlowScoreError, KapAnswers,
    KapError, KapPair, KeyPointPair, MaskTransferError, ObjectMask, PairScore, Rivals, ScoreError, TSS_ALPHA, average,
    average_precision, compare_masks, difficulty_rows, difficulty_table, flow_bytes, kap, kap_candidates,
    localisation_error, paired_bootstrap, parse_flow, read_flow, score_confusion, score_flow, score_mask_transfer,
    score_pair, write_flow,
};

use crate::{image, pair, protocol};

const NAN: f32 = f32::NAN;

fn counts(score: &eval::ConfusionScore) -> [usize; 3] {
    [&score.right, &score.swapped, &score.missed].map(|kind| kind.correct[0])
}

// ---------------------------------------------------------------- PCK

#[test]
fn pairs_without_common_key_points_are_no_pairs() {
    let (source, target) = (image("s", (9, 9), &[Some([1.0; 2]), None]), image("t", (9, 9), &[None, Some([2.0; 2])]));
    assert!(KeyPointPair::new(&source, &target).is_none());
}

#[test]
fn one_key_point_has_no_extent_and_only_the_exact_answer_is_right() {
    let lone = pair(&[Some([5.0, 5.0])], &[Some([40.0, 30.0])]);
    let right = |answer, length: &str| score_pair(&lone, &[answer], &protocol(length, &[0.1])).unwrap().correct[0];
    assert_eq!(right([40.0, 30.0], "length=bbox-kp"), 1, "0 is at most α · 0");
    assert_eq!(right([40.0, 30.01], "length=bbox-kp"), 0);
    assert_eq!(right([40.0, 34.0], "length=bbox-padded"), 1, "α · 41 = 4.1");
    assert_eq!(right([40.0, 40.0], "length=img"), 1, "α · 100 = 10");
}

#[test]
fn an_object_box_without_extent_leaves_the_exact_answer_alone() {
    let mut flat = pair(&[Some([5.0, 5.0]), Some([6.0, 6.0])], &[Some([40.0, 30.0]), Some([50.0, 30.0])]);
    flat.target.object_box = Some([40.0, 30.0, 40.0, 30.0]);
    let score = score_pair(&flat, &[[40.0, 30.0], [50.0, 30.1]], &protocol("length=bbox", &[0.15])).unwrap();
    assert_eq!((score.correct[0], score.points), (1, 2));
}

#[test]
fn one_pixel_images_are_scored() {
    let (source, target) = (image("s", (1, 1), &[Some([0.0; 2])]), image("t", (1, 1), &[Some([0.0; 2])]));
    let tiny = KeyPointPair::new(&source, &target).unwrap();
    for frame in ["original", "stretched:64", "padded:64"] {
        let right = |answer| {
            let protocol = protocol(&format!("frame={frame},length=img"), &[0.1]);
            score_pair(&tiny, &[answer], &protocol).unwrap().correct[0]
        };
        assert_eq!([right([0.0, 0.09]), right([0.0, 0.11])], [1, 0], "{frame}");
    }
}

#[test]
fn key_points_on_the_border_are_scored_like_others() {
    let corners = [Some([0.0, 0.0]), Some([99.0, 0.0]), Some([0.0, 99.0]), Some([99.0, 99.0])];
    let border = pair(&corners, &corners);
    let outside = [[-9.875, 0.0], [108.875, 0.0], [0.0, 108.875], [99.0, 109.0]];
    let score = score_pair(&border, &outside, &protocol("length=bbox-kp", &[0.1])).unwrap();
    assert_eq!(score.correct, [3], "9.875 is at most 0.1 · 99 and 10 is not, outside the image as inside");
}

// ---------------------------------------------------------------- PCK†

#[test]
fn a_prediction_nearer_to_another_key_point_is_swapped() {
    // Two ears 6 pixels apart and a tail 80 pixels away: α · L = 8 reaches from one ear past the other.
    let points = [Some([10.0, 50.0]), Some([16.0, 50.0]), Some([90.0, 50.0])];
    let ears = pair(&points, &points);
    let protocol = protocol("length=bbox-kp", &[0.1]);
    let kinds = |answers: [[f32; 2]; 3]| counts(&score_confusion(&ears, &answers, &protocol, Rivals::Shared).unwrap());
    let right = [[10.0, 50.0], [16.0, 50.0], [90.0, 50.0]];
    assert_eq!(kinds(right), [3, 0, 0]);
    // 2 pixels from the wrong ear, 4 from its own: PCK takes it, PCK† does not.
    let crossed = [[14.0, 50.0], right[1], right[2]];
    assert_eq!(score_pair(&ears, &crossed, &protocol).unwrap().correct, [3]);
    assert_eq!(kinds(crossed), [2, 1, 0]);
    // The ear at the tail is wrong under both, and a swap; in the middle of nowhere it is a miss.
    assert_eq!(kinds([[90.0, 51.0], right[1], right[2]]), [2, 1, 0]);
    assert_eq!(kinds([[50.0, 50.0], right[1], right[2]]), [2, 0, 1]);
    // Halfway between the ears is a tie, and the own key point wins, for the one as for the other.
    assert_eq!(kinds([[13.0, 50.0], [13.0, 50.0], right[2]]), [3, 0, 0]);
    assert_eq!(kinds([[NAN, 50.0], [16.0, f32::INFINITY], right[2]]), [1, 0, 2]);
}

#[test]
fn key_points_that_only_the_target_shows_are_rivals_if_asked_for() {
    let ears = pair(
        &[Some([10.0, 50.0]), None, Some([90.0, 50.0])],
        &[Some([10.0, 50.0]), Some([16.0, 50.0]), Some([90.0, 50.0])],
    );
    let protocol = protocol("length=bbox-kp", &[0.1]);
    let answers = [[14.0, 50.0], [90.0, 50.0]];
    assert_eq!(counts(&score_confusion(&ears, &answers, &protocol, Rivals::Shared).unwrap()), [2, 0, 0]);
    assert_eq!(counts(&score_confusion(&ears, &answers, &protocol, Rivals::Shown).unwrap()), [1, 1, 0]);
}

#[test]
fn duplicate_key_points_tie_and_one_key_point_has_no_rival() {
    let twice = [Some([10.0, 10.0]), Some([10.0, 10.0]), Some([60.0, 10.0])];
    let twins = pair(&twice, &twice);
    let near = [[11.0, 10.0], [10.0, 11.0], [60.0, 10.0]];
    let score = score_confusion(&twins, &near, &protocol("length=bbox-kp", &[0.1]), Rivals::Shown).unwrap();
    assert_eq!(counts(&score), [3, 0, 0]);
    let lone = pair(&[Some([5.0, 5.0])], &[Some([40.0, 30.0])]);
    let kinds =
        |answer| counts(&score_confusion(&lone, &[answer], &protocol("length=img", &[0.1]), Rivals::Shown).unwrap());
    assert_eq!([kinds([41.0, 30.0]), kinds([80.0, 30.0]), kinds([NAN, 0.0])], [[1, 0, 0], [0, 0, 1], [0, 0, 1]]);
}

#[test]
fn confusion_refuses_what_pck_refuses() {
    let lone = pair(&[Some([5.0, 5.0])], &[Some([40.0, 30.0])]);
    let score = |answers: &[[f32; 2]], text| score_confusion(&lone, answers, &protocol(text, &[0.1]), Rivals::Shared);
    assert!(matches!(score(&[], "").unwrap_err(), ScoreError::PointCount { expected: 1, found: 0, .. }));
    assert!(matches!(score(&[[0.0; 2]], "length=bbox").unwrap_err(), ScoreError::NoBox { .. }));
}

// ---------------------------------------------------------------- KAP

fn ranked(rights: &[(f32, bool)]) -> Vec<Candidate> {
    rights.iter().map(|&(confidence, right)| Candidate { confidence, right }).collect()
}

#[test]
fn average_precision_by_hand() {
    let precision = |rights: &[(f32, bool)], wanted| average_precision(ranked(rights), wanted);
    assert_eq!(precision(&[(0.9, true), (0.8, true), (0.1, false)], 2), Some(1.0));
    // Right at ranks 1 and 3 of two wanted: ½ · 1 + ½ · 2/3.
    assert_eq!(precision(&[(0.1, true), (0.9, true), (0.5, false)], 2), Some(0.5 + 0.5 * 2.0 / 3.0));
    // Tied, they enter together: recall jumps from 0 to 1 at precision 2/3, whatever the order.
    assert_eq!(precision(&[(0.5, true), (0.5, false), (0.5, true)], 2), Some(2.0 / 3.0));
    assert_eq!(precision(&[(0.0, true), (-0.0, false)], 1), Some(0.5), "both zeros are one confidence");
    // One of two found, and the other one never.
    assert_eq!(precision(&[(0.9, true), (0.8, false)], 2), Some(0.5));
    assert_eq!(precision(&[(0.9, false)], 1), Some(0.0));
    assert_eq!(precision(&[], 3), Some(0.0));
    assert_eq!(precision(&[(0.9, false)], 0), None, "nothing was to be found");
    assert_eq!(precision(&[(NAN, true), (-5.0, false)], 1), Some(0.5), "NaN ranks last");
}

#[test]
fn kap_asks_for_points_that_the_target_does_not_show() {
    let asked = pair(
        &[Some([10.0, 10.0]), Some([50.0, 10.0]), Some([70.0, 70.0])],
        &[Some([10.0, 10.0]), Some([90.0, 10.0]), None],
    );
    let protocol = protocol("length=bbox-kp", &[0.01, 0.1]);
    let score = |unshared: f32| {
        let answers = KapAnswers {
            points: &[[10.0, 10.0], [86.0, 10.0]],
            confidence: Some(&[0.9, 0.5]),
            unshared_confidence: Some(&[unshared]),
        };
        kap(&[kap_candidates(&asked, answers, &protocol).unwrap()], Average::Category)
    };
    // At .01 · 80 the second answer is wrong: ½ · 1. At .1 · 80 it is right: 1.
    assert_eq!(score(0.1), [0.5, 1.0]);
    // A matcher that is surest of what is not there: right at ranks 2 and 3.
    assert_eq!(score(1.0), [0.25, 0.5 * 0.5 + 0.5 * 2.0 / 3.0]);

    let backward = eval::Protocol { direction: eval::Direction::Backward, ..protocol.clone() };
    let answers = KapAnswers { points: &asked.source.points, confidence: Some(&[0.9, 0.5]), unshared_confidence: None };
    let score = kap(&[kap_candidates(&asked, answers, &backward).unwrap()], Average::Image);
    assert_eq!(score, [1.0, 1.0], "the target shows nothing that the source does not, and no confidence is needed");
}

#[test]
fn kap_without_confidences_is_an_error_that_says_so() {
    let asked = pair(&[Some([10.0, 10.0]), Some([50.0, 10.0])], &[Some([10.0, 10.0]), None]);
    let message = |confidence: Option<&[f32]>, unshared_confidence: Option<&[f32]>| {
        let answers = KapAnswers { points: &[[1.0, 1.0]], confidence, unshared_confidence };
        kap_candidates(&asked, answers, &protocol("", &[0.1])).unwrap_err()
    };
    let none = message(None, Some(&[0.1])).to_string();
    assert!(none.contains("Duck/s--t: KAP ranks by confidence") && none.contains("no `confidence`"), "{none}");
    assert!(message(Some(&[0.1]), None).to_string().contains("no `unshared_confidence`"));
    let surplus = message(Some(&[0.1, 0.2]), Some(&[0.1]));
    assert!(matches!(surplus, KapError::ConfidenceCount { field: "confidence", expected: 1, found: 2, .. }));
    let answers = KapAnswers { points: &[], confidence: None, unshared_confidence: None };
    let error = kap_candidates(&asked, answers, &protocol("", &[0.1])).unwrap_err();
    assert!(matches!(error, KapError::Score(ScoreError::PointCount { .. })));
}

#[test]
fn kap_pools_as_the_protocol_averages() {
    let of = |class: &str, wanted, rights: &[(f32, bool)]| KapPair {
        class: class.to_owned(),
        wanted,
        candidates: vec![ranked(rights)],
    };
    let pairs = [
        of("a", 1, &[(0.9, false), (0.8, true)]),
        of("a", 1, &[(0.7, true)]),
        of("b", 1, &[(0.1, true)]),
        of("c", 0, &[(1.0, false)]),
    ];
    let score = |average| kap(&pairs, average)[0];
    assert_eq!(score(Average::Image), (0.5 + 1.0 + 1.0) / 3.0, "a pair in which nothing is to be found has no AP");
    assert_eq!(score(Average::Category), (0.5 * (0.5 + 2.0 / 3.0) + 1.0) / 2.0);
    let pooled = (1.0 / 3.0 + 2.0 / 4.0 + 3.0 / 5.0) / 3.0;
    assert!((score(Average::Point) - pooled).abs() < 1e-15, "with the certain candidate of c ahead of all");
}

// ---------------------------------------------------------------- difficulty

#[test]
fn difficulty_breaks_the_same_average_down() {
    let points = [Some([10.0, 10.0]), Some([90.0, 10.0])];
    let with = |viewpoint, occlusion| {
        let difficulty = Some(Difficulty { viewpoint, scale: 0, truncation: 3, occlusion });
        KeyPointPair { difficulty, ..pair(&points, &points) }
    };
    let unknown = KeyPointPair { difficulty: None, ..with(0, 0) };
    let pairs = [with(0, 0), with(0, 1), with(2, 0), unknown];
    let score = |correct| PairScore {
        class: "Duck".to_owned(),
        images: [1, 2],
        points: 2,
        correct: vec![correct, 2],
        invalid: 0,
    };
    let scores = [score(2), score(1), score(0), score(0)];
    let protocol = protocol("", &[0.05, 0.1]);
    let rows = difficulty_rows(&pairs, &scores, &protocol, Bootstrap::default());
    let short: Vec<_> = rows
        .iter()
        .filter(|row| row.alpha == 0.05)
        .map(|row| (row.field, row.level.as_str(), row.pairs, row.pck))
        .collect();
    assert_eq!(
        short,
        [
            (DifficultyField::Viewpoint, "easy", 2, 75.0),
            (DifficultyField::Viewpoint, "hard", 1, 0.0),
            (DifficultyField::Scale, "easy", 3, 50.0),
            (DifficultyField::Truncation, "both", 3, 50.0),
            (DifficultyField::Occlusion, "none", 2, 50.0),
            (DifficultyField::Occlusion, "source", 1, 50.0),
        ]
    );
    let long: Vec<_> = rows.iter().filter(|row| row.alpha == 0.1).map(|row| (row.pck, row.low)).collect();
    assert_eq!(long, [(100.0, 100.0); 6]);
    let json = serde_json::to_value(&rows[0]).unwrap();
    assert_eq!((json["field"].as_str(), json["level"].as_str()), (Some("viewpoint"), Some("easy")));
    let table = difficulty_table(&[("raw", &rows), ("stage-two", &rows[..2])], 0.05);
    let lines: Vec<_> = table.lines().collect();
    assert_eq!(lines[0], "@0.05       level    pairs    raw  stage-two");
    assert_eq!(lines[1], "viewpoint   easy         2   75.0       75.0");
    assert_eq!(lines[2], "viewpoint   hard         1    0.0           ");
    assert_eq!(lines.len(), 7);
}

// ---------------------------------------------------------------- flow

fn row(vectors: &[[f32; 2]]) -> Flow {
    Flow::new((vectors.len() as u32, 1), vectors.to_vec())
}

#[test]
fn flow_files_are_read_and_written_bit_by_bit() {
    let quiet = f32::from_bits(0x7fc0_1234);
    let flow = Flow::new(
        (3, 2),
        vec![[1.5, -2.25], [quiet, 0.0], [1e10, 1e10], [-0.0, f32::MIN_POSITIVE], [f32::INFINITY, 1.0], [1e9, -1e9]],
    );
    let bytes = flow_bytes(&flow);
    assert_eq!(bytes.len(), 12 + 6 * 8);
    assert_eq!(bytes[..4], *b"PIEH", "202021.25 spells this");
    let read = parse_flow(&bytes).unwrap();
    assert_eq!(flow_bytes(&read), bytes);
    let known: Vec<_> = (0..6).map(|index| read.get(index % 3, index / 3).is_some()).collect();
    assert_eq!(known, [true, false, false, true, false, true]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("flow.flo");
    write_flow(&path, &flow).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
    assert_eq!(flow_bytes(&read_flow(&path).unwrap()), bytes);
}

#[test]
fn what_is_no_flow_is_refused_with_a_reason() {
    let bytes = flow_bytes(&row(&[[1.0, 2.0], [3.0, 4.0]]));
    for end in 0..bytes.len() {
        assert!(parse_flow(&bytes[..end]).is_err(), "cut at {end}");
    }
    assert_eq!(parse_flow(&bytes[..11]), Err(FlowProblem::NoHeader(11)));
    let longer = [&bytes[..], &[0]].concat();
    let problem = parse_flow(&longer).unwrap_err();
    assert_eq!(problem.to_string(), "2x1 vectors need 28 bytes with the header, the file has 29; is it whole?");
    let with = |at: usize, value: [u8; 4]| {
        let mut bytes = bytes.clone();
        bytes[at..at + 4].copy_from_slice(&value);
        parse_flow(&bytes).unwrap_err()
    };
    assert_eq!(with(0, 202_021.25f32.to_be_bytes()), FlowProblem::NotFlow);
    assert_eq!(with(4, (-2i32).to_le_bytes()), FlowProblem::Size { width: -2, height: 1 });
    assert_eq!(with(8, 0i32.to_le_bytes()), FlowProblem::Size { width: 2, height: 0 });
    let huge = with(4, i32::MAX.to_le_bytes());
    assert!(matches!(huge, FlowProblem::Length { expected: 17_179_869_188, found: 28, .. }), "{huge:?}");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cut.flo");
    std::fs::write(&path, &bytes[..20]).unwrap();
    let message = read_flow(&path).unwrap_err().to_string();
    assert!(message.contains("cut.flo: 2x1 vectors need 28 bytes"), "{message}");
}

#[test]
fn a_flow_into_the_mirrored_image_ends_at_the_mirrored_pixel() {
    let flow = row(&[[2.0, 1.0], [0.5, 0.0], [NAN, 0.0]]);
    let mirrored = flow.clone().mirrored(10);
    // (0, 0) → (2, 1), mirrored (7, 1); (1, 0) → (1.5, 0), mirrored (7.5, 0).
    assert_eq!(
        (mirrored.get(0, 0), mirrored.get(1, 0), mirrored.get(2, 0)),
        (Some([7.0, 1.0]), Some([6.5, 0.0]), None)
    );
    assert_eq!(mirrored.mirrored(10).vectors()[..2], flow.vectors()[..2]);
}

#[test]
fn flow_scores_count_known_pixels_and_the_other_images_side() {
    // Threshold .05 · 80 = 4, from the OTHER image's longer side.
    let truth = row(&[[0.0, 0.0], [10.0, 0.0], [1e10, 0.0], [0.0, 5.0], [0.0, 5.0]]);
    let predicted = row(&[[0.0, 4.0], [14.0, 0.1], [0.0, 0.0], [NAN, 5.0], [0.0, 5.0]]);
    let score = |mask: Option<&ObjectMask>| score_flow(&predicted, &truth, (40, 80), mask, TSS_ALPHA).unwrap();
    let kit = score(None);
    assert_eq!((kit.pixels, kit.right, kit.unknown, kit.share()), (4, 2, 1, 0.5));
    let mask = ObjectMask::from_pixels((5, 1), vec![true, true, true, false, false]);
    let foreground = score(Some(&mask));
    assert_eq!((foreground.pixels, foreground.right, foreground.unknown), (2, 1, 0));
    let unknown = row(&[[1e10; 2]; 5]);
    let none = score_flow(&predicted, &unknown, (40, 80), None, TSS_ALPHA).unwrap_err();
    assert_eq!(none.to_string(), "the ground truth knows no pixel; leave the pair out");
    let narrow = ObjectMask::from_pixels((4, 1), vec![true; 4]);
    let error = score_flow(&predicted, &truth, (40, 80), Some(&narrow), TSS_ALPHA).unwrap_err();
    assert!(matches!(error, FlowScoreError::Size { what: "mask", expected: (5, 1), found: (4, 1) }));
    assert!(score_flow(&row(&[[0.0; 2]]), &truth, (40, 80), None, TSS_ALPHA).is_err());
    let pixel = score_flow(&row(&[[0.05, 0.0]]), &row(&[[0.0; 2]]), (1, 1), None, TSS_ALPHA).unwrap();
    assert_eq!(pixel.share(), 0.0, "f32 .05 lies above .05, in an image of one pixel too");
}

// ---------------------------------------------------------------- masks

#[test]
fn a_square_is_rasterised_by_its_pixel_centres() {
    let mask = |polygon: &[[f32; 2]]| {
        let mask = ObjectMask::from_polygon(polygon, (5, 4));
        mask.pixels()
            .chunks(5)
            .map(|row| row.iter().map(|i| if *i { '#' } else { '.' }).collect())
            .collect::<Vec<String>>()
    };
    // Left and upper edges belong to it, right and lower ones do not.
    assert_eq!(mask(&[[1.0, 1.0], [4.0, 1.0], [4.0, 3.0], [1.0, 3.0]]), [".....", ".###.", ".###.", "....."]);
    assert_eq!(
        mask(&[[1.0, 3.0], [4.0, 3.0], [4.0, 1.0], [1.0, 1.0]]),
        [".....", ".###.", ".###.", "....."],
        "either way round"
    );
    assert_eq!(mask(&[[-9.0, -9.0], [90.0, -9.0], [90.0, 90.0], [-9.0, 90.0]]), ["#####"; 4], "larger than the image");
    assert_eq!(mask(&[[0.5, 0.5], [3.5, 0.5]]), ["....."; 4], "two vertices enclose nothing");
    assert_eq!(mask(&[[1.0, 1.0], [1.0, 1.0], [1.0, 1.0]]), ["....."; 4], "no area");
    // A bow tie: the two triangles, and a square covered twice is a hole.
    let twice = [
        [-0.5, -0.5],
        [4.5, -0.5],
        [4.5, 3.5],
        [-0.5, 3.5],
        [-0.5, -0.5],
        [0.5, 0.5],
        [3.5, 0.5],
        [3.5, 2.5],
        [0.5, 2.5],
        [0.5, 0.5],
    ];
    assert_eq!(mask(&twice), ["#####", "#...#", "#...#", "#####"]);
    assert_eq!(mask(&[[1.0, 1.0], [NAN, 7.0], [4.0, 1.0], [4.0, 3.0], [1.0, f32::INFINITY], [1.0, 3.0]])[1], ".###.");
    assert_eq!(mask(&[[-1e30, -1e30], [1e30, -1e30], [1e30, 1e30], [-1e30, 1e30]]), ["#####"; 4]);
}

#[test]
fn label_accuracy_and_iou_by_hand() {
    let square = |left: f32| [[left, 0.0], [left + 2.0, 0.0], [left + 2.0, 2.0], [left, 2.0]];
    let score = score_mask_transfer(&square(1.0), &square(0.0), (4, 2)).unwrap();
    // Columns 1–2 against columns 0–1: one of three columns in both, two of four labelled differently.
    assert_eq!((score.label_accuracy, score.iou, score.invalid), (0.5, 1.0 / 3.0, 0));
    let score = score_mask_transfer(&[[NAN, 0.0]; 4], &square(0.0), (4, 2)).unwrap();
    assert_eq!((score.label_accuracy, score.iou, score.invalid), (0.5, 0.0, 4));
    let score = score_mask_transfer(&[], &[], (1, 1)).unwrap();
    assert_eq!((score.label_accuracy, score.iou), (1.0, 1.0), "nothing against nothing");
    assert_eq!(score_mask_transfer(&[], &[], (0, 3)), Err(MaskTransferError::NoPixels((0, 3))));
    let one = |inside| ObjectMask::from_pixels((1, 1), vec![inside]);
    assert_eq!(compare_masks(&one(true), &one(true)).unwrap().iou, 1.0);
    assert_eq!(compare_masks(&one(true), &one(false)).unwrap().label_accuracy, 0.0);
}

#[test]
fn localisation_error_is_relative_to_the_boxes() {
    let (source, target) = ([10.0, 10.0, 30.0, 50.0], [0.0, 0.0, 200.0, 100.0]);
    // The middle of the source's box to the middle of the target's, then 20 of 200 and 10 of 100 pixels beside it.
    let error =
        |answers: &[[f32; 2]]| localisation_error(&vec![[20.0, 30.0]; answers.len()], answers, source, target).unwrap();
    assert_eq!(error(&[[100.0, 50.0]]).mean, Some(0.0));
    assert!((error(&[[120.0, 40.0]]).mean.unwrap() - 0.1).abs() < 1e-12);
    assert!((error(&[[120.0, 50.0], [100.0, 50.0]]).mean.unwrap() - 0.025).abs() < 1e-12);
    let some = error(&[[NAN, 0.0], [100.0, 50.0]]);
    assert_eq!((some.mean, some.invalid), (Some(0.0), 1));
    assert_eq!(error(&[[NAN, 0.0]]).mean, None);
    assert_eq!(error(&[]).mean, None);
    let flat = localisation_error(&[[1.0; 2]], &[[1.0; 2]], source, [5.0, 5.0, 5.0, 9.0]).unwrap_err();
    assert!(flat.to_string().starts_with("the target's box [5.0, 5.0, 5.0, 9.0] has no width or no height"), "{flat}");
    let count = localisation_error(&[[1.0; 2]], &[], source, target).unwrap_err();
    assert_eq!(count, MaskTransferError::PointCount { expected: 1, found: 0 });
}

// ---------------------------------------------------------------- paired bootstrap

/// The score of pair `index`, which has two images of its own.
fn score(index: usize, class: usize, correct: usize) -> PairScore {
    let images = [2 * index as u64, 2 * index as u64 + 1];
    PairScore { class: class.to_string(), images, points: 10, correct: vec![correct, 10], invalid: 0 }
}

#[test]
fn a_small_steady_gain_is_sure_where_separate_intervals_overlap() {
    // Pairs differ wildly, and A is one point of ten better on half of them.
    let b: Vec<_> = (0..200).map(|index| score(index, index % 3, (index * 7) % 10)).collect();
    let a: Vec<_> = (0..200).map(|index| score(index, index % 3, (index * 7) % 10 + index % 2)).collect();
    for kind in [Average::Image, Average::Point, Average::Category] {
        let [gain, none] = paired_bootstrap(&a, &b, kind, Bootstrap::default())[..] else { panic!("two thresholds") };
        let alone = average(&a, kind, Bootstrap::default())[0];
        assert!((gain.difference - 0.05).abs() < 0.002, "{gain:?}");
        assert!(0.0 < gain.low && gain.low < gain.difference && gain.difference < gain.high, "{gain:?}");
        // The standard error of a half of .1 each is .05 / √200 = .0035; 95 %: ±.007.
        assert!((gain.high - gain.low - 0.0139).abs() < 0.002 && alone.high - alone.low > 0.07, "{gain:?}, {alone:?}");
        assert_eq!((gain.better, gain.worse), (1.0, 0.0));
        assert_eq!((none.difference, none.low, none.high, none.better, none.worse), (0.0, 0.0, 0.0, 0.0, 0.0));
        let turned = paired_bootstrap(&b, &a, kind, Bootstrap::default())[0];
        assert_eq!((turned.difference, turned.worse), (-gain.difference, 1.0));
        assert_eq!(paired_bootstrap(&a, &b, kind, Bootstrap::default())[0], gain, "one seed, one answer");
    }
}

#[test]
fn chance_is_not_taken_for_a_gain() {
    let b: Vec<_> = (0..400).map(|index| score(index, 0, index % 10)).collect();
    let a: Vec<_> = (0..400).map(|index| score(index, 0, (index / 2) % 10)).collect();
    let chance = paired_bootstrap(&a, &b, Average::Image, Bootstrap::default())[0];
    assert!(chance.low < 0.0 && chance.high > 0.0, "{chance:?}");
    assert!(chance.better > 0.2 && chance.worse > 0.2 && chance.better + chance.worse <= 1.0, "{chance:?}");
    let bare = paired_bootstrap(&a, &b, Average::Image, Bootstrap { resamples: 0, seed: 0 })[0];
    assert_eq!((bare.low, bare.high, bare.better), (bare.difference, bare.difference, 0.0));
}

#[test]
#[should_panic(expected = "pair 1 is not the same for both methods")]
fn methods_scored_on_other_pairs_are_not_compared() {
    paired_bootstrap(
        &[score(0, 0, 1), score(1, 1, 1)],
        &[score(0, 0, 1), score(1, 2, 1)],
        Average::Image,
        Bootstrap::default(),
    );
}

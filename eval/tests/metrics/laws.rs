//! What every scorer must do, whatever it is given.

use eval::{
    Average, Bootstrap, CacheKey, CachedPrediction, Direction, Flow, KapAnswers, KeyPointImage, KeyPointPair,
    ObjectMask, PairScore, Prediction, PredictionCache, Protocol, Rivals, TSS_ALPHA, average, flow_bytes, kap,
    kap_candidates, paired_bootstrap, parse_flow, score_confusion, score_flow, score_mask_transfer, score_pair,
};
use proptest::prelude::*;

const NONE: Bootstrap = Bootstrap { resamples: 0, seed: 0 };
const LENGTHS: [&str; 4] = ["img", "bbox", "bbox-kp", "bbox-padded"];

/// A pair with up to 8 common key points, up to 2 that only one image shows, and answers in both directions.
#[derive(Clone, Debug)]
struct Asked {
    pair: KeyPointPair,
    forward: Vec<[f32; 2]>,
    backward: Vec<[f32; 2]>,
    confidence: Vec<f32>,
    unshared_confidence: [f32; 2],
}

impl Asked {
    fn answers(&self, protocol: &Protocol) -> &[[f32; 2]] {
        if protocol.direction == Direction::Forward { &self.forward } else { &self.backward }
    }
}

prop_compose! {
    fn any_asked()(
        sizes in prop::array::uniform2((10u32..400, 10u32..400)),
        points in prop::collection::vec((any_point(400.0), any_point(400.0), any_shift(), 0u8..10), 1..8),
        class in prop::sample::select(vec!["a", "b", "c"]),
        lonely in prop::array::uniform2(any_point(400.0)),
        boxes in prop::array::uniform2(prop::array::uniform4(-50.0f32..450.0)),
        unshared_confidence in prop::array::uniform2(0.0f32..1.0),
        seen in prop::array::uniform2(any::<bool>()),
    ) -> Asked {
        let side = |name: &str, size, points: Vec<Option<[f32; 2]>>, [a, b, c, d]: [f32; 4]| KeyPointImage {
            path: name.into(),
            class: class.to_owned(),
            size,
            key_points: points,
            object_box: Some([a.min(c), b.min(d), a.max(c), b.max(d)]),
        };
        let lonely_source = [seen[0].then_some(lonely[0]), None];
        let lonely_target = [None, seen[1].then_some(lonely[1])];
        let source = points.iter().map(|p| Some(p.0)).chain(lonely_source).collect();
        let target = points.iter().map(|p| Some(p.1)).chain(lonely_target).collect();
        let (source, target) = (side("s", sizes[0], source, boxes[0]), side("t", sizes[1], target, boxes[1]));
        let pair = KeyPointPair::new(&source, &target).unwrap();
        let off = |point: [f32; 2], shift: [f32; 2]| [point[0] + shift[0], point[1] + shift[1]];
        Asked {
            forward: points.iter().map(|p| off(p.1, p.2)).collect(),
            backward: points.iter().map(|p| off(p.0, p.2)).collect(),
            confidence: points.iter().map(|p| f32::from(p.3)).collect(),
            unshared_confidence,
            pair,
        }
    }
}

fn any_point(side: f32) -> impl Strategy<Value = [f32; 2]> {
    prop::array::uniform2(0.0..side)
}

/// Exact, a little off, or far off.
fn any_shift() -> impl Strategy<Value = [f32; 2]> {
    prop_oneof![
        1 => Just([0.0, 0.0]),
        4 => prop::array::uniform2(-12.0f32..12.0),
        2 => prop::array::uniform2(-150.0f32..150.0),
    ]
}

fn any_protocol() -> impl Strategy<Value = Protocol> {
    let frame = prop_oneof![
        Just("original".to_owned()),
        (1u32..600).prop_map(|side| format!("stretched:{side}")),
        (1u32..600).prop_map(|side| format!("padded:{side}"))
    ];
    let length = prop::sample::select(LENGTHS.to_vec());
    let direction = prop::sample::select(vec!["forward", "backward"]);
    let average = prop::sample::select(vec!["image", "point", "category"]);
    (frame, length, direction, average).prop_map(|(frame, length, direction, average)| {
        format!("frame={frame},length={length},direction={direction},average={average}").parse().unwrap()
    })
}

fn scored(asked: &[Asked], protocol: &Protocol) -> Vec<PairScore> {
    asked.iter().map(|asked| score_pair(&asked.pair, asked.answers(protocol), protocol).unwrap()).collect()
}

fn values(scores: &[PairScore], kind: Average) -> Vec<f64> {
    average(scores, kind, NONE).iter().map(|pck| pck.value).collect()
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-12
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn perfect_answers_score_one_under_every_protocol(
        asked in prop::collection::vec(any_asked(), 1..6),
        protocol in any_protocol(),
    ) {
        let perfect = |asked: Asked| {
            let (forward, backward) = (asked.pair.target.points.clone(), asked.pair.source.points.clone());
            Asked { forward, backward, ..asked }
        };
        let asked: Vec<_> = asked.into_iter().map(perfect).collect();
        let scores = scored(&asked, &protocol);
        prop_assert!(values(&scores, protocol.average).iter().all(|value| close(*value, 1.0)));
        for asked in &asked {
            let confusion = score_confusion(&asked.pair, asked.answers(&protocol), &protocol, Rivals::Shown).unwrap();
            prop_assert!(confusion.right.correct.iter().all(|right| *right == confusion.right.points));
        }
    }

    #[test]
    fn larger_thresholds_are_no_harder(asked in any_asked(), protocol in any_protocol()) {
        let protocol = protocol.with_alphas(&[0.001, 0.01, 0.02, 0.05, 0.1, 0.15, 0.3, 1.0, 30.0]);
        let answers = asked.answers(&protocol);
        prop_assert!(score_pair(&asked.pair, answers, &protocol).unwrap().correct.is_sorted());
        let confusion = score_confusion(&asked.pair, answers, &protocol, Rivals::Shown).unwrap();
        prop_assert!(confusion.right.correct.is_sorted() && confusion.swapped.correct.is_sorted());
    }

    #[test]
    fn scaling_everything_changes_nothing(
        asked in any_asked(),
        length in prop::sample::select(vec!["img", "bbox", "bbox-kp"]),
        frame in prop::sample::select(vec!["original", "stretched:256", "padded:256"]),
    ) {
        // By a power of two, so that no rounding moves a point over a threshold. The padded length has its own "plus
        // 1".
        let doubled = |points: &[[f32; 2]]| points.iter().map(|[x, y]| [2.0 * x, 2.0 * y]).collect::<Vec<_>>();
        let mut large = asked.pair.clone();
        large.target.size = (2 * large.target.size.0, 2 * large.target.size.1);
        large.target.points = doubled(&large.target.points);
        large.target.key_point_box = large.target.key_point_box.map(|x| 2.0 * x);
        large.target.object_box = large.target.object_box.map(|corners| corners.map(|x| 2.0 * x));
        large.target.unshared.iter_mut().for_each(|other| other.point = other.point.map(|x| 2.0 * x));
        let protocol: Protocol = format!("frame={frame},length={length}").parse().unwrap();
        let answers = doubled(&asked.forward);
        prop_assert_eq!(score_pair(&asked.pair, &asked.forward, &protocol), score_pair(&large, &answers, &protocol));
        prop_assert_eq!(
            score_confusion(&asked.pair, &asked.forward, &protocol, Rivals::Shown),
            score_confusion(&large, &answers, &protocol, Rivals::Shown)
        );
    }

    #[test]
    fn the_mean_of_pairs_is_the_mean_of_reports_of_one_pair(
        asked in prop::collection::vec(any_asked(), 1..8),
        protocol in any_protocol(),
    ) {
        let scores = scored(&asked, &protocol);
        let alone = scores.iter().map(|score| values(std::slice::from_ref(score), Average::Image));
        let alone: Vec<Vec<f64>> = alone.collect();
        for (level, value) in values(&scores, Average::Image).into_iter().enumerate() {
            let mean = alone.iter().map(|values| values[level]).sum::<f64>() / alone.len() as f64;
            prop_assert!(close(value, mean), "{} {}", value, mean);
        }
        // And by point: the mean weighted by points. By class: the mean of the classes' own means.
        let points: usize = scores.iter().map(|score| score.points).sum();
        let weighted: f64 = scores.iter().zip(&alone).map(|(score, values)| score.points as f64 * values[2]).sum();
        prop_assert!(close(values(&scores, Average::Point)[2], weighted / points as f64));
        let classes: std::collections::BTreeSet<_> = scores.iter().map(|score| &score.class).collect();
        let of_class = |class: &String| {
            let own: Vec<_> = scores.iter().filter(|score| score.class == *class).cloned().collect();
            values(&own, Average::Image)[2]
        };
        let mean = classes.iter().map(|class| of_class(class)).sum::<f64>() / classes.len() as f64;
        prop_assert!(close(values(&scores, Average::Category)[2], mean));
    }

    #[test]
    fn stretched_is_original_on_square_images(
        mut asked in any_asked(),
        side in 10u32..400,
        length in prop::sample::select(LENGTHS.to_vec()),
    ) {
        asked.pair.target.size = (side, side);
        let score = |frame: &str| {
            let protocol: Protocol = format!("frame={frame},length={length}").parse().unwrap();
            score_pair(&asked.pair, &asked.forward, &protocol).unwrap()
        };
        prop_assert_eq!(score("original"), score(&format!("stretched:{side}")));
        prop_assert_eq!(score("original"), score(&format!("padded:{side}")));
        // At another side every length but the padded one, with its "plus 1", scales with the frame; by a power of two,
        // exactly.
        if length != "bbox-padded" {
            prop_assert_eq!(score("original"), score(&format!("stretched:{}", 4 * side)));
        }
    }

    #[test]
    fn swapping_the_direction_is_swapping_source_and_target(asked in any_asked(), mut protocol in any_protocol()) {
        protocol.direction = Direction::Backward;
        let turned = asked.pair.clone().reversed();
        let forward = Protocol { direction: Direction::Forward, ..protocol.clone() };
        prop_assert_eq!(
            score_pair(&asked.pair, &asked.backward, &protocol),
            score_pair(&turned, &asked.backward, &forward)
        );
        prop_assert_eq!(
            score_confusion(&asked.pair, &asked.backward, &protocol, Rivals::Shown),
            score_confusion(&turned, &asked.backward, &forward, Rivals::Shown)
        );
        let answers = KapAnswers {
            points: &asked.backward,
            confidence: Some(&asked.confidence),
            unshared_confidence: Some(&asked.unshared_confidence[..asked.pair.target.unshared.len()]),
        };
        prop_assert_eq!(kap_candidates(&asked.pair, answers, &protocol), kap_candidates(&turned, answers, &forward));
    }

    #[test]
    fn the_padded_threshold_is_no_smaller_than_that_of_the_tight_box(
        asked in any_asked(),
        mut protocol in any_protocol(),
    ) {
        // Key points are not left of or above the image here; the padded length is not defined for others.
        let mut correct = |length: &str| {
            protocol.length = length.parse().unwrap();
            score_pair(&asked.pair, asked.answers(&protocol), &protocol).unwrap().correct
        };
        let (padded, tight) = (correct("bbox-padded"), correct("bbox-kp"));
        prop_assert!(padded.iter().zip(&tight).all(|(padded, tight)| padded >= tight));
    }

    #[test]
    fn every_point_is_right_swapped_or_missed(asked in any_asked(), protocol in any_protocol()) {
        let answers = asked.answers(&protocol);
        let plain = score_pair(&asked.pair, answers, &protocol).unwrap();
        let kinds = |rivals| score_confusion(&asked.pair, answers, &protocol, rivals).unwrap();
        let (shared, shown) = (kinds(Rivals::Shared), kinds(Rivals::Shown));
        for level in 0..plain.correct.len() {
            for score in [&shared, &shown] {
                let counts = [&score.right, &score.swapped, &score.missed].map(|kind| kind.correct[level]);
                prop_assert_eq!(counts.iter().sum::<usize>(), plain.points);
                prop_assert!(score.right.correct[level] <= plain.correct[level], "PCK† is no more than PCK");
            }
            prop_assert!(shown.right.correct[level] <= shared.right.correct[level], "more rivals, fewer right points");
        }
    }

    #[test]
    fn kap_is_a_share_and_best_for_the_confidence_that_knows(
        asked in prop::collection::vec(any_asked(), 1..6),
        protocol in any_protocol(),
    ) {
        let candidates = |confidence: &dyn Fn(&Asked) -> (Vec<f32>, f32)| -> Vec<_> {
            asked.iter().map(|asked| {
                let (confidence, absent) = confidence(asked);
                let count = protocol.direction.asked(&asked.pair).unshared.len();
                let answers = KapAnswers {
                    points: asked.answers(&protocol),
                    confidence: Some(&confidence),
                    unshared_confidence: Some(&[absent; 2][..count]),
                };
                kap_candidates(&asked.pair, answers, &protocol).unwrap()
            }).collect()
        };
        let given = candidates(&|asked| (asked.confidence.clone(), asked.unshared_confidence[0]));
        let given = kap(&given, protocol.average);
        let single = protocol.clone().with_alphas(&protocol.alphas[1..2]);
        let knowing = candidates(&|asked| {
            let right = asked.answers(&protocol).iter().enumerate().map(|(index, _)| {
                // Whether point `index` is right: the score of the pair in which all others are answered by NaN.
                let mut lone = vec![[f32::NAN; 2]; asked.confidence.len()];
                lone[index] = asked.answers(&protocol)[index];
                score_pair(&asked.pair, &lone, &single).unwrap().correct[0] as f32
            });
            (right.collect(), 0.0)
        });
        let knowing = kap(&knowing, protocol.average)[1];
        prop_assert!(given.iter().all(|value| (0.0..=1.0 + 1e-12).contains(value)));
        prop_assert!(given[1] <= knowing + 1e-12, "{} {}", given[1], knowing);
        let share = values(&scored(&asked, &protocol), protocol.average)[1];
        if protocol.average != Average::Category {
            prop_assert!(close(knowing, share), "right ones ahead, AP is recall: {} {}", knowing, share);
        }
    }

    #[test]
    fn a_method_is_as_good_as_itself_and_differences_are_differences(
        asked in prop::collection::vec(any_asked(), 1..8),
        protocol in any_protocol(),
        seed in any::<u64>(),
    ) {
        let a = scored(&asked, &protocol);
        let worse = |asked: &Asked| asked.answers(&protocol).iter().map(|[x, y]| [x + 5.0, *y]).collect::<Vec<_>>();
        let b: Vec<_> = asked.iter().map(|asked| score_pair(&asked.pair, &worse(asked), &protocol).unwrap()).collect();
        let bootstrap = Bootstrap { resamples: 20, seed };
        for same in paired_bootstrap(&a, &a, protocol.average, bootstrap) {
            prop_assert_eq!((same.difference, same.low, same.high, same.better, same.worse), (0.0, 0.0, 0.0, 0.0, 0.0));
        }
        let means = values(&a, protocol.average).into_iter().zip(values(&b, protocol.average));
        let forth = paired_bootstrap(&a, &b, protocol.average, bootstrap);
        let back = paired_bootstrap(&b, &a, protocol.average, bootstrap);
        for ((forth, back), (a, b)) in forth.iter().zip(&back).zip(means) {
            prop_assert!(close(forth.difference, a - b) && close(forth.difference, -back.difference));
            prop_assert_eq!((forth.better, forth.worse), (back.worse, back.better));
            prop_assert!(forth.low <= forth.high && close(forth.low, -back.high));
        }
    }

    #[test]
    fn flow_bytes_survive(width in 1u32..6, height in 1u32..6, bits in prop::collection::vec(any::<[u32; 2]>(), 25)) {
        let vectors = bits[..(width * height) as usize].iter().map(|pair| pair.map(f32::from_bits)).collect();
        let bytes = flow_bytes(&Flow::new((width, height), vectors));
        prop_assert_eq!(flow_bytes(&parse_flow(&bytes).unwrap()), bytes);
    }

    #[test]
    fn flow_scores_grow_with_the_threshold_and_do_not_depend_on_what_is_unknown(
        vectors in prop::collection::vec((any_shift(), any_shift(), any::<bool>()), 1..30),
        side in 1u32..900,
    ) {
        let size = (vectors.len() as u32, 1);
        let truth = vectors.iter().map(|(truth, _, known)| if *known { *truth } else { [2e9, 0.0] });
        let truth = Flow::new(size, truth.collect());
        let predicted = Flow::new(size, vectors.iter().map(|(_, predicted, _)| *predicted).collect());
        let known = vectors.iter().filter(|(_, _, known)| *known).count();
        let score = |alpha| score_flow(&predicted, &truth, (side, 1), None, alpha);
        match score(TSS_ALPHA) {
            Err(_) => prop_assert_eq!(known, 0),
            Ok(score_here) => {
                prop_assert_eq!(score_here.pixels, known);
                prop_assert!(score_here.right <= score(2.0 * TSS_ALPHA).unwrap().right);
                prop_assert_eq!(score_flow(&truth, &truth, (side, 1), None, TSS_ALPHA).unwrap().share(), 1.0);
            }
        }
    }

    #[test]
    fn masks_agree_with_themselves_and_in_either_order(
        a in prop::collection::vec(any_point(24.0), 3..9),
        b in prop::collection::vec(any_point(24.0), 3..9),
        size in (1u32..24, 1u32..24),
    ) {
        let same = score_mask_transfer(&a, &a, size).unwrap();
        prop_assert_eq!((same.label_accuracy, same.iou), (1.0, 1.0));
        let score = score_mask_transfer(&a, &b, size).unwrap();
        prop_assert_eq!(score, score_mask_transfer(&b, &a, size).unwrap());
        prop_assert!((0.0..=1.0).contains(&score.iou) && (0.0..=1.0).contains(&score.label_accuracy));
        // Starting at another vertex, or going the other way round, encloses the same pixels but for rounding on an
        // edge.
        let mut turned = a.clone();
        turned.rotate_left(1);
        prop_assert_eq!(ObjectMask::from_polygon(&a, size), ObjectMask::from_polygon(&turned, size));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn cached_answers_score_as_direct_ones(
        mut asked in prop::collection::vec(any_asked(), 1..6),
        protocol in any_protocol(),
        extremes in prop::collection::vec(any::<u32>().prop_map(f32::from_bits), 8),
    ) {
        for (index, asked) in asked.iter_mut().enumerate() {
            asked.pair.id = format!("{index}");
            asked.forward[0] = [extremes[index], 3.0];
            asked.backward[0] = [extremes[index], 3.0];
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("predictions.jsonl");
        let key = CacheKey::new();
        let mut cache = PredictionCache::open(&path, &key).unwrap();
        for asked in &asked {
            let points = asked.answers(&protocol).to_vec();
            let confidence = Some(asked.confidence.clone());
            let unshared_confidence = Some(asked.unshared_confidence.to_vec());
            let (pair, method) = (asked.pair.id.clone(), "m".to_owned());
            let prediction = Prediction { pair, method, points, confidence, unshared_confidence };
            let points = protocol.direction.asked(&asked.pair).points.clone();
            let (images, asked_unshared) = ("i".to_owned(), vec![[0.5, 1.0], [0.5, 2.0]]);
            cache.insert(CachedPrediction { prediction, images, asked: points, asked_unshared }).unwrap();
        }
        drop(cache);
        let cache = PredictionCache::open(&path, &key).unwrap();
        for asked in &asked {
            let cached = &cache.get("m", &asked.pair.id, "i").unwrap().prediction;
            for (read, given) in cached.points.iter().flatten().zip(asked.answers(&protocol).iter().flatten()) {
                prop_assert!(if given.is_finite() { read == given } else { read.is_nan() }, "{} {}", read, given);
            }
            prop_assert_eq!(cached.confidence.as_ref(), Some(&asked.confidence));
            prop_assert_eq!(cached.unshared_confidence.as_deref(), Some(&asked.unshared_confidence[..]));
            prop_assert_eq!(
                score_pair(&asked.pair, &cached.points, &protocol),
                score_pair(&asked.pair, asked.answers(&protocol), &protocol)
            );
        }
    }
}

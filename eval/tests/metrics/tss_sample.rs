//! TSS's real ground truth, where `SCORR_TEST_DATA` names a folder with `tss` in it.

use eval::{Flow, FlowScore, ObjectMask, TSS_ALPHA, TssScores, flow_bytes, parse_flow, read_foreground, score_flow};

use crate::skips::test_data;

const PAIRS: [(&str, &str); 3] = [("FG3DCar", "001_005"), ("JODS", "car_01_02"), ("PASCAL", "bike_01_02")];

/// One directed pair: the subset, the flow's bytes, the flow, the mask of its image, and the size of the other image.
struct Directed {
    subset: &'static str,
    bytes: Vec<u8>,
    truth: Flow,
    mask: ObjectMask,
    other_size: (u32, u32),
}

fn sample() -> Option<Vec<Directed>> {
    let root = test_data("tss")?;
    let mut found = Vec::new();
    for (subset, name) in PAIRS {
        let folder = root.join(subset).join(name);
        let bytes = [1, 2].map(|image| std::fs::read(folder.join(format!("flow{image}.flo"))).unwrap());
        let flows = [&bytes[0], &bytes[1]].map(|bytes| parse_flow(bytes).unwrap());
        let sizes = [flows[1].size(), flows[0].size()];
        for (index, ((bytes, truth), other_size)) in bytes.into_iter().zip(flows).zip(sizes).enumerate() {
            let mask = read_foreground(&folder.join(format!("mask{}.png", index + 1))).unwrap();
            found.push(Directed { subset, bytes, truth, mask, other_size });
        }
    }
    Some(found)
}

fn changed(flow: &Flow, change: impl Fn(usize, [f32; 2]) -> [f32; 2]) -> Flow {
    let known = |index: usize| flow.get(index as u32 % flow.size().0, index as u32 / flow.size().0).is_some();
    let vectors = flow.vectors().iter().enumerate();
    Flow::new(flow.size(), vectors.map(|(index, v)| if known(index) { change(index, *v) } else { *v }).collect())
}

fn scores(sample: &[Directed], change: impl Fn(&Directed, usize, [f32; 2]) -> [f32; 2]) -> TssScores {
    let score = |directed: &Directed| -> FlowScore {
        let predicted = changed(&directed.truth, |index, vector| change(directed, index, vector));
        let kit = score_flow(&predicted, &directed.truth, directed.other_size, None, TSS_ALPHA).unwrap();
        let mask = Some(&directed.mask);
        let foreground = score_flow(&predicted, &directed.truth, directed.other_size, mask, TSS_ALPHA).unwrap();
        assert_eq!(kit, foreground, "the ground truth is known on the foreground and nowhere else");
        kit
    };
    TssScores::new(&sample.iter().map(|directed| (directed.subset, score(directed))).collect::<Vec<_>>())
}

#[test]
fn files_survive_reading_and_writing() {
    for directed in sample().unwrap_or_default() {
        assert_eq!(flow_bytes(&directed.truth), directed.bytes);
    }
}

#[test]
fn the_truth_scores_100_and_its_negation_what_arithmetic_says() {
    let Some(sample) = sample() else { return };
    let truth = scores(&sample, |_, _, vector| vector);
    assert_eq!((truth.average, truth.subsets.len()), (100.0, 3));
    assert!(truth.subsets.iter().all(|subset| subset.directed_pairs == 2 && subset.score == 100.0));

    // −v is off by 2|v|: right where 2|v| is within the threshold.
    let negated = scores(&sample, |_, _, [u, v]| [-u, -v]);
    for subset in &negated.subsets {
        let share = |directed: &Directed| {
            let limit = 0.05 * f64::from(directed.other_size.0.max(directed.other_size.1));
            let known = directed.truth.vectors().iter().filter(|vector| vector[0] < 1e9);
            let lengths: Vec<f64> = known.map(|[u, v]| f64::from(*u).hypot(f64::from(*v))).collect();
            lengths.iter().filter(|length| 2.0 * **length <= limit).count() as f64 / lengths.len() as f64
        };
        let shares: Vec<f64> = sample.iter().filter(|directed| directed.subset == subset.subset).map(share).collect();
        assert!((subset.score - 100.0 * (shares[0] + shares[1]) / 2.0).abs() < 1e-9, "{subset:?}");
    }
    let of = |name| negated.subsets.iter().find(|subset| subset.subset == name).unwrap().score;
    println!("negated: {negated:?}");
    // The cars of FG3DCar stand at much the same place in both images: half the vectors' lengths are near the
    // threshold.
    assert!(of("FG3DCar") < 30.0 && of("JODS") < 2.0 && of("PASCAL") == 0.0);
}

#[test]
fn flows_off_by_a_known_number_of_pixels_score_what_arithmetic_says() {
    let Some(sample) = sample() else { return };
    let limit = |directed: &Directed| 0.05 * directed.other_size.0.max(directed.other_size.1) as f32;
    let off = |share: f32| {
        scores(&sample, |directed, _, [u, v]| [u + 0.6 * share * limit(directed), v - 0.8 * share * limit(directed)])
    };
    assert_eq!(off(0.999).average, 100.0);
    assert_eq!(off(1.001).average, 0.0);
    // Every pixel of an odd index is off by 1.5 thresholds.
    let half = scores(&sample, |directed, index, [u, v]| [u + (index % 2) as f32 * 1.5 * limit(directed), v]);
    for subset in &half.subsets {
        let even = |directed: &Directed| {
            let vectors = directed.truth.vectors().iter().enumerate().filter(|(_, vector)| vector[0] < 1e9);
            let (even, all) = vectors.fold((0, 0), |(even, all), (index, _)| (even + (index + 1) % 2, all + 1));
            even as f64 / all as f64
        };
        let shares: Vec<f64> = sample.iter().filter(|directed| directed.subset == subset.subset).map(even).collect();
        assert!((subset.score - 50.0 * (shares[0] + shares[1])).abs() < 1e-9, "{subset:?}");
    }
}

#[test]
fn a_matcher_that_saw_the_other_image_as_it_is_is_mirrored() {
    let Some(sample) = sample() else { return };
    for directed in &sample {
        let width = directed.other_size.0;
        let unmirrored = directed.truth.clone().mirrored(width);
        let score = |predicted: &Flow| {
            score_flow(predicted, &directed.truth, directed.other_size, None, TSS_ALPHA).unwrap().share()
        };
        assert_eq!(score(&unmirrored.clone().mirrored(width)), 1.0);
        assert!(score(&unmirrored) < 0.5, "{}", score(&unmirrored));
    }
}

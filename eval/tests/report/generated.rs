//! A small report whose every name is hostile.

use eval::{
    BenchmarkSection, Bootstrap, ClassScores, DrawnPair, HtmlReport, MethodScores, PairGroup, PairScore, PckCurve,
    Protocol, ScoreReport, published_scores,
};
use image::{Rgb, RgbImage};

/// A name that is a script where it is not escaped, in an element or in an attribute.
pub fn hostile(name: &str) -> String {
    format!("{name}<script>alert('{name}')</script>\" onerror=\"alert(1)&amp;\u{1}")
}

pub fn protocol() -> Protocol {
    Protocol::default().with_alphas(&[0.05, 0.10, 0.15])
}

/// Two pairs of each of two classes, with four points each.
pub fn methods() -> Vec<MethodScores> {
    let score = |class: &str, correct: [usize; 3]| PairScore {
        class: hostile(class),
        images: [1, 2],
        points: 4,
        correct: correct.to_vec(),
        invalid: 0,
    };
    let scores =
        |a: [usize; 3], b: [usize; 3]| vec![score("cat", a), score("cat", b), score("ant", a), score("ant", a)];
    vec![
        MethodScores { method: hostile("first"), pairs: scores([1, 2, 4], [0, 2, 2]) },
        MethodScores { method: hostile("second"), pairs: scores([0, 1, 1], [0, 0, 1]) },
    ]
}

/// A pair of a wide and a tall image: a right point, a wrong one, one outside its image and one that is no number.
pub fn drawn_pair(group: PairGroup) -> DrawnPair {
    let image = |width, height| RgbImage::from_fn(width, height, |x, y| Rgb([x as u8, y as u8, 128]));
    DrawnPair {
        id: hostile("pair"),
        class: hostile("cat"),
        method: hostile("first"),
        group,
        source: image(1000, 500),
        target: image(90, 160),
        points: vec![[10.0, 20.0], [500.0, 250.0], [999.0, 499.0], [0.0, 0.0]],
        predicted: vec![[13.0, 24.0], [50.0, 100.0], [-400.0, 1e30], [f32::NAN, 3.0]],
        truth: vec![[10.0, 20.0], [80.0, 140.0], [30.0, 30.0], [3.0, 3.0]],
        scale: [1.0, 1.0],
        length: 50.0,
        alpha: 0.10,
    }
}

pub fn report() -> HtmlReport {
    let (protocol, methods) = (protocol(), methods());
    let section = |benchmark: &str, pairs: Vec<DrawnPair>| BenchmarkSection {
        report: ScoreReport::new(&hostile(benchmark), &protocol, &methods, Bootstrap::default()),
        notes: vec![hostile("note")],
        curves: methods.iter().map(|method| PckCurve::new(&protocol, method)).collect(),
        classes: Some(ClassScores::new(&protocol, &methods, 0.10)),
        pairs,
        published: published_scores(benchmark),
    };
    HtmlReport {
        title: hostile("title"),
        facts: vec![(hostile("fact"), hostile("value"))],
        sections: vec![
            section("spair", vec![drawn_pair(PairGroup::Best), drawn_pair(PairGroup::Worst)]),
            section("pf-willow", vec![]),
        ],
    }
}

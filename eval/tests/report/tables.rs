//! Markdown, curves and published scores.

use eval::{Bootstrap, ClassScores, PckCurve, ReadCounts, Row, ScoreReport, published_scores};

use crate::generated::{methods, protocol};

#[test]
fn markdown_is_a_table_with_its_protocol() {
    let row = |method: &str, alpha, pck| Row { method: method.to_owned(), alpha, pck, low: pck - 1.0, high: pck + 1.5 };
    let report = ScoreReport {
        benchmark: "two | ducks".to_owned(),
        protocol: "frame=original".to_owned(),
        pairs: 2,
        rows: vec![row("raw_hard", 0.1, 50.0), row("raw_hard", 0.005, 2.25), row("<b>", 0.1, 9.96)],
        counts: ReadCounts::default(),
    };
    assert_eq!(
        report.markdown(false),
        "**two \\| ducks**, 2 pairs, PCK in percent, protocol `frame=original`\n\n\
         | method | α = 0.10 | α = 0.005 |\n\
         | :--- | ---: | ---: |\n\
         | raw\\_hard | 50.0 | 2.2 |\n\
         | \\<b\\> | 10.0 |  |\n"
    );
    assert!(report.markdown(true).contains("| raw\\_hard | 50.0 [49.0, 51.5] | 2.2 [1.2, 3.8] |"));
}

#[test]
fn class_scores_are_the_means_of_classes() {
    let scores = ClassScores::new(&protocol(), &methods(), 0.10);
    assert_eq!(scores.classes.len(), 2);
    // Sorted: ant, cat. The second method has ¼ and ¼ right on ant, ¼ and none on cat.
    assert_eq!(scores.methods[1].1, [25.0, 12.5]);
    let markdown = scores.markdown();
    assert!(markdown.starts_with("| class, PCK (%) at α = 0.10 | first\\<script\\>"), "{markdown}");
    assert!(markdown.lines().nth(3).unwrap().ends_with("| 50.0 | 12.5 |"), "{markdown}");
}

#[test]
fn a_curve_goes_through_the_reported_scores() {
    let (protocol, methods) = (protocol().with_alphas(&[0.15, 0.05, 0.10]), methods());
    let report = ScoreReport::new("b", &protocol, &methods, Bootstrap::default());
    for method in &methods {
        let curve = PckCurve::new(&protocol, method);
        assert!(curve.points.is_sorted_by(|a, b| a.0 < b.0));
        for (alpha, pck) in curve.points {
            let row = report.rows.iter().find(|row| row.method == method.method && row.alpha == alpha).unwrap();
            assert_eq!(row.pck, pck);
        }
    }
}

#[test]
fn published_scores_are_found_by_benchmark() {
    let score = |benchmark: &str, method: &str| {
        published_scores(benchmark).into_iter().find(|score| score.method == method).map(|score| score.score)
    };
    assert_eq!(score("pf-pascal test", "CATs"), Some(92.6));
    assert_eq!(score("SPair-71k large test", "CATs"), Some(49.9));
    assert_eq!(score("pf-willow", "SCOT"), Some(76.2));
    assert_eq!(score("tss", "WarpC-SemGLU"), Some(87.2));
    assert_eq!(published_scores("willow-object"), []);
    let counts = ["pf-pascal", "spair", "pf-willow", "tss"].map(|benchmark| published_scores(benchmark).len());
    assert_eq!(counts, [6, 8, 3, 1]);
}

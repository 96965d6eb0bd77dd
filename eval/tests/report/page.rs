//! What stands in the page.

use eval::{DrawnPair, HtmlReport, KeyPointImage, KeyPointPair, PairGroup, PairScore, best_and_worst};

use crate::generated::{drawn_pair, report};
use crate::tags::elements;

#[test]
fn the_page_is_balanced_and_loads_nothing() {
    let html = report().html();
    let tags = elements(&html);
    assert!(tags.len() > 200);
    for tag in &tags {
        assert!(!["script", "link", "iframe", "object", "base"].contains(&tag.name.as_str()), "{tag:?}");
        for (name, value) in &tag.attributes {
            assert!(!name.starts_with("on"), "{tag:?}");
            match name.as_str() {
                "src" => assert!(value.starts_with("data:image/jpeg;base64,"), "{value:.60}"),
                "href" => assert!(value.starts_with("#benchmark-"), "{value}"),
                _ => {}
            }
        }
    }
    for load in ["http:", "https:", "url(", "@import", "file:"] {
        assert!(!html.contains(load), "{load}");
    }
    let ids: Vec<&str> = tags.iter().filter_map(|tag| tag.attribute("href")).collect();
    assert!(ids.len() >= 2, "two benchmarks to go to: {ids:?}");
    for id in ids {
        assert!(tags.iter().any(|tag| tag.attribute("id") == id.strip_prefix('#')), "{id}");
    }
}

#[test]
fn names_are_text_wherever_they_stand() {
    let html = report().html();
    for name in ["title", "fact", "value", "note", "cat", "ant", "first", "second", "pair", "spair", "pf-willow"] {
        assert!(html.contains(&format!("{name}&lt;script&gt;alert(&#39;{name}&#39;)")), "{name}");
    }
    // The library that draws figures writes the apostrophe its own way.
    assert!(html.contains("ant&lt;script&gt;alert(&apos;"), "the class in the figure");
    assert!(!html.contains('\u{1}') && html.contains('\u{fffd}'));
    let named = |name: &str| elements(&html).iter().filter(|tag| tag.name == name).count();
    assert_eq!((named("details"), named("img")), (4, 8), "two tables of classes and two pairs; four images a pair");
}

#[test]
fn equal_reports_are_equal_files() {
    assert_eq!(report().html(), report().html());
}

#[test]
fn numbers_stand_with_their_protocol() {
    let html = report().html();
    assert_eq!(html.matches("<code>frame=original,<wbr>length=bbox-kp,<wbr>direction=forward,").count(), 2);
    assert!(html.contains("4 pairs, scored under"));
    // The first method at α = .15: shares 1, ½, 1, 1.
    assert!(html.contains("<strong>87.5</strong> <small>["));
    assert!(html.contains("GeoAware, supervised</th><td class=\"n\">83.2</td>"));
    let context = html.find("From papers, for context only").unwrap();
    assert!(context < html.find("GeoAware").unwrap());
    assert!(html.contains("cannot be compared with the scores of this report"));
}

#[test]
fn a_report_of_nothing_is_a_page() {
    let html = HtmlReport { title: String::new(), facts: vec![], sections: vec![] }.html();
    elements(&html);
    assert!(!html.contains("<nav") && !html.contains("<dl"));
}

#[test]
fn each_point_has_its_distance() {
    let pair = drawn_pair(PairGroup::Best);
    let distances = pair.distances();
    // 3 and 4 pixels of 50; 30 and 40 pixels of 50.
    assert_eq!((distances[0], distances[1]), (0.1, 1.0));
    assert!(distances[2] > 1e20 && distances[3].is_nan());
    assert_eq!(pair.correct(), 1, "a distance of α itself is right");
    // One key point may leave a box without a side. What lies on it is right, as the score says.
    let flat = DrawnPair { length: 0.0, predicted: pair.truth.clone(), ..pair.clone() };
    assert_eq!(flat.correct(), 4);
    let html = report().html();
    for shown in ["● right", "✕ wrong", ">1.000</td><td class=\"n\">50.0</td>", ">no number</td>", "1 of 4 right"] {
        assert!(html.contains(shown), "{shown}");
    }
    // Stretched to half its width and twice its height: 1.5 and 8 pixels.
    let stretched = DrawnPair { scale: [0.5, 2.0], ..pair };
    assert!((stretched.distances()[0] - (1.5f64 * 1.5 + 8.0 * 8.0).sqrt() / 50.0).abs() < 1e-12);
}

#[test]
fn right_and_wrong_differ_in_shape() {
    let html = report().html();
    let opened = html.split("class=\"drawn wide\"").nth(1).unwrap().split("</svg>").next().unwrap();
    let count = |shape: &str| opened.matches(shape).count();
    assert_eq!(count("<circle class=\"right\""), 2, "one right match has two ends");
    assert_eq!(count("class=\"cross\""), 5, "two wrong matches, and a point without an answer");
    assert_eq!(count("class=\"truth\""), 2);
    assert_eq!(count("<text"), 4);
    assert!(!opened.contains("NaN") && !opened.contains("inf"));
}

#[test]
fn the_best_and_the_worst_are_chosen_with_ties_by_id() {
    let image = |name: &str| KeyPointImage {
        path: name.into(),
        class: "cat".to_owned(),
        size: (10, 10),
        key_points: vec![Some([1.0, 1.0])],
        object_box: None,
    };
    let shares = [("d", 1, 2), ("b", 2, 4), ("a", 0, 3), ("c", 3, 3), ("e", 0, 1)];
    let pairs: Vec<_> = shares.iter().filter_map(|(id, ..)| KeyPointPair::new(&image(id), &image("t"))).collect();
    let score = |&(_, correct, points): &(&str, usize, usize)| PairScore {
        class: "cat".to_owned(),
        images: [1, 2],
        points,
        correct: vec![points, correct],
        invalid: 0,
    };
    let scores: Vec<_> = shares.iter().map(score).collect();
    assert_eq!(best_and_worst(&pairs, &scores, 1, 2), (vec![3, 1], vec![2, 4]));
    assert_eq!(best_and_worst(&pairs, &scores, 1, 9), (vec![3, 1, 0], vec![2, 4]), "none is both");
    assert_eq!(best_and_worst(&pairs, &scores, 0, 1), (vec![2], vec![1]), "all are alike: by id");
    assert_eq!(best_and_worst(&[], &[], 0, 3), (vec![], vec![]));
}

//! Figures have content, whatever they are drawn from.

use std::fs;

use eval::{ClassScores, Figure, FigureFont, FigureFontError, PckCurve};
use image::Rgb;

use crate::generated::{methods, protocol};
use crate::skips::skip;
use crate::tags::elements;

fn curves() -> Vec<PckCurve> {
    methods().iter().map(|method| PckCurve::new(&protocol(), method)).collect()
}

fn classes() -> ClassScores {
    ClassScores::new(&protocol(), &methods(), 0.10)
}

#[test]
fn an_svg_has_a_line_a_method_and_needs_no_file() {
    let svg = Figure::PckCurves(&curves()).svg().unwrap();
    let tags = elements(&svg);
    for colour in ["#0072B2", "#D55E00"] {
        let lines = tags.iter().filter(|tag| tag.name == "polyline" && tag.attribute("stroke") == Some(colour));
        let points: Vec<_> = lines.filter_map(|line| line.attribute("points")).collect();
        assert!(points.iter().any(|points| points.split_whitespace().count() == 3), "{colour}: {points:?}");
    }
    let fonts: Vec<_> =
        tags.iter().filter(|tag| tag.name == "text").map(|text| text.attribute("font-family")).collect();
    assert!(!fonts.is_empty() && fonts.iter().all(|font| *font == Some("sans-serif")), "{fonts:?}");
    assert_eq!(svg.matches("http").count(), 1, "the name space alone");
}

#[test]
fn an_svg_has_a_bar_for_each_class_and_method() {
    let svg = Figure::ClassBars(&classes()).svg().unwrap();
    let tags = elements(&svg);
    let width = |tag: &crate::tags::Tag| tag.attribute("width").and_then(|width| width.parse::<f64>().ok());
    let widths = |colour: &str| -> Vec<f64> {
        let bars = tags.iter().filter(|tag| tag.name == "rect" && tag.attribute("fill") == Some(colour));
        // The legend's mark is a rectangle of other methods than the first; bars are wider.
        bars.filter_map(width).filter(|width| *width > 40.0).collect()
    };
    let (first, second) = (widths("#0072B2"), widths("#D55E00"));
    assert_eq!((first.len(), second.len()), (2, 2));
    // On ant: 50 and 25; on cat: 50 and 12.5.
    assert!((first[0] / second[0] - 2.0).abs() < 0.05 && (first[1] / second[1] - 4.0).abs() < 0.1);
    assert!(svg.contains(">\n50\n") && svg.contains(">\n25\n"), "values stand beside bars");
}

#[test]
fn pixels_show_the_methods_and_letters() {
    let font = match FigureFont::of_system() {
        Ok(font) => font,
        Err(error) => return skip("font", error),
    };
    for figure in [Figure::PckCurves(&curves()), Figure::ClassBars(&classes())] {
        let picture = figure.pixels(&font, 2).unwrap();
        assert_eq!(picture.width(), 880);
        let count = |colour: Rgb<u8>| picture.pixels().filter(|pixel| **pixel == colour).count();
        assert!(count(Rgb([0x00, 0x72, 0xB2])) > 500 && count(Rgb([0xD5, 0x5E, 0x00])) > 500);
        assert!(count(Rgb([255, 255, 255])) > (picture.width() * picture.height() / 2) as usize);
        // The words below the axis: dark pixels in the lowest twentieth, where there is nothing but them.
        let lowest = picture.height() - picture.height() / 12;
        let dark = picture.enumerate_pixels().filter(|(_, y, pixel)| *y > lowest && pixel[0] < 100).count();
        assert!(dark > 100, "{dark}");
        assert_eq!(picture, figure.pixels(&font, 2).unwrap());
    }
}

#[test]
fn without_a_font_the_error_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("DejaVuSans.ttf"), b"no font at all").unwrap();
    let error = FigureFont::in_folders(&[folder.path().to_owned()]).unwrap_err();
    assert!(matches!(error, FigureFontError::NoneFound { .. }));
    let message = error.to_string();
    assert!(message.contains(&folder.path().display().to_string()) && message.contains("as SVG"), "{message}");
    let message = FigureFont::open(&folder.path().join("DejaVuSans.ttf")).unwrap_err().to_string();
    assert!(message.contains("DejaVuSans.ttf: "), "{message}");
}

#[test]
fn nothing_that_is_drawn_panics() {
    let font = FigureFont::of_system().inspect_err(|error| skip("font", error)).ok();
    let curve = |points: &[(f64, f64)]| PckCurve { method: "long name ".repeat(30), points: points.to_vec() };
    let odd = [
        vec![],
        vec![curve(&[])],
        vec![curve(&[(f64::NAN, 3.0), (0.1, f64::INFINITY)])],
        vec![curve(&[(0.1, 50.0)]); 12],
        vec![curve(&[(-1.0, -50.0), (0.0, 1e300), (1e300, 7.0)])],
    ];
    let scores = |classes: usize, value: f64| ClassScores {
        alpha: 0.1,
        classes: vec!["class\n\u{0}".to_owned(); classes],
        methods: vec![("m".to_owned(), vec![value; classes / 2]), (String::new(), vec![])],
    };
    let bars = [scores(0, 0.0), scores(1, f64::NAN), scores(6, 1e300), scores(120, -4.0)];
    for figure in odd.iter().map(|curves| Figure::PckCurves(curves)).chain(bars.iter().map(Figure::ClassBars)) {
        elements(&figure.svg().unwrap());
        assert!(!figure.svg().unwrap().contains('\u{0}'));
        assert!(!figure.description().is_empty());
        if let Some(font) = &font {
            figure.pixels(font, 1).unwrap();
        }
    }
}

//! Pairs of a report: small, and opened by a click or a key large with the distance of each point.

use super::data_uri;
use super::pair_layout::{Layout, Sizes};
use super::text::{Page, escaped};
use super::{DrawnPair, PairGroup};
use crate::figure_data::alpha_text;

/// Longest side, in pixels, of the images of an opened pair, and of a closed one.
const LARGE: u32 = 720;
const SMALL: u32 = 240;

/// The pairs, under a heading for each run of pairs of one method and group.
pub(super) fn push_pairs(page: &mut Page, pairs: &[DrawnPair], section: usize) {
    let Some(first) = pairs.first() else { return };
    page.push("<div class=\"pairs\">\n<h3>Pairs</h3>\n");
    page.push(
        "<ul class=\"key\">\n\
         <li><svg viewBox=\"0 0 44 16\" aria-hidden=\"true\"><path class=\"right\" d=\"M6 8L38 8\"/>\
         <circle class=\"right\" cx=\"6\" cy=\"8\" r=\"4.5\"/><circle class=\"right\" cx=\"38\" cy=\"8\" r=\"4.5\"/></svg>\
         right: within α of the annotation</li>\n\
         <li><svg viewBox=\"0 0 44 16\" aria-hidden=\"true\"><path class=\"wrong\" d=\"M6 8L38 8\"/>\
         <path class=\"cross\" d=\"M2 4L10 12M2 12L10 4M34 4L42 12M34 12L42 4\"/></svg>wrong</li>\n\
         <li><svg viewBox=\"0 0 44 16\" aria-hidden=\"true\"><path class=\"key-miss\" d=\"M2 8L32 8\"/>\
         <rect class=\"key-truth\" x=\"32\" y=\"3.5\" width=\"9\" height=\"9\"/></svg>where a wrong one belongs</li>\n\
         </ul>\n",
    );
    page.push("<p class=\"hint\">Open a pair to see it large, with the distance of each point.</p>\n");
    let mut run = (first.method.as_str(), first.group);
    open_group(page, first);
    for (index, pair) in pairs.iter().enumerate() {
        if (pair.method.as_str(), pair.group) != run {
            run = (pair.method.as_str(), pair.group);
            page.push("</div>\n");
            open_group(page, pair);
        }
        push_pair(page, pair, &format!("pair-{section}-{}", index + 1));
    }
    page.push("</div>\n</div>\n");
}

fn open_group(page: &mut Page, first: &DrawnPair) {
    let group = match first.group {
        PairGroup::Best => "best",
        PairGroup::Worst => "worst",
    };
    let alpha = alpha_text(first.alpha);
    page.push(&format!("<h4>{}: {group} pairs at α = {alpha}</h4>\n<div class=\"cards\">\n", escaped(&first.method)));
}

fn push_pair(page: &mut Page, pair: &DrawnPair, id: &str) {
    let count = pair.points.len();
    assert_eq!(pair.predicted.len(), count, "{}: one answer a point", pair.id);
    assert_eq!(pair.truth.len(), count, "{}: one annotation a point", pair.id);
    let small = Layout::thumbnail(sizes(pair));
    let places = small.image_styles("");
    let correct = pair.correct();
    page.push(&format!("<details class=\"pair\" id=\"{id}\">\n<summary>\n"));
    page.push(&format!("<span class=\"stage small\" style=\"{}\">", small.frame_style("")));
    for (image, place) in [&pair.source, &pair.target].into_iter().zip(&places) {
        page.push(&format!("<img alt=\"\" style=\"{place}\" src=\"{}\">", data_uri::jpeg(image, SMALL, 78)));
    }
    page.push(&small.overlay(pair, "drawn"));
    page.push("</span>\n");
    page.push(&format!(
        "<span class=\"what\"><span class=\"name\">{}</span> <span class=\"count\">{correct} of {count} right</span>\
         </span>\n</summary>\n",
        escaped(&pair.id)
    ));
    push_opened(page, pair);
    page.push("</details>\n");
}

fn push_opened(page: &mut Page, pair: &DrawnPair) {
    let (wide, narrow) = (Layout::wide(sizes(pair)), Layout::narrow(sizes(pair)));
    let styles = wide.image_styles("").into_iter().zip(narrow.image_styles("-n"));
    let frame = wide.frame_style("") + &narrow.frame_style("-n");
    page.push(&format!("<div class=\"opened\">\n<div class=\"stage large\" style=\"{frame}\">\n"));
    let names = ["Source", "Target"];
    for ((image, (at, at_narrow)), name) in [&pair.source, &pair.target].into_iter().zip(styles).zip(names) {
        let (width, height) = image.dimensions();
        let alt = escaped(&format!("{name} image of {}, class {}, {width} by {height} pixels", pair.id, pair.class));
        let uri = data_uri::jpeg(image, LARGE, 82);
        page.push(&format!("<img alt=\"{alt}\" style=\"{at}{at_narrow}\" src=\"{uri}\">\n"));
    }
    page.push(&wide.overlay(pair, "drawn wide"));
    page.push(&narrow.overlay(pair, "drawn narrow"));
    page.push("</div>\n");
    page.push(&format!(
        "<p class=\"note\">Class {}, method {}. A point is right within α · L = {} · {:.1} = {:.1}.</p>\n",
        escaped(&pair.class),
        escaped(&pair.method),
        alpha_text(pair.alpha),
        pair.length,
        pair.alpha * pair.length
    ));
    page.open_table("Points of the pair", "Distance of each answer from the annotation, in the frame of the protocol");
    page.push(
        "<tr><th scope=\"col\" class=\"n\">point</th><th scope=\"col\">verdict</th>\
         <th scope=\"col\" class=\"n\">distance / L</th><th scope=\"col\" class=\"n\">distance</th>\
         <th scope=\"col\" class=\"n\">asked at</th><th scope=\"col\" class=\"n\">predicted</th>\
         <th scope=\"col\" class=\"n\">annotated</th></tr></thead>\n<tbody>\n",
    );
    for (index, distance) in pair.frame_distances().into_iter().enumerate() {
        let verdict = match pair.is_right(distance) {
            true => "<span class=\"verdict-right\">● right</span>",
            false => "<span class=\"verdict-wrong\">✕ wrong</span>",
        };
        let (share, length) = match distance.is_nan() {
            true => ("no number".to_owned(), "–".to_owned()),
            false => (format!("{:.3}", distance / pair.length), format!("{distance:.1}")),
        };
        page.push(&format!(
            "<tr><th scope=\"row\" class=\"n\">{}</th><td>{verdict}</td><td class=\"n\">{share}</td>\
             <td class=\"n\">{length}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>\n",
            index + 1,
            coordinates(pair.points[index]),
            coordinates(pair.predicted[index]),
            coordinates(pair.truth[index])
        ));
    }
    page.close_table();
    page.push("</div>\n");
}

fn sizes(pair: &DrawnPair) -> Sizes {
    [pair.source.dimensions(), pair.target.dimensions()]
}

pub(super) fn coordinates([x, y]: [f32; 2]) -> String {
    if x.is_finite() && y.is_finite() { format!("{x:.1}, {y:.1}") } else { "–".to_owned() }
}

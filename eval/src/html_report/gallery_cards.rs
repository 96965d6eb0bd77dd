//! The cards of a gallery: pairs, opened by a click or a key, and single images.

use std::fmt::Write;

use super::data_uri;
use super::drawn_pair::coordinates;
use super::gallery::{GalleryPair, GalleryPicture, LARGE};
use super::pair_layout::{Layout, Place};
use super::text::{Page, escaped};
use crate::drawing::{DrawnMatch, position_colour};
use crate::key_points::{PixelBox, tight_box};

/// Longest side, in pixels, of the images of a closed pair, and of a single image.
const SMALL: u32 = 240;
const SINGLE: u32 = 320;

/// The pairs, under a heading for each run of one class.
pub(super) fn push_pairs(page: &mut Page, pairs: &[GalleryPair]) {
    page.push(
        "<p class=\"hint\">Colours run along the object in the source image: the same colour is the same point. Faint \
         lines are labels of little confidence. Open a pair to see it large, with each point's confidence.</p>\n",
    );
    let mut open: Option<&str> = None;
    for (index, pair) in pairs.iter().enumerate() {
        open_class(page, &mut open, &pair.class);
        push_pair(page, pair, &format!("pair-{}", index + 1));
    }
    page.push("</div>\n");
}

/// Single images, under a heading for each run of one class.
pub(super) fn push_pictures(page: &mut Page, pictures: &[GalleryPicture], kind: &str) {
    let mut open: Option<&str> = None;
    for picture in pictures {
        open_class(page, &mut open, &picture.class);
        push_picture(page, picture, kind);
    }
    page.push("</div>\n");
}

fn open_class<'a>(page: &mut Page, open: &mut Option<&'a str>, class: &'a str) {
    if *open == Some(class) {
        return;
    }
    if open.is_some() {
        page.push("</div>\n");
    }
    page.element("h3", class);
    page.push("<div class=\"cards\">\n");
    *open = Some(class);
}

fn push_pair(page: &mut Page, pair: &GalleryPair, id: &str) {
    let count = pair.matches.len();
    assert!(
        pair.cycle_errors.is_empty() || pair.cycle_errors.len() == count,
        "{}: {} cycle errors for {count} matches",
        pair.name,
        pair.cycle_errors.len()
    );
    let sizes = [pair.source.size, pair.target.size];
    let images = [&pair.source, &pair.target];
    let small = Layout::thumbnail(sizes);
    page.push(&format!("<details class=\"pair\" id=\"{id}\">\n<summary>\n"));
    page.push(&format!("<span class=\"stage small\" style=\"{}\">", small.frame_style("")));
    for (image, place) in images.into_iter().zip(small.image_styles("")) {
        page.push(&format!("<img alt=\"\" style=\"{place}\" src=\"{}\">", data_uri::jpeg(&image.pixels, SMALL, 78)));
    }
    page.push(&overlay(&small, pair, "drawn"));
    page.push("</span>\n");
    let mean = pair.matches.iter().map(|drawn| f64::from(drawn.confidence)).sum::<f64>() / count.max(1) as f64;
    let sure = if pair.confident { format!(", mean confidence {mean:.2}") } else { String::new() };
    page.push(&format!(
        "<span class=\"what\"><span class=\"name\">{}</span> <span class=\"count\">{count} key points{sure}</span>\
         </span>\n</summary>\n",
        escaped(&pair.name)
    ));

    let (wide, narrow) = (Layout::wide(sizes), Layout::narrow(sizes));
    let styles = wide.image_styles("").into_iter().zip(narrow.image_styles("-n"));
    let frame = wide.frame_style("") + &narrow.frame_style("-n");
    page.push(&format!("<div class=\"opened\">\n<div class=\"stage large\" style=\"{frame}\">\n"));
    for ((image, (at, at_narrow)), side) in images.into_iter().zip(styles).zip(["Source", "Target"]) {
        let (width, height) = image.size;
        let alt = escaped(&format!("{side} image of {}, class {}, {width} by {height} pixels", pair.name, pair.class));
        let uri = data_uri::jpeg(&image.pixels, LARGE, 82);
        page.push(&format!("<img alt=\"{alt}\" style=\"{at}{at_narrow}\" src=\"{uri}\">\n"));
    }
    page.push(&overlay(&wide, pair, "drawn wide"));
    page.push(&overlay(&narrow, pair, "drawn narrow"));
    page.push("</div>\n");
    push_points(page, pair);
    page.push("</div>\n</details>\n");
}

fn push_points(page: &mut Page, pair: &GalleryPair) {
    page.open_table("Key points of the pair", "Key points, in pixels of the original images");
    page.push("<tr><th scope=\"col\" class=\"n\">point</th>");
    for column in ["confidence", "cycle error", "source", "target"] {
        page.push(&format!("<th scope=\"col\" class=\"n\">{column}</th>"));
    }
    page.push("</tr></thead>\n<tbody>\n");
    for (index, drawn) in pair.matches.iter().enumerate() {
        let confidence = if pair.confident { format!("{:.2}", drawn.confidence) } else { "–".to_owned() };
        let error = pair.cycle_errors.get(index).map_or_else(|| "–".to_owned(), |error| format!("{error:.1}"));
        page.push(&format!("<tr><th scope=\"row\" class=\"n\">{}</th>", index + 1));
        for cell in [confidence, error, coordinates(drawn.source), coordinates(drawn.target)] {
            page.push(&format!("<td class=\"n\">{cell}</td>"));
        }
        page.push("</tr>\n");
    }
    page.close_table();
}

/// Both boxes, and a line a match in the colours of [`draw_matches`](crate::draw_matches), the surest last.
fn overlay(layout: &Layout, pair: &GalleryPair, class: &str) -> String {
    let (mut shapes, mut numbers) = (String::new(), String::new());
    push_box(&mut shapes, layout.source, pair.boxes[0], pair.source.size);
    push_box(&mut shapes, layout.target, pair.boxes[1], pair.target.size);
    let bounds = tight_box(pair.matches.iter().map(|drawn| &drawn.source)).unwrap_or_default();
    let mut order: Vec<(usize, &DrawnMatch)> = pair.matches.iter().enumerate().collect();
    order.sort_by(|(_, a), (_, b)| a.confidence.total_cmp(&b.confidence));
    for (index, drawn) in order {
        let from = layout.source.at(drawn.source, pair.source.size);
        let to = layout.target.at(drawn.target, pair.target.size);
        let colour = hex(position_colour(drawn.source, bounds));
        let opacity = if pair.confident { 0.25 + 0.75 * drawn.confidence.clamp(0.0, 1.0) } else { 1.0 };
        let line = format!("d=\"M{:.1} {:.1}L{:.1} {:.1}\"", from.0, from.1, to.0, to.1);
        // Writing to a `String` cannot fail.
        let _ = write!(
            shapes,
            "<g opacity=\"{opacity:.2}\"><path class=\"halo\" {line}/><path class=\"label\" stroke=\"{colour}\" {line}/>"
        );
        for end in [from, to] {
            push_dot(&mut shapes, end, layout.mark, &colour);
        }
        shapes.push_str("</g>");
        if layout.numbered {
            let (x, y) = (from.0 + layout.mark + 2.0, from.1 - layout.mark);
            let _ = write!(numbers, "<text x=\"{x:.1}\" y=\"{y:.1}\">{}</text>", index + 1);
        }
    }
    let Layout { width, height, .. } = layout;
    format!(
        "<svg class=\"{class}\" viewBox=\"0 0 {width:.1} {height:.1}\" aria-hidden=\"true\">{shapes}{numbers}</svg>"
    )
}

fn push_picture(page: &mut Page, picture: &GalleryPicture, kind: &str) {
    page.push(&format!("<figure class=\"single {kind}\">\n"));
    match &picture.image {
        Ok(image) => {
            let place = Place::alone(image.size, f64::from(SINGLE));
            let (width, height) = place.size();
            let alt = escaped(&format!("{} of class {}", picture.name, picture.class));
            page.push(&format!("<span class=\"frame\" style=\"--width:{width:.0}px;--ratio:{width:.1}/{height:.1}\">"));
            page.push(&format!("<img alt=\"{alt}\" src=\"{}\">", data_uri::jpeg(&image.pixels, SINGLE, 80)));
            let mut shapes = String::new();
            if let Some(sides) = picture.object_box {
                push_box(&mut shapes, place, sides, image.size);
            }
            let bounds = tight_box(&picture.points).unwrap_or_default();
            for &point in &picture.points {
                push_dot(&mut shapes, place.at(point, image.size), 3.4, &hex(position_colour(point, bounds)));
            }
            page.push(&format!(
                "<svg class=\"drawn\" viewBox=\"0 0 {width:.1} {height:.1}\" aria-hidden=\"true\">{shapes}</svg></span>\n"
            ));
        }
        Err(reason) => page.push(&format!("<p class=\"absent\">Not shown: {}</p>\n", escaped(reason))),
    }
    page.push(&format!("<figcaption><span class=\"name\">{}</span>", escaped(&picture.name)));
    for line in &picture.lines {
        page.push(&format!("<span class=\"line\">{}</span>", escaped(line)));
    }
    page.push("</figcaption>\n</figure>\n");
}

fn push_dot(svg: &mut String, (x, y): (f64, f64), radius: f64, colour: &str) {
    let _ = write!(svg, "<circle class=\"label\" fill=\"{colour}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius:.1}\"/>");
}

fn push_box(svg: &mut String, place: Place, [left, top, right, bottom]: PixelBox, size: (u32, u32)) {
    let ((x, y), (far_x, far_y)) = (place.at([left, top], size), place.at([right, bottom], size));
    let (width, height) = (far_x - x, far_y - y);
    for layer in ["halo", "box"] {
        let _ = write!(
            svg,
            "<rect class=\"{layer}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\"/>"
        );
    }
}

fn hex(colour: [f32; 3]) -> String {
    let [red, green, blue] = colour.map(|channel| channel.round().clamp(0.0, 255.0) as u8);
    format!("#{red:02x}{green:02x}{blue:02x}")
}

//! A report that is one HTML file: no network, no script, no other file.

mod data_uri;
mod drawn_pair;
mod gallery;
mod gallery_cards;
mod pair_layout;
mod text;

use image::RgbImage;

pub use self::gallery::{GalleryImage, GalleryPair, GalleryPicture, GalleryTable, LabelGallery};
use self::text::{Page, escaped};
use crate::figure_data::{ClassScores, PckCurve, alpha_text};
use crate::figures::{Figure, GRID, INK, METHODS};
use crate::key_points::KeyPointPair;
use crate::pck::PairScore;
use crate::published::PublishedScore;
use crate::report::ScoreReport;

/// All that a report shows.
#[derive(Clone, Debug, PartialEq)]
pub struct HtmlReport {
    /// Its heading.
    pub title: String,
    /// What was run, as name and value: weights, configuration, date, command.
    pub facts: Vec<(String, String)>,
    /// The benchmarks, in order.
    pub sections: Vec<BenchmarkSection>,
}

/// What a report shows of one benchmark under one protocol.
#[derive(Clone, Debug, PartialEq)]
pub struct BenchmarkSection {
    /// The scores.
    pub report: ScoreReport,
    /// What has to be said with the scores, such as how many predictions were no numbers; a paragraph each.
    pub notes: Vec<String>,
    /// PCK over α; empty for no figure.
    pub curves: Vec<PckCurve>,
    /// PCK class by class; `None` for no figure.
    pub classes: Option<ClassScores>,
    /// Pairs to draw, those of one method and group next to one another.
    pub pairs: Vec<DrawnPair>,
    /// Scores from papers; see [`published_scores`](crate::published_scores).
    pub published: Vec<PublishedScore>,
}

/// Why a pair is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PairGroup {
    /// It is among those with the largest share of right points.
    Best,
    /// It is among those with the smallest share of right points.
    Worst,
}

/// A pair with a method's answers. "Source" and "target" are here the image asked in and the image predicted in, whatever the
/// protocol's direction.
#[derive(Clone, Debug, PartialEq)]
pub struct DrawnPair {
    /// The pair's id.
    pub id: String,
    /// Its class.
    pub class: String,
    /// The method that predicted.
    pub method: String,
    /// Why it is shown.
    pub group: PairGroup,
    /// The image asked in, as its file has it. The report holds it at most 720 pixels wide and high.
    pub source: RgbImage,
    /// The image predicted in, as its file has it.
    pub target: RgbImage,
    /// The points asked, in pixels of the source.
    pub points: Vec<[f32; 2]>,
    /// The answers, in pixels of the target.
    pub predicted: Vec<[f32; 2]>,
    /// The annotation, in pixels of the target.
    pub truth: Vec<[f32; 2]>,
    /// What each axis of the target is multiplied by before a distance is measured:
    /// [`Frame::scale`](crate::Frame::scale); `[1, 1]` for `frame=original`.
    pub scale: [f64; 2],
    /// The length L of the target, in the frame of the protocol.
    pub length: f64,
    /// The threshold at which a point is drawn as right or wrong.
    pub alpha: f64,
}

impl DrawnPair {
    /// Distance of each answer from the annotation in the protocol's frame, as a share of L; NaN for an answer that is no
    /// finite number.
    pub fn distances(&self) -> Vec<f64> {
        self.frame_distances().into_iter().map(|distance| distance / self.length).collect()
    }

    /// How many of the answers are right at α.
    pub fn correct(&self) -> usize {
        self.frame_distances().into_iter().filter(|distance| self.is_right(*distance)).count()
    }

    /// Distance of each answer from the annotation in the protocol's frame.
    fn frame_distances(&self) -> Vec<f64> {
        let along = |p: f32, q: f32, scale: f64| (f64::from(p) - f64::from(q)) * scale;
        let distance = |(p, q): (&[f32; 2], &[f32; 2])| {
            let (dx, dy) = (along(p[0], q[0], self.scale[0]), along(p[1], q[1], self.scale[1]));
            if p.iter().all(|x| x.is_finite()) { (dx * dx + dy * dy).sqrt() } else { f64::NAN }
        };
        self.predicted.iter().zip(&self.truth).map(distance).collect()
    }

    /// Whether a distance in the frame is within the threshold, in the words of the score, so that a point on the border is
    /// judged alike; NaN is not.
    fn is_right(&self, distance: f64) -> bool {
        distance <= self.alpha * self.length
    }
}

/// The positions of the pairs to show of a method: the best, best first, and the worst, worst first.
///
/// Pairs are ordered by their share of right points at the threshold of position `alpha`, ties by id. Where there are fewer
/// than `2 * count`, none is both: the best take the larger half.
///
/// # Panics
///
/// If there is not one score a pair, or a score has no threshold at that position.
pub fn best_and_worst(
    pairs: &[KeyPointPair],
    scores: &[PairScore],
    alpha: usize,
    count: usize,
) -> (Vec<usize>, Vec<usize>) {
    assert_eq!(pairs.len(), scores.len(), "one score a pair");
    let mut order: Vec<usize> = (0..pairs.len()).collect();
    // a/b against c/d as a·d against c·b: shares are compared exactly.
    let right = |of: usize, points_of: usize| scores[of].correct[alpha] as u64 * scores[points_of].points as u64;
    order.sort_by(|&a, &b| right(b, a).cmp(&right(a, b)).then_with(|| pairs[a].id.cmp(&pairs[b].id)));
    let best = order[..count.min(order.len().div_ceil(2))].to_vec();
    order.sort_by(|&a, &b| right(a, b).cmp(&right(b, a)).then_with(|| pairs[a].id.cmp(&pairs[b].id)));
    let worst = order.iter().copied().filter(|pair| !best.contains(pair)).take(count.min(order.len() / 2)).collect();
    (best, worst)
}

impl HtmlReport {
    /// The file. Equal reports give equal files.
    ///
    /// # Panics
    ///
    /// If a pair's lists of points differ in length, or one of its images has no pixel.
    pub fn html(&self) -> String {
        let mut page = Page::default();
        push_header(&mut page, &self.title, &self.facts);
        if self.sections.len() > 1 {
            page.push("<nav aria-label=\"Benchmarks\">\n<ul>\n");
            for (index, section) in self.sections.iter().enumerate() {
                let name = escaped(&section.report.benchmark);
                page.push(&format!("<li><a href=\"#benchmark-{}\">{name}</a></li>\n", index + 1));
            }
            page.push("</ul>\n</nav>\n");
        }
        page.push("<main>\n");
        for (index, section) in self.sections.iter().enumerate() {
            section.push(&mut page, index + 1);
        }
        page.push("</main>\n</body>\n</html>\n");
        page.text()
    }
}

impl BenchmarkSection {
    fn push(&self, page: &mut Page, number: usize) {
        page.push(&format!("<section id=\"benchmark-{number}\">\n"));
        page.element("h2", &self.report.benchmark);
        let protocol = escaped(&self.report.protocol).replace(',', ",<wbr>");
        let pairs = self.report.pairs;
        page.push(&format!(
            "<p class=\"protocol\"><span>{pairs} pairs, scored under</span> <code>{protocol}</code></p>\n"
        ));
        push_scores(page, &self.report);
        for note in &self.notes {
            page.push(&format!("<p class=\"note\">{}</p>\n", escaped(note)));
        }
        if !self.curves.is_empty() || self.classes.is_some() {
            page.push("<div class=\"figures\">\n");
            if !self.curves.is_empty() {
                push_figure(page, Figure::PckCurves(&self.curves), "PCK over the threshold α");
            }
            if let Some(classes) = &self.classes {
                push_figure(page, Figure::ClassBars(classes), "PCK class by class: mean over the pairs of each class");
            }
            page.push("</div>\n");
        }
        if let Some(classes) = &self.classes {
            page.push("<details class=\"numbers\">\n<summary>Class by class, as numbers</summary>\n");
            push_classes(page, classes);
            page.push("</details>\n");
        }
        push_published(page, &self.published);
        drawn_pair::push_pairs(page, &self.pairs, number);
        page.push("</section>\n");
    }
}

/// Everything up to the end of the header: title and facts.
fn push_header(page: &mut Page, title: &str, facts: &[(String, String)]) {
    page.push(&head(title));
    page.push("<header>\n");
    page.element("h1", title);
    if !facts.is_empty() {
        page.push("<dl class=\"facts\">\n");
        for (name, value) in facts {
            page.push(&format!("<div><dt>{}</dt><dd>{}</dd></div>\n", escaped(name), escaped(value)));
        }
        page.push("</dl>\n");
    }
    page.push("</header>\n");
}

fn push_scores(page: &mut Page, report: &ScoreReport) {
    let (methods, alphas) = report.axes();
    page.open_table("Scores", "PCK in percent at each threshold α, with its 95 % bootstrap interval over pairs");
    page.push("<tr><th scope=\"col\">method</th>");
    for alpha in &alphas {
        page.push(&format!("<th scope=\"col\" class=\"n\">α = {}</th>", alpha_text(*alpha)));
    }
    page.push("</tr></thead>\n<tbody>\n");
    for method in &methods {
        page.push(&format!("<tr><th scope=\"row\">{}</th>", escaped(method)));
        for &alpha in &alphas {
            let Some(row) = report.row(method, alpha) else {
                page.push("<td class=\"n\">–</td>");
                continue;
            };
            let best = report.rows.iter().filter(|other| other.alpha == alpha).all(|other| other.pck <= row.pck);
            let tag = if best && methods.len() > 1 { "strong" } else { "span" };
            let (pck, low, high) = (row.pck, row.low, row.high);
            page.push(&format!(
                "<td class=\"n\"><{tag}>{pck:.1}</{tag}> <small>[{low:.1},&#160;{high:.1}]</small></td>"
            ));
        }
        page.push("</tr>\n");
    }
    page.close_table();
}

fn push_classes(page: &mut Page, scores: &ClassScores) {
    page.open_table("Class scores", &format!("PCK in percent at α = {}", alpha_text(scores.alpha)));
    page.push("<tr><th scope=\"col\">class</th>");
    for (method, _) in &scores.methods {
        page.push(&format!("<th scope=\"col\" class=\"n\">{}</th>", escaped(method)));
    }
    page.push("</tr></thead>\n<tbody>\n");
    for (index, class) in scores.classes.iter().enumerate() {
        page.push(&format!("<tr><th scope=\"row\">{}</th>", escaped(class)));
        for (_, values) in &scores.methods {
            let value = values.get(index).map_or_else(|| "–".to_owned(), |value| format!("{value:.1}"));
            page.push(&format!("<td class=\"n\">{value}</td>"));
        }
        page.push("</tr>\n");
    }
    page.close_table();
}

fn push_published(page: &mut Page, published: &[PublishedScore]) {
    if published.is_empty() {
        return;
    }
    page.push("<aside class=\"published\">\n<h3>From papers, for context only</h3>\n");
    page.push(
        "<p>These numbers were not computed here. Each comes from a paper and its own code; frame, length, pairs and \
         average may differ from the protocol above, so they cannot be compared with the scores of this report.</p>\n",
    );
    page.open_table("Published scores", "in percent");
    page.push("<tr><th scope=\"col\">method</th><th scope=\"col\" class=\"n\">published</th>");
    page.push("<th scope=\"col\">as stated</th></tr></thead>\n<tbody>\n");
    for PublishedScore { method, score, about, protocol } in published {
        let score = if *about { format!("about {score:.0}") } else { format!("{score:.1}") };
        page.push(&format!(
            "<tr><th scope=\"row\">{}</th><td class=\"n\">{score}</td><td>{}</td></tr>\n",
            escaped(method),
            escaped(protocol)
        ));
    }
    page.close_table();
    page.push("</aside>\n");
}

fn push_figure(page: &mut Page, figure: Figure, caption: &str) {
    page.push("<figure class=\"chart\">\n");
    match figure.svg_on(None) {
        Ok(svg) => {
            // The page says the size; and an element of an HTML page needs no name space.
            let inner = svg.split_once('>').map_or("", |(_, inner)| inner);
            let view =
                svg.split_once("viewBox=\"").and_then(|(_, rest)| rest.split_once('"')).map_or("", |view| view.0);
            let label = escaped(&figure.description());
            page.push(&format!("<svg viewBox=\"{view}\" role=\"img\" aria-label=\"{label}\">{inner}"));
        }
        Err(error) => page.element("p", &error.to_string()),
    }
    page.push(&format!("<figcaption>{}</figcaption>\n</figure>\n", escaped(caption)));
}

/// Everything up to the body. The policy forbids every load, so that the file is known to need none.
fn head(title: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; style-src \
         'unsafe-inline'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{}</title>\n<style>\n{}{}</style>\n</head>\n<body>\n",
        escaped(title),
        include_str!("html_report/page.css"),
        chart_colours()
    )
}

/// Figures are drawn in fixed colours; the page's own take their place where the ground is dark.
fn chart_colours() -> String {
    const DARK: [&str; 7] = ["#4FA9E3", "#F28A4B", "#35C79E", "#E3A3CB", "#9AD4F5", "#F2BE4E", "#A9B0BA"];
    let rule = |colour: plotters::style::RGBColor, replaced: &str| {
        let name = format!("#{:02X}{:02X}{:02X}", colour.0, colour.1, colour.2);
        format!(
            ".chart [fill=\"{name}\"] {{ fill: {replaced}; }}\n.chart [stroke=\"{name}\"] {{ stroke: {replaced}; }}\n"
        )
    };
    let mut css = rule(INK, "var(--ink)") + &rule(GRID, "var(--rule)") + "@media (prefers-color-scheme: dark) {\n";
    css.extend(METHODS.iter().zip(DARK).map(|(colour, dark)| rule(*colour, dark)));
    css + "}\n"
}

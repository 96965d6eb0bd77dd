//! Writes a report of generated pairs and two generated methods, to see what a report looks like:
//!
//! ```text
//! cargo run -p eval --example report -- report.html
//! ```
//!
//! With a second argument, the figures are written into that folder too, as SVG and, where the system has a font, as PNG.

use std::error::Error;
use std::path::Path;
use std::{env, fs};

use eval::{
    BenchmarkSection, Bootstrap, ClassScores, DrawnPair, Figure, FigureFont, HtmlReport, KeyPointImage, KeyPointPair,
    MethodScores, PairGroup, PairSelection, PckCurve, Protocol, ScoreReport, best_and_worst, published_scores,
    score_pair,
};
use image::{Rgb, RgbImage};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const CLASSES: [&str; 5] = ["car", "duck", "motorbike", "wine bottle", "chair & <table>"];
const SHOWN: usize = 3;
const ALPHA: f64 = 0.10;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let path = arguments.next().unwrap_or_else(|| "report.html".to_owned());
    let sections = vec![
        section("pf-willow (generated)", "frame=original,length=bbox-kp".parse()?, 1)?,
        section("spair small (generated)", "frame=original,length=img,average=category".parse()?, 2)?,
    ];
    if let Some(folder) = arguments.next() {
        write_figures(Path::new(&folder), &sections[0])?;
    }
    let fact = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let report = HtmlReport {
        title: "Generated example: no network, no data set".to_owned(),
        facts: vec![
            fact("command", "cargo run -p eval --example report"),
            fact("images", "drawn by the example"),
            fact("methods", "annotation with noise of two strengths, and chance"),
            fact("seed", "1 and 2"),
        ],
        sections,
    };
    fs::write(&path, report.html())?;
    println!("wrote {path}");
    Ok(())
}

fn write_figures(folder: &Path, section: &BenchmarkSection) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(folder)?;
    let mut figures = vec![("curves", Figure::PckCurves(&section.curves))];
    figures.extend(section.classes.as_ref().map(|classes| ("classes", Figure::ClassBars(classes))));
    for (name, figure) in figures {
        fs::write(folder.join(format!("{name}.svg")), figure.svg()?)?;
        match FigureFont::of_system() {
            Ok(font) => figure.pixels(&font, 2)?.save(folder.join(format!("{name}.png")))?,
            Err(error) => println!("{error}"),
        }
    }
    Ok(())
}

/// Scores of three generated methods under a protocol.
fn section(benchmark: &str, protocol: Protocol, seed: u64) -> Result<BenchmarkSection, Box<dyn Error>> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let images: Vec<_> = CLASSES.iter().flat_map(|class| images_of_class(class, &mut rng)).collect();
    let pairs = PairSelection::ALL.pairs(&images);
    let many = protocol.clone().with_alphas(&(1..=25).map(|step| 0.01 * f64::from(step)).collect::<Vec<_>>());
    let (mut methods, mut curves, mut drawn) = (Vec::new(), Vec::new(), Vec::new());
    for (name, noise) in [("fine", 0.05), ("coarse", 0.12), ("chance", 0.6)] {
        let answers: Vec<Vec<[f32; 2]>> = pairs.iter().map(|pair| noisy(pair, noise, &mut rng)).collect();
        let score = |protocol: &Protocol| -> Result<MethodScores, Box<dyn Error>> {
            let scores: Result<Vec<_>, _> =
                pairs.iter().zip(&answers).map(|(pair, answers)| score_pair(pair, answers, protocol)).collect();
            Ok(MethodScores { method: name.to_owned(), pairs: scores? })
        };
        curves.push(PckCurve::new(&many, &score(&many)?));
        let scores = score(&protocol)?;
        let alpha = protocol.alphas.iter().position(|alpha| *alpha == ALPHA).ok_or("no such threshold")?;
        let (best, worst) = best_and_worst(&pairs, &scores.pairs, alpha, SHOWN);
        if name == "coarse" {
            for (group, chosen) in [(PairGroup::Best, best), (PairGroup::Worst, worst)] {
                drawn.extend(
                    chosen.into_iter().map(|index| draw(&pairs[index], &answers[index], name, group, &protocol)),
                );
            }
        }
        methods.push(scores);
    }
    let invalid: usize = methods.iter().map(MethodScores::invalid).sum();
    Ok(BenchmarkSection {
        report: ScoreReport::new(benchmark, &protocol, &methods, Bootstrap::default()),
        notes: vec![format!("{invalid} predictions were no finite numbers; they count as wrong.")],
        curves,
        classes: Some(ClassScores::new(&protocol, &methods, ALPHA)),
        pairs: drawn,
        published: published_scores(benchmark),
    })
}

/// Four images of a class: eight points round an ellipse that is moved, turned and scaled from image to image.
fn images_of_class(class: &str, rng: &mut ChaCha8Rng) -> Vec<KeyPointImage> {
    let image = |index: usize| {
        let size = if index.is_multiple_of(2) { (480, 320) } else { (300, 400) };
        let (width, height) = (size.0 as f32, size.1 as f32);
        let (x, y) = (width * rng.random_range(0.4..0.6), height * rng.random_range(0.4..0.6));
        let (across, down) = (0.3 * width * rng.random_range(0.7..1.1), 0.3 * height * rng.random_range(0.7..1.1));
        let turn: f32 = rng.random_range(-0.4..0.4);
        let point = |step: u8| {
            let angle = f32::from(step) * std::f32::consts::TAU / 8.0;
            let (u, v) = (across * angle.cos(), down * angle.sin());
            Some([x + u * turn.cos() - v * turn.sin(), y + u * turn.sin() + v * turn.cos()])
        };
        KeyPointImage {
            path: format!("{}_{index}.png", class.replace(' ', "_")).into(),
            class: class.to_owned(),
            size,
            key_points: (0..8).map(point).collect(),
            object_box: None,
        }
    };
    (0..4).map(image).collect()
}

/// The annotation, each point moved by up to `noise` of the image's width and height; one in two hundred is no number.
fn noisy(pair: &KeyPointPair, noise: f32, rng: &mut ChaCha8Rng) -> Vec<[f32; 2]> {
    let (width, height) = (pair.target.size.0 as f32, pair.target.size.1 as f32);
    let moved = |&[x, y]: &[f32; 2]| {
        let (dx, dy) = (rng.random_range(-noise..noise), rng.random_range(-noise..noise));
        if rng.random_range(0.0..1.0) < 0.005 { [f32::NAN, y] } else { [x + dx * width, y + dy * height] }
    };
    pair.target.points.iter().map(moved).collect()
}

fn draw(pair: &KeyPointPair, predicted: &[[f32; 2]], method: &str, group: PairGroup, protocol: &Protocol) -> DrawnPair {
    DrawnPair {
        id: pair.id.clone(),
        class: pair.class.clone(),
        method: method.to_owned(),
        group,
        source: picture(&pair.source.points, pair.source.size),
        target: picture(&pair.target.points, pair.target.size),
        points: pair.source.points.clone(),
        predicted: predicted.to_vec(),
        truth: pair.target.points.clone(),
        scale: protocol.frame.scale(pair.target.size),
        length: protocol.length_of(&pair.target).unwrap_or(f64::NAN),
        alpha: ALPHA,
    }
}

/// A soft ground with a blob of its own colour about each point.
fn picture(points: &[[f32; 2]], (width, height): (u32, u32)) -> RgbImage {
    const COLOURS: [[f32; 3]; 4] =
        [[150.0, 90.0, 60.0], [70.0, 120.0, 80.0], [90.0, 90.0, 150.0], [170.0, 150.0, 80.0]];
    let reach = width.min(height) as f32 / 8.0;
    RgbImage::from_fn(width, height, |x, y| {
        let shade = 150.0 + 70.0 * y as f32 / height as f32;
        let mut pixel = [shade, shade, shade + 10.0];
        for (point, colour) in points.iter().zip(COLOURS.iter().cycle()) {
            let distance = (x as f32 - point[0]).hypot(y as f32 - point[1]);
            let share = (1.3 - distance / reach).clamp(0.0, 1.0);
            for (channel, paint) in pixel.iter_mut().zip(colour) {
                *channel = *channel * (1.0 - share) + paint * share;
            }
        }
        Rgb(pixel.map(|channel| channel.clamp(0.0, 255.0) as u8))
    })
}

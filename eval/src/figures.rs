//! Figures of scores, as SVG and as pixels.
//!
//! An SVG names no font but the generic `sans-serif`. Pixels need the outlines of a font, and no font comes with this crate:
//! [`FigureFont`] takes one of the system's.

mod font;
mod labels;
mod learning;
mod pixels;

use std::error::Error;

use image::{RgbImage, imageops};
use plotters::coord::Shift;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use thiserror::Error;

pub use self::font::{FigureFont, FigureFontError};
use self::pixels::PixelBackend;
use crate::figure_data::{ClassScores, CoverageCurve, LearningCurves, PckCurve, Reliability, alpha_text};

/// Text and axes.
pub(crate) const INK: RGBColor = RGBColor(0x1F, 0x29, 0x33);
/// Lines of the grid.
pub(crate) const GRID: RGBColor = RGBColor(0xDD, 0xE2, 0xE7);
/// Colours of methods, told apart with every kind of colour vision; a method has a shape too, or a place.
pub(crate) const METHODS: [RGBColor; 7] = [
    RGBColor(0x00, 0x72, 0xB2),
    RGBColor(0xD5, 0x5E, 0x00),
    RGBColor(0x00, 0x9E, 0x73),
    RGBColor(0xCC, 0x79, 0xA7),
    RGBColor(0x56, 0xB4, 0xE9),
    RGBColor(0xE6, 0x9F, 0x00),
    RGBColor(0x6B, 0x70, 0x78),
];

/// Width of a figure at scale 1: that of a phone's screen, so that its text is as large there as drawn.
const WIDTH: i32 = 440;
/// Heights of an entry of the legend, a bar, and the room between two classes, at scale 1.
const LEGEND_LINE: i32 = 20;
const BAR: i32 = 11;
const CLASS_GAP: i32 = 8;
/// Letters of a class's or a method's name that are drawn.
const NAME_LETTERS: usize = 24;
/// Units of an SVG for one pixel at scale 1. The backend draws at whole units.
const SVG_SCALE: i32 = 4;
/// Pixels drawn, along an axis, for one that is kept.
const OVERSAMPLING: u32 = 2;

/// Why a figure cannot be drawn.
#[derive(Debug, Error)]
#[error("the figure cannot be drawn: {0}")]
pub struct FigureError(String);

/// A figure of scores.
#[derive(Clone, Copy, Debug)]
pub enum Figure<'a> {
    /// PCK of each method over the threshold α.
    PckCurves(&'a [PckCurve]),
    /// A bar for each class and method.
    ClassBars(&'a ClassScores),
    /// The share of right labels over the share that is kept.
    Coverage(&'a CoverageCurve),
    /// The share of right labels over their confidence.
    Reliability(&'a Reliability),
    /// PCK over the number of pairs that were learned from, with shaded intervals.
    Learning(&'a LearningCurves),
}

impl Figure<'_> {
    /// The figure as an SVG file on a white ground.
    ///
    /// # Errors
    ///
    /// [`FigureError`] where it cannot be laid out, as for a number of classes beyond all reason.
    pub fn svg(&self) -> Result<String, FigureError> {
        self.svg_on(Some(WHITE))
    }

    pub(crate) fn svg_on(&self, ground: Option<RGBColor>) -> Result<String, FigureError> {
        let mut text = String::new();
        let backend = SVGBackend::with_string(&mut text, self.size(SVG_SCALE));
        self.draw(backend, SVG_SCALE, ground)?;
        Ok(text)
    }

    /// The figure as pixels on a white ground, `scale` pixels for each of the 440 that it is wide at scale 1.
    ///
    /// # Errors
    ///
    /// [`FigureError`] as [`Figure::svg`].
    ///
    /// # Panics
    ///
    /// If `scale` is 0 or above 8.
    pub fn pixels(&self, font: &FigureFont, scale: u32) -> Result<RgbImage, FigureError> {
        assert!((1..=8).contains(&scale), "scale {scale} is not in 1..=8");
        let drawn_scale = (scale * OVERSAMPLING) as i32;
        let (width, height) = self.size(drawn_scale);
        let mut picture = RgbImage::new(width, height);
        self.draw(PixelBackend { picture: &mut picture, font }, drawn_scale, Some(WHITE))?;
        Ok(imageops::thumbnail(&picture, width / OVERSAMPLING, height / OVERSAMPLING))
    }

    /// One sentence that says what the figure shows, for those who do not see it.
    pub fn description(&self) -> String {
        match self {
            Self::PckCurves(curves) => {
                let ends = curves.iter().filter_map(|PckCurve { method, points }| {
                    let (first, last) = (points.first()?, points.last()?);
                    let (low, high) = (alpha_text(first.0), alpha_text(last.0));
                    Some(format!("{method} from {:.1} at α = {low} to {:.1} at α = {high}", first.1, last.1))
                });
                format!("PCK in percent over the threshold α: {}.", ends.collect::<Vec<_>>().join("; "))
            }
            Self::ClassBars(scores) => {
                let methods: Vec<_> = scores.methods.iter().map(|(method, _)| method.as_str()).collect();
                format!(
                    "PCK in percent at α = {} on each of {} classes, for {}. The table holds the numbers.",
                    alpha_text(scores.alpha),
                    scores.classes.len(),
                    methods.join(", ")
                )
            }
            Self::Coverage(curve) => labels::describe_coverage(curve),
            Self::Reliability(reliability) => labels::describe_reliability(reliability),
            Self::Learning(curves) => learning::describe_learning(curves),
        }
    }

    fn methods(&self) -> Vec<&str> {
        match self {
            Self::PckCurves(curves) => curves.iter().map(|curve| curve.method.as_str()).collect(),
            Self::ClassBars(scores) => scores.methods.iter().map(|(method, _)| method.as_str()).collect(),
            Self::Coverage(_) => Vec::new(),
            Self::Reliability(_) => labels::RELIABILITY_LEGEND.to_vec(),
            Self::Learning(curves) => curves.curves.iter().map(|curve| curve.name.as_str()).collect(),
        }
    }

    fn size(&self, scale: i32) -> (u32, u32) {
        let below = match self {
            Self::PckCurves(_) | Self::Coverage(_) | Self::Learning(_) => 300,
            Self::Reliability(_) => 360,
            Self::ClassBars(scores) => bars_height(scores) + 50,
        };
        let height = legend_height(&self.methods()) + below;
        (WIDTH.saturating_mul(scale) as u32, height.saturating_mul(scale) as u32)
    }

    fn draw<B: DrawingBackend>(&self, backend: B, scale: i32, ground: Option<RGBColor>) -> Result<(), FigureError>
    where
        B::ErrorType: 'static,
    {
        let area = backend.into_drawing_area();
        let drawn = || -> Result<(), Box<dyn Error + '_>> {
            if let Some(ground) = ground {
                area.fill(&ground)?;
            }
            draw_legend(&area, &self.methods(), scale)?;
            match self {
                Self::PckCurves(curves) => draw_curves(&area, curves, scale)?,
                Self::ClassBars(scores) => draw_bars(&area, scores, scale)?,
                Self::Coverage(curve) => labels::draw_coverage(&area, curve, scale)?,
                Self::Reliability(reliability) => labels::draw_reliability(&area, reliability, scale)?,
                Self::Learning(curves) => learning::draw_learning(&area, curves, scale)?,
            }
            area.present()?;
            Ok(())
        };
        drawn().map_err(|error| FigureError(error.to_string()))
    }
}

type Drawn<B> = Result<(), DrawingAreaErrorKind<<B as DrawingBackend>::ErrorType>>;

type Chart<'a, B> = ChartContext<'a, B, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

/// Where the axes of a chart end, the lower one beginning at 0, and how many decimals the numbers along that have; `None`: it
/// has no numbers.
#[derive(Clone, Copy)]
struct Ends {
    right: f64,
    bottom: f64,
    top: f64,
    decimals: Option<usize>,
}

/// The axes of a chart below a margin, with their labels.
fn axes<'a, B: DrawingBackend>(
    area: &DrawingArea<B, Shift>,
    margin: i32,
    Ends { right, bottom, top, decimals }: Ends,
    [across, up]: [&str; 2],
    scale: i32,
) -> Result<Chart<'a, B>, DrawingAreaErrorKind<B::ErrorType>> {
    let mut chart = ChartBuilder::on(area)
        .margin_top(margin * scale)
        .margin_left(6 * scale)
        .margin_right(22 * scale)
        .x_label_area_size(42 * scale)
        .y_label_area_size(48 * scale)
        .build_cartesian_2d(0.0..right, bottom..top)?;
    let (numbers, decimals) = (decimals.map_or(0, |_| 6), decimals.unwrap_or_default());
    chart
        .configure_mesh()
        .disable_x_mesh()
        .bold_line_style(GRID.stroke_width(scale as u32))
        .light_line_style(TRANSPARENT)
        .axis_style(INK.stroke_width(scale as u32))
        .label_style(text(13, scale))
        .axis_desc_style(text(13, scale))
        .x_labels(numbers)
        .y_labels(6)
        .x_label_formatter(&|value| format!("{value:.decimals$}"))
        .y_label_formatter(&|value| format!("{value:.0}"))
        .x_desc(across)
        .y_desc(up)
        .set_all_tick_mark_size(4 * scale)
        .draw()?;
    Ok(chart)
}

fn draw_curves<B: DrawingBackend>(area: &DrawingArea<B, Shift>, curves: &[PckCurve], scale: i32) -> Drawn<B> {
    let drawable = |curve: &PckCurve| -> Vec<(f64, f64)> {
        let points = curve.points.iter().filter(|(alpha, pck)| alpha.is_finite() && *alpha >= 0.0 && pck.is_finite());
        points.map(|(alpha, pck)| (*alpha, pck.clamp(0.0, 100.0))).collect()
    };
    let curves: Vec<(&str, Vec<_>)> = curves.iter().map(|curve| (curve.method.as_str(), drawable(curve))).collect();
    let all = || curves.iter().flat_map(|(_, points)| points);
    let right = all().map(|point| point.0).fold(0.0, f64::max);
    let right = if right > 0.0 { right } else { 1.0 };
    let top = upper_end(all().map(|point| point.1));
    let methods: Vec<&str> = curves.iter().map(|(method, _)| *method).collect();
    let labels = ["threshold α, as a share of L", "PCK (%)"];
    let mut chart =
        axes(area, legend_height(&methods) + 8, Ends { right, bottom: 0.0, top, decimals: Some(2) }, labels, scale)?;
    for (index, (_, points)) in curves.iter().enumerate() {
        chart.draw_series(LineSeries::new(points.iter().copied(), colour(index).stroke_width(2 * scale as u32)))?;
        // Some six marks a curve, each method's elsewhere, so that none hides another's.
        let every = (points.len() / 6).max(1);
        for point in points.iter().skip(index % every).step_by(every) {
            let (x, y) = chart.backend_coord(point);
            draw_mark(area, index, (x, y), 4 * scale)?;
        }
    }
    Ok(())
}

fn draw_bars<B: DrawingBackend>(area: &DrawingArea<B, Shift>, scores: &ClassScores, scale: i32) -> Drawn<B> {
    let methods: Vec<&str> = scores.methods.iter().map(|(method, _)| method.as_str()).collect();
    let letters = scores.classes.iter().map(|class| shortened(class).chars().count()).max().unwrap_or(0);
    let names = (letters as i32 * 15 / 2 + 14).clamp(30, 180);
    let height = bars_height(scores).max(1);
    let top = upper_end(scores.methods.iter().flat_map(|(_, values)| values.iter().copied()));
    let mut chart = ChartBuilder::on(area)
        .margin_top((legend_height(&methods) + 8) * scale)
        .margin_left(6 * scale)
        .margin_right(30 * scale)
        .x_label_area_size(42 * scale)
        .y_label_area_size(names * scale)
        .build_cartesian_2d(0.0..top, 0.0..f64::from(height))?;
    chart
        .configure_mesh()
        .disable_y_mesh()
        .bold_line_style(GRID.stroke_width(scale as u32))
        .light_line_style(TRANSPARENT)
        .axis_style(INK.stroke_width(scale as u32))
        .label_style(text(13, scale))
        .axis_desc_style(text(13, scale))
        .x_labels(6)
        .y_label_formatter(&|_| String::new())
        .x_label_formatter(&|pck| format!("{pck:.0}"))
        .x_desc(format!("PCK (%) at α = {}", alpha_text(scores.alpha)))
        .set_tick_mark_size(LabelAreaPosition::Bottom, 4 * scale)
        .set_tick_mark_size(LabelAreaPosition::Left, 0)
        .draw()?;
    let step = class_step(scores);
    for (row, class) in scores.classes.iter().enumerate() {
        let upper = height - CLASS_GAP / 2 - row as i32 * step;
        for (index, (_, values)) in scores.methods.iter().enumerate() {
            let Some(value) = values.get(row).filter(|value| value.is_finite()) else { continue };
            let value = value.clamp(0.0, 100.0);
            let bar_top = f64::from(upper - index as i32 * BAR);
            let bar = [(0.0, bar_top), (value, bar_top - f64::from(BAR - 1))];
            chart.draw_series([Rectangle::new(bar, colour(index).filled())])?;
            let (x, y) = chart.backend_coord(&(value, bar_top - f64::from(BAR - 1) / 2.0));
            let label = text(10, scale).pos(Pos::new(HPos::Left, VPos::Center));
            area.draw_text(&format!("{value:.0}"), &label, (x + 3 * scale, y))?;
        }
        let (x, y) = chart.backend_coord(&(0.0, f64::from(upper) - f64::from(step - CLASS_GAP) / 2.0));
        let label = text(13, scale).pos(Pos::new(HPos::Right, VPos::Center));
        area.draw_text(&shortened(class), &label, (x - 7 * scale, y))?;
    }
    Ok(())
}

fn class_step(scores: &ClassScores) -> i32 {
    (scores.methods.len().min(1000) as i32).max(1) * BAR + CLASS_GAP
}

fn bars_height(scores: &ClassScores) -> i32 {
    (scores.classes.len().min(10_000) as i32).saturating_mul(class_step(scores))
}

/// The end of an axis of percents: the next multiple of 20, at most 100.
fn upper_end(percents: impl Iterator<Item = f64>) -> f64 {
    let largest = percents.filter(|pck| pck.is_finite()).fold(0.0, f64::max);
    ((largest / 20.0).ceil() * 20.0).clamp(20.0, 100.0)
}

fn colour(method: usize) -> RGBColor {
    METHODS[method % METHODS.len()]
}

fn text(size: i32, scale: i32) -> TextStyle<'static> {
    // The library takes the height of a line, 1.24 em.
    ("sans-serif", 1.24 * f64::from(size * scale)).into_font().color(&INK)
}

/// A name as long as a figure has room for, without letters that have no shape.
fn shortened(name: &str) -> String {
    let letters = || name.chars().map(|letter| if letter.is_control() { '\u{fffd}' } else { letter });
    if letters().count() <= NAME_LETTERS {
        letters().collect()
    } else {
        letters().take(NAME_LETTERS - 1).chain(['…']).collect()
    }
}

/// Places of the entries of the legend at scale 1, line by line; fonts being unknown, by the number of letters.
fn legend_places(methods: &[&str]) -> Vec<(i32, i32)> {
    let (mut x, mut line) = (12, 0);
    let mut places = Vec::with_capacity(methods.len());
    for method in methods {
        let width = 34 + 8 * shortened(method).chars().count() as i32 + 16;
        if x > 12 && x + width > WIDTH {
            (x, line) = (12, line + 1);
        }
        places.push((x, 8 + line * LEGEND_LINE + LEGEND_LINE / 2));
        x += width;
    }
    places
}

fn legend_height(methods: &[&str]) -> i32 {
    legend_places(methods).last().map_or(0, |(_, y)| y + LEGEND_LINE / 2)
}

fn draw_legend<B: DrawingBackend>(area: &DrawingArea<B, Shift>, methods: &[&str], scale: i32) -> Drawn<B> {
    for (index, (method, (x, y))) in methods.iter().zip(legend_places(methods)).enumerate() {
        let line = [(x * scale, y * scale), ((x + 26) * scale, y * scale)];
        area.draw(&PathElement::new(line, colour(index).stroke_width(2 * scale as u32)))?;
        draw_mark(area, index, ((x + 13) * scale, y * scale), 4 * scale)?;
        let label = text(13, scale).pos(Pos::new(HPos::Left, VPos::Center));
        area.draw_text(&shortened(method), &label, ((x + 33) * scale, y * scale))?;
    }
    Ok(())
}

/// The method's shape: a circle, a square, a diamond, a triangle up or down.
fn draw_mark<B: DrawingBackend>(
    area: &DrawingArea<B, Shift>,
    method: usize,
    (x, y): (i32, i32),
    radius: i32,
) -> Drawn<B> {
    let style = colour(method).filled();
    let wide = radius * 5 / 4;
    let corners = match method % 5 {
        0 => return area.draw(&Circle::new((x, y), radius, style)),
        1 => {
            vec![(x - radius, y - radius), (x + radius, y - radius), (x + radius, y + radius), (x - radius, y + radius)]
        }
        2 => vec![(x, y - wide), (x + wide, y), (x, y + wide), (x - wide, y)],
        3 => vec![(x, y - wide), (x + wide, y + radius), (x - wide, y + radius)],
        _ => vec![(x, y + wide), (x + wide, y - radius), (x - wide, y - radius)],
    };
    area.draw(&Polygon::new(corners, style))
}

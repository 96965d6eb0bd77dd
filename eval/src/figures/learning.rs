//! PCK over the number of pairs that were learned from.

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::{Drawn, Ends, axes, colour, draw_mark, legend_height, text};
use crate::figure_data::{LearningCurves, alpha_text};

/// Where the axis of percents begins and ends: multiples of ten round all intervals.
fn ends(curves: &LearningCurves) -> (f64, f64) {
    let values =
        || curves.curves.iter().flat_map(|curve| curve.points.iter().flatten().flatten()).filter(|v| v.is_finite());
    let (low, high) = (values().copied().fold(f64::MAX, f64::min), values().copied().fold(f64::MIN, f64::max));
    if low > high {
        return (0.0, 100.0);
    }
    let low = ((low / 10.0).floor() * 10.0).clamp(0.0, 90.0);
    (low, ((high / 10.0).ceil() * 10.0).clamp(low + 10.0, 100.0))
}

pub(super) fn draw_learning<B: DrawingBackend>(
    area: &DrawingArea<B, Shift>,
    curves: &LearningCurves,
    scale: i32,
) -> Drawn<B> {
    let names: Vec<&str> = curves.curves.iter().map(|curve| curve.name.as_str()).collect();
    let (low, high) = ends(curves);
    let right = curves.counts.len().max(1) as f64;
    let ends = Ends { right, bottom: low, top: high, decimals: None };
    let labels = ["pairs with key points learned from", &format!("PCK (%) at α = {}", alpha_text(curves.alpha))];
    let mut chart = axes(area, legend_height(&names) + 8, ends, labels, scale)?;
    let place = |index: usize| index as f64 + 0.5;
    let centred = text(13, scale).pos(Pos::new(HPos::Center, VPos::Top));
    for (index, count) in curves.counts.iter().enumerate() {
        let (x, y) = chart.backend_coord(&(place(index), low));
        area.draw_text(count, &centred, (x, y + 5 * scale))?;
    }
    for (index, curve) in curves.curves.iter().enumerate() {
        // A gap where a number of pairs is missing.
        let there = curve.points.iter().enumerate().filter_map(|(at, point)| Some((place(at), (*point)?)));
        let there: Vec<(f64, [f64; 3])> = there.collect();
        let lower = there.iter().map(|(x, [low, ..])| (*x, *low));
        let upper = there.iter().rev().map(|(x, [.., high])| (*x, *high));
        let band: Vec<(f64, f64)> = lower.chain(upper).collect();
        chart.draw_series([Polygon::new(band, colour(index).mix(0.18).filled())])?;
        let line = there.iter().map(|(x, [_, pck, _])| (*x, *pck));
        chart.draw_series(LineSeries::new(line.clone(), colour(index).stroke_width(2 * scale as u32)))?;
        for point in line {
            draw_mark(area, index, chart.backend_coord(&point), 4 * scale)?;
        }
    }
    Ok(())
}

pub(super) fn describe_learning(curves: &LearningCurves) -> String {
    let ends = curves.curves.iter().filter_map(|curve| {
        let mut there =
            curves.counts.iter().zip(&curve.points).filter_map(|(count, point)| Some((count, (*point)?[1])));
        let first = there.next()?;
        let last = there.next_back().unwrap_or(first);
        Some(format!("{} from {:.1} with {} pairs to {:.1} with {}", curve.name, first.1, first.0, last.1, last.0))
    });
    let ends: Vec<String> = ends.collect();
    format!("PCK in percent at α = {} over the number of pairs: {}.", alpha_text(curves.alpha), ends.join("; "))
}

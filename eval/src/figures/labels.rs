//! Figures of what labels and their confidences are worth: precision over the share kept, and the reliability diagram.

use plotters::coord::Shift;
use plotters::prelude::*;

use super::{Drawn, Ends, INK, axes, colour, draw_mark, legend_height};
use crate::figure_data::{CoverageCurve, Reliability};

/// What the reliability diagram shows, in the order of its colours.
pub(super) const RELIABILITY_LEGEND: [&str; 2] = ["share right", "as confident as right"];

/// Both axes from 0 to 100.
const PERCENT: Ends = Ends { right: 100.0, bottom: 0.0, top: 100.0, decimals: Some(0) };

pub(super) fn describe_coverage(curve: &CoverageCurve) -> String {
    let ends = curve.points.first().zip(curve.points.last()).map(|(first, last)| {
        format!(
            "{:.1} % of the surest {:.1} % are right, {:.1} % of all",
            100.0 * first.1,
            100.0 * first.0,
            100.0 * last.1
        )
    });
    format!("Share of right labels over the share kept: {}.", ends.unwrap_or_else(|| "no label is checked".to_owned()))
}

pub(super) fn describe_reliability(reliability: &Reliability) -> String {
    let bins = reliability.bins.iter().map(|bin| {
        format!("of {} labels of confidence {:.2}, {:.0} % are right", bin.count, bin.confidence, 100.0 * bin.right)
    });
    format!("Reliability of the confidences: {}.", bins.collect::<Vec<_>>().join("; "))
}

pub(super) fn draw_coverage<B: DrawingBackend>(
    area: &DrawingArea<B, Shift>,
    curve: &CoverageCurve,
    scale: i32,
) -> Drawn<B> {
    let mut chart = axes(area, 12, PERCENT, ["share kept, the surest first (%)", "right (%)"], scale)?;
    let points: Vec<(f64, f64)> = curve.points.iter().map(|&(kept, right)| (percent(kept), percent(right))).collect();
    chart.draw_series(LineSeries::new(points.iter().copied(), colour(0).stroke_width(2 * scale as u32)))?;
    if let Some(last) = points.last() {
        draw_mark(area, 0, chart.backend_coord(last), 4 * scale)?;
    }
    Ok(())
}

/// A bar for each bin that has labels, as high as the share of them that is right, with a mark where its mean confidence
/// would have it; the diagonal is where both agree.
pub(super) fn draw_reliability<B: DrawingBackend>(
    area: &DrawingArea<B, Shift>,
    reliability: &Reliability,
    scale: i32,
) -> Drawn<B> {
    let margin = legend_height(&RELIABILITY_LEGEND) + 12;
    let mut chart = axes(area, margin, PERCENT, ["confidence (%)", "right (%)"], scale)?;
    for bin in &reliability.bins {
        let (left, right) = (percent(bin.range.0), percent(bin.range.1));
        let gap = (right - left) * 0.06;
        let bar = [(left + gap, 0.0), (right - gap, percent(bin.right))];
        chart.draw_series([Rectangle::new(bar, colour(0).filled())])?;
    }
    chart.draw_series(LineSeries::new([(0.0, 0.0), (100.0, 100.0)], INK.stroke_width(scale as u32)))?;
    for bin in &reliability.bins {
        let place = chart.backend_coord(&(percent(bin.confidence), percent(bin.confidence)));
        draw_mark(area, 1, place, 4 * scale)?;
    }
    Ok(())
}

/// A share in percent, within the axes; 0 for what is no number.
fn percent(share: f64) -> f64 {
    if share.is_nan() { 0.0 } else { (100.0 * share).clamp(0.0, 100.0) }
}

//! What checked labels look like as figures.

use eval::{CoverageCurve, Reliability, ReliabilityBar};
use pseudo_label::{CoveragePoint, ReliabilityBin};

/// Steps of a coverage curve that can be told apart in a figure.
const STEPS: usize = 400;

/// Precision over the share kept; `None` without labels. Of a long curve, the last point of each step to the right.
pub fn coverage(curve: &[CoveragePoint]) -> Option<CoverageCurve> {
    let step = |point: &CoveragePoint| (point.kept * STEPS as f64) as usize;
    let last_of_step = curve.chunk_by(|a, b| step(a) == step(b)).filter_map(|chunk| chunk.last());
    let points: Vec<(f64, f64)> = last_of_step.map(|point| (point.kept, point.precision)).collect();
    (!points.is_empty()).then_some(CoverageCurve { points })
}

/// The bins that have labels.
pub fn reliability(bins: &[ReliabilityBin]) -> Reliability {
    let ends = bins.iter().skip(1).map(|bin| bin.from).chain([1.0]);
    let bars = bins.iter().zip(ends).filter(|(bin, _)| bin.count > 0).map(|(bin, end)| ReliabilityBar {
        range: (bin.from, end),
        confidence: bin.confidence,
        right: bin.right,
        count: bin.count,
    });
    Reliability { bins: bars.collect() }
}

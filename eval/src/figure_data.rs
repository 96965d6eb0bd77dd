//! What figures show: of methods' scores, PCK over α and class by class; of labels, what their confidences are worth.

use crate::average::{Bootstrap, average, class_means};
use crate::protocol::Protocol;
use crate::report::MethodScores;

/// PCK of one method over the threshold.
#[derive(Clone, Debug, PartialEq)]
pub struct PckCurve {
    /// The method's name.
    pub method: String,
    /// `(α, PCK in percent)`, α growing.
    pub points: Vec<(f64, f64)>,
}

impl PckCurve {
    /// The curve through the protocol's thresholds, of which a smooth one needs some twenty: score the same predictions under
    /// [`Protocol::with_alphas`].
    ///
    /// # Panics
    ///
    /// If the method was scored on no pair, or at other thresholds than the protocol's.
    pub fn new(protocol: &Protocol, scores: &MethodScores) -> Self {
        let averages = average(&scores.pairs, protocol.average, Bootstrap { resamples: 0, seed: 0 });
        assert_eq!(averages.len(), protocol.alphas.len(), "{} was scored at other thresholds", scores.method);
        let averages = averages.iter().map(|pck| 100.0 * pck.value);
        let mut points: Vec<_> = protocol.alphas.iter().copied().zip(averages).collect();
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        Self { method: scores.method.clone(), points }
    }
}

/// PCK of several methods on each class, at one threshold.
#[derive(Clone, Debug, PartialEq)]
pub struct ClassScores {
    /// The threshold.
    pub alpha: f64,
    /// The classes, sorted.
    pub classes: Vec<String>,
    /// Each method's name and its PCK in percent on each class: the mean over the pairs of the class.
    pub methods: Vec<(String, Vec<f64>)>,
}

impl ClassScores {
    /// The class means at the threshold `alpha` of the protocol.
    ///
    /// # Panics
    ///
    /// If `alpha` is not among the protocol's thresholds, or the methods were scored on different classes.
    pub fn new(protocol: &Protocol, methods: &[MethodScores], alpha: f64) -> Self {
        let position = protocol.alphas.iter().position(|known| *known == alpha);
        let Some(position) = position else { panic!("threshold {alpha} is not among {:?}", protocol.alphas) };
        let mut all = Self { alpha, classes: Vec::new(), methods: Vec::new() };
        for MethodScores { method, pairs } in methods {
            let means = class_means(pairs);
            let classes: Vec<String> = means.keys().cloned().collect();
            if all.methods.is_empty() {
                all.classes = classes;
            } else {
                assert_eq!(all.classes, classes, "{method} was scored on other classes than the first method");
            }
            all.methods.push((method.clone(), means.values().map(|of_class| 100.0 * of_class[position]).collect()));
        }
        all
    }
}

/// The share of right labels over the share that is kept, from the surest labels alone to all of them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CoverageCurve {
    /// `(share kept, share right of these)`, both 0..=1, the share kept growing.
    pub points: Vec<(f64, f64)>,
}

/// A reliability diagram: how often labels of some confidence are right.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reliability {
    /// The bins that have labels, by growing confidence.
    pub bins: Vec<ReliabilityBar>,
}

/// The labels whose confidence is in one bin of a reliability diagram.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ReliabilityBar {
    /// Where the bin begins and ends, within 0..=1.
    pub range: (f64, f64),
    /// The labels' mean confidence.
    pub confidence: f64,
    /// The share of them that is right.
    pub right: f64,
    /// How many there are.
    pub count: usize,
}

/// PCK of several beginnings over the number of pairs that were learned from.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LearningCurves {
    /// The threshold.
    pub alpha: f64,
    /// The numbers of pairs as they are written, from few to many.
    pub counts: Vec<String>,
    /// A curve for each beginning.
    pub curves: Vec<LearningCurve>,
}

/// PCK of one beginning.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LearningCurve {
    /// What it begins with.
    pub name: String,
    /// For each number of pairs the lower end of the interval, the PCK and the upper end, in per cent; `None` where it is
    /// not known.
    pub points: Vec<Option<[f64; 3]>>,
}

/// A threshold as tables show it: with two decimals, or more where it needs them.
pub(crate) fn alpha_text(alpha: f64) -> String {
    let short = format!("{alpha:.2}");
    if short.parse() == Ok(alpha) { short } else { alpha.to_string() }
}

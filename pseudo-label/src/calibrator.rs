//! Confidences that mean something: of the matches at .8, eight in ten are right.

use serde::{Deserialize, Serialize};

use crate::isotonic::Isotonic;
use crate::platt::Platt;

/// A match whose truth is known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Checked {
    /// What was said of it; more is surer. On any scale to fit a calibrator to, 0..=1 to be held against the truth.
    pub confidence: f64,
    /// Whether it was right, by whatever rule the confidences are to speak of.
    pub right: bool,
}

/// There is nothing to calibrate with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoChecked;

impl std::fmt::Display for NoChecked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(
            "no match with a known truth to calibrate confidences with; give key points that labels come near, or leave \
             the confidences uncalibrated",
        )
    }
}

impl std::error::Error for NoChecked {}

/// From confidences to probabilities of being right.
///
/// As a table it names its method: `method = "uncalibrated"`, or `"isotonic"` or `"platt"` with what was fitted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "method", rename_all = "kebab-case")]
pub enum Calibrator {
    /// Leaves confidences as they are: they rank matches and are no probabilities.
    #[default]
    Uncalibrated,
    /// A rising function of any shape. It needs some hundreds of checked matches, or it learns their noise.
    Isotonic(Isotonic),
    /// A logistic curve. It has two numbers to fit, and does with some dozens.
    Platt(Platt),
}

impl Calibrator {
    /// The calibrated confidence, 0..=1; never falls where the confidence rises. 0 for what is no number.
    pub fn apply(&self, confidence: f64) -> f64 {
        match self {
            _ if confidence.is_nan() => 0.0,
            Self::Uncalibrated => confidence.clamp(0.0, 1.0),
            Self::Isotonic(isotonic) => isotonic.apply(confidence),
            Self::Platt(platt) => platt.apply(confidence),
        }
    }
}

impl std::fmt::Display for Calibrator {
    /// The method's name, as in a table.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Uncalibrated => "uncalibrated",
            Self::Isotonic(_) => "isotonic",
            Self::Platt(_) => "platt",
        })
    }
}

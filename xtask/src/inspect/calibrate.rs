//! A calibrator of confidences from labels whose truth is known.

use std::path::Path;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use pseudo_label::{Calibrator, Checked, Isotonic, Platt};
use tracing::warn;

use crate::atomic;

/// Below so many labels an isotonic calibrator learns their noise.
const FEW: usize = 200;

/// What is fitted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum CalibratorKind {
    /// A rising function of any shape.
    #[default]
    Isotonic,
    /// A logistic curve.
    Platt,
}

impl CalibratorKind {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Isotonic => "isotonic",
            Self::Platt => "platt",
        }
    }
}

/// Fits a calibrator and writes it as JSON.
///
/// # Errors
///
/// No label to fit to, a full disk.
pub fn write(path: &Path, kind: CalibratorKind, labels: &[Checked]) -> Result<()> {
    let calibrator = match kind {
        CalibratorKind::Isotonic => Isotonic::fit(labels).map(Calibrator::Isotonic),
        CalibratorKind::Platt => Platt::fit(labels).map(Calibrator::Platt),
    };
    let calibrator = calibrator.map_err(|error| anyhow::anyhow!("{} is not written: {error}", path.display()))?;
    if kind == CalibratorKind::Isotonic && labels.len() < FEW {
        warn!("only {} labels are checked, few for an isotonic calibrator; consider --kind platt", labels.len());
    }
    let mut json = serde_json::to_vec_pretty(&calibrator)?;
    json.push(b'\n');
    atomic::write(path, &json)
}

/// Fails where the confidences of a data set of ours are calibrated already: `label` would apply what is fitted to them to
/// raw ones.
///
/// # Errors
///
/// A data set with a calibrator, a mark of a build that cannot be read.
pub fn require_uncalibrated(folder: &Path) -> Result<()> {
    let path = folder.join("build.json");
    if !path.is_file() {
        return Ok(());
    }
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let mark: serde_json::Value =
        serde_json::from_str(&text).with_context(|| format!("{} is damaged; merge the parts again", path.display()))?;
    // Settings are JSON text themselves.
    let method = mark["identity"]["settings"]["calibrator.method"].as_str().unwrap_or("\"uncalibrated\"");
    if method != "\"uncalibrated\"" {
        bail!(
            "{}: the confidences are calibrated already ({method}); fit to a data set that was labelled without --calibrator",
            path.display()
        );
    }
    Ok(())
}

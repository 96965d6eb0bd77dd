//! The trained model for users of the library crates: plain records and one JSON file that says what they are.

use anyhow::{Context, Result, anyhow};
use burn::module::Module;

use crate::config::TrainConfig;
use crate::network::Network;
use crate::run_folder::RunFolder;

/// Writes `model/{backbone.bpk, cascade.bpk, model.json}`; `refine-cascade/examples/match_pair.rs` reads them.
///
/// # Errors
///
/// A full disk.
pub fn export(run: &RunFolder, network: &Network, config: &TrainConfig) -> Result<()> {
    let folder = run.root().join("model");
    let network = network.valid();
    let centre = network.centre.val().to_data().try_into_vec::<f32>();
    let centre = centre.map_err(|error| anyhow!("the centre is not of type f32: {error:?}"))?;
    let about = serde_json::json!({
        "backbone": config.backbone.name, "dilated": config.backbone.dilated, "input": config.backbone.input,
        "layers": config.backbone.layers, "stages": config.student.stages, "hidden": config.student.hidden,
        "readout": config.student.readout, "centre": centre,
    });
    let records = [
        ("backbone.bpk", network.backbone.into_record().into_bytes()),
        ("cascade.bpk", network.cascade.into_record().into_bytes()),
    ];
    for (name, bytes) in records {
        crate::atomic::write(&folder.join(name), &bytes.with_context(|| format!("{name} does not serialise"))?)?;
    }
    crate::atomic::write(&folder.join("model.json"), serde_json::to_string_pretty(&about)?.as_bytes())
}

//! Match two images with a trained run and nothing but the library crates:
//! `cargo run --release -p refine-cascade --example match_pair -- runs/NAME/model a.jpg b.jpg 120 80`

use std::{error::Error, path::Path};

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use corr_volume::{
    BackboneConfig, BatchNormMode, CorrVolume, Frame, Grid, Readout, hyperpixel, l2_normalise, preprocess,
};
use refine_cascade::CascadeConfig;

/// Where a point of the source lies in the target, both in pixels.
pub fn match_point(model: &Path, images: [&Path; 2], point: [f32; 2]) -> Result<[f32; 2], Box<dyn Error>> {
    let device = Device::flex();
    let about: serde_json::Value = serde_json::from_slice(&std::fs::read(model.join("model.json"))?)?;
    let number = |key: &str| about[key].as_u64().map(|value| value as usize).ok_or(format!("model.json lacks {key}"));
    let layers: Vec<usize> = serde_json::from_value(about["layers"].clone())?;
    let centre: Vec<f32> = serde_json::from_value(about["centre"].clone())?;
    let (side, channels) = (number("input")?, centre.len());
    let backbone =
        BackboneConfig { name: serde_json::from_value(about["backbone"].clone())?, dilated: about["dilated"] == true };
    let backbone =
        backbone.init(&device).with_batch_norm(BatchNormMode::Frozen).try_load_file(model.join("backbone.bpk"))?;
    let cascade = CascadeConfig::new(channels).with_stages(number("stages")?).with_hidden(number("hidden")?);
    let cascade = cascade.init(&device).try_load_file(model.join("cascade.bpk"))?;
    let centre = Tensor::<1>::from_floats(centre.as_slice(), &device).reshape([1, channels, 1, 1]);
    let mut features = Vec::new();
    let mut frames = Vec::new();
    for path in images {
        let image = image::open(path)?.into_rgb8();
        frames.push(Frame::stretched(image.dimensions(), (side as u32, side as u32)));
        let maps =
            backbone.forward_from(preprocess(&image, (side, side), &backbone.normalisation(), &device), 0, &layers);
        let joined = l2_normalise(hyperpixel(&maps, Grid::of(&maps[0])) - centre.clone());
        features.extend(cascade.forward(joined).pop());
    }
    let volume = CorrVolume::cosine(features[0].clone(), features[1].clone());
    let readout: Readout = serde_json::from_value(about["readout"].clone())?;
    let cell = frames[0].to_cells(volume.source(), point);
    let answer = readout.read(&volume, Tensor::from_floats([[cell]], &device)).points.into_data();
    let answer = answer.try_to_vec::<f32>().map_err(|error| format!("{error:?}"))?;
    Ok(frames[1].from_cells(volume.target(), [answer[0], answer[1]]))
}

#[allow(dead_code, reason = "tests include this file for `match_point`")]
fn main() -> Result<(), Box<dyn Error>> {
    let [_, model, source, target, x, y] = &std::env::args().collect::<Vec<_>>()[..] else {
        return Err("usage: match_pair MODEL SOURCE TARGET X Y".into());
    };
    let [x, y] = match_point(model.as_ref(), [source.as_ref(), target.as_ref()], [x.parse()?, y.parse()?])?;
    println!("{x:.1} {y:.1}");
    Ok(())
}

//! EfficientNet-Lite against PyTorch's values of the same network on the same input (`golden/make_efficientnet.py`).

mod pretrained;

use burn::tensor::{Device, Tensor, TensorData};
use corr_volume::{BackboneConfig, Verification, load_weights};
use serde::Deserialize;

/// Both sides sum up to 1152 products of 32-bit floats in another order, through up to 63 layers; that gives 2e-6, and
/// other devices sum up otherwise still.
const TOLERANCE: f64 = 1e-4;

#[derive(Deserialize)]
struct Golden {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    backbone: String,
    height: usize,
    width: usize,
    sha256: String,
    blocks: Vec<Block>,
    logits: Sampled,
}

#[derive(Deserialize)]
struct Block {
    block: usize,
    #[serde(flatten)]
    output: Sampled,
}

#[derive(Deserialize)]
struct Sampled {
    shape: Vec<usize>,
    norm: f64,
    samples: Vec<f64>,
}

impl Sampled {
    /// The larger of the relative errors of the samples and of the norm.
    fn error<const D: usize>(&self, tensor: Tensor<D>) -> f64 {
        assert_eq!(tensor.dims().to_vec(), self.shape);
        let values: Vec<f32> = tensor.into_data().try_to_vec().unwrap();
        let norm = values.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt();
        let (mut wrong, mut all) = (0.0, 0.0);
        for (index, expected) in self.samples.iter().enumerate() {
            wrong += (f64::from(values[index * 7919 % values.len()]) - expected).powi(2);
            all += expected.powi(2);
        }
        (wrong / all).sqrt().max((norm / self.norm - 1.0).abs())
    }
}

/// The formula of the script, in double precision as there.
fn formula_image(height: usize, width: usize, device: &Device) -> Tensor<4> {
    let mut values = Vec::with_capacity(3 * height * width);
    for c in 0..3 {
        for i in 0..height {
            for j in 0..width {
                let (c, i, j) = (c as f64, i as f64, j as f64);
                let slow = 0.6 * (0.05 * (c + 1.0) * i).sin() * (0.07 * j).cos();
                values.push((slow + 0.3 * (0.9 * i + 1.3 * j + c).sin()) as f32);
            }
        }
    }
    Tensor::from_data(TensorData::new(values, [1, 3, height, width]), device)
}

#[test]
fn blocks_and_logits_are_those_of_pytorch() {
    let device = Device::flex();
    let golden: Golden = serde_json::from_str(include_str!("golden/efficientnet.json")).unwrap();
    for case in golden.cases {
        let name = case.backbone.parse().unwrap();
        let Some(path) = pretrained::weights_of(name) else { continue };
        let backbone = BackboneConfig::new(name).init(&device);
        let loaded = load_weights(backbone, &path, Verification::Strict).unwrap();
        assert_eq!(loaded.sha256, case.sha256);
        let mut keep: Vec<usize> = case.blocks.iter().map(|block| block.block).collect();
        keep.push(loaded.backbone.block_count() - 1);
        let image = formula_image(case.height, case.width, &device);
        let mut outputs = loaded.backbone.forward_from(image, 0, &keep);
        let logits = outputs.pop().and_then(|last| loaded.backbone.logits(last)).unwrap();
        let size = format!("{name} at {}×{}", case.width, case.height);
        for (block, output) in case.blocks.iter().zip(outputs) {
            let error = block.output.error(output);
            println!("{size}, block {}: relative error {error:.1e}", block.block);
            assert!(error <= TOLERANCE, "{size}, block {}: relative error {error}", block.block);
        }
        let error = case.logits.error(logits);
        println!("{size}, logits: relative error {error:.1e}");
        assert!(error <= TOLERANCE, "{size}, logits: relative error {error}");
    }
}

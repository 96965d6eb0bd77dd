//! Loading weights: what is accepted, and how each kind of damage is reported.

mod checkpoints;
mod pretrained;

use std::fs;
use std::path::{Path, PathBuf};

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, Tensor};
use corr_volume::{
    BackboneConfig, BackboneName, LoadedWeights, Verification, WeightsError, known_weights, load_weights, sha256_of,
};

const LITE0: BackboneName = BackboneName::EfficientNetLite0;

/// Kernel, expansion, output channels of Lite0's blocks.
const BLOCKS: [(usize, usize, usize); 16] = [
    (3, 1, 16),
    (3, 6, 24),
    (3, 6, 24),
    (5, 6, 40),
    (5, 6, 40),
    (3, 6, 80),
    (3, 6, 80),
    (3, 6, 80),
    (5, 6, 112),
    (5, 6, 112),
    (5, 6, 112),
    (5, 6, 192),
    (5, 6, 192),
    (5, 6, 192),
    (5, 6, 192),
    (3, 6, 320),
];

/// A tensor of a state dictionary, all of one value.
#[derive(Clone)]
struct Entry {
    key: String,
    shape: Vec<usize>,
    value: f32,
}

/// The published keys and shapes of Lite0, each tensor with a value of its own.
fn state() -> Vec<Entry> {
    let mut tensors: Vec<(String, Vec<usize>)> = Vec::new();
    let mut unit = |conv: String, norm: String, shape: [usize; 4]| {
        tensors.push((format!("{conv}.weight"), shape.to_vec()));
        for part in ["weight", "bias", "running_mean", "running_var"] {
            tensors.push((format!("{norm}.{part}"), vec![shape[0]]));
        }
    };
    unit("_conv_stem".into(), "_bn0".into(), [32, 3, 3, 3]);
    let mut input = 32;
    for (index, (kernel, expand, output)) in BLOCKS.into_iter().enumerate() {
        let block = format!("_blocks.{index}");
        let inner = input * expand;
        if expand > 1 {
            unit(format!("{block}._expand_conv"), format!("{block}._bn0"), [inner, input, 1, 1]);
        }
        unit(format!("{block}._depthwise_conv"), format!("{block}._bn1"), [inner, 1, kernel, kernel]);
        unit(format!("{block}._project_conv"), format!("{block}._bn2"), [output, inner, 1, 1]);
        input = output;
    }
    unit("_conv_head".into(), "_bn1".into(), [1280, input, 1, 1]);
    tensors.push(("_fc.weight".into(), vec![1000, 1280]));
    tensors.push(("_fc.bias".into(), vec![1000]));
    let values = 1..;
    tensors.into_iter().zip(values).map(|((key, shape), n)| Entry { key, shape, value: n as f32 / 512.0 }).collect()
}

/// The safetensors format: the header's length, the header as JSON, the values.
fn safetensors(state: &[Entry]) -> Vec<u8> {
    checkpoints::safetensors(state, "F32", |value| value.to_le_bytes().to_vec())
}

fn load(path: &Path, verification: Verification) -> Result<LoadedWeights, WeightsError> {
    load_weights(BackboneConfig::new(LITE0).init(&Device::flex()), path, verification)
}

/// Writes `bytes` to `file` in a folder of its own, loads it, and returns what was said.
fn attempt(file: &str, bytes: &[u8], verification: Verification) -> Result<LoadedWeights, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(file);
    fs::write(&path, bytes).unwrap();
    let result = load(&path, verification).map_err(|error| error.to_string());
    if let Err(message) = &result {
        assert!(message.contains(path.to_str().unwrap()), "the file is not named in: {message}");
    }
    result
}

#[derive(Default)]
struct Sum {
    count: usize,
    total: f64,
}

impl ModuleVisitor for Sum {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let values: Vec<f32> = param.val().into_data().try_to_vec().unwrap();
        self.count += values.len();
        self.total += values.into_iter().map(f64::from).sum::<f64>();
    }
}

#[test]
fn every_tensor_of_a_safetensors_file_arrives() {
    let state = state();
    let loaded = attempt("mine.safetensors", &safetensors(&state), Verification::Known).unwrap();
    assert_eq!(loaded.sha256.len(), 64);
    assert_eq!(loaded.known, None);
    let mut sum = Sum::default();
    loaded.backbone.visit(&mut sum);
    let size = |entry: &Entry| entry.shape.iter().product::<usize>();
    assert_eq!(sum.count, state.iter().map(size).sum::<usize>());
    let total: f64 = state.iter().map(|entry| size(entry) as f64 * f64::from(entry.value)).sum();
    assert!((sum.total / total - 1.0).abs() < 1e-9);
}

#[test]
fn files_that_do_not_fit_are_refused() {
    let change = |change: fn(&mut Vec<Entry>)| {
        let mut state = state();
        change(&mut state);
        attempt("mine.safetensors", &safetensors(&state), Verification::Any).unwrap_err()
    };
    let index = state().iter().position(|entry| entry.key == "_blocks.7._project_conv.weight").unwrap();
    assert_eq!(index, 1 + 4 + 10 + 6 * 15 + 10);
    let missing = change(|state| drop(state.remove(115)));
    assert!(
        missing.contains("1 of 247 tensors are missing, the first is `_blocks.7._project_conv.weight`"),
        "{missing}"
    );
    assert!(missing.contains("it looks like an EfficientNet of 16 blocks"), "{missing}");
    assert_eq!(missing.lines().count(), 3, "{missing}");
    let shape = change(|state| state[115].shape = vec![80, 479, 1, 1]);
    assert!(shape.contains("`_blocks.7._project_conv.weight`") && shape.contains("479"), "{shape}");
    let nan = change(|state| state[115].value = f32::NAN);
    assert!(nan.contains("_blocks.7._project_conv.weight") && nan.contains("not finite"), "{nan}");
    let whole = safetensors(&state());
    for length in [0, 7, 8, 1000, whole.len() / 2, whole.len() - 1] {
        let message = attempt("mine.safetensors", &whole[..length], Verification::Known).unwrap_err();
        assert!(message.contains("do not fit"), "{length} bytes: {message}");
        attempt("mine.pth", &whole[..length], Verification::Known).unwrap_err();
    }
    let named = attempt("mine.weights", &whole, Verification::Known).unwrap_err();
    assert!(named.contains("expected a name ending in .pth, .pt or .safetensors"), "{named}");
}

#[test]
fn a_file_under_a_known_name_must_be_that_file() {
    let bytes = safetensors(&state());
    let known = known_weights()[0];
    let message = attempt(known.file, &bytes, Verification::Known).unwrap_err();
    assert!(message.contains("damaged or altered") && message.contains(known.sha256), "{message}");
    let message = attempt("mine.safetensors", &bytes, Verification::Strict).unwrap_err();
    assert!(message.contains("not the published ones of efficientnet-lite0"), "{message}");
}

#[test]
fn a_missing_file_and_a_network_without_weights_are_errors() {
    let nowhere = PathBuf::from("no/such/weights.pth");
    let message = load(&nowhere, Verification::Known).unwrap_err().to_string();
    assert!(message.contains("no/such/weights.pth"), "{message}");
    let small = BackboneConfig::new(BackboneName::Small).init(&Device::flex());
    let error = load_weights(small, &nowhere, Verification::Known).unwrap_err();
    assert!(matches!(error, WeightsError::NotPretrained { .. }), "{error}");
}

#[test]
fn published_weights_are_known_and_damage_to_them_is_noticed() {
    let Some(path) = pretrained::weights_of(LITE0) else { return };
    let known = &known_weights()[0];
    assert_eq!(sha256_of(&path).unwrap(), known.sha256);
    assert_eq!(load(&path, Verification::Strict).unwrap().known, Some(known));
    let lite2 = BackboneConfig::new(BackboneName::EfficientNetLite2).init(&Device::flex());
    let error = load_weights(lite2, &path, Verification::Any).unwrap_err();
    assert!(matches!(error, WeightsError::OtherBackbone { .. }), "{error}");

    let mut bytes = fs::read(&path).unwrap();
    for length in [bytes.len() / 2, bytes.len() - 1] {
        let message = attempt(known.file, &bytes[..length], Verification::Known).unwrap_err();
        assert!(message.contains("damaged or altered"), "{message}");
        attempt("renamed.pth", &bytes[..length], Verification::Known).unwrap_err();
    }
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    for file in [known.file, "renamed.pth"] {
        let message = attempt(file, &bytes, Verification::Known).unwrap_err();
        assert!(message.contains("damaged or altered"), "{message}");
    }
    attempt("renamed.pth", &bytes, Verification::Any).unwrap();
}

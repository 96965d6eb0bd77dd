//! `cargo xtask doctor`: what is here, what is missing, and the command that mends it.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use corr_volume::{known_weights, sha256_of};
use sc_imagenet::ClassTree;

use crate::cache_folder::{cache_folder, weights_folder};
use crate::device::{adapters, device_name, hardware_adapter};
use crate::weights::path_of;

/// Show devices, weights, folders and disk, and the command that mends what is missing.
#[derive(Clone, Debug, Args)]
pub struct DoctorArgs {
    /// A data folder to look at; give it several times for several
    #[arg(long, value_name = "DIR")]
    data: Vec<PathBuf>,
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
        let mut findings = devices();
        findings.extend(weights());
        findings.extend(self.data.iter().map(|folder| data(folder)));
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

fn data(folder: &Path) -> Finding {
    let (state, mend) = match ClassTree::walk(folder) {
        Ok(tree) => (format!("{} images in {} class folders", tree.image_count(), tree.classes().len()), String::new()),
        Err(error) => ("cannot be learnt from".to_owned(), error.to_string()),
    };
    Finding { what: format!("data {}", folder.display()), state, mend }
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

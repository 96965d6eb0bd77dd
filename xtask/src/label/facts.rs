//! What a data set's datasheet says of a build, kept beside each part so that a merge needs no run.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use sc_imagenet::{DatasheetFacts, Shard, part_folder};
use serde::{Deserialize, Serialize};

use crate::atomic;

/// The facts of a build; the same for each of its parts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LabelFacts {
    /// What the datasheet says.
    pub datasheet: DatasheetFacts,
    /// The most key points of a pair.
    pub max_points: usize,
    /// Whether all pairs are for training where most would be for validation.
    #[serde(default)]
    pub training_first: bool,
}

const FILE_NAME: &str = "facts.json";

impl LabelFacts {
    /// Writes them into a part's folder.
    ///
    /// # Errors
    ///
    /// A folder that cannot be written.
    pub fn write(&self, part: &Path) -> Result<()> {
        let mut text = serde_json::to_vec_pretty(self)?;
        text.push(b'\n');
        atomic::write(&part.join(FILE_NAME), &text)
    }

    /// Those of the first part in `folder`, which is a part's own or holds parts.
    ///
    /// # Errors
    ///
    /// No such file, or a damaged one.
    pub fn read(folder: &Path) -> Result<LabelFacts> {
        let own = folder.join(FILE_NAME);
        let path = if own.exists() { own } else { first_part(folder)?.join(FILE_NAME) };
        let text = std::fs::read_to_string(&path).with_context(|| {
            format!("cannot read {}; `cargo xtask label` writes it beside each part's journal", path.display())
        })?;
        serde_json::from_str(&text).with_context(|| format!("{} is damaged; copy it from another part", path.display()))
    }
}

/// The folder of the first part, by name, among those in `folder/parts` or in `folder`.
fn first_part(folder: &Path) -> Result<PathBuf> {
    let whole = part_folder(folder, Shard::WHOLE);
    let parts = whole.parent().unwrap_or(folder);
    for parent in [parts, folder] {
        let Ok(entries) = std::fs::read_dir(parent) else { continue };
        let mut found: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        found.retain(|path| path.join(FILE_NAME).is_file());
        found.sort();
        if let Some(first) = found.into_iter().next() {
            return Ok(first);
        }
    }
    bail!(
        "{} holds no part of a build with a {FILE_NAME}; give a folder that `cargo xtask label` wrote",
        folder.display()
    )
}

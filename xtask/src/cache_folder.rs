//! Where things that can be made again are kept: `$SCORR_CACHE`, else the user's cache folder.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The cache folder: `$SCORR_CACHE`, `$XDG_CACHE_HOME/scorr`, `~/.cache/scorr` (macOS: `~/Library/Caches/scorr`,
/// Windows: `%LOCALAPPDATA%\scorr`), else `.scorr-cache` in the working folder.
pub fn cache_folder() -> PathBuf {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(folder) = variable("SCORR_CACHE") {
        return folder;
    }
    let platform = if cfg!(target_os = "macos") {
        variable("HOME").map(|home| home.join("Library/Caches"))
    } else if cfg!(windows) {
        variable("LOCALAPPDATA")
    } else {
        variable("XDG_CACHE_HOME").or_else(|| variable("HOME").map(|home| home.join(".cache")))
    };
    platform.map_or_else(|| PathBuf::from(".scorr-cache"), |folder| folder.join("scorr"))
}

/// Where downloaded weights are kept: `$SCORR_WEIGHTS`, else `weights` in the cache folder.
pub fn weights_folder() -> PathBuf {
    std::env::var_os("SCORR_WEIGHTS").map_or_else(|| cache_folder().join("weights"), PathBuf::from)
}

/// A folder of the cache folder, made and tried: a command says at its start that nothing can be kept, not after an hour.
///
/// # Errors
///
/// A folder that cannot be written; the message names the variable that chooses another.
pub fn cache_subfolder(name: &str) -> Result<PathBuf> {
    let folder = cache_folder().join(name);
    try_writing(&folder).with_context(|| cannot_be_written(&folder))?;
    Ok(folder)
}

/// As [`cache_subfolder`], of the folder of weights.
///
/// # Errors
///
/// As [`cache_subfolder`].
pub fn writable_weights_folder() -> Result<PathBuf> {
    let folder = weights_folder();
    try_writing(&folder).with_context(|| match std::env::var_os("SCORR_WEIGHTS") {
        Some(_) => format!(
            "cannot write the folder of weights {}; set SCORR_WEIGHTS to a folder that can be written",
            folder.display()
        ),
        None => cannot_be_written(&folder),
    })?;
    Ok(folder)
}

/// What is wrong with a folder of the cache, and what to do.
pub fn cannot_be_written(folder: &Path) -> String {
    format!("cannot write the cache folder {}; set SCORR_CACHE to a folder that can be written", folder.display())
}

fn try_writing(folder: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    // Removed at once. A folder that is there may still be read-only.
    tempfile::tempfile_in(folder).map(drop)
}

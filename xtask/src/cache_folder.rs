//! Where things that can be made again are kept: `$SCORR_CACHE`, else the user's cache folder.

use std::path::PathBuf;

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

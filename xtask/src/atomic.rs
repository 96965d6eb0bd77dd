//! Files that appear whole or not at all.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};

/// How the names of files begin that are still being written, or were when their process was killed.
pub const PARTIAL: &str = ".partial-";

/// Writes `bytes` to `path` through a temporary file in the same folder that is synced and then renamed: a killed
/// process or a full disk leaves the file that was there before.
///
/// # Errors
///
/// Where the folder cannot be written or the disk is full; the error names the path.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    write_with(path, |file| file.write_all(bytes).map_err(Into::into))
}

/// As [`write()`], with the content from a closure.
pub fn write_with(path: &Path, fill: impl FnOnce(&mut File) -> Result<()>) -> Result<()> {
    replace(path, true, fill)
}

/// As [`write()`], but not synced: for what can be made again and is checked when it is read. Only a machine that fails
/// can leave such a file cut short; waiting for the disk would take longer than making it.
pub fn write_unsynced(path: &Path, bytes: &[u8]) -> Result<()> {
    replace(path, false, |file| file.write_all(bytes).map_err(Into::into))
}

fn replace(path: &Path, sync: bool, fill: impl FnOnce(&mut File) -> Result<()>) -> Result<()> {
    let folder = path.parent().unwrap_or_else(|| Path::new("."));
    let attempt = || -> Result<()> {
        std::fs::create_dir_all(folder)?;
        let mut builder = tempfile::Builder::new();
        builder.prefix(PARTIAL);
        // As any file of the user's, not for the owner's eyes alone; the umask has its say.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let mut file = builder.tempfile_in(folder)?;
        fill(file.as_file_mut())?;
        if sync {
            file.as_file().sync_all()?;
        }
        file.persist(path)?;
        Ok(())
    };
    attempt().with_context(|| format!("cannot write {}; what was there before is kept", path.display()))
}

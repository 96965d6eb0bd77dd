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
    let written = match std::fs::metadata(path) {
        // A device or a pipe has no content to keep, and a file in its place would be one device less.
        Ok(there) if !there.is_file() && !there.is_dir() => write_into(path, fill),
        // A link stays a link: what it leads to is replaced.
        Ok(_) => std::fs::canonicalize(path).map_err(Into::into).and_then(|path| write_beside(&path, sync, fill)),
        Err(_) => write_beside(path, sync, fill),
    };
    written.with_context(|| format!("cannot write {}; what was there before is kept", path.display()))
}

fn write_into(path: &Path, fill: impl FnOnce(&mut File) -> Result<()>) -> Result<()> {
    fill(&mut File::options().write(true).open(path)?)
}

fn write_beside(path: &Path, sync: bool, fill: impl FnOnce(&mut File) -> Result<()>) -> Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
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
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn what_was_there_stays_until_its_successor_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kept");
        write(&path, b"first").unwrap();
        let failed = write_with(&path, |file| {
            file.write_all(b"half")?;
            anyhow::bail!("the disk is full")
        });
        assert!(format!("{:#}", failed.unwrap_err()).contains("kept; what was there before is kept: the disk is full"));
        assert_eq!(std::fs::read(&path).unwrap(), b"first");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing half written stays");
    }

    #[test]
    fn a_link_stays_one_and_a_device_is_written_into() {
        let folder = tempfile::tempdir().unwrap();
        let [file, link] = ["file", "link"].map(|name| folder.path().join(name));
        write(&file, b"first").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        write(&link, b"second").unwrap();
        assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(std::fs::read(&file).unwrap(), b"second");

        let null = folder.path().join("null");
        std::os::unix::fs::symlink("/dev/null", &null).unwrap();
        write(&null, b"nowhere").unwrap();
        assert!(!std::fs::metadata("/dev/null").unwrap().is_file());
        assert!(write(folder.path(), b"a folder").is_err());
    }
}

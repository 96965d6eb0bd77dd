//! Files that appear whole or not at all.
//!
//! Everything is written into a folder of unfinished files in the output folder, and renamed into its place when it is
//! whole. What a killed process leaves there is removed by the next one.

use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// The folder of unfinished files in an output folder.
const FOLDER: &str = ".unfinished";
const LOCK: &str = "lock";

/// A file or folder that could not be written.
#[derive(Debug, thiserror::Error)]
#[error("{}: cannot be written ({source}); {}; nothing that was finished is lost", .path.display(), advice(.source))]
pub struct WriteError {
    /// The file or folder.
    pub path: PathBuf,
    /// What the file system says.
    pub source: io::Error,
}

fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
            "free some space and start the same command again"
        }
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            "check that you may write there, or name another folder"
        }
        ErrorKind::NotADirectory | ErrorKind::AlreadyExists => {
            "a file stands where a folder is needed: name another folder"
        }
        ErrorKind::InvalidFilename | ErrorKind::InvalidInput => {
            "the layout's names hold a `:`, which some file systems (those of Windows) do not take"
        }
        _ => "start the same command again when that is settled",
    }
}

/// Attaches a path to an error of the file system.
pub(crate) fn at(path: &Path) -> impl FnOnce(io::Error) -> WriteError + '_ {
    move |source| WriteError { path: path.to_owned(), source }
}

/// The unfinished files of one output folder, which one process at a time may write.
pub(crate) struct Unfinished {
    folder: PathBuf,
    /// Held, not read: the lock ends with it.
    _lock: File,
    next: AtomicU64,
}

/// Why an output folder cannot be written now.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BeginError {
    #[error(transparent)]
    Write(#[from] WriteError),
    #[error("another process writes there")]
    Locked,
}

impl Unfinished {
    /// Takes the output folder, which is made if need be, and removes what a killed process left unfinished.
    pub(crate) fn begin(out: &Path) -> Result<Self, BeginError> {
        let folder = out.join(FOLDER);
        fs::create_dir_all(&folder).map_err(at(&folder))?;
        let lock_path = folder.join(LOCK);
        let lock = lock(&lock_path)?;
        for entry in fs::read_dir(&folder).map_err(at(&folder))? {
            let path = entry.map_err(at(&folder))?.path();
            if path != lock_path {
                fs::remove_file(&path).map_err(at(&path))?;
            }
        }
        Ok(Self { folder, _lock: lock, next: AtomicU64::new(0) })
    }

    /// A file that will stand at `destination`.
    pub(crate) fn create(&self, destination: &Path) -> Result<UnfinishedFile, WriteError> {
        let path = self.new_path();
        // New, so that it is this process's alone even where there are no locks.
        let file = File::create_new(&path).map_err(at(destination))?;
        Ok(UnfinishedFile { file, path, destination: destination.to_owned() })
    }

    /// Makes a file of these bytes, unless it is there already. It is not synced, for there are many: what a loss of power
    /// takes, a merge from the same parts makes again.
    pub(crate) fn write(&self, destination: &Path, bytes: &[u8]) -> Result<(), WriteError> {
        if holds(destination, bytes) {
            return Ok(());
        }
        self.begin_file(destination, bytes)?.rename()
    }

    /// Makes a file of these bytes and brings it to the disk.
    pub(crate) fn write_synced(&self, destination: &Path, bytes: &[u8]) -> Result<(), WriteError> {
        self.begin_file(destination, bytes)?.finish()
    }

    fn begin_file(&self, destination: &Path, bytes: &[u8]) -> Result<UnfinishedFile, WriteError> {
        let mut file = self.create(destination)?;
        match file.file.write_all(bytes) {
            Ok(()) => Ok(file),
            Err(source) => Err(file.give_up(source)),
        }
    }

    /// Makes a symbolic link to `target`, unless it is there already.
    pub(crate) fn link(&self, target: &Path, destination: &Path) -> Result<(), WriteError> {
        if fs::read_link(destination).is_ok_and(|found| found == target) {
            return Ok(());
        }
        let path = self.new_path();
        let linked = symbolic_link(target, &path).and_then(|()| fs::rename(&path, destination));
        linked.map_err(|source| {
            // The error of the linking is the one worth telling.
            let _ = fs::remove_file(&path);
            WriteError { path: destination.to_owned(), source }
        })
    }

    /// Gives the output folder back.
    pub(crate) fn end(self) -> Result<(), WriteError> {
        fs::remove_dir_all(&self.folder).map_err(at(&self.folder))
    }

    fn new_path(&self) -> PathBuf {
        self.folder.join(self.next.fetch_add(1, Ordering::Relaxed).to_string())
    }
}

/// A file in the making.
pub(crate) struct UnfinishedFile {
    file: File,
    path: PathBuf,
    destination: PathBuf,
}

impl UnfinishedFile {
    /// Where it will stand.
    pub(crate) fn destination(&self) -> &Path {
        &self.destination
    }

    /// Another handle on the file, to write to.
    pub(crate) fn writer(&self) -> Result<File, WriteError> {
        self.file.try_clone().map_err(at(&self.destination))
    }

    /// Brings it to the disk and into its place.
    pub(crate) fn finish(self) -> Result<(), WriteError> {
        match self.file.sync_all() {
            Ok(()) => self.rename(),
            Err(source) => Err(self.give_up(source)),
        }
    }

    fn rename(self) -> Result<(), WriteError> {
        match fs::rename(&self.path, &self.destination) {
            Ok(()) => Ok(()),
            Err(source) => Err(self.give_up(source)),
        }
    }

    fn give_up(self, source: io::Error) -> WriteError {
        // The error of the writing is the one worth telling.
        let _ = fs::remove_file(&self.path);
        WriteError { path: self.destination, source }
    }
}

/// Opens a file for this process alone, for as long as the handle lives. Where a file system knows no locks, nothing is
/// locked.
fn lock(path: &Path) -> Result<File, BeginError> {
    let file = File::options().create(true).truncate(false).write(true).open(path).map_err(at(path))?;
    if is_locked_by_another(&file) { Err(BeginError::Locked) } else { Ok(file) }
}

/// Takes the lock on a file; whether another process has it.
pub(crate) fn is_locked_by_another(file: &File) -> bool {
    matches!(file.try_lock(), Err(TryLockError::WouldBlock))
}

/// Whether `path` is a file of these bytes (and no link to one).
fn holds(path: &Path, bytes: &[u8]) -> bool {
    let same_length =
        fs::symlink_metadata(path).is_ok_and(|found| found.is_file() && found.len() == bytes.len() as u64);
    let mut content = Vec::with_capacity(bytes.len());
    same_length
        && File::open(path).and_then(|file| file.take(bytes.len() as u64).read_to_end(&mut content)).is_ok()
        && content == bytes
}

#[cfg(unix)]
fn symbolic_link(target: &Path, path: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, path)
}

#[cfg(windows)]
fn symbolic_link(target: &Path, path: &Path) -> io::Result<()> {
    std::os::windows::fs::symlink_file(target, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leftovers_are_removed_and_what_is_there_is_not_written_again() {
        let out = tempfile::tempdir().unwrap();
        fs::create_dir(out.path().join(FOLDER)).unwrap();
        fs::write(out.path().join(FOLDER).join("7"), "half").unwrap();
        let file = out.path().join("a.json");

        let unfinished = Unfinished::begin(out.path()).unwrap();
        assert!(!out.path().join(FOLDER).join("7").exists());
        assert!(matches!(Unfinished::begin(out.path()), Err(BeginError::Locked)));
        unfinished.write(&file, b"one").unwrap();
        let first = fs::metadata(&file).unwrap().modified().unwrap();
        unfinished.write(&file, b"one").unwrap();
        assert_eq!(fs::metadata(&file).unwrap().modified().unwrap(), first);
        unfinished.write(&file, b"two").unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"two");
        unfinished.end().unwrap();
        assert_eq!(fs::read_dir(out.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_that_is_never_finished_never_appears() {
        let out = tempfile::tempdir().unwrap();
        let unfinished = Unfinished::begin(out.path()).unwrap();
        let destination = out.path().join("list.txt");
        fs::write(&destination, "before").unwrap();
        let file = unfinished.create(&destination).unwrap();
        file.writer().unwrap().write_all(b"after").unwrap();
        drop(file);
        assert_eq!(fs::read(&destination).unwrap(), b"before");
    }
}

//! How a run comes into being, and how it takes the place of another: the old one is moved aside and removed only when the
//! new one has its first checkpoint.
//!
//! ```text
//! NAME                                    the run
//! NAME.replaced                           the run that NAME is to replace, until NAME has a checkpoint of its training
//! .discarded-NAME                         what is being removed
//! ```
//!
//! A process may be killed between any two of these renames. The next command on the name finds what is there and goes on:
//! where the new run has no checkpoint at all, the old one is put back; where it has one of its training, the old one goes.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use tracing::{info, warn};

use super::mark::{LOCK, Mark, RunKind, State, is_run, state_of, why_not_removed};

const REPLACED: &str = ".replaced";
const DISCARDED: &str = ".discarded-";

/// Where the run is kept that the run in `root` is to replace.
pub fn aside_of(root: &Path) -> PathBuf {
    beside(root, "", REPLACED)
}

/// Whether a name is kept for runs that are being replaced.
pub fn is_reserved(root: &Path) -> bool {
    let name = name_of(root);
    name.ends_with(REPLACED) || name.starts_with(DISCARDED)
}

/// Brings a run's folder in order behind a process that was killed while it replaced it.
///
/// # Errors
///
/// Folders that cannot be read or renamed.
pub fn settle(root: &Path) -> Result<()> {
    if is_in_use(root) {
        return Ok(());
    }
    let aside = aside_of(root);
    // What is there was to be removed: nothing is lost if that fails once more.
    let _ = fs::remove_dir_all(beside(root, DISCARDED, ""));
    if !aside.is_dir() {
        return Ok(());
    }
    match state_of(root)? {
        State::Absent | State::NotStarted if is_run(&aside)? => {
            put_back(root)?;
            warn!(
                "the run that was to replace {} was killed before it had a checkpoint: the old one is back",
                root.display()
            );
        }
        State::Trained => finish(root)?,
        _ => {}
    }
    Ok(())
}

/// Refuses to write a run where something is that must stay.
///
/// # Errors
///
/// A run, unless it is to be overwritten; anything that is no run; a run that another process is writing.
pub fn check_free(root: &Path, overwrite: bool) -> Result<()> {
    let shown = root.display();
    if is_reserved(root) {
        bail!("{shown}: names that end in {REPLACED} are kept for runs that are being replaced; choose another --run");
    }
    let state = state_of(root)?;
    if state == State::Absent {
        return Ok(());
    }
    if is_in_use(root) {
        bail!("another process is writing the run {shown}; wait for it, or choose another --run");
    }
    match state {
        State::Trained | State::Started if !overwrite => bail!(
            "the run {shown} is already there; use --resume to go on with it, --overwrite to replace it, or --run NAME for another"
        ),
        _ => {}
    }
    if let Some(why) = why_not_removed(root)? {
        bail!("{shown} {why}, and is not replaced; move that away, or choose another --run");
    }
    Ok(())
}

/// Makes the folder of a new run, and moves the run aside that is there. The lock is held as long as the file is open.
///
/// # Errors
///
/// As [`check_free`], and a folder that cannot be written: what was there is there again.
pub fn begin(root: &Path, kind: RunKind, overwrite: bool, config: &str) -> Result<File> {
    check_free(root, overwrite)?;
    let aside = aside_of(root);
    let waits = is_run(&aside)?;
    match state_of(root)? {
        State::Absent => {}
        // Of two runs that are to be replaced, the one that waits was trained; this one was not.
        State::Started if waits => discard(root)?,
        State::NotStarted => discard(root)?,
        _ if aside.exists() => {
            bail!("{} is in the way of the run that is to be replaced; move it away", aside.display())
        }
        _ => rename(root, &aside)?,
    }
    let replaces = is_run(&aside)?.then(|| name_of(&aside));
    fill(root, &Mark::new(kind, replaces), config).inspect_err(|_| give_up(root))
}

fn fill(root: &Path, mark: &Mark, config: &str) -> Result<File> {
    let create =
        |folder: &Path| fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()));
    create(root)?;
    let lock = take_lock(root)?;
    mark.write(root)?;
    create(&root.join("checkpoints"))?;
    create(&root.join("eval"))?;
    crate::atomic::write(&root.join("config.toml"), config.as_bytes())?;
    Ok(lock)
}

/// Takes the lock of a run's folder.
///
/// # Errors
///
/// Another process has it, or the folder cannot be written.
pub fn take_lock(root: &Path) -> Result<File> {
    let path = root.join(LOCK);
    let file = File::options().create(true).append(true).open(&path);
    let file = file.with_context(|| format!("cannot write {}", path.display()))?;
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => {
            bail!("another process is writing the run {}; wait for it, or choose another --run", root.display())
        }
        // A file system without locks.
        Err(TryLockError::Error(_)) | Ok(()) => Ok(file),
    }
}

/// Removes the run that was replaced, once the run in `root` has a checkpoint of its training.
///
/// # Errors
///
/// A mark that cannot be read or written.
pub fn finish(root: &Path) -> Result<()> {
    let Some(mark) = Mark::read(root)? else { return Ok(()) };
    let aside = aside_of(root);
    if mark.replaces.is_none() || state_of(root)? != State::Trained {
        return Ok(());
    }
    if let Some(why) = why_not_removed(&aside)? {
        warn!("the replaced run {} {why}, and is kept; move or remove it by hand", aside.display());
    } else if aside.exists() {
        if let Err(error) = remove_by_way_of(root, &aside) {
            warn!("the replaced run {} cannot be removed ({error}); remove it by hand", aside.display());
            return Ok(());
        }
        info!("the run that {} replaces is removed", root.display());
    }
    Mark::new(mark.kind, None).write(root)
}

/// Undoes what [`begin`] did for a run that failed before its training had a checkpoint: the run that was there before is
/// put back. Where none was, a run with a start stays, to be resumed, and one without is removed.
pub fn give_up(root: &Path) {
    if let Err(error) = undo(root) {
        warn!("{} is left as it is: {error:#}", root.display());
    }
}

fn undo(root: &Path) -> Result<()> {
    match state_of(root)? {
        State::Trained => {}
        _ if is_run(&aside_of(root))? => {
            put_back(root)?;
            warn!("the old run is back at {}", root.display());
        }
        State::NotStarted => discard(root)?,
        _ => {}
    }
    Ok(())
}

/// Whether another process holds the lock of a run's folder.
pub fn is_in_use(root: &Path) -> bool {
    let file = File::options().append(true).open(root.join(LOCK));
    file.is_ok_and(|file| matches!(file.try_lock(), Err(TryLockError::WouldBlock)))
}

fn put_back(root: &Path) -> Result<()> {
    if root.exists() {
        discard(root)?;
    }
    rename(&aside_of(root), root)
}

fn rename(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to).with_context(|| format!("cannot rename {} to {}", from.display(), to.display()))
}

/// Removes a folder that holds nothing but a run.
fn discard(root: &Path) -> Result<()> {
    if let Some(why) = why_not_removed(root)? {
        bail!("{} {why}, and is not removed; move that away", root.display());
    }
    remove_by_way_of(root, root).with_context(|| format!("cannot remove {}", root.display()))
}

/// Removes `folder` under another name, so that a kill leaves no half of it under its own.
fn remove_by_way_of(root: &Path, folder: &Path) -> std::io::Result<()> {
    let discarded = beside(root, DISCARDED, "");
    if discarded.exists() {
        fs::remove_dir_all(&discarded)?;
    }
    fs::rename(folder, &discarded)?;
    fs::remove_dir_all(&discarded)
}

fn name_of(root: &Path) -> String {
    root.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn beside(root: &Path, before: &str, behind: &str) -> PathBuf {
    root.with_file_name(format!("{before}{}{behind}", name_of(root)))
}

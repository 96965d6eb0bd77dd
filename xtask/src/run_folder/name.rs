//! Names of runs: which folder a name means, and which names are refused before anything happens.

use std::path::{Path, PathBuf, is_separator};

use anyhow::{Context, Result, bail};

/// Where the runs are whose name is no path.
pub const RUNS: &str = "runs";
const NAME: &str = "the run's name";

/// The folder of the run `name`: `runs/NAME`, or `name` itself where it is a path.
///
/// # Errors
///
/// See [`check_folder`].
pub fn folder_of(name: &str) -> Result<PathBuf> {
    check_end(name, NAME)?;
    // A shell that completes a folder's name ends it in a slash.
    let path = Path::new(name.trim_end_matches(is_separator));
    if path == Path::new(RUNS) {
        bail!("{NAME} {RUNS} is that of the folder of all runs; give another");
    }
    let root = if path.components().count() > 1 { path.to_owned() } else { Path::new(RUNS).join(path) };
    check_place(&root, NAME)?;
    Ok(root)
}

/// Refuses a folder that is not one of its own: a path that is empty or ends in dots, the working folder or a folder round it,
/// and `runs` itself. `what` is what the user wrote it behind.
///
/// # Errors
///
/// Such a folder.
pub fn check_folder(folder: &Path, what: &str) -> Result<()> {
    check_end(&folder.to_string_lossy(), what)?;
    check_place(folder, what)
}

fn check_end(name: &str, what: &str) -> Result<()> {
    if name.trim().is_empty() {
        bail!("{what} is empty; give one, such as mine");
    }
    let last = name.trim_end_matches(is_separator).rsplit(is_separator).next().unwrap_or_default().trim();
    if last.chars().all(|letter| letter == '.') {
        bail!("{what} {name:?} does not end in the name of a folder of its own; give the folder's name");
    }
    Ok(())
}

fn check_place(root: &Path, what: &str) -> Result<()> {
    let here = std::env::current_dir().and_then(|here| here.canonicalize()).context("there is no working folder")?;
    let meant = resolved(root)?;
    if here.starts_with(&meant) {
        bail!("{what} {} is the working folder or a folder round it; give a folder of its own", root.display());
    }
    if meant == resolved(Path::new(RUNS))? {
        bail!("{what} {} is the folder of all runs; give a folder below it", root.display());
    }
    Ok(())
}

/// The folder that a path means: links followed as far as it is there, the rest by its letters.
fn resolved(path: &Path) -> Result<PathBuf> {
    let absolute = std::path::absolute(path).with_context(|| format!("{} is no path", path.display()))?;
    let mut there = absolute.as_path();
    let mut rest = Vec::new();
    loop {
        if let Ok(mut found) = there.canonicalize() {
            for part in rest.into_iter().rev() {
                if part == ".." {
                    found.pop();
                } else {
                    found.push(part);
                }
            }
            return Ok(found);
        }
        let (Some(parent), Some(last)) = (there.parent(), there.components().next_back()) else {
            return Ok(absolute.clone());
        };
        rest.push(last.as_os_str());
        there = parent;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_below_runs_and_a_path_is_itself() {
        for (name, folder) in [
            ("mine", "runs/mine"),
            ("v1.2", "runs/v1.2"),
            ("./mine", "./mine"),
            ("runs/mine", "runs/mine"),
            ("a/../b", "a/../b"),
            ("../elsewhere", "../elsewhere"),
            ("mine/", "runs/mine"),
            ("runs/mine//", "runs/mine"),
        ] {
            assert_eq!(folder_of(name).unwrap(), Path::new(folder), "{name}");
        }
    }

    #[test]
    fn names_that_are_no_folder_of_their_own_are_refused() {
        let here = std::env::current_dir().unwrap();
        let (own, parent) =
            (here.to_string_lossy().into_owned(), here.parent().unwrap().to_string_lossy().into_owned());
        let round = format!("nowhere/../../{}", here.file_name().unwrap().to_string_lossy());
        for name in [
            "",
            " ",
            ".",
            "..",
            "...",
            "/",
            "//",
            "runs/",
            "runs",
            "./runs",
            "a/../",
            "a/..",
            "a/.",
            "./",
            "./.",
            "runs/..",
            "runs/ ",
            "runs/../runs",
            &own,
            &parent,
            &round,
        ] {
            assert!(folder_of(name).is_err(), "{name:?} is taken for {:?}", folder_of(name));
        }
        assert!(folder_of("").unwrap_err().to_string().contains("the run's name is empty"));
        assert!(check_folder(Path::new(""), "--out").unwrap_err().to_string().contains("--out is empty"));
        assert!(check_folder(Path::new("table"), "--out").is_ok());
    }

    #[cfg(unix)]
    #[test]
    fn a_link_to_the_working_folder_is_the_working_folder() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(std::env::current_dir().unwrap(), &link).unwrap();
        assert!(folder_of(&link.to_string_lossy()).is_err());
    }
}

//! Which images a run learns from, kept in its `images.jsonl`: it is not resumed on others.
//!
//! ```text
//! {"image":"0/cup/a.jpg","size":8211,"mtime":1700000000000000000,"content":"9f86d081884c7d65"}
//! ```
//!
//! An image's name is the number of its data folder and its path in that. An image of the same size and modification time is
//! taken to be the same; where only the time differs its content decides, by the first 8 bytes of its SHA-256.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::UNIX_EPOCH;

use anyhow::{Context, Result, bail};
use rayon::prelude::*;
use sc_imagenet::ImageSet;
use serde::{Deserialize, Serialize};
use tracing::warn;

use crate::contents::content_hash;
use crate::run_folder::RunFolder;
use crate::{atomic, progress};

/// An image as it was when the run began.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SeenImage {
    image: String,
    size: u64,
    /// Nanoseconds since 1970.
    mtime: u64,
    content: String,
}

/// Reads every image once, on all cores.
///
/// # Errors
///
/// A file that cannot be read.
pub fn read(images: &ImageSet, folders: &[String]) -> Result<Vec<SeenImage>> {
    let bar = progress::count(images.len(), "reading images");
    let of = |path: &Path| {
        let (size, mtime) = stamp(path)?;
        bar.inc(1);
        Ok(SeenImage { image: name(path, folders), size, mtime, content: content_hash(path)? })
    };
    let seen = images.images().par_iter().map(|image| of(&image.path)).collect();
    bar.finish_and_clear();
    seen
}

/// Writes a run's `images.jsonl`.
///
/// # Errors
///
/// A full disk.
pub fn write(run: &RunFolder, seen: &[SeenImage]) -> Result<()> {
    let mut text = String::new();
    for image in seen {
        text.push_str(&serde_json::to_string(image)?);
        text.push('\n');
    }
    atomic::write(&run.images(), text.as_bytes())
}

/// Holds the images that are there against those that the run began with. A run of an older version, which does not say, is
/// taken to have begun with these.
///
/// # Errors
///
/// Images that were changed, are missing or are new, the first of each by its name; a damaged `images.jsonl`.
pub fn check(run: &RunFolder, images: &ImageSet, folders: &[String]) -> Result<()> {
    if !run.images().exists() {
        warn!(
            "{} does not say which images it began with: it is resumed on those that are there",
            run.root().display()
        );
        return write(run, &read(images, folders)?);
    }
    let before = recorded(run)?;
    let there: BTreeMap<String, &Path> =
        images.images().iter().map(|image| (name(&image.path, folders), &*image.path)).collect();
    let differs = |(image, seen): (&String, &SeenImage)| -> Result<Option<String>> {
        let Some(path) = there.get(image) else { return Ok(None) };
        Ok(is_changed(path, seen)?.then(|| image.clone()))
    };
    let changed: Vec<String> = before.par_iter().map(differs).filter_map(Result::transpose).collect::<Result<_>>()?;
    let missing: Vec<String> = before.keys().filter(|image| !there.contains_key(*image)).cloned().collect();
    let new: Vec<String> = there.keys().filter(|image| !before.contains_key(*image)).cloned().collect();
    let differences: Vec<String> =
        [("changed", changed), ("missing or refused", missing), ("new", new)].iter().filter_map(told).collect();
    if !differences.is_empty() {
        bail!(
            "cannot resume {}: its images are not those that it began with: {}. Put the images back as they were, or start \
             another run",
            run.root().display(),
            differences.join("; ")
        );
    }
    Ok(())
}

fn told((what, images): &(&str, Vec<String>)) -> Option<String> {
    images.first().map(|first| format!("{} {what}, the first is {first}", images.len()))
}

fn recorded(run: &RunFolder) -> Result<BTreeMap<String, SeenImage>> {
    let path = run.images();
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut images = BTreeMap::new();
    for (index, line) in text.lines().enumerate() {
        let seen: SeenImage = serde_json::from_str(line).with_context(|| {
            format!("{}, line {}: the file is damaged; start another run", path.display(), index + 1)
        })?;
        images.insert(seen.image.clone(), seen);
    }
    Ok(images)
}

fn is_changed(path: &Path, seen: &SeenImage) -> Result<bool> {
    let (size, mtime) = stamp(path)?;
    Ok(size != seen.size || (mtime != seen.mtime && content_hash(path)? != seen.content))
}

fn name(path: &Path, folders: &[String]) -> String {
    let below = folders.iter().enumerate().find_map(|(number, folder)| Some((number, path.strip_prefix(folder).ok()?)));
    let Some((number, below)) = below else { return path.to_string_lossy().into_owned() };
    let parts: Vec<_> = below.components().map(|part| part.as_os_str().to_string_lossy()).collect();
    format!("{number}/{}", parts.join("/"))
}

fn stamp(path: &Path) -> Result<(u64, u64)> {
    let metadata = std::fs::metadata(path).with_context(|| format!("cannot read {}", path.display()))?;
    let since = metadata.modified().unwrap_or(UNIX_EPOCH).duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok((metadata.len(), since.as_nanos() as u64))
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::time::{Duration, SystemTime};

    use sc_imagenet::ImageEntry;

    use super::*;

    /// A run that began with two folders of images, and what is there afterwards.
    struct Begun {
        folder: tempfile::TempDir,
        run: RunFolder,
        folders: Vec<String>,
    }

    impl Begun {
        fn new() -> Begun {
            let folder = tempfile::tempdir().unwrap();
            let folders = ["one", "two"].map(|name| folder.path().join(name).to_string_lossy().into_owned()).to_vec();
            let run = RunFolder::create(&folder.path().join("run").to_string_lossy()).unwrap();
            let begun = Begun { folder, run, folders };
            for name in ["one/cup/a.png", "one/cup/b.png", "two/cup/a.png"] {
                begun.put(name, name);
            }
            write(&begun.run, &read(&begun.images(), &begun.folders).unwrap()).unwrap();
            begun
        }

        fn path(&self, name: &str) -> std::path::PathBuf {
            self.folder.path().join(name)
        }

        fn put(&self, name: &str, content: &str) {
            fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
            fs::write(self.path(name), content).unwrap();
        }

        fn touch(&self, name: &str) {
            let time = SystemTime::now() - Duration::from_secs(1000);
            File::options().append(true).open(self.path(name)).unwrap().set_modified(time).unwrap();
        }

        fn images(&self) -> ImageSet {
            let mut entries = Vec::new();
            for folder in &self.folders {
                let mut files: Vec<_> =
                    fs::read_dir(Path::new(folder).join("cup")).unwrap().map(|file| file.unwrap().path()).collect();
                files.sort();
                entries.extend(files.into_iter().map(|path| ImageEntry { path, class: 0, width: 1, height: 1 }));
            }
            ImageSet::new(vec!["cup".to_owned()], entries)
        }

        fn complaint(&self) -> String {
            check(&self.run, &self.images(), &self.folders)
                .map_or_else(|error| format!("{error:#}"), |()| String::new())
        }
    }

    #[test]
    fn the_same_images_are_the_same_whatever_their_times_and_wherever_they_lie() {
        let mut begun = Begun::new();
        assert_eq!(begun.complaint(), "");
        begun.touch("one/cup/a.png");
        assert_eq!(begun.complaint(), "");
        fs::rename(begun.path("one"), begun.path("moved")).unwrap();
        begun.folders[0] = begun.path("moved").to_string_lossy().into_owned();
        assert_eq!(begun.complaint(), "");
    }

    #[test]
    fn changed_missing_and_new_images_are_named_and_counted() {
        // Of the same size: its content tells.
        let begun = Begun::new();
        begun.put("two/cup/a.png", "two/cup/A.png");
        begun.touch("two/cup/a.png");
        assert!(begun.complaint().contains("1 changed, the first is 1/cup/a.png"), "{}", begun.complaint());
        // Of another size, at the same time.
        let begun = Begun::new();
        let time = fs::metadata(begun.path("one/cup/b.png")).unwrap().modified().unwrap();
        begun.put("one/cup/b.png", "longer than it was");
        File::options().append(true).open(begun.path("one/cup/b.png")).unwrap().set_modified(time).unwrap();
        assert!(begun.complaint().contains("1 changed, the first is 0/cup/b.png"), "{}", begun.complaint());
        // Two that change places are two changed ones; one is gone and another has come.
        let begun = Begun::new();
        begun.put("one/cup/a.png", "one/cup/b.png");
        begun.put("one/cup/b.png", "one/cup/a.png");
        begun.touch("one/cup/a.png");
        begun.touch("one/cup/b.png");
        fs::rename(begun.path("two/cup/a.png"), begun.path("two/cup/c.png")).unwrap();
        let complaint = begun.complaint();
        for told in [
            "2 changed, the first is 0/cup/a.png",
            "1 missing or refused, the first is 1/cup/a.png",
            "1 new, the first is 1/cup/c.png",
        ] {
            assert!(complaint.contains(told), "{told:?} is not in {complaint}");
        }
    }

    #[test]
    fn a_run_that_does_not_say_takes_the_images_that_are_there() {
        let begun = Begun::new();
        fs::remove_file(begun.run.images()).unwrap();
        assert_eq!(begun.complaint(), "");
        begun.put("one/cup/a.png", "another one");
        assert!(begun.complaint().contains("1 changed"), "{}", begun.complaint());
        fs::write(begun.run.images(), "{\n").unwrap();
        assert!(begun.complaint().contains("images.jsonl, line 1"), "{}", begun.complaint());
    }
}

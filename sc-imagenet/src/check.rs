//! Looks at every image of a tree once, in parallel, before anything is trained on it.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::decode::{self, DecodeLimits, Refusal, decode_bytes};
use crate::image_set::{ImageEntry, ImageSet};
use crate::passed_over::PassedOver;
use crate::tree::ClassTree;
use crate::verdict_cache::{Stamp, Verdict, VerdictCache};

/// How often a check that takes long writes what it knows so far.
const SAVE_EVERY: Duration = Duration::from_secs(30);

/// What [`check`] asks of images and classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CheckConfig {
    /// Limits of a single image. Verdicts are cached for these limits only.
    pub limits: DecodeLimits,
    /// Fewest usable images of a class that is kept. Default 2, which a positive pair takes; 1 is enough for matching.
    pub min_images_per_class: usize,
}

impl Default for CheckConfig {
    fn default() -> Self {
        Self { limits: DecodeLimits::default(), min_images_per_class: 2 }
    }
}

/// What came through a check, and what did not.
#[derive(Debug, Clone)]
pub struct Checked {
    /// The usable images of the kept classes.
    pub images: ImageSet,
    /// Everything that was refused or left out, and why.
    pub report: CheckReport,
}

/// The outcome of a check, for people and for files. Its `Display` is a few lines, with every refused image on one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckReport {
    /// The folder that was checked.
    pub root: PathBuf,
    /// Images looked at.
    pub total: usize,
    /// Of these, those whose verdict was already in the cache.
    pub from_cache: usize,
    /// Counts of every class, in the order of the tree.
    pub classes: Vec<ClassCount>,
    /// Images that are not used because of what they are.
    pub refused: Vec<RefusedImage>,
    /// What was not looked at.
    #[serde(default)]
    pub passed_over: PassedOver,
}

/// One class in a [`CheckReport`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClassCount {
    /// The class's name.
    pub name: String,
    /// Images that are fine.
    pub usable: usize,
    /// Images that are refused.
    pub refused: usize,
    /// Why the whole class is left out; `None` where it is kept.
    pub left_out: Option<String>,
}

/// One refused image in a [`CheckReport`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedImage {
    /// Path relative to the root, `/` between the parts.
    pub path: String,
    /// Why, and what to do.
    pub reason: String,
}

/// Why a check came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// Every image was refused or its class left out.
    #[error("{}: no class has enough usable images\n{report}", .report.root.display())]
    NothingUsable {
        /// What was wrong with each.
        report: Box<CheckReport>,
    },
    /// The cache of verdicts could not be written.
    #[error(
        "{}: the cache of image checks cannot be written ({source}); free some space, or name another place",
        .path.display()
    )]
    Cache {
        /// The cache file.
        path: PathBuf,
        /// What the file system says.
        source: io::Error,
    },
}

/// Decodes every image of `tree` once, on all cores, and keeps the usable ones of the classes that have enough.
///
/// With a `cache` file, an image whose size and modification time are as they were at the last check is not opened
/// again. `progress(done, total)` is called on this thread, in order, after each image.
///
/// # Errors
///
/// [`CheckError::NothingUsable`] if no class is left, [`CheckError::Cache`] if the cache cannot be written.
pub fn check(
    tree: &ClassTree,
    config: &CheckConfig,
    cache: Option<&Path>,
    progress: impl FnMut(usize, usize),
) -> Result<Checked, CheckError> {
    let files: Vec<String> = tree
        .classes()
        .iter()
        .flat_map(|class| class.files.iter().map(|file| format!("{}/{file}", class.name)))
        .collect();
    let known = cache.map_or_else(VerdictCache::default, |path| VerdictCache::load(path, &config.limits));
    let (verdicts, from_cache) = judge_all(tree.root(), &files, &config.limits, known, cache, progress)?;
    let checked = sort_out(tree, config, &files, verdicts, from_cache);
    if checked.images.is_empty() {
        return Err(CheckError::NothingUsable { report: Box::new(checked.report) });
    }
    Ok(checked)
}

/// One judged file: its verdict, and its stamp where the verdict is worth keeping.
struct Judged {
    index: usize,
    verdict: Verdict,
    stamp: Option<Stamp>,
    cached: bool,
}

/// Verdicts in the order of `files`, and how many were known before.
fn judge_all(
    root: &Path,
    files: &[String],
    limits: &DecodeLimits,
    known: VerdictCache,
    cache: Option<&Path>,
    mut progress: impl FnMut(usize, usize),
) -> Result<(Vec<Verdict>, usize), CheckError> {
    let save = |verdicts: &VerdictCache| match cache {
        None => Ok(()),
        Some(path) => verdicts.save(path, limits).map_err(|source| CheckError::Cache { path: path.to_owned(), source }),
    };
    let mut fresh = VerdictCache::default();
    let mut verdicts: Vec<Option<Verdict>> = vec![None; files.len()];
    let (mut done, mut from_cache, mut unsaved) = (0, 0, 0);
    let mut saved_at = Instant::now();
    let known = &known;
    let (sender, receiver) = mpsc::channel();
    // The receiver lives in the closure, so that leaving it early ends the workers: their next send fails.
    thread::scope(|scope| {
        let receiver = receiver;
        scope.spawn(move || {
            // An error means that nobody listens any more, and is all there is to say.
            let _ = files.par_iter().enumerate().try_for_each_with(sender, |sender, (index, file)| {
                sender.send(judge(index, root, file, limits, known))
            });
        });
        for judged in receiver {
            let Judged { index, verdict, stamp, cached } = judged;
            if let (Some(stamp), false) = (stamp, cached) {
                fresh.insert(files[index].clone(), stamp, verdict.clone());
                unsaved += 1;
            }
            verdicts[index] = Some(verdict);
            from_cache += usize::from(cached);
            done += 1;
            if unsaved > 0 && saved_at.elapsed() > SAVE_EVERY {
                save(&known.overlaid(&fresh))?;
                (unsaved, saved_at) = (0, Instant::now());
            }
            progress(done, files.len());
        }
        Ok(())
    })?;
    if unsaved > 0 {
        save(&known.overlaid(&fresh))?;
    }
    Ok((verdicts.into_iter().flatten().collect(), from_cache))
}

fn judge(index: usize, root: &Path, file: &str, limits: &DecodeLimits, known: &VerdictCache) -> Judged {
    let path = root.join(file);
    let stamp = fs::metadata(&path).ok().map(|metadata| Stamp::of(&metadata));
    if let Some(verdict) = stamp.and_then(|stamp| known.get(file, stamp)) {
        return Judged { index, verdict: verdict.clone(), stamp, cached: true };
    }
    let decoded = decode::read(&path, limits).and_then(|bytes| decode_bytes(&bytes, limits));
    let (verdict, stamp) = match decoded {
        Ok(image) => {
            let (width, height) = image.dimensions();
            (Verdict::Ok { width, height }, stamp)
        }
        // A file that cannot be read today may be readable tomorrow, with the same size and time.
        Err(refusal @ Refusal::Unreadable(_)) => (refused(&refusal), None),
        Err(refusal) => (refused(&refusal), stamp),
    };
    Judged { index, verdict, stamp, cached: false }
}

fn refused(reason: &dyn fmt::Display) -> Verdict {
    Verdict::Refused { reason: reason.to_string() }
}

/// Splits verdicts into a set and a report; `verdicts` are in the order of the tree's files.
fn sort_out(
    tree: &ClassTree,
    config: &CheckConfig,
    files: &[String],
    verdicts: Vec<Verdict>,
    from_cache: usize,
) -> Checked {
    let mut judged = files.iter().zip(verdicts);
    let mut report = CheckReport {
        root: tree.root().to_owned(),
        total: files.len(),
        from_cache,
        classes: Vec::with_capacity(tree.classes().len()),
        refused: Vec::new(),
        passed_over: tree.passed_over().clone(),
    };
    let mut names = Vec::new();
    let mut images = Vec::new();
    for class in tree.classes() {
        let mut usable = Vec::new();
        for (path, verdict) in judged.by_ref().take(class.files.len()) {
            match verdict {
                Verdict::Ok { width, height } => {
                    usable.push(ImageEntry { path: tree.root().join(path), class: names.len(), width, height })
                }
                Verdict::Refused { reason } => report.refused.push(RefusedImage { path: path.clone(), reason }),
            }
        }
        let needed = config.min_images_per_class.max(1);
        let left_out = (usable.len() < needed).then(|| {
            format!(
                "{} usable images of {}, at least {needed} needed; add images or remove the folder",
                usable.len(),
                class.files.len()
            )
        });
        report.classes.push(ClassCount {
            name: class.name.clone(),
            usable: usable.len(),
            refused: class.files.len() - usable.len(),
            left_out: left_out.clone(),
        });
        if left_out.is_none() {
            names.push(class.name.clone());
            images.append(&mut usable);
        }
    }
    report.refused.extend(tree.unreadable_names().iter().map(|path| RefusedImage {
        path: path.strip_prefix(tree.root()).unwrap_or(path).to_string_lossy().into_owned(),
        reason: "has a name that is not UTF-8; rename it".to_owned(),
    }));
    Checked { images: ImageSet::new(names, images), report }
}

impl CheckReport {
    /// Images that are fine, those of classes left out included.
    pub fn usable(&self) -> usize {
        self.classes.iter().map(|class| class.usable).sum()
    }

    /// Names of the classes left out, with the reason.
    pub fn left_out(&self) -> impl Iterator<Item = (&str, &str)> {
        self.classes.iter().filter_map(|class| Some((class.name.as_str(), class.left_out.as_deref()?)))
    }
}

impl fmt::Display for CheckReport {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kept = self.classes.iter().filter(|class| class.left_out.is_none()).count();
        write!(
            out,
            "{}: {} of {} images usable ({} known from the last check), {kept} of {} classes kept",
            self.root.display(),
            self.usable(),
            self.total,
            self.from_cache,
            self.classes.len()
        )?;
        for image in &self.refused {
            write!(out, "\n  refused {}: {}", image.path, image.reason)?;
        }
        for (name, reason) in self.left_out() {
            write!(out, "\n  left out class {name}: {reason}")?;
        }
        if !self.passed_over.is_empty() {
            write!(out, "\n  {}", self.passed_over)?;
        }
        Ok(())
    }
}

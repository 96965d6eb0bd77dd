//! What files hold, as hashes: a file is known by its content, not by its name or its time.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result};
use eval::KeyPointPair;
use rayon::prelude::*;
use sha2::{Digest, Sha256};

use crate::short_hash::short_hash;

/// A hash of a file's bytes.
///
/// # Errors
///
/// A file that cannot be read.
pub fn content_hash(path: &Path) -> Result<String> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(short_hash(&bytes))
}

/// A hash of each file's bytes. Every file is read, on all cores: what costs a second for a thousand images leaves no
/// picture unnoticed that was replaced by one of as many bytes under the old time.
///
/// # Errors
///
/// A file that cannot be read.
pub fn content_hashes<'p>(paths: impl Iterator<Item = &'p Path>) -> Result<BTreeMap<&'p Path, String>> {
    let distinct: BTreeSet<&Path> = paths.collect();
    let hashes = distinct.into_par_iter().map(|path| Ok((path, content_hash(path)?)));
    hashes.collect::<Result<Vec<_>>>().map(BTreeMap::from_iter)
}

/// A hash of annotated pairs: their points, boxes and numbers, and the contents of their images.
///
/// # Errors
///
/// An image that cannot be read.
pub fn pairs_hash(pairs: &[KeyPointPair]) -> Result<String> {
    let images =
        content_hashes(pairs.iter().flat_map(|pair| [pair.source.path.as_path(), pair.target.path.as_path()]))?;
    let mut hash = Sha256::new();
    for pair in pairs {
        let contents = [&pair.source, &pair.target].map(|image| &images[image.path.as_path()]);
        hash.update(format!("{pair:?} {contents:?}\n"));
    }
    Ok(hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect())
}

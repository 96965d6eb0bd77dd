//! Where the tests look for downloaded weights; without them they are skipped.

use std::env;
use std::path::PathBuf;

use corr_volume::{BackboneName, known_weights};

#[path = "../../../xtask/tests/skips/mod.rs"]
pub mod skips;

/// The file of `name` in `$SCORR_WEIGHTS`, or else in the user's cache folder; the test is skipped if there is none.
pub fn weights_of(name: BackboneName) -> Option<PathBuf> {
    let known = known_weights().iter().find(|known| known.name == name).expect("weights that are known");
    let found = folders().into_iter().map(|folder| folder.join(known.file)).find(|path| path.is_file());
    if found.is_none() {
        let part = if name == BackboneName::EfficientNetLite2 { "weights-lite2" } else { "weights" };
        skips::skip(part, format!("{} is neither in $SCORR_WEIGHTS nor in the cache folder", known.file));
    }
    found
}

fn folders() -> Vec<PathBuf> {
    let set = |variable: &str| env::var_os(variable).map(PathBuf::from);
    let cache = set("XDG_CACHE_HOME").or_else(|| Some(set("HOME")?.join(".cache")));
    set("SCORR_WEIGHTS").into_iter().chain(cache.map(|cache| cache.join("scorr/weights"))).collect()
}

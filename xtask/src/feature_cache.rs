//! What the frozen part of the backbone says of an image, computed once and kept on disk under a size limit.
//!
//! One file an image and a setting, read through a memory map:
//!
//! ```text
//! magic and version   8 bytes
//! count of maps       u32
//! each map            4 × u32 sizes, then its values as f32, row-major
//! checksum            the first 8 bytes of the SHA-256 of all that
//! ```
//!
//! All numbers are little-endian, and every one of them begins at a multiple of four bytes, so that mapped values are
//! aligned. A file appears whole under its name and is never changed in place: it can only be replaced by another, or
//! removed, which leaves it intact for those who have it mapped.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, anyhow};
use burn::tensor::TensorData;
use memmap2::Mmap;
use sha2::{Digest, Sha256};
use tracing::warn;

use crate::atomic;
use crate::cache_folder::cannot_be_written;

const MAGIC: &[u8; 8] = b"SCORRFT1";
const CHECKSUM: usize = 8;
/// A file that has been half written for longer than this has been given up.
const GIVEN_UP: Duration = Duration::from_secs(24 * 60 * 60);

/// A folder of feature files. Threads share it; processes may share the folder.
#[derive(Debug)]
pub struct FeatureCache {
    folder: PathBuf,
    limit: u64,
    used: AtomicU64,
    full: AtomicBool,
}

impl FeatureCache {
    /// Opens `folder` and removes the files used longest ago until it holds at most `limit` bytes.
    ///
    /// Another process that has a removed file mapped keeps its content (on Windows the file stays); what another
    /// process is just writing is left alone.
    ///
    /// # Errors
    ///
    /// Where the folder cannot be created.
    pub fn open(folder: &Path, limit: u64) -> Result<FeatureCache> {
        fs::create_dir_all(folder).with_context(|| cannot_be_written(folder))?;
        let now = SystemTime::now();
        let mut files: Vec<(SystemTime, u64, PathBuf)> = Vec::new();
        for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?.flatten() {
            let Ok(metadata) = entry.metadata() else { continue };
            let Ok(used_at) = metadata.modified() else { continue };
            if !metadata.is_file() {
                continue;
            }
            if !entry.file_name().to_string_lossy().starts_with(atomic::PARTIAL) {
                files.push((used_at, metadata.len(), entry.path()));
            } else if now.duration_since(used_at).is_ok_and(|age| age > GIVEN_UP) {
                // Where it cannot be removed it does no harm.
                let _ = fs::remove_file(entry.path());
            }
        }
        files.sort();
        let mut used: u64 = files.iter().map(|file| file.1).sum();
        for (_, size, path) in files {
            if used <= limit {
                break;
            }
            if fs::remove_file(&path).is_ok() {
                used -= size;
            }
        }
        Ok(FeatureCache { folder: folder.to_owned(), limit, used: used.into(), full: false.into() })
    }

    /// The key of an image's features: a hash of the file's bytes and of everything that the features depend on.
    pub fn key(image: &[u8], setting: &str) -> String {
        let mut hash = Sha256::new();
        hash.update((setting.len() as u64).to_le_bytes());
        hash.update(setting.as_bytes());
        hash.update(image);
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Whether there is a file under `key`, whole or not.
    pub fn contains(&self, key: &str) -> bool {
        self.folder.join(key).exists()
    }

    /// The feature maps under `key`, `None` where there are none. A file that is damaged, cut short or of another version
    /// is removed, with a line in the log: its features are to be computed and stored anew.
    pub fn load(&self, key: &str) -> Option<Vec<TensorData>> {
        let path = self.folder.join(key);
        let file = File::open(&path).ok()?;
        let mapped = match map(&file) {
            Ok(mapped) => mapped,
            Err(error) => {
                warn!("the features in {} cannot be mapped ({error}) and are computed again", path.display());
                return None;
            }
        };
        match decode(&mapped) {
            Ok(maps) => {
                if let Ok(file) = File::options().append(true).open(&path) {
                    // Marks the file as used; where that fails it is only removed earlier.
                    let _ = file.set_modified(SystemTime::now());
                }
                Some(maps)
            }
            Err(damage) => {
                warn!("the feature file {} {damage}; its features are computed again", path.display());
                if fs::remove_file(&path).is_ok() {
                    self.forget(mapped.len() as u64);
                }
                None
            }
        }
    }

    /// Keeps `maps`, all of four dimensions, under `key`; does nothing once the limit is reached.
    ///
    /// # Errors
    ///
    /// Where the file cannot be written.
    pub fn store(&self, key: &str, maps: &[TensorData]) -> Result<()> {
        let path = self.folder.join(key);
        let bytes = encode(maps)?;
        let size = bytes.len() as u64;
        if self.used.fetch_add(size, Ordering::Relaxed) + size > self.limit {
            self.forget(size);
            self.full.store(true, Ordering::Relaxed);
            return Ok(());
        }
        // Torn by a machine that fails, it is recognised by its checksum.
        atomic::write_unsynced(&path, &bytes).with_context(|| cannot_be_written(&self.folder))
    }

    /// Takes a size off what is used. Another process's file may never have been counted.
    fn forget(&self, size: u64) {
        let less = |used: u64| Some(used.saturating_sub(size));
        let _ = self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
    }

    /// Whether something was not kept because the limit is reached.
    pub fn is_full(&self) -> bool {
        self.full.load(Ordering::Relaxed)
    }
}

/// A file's content as a read-only map.
fn map(file: &File) -> std::io::Result<Mmap> {
    // SAFETY: what is mapped must not change or shrink while it is. Files of the cache are written under a temporary
    // name and renamed to their own when they are whole (`atomic`); nothing writes to them or cuts them after that. A
    // replaced or removed file lives on, unnamed, until its last map is gone. Somebody else who changes a file in place
    // in these milliseconds breaks the cache's rules as he would by changing the program's memory; a change at any other
    // time is seen by the checksum.
    unsafe { Mmap::map(file) }
}

fn encode(maps: &[TensorData]) -> Result<Vec<u8>> {
    let values: usize = maps.iter().map(TensorData::num_elements).sum();
    let mut bytes = Vec::with_capacity(MAGIC.len() + 4 + 16 * maps.len() + 4 * values + CHECKSUM);
    bytes.extend(MAGIC);
    bytes.extend((maps.len() as u32).to_le_bytes());
    for map in maps {
        assert_eq!(map.shape().num_dims(), 4, "feature maps have four dimensions, not {:?}", map.shape());
        for size in map.shape().iter() {
            bytes.extend((*size as u32).to_le_bytes());
        }
        let values = map.as_slice::<f32>().map_err(|error| anyhow!("features are not of type f32: {error:?}"))?;
        values.iter().for_each(|value| bytes.extend(value.to_le_bytes()));
    }
    let digest = Sha256::digest(&bytes);
    bytes.extend(&digest[..CHECKSUM]);
    Ok(bytes)
}

/// The maps of a file, or what is wrong with it. Values are copied once, into the tensors' own memory.
fn decode(bytes: &[u8]) -> Result<Vec<TensorData>, &'static str> {
    const SHORT: &str = "is cut short";
    let (mut rest, checksum) = bytes.split_last_chunk::<CHECKSUM>().ok_or(SHORT)?;
    let body = rest;
    let magic = take(&mut rest, MAGIC.len()).ok_or(SHORT)?;
    if magic != MAGIC {
        return Err("is of another version");
    }
    let number = |rest: &mut &[u8]| -> Result<usize, &'static str> {
        let (head, tail) = rest.split_first_chunk::<4>().ok_or(SHORT)?;
        *rest = tail;
        Ok(u32::from_le_bytes(*head) as usize)
    };
    let mut found = Vec::new();
    for _ in 0..number(&mut rest)? {
        let shape = [number(&mut rest)?, number(&mut rest)?, number(&mut rest)?, number(&mut rest)?];
        let size = shape.iter().try_fold(4, |size: usize, &side| size.checked_mul(side)).ok_or(SHORT)?;
        found.push((shape, take(&mut rest, size).ok_or(SHORT)?));
    }
    if !rest.is_empty() {
        return Err("is longer than it says");
    }
    if Sha256::digest(body)[..CHECKSUM] != checksum[..] {
        return Err("does not match its checksum");
    }
    let values = |bytes: &[u8]| bytes.as_chunks::<4>().0.iter().map(|four| f32::from_le_bytes(*four)).collect();
    Ok(found.into_iter().map(|(shape, bytes)| TensorData::new::<f32, _>(values(bytes), shape)).collect())
}

/// The first `size` bytes, which are taken off `rest`.
fn take<'a>(rest: &mut &'a [u8], size: usize) -> Option<&'a [u8]> {
    let (head, tail) = rest.split_at_checked(size)?;
    *rest = tail;
    Some(head)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: u64 = 1 << 20;

    fn maps(value: f32) -> Vec<TensorData> {
        let ramp = (0..24).map(|step| value + step as f32).collect::<Vec<f32>>();
        vec![TensorData::new(ramp, [1, 2, 3, 4]), TensorData::new(vec![-value; 4], [1, 1, 2, 2])]
    }

    fn cache_with_one() -> (tempfile::TempDir, FeatureCache, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let cache = FeatureCache::open(dir.path(), LIMIT).unwrap();
        cache.store("key", &maps(1.5)).unwrap();
        let path = dir.path().join("key");
        (dir, cache, path)
    }

    #[test]
    fn maps_come_back_as_they_were() {
        let (_dir, cache, _) = cache_with_one();
        assert_eq!(cache.load("key"), Some(maps(1.5)));
        assert_eq!(cache.load("another"), None);
    }

    #[test]
    fn values_lie_where_a_float_may_lie() {
        let (_dir, _, path) = cache_with_one();
        let mapped = map(&File::open(path).unwrap()).unwrap();
        let first = MAGIC.len() + 4 + 16;
        let second = first + 24 * 4 + 16;
        for (start, map) in [first, second].into_iter().zip(maps(1.5)) {
            assert!(mapped[start..].as_ptr().cast::<f32>().is_aligned());
            assert_eq!(mapped[start..][..4], map.as_slice::<f32>().unwrap()[0].to_le_bytes());
        }
    }

    #[test]
    fn a_spoilt_file_is_removed_and_replaced() {
        let (_dir, cache, path) = cache_with_one();
        let whole = fs::read(&path).unwrap();
        let changed = |at: usize| {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            bytes
        };
        let mut spoilt: Vec<(Vec<u8>, &str)> = (0..whole.len()).map(|at| (changed(at), "a changed byte")).collect();
        spoilt.extend((0..whole.len()).map(|size| (whole[..size].to_vec(), "a file cut short")));
        spoilt.push(([&whole[..], &[0; 4]].concat(), "a file too long"));
        spoilt.push(([b"SCORRFT0", &whole[8..]].concat(), "another version"));
        // Sizes whose product is no number of bytes at all, under a checksum that fits.
        let mut huge = [&MAGIC[..], &1u32.to_le_bytes(), &[0xff; 16]].concat();
        huge.extend_from_slice(&Sha256::digest(&huge)[..CHECKSUM]);
        spoilt.push((huge, "sizes beyond counting"));
        for (bytes, what) in spoilt {
            // As a disk would spoil it: another file, so that no map of the old one sees it change.
            fs::remove_file(&path).unwrap();
            fs::write(&path, &bytes).unwrap();
            assert_eq!(cache.load("key"), None, "{what}");
            assert!(!path.exists(), "{what}");
            cache.store("key", &maps(1.5)).unwrap();
            assert_eq!(cache.load("key"), Some(maps(1.5)), "{what}");
        }
    }

    #[test]
    fn the_limit_holds_and_the_longest_unused_goes_first() {
        let dir = tempfile::tempdir().unwrap();
        let size = encode(&maps(0.0)).unwrap().len() as u64;
        let cache = FeatureCache::open(dir.path(), 2 * size).unwrap();
        for (age, key) in ["a", "b", "c"].into_iter().enumerate() {
            assert!(!cache.is_full());
            cache.store(key, &maps(age as f32)).unwrap();
        }
        assert!(cache.is_full());
        let there = |cache: &FeatureCache, key| cache.load(key).is_some();
        assert!(there(&cache, "a") && there(&cache, "b") && !there(&cache, "c"));
        let old = SystemTime::now() - Duration::from_secs(60);
        File::options().append(true).open(dir.path().join("b")).unwrap().set_modified(old).unwrap();
        let cache = FeatureCache::open(dir.path(), size).unwrap();
        assert!(there(&cache, "a") && !there(&cache, "b"));
    }

    #[test]
    fn a_spoilt_file_makes_room_again() {
        let dir = tempfile::tempdir().unwrap();
        let size = encode(&maps(0.0)).unwrap().len() as u64;
        let cache = FeatureCache::open(dir.path(), size).unwrap();
        cache.store("a", &maps(1.0)).unwrap();
        let mut bytes = fs::read(dir.path().join("a")).unwrap();
        bytes[40] ^= 1;
        fs::write(dir.path().join("a"), &bytes).unwrap();
        assert_eq!(cache.load("a"), None);
        cache.store("b", &maps(2.0)).unwrap();
        assert_eq!(cache.load("b"), Some(maps(2.0)));
    }

    #[cfg(unix)]
    #[test]
    fn who_has_a_file_mapped_keeps_it_when_it_is_evicted_or_replaced() {
        let (dir, cache, path) = cache_with_one();
        let whole = fs::read(&path).unwrap();
        let mapped = map(&File::open(&path).unwrap()).unwrap();
        cache.store("key", &maps(7.0)).unwrap();
        assert_eq!(mapped[..], whole[..]);
        FeatureCache::open(dir.path(), 0).unwrap();
        assert!(!path.exists());
        assert_eq!(mapped[..], whole[..]);
    }

    #[test]
    fn what_another_process_is_writing_is_left_alone_and_what_it_gave_up_is_not() {
        let (dir, _, _) = cache_with_one();
        let (writing, given_up) = (dir.path().join(".partial-new"), dir.path().join(".partial-old"));
        fs::write(&writing, b"half").unwrap();
        fs::write(&given_up, b"half").unwrap();
        let file = File::options().append(true).open(&given_up).unwrap();
        file.set_modified(SystemTime::now() - 2 * GIVEN_UP).unwrap();
        FeatureCache::open(dir.path(), 0).unwrap();
        assert!(writing.exists() && !given_up.exists());
    }

    #[test]
    fn the_key_depends_on_the_image_and_on_the_setting() {
        assert_ne!(FeatureCache::key(b"image", "a"), FeatureCache::key(b"image", "b"));
        assert_ne!(FeatureCache::key(b"image", "a"), FeatureCache::key(b"other", "a"));
    }
}

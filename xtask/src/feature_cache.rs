//! What the frozen part of the backbone says of an image, computed once and kept on disk under a size limit.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Result};
use burn::tensor::{Device, Tensor, TensorData};
use sha2::{Digest, Sha256};

use crate::atomic;

const MAGIC: &[u8; 8] = b"SCORRFT1";

/// A folder of feature files, one an image and a backbone setting.
#[derive(Debug)]
pub struct FeatureCache {
    folder: PathBuf,
    limit: u64,
    used: u64,
}

impl FeatureCache {
    /// Opens `folder` and removes the files used longest ago until it holds at most `limit` bytes.
    ///
    /// # Errors
    ///
    /// Where the folder cannot be created.
    pub fn open(folder: &Path, limit: u64) -> Result<FeatureCache> {
        fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let mut files: Vec<(SystemTime, u64, PathBuf)> = fs::read_dir(folder)
            .with_context(|| format!("cannot read {}", folder.display()))?
            .flatten()
            .filter_map(|entry| {
                let metadata = entry.metadata().ok()?;
                metadata.is_file().then_some((metadata.modified().ok()?, metadata.len(), entry.path()))
            })
            .collect();
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
        Ok(FeatureCache { folder: folder.to_owned(), limit, used })
    }

    /// The key of an image's features: a hash of the file's bytes and of everything that the features depend on.
    pub fn key(image: &[u8], setting: &str) -> String {
        let mut hash = Sha256::new();
        hash.update((setting.len() as u64).to_le_bytes());
        hash.update(setting.as_bytes());
        hash.update(image);
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The feature maps under `key`; `None` where there are none or the file is damaged.
    pub fn load(&self, key: &str, device: &Device) -> Option<Vec<Tensor<4>>> {
        let path = self.folder.join(key);
        let bytes = fs::read(&path).ok()?;
        if let Ok(file) = fs::File::options().append(true).open(&path) {
            // Marks the file as used; where that fails it is only removed earlier.
            let _ = file.set_modified(SystemTime::now());
        }
        decode(&bytes).map(|maps| maps.into_iter().map(|map| Tensor::from_data(map, device)).collect())
    }

    /// Keeps `maps` under `key`; does nothing once the limit is reached.
    ///
    /// # Errors
    ///
    /// Where the file cannot be written.
    pub fn store(&mut self, key: &str, maps: &[Tensor<4>]) -> Result<()> {
        let bytes = encode(maps)?;
        if self.used + bytes.len() as u64 > self.limit {
            return Ok(());
        }
        atomic::write(&self.folder.join(key), &bytes)?;
        self.used += bytes.len() as u64;
        Ok(())
    }
}

fn encode(maps: &[Tensor<4>]) -> Result<Vec<u8>> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend((maps.len() as u32).to_le_bytes());
    for map in maps {
        for size in map.dims() {
            bytes.extend((size as u32).to_le_bytes());
        }
        let values = map
            .to_data()
            .try_into_vec::<f32>()
            .map_err(|error| anyhow::anyhow!("features are not of type f32: {error:?}"))?;
        values.iter().for_each(|value| bytes.extend(value.to_le_bytes()));
    }
    let digest = Sha256::digest(&bytes);
    bytes.extend(&digest[..8]);
    Ok(bytes)
}

fn decode(bytes: &[u8]) -> Option<Vec<TensorData>> {
    let (body, digest) = bytes.split_at_checked(bytes.len().checked_sub(8)?)?;
    if &Sha256::digest(body)[..8] != digest {
        return None;
    }
    let mut rest = body.strip_prefix(MAGIC)?;
    let word = |rest: &mut &[u8]| -> Option<usize> {
        let (head, tail) = rest.split_first_chunk::<4>()?;
        *rest = tail;
        Some(u32::from_le_bytes(*head) as usize)
    };
    let count = word(&mut rest)?;
    let mut maps = Vec::new();
    for _ in 0..count {
        let shape = [word(&mut rest)?, word(&mut rest)?, word(&mut rest)?, word(&mut rest)?];
        let (values, tail) = rest.split_at_checked(shape.iter().product::<usize>() * 4)?;
        rest = tail;
        let values = values.as_chunks::<4>().0.iter().map(|chunk| f32::from_le_bytes(*chunk)).collect::<Vec<f32>>();
        maps.push(TensorData::new(values, shape));
    }
    Some(maps)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn maps(value: f32) -> Vec<Tensor<4>> {
        let device = Device::flex();
        vec![Tensor::full([1, 2, 3, 4], value, &device), Tensor::full([1, 1, 2, 2], -value, &device)]
    }

    #[test]
    fn maps_come_back_as_they_were_and_damage_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let mut cache = FeatureCache::open(dir.path(), 1 << 20).unwrap();
        let key = FeatureCache::key(b"image", "setting");
        assert!(cache.load(&key, &Device::flex()).is_none());
        cache.store(&key, &maps(1.5)).unwrap();
        let back = cache.load(&key, &Device::flex()).unwrap();
        for (a, b) in maps(1.5).iter().zip(&back) {
            a.to_data().assert_eq(&b.to_data(), true);
        }
        let path = dir.path().join(&key);
        let mut bytes = fs::read(&path).unwrap();
        bytes[40] ^= 1;
        fs::write(&path, &bytes).unwrap();
        assert!(cache.load(&key, &Device::flex()).is_none());
    }

    #[test]
    fn the_limit_holds_and_the_longest_unused_goes_first() {
        let dir = tempfile::tempdir().unwrap();
        let size = encode(&maps(0.0)).unwrap().len() as u64;
        let mut cache = FeatureCache::open(dir.path(), 2 * size).unwrap();
        for (age, key) in ["a", "b", "c"].into_iter().enumerate() {
            cache.store(key, &maps(age as f32)).unwrap();
        }
        let there = |cache: &FeatureCache, key| cache.load(key, &Device::flex()).is_some();
        assert!(there(&cache, "a") && there(&cache, "b") && !there(&cache, "c"));
        let old = SystemTime::now() - std::time::Duration::from_secs(60);
        fs::File::options().append(true).open(dir.path().join("b")).unwrap().set_modified(old).unwrap();
        let cache = FeatureCache::open(dir.path(), size).unwrap();
        assert!(there(&cache, "a") && !there(&cache, "b"));
    }

    #[test]
    fn the_key_depends_on_the_image_and_on_the_setting() {
        assert_ne!(FeatureCache::key(b"image", "a"), FeatureCache::key(b"image", "b"));
        assert_ne!(FeatureCache::key(b"image", "a"), FeatureCache::key(b"other", "a"));
    }
}

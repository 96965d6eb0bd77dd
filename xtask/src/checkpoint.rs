//! A checkpoint: everything that a killed run needs to go on as if it had not been killed, in one file.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::atomic;

const MAGIC: &[u8; 8] = b"SCORRCK1";
/// Bytes of the checksum at the end.
const DIGEST: u64 = 32;

/// The part of a run's state that is not a tensor. Data order and noise are pure functions of (seed, step), so there
/// is no generator's state here.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RunState {
    /// Steps done.
    pub step: usize,
    /// The best cycle consistency of a validation so far, and its step.
    pub best: Option<(f64, usize)>,
    /// SHA-256 of the weights file that the backbone started from, or of the backbone's own training.
    pub weights: String,
    /// SHA-256 of the parameters' values.
    pub parameters: String,
    /// The class names, in the order of the classifier's outputs.
    pub classes: Vec<String>,
}

/// Parameters and optimiser states as burnpack bytes, with the run's state.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// What is not a tensor.
    pub state: RunState,
    /// The network's record.
    pub network: Vec<u8>,
    /// The optimisers' records, in a fixed order; empty in a checkpoint that is only to be used, not resumed.
    pub optimizers: Vec<Vec<u8>>,
}

#[derive(Serialize, Deserialize)]
struct Header {
    state: RunState,
    network: usize,
    optimizers: Vec<usize>,
}

impl Checkpoint {
    /// Writes the checkpoint; the file that was there survives any failure.
    ///
    /// # Errors
    ///
    /// A full disk, a folder that cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        let header = serde_json::to_vec(&Header {
            state: self.state.clone(),
            network: self.network.len(),
            optimizers: self.optimizers.iter().map(Vec::len).collect(),
        })?;
        let mut bytes = MAGIC.to_vec();
        bytes.extend((header.len() as u64).to_le_bytes());
        bytes.extend(header);
        bytes.extend(&self.network);
        self.optimizers.iter().for_each(|optimizer| bytes.extend(optimizer));
        let digest = Sha256::digest(&bytes);
        bytes.extend(&digest[..]);
        atomic::write(path, &bytes)
    }

    /// Reads a checkpoint.
    ///
    /// # Errors
    ///
    /// A missing file, and one that is truncated, damaged or no checkpoint.
    pub fn load(path: &Path) -> Result<Checkpoint> {
        read(path, true)
    }

    /// Reads a checkpoint that is only to be used: all of it is checked, but the optimisers' states, which are larger than
    /// the network, never come into memory.
    ///
    /// # Errors
    ///
    /// As [`Checkpoint::load`].
    pub fn load_to_use(path: &Path) -> Result<Checkpoint> {
        read(path, false)
    }
}

fn read(path: &Path, with_optimizers: bool) -> Result<Checkpoint> {
    let file = File::open(path).with_context(|| format!("cannot read the checkpoint {}", path.display()))?;
    let checked = file
        .metadata()
        .map_err(anyhow::Error::from)
        .and_then(|metadata| from_reader(BufReader::new(file), metadata.len(), with_optimizers));
    checked.with_context(|| {
        format!("{} is damaged; remove it, and resume from another checkpoint or train again", path.display())
    })
}

/// Reads a checkpoint of `length` bytes, in one pass.
fn from_reader(file: impl Read, length: u64, with_optimizers: bool) -> Result<Checkpoint> {
    let Some(mut left) = length.checked_sub(DIGEST) else { bail!("it has only {length} bytes") };
    let mut file = Hashed { file, hash: Sha256::new() };
    let mut take = |count: u64, what: &str| {
        left = left.checked_sub(count).with_context(|| format!("it ends in {what}"))?;
        file.take_bytes(count)
    };
    if take(MAGIC.len() as u64, "its header")? != MAGIC {
        bail!("it does not begin as a checkpoint does");
    }
    let size = take(8, "its header")?;
    let size = size.iter().rev().fold(0, |size: u64, &byte| size << 8 | u64::from(byte));
    let header: Header = serde_json::from_slice(&take(size, "its header")?)?;
    let network = take(header.network as u64, "the network")?;
    let mut optimizers = Vec::new();
    if with_optimizers {
        for size in &header.optimizers {
            optimizers.push(take(*size as u64, "an optimiser's state")?);
        }
    }
    // What is not wanted is part of the checksum all the same.
    file.skip(left)?;
    let Hashed { mut file, hash } = file;
    let mut digest = [0; DIGEST as usize];
    file.read_exact(&mut digest)?;
    if hash.finalize()[..] != digest {
        bail!("its checksum is wrong");
    }
    Ok(Checkpoint { state: header.state, network, optimizers })
}

/// A file whose bytes are hashed as they are read.
struct Hashed<F> {
    file: F,
    hash: Sha256,
}

impl<F: Read> Hashed<F> {
    /// The next `count` bytes, of which there are so many.
    fn take_bytes(&mut self, count: u64) -> Result<Vec<u8>> {
        let mut bytes = vec![0; usize::try_from(count)?];
        self.file.read_exact(&mut bytes)?;
        self.hash.update(&bytes);
        Ok(bytes)
    }

    fn skip(&mut self, mut count: u64) -> Result<()> {
        let mut buffer = [0; 1 << 14];
        while count > 0 {
            let part = &mut buffer[..count.min(1 << 14) as usize];
            self.file.read_exact(part)?;
            self.hash.update(&*part);
            count -= part.len() as u64;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Checkpoint {
        Checkpoint {
            state: RunState {
                step: 12,
                best: Some((0.5, 10)),
                weights: "ab".into(),
                parameters: "cd".into(),
                classes: vec!["Car".into()],
            },
            network: (0..100).collect(),
            optimizers: vec![vec![1, 2, 3], vec![]],
        }
    }

    #[test]
    fn a_checkpoint_comes_back_and_every_flipped_byte_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("last.ckpt");
        sample().save(&path).unwrap();
        assert_eq!(Checkpoint::load(&path).unwrap(), sample());
        assert_eq!(Checkpoint::load_to_use(&path).unwrap(), Checkpoint { optimizers: Vec::new(), ..sample() });
        let bytes = std::fs::read(&path).unwrap();
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x10;
            for with_optimizers in [true, false] {
                let read = |bytes: &[u8]| from_reader(bytes, bytes.len() as u64, with_optimizers);
                assert!(read(&damaged).is_err(), "byte {at}");
                assert!(read(&bytes[..at]).is_err(), "cut at {at}");
            }
        }
    }
}

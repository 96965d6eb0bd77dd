//! A checkpoint: everything that a killed run needs to go on as if it had not been killed, in one file.

use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::atomic;

const MAGIC: &[u8; 8] = b"SCORRCK1";

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
        let bytes = std::fs::read(path).with_context(|| format!("cannot read the checkpoint {}", path.display()))?;
        Checkpoint::from_bytes(&bytes).with_context(|| {
            format!("{} is damaged; remove it, and resume from another checkpoint or train again", path.display())
        })
    }

    fn from_bytes(bytes: &[u8]) -> Result<Checkpoint> {
        let Some(at) = bytes.len().checked_sub(32) else { bail!("it has only {} bytes", bytes.len()) };
        let (body, digest) = bytes.split_at(at);
        let Some(rest) = body.strip_prefix(MAGIC) else { bail!("it does not begin as a checkpoint does") };
        if Sha256::digest(body)[..] != *digest {
            bail!("its checksum is wrong");
        }
        let (length, rest) = rest.split_first_chunk::<8>().context("it ends in its header")?;
        let (header, rest) =
            rest.split_at_checked(u64::from_le_bytes(*length) as usize).context("it ends in its header")?;
        let header: Header = serde_json::from_slice(header)?;
        let (network, mut rest) = rest.split_at_checked(header.network).context("it ends in the network")?;
        let mut optimizers = Vec::new();
        for length in header.optimizers {
            let (optimizer, tail) = rest.split_at_checked(length).context("it ends in an optimiser's state")?;
            optimizers.push(optimizer.to_vec());
            rest = tail;
        }
        Ok(Checkpoint { state: header.state, network: network.to_vec(), optimizers })
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
        let bytes = std::fs::read(&path).unwrap();
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x10;
            assert!(Checkpoint::from_bytes(&damaged).is_err(), "byte {at}");
            assert!(Checkpoint::from_bytes(&bytes[..at]).is_err(), "cut at {at}");
        }
    }
}

//! Names of files that follow from what the files depend on.

use sha2::{Digest, Sha256};

/// The first 8 bytes of SHA-256, in hexadecimal digits.
pub fn short_hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn it_is_the_beginning_of_the_known_hash_of_nothing() {
        assert_eq!(super::short_hash(b""), "e3b0c44298fc1c14");
    }
}

//! Ways of damaging a file.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// What stands in a damaged file where something else should.
const WORDS: [&[u8]; 34] = [
    b"\0",
    b"\n",
    b"\r\n",
    b"\xEF\xBB\xBF",
    b"\xFF\xFE",
    b"\"",
    b",",
    b";",
    b":",
    b"-",
    b"[",
    b"]",
    b"{",
    b"}",
    b"null",
    b"NaN",
    b"-Infinity",
    b"1e999",
    b"-1",
    b"0",
    b"1e-400",
    b"4294967296",
    b"99999999999999999999",
    b"\\u0000",
    b"\\ud800",
    b"../",
    b"[[[[[[[[[[[[[[[[",
    b"true",
    b"\xF0\x9F\xA6\x86",
    &[0xFF; 4],
    &[0x00; 8],
    &[0xFF, 0xFF, 0xFF, 0x7F],
    &[0, 0, 0, 0x80],
    b"0.1",
];

/// The largest file that is made.
const LARGEST: usize = 16 << 10;

/// A file with one to six mutations, the head of one and the tail of another, or random bytes behind the head of a
/// file.
pub fn damaged(file: &[u8], other: &[u8], rng: &mut ChaCha8Rng) -> Vec<u8> {
    let mut bytes = match rng.random_range(0..10) {
        0 => {
            let mut bytes = file[..place(file, rng)].to_vec();
            bytes.extend((0..rng.random_range(0..200)).map(|_| rng.random::<u8>()));
            return bytes;
        }
        1 => [&file[..place(file, rng)], &other[place(other, rng)..]].concat(),
        _ => file.to_vec(),
    };
    let mutations = if rng.random() { 1 } else { rng.random_range(2..=6) };
    for _ in 0..mutations {
        mutate(&mut bytes, rng);
    }
    bytes.truncate(LARGEST);
    bytes
}

fn mutate(bytes: &mut Vec<u8>, rng: &mut ChaCha8Rng) {
    let at = place(bytes, rng);
    let end = (at + rng.random_range(0..40)).min(bytes.len());
    match rng.random_range(0..9) {
        0 if at < bytes.len() => bytes[at] = rng.random(),
        1 if at < bytes.len() => bytes[at] ^= 1 << rng.random_range(0..8),
        2 if at < bytes.len() => bytes[at] = bytes[at].wrapping_add(if rng.random() { 1 } else { 255 }),
        3 => {
            bytes.drain(at..end);
        }
        4 => {
            let part = bytes[at..end].to_vec();
            let to = place(bytes, rng);
            bytes.splice(to..to, part);
        }
        5 => {
            let word = WORDS[rng.random_range(0..WORDS.len())];
            bytes.splice(at..at, word.iter().copied());
        }
        6 => {
            let word = WORDS[rng.random_range(0..WORDS.len())];
            let end = (at + word.len()).min(bytes.len());
            bytes.splice(at..end, word.iter().copied());
        }
        7 => bytes.truncate(at),
        _ => {
            let part = bytes[at..end].to_vec();
            let copies = rng.random_range(1..30);
            bytes.splice(end..end, part.repeat(copies));
        }
    }
}

/// A place between two bytes, or at either end.
fn place(bytes: &[u8], rng: &mut ChaCha8Rng) -> usize {
    rng.random_range(0..=bytes.len())
}

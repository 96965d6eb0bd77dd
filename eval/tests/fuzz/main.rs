//! Damaged and random bytes for every parser: no panic, and no more memory than a small multiple of the bytes.
//!
//! ```text
//! cargo test --release -p eval --test fuzz                                    # a few thousand cases a format
//! SCORR_FUZZ_CASES=1000000 cargo test --release -p eval --test fuzz -- --nocapture
//! ```
//!
//! `SCORR_FUZZ_CASES` is the number of cases for each format. A case is a valid file with a few mutations, two valid
//! files spliced, or random bytes behind a valid beginning; all follow from the case's number, so that a failure
//! repeats. Each test prints its cases, its time, how many cases were accepted, and the most memory that a case held,
//! with its size.

mod files;
mod memory;
mod mutations;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::Instant;

use eval::{
    AskedPairs, BenchmarkError, CacheKey, Direction, parse_ap_10k_image, parse_ap_10k_pair, parse_caltech_list,
    parse_csv_table, parse_flow, parse_jsonl_table, parse_matrix, parse_outside_predictions, parse_pair_layout,
    parse_pf_pascal_annotation, parse_pf_pascal_list, parse_pf_willow_list, parse_predictions, parse_sc_imagenet_pair,
    parse_spair_image, parse_spair_pair,
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const DEFAULT_CASES: u64 = 4000;

/// How much memory a parser may hold at once: `factor` times the file's size, and `base` more.
#[derive(Clone, Copy)]
struct Allowance {
    factor: usize,
    base: usize,
}

/// Text: a row of a list is a few strings of 24 bytes and more for a handful of characters. The base is for the
/// reader's buffers.
const TEXT: Allowance = Allowance { factor: 32, base: 32 << 10 };

/// Plain arrays: bytes become doubles, and vectors are twice as large as what is in them while they grow. The base is
/// for the decompressor, which damage may call.
const PLAIN_MAT: Allowance = Allowance { factor: 32, base: 128 << 10 };

/// A compressed element may grow 64-fold and by 64 KiB, and its bytes become doubles.
const PACKED_MAT: Allowance = Allowance { factor: 64 * 11, base: 64 * 11 * 1024 + (128 << 10) };

/// The vectors, and a message.
const FLOW: Allowance = Allowance { factor: 1, base: 1 << 10 };

/// Runs the cases of one format. `parse` says whether it accepted the bytes.
fn fuzz(format: &str, allowance: Allowance, files: &[Vec<u8>], parse: impl Fn(&[u8]) -> bool) {
    fuzz_packed(format, allowance, files, |bytes| bytes, parse);
}

/// The same for files whose content is damaged before `pack` makes them what is parsed.
fn fuzz_packed(
    format: &str,
    allowance: Allowance,
    files: &[Vec<u8>],
    pack: impl Fn(Vec<u8>) -> Vec<u8>,
    parse: impl Fn(&[u8]) -> bool,
) {
    for (index, file) in files.iter().enumerate() {
        assert!(parse(&pack(file.clone())), "{format}: the valid file {index} is refused");
    }
    let cases = match std::env::var("SCORR_FUZZ_CASES") {
        Ok(cases) => cases.parse().expect("SCORR_FUZZ_CASES is a number of cases"),
        Err(_) => DEFAULT_CASES,
    };
    let start = Instant::now();
    let (mut accepted, mut worst) = (0u64, (0, 0));
    for case in 0..cases {
        let mut rng = ChaCha8Rng::seed_from_u64(case);
        let file = &files[rng.random_range(0..files.len())];
        let other = &files[rng.random_range(0..files.len())];
        let bytes = pack(mutations::damaged(file, other, &mut rng));
        let (parsed, peak) = memory::peak_of(|| catch_unwind(AssertUnwindSafe(|| parse(&bytes))));
        let shown = || String::from_utf8_lossy(&bytes).into_owned();
        let Ok(parsed) = parsed else { panic!("{format}: case {case} panics: {bytes:?}\n{}", shown()) };
        accepted += u64::from(parsed);
        worst = worst.max((peak, bytes.len()));
        let allowed = allowance.factor * bytes.len() + allowance.base;
        assert!(peak <= allowed, "{format}: case {case} of {} bytes takes {peak} bytes: {}", bytes.len(), shown());
    }
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "{format:<24} {cases:>10} cases  {seconds:>7.1} s  {:>5.1} % accepted  {:>7} bytes held at most, for {}",
        100.0 * accepted as f64 / cases.max(1) as f64,
        worst.0,
        worst.1
    );
}

/// A parser of benchmark files: an error has to name the file.
fn named<T>(parse: impl Fn(&Path, &[u8]) -> Result<T, BenchmarkError>) -> impl Fn(&[u8]) -> bool {
    move |bytes| match parse(Path::new("fuzzed.file"), bytes) {
        Ok(_) => true,
        Err(error) => {
            assert!(error.to_string().contains("fuzzed.file"), "{error}");
            false
        }
    }
}

#[test]
fn mat_plain() {
    fuzz("mat", PLAIN_MAT, &files::plain_mats(), |bytes| parse_matrix(bytes, "kps").is_ok());
}

#[test]
fn mat_compressed() {
    fuzz("mat, compressed", PACKED_MAT, &files::compressed_mats(), |bytes| parse_matrix(bytes, "kps").is_ok());
}

#[test]
fn mat_under_the_compression() {
    let pack = |bytes: Vec<u8>| files::compressed(&bytes);
    fuzz_packed("mat, inside", PACKED_MAT, &files::plain_mats()[1..], pack, |bytes| parse_matrix(bytes, "kps").is_ok());
}

#[test]
fn pf_pascal_annotations() {
    let parse = named(parse_pf_pascal_annotation);
    fuzz("PF-PASCAL annotations", PACKED_MAT, &files::pf_pascal_annotations(), parse);
}

#[test]
fn flow() {
    fuzz("flo", FLOW, &files::flows(), |bytes| parse_flow(bytes).is_ok());
}

#[test]
fn predictions() {
    fuzz("predictions", TEXT, &files::predictions(), |bytes| {
        parse_predictions(Path::new("fuzzed.file"), bytes, &CacheKey::new()).is_ok()
    });
}

#[test]
fn predictions_of_other_programs() {
    let pairs = files::asked_pairs();
    fuzz("predictions, outside", TEXT, &files::outside_predictions(), |bytes| {
        let asked = AskedPairs { pairs: &pairs, direction: Direction::Forward, partial: true };
        parse_outside_predictions(Path::new("fuzzed.file"), bytes, asked).is_ok()
    });
}

#[test]
fn pf_pascal_lists() {
    fuzz("PF-PASCAL lists", TEXT, &files::pf_pascal_lists(), named(parse_pf_pascal_list));
}

#[test]
fn pf_willow_lists() {
    fuzz("PF-WILLOW lists", TEXT, &files::pf_willow_lists(), named(parse_pf_willow_list));
}

#[test]
fn caltech_lists() {
    fuzz("Caltech lists", TEXT, &files::caltech_lists(), named(parse_caltech_list));
}

#[test]
fn csv_tables() {
    fuzz("CSV tables", TEXT, &[eval::CSV_TEMPLATE.into()], named(parse_csv_table));
}

#[test]
fn jsonl_tables() {
    fuzz("JSONL tables", TEXT, &[eval::JSONL_TEMPLATE.into()], named(parse_jsonl_table));
}

#[test]
fn pair_layouts() {
    fuzz("pair layouts", TEXT, &files::pair_layouts(), named(parse_pair_layout));
}

#[test]
fn spair_pairs() {
    fuzz("SPair pairs", TEXT, &files::spair_pairs(), named(parse_spair_pair));
}

#[test]
fn spair_images() {
    fuzz("SPair images", TEXT, &files::spair_images(), named(parse_spair_image));
}

#[test]
fn sc_imagenet_pairs() {
    fuzz("SC-ImageNet pairs", TEXT, &files::sc_imagenet_pairs(), named(parse_sc_imagenet_pair));
}

#[test]
fn ap_10k_pairs() {
    fuzz("AP-10K pairs", TEXT, &files::ap_10k_pairs(), named(parse_ap_10k_pair));
}

#[test]
fn ap_10k_images() {
    fuzz("AP-10K images", TEXT, &files::ap_10k_images(), named(parse_ap_10k_image));
}

#[test]
fn a_huge_array_of_zeros_beside_the_key_points_costs_no_memory() {
    for file in files::beside_zeros(64 << 20) {
        let (result, peak) = memory::peak_of(|| parse_matrix(&file, "kps"));
        assert_eq!(result.unwrap().get(0, 1), 30.0);
        assert!(peak <= 128 << 10, "{peak} bytes for a file of {}", file.len());
    }
}

#[test]
fn many_compressed_arrays_with_long_names_are_not_kept() {
    // Each element is a hundred bytes and inflates to an array whose name has sixty thousand.
    let file = files::long_names(60_000, 400);
    let (result, peak) = memory::peak_of(|| parse_matrix(&file, "kps"));
    assert!(result.is_err());
    assert!(peak <= PACKED_MAT.base, "{peak} bytes for a file of {}", file.len());
    let (result, peak) = memory::peak_of(|| parse_matrix(&files::long_names(60, 4000), "kps"));
    let message = result.unwrap_err().to_string();
    assert!(message.starts_with("there is no variable `kps`") && message.len() < 2000, "{message}");
    assert!(peak <= PACKED_MAT.base, "{peak} bytes");
}

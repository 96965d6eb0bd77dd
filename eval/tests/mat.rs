//! `.mat` files: what is written is read, every type and the compressed form too; damage is an error, never a panic.

use std::io::Write;

use eval::{MatError, MatProblem, Matrix, parse_matrix, read_matrix, write_matrix};
use flate2::{Compression, write::ZlibEncoder};
use proptest::prelude::*;

fn matrix() -> Matrix {
    Matrix::from_columns(2, 3, vec![1.5, -2.25, 3.0, f64::NAN, 1e300, 0.1])
}

fn written(variable: &str, matrix: &Matrix) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("points.mat");
    write_matrix(&path, variable, matrix).unwrap();
    std::fs::read(&path).unwrap()
}

fn compressed(file: &[u8]) -> Vec<u8> {
    with_element(file, 15, &deflate(&file[128..]))
}

fn deflate(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// The header of `file` and one element after it.
fn with_element(file: &[u8], kind: u32, content: &[u8]) -> Vec<u8> {
    [&file[..128], &kind.to_le_bytes(), &(content.len() as u32).to_le_bytes(), content].concat()
}

fn assert_same(read: &Matrix, expected: &Matrix) {
    assert_eq!((read.rows(), read.columns()), (expected.rows(), expected.columns()));
    for column in 0..read.columns() {
        for row in 0..read.rows() {
            assert_eq!(read.get(row, column).to_bits(), expected.get(row, column).to_bits());
        }
    }
}

#[test]
fn round_trip_plain_and_compressed() {
    for name in ["pts_coord", "k", "a_rather_long_variable_name"] {
        let file = written(name, &matrix());
        assert_same(&parse_matrix(&file, name).unwrap(), &matrix());
        assert_same(&parse_matrix(&compressed(&file), name).unwrap(), &matrix());
    }
}

#[test]
fn finds_the_variable_among_others() {
    let other = Matrix::from_columns(1, 1, vec![7.0]);
    let file = [&compressed(&written("other", &other))[..], &written("kps", &matrix())[128..]].concat();
    assert_same(&parse_matrix(&file, "kps").unwrap(), &matrix());
    assert_same(&parse_matrix(&file, "other").unwrap(), &other);
    let problem = parse_matrix(&file, "pts_coord").unwrap_err();
    assert_eq!(problem.to_string(), "there is no variable `pts_coord` in the file (it has: other, kps)");
}

/// An array of one row whose values are stored as `kind`, in the byte order asked for.
fn stored_as(kind: u32, content: &[u8], columns: i32, class: u32, big_endian: bool) -> Vec<u8> {
    let word = |value: u32| if big_endian { value.to_be_bytes() } else { value.to_le_bytes() };
    let element = |kind: u32, content: &[u8]| {
        let mut bytes = [&word(kind)[..], &word(content.len() as u32), content].concat();
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        bytes
    };
    let name =
        [&word(if big_endian { 1 } else { 1 << 16 | 1 })[..], &if big_endian { [0, 0, 0, 1] } else { *b"x\0\0\0" }]
            .concat();
    let name = if big_endian { [name, b"x\0\0\0\0\0\0\0".to_vec()].concat() } else { name };
    let array = [
        element(6, &[word(class), word(0)].concat()),
        element(5, &[word(1), word(columns as u32)].concat()),
        name,
        element(kind, content),
    ]
    .concat();
    let mut file = vec![b' '; 124];
    file.extend_from_slice(if big_endian { &[1, 0, b'M', b'I'] } else { &[0, 1, b'I', b'M'] });
    file.extend(element(14, &array));
    file
}

#[test]
fn every_numeric_type_and_byte_order() {
    let cases: [(u32, Vec<u8>); 5] = [
        (1, vec![5, 0xfe]),
        (2, vec![5, 254]),
        (3, [5i16.to_be_bytes(), (-2i16).to_be_bytes()].concat()),
        (7, [5f32.to_be_bytes(), (-2f32).to_be_bytes()].concat()),
        (9, [5f64.to_be_bytes(), (-2f64).to_be_bytes()].concat()),
    ];
    for (kind, big) in cases {
        let width = big.len() / 2;
        let little: Vec<u8> = big.chunks(width).flat_map(|chunk| chunk.iter().rev().copied()).collect();
        let second = if kind == 2 { 254.0 } else { -2.0 };
        for (content, big_endian) in [(&big, true), (&little, false)] {
            let read = parse_matrix(&stored_as(kind, content, 2, 6, big_endian), "x").unwrap();
            assert_eq!((read.get(0, 0), read.get(0, 1)), (5.0, second), "type {kind}, big endian {big_endian}");
        }
    }
}

#[test]
fn what_is_no_real_matrix_is_refused() {
    let problem = |kind, content: &[u8], columns, class| {
        parse_matrix(&stored_as(kind, content, columns, class, false), "x").unwrap_err()
    };
    assert!(matches!(problem(9, &[0; 8], 1, 1), MatProblem::NotAMatrix { .. }), "a cell array");
    assert!(matches!(problem(9, &[0; 8], 1, 6 | 0x0800), MatProblem::NotAMatrix { .. }), "complex");
    assert!(matches!(problem(9, &[0; 8], 2, 6), MatProblem::Damaged(_)), "a value for two columns");
    assert!(matches!(problem(9, &[0; 8], -1, 6), MatProblem::Damaged(_)), "a negative number of columns");
    assert!(matches!(problem(9, &[0; 7], 1, 6), MatProblem::Damaged(_)), "seven bytes of double");
    assert!(matches!(problem(16, &[0; 8], 1, 6), MatProblem::Damaged(_)), "text");
    assert_eq!(parse_matrix(b"MATLAB 7.3 MAT-file, Platform", "x"), Err(MatProblem::Version73));
    assert_eq!(parse_matrix(&[b'x'; 300], "x"), Err(MatProblem::NotVersion5));
    assert_eq!(parse_matrix(b"", "x"), Err(MatProblem::NotVersion5));
}

#[test]
fn a_zlib_bomb_is_refused_where_it_is_the_wanted_variable() {
    let bomb = compressed(&written("x", &Matrix::from_columns(1, 4 << 20, vec![0.0; 4 << 20])));
    let problem = parse_matrix(&bomb, "x").unwrap_err();
    assert!(problem.to_string().contains("bytes grow to more than"), "{problem}");
    let nothing = with_element(&written("x", &matrix()), 15, &deflate(&vec![0; 1 << 20]));
    assert!(matches!(parse_matrix(&nothing, "x"), Err(MatProblem::Damaged(_))));
}

/// An element, padded.
fn element(kind: u32, content: &[u8]) -> Vec<u8> {
    let mut bytes = [&kind.to_le_bytes()[..], &(content.len() as u32).to_le_bytes(), content].concat();
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    bytes
}

/// An array of a class: its flags, and what stands behind them.
fn array(class: u32, rest: &[Vec<u8>]) -> Vec<u8> {
    element(14, &[element(6, &[class.to_le_bytes(), 0u32.to_le_bytes()].concat()), rest.concat()].concat())
}

fn dimensions(sides: &[i32]) -> Vec<u8> {
    element(5, &sides.iter().flat_map(|side| side.to_le_bytes()).collect::<Vec<_>>())
}

/// What MATLAB may save beside key points, each under the name `other`, and what the reader calls it.
fn others() -> Vec<(&'static str, Vec<u8>)> {
    let name = || element(1, b"other");
    let doubles = |values: &[f64]| element(9, &values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<_>>());
    let words = |values: &[i32]| element(5, &values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<_>>());
    let unnamed = array(6, &[dimensions(&[1, 1]), element(1, b""), doubles(&[7.0])]);
    vec![
        ("text", array(4, &[dimensions(&[1, 3]), name(), element(16, b"car")])),
        (
            "text",
            array(
                4,
                &[
                    dimensions(&[1, 3]),
                    name(),
                    element(17, "cär".encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>().as_slice()),
                ],
            ),
        ),
        // A string of MATLAB's own: no dimensions; the name, the system and the class follow the flags.
        (
            "an object of MATLAB's own, such as a string or a table",
            array(
                17,
                &[
                    name(),
                    element(1, b"MCOS"),
                    element(1, b"string"),
                    array(13, &[dimensions(&[6, 1]), element(1, b""), element(6, &[0; 24])]),
                ],
            ),
        ),
        ("a function", array(16, &[dimensions(&[1, 1]), name(), unnamed.clone()])),
        ("a cell array", array(1, &[dimensions(&[1, 2]), name(), unnamed.clone(), unnamed.clone()])),
        (
            "a struct",
            array(
                2,
                &[dimensions(&[1, 1]), name(), element(5, &4i32.to_le_bytes()), element(1, b"xy\0\0"), unnamed.clone()],
            ),
        ),
        (
            "an object",
            array(
                3,
                &[
                    dimensions(&[1, 1]),
                    name(),
                    element(1, b"class"),
                    element(5, &4i32.to_le_bytes()),
                    element(1, b"xy\0\0"),
                    unnamed,
                ],
            ),
        ),
        ("a sparse array", array(5, &[dimensions(&[2, 2]), name(), words(&[0]), words(&[0, 1, 1]), doubles(&[3.0])])),
        ("complex", array(6 | 0x0800, &[dimensions(&[1, 1]), name(), doubles(&[1.0]), doubles(&[2.0])])),
        ("an array of 3 dimensions", array(9, &[dimensions(&[2, 2, 1]), name(), element(2, &[1, 2, 3, 4])])),
    ]
}

#[test]
fn whatever_stands_beside_the_wanted_variable_is_stepped_over() {
    let wanted = written("pts_coord", &matrix());
    let (header, points) = wanted.split_at(128);
    for (what, other) in others() {
        for other in [other.clone(), element(15, &deflate(&other))] {
            // A compressed element has no padding.
            let length = 8 + u32::from_le_bytes(other[4..8].try_into().unwrap()) as usize;
            let other = if other[0] == 15 { &other[..length] } else { &other[..] };
            for file in [[header, other, points].concat(), [header, points, other].concat()] {
                assert_same(&parse_matrix(&file, "pts_coord").unwrap(), &matrix());
                let problem = parse_matrix(&file, "other").unwrap_err();
                assert_eq!(problem.to_string(), format!("the variable `other` is {what}, not a real matrix"));
                let problem = parse_matrix(&file, "kps").unwrap_err().to_string();
                assert!(problem.contains("pts_coord") && problem.contains("other"), "{problem}");
            }
        }
    }
    // All of them, the array without a name that MATLAB keeps of its objects, and text outside of any array.
    let unnamed = array(9, &[dimensions(&[1, 4]), element(1, b""), element(2, &[0; 4])]);
    let all: Vec<u8> = others().into_iter().flat_map(|(_, other)| other).collect();
    let file = [header, &all, &unnamed, &element(16, b"note"), points].concat();
    assert_same(&parse_matrix(&file, "pts_coord").unwrap(), &matrix());
    let problem = parse_matrix(&file, "kps").unwrap_err().to_string();
    assert!(problem.ends_with("other, pts_coord)") && !problem.contains(", ,"), "{problem}");
}

#[test]
fn integer_arrays_are_read_where_they_are_wanted() {
    for (class, kind, values) in [(8, 1, vec![5, 251]), (9, 2, vec![5, 251]), (10, 3, vec![5, 0, 251, 255])] {
        let file = [vec![b' '; 124], vec![0, 1, b'I', b'M']].concat();
        let file = [file, array(class, &[dimensions(&[1, 2]), element(1, b"kps"), element(kind, &values)])].concat();
        let read = parse_matrix(&file, "kps").unwrap();
        let second = if kind == 2 { 251.0 } else { -5.0 };
        assert_eq!((read.get(0, 0), read.get(0, 1)), (5.0, second), "class {class}");
    }
}

#[test]
fn damage_behind_the_name_of_another_variable_is_not_looked_at() {
    let wanted = written("pts_coord", &matrix());
    let other = Matrix::from_columns(1, 5000, (0..5000).map(|value| f64::from(value).sin()).collect());
    let mut other = compressed(&written("other", &other));
    let middle = 128 + 8 + (other.len() - 136) / 2;
    other[middle..middle + 40].fill(0xAA);
    let file = [&other[..], &wanted[128..]].concat();
    assert_same(&parse_matrix(&file, "pts_coord").unwrap(), &matrix());
    assert!(parse_matrix(&file, "other").is_err());
}

#[test]
fn every_truncation_is_an_error() {
    for file in [written("x", &matrix()), compressed(&written("x", &matrix()))] {
        for end in 0..file.len() {
            assert!(parse_matrix(&file[..end], "x").is_err(), "cut at {end} of {}", file.len());
        }
    }
}

#[test]
fn errors_name_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cut.mat");
    assert!(matches!(read_matrix(&path, "x"), Err(MatError::Io { .. })));
    std::fs::write(&path, &written("x", &matrix())[..150]).unwrap();
    let message = read_matrix(&path, "x").unwrap_err().to_string();
    assert!(message.contains("cut.mat") && message.contains("truncated"), "{message}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4096, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let valid = written_once();
        let _ = parse_matrix(&bytes, "x");
        let _ = parse_matrix(&[&valid[..128], &bytes].concat(), "x");
    }

    #[test]
    fn no_damage_makes_it_panic(damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6), packed in any::<bool>()) {
        let mut file = if packed { compressed(written_once()) } else { written_once().to_vec() };
        for (place, byte) in damage {
            let place = place.index(file.len());
            file[place] = byte;
        }
        let _ = parse_matrix(&file, "x");
    }

    #[test]
    fn no_damage_under_the_compression_makes_it_panic(damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let mut inner = written_once()[128..].to_vec();
        for (place, byte) in damage {
            let place = place.index(inner.len());
            inner[place] = byte;
        }
        let _ = parse_matrix(&with_element(written_once(), 15, &deflate(&inner)), "x");
    }
}

fn written_once() -> &'static [u8] {
    static FILE: std::sync::OnceLock<Vec<u8>> = std::sync::OnceLock::new();
    FILE.get_or_init(|| written("x", &matrix()))
}

//! Files of class names as people have them: saved by any editor, with names that repeat, and with lines that are empty.

use std::path::{Path, PathBuf};

use sc_imagenet::ClassNames;

fn read(content: &[u8]) -> Result<ClassNames, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("names.txt");
    std::fs::write(&path, content).unwrap();
    ClassNames::read(&path).map_err(|error| {
        let message = error.to_string();
        let message = message.strip_prefix(path.to_str().unwrap()).map(str::to_owned);
        message.expect("the path is in front")
    })
}

fn names(content: &[u8]) -> Vec<String> {
    read(content).unwrap().names
}

#[test]
fn any_editor_may_have_saved_them() {
    let utf16 = |mark: [u8; 2], bytes: fn(u16) -> [u8; 2]| {
        let units = "tench\r\nGroßer Hai\r\n".encode_utf16().flat_map(bytes);
        mark.into_iter().chain(units).collect::<Vec<u8>>()
    };
    for content in [
        "tench\nGroßer Hai".as_bytes(),
        "tench\nGroßer Hai\n".as_bytes(),
        "\u{feff}tench \r\n\tGroßer Hai\r\n\r\n \r\n".as_bytes(),
        "tench\rGroßer Hai\r".as_bytes(),
        &utf16([0xff, 0xfe], u16::to_le_bytes),
        &utf16([0xfe, 0xff], u16::to_be_bytes),
    ] {
        assert_eq!(names(content), ["tench", "Großer Hai"], "{content:?}");
    }
}

#[test]
fn classes_of_one_name_stay_apart_by_their_numbers() {
    let found = read(b"crane\ntench\ncrane\nmaillot\nmaillot\n").unwrap();
    assert_eq!(found.names, ["crane_0", "tench", "crane_2", "maillot_3", "maillot_4"]);
    assert_eq!(found.repeated, [("crane".to_owned(), vec![0, 2]), ("maillot".to_owned(), vec![3, 4])]);
    assert_eq!(read(b"crane\nCrane\n").unwrap().repeated, []);

    let message = read(b"crane\ncrane_2\ncrane\n").unwrap_err();
    assert!(message.starts_with(":2: `crane_2` is a name of its own, and also what class 2 is called"), "{message}");
}

#[test]
fn an_empty_line_between_names_is_an_error_that_says_what_it_would_shift() {
    let message = read(b"a\n\nb\n").unwrap_err();
    assert_eq!(
        message,
        ":2: the line is empty, and lines are counted: `b` would be class 2, or 1 if the line is to go; delete it, or write a \
         name on it"
    );
    assert!(read(b"\n\na\n").unwrap_err().starts_with(":1: the line is empty"));
}

#[test]
fn files_that_are_no_list_of_names() {
    for nothing in [&b""[..], b"\n \n", b"\xef\xbb\xbf", b"\xff\xfe"] {
        assert!(read(nothing).unwrap_err().starts_with(": holds no name"), "{nothing:?}");
    }
    assert!(read(b"a\nb\xff\n").unwrap_err().starts_with(":2: is not UTF-8"));
    assert!(read(b"\xff\xfea\0\n\0\0\xd8b\0").unwrap_err().starts_with(":2: is not UTF-8"));
    let missing = ClassNames::read(&PathBuf::from("nowhere.txt")).unwrap_err().to_string();
    assert!(missing.starts_with("nowhere.txt: cannot be read"), "{missing}");
    assert!(ClassNames::read(Path::new(".")).is_err());
}

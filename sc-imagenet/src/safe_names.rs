//! Any name made one that the layout can hold.
//!
//! ```text
//! n02085620-Chihuahua → n02085620~2DChihuahua         cup_1 → cup_1
//! ```
//!
//! A name that the layout can hold stays as it is. In others, each byte of a character that is in the way is written as `~`
//! and two hexadecimal digits. Three kinds of names need more, so that no two names of a class become one:
//!
//! - Files that differ by their extension alone, or by the class in front: the whole file name is the id, and its last dot
//!   is escaped (`a~2Ejpg`, `a~2Epng`). No other id has an escaped dot but at its beginning.
//! - Names that differ by upper and lower case alone, which some file systems take for one: capitals are escaped.
//! - Names too long for a pair's file: cut, with `~FF` and a hash behind. No text has a byte FF.

use std::collections::HashMap;

use crate::names::{LONGEST_FILE_NAME, OF_EVERY_PAIR, cannot_stand_anywhere, id_within};
use crate::split::fnv_1a;

const ESCAPE: char = '~';
const DOT: &str = "~2E";
/// In front of the hash of a name that was cut.
const CUT: &str = "~FF";
/// Beside a class as long as this, a pair's file name has room for two ids of twenty bytes, a hash and a character.
const LONGEST_CLASS: usize = LONGEST_FILE_NAME - OF_EVERY_PAIR - 2 * 20;

/// What the class or id `name` of a layout is called in the source: `~` and two hexadecimal digits are a byte of it. `None`
/// for one that was cut, whose original the index of images alone knows.
pub fn original_name(name: &str) -> Option<String> {
    let bytes = name.as_bytes();
    let (mut original, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while at < bytes.len() {
        let escaped = (bytes[at] == ESCAPE as u8).then(|| hex_pair(&bytes[at + 1..])).flatten();
        original.push(escaped.unwrap_or(bytes[at]));
        at += if escaped.is_some() { 3 } else { 1 };
    }
    String::from_utf8(original).ok()
}

/// Every name that an image may have in a layout, as `[class, id]`, by its class's folder and its file's name: which of them
/// it has depends on what else is in the folder.
pub fn possible_names(class: &str, file: &str) -> Vec<[String; 2]> {
    let stem = 0..file.rfind('.').unwrap_or(file.len());
    let id = &file[id_within(class, file, stem)];
    let mut names = Vec::new();
    for class in [false, true].map(|capitals| safe_class(class, capitals)) {
        let limit = longest_id(&class);
        for capitals in [false, true] {
            for id in [escape(id, capitals), escape_file(file, capitals)] {
                names.push([class.clone(), cut(id, limit)]);
            }
        }
    }
    names.sort();
    names.dedup();
    names
}

/// Whether a name of a layout is another than in the source.
pub(crate) fn is_renamed(name: &str) -> bool {
    original_name(name).is_none_or(|original| original != name)
}

/// The names of classes in the layout, one for each.
pub(crate) fn safe_classes(classes: &[String]) -> Vec<String> {
    let plain: Vec<String> = classes.iter().map(|class| escape(class, false)).collect();
    let capitals = differ_by_case_alone(&plain);
    classes.iter().zip(capitals).map(|(class, capitals)| safe_class(class, capitals)).collect()
}

/// The ids in the layout of all images of `class`, which is a name of the layout; `images` are their files' names and their
/// ids in the source.
pub(crate) fn safe_ids(class: &str, images: &[(&str, &str)]) -> Vec<String> {
    let mut times: HashMap<&str, usize> = HashMap::with_capacity(images.len());
    for (_, id) in images {
        *times.entry(id).or_default() += 1;
    }
    let escaped = |(file, id): &(&str, &str), capitals| match times[id] {
        1 => escape(id, capitals),
        _ => escape_file(file, capitals),
    };
    let plain: Vec<String> = images.iter().map(|image| escaped(image, false)).collect();
    let capitals = differ_by_case_alone(&plain);
    let limit = longest_id(class);
    let spelled = |((plain, image), capitals)| if capitals { escaped(image, true) } else { plain };
    plain.into_iter().zip(images).zip(capitals).map(|named| cut(spelled(named), limit)).collect()
}

fn safe_class(class: &str, capitals: bool) -> String {
    cut(escape(class, capitals), LONGEST_CLASS)
}

fn longest_id(class: &str) -> usize {
    (LONGEST_FILE_NAME - OF_EVERY_PAIR - class.len()) / 2
}

fn escape(name: &str, capitals: bool) -> String {
    let end = name.trim_end().len();
    let start = name.len() - name.trim_start().len();
    let mut safe = String::with_capacity(name.len());
    for (at, character) in name.char_indices() {
        let in_the_way = cannot_stand_anywhere(character)
            || at < start
            || at >= end
            || (at == 0 && character == '.')
            || (character == ESCAPE && hex_pair(&name.as_bytes()[at + 1..]).is_some())
            || (capitals && is_capital(character));
        if in_the_way {
            let mut bytes = [0; 4];
            let escaped = character.encode_utf8(&mut bytes).bytes().map(|byte| format!("{ESCAPE}{byte:02X}"));
            safe.extend(escaped);
        } else {
            safe.push(character);
        }
    }
    safe
}

/// A whole file name as an id.
fn escape_file(file: &str, capitals: bool) -> String {
    let (stem, extension) = file.rsplit_once('.').unwrap_or((file, ""));
    format!("{}{DOT}{}", escape(stem, capitals), escape(extension, capitals))
}

/// Which of the names are the same as another one where case does not count.
fn differ_by_case_alone(names: &[String]) -> Vec<bool> {
    let mut times: HashMap<String, usize> = HashMap::with_capacity(names.len());
    for name in names {
        *times.entry(name.to_lowercase()).or_default() += 1;
    }
    names.iter().map(|name| times[&name.to_lowercase()] > 1).collect()
}

fn is_capital(character: char) -> bool {
    !character.to_lowercase().eq([character])
}

/// The name, or its beginning and a hash of the whole where it has more than `limit` bytes.
fn cut(name: String, limit: usize) -> String {
    if name.len() <= limit {
        return name;
    }
    let hash = format!("{CUT}{:016X}", fnv_1a(name.as_bytes()));
    let mut end = limit - hash.len();
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{hash}", &name[..end])
}

/// The byte that two hexadecimal digits stand for.
fn hex_pair(digits: &[u8]) -> Option<u8> {
    let digit = |at: usize| digits.get(at).and_then(|&digit| (digit as char).to_digit(16));
    Some((digit(0)? * 16 + digit(1)?) as u8)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::names::{check_class_name, check_image_id, check_lengths};

    fn owned(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn names_that_the_layout_can_hold_stay_as_they_are() {
        let names = ["n01440764", "image_0001", "Großes Bild", "a.b", "(1)", "50%_off", "a~b", "foo%20bar", "~"];
        assert_eq!(safe_classes(&owned(&names)), names);
    }

    #[test]
    fn what_is_in_the_way_is_escaped() {
        for (name, safe) in [
            ("n02085620-Chihuahua", "n02085620~2DChihuahua"),
            ("12:30", "12~3A30"),
            ("a/b\\c", "a~2Fb~5Cc"),
            (".hidden", "~2Ehidden"),
            (" a b ", "~20a b~20"),
            ("\u{a0}x", "~C2~A0x"),
            ("what?*[1]<2>|\"", "what~3F~2A~5B1~5D~3C2~3E~7C~22"),
            ("a~2Db", "a~7E2Db"),
            ("a~2db", "a~7E2db"),
            ("~2-", "~2~2D"),
            ("tab\t", "tab~09"),
        ] {
            assert_eq!(safe_classes(&owned(&[name])), [safe]);
            assert_eq!(original_name(safe).as_deref(), Some(name));
            assert!(is_renamed(safe) && !is_renamed("a~b"));
        }
    }

    #[test]
    fn names_that_case_or_extension_alone_tell_apart_stay_apart() {
        assert_eq!(safe_classes(&owned(&["Cup", "cup", "Lamp"])), ["~43up", "cup", "Lamp"]);
        let images = [("a.jpg", "a"), ("a.png", "a"), ("cup_a.jpg", "a"), ("B.jpg", "B"), ("b.jpg", "b")];
        assert_eq!(safe_ids("cup", &images), ["a~2Ejpg", "a~2Epng", "cup_a~2Ejpg", "~42", "b"]);
        assert_eq!(original_name("cup_a~2Ejpg").as_deref(), Some("cup_a.jpg"));
        let images = [("a.JPG", "a"), ("a.jpg", "a"), ("a.jpg.png", "a.jpg")];
        assert_eq!(safe_ids("cup", &images), ["a~2E~4A~50~47", "a~2Ejpg", "a.jpg"]);
    }

    #[test]
    fn long_names_are_cut_and_stay_apart() {
        let long = "é".repeat(110);
        let (one, other) = (format!("{long}1"), format!("{long}2"));
        let images = [(&*one, &*one), (&*other, &*other)];
        let ids = safe_ids("cup", &images);
        assert_ne!(ids[0], ids[1]);
        for id in &ids {
            assert!(id.starts_with("éé") && is_renamed(id) && original_name(id).is_none(), "{id}");
            assert_eq!(check_lengths("cup", id), Ok(()));
        }
        let class = &safe_classes(&[long.repeat(2)])[0];
        assert_eq!(check_lengths(class, &safe_ids(class, &images)[0]), Ok(()));
    }

    #[test]
    fn every_name_that_an_image_may_have_is_known() {
        let names = possible_names("a-Cup", "a-Cup_x-1.png");
        for expected in [["a~2DCup", "x~2D1"], ["a~2D~43up", "x~2D1"], ["a~2DCup", "a~2DCup_x~2D1~2Epng"]] {
            assert!(names.contains(&expected.map(str::to_owned)), "{names:?}");
        }
        assert_eq!(possible_names("cup", "1.png").len(), 2, "the id, and the whole name");
    }

    proptest! {
        #[test]
        fn any_names_become_safe_ones_that_no_case_makes_equal(
            class in "[-:~A-Ca-c.é /]{1,6}",
            files in prop::collection::btree_set("([-:~A-Ca-c2.é /]{0,4}[a-cA-C2~-])\\.(jpg|png|JPG)", 1..12),
        ) {
            let class = &safe_classes(&[class])[0];
            let files: Vec<&str> = files.iter().map(String::as_str).collect();
            let images: Vec<(&str, &str)> =
                files.iter().map(|&file| (file, &file[id_within(class, file, 0..file.rfind('.').unwrap())])).collect();
            let ids = safe_ids(class, &images);
            prop_assert_eq!(check_class_name(class), Ok(()));
            for id in &ids {
                prop_assert_eq!(check_image_id(id), Ok(()));
                prop_assert_eq!(check_lengths(class, id), Ok(()));
            }
            let folded: std::collections::BTreeSet<String> = ids.iter().map(|id| id.to_lowercase()).collect();
            prop_assert_eq!(folded.len(), ids.len(), "{:?}", ids);
            for ((file, id), safe) in images.iter().zip(&ids) {
                let original = original_name(safe).unwrap();
                prop_assert!(original == *id || original == *file, "{} of {}", safe, file);
                if check_image_id(id).is_ok() && images.len() == 1 && !id.contains('~') {
                    prop_assert_eq!(safe, id);
                }
            }
        }
    }
}

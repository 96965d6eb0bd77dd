//! Names that the layout can hold: of classes, of images, of pairs.
//!
//! A pair is called `<number>-<source image id>-<target image id>:<category>`, and that is also the name of its
//! annotation file. The published loaders take the name apart at `-` and `:`, and look the file up by a pattern. A name
//! that would come apart elsewhere, or mean something to a pattern or a file system, is therefore refused here. Sources give
//! their classes and images names that can stand in the layout ([`safe_names`](crate::safe_names)).

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

/// The longest file name that common file systems take, in bytes.
pub(crate) const LONGEST_FILE_NAME: usize = 255;
/// Bytes of a pair's file name besides the class and the two ids: the largest number, three separators, `.json`.
pub(crate) const OF_EVERY_PAIR: usize = 20 + 3 + 5;

/// What a name is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameKind {
    /// A class: the category of a pair.
    Class,
    /// An image within its class.
    Image,
}

/// Why a name cannot stand in the layout, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind} `{}` {problem}; rename {}", shortened(.name), .kind.what_to_rename())]
pub struct NameError {
    /// What the name is for.
    pub kind: NameKind,
    /// The name.
    pub name: String,
    /// What is wrong with it.
    pub problem: NameProblem,
}

/// What is wrong with a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameProblem {
    /// No character at all.
    #[error("is empty")]
    Empty,
    /// `-` or `:`.
    #[error("has `{0}` in it, at which loaders of the layout take the name of a pair apart")]
    Separator(char),
    /// Part of a path, of a pattern, or unprintable.
    #[error("has `{}` in it, which cannot stand in a file name that loaders look up by a pattern", .0.escape_default())]
    Forbidden(char),
    /// A hidden file, `.` or `..`.
    #[error("begins with a dot")]
    LeadingDot,
    /// White space before or after.
    #[error("has white space at its beginning or end")]
    OuterSpace,
    /// Too long for the name of a pair's file.
    #[error("is too long: a pair's file name holds the class and two image ids, and has at most 255 bytes")]
    TooLong,
}

impl fmt::Display for NameKind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Class => "the class",
            Self::Image => "the image id",
        })
    }
}

impl NameKind {
    fn what_to_rename(self) -> &'static str {
        match self {
            Self::Class => "its folder",
            Self::Image => "the file",
        }
    }
}

/// Whether `name` can be a class of the layout.
///
/// # Errors
///
/// [`NameError`], which says what is in the way.
pub(crate) fn check_class_name(name: &str) -> Result<(), NameError> {
    check(NameKind::Class, name)
}

/// Whether `name` can be the id of an image of the layout.
///
/// # Errors
///
/// [`NameError`], which says what is in the way.
pub(crate) fn check_image_id(name: &str) -> Result<(), NameError> {
    check(NameKind::Image, name)
}

/// Whether a pair of images of this class, with ids as long as `id`, has a name that fits a file system.
pub(crate) fn check_lengths(class: &str, id: &str) -> Result<(), NameError> {
    if class.len() + 2 * id.len() + OF_EVERY_PAIR > LONGEST_FILE_NAME {
        let (kind, name) = if class.len() > 2 * id.len() { (NameKind::Class, class) } else { (NameKind::Image, id) };
        return Err(NameError { kind, name: name.to_owned(), problem: NameProblem::TooLong });
    }
    Ok(())
}

fn check(kind: NameKind, name: &str) -> Result<(), NameError> {
    let problem = if name.is_empty() {
        NameProblem::Empty
    } else if let Some(found) = name.chars().find(|c| matches!(c, '-' | ':')) {
        NameProblem::Separator(found)
    } else if let Some(found) = name.chars().find(|&c| is_forbidden(c)) {
        NameProblem::Forbidden(found)
    } else if name.starts_with('.') {
        NameProblem::LeadingDot
    } else if name.trim() != name {
        NameProblem::OuterSpace
    } else if name.len() > LONGEST_FILE_NAME {
        NameProblem::TooLong
    } else {
        return Ok(());
    };
    Err(NameError { kind, name: name.to_owned(), problem })
}

/// Whether a name with this character in it cannot stand in the layout, wherever the character is.
pub(crate) fn cannot_stand_anywhere(character: char) -> bool {
    matches!(character, '-' | ':') || is_forbidden(character)
}

/// Whether there is a name at all.
pub(crate) fn check_not_empty(kind: NameKind, name: &str) -> Result<(), NameError> {
    match name {
        "" => Err(NameError { kind, name: String::new(), problem: NameProblem::Empty }),
        _ => Ok(()),
    }
}

fn is_forbidden(character: char) -> bool {
    character.is_control() || matches!(character, '/' | '\\' | '*' | '?' | '[' | ']' | '<' | '>' | '|' | '"')
}

/// The part of an image's file name that is its id: what stands before the extension, without the class in front.
///
/// ```text
/// n01440764/n01440764_10026.JPEG → 10026          cup/image_0001.jpg → image_0001
/// ```
///
/// `stem` is the range of `file` before the extension.
pub(crate) fn id_within(class: &str, file: &str, stem: Range<usize>) -> Range<usize> {
    let text = file.get(stem.clone()).unwrap_or_default();
    match text.strip_prefix(class).and_then(|rest| rest.strip_prefix('_')) {
        Some(id) if !id.is_empty() => stem.end - id.len()..stem.end,
        _ => stem,
    }
}

/// The name of an image's file in its class's folder: `<category>_<image id>.JPEG`, whatever the format of its content.
pub(crate) fn image_file_name(category: &str, id: &str) -> String {
    format!("{category}_{id}.JPEG")
}

/// The name of a pair, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PairName {
    /// The whole name, as a line of the layout's lists and (with `.json`) as the annotation's file name.
    pub text: String,
    /// The number in front.
    pub number: u64,
    /// The id of the source image.
    pub source: String,
    /// The id of the target image.
    pub target: String,
    /// The class.
    pub category: String,
}

/// A text that is no pair's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PairNameError {
    /// It does not have the parts.
    #[error("`{}` is not of the form <number>-<source image id>-<target image id>:<category>", shortened(.0))]
    Form(String),
    /// A part cannot stand in it.
    #[error(transparent)]
    Part(#[from] NameError),
}

impl PairName {
    /// The name of pair `number` as the writer has it: at least six digits.
    pub fn new(number: u64, source: &str, target: &str, category: &str) -> Self {
        let text = format!("{number:06}-{source}-{target}:{category}");
        Self { text, number, source: source.to_owned(), target: target.to_owned(), category: category.to_owned() }
    }
}

impl FromStr for PairName {
    type Err = PairNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let form = || PairNameError::Form(text.to_owned());
        let (images, category) = text.split_once(':').ok_or_else(form)?;
        let mut parts = images.split('-');
        let (Some(number), Some(source), Some(target), None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(form());
        };
        // `parse` alone would take a sign
        let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        let value = number.parse().ok().filter(|_| digits).ok_or_else(form)?;
        check_image_id(source)?;
        check_image_id(target)?;
        check_class_name(category)?;
        let owned = str::to_owned;
        Ok(Self {
            text: owned(text),
            number: value,
            source: owned(source),
            target: owned(target),
            category: owned(category),
        })
    }
}

impl fmt::Display for PairName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.text)
    }
}

/// At most sixty characters, unprintable ones escaped: for messages.
pub(crate) fn shortened(text: &str) -> String {
    let mut short: String = text.chars().take(60).flat_map(char::escape_debug).collect();
    if text.chars().nth(60).is_some() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_separator_is_refused_with_the_reason_and_the_way_out() {
        let error = check_image_id("2008-07").unwrap_err();
        assert_eq!(
            error.to_string(),
            "the image id `2008-07` has `-` in it, at which loaders of the layout take the name of a pair apart; \
             rename the file"
        );
        let error = check_class_name("a:b").unwrap_err();
        assert!(error.to_string().starts_with("the class `a:b` has `:` in it"), "{error}");
        assert!(error.to_string().ends_with("rename its folder"), "{error}");
    }

    #[test]
    fn names_that_mean_something_elsewhere_are_refused() {
        for name in ["", ".", "..", ".hidden", "a/b", "a\\b", "a\nb", "a*", "[1]", "what?", " a", "a\u{a0}"] {
            assert!(check_image_id(name).is_err(), "{name:?}");
        }
        for name in ["n01440764", "image_0001", "Großes Bild", "a.b", "(1)"] {
            assert_eq!(check_image_id(name), Ok(()), "{name:?}");
        }
        let long = "x".repeat(114);
        assert_eq!(
            check_lengths("c", &long),
            Err(NameError { kind: NameKind::Image, name: long.clone(), problem: NameProblem::TooLong })
        );
        assert_eq!(check_lengths("c", &long[..113]), Ok(()));
    }

    #[test]
    fn the_class_in_front_of_an_id_is_dropped() {
        let id = |class, file: &'static str| &file[id_within(class, file, 0..file.rfind('.').unwrap())];
        assert_eq!(id("n01440764", "n01440764_10026.JPEG"), "10026");
        assert_eq!(id("cup", "image_0001.jpg"), "image_0001");
        assert_eq!(id("cup", "cup_.jpg"), "cup_", "an id is never empty");
        assert_eq!(id("cup", "cups_1.jpg"), "cups_1");
    }

    #[test]
    fn a_pair_name_is_taken_apart() {
        let name: PairName = "12-10026-10029:n01440764".parse().unwrap();
        assert_eq!((name.number, name.source.as_str(), name.target.as_str()), (12, "10026", "10029"));
        assert_eq!((name.category.as_str(), name.to_string().as_str()), ("n01440764", "12-10026-10029:n01440764"));
        assert_eq!(PairName::new(12, "a", "b", "c").text, "000012-a-b:c");
        for wrong in
            ["", "1-a:c", "1-a-b", "1-a-b-c:d", "1-a-b:c:d", "x-a-b:c", "+1-a-b:c", "-a-b:c", "1--b:c", "1-a-b:"]
        {
            assert!(wrong.parse::<PairName>().is_err(), "{wrong}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_can_be_asked(text in "[-:a-c0-9./ ]{0,12}") {
            if let Ok(name) = text.parse::<PairName>() {
                proptest::prop_assert_eq!(name.text, text);
            }
        }
    }
}

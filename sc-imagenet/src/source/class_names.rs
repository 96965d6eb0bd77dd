//! Names for classes that are numbers: a file with one on each line.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// Names of classes by their number, which is that of their line, from 0.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClassNames {
    /// One a line; of those that stood there more than once, with their number behind.
    pub names: Vec<String>,
    /// The names that stand on several lines, with the numbers of their classes: to be told to the user.
    pub repeated: Vec<(String, Vec<usize>)>,
}

/// Why a file of names cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ClassNamesError {
    /// The file system would not give it.
    #[error("{}: cannot be read ({source}); check that it is there and that you may read it", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the file system says.
        source: io::Error,
    },
    /// It is no text.
    #[error("{}:{line}: is not UTF-8; save the file as UTF-8 text", .path.display())]
    NotText {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// There is no name in it.
    #[error("{}: holds no name; write the name of class 0 on the first line, that of class 1 on the second", .path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// A line without a name, which may or may not be that of a class.
    #[error(
        "{}:{line}: the line is empty, and lines are counted: `{next}` would be class {number}, or {} if the line is to go; \
         delete it, or write a name on it",
        .path.display(), .number - 1
    )]
    BlankLine {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The next name.
        next: String,
        /// The number of that name's class if empty lines count.
        number: usize,
    },
    /// A name that stands there twice, and with its number behind once more.
    #[error(
        "{}:{line}: `{name}` is a name of its own, and also what class {number} is called, since its name stands on several lines; \
         give them names that differ",
        .path.display()
    )]
    Ambiguous {
        /// The file.
        path: PathBuf,
        /// The line with that name, from 1.
        line: usize,
        /// The name.
        name: String,
        /// The number of the class that would be called so.
        number: usize,
    },
}

impl ClassNames {
    /// Reads a file of names: UTF-8, or UTF-16 with a byte order mark; line ends of any system. White space round a name and
    /// empty lines at the end do not count.
    ///
    /// Classes whose names are the same, as the two cranes of ImageNet, stay apart: each gets its number behind its name,
    /// `crane_134` and `crane_517`.
    ///
    /// # Errors
    ///
    /// [`ClassNamesError`], with the line.
    pub fn read(path: &Path) -> Result<Self, ClassNamesError> {
        let bytes =
            std::fs::read(path).map_err(|source| ClassNamesError::Unreadable { path: path.to_owned(), source })?;
        let text = text(&bytes).map_err(|line| ClassNamesError::NotText { path: path.to_owned(), line })?;
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        let lines: Vec<&str> = text.trim_end().split('\n').map(str::trim).collect();
        if lines.iter().all(|line| line.is_empty()) {
            return Err(ClassNamesError::Empty { path: path.to_owned() });
        }
        if let Some(blank) = lines.iter().position(|line| line.is_empty()) {
            let (number, next) =
                (blank..).zip(&lines[blank..]).find(|(_, name)| !name.is_empty()).unwrap_or((blank, &lines[blank]));
            let (path, next) = (path.to_owned(), (*next).to_owned());
            return Err(ClassNamesError::BlankLine { path, line: blank + 1, next, number });
        }
        keep_apart(path, &lines)
    }
}

/// Names with their numbers behind where they stand on several lines.
fn keep_apart(path: &Path, lines: &[&str]) -> Result<ClassNames, ClassNamesError> {
    let mut numbers: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (number, name) in lines.iter().enumerate() {
        numbers.entry(name).or_default().push(number);
    }
    let mut names: Vec<String> = lines.iter().map(|name| (*name).to_owned()).collect();
    let mut repeated = Vec::new();
    for (name, of_name) in numbers.iter().filter(|(_, of_name)| of_name.len() > 1) {
        for &number in of_name {
            let name = format!("{name}_{number}");
            if let Some(line) = numbers.get(name.as_str()).and_then(|lines| lines.first()) {
                return Err(ClassNamesError::Ambiguous { path: path.to_owned(), line: line + 1, name, number });
            }
            names[number] = name;
        }
        repeated.push(((*name).to_owned(), of_name.clone()));
    }
    Ok(ClassNames { names, repeated })
}

/// How a unit of UTF-16 is read.
type ReadUnit = fn([u8; 2]) -> u16;

/// The text of a file without its byte order mark; or the line, from 1, on which it is none.
fn text(bytes: &[u8]) -> Result<String, usize> {
    let (read, bytes): (ReadUnit, &[u8]) = match bytes {
        [0xff, 0xfe, rest @ ..] => (u16::from_le_bytes, rest),
        [0xfe, 0xff, rest @ ..] => (u16::from_be_bytes, rest),
        _ => {
            let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
            return match std::str::from_utf8(bytes) {
                Ok(text) => Ok(text.to_owned()),
                Err(error) => Err(1 + bytes[..error.valid_up_to()].iter().filter(|&&byte| byte == b'\n').count()),
            };
        }
    };
    let units: Vec<u16> = bytes.chunks_exact(2).map(|pair| read([pair[0], pair[1]])).collect();
    let mut text = String::new();
    for unit in char::decode_utf16(units) {
        text.push(unit.map_err(|_| 1 + text.matches('\n').count())?);
    }
    Ok(text)
}

//! What a file is by its name: the one list of extensions, and names that systems give to files of their own.

use std::ffi::OsStr;
use std::path::Path;

/// Extensions taken for images, in lower case. They only choose which files are looked at: content decides the format.
pub const IMAGE_EXTENSIONS: [&str; 12] =
    ["jpg", "jpeg", "jpe", "jfif", "pjpeg", "pjp", "png", "webp", "bmp", "gif", "tif", "tiff"];

/// Extensions of images that no decoder here reads.
const UNREAD_EXTENSIONS: [&str; 34] = [
    "heic", "heif", "hif", "avif", "jxl", "jp2", "j2k", "jpf", "jpx", "svg", "psd", "ico", "tga", "ppm", "pgm", "pbm",
    "pnm", "exr", "hdr", "dds", "qoi", "mpo", "jxr", "nef", "nrw", "cr2", "cr3", "arw", "dng", "raf", "orf", "rw2",
    "pef", "srw",
];

/// Files of files, which are not looked into.
const ARCHIVE_EXTENSIONS: [&str; 9] = ["tar", "gz", "tgz", "bz2", "xz", "zst", "zip", "7z", "rar"];

/// What systems, file servers and archivers put beside one's files, in lower case.
const SYSTEM_NAMES: [&str; 8] = [
    "thumbs.db",
    "ehthumbs.db",
    "desktop.ini",
    "@eadir",
    "__macosx",
    "$recycle.bin",
    "system volume information",
    "lost+found",
];

/// What the name of a file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum FileKind {
    /// To be looked at.
    Image,
    /// An image of a format that is not read, with its extension in lower case.
    UnreadImage(String),
    /// An archive, with its extension in lower case.
    Archive(String),
    /// Something else, with its extension in lower case.
    Other(String),
    /// No extension, or a text behind a dot that is none, as in `photo.jpg?w=200`.
    Unknown,
}

impl FileKind {
    /// What `name`, with or without folders in front, says.
    pub(crate) fn of(name: &OsStr) -> Self {
        let extension = Path::new(name).extension().and_then(OsStr::to_str).unwrap_or_default().to_ascii_lowercase();
        if IMAGE_EXTENSIONS.contains(&extension.as_str()) {
            Self::Image
        } else if UNREAD_EXTENSIONS.contains(&extension.as_str()) {
            Self::UnreadImage(extension)
        } else if ARCHIVE_EXTENSIONS.contains(&extension.as_str()) {
            Self::Archive(extension)
        } else if is_plain(&extension) {
            Self::Other(extension)
        } else {
            Self::Unknown
        }
    }
}

/// Short, with a letter in it: neither the date in `walk.2023` nor the key in `0.0003`.
fn is_plain(extension: &str) -> bool {
    extension.len() <= 8
        && extension.bytes().all(|byte| byte.is_ascii_alphanumeric())
        && extension.bytes().any(|byte| byte.is_ascii_alphabetic())
}

/// Whether a file of this name is looked at as an image.
pub fn has_image_extension(name: &OsStr) -> bool {
    FileKind::of(name) == FileKind::Image
}

/// Whether a file or folder of this name is hidden, or one of a system's own.
pub(crate) fn is_of_the_system(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b".")
        || name.to_str().is_some_and(|name| SYSTEM_NAMES.contains(&name.to_ascii_lowercase().as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_files_are() {
        let kind = |name: &str| FileKind::of(name.as_ref());
        for name in ["a.JPG", "a.jfif", "b/a.Tiff", "a.b.gif"] {
            assert_eq!(kind(name), FileKind::Image, "{name}");
        }
        assert_eq!(kind("IMG_1.HEIC"), FileKind::UnreadImage("heic".to_owned()));
        assert_eq!(kind("a.tar.gz"), FileKind::Archive("gz".to_owned()));
        assert_eq!(kind("a.mat"), FileKind::Other("mat".to_owned()));
        for name in ["README", "a.jpg?w=200", "walk.2023", "0.0003", "a.", "a.jpg_original"] {
            assert_eq!(kind(name), FileKind::Unknown, "{name}");
        }
    }

    #[test]
    fn files_of_systems_are_known() {
        for name in [".DS_Store", "Thumbs.db", "@eaDir", "__MACOSX", "._a.jpg"] {
            assert!(is_of_the_system(name.as_ref()), "{name}");
        }
        assert!(!is_of_the_system("thumbs".as_ref()));
    }
}

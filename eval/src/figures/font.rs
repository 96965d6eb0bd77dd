//! A font of the system, for figures made of pixels.

use std::fs;
use std::path::{Path, PathBuf};

use ab_glyph::{Font, FontVec};
use thiserror::Error;

/// Fonts to take before any other, the first that is there.
const PREFERRED: [&str; 8] = [
    "DejaVuSans.ttf",
    "LiberationSans-Regular.ttf",
    "NotoSans-Regular.ttf",
    "Arial.ttf",
    "arial.ttf",
    "Helvetica.ttf",
    "FreeSans.ttf",
    "Roboto-Regular.ttf",
];
/// What a font has to draw.
const LETTERS: &str = "0123456789.%()PCKLαabcxyz";
/// Folders below folders that are looked into.
const DEPTH: usize = 4;
/// Files that are opened in search of one that can draw [`LETTERS`].
const TRIED: usize = 64;

/// Why there is no font.
#[derive(Debug, Error)]
pub enum FigureFontError {
    /// The file is no font that can be used.
    #[error("{}: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The system has none.
    #[error(
        "figures as PNG need a font, and none that has the letters was found in {searched}; install one (as the package \
         fonts-dejavu-core), or take the figures as SVG, which need none"
    )]
    NoneFound {
        /// The folders looked into.
        searched: String,
    },
}

/// The outlines of letters.
#[derive(Debug)]
pub struct FigureFont {
    pub(super) outlines: FontVec,
}

impl FigureFont {
    /// A sans-serif font of the system, looked for in the folders where systems keep fonts.
    ///
    /// # Errors
    ///
    /// [`FigureFontError::NoneFound`].
    pub fn of_system() -> Result<Self, FigureFontError> {
        Self::in_folders(&system_folders())
    }

    /// The same in other folders and those below them.
    ///
    /// # Errors
    ///
    /// [`FigureFontError::NoneFound`].
    pub fn in_folders(folders: &[PathBuf]) -> Result<Self, FigureFontError> {
        let mut files = Vec::new();
        for folder in folders {
            collect(folder, DEPTH, &mut files);
        }
        let rank = |path: &PathBuf| {
            let name = path.file_name().and_then(|name| name.to_str());
            PREFERRED.iter().position(|preferred| Some(*preferred) == name).unwrap_or(PREFERRED.len())
        };
        files.sort_by_cached_key(|path| (rank(path), path.clone()));
        files.iter().take(TRIED).find_map(|path| Self::open(path).ok()).ok_or_else(|| {
            let names: Vec<_> = folders.iter().map(|folder| folder.display().to_string()).collect();
            FigureFontError::NoneFound { searched: names.join(", ") }
        })
    }

    /// The font of a TrueType or OpenType file.
    ///
    /// # Errors
    ///
    /// [`FigureFontError::File`]: unreadable, no font, or without a letter that figures need.
    pub fn open(path: &Path) -> Result<Self, FigureFontError> {
        let refuse = |reason: String| FigureFontError::File { path: path.to_owned(), reason };
        let bytes = fs::read(path).map_err(|error| refuse(error.to_string()))?;
        let outlines = FontVec::try_from_vec(bytes).map_err(|error| refuse(error.to_string()))?;
        match LETTERS.chars().find(|letter| outlines.glyph_id(*letter).0 == 0) {
            Some(letter) => Err(refuse(format!("the font does not have the letter {letter}"))),
            None => Ok(Self { outlines }),
        }
    }
}

fn system_folders() -> Vec<PathBuf> {
    let fixed = ["/usr/share/fonts", "/usr/local/share/fonts", "/System/Library/Fonts", "/Library/Fonts"];
    let mut folders: Vec<PathBuf> = fixed.iter().map(PathBuf::from).collect();
    if let Some(windows) = std::env::var_os("WINDIR") {
        folders.push(PathBuf::from(windows).join("Fonts"));
    }
    if let Some(home) = std::env::home_dir() {
        folders.extend([".local/share/fonts", ".fonts", "Library/Fonts"].map(|folder| home.join(folder)));
    }
    folders
}

fn collect(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        let font = path.extension().is_some_and(|ending| ["ttf", "otf"].iter().any(|font| ending == *font));
        if font {
            files.push(path);
        } else if depth > 0 && path.is_dir() {
            collect(&path, depth - 1, files);
        }
    }
}

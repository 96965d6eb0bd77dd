//! What was met and not looked at: counted by reason, so that nothing is lost without a word.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::file_kind::FileKind;

/// So many files of a reason are named; the others are counted.
const MOST_NAMED: usize = 1000;

/// Why something was passed over; in the order in which a summary says it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PassedReason {
    /// An image of a format that is not read here, by its extension in lower case.
    UnreadImage(String),
    /// An image by its content, without an extension that says so.
    ImageWithoutExtension,
    /// An image that lies in no class's folder.
    WithoutClass,
    /// An image in a WebDataset shard whose key has a dot in it: to WebDataset, which ends keys at the first dot, it is
    /// another field of another sample.
    DottedKey,
    /// Bytes behind a tar's end that are no tar.
    BehindTheEnd,
    /// A folder that a link leads to which was read already, or which holds the one that is read.
    LinkedFolder,
    /// A link or device in a tar, which has no bytes there.
    LinkInTar,
    /// An archive, by its extension in lower case.
    Archive(String),
    /// A file of another kind, by its extension in lower case; empty where it has none.
    Other(String),
    /// A hidden file or folder, or one that systems make.
    Hidden,
}

/// What was passed over for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PassedGroup {
    /// Why.
    pub reason: PassedReason,
    /// How many.
    pub count: usize,
    /// Where the first thousand of them are.
    pub named: Vec<String>,
}

/// Everything that was passed over. Its `Display` is one line, empty where there is nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PassedOver {
    /// Sorted by reason.
    groups: Vec<PassedGroup>,
}

impl PassedReason {
    /// The reason for a file whose name is of this kind; an image has none.
    pub(crate) fn of(kind: FileKind) -> Option<Self> {
        match kind {
            FileKind::Image => None,
            FileKind::UnreadImage(extension) => Some(Self::UnreadImage(extension)),
            FileKind::Archive(extension) => Some(Self::Archive(extension)),
            FileKind::Other(extension) => Some(Self::Other(extension)),
            FileKind::Unknown => Some(Self::Other(String::new())),
        }
    }

    /// Whether an image may be lost by it that its owner wants.
    pub fn is_alarming(&self) -> bool {
        !matches!(self, Self::LinkedFolder | Self::Archive(_) | Self::Other(_) | Self::Hidden)
    }

    /// So many of them, as a part of a sentence.
    pub fn counted(&self, count: usize) -> String {
        let s = if count == 1 { "" } else { "s" };
        match self {
            Self::UnreadImage(extension) | Self::Archive(extension) => format!("{count} .{extension}"),
            Self::ImageWithoutExtension => format!("{count} image{s} without extension"),
            Self::WithoutClass => format!("{count} image{s} in no class's folder"),
            Self::DottedKey => format!("{count} image{s} with a dot in the key"),
            Self::BehindTheEnd => format!("{count} run{s} of bytes behind a tar's end"),
            Self::LinkedFolder => format!("{count} linked folder{s}"),
            Self::LinkInTar => format!("{count} link{s} in a tar"),
            Self::Other(extension) if extension.is_empty() => format!("{count} without extension"),
            Self::Other(extension) => format!("{count} .{extension}"),
            Self::Hidden => format!("{count} hidden or of the system"),
        }
    }

    /// What to do, for reasons that have something to do.
    fn advice(&self) -> Option<&'static str> {
        Some(match self {
            Self::UnreadImage(_) => "not read here: convert to JPEG",
            Self::ImageWithoutExtension => "put .jpg behind the name",
            Self::WithoutClass => "each image belongs into the folder of its class",
            Self::DottedKey => "WebDataset ends a key at the first dot; --keys last-dot ends it at the last",
            Self::BehindTheEnd => "unpack what was joined to it",
            Self::LinkedFolder => "each folder is read once a class",
            Self::LinkInTar => "pack the files themselves: tar --dereference --hard-dereference",
            Self::Archive(_) => "archives are not looked into: unpack them",
            Self::Other(_) | Self::Hidden => return None,
        })
    }
}

impl PassedOver {
    /// Counts one more.
    pub(crate) fn add(&mut self, reason: PassedReason, name: impl Into<String>) {
        let at = match self.groups.binary_search_by(|group| group.reason.cmp(&reason)) {
            Ok(at) => at,
            Err(at) => {
                self.groups.insert(at, PassedGroup { reason, count: 0, named: Vec::new() });
                at
            }
        };
        let group = &mut self.groups[at];
        group.count += 1;
        if group.named.len() < MOST_NAMED {
            group.named.push(name.into());
        }
    }

    /// By reason, those first that may cost an image that its owner wants.
    pub fn groups(&self) -> &[PassedGroup] {
        &self.groups
    }

    /// How many in all.
    pub fn count(&self) -> usize {
        self.groups.iter().map(|group| group.count).sum()
    }

    /// Whether nothing was passed over.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// Whether an image may be among it that its owner wants, [`PassedReason::is_alarming`].
    pub fn is_alarming(&self) -> bool {
        self.groups.iter().any(|group| group.reason.is_alarming())
    }

    /// Whether there is nothing but what is hidden.
    pub(crate) fn is_hidden(&self) -> bool {
        self.groups.iter().all(|group| group.reason == PassedReason::Hidden)
    }

    /// The summary as the end of an error's sentence; empty where nothing was passed over.
    pub(crate) fn as_ending(&self) -> String {
        if self.is_empty() { String::new() } else { format!("; {self}") }
    }
}

impl fmt::Display for PassedOver {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let files = match self.count() {
            0 => return Ok(()),
            1 => "1 file".to_owned(),
            count => format!("{count} files"),
        };
        write!(out, "{files} passed over: ")?;
        for (at, PassedGroup { reason, count, .. }) in self.groups.iter().enumerate() {
            let comma = if at > 0 { ", " } else { "" };
            write!(out, "{comma}{}", reason.counted(*count))?;
            // Once for those that say the same.
            let advice = reason.advice();
            if advice != self.groups.get(at + 1).and_then(|next| next.reason.advice())
                && let Some(advice) = advice
            {
                write!(out, " ({advice})")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passed(names: &[&str]) -> PassedOver {
        let mut passed = PassedOver::default();
        for name in names {
            passed.add(PassedReason::of(FileKind::of(name.as_ref())).unwrap(), *name);
        }
        passed
    }

    #[test]
    fn a_summary_counts_by_reason_and_says_what_to_do() {
        let mut files = passed(&["a.mat", "b.heic", "c.HEIC", "d.avif", "e"]);
        files.add(PassedReason::Hidden, ".f");
        assert_eq!(
            files.to_string(),
            "6 files passed over: 1 .avif, 2 .heic (not read here: convert to JPEG), 1 without extension, 1 .mat, \
             1 hidden or of the system"
        );
        assert!(files.is_alarming() && !passed(&["a.mat"]).is_alarming());
        assert_eq!(passed(&["a.mat"]).to_string(), "1 file passed over: 1 .mat");
        assert_eq!(PassedOver::default().to_string(), "");
    }

    #[test]
    fn all_are_counted_and_the_first_are_named() {
        let mut many = PassedOver::default();
        (0..MOST_NAMED + 7).for_each(|i| many.add(PassedReason::Hidden, i.to_string()));
        assert_eq!((many.count(), many.groups()[0].named.len()), (MOST_NAMED + 7, MOST_NAMED));
    }

    #[test]
    fn json_gives_it_back() {
        let files = passed(&["a.mat", "b.heic", "e"]);
        let json = serde_json::to_string(&files).unwrap();
        assert_eq!(serde_json::from_str::<PassedOver>(&json).unwrap(), files);
    }
}

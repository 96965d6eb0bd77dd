//! What a reader took as it stands although it is odd, counted: what public evaluations do in silence.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// A kind of oddity that is no error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Oddity {
    /// Images with an EXIF orientation whose annotation is taken to be in pixels as they are shown.
    TurnedTakenAsShown,
    /// Images with an EXIF orientation whose annotation is taken to be in pixels as they are stored, and is turned.
    TurnedTakenAsStored,
    /// Key points (of Caltech-101: vertices) outside their image, which are kept.
    PointsOutside,
    /// Boxes that reach out of their image by more than a pixel, which are kept.
    BoxesOutside,
    /// Key points that are absent because they are at (−1, −1).
    PointsAtMinusOne,
    /// Rows of a list without a key point that both images show, which are left out.
    PairsWithoutPoints,
    /// Images that are there, and whose size could not be compared with the declared one.
    SizesUnchecked,
}

impl Oddity {
    fn meaning(self) -> &'static str {
        match self {
            Self::TurnedTakenAsShown => {
                "images are stored turned (EXIF orientation): their points are taken as those of the picture as it is \
                 shown; where they are meant in the pixels as stored, say `--annotated-in stored` (or in a table \
                 `frame`: `stored`)"
            }
            Self::TurnedTakenAsStored => {
                "images are stored turned (EXIF orientation): their points are taken as those of the pixels as stored, \
                 and turned; where they are meant in the picture as it is shown, say `--annotated-in shown`"
            }
            Self::PointsOutside => "points lie outside their image and are kept",
            Self::BoxesOutside => "boxes reach out of their image by more than a pixel and are kept",
            Self::PointsAtMinusOne => "key points are at (-1, -1), which means absent",
            Self::PairsWithoutPoints => "pairs have no key point that both images show and are left out",
            Self::SizesUnchecked => "images could not be opened, so that their declared size is not checked",
        }
    }
}

/// How many of one kind there are, and one of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OddityCount {
    /// How many. What stands in the file of a pair counts in each pair, what stands in the file of an image once.
    pub count: usize,
    /// The first: its file, and its line or key.
    pub first: String,
}

/// The oddities that a reader met. As JSON a map from the kind to its count and the first one, empty where there are none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ReadCounts(BTreeMap<Oddity, OddityCount>);

impl ReadCounts {
    /// How many of a kind.
    pub fn of(&self, kind: Oddity) -> usize {
        self.0.get(&kind).map_or(0, |found| found.count)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A sentence a kind: what to tell whoever reads the scores.
    pub fn sentences(&self) -> Vec<String> {
        let sentence = |(kind, found): (&Oddity, &OddityCount)| {
            format!("{} {}; the first: {}", found.count, kind.meaning(), found.first)
        };
        self.0.iter().map(sentence).collect()
    }

    pub(crate) fn add(&mut self, kind: Oddity, first: impl FnOnce() -> String) {
        self.0.entry(kind).or_insert_with(|| OddityCount { count: 0, first: first() }).count += 1;
    }
}

impl fmt::Display for ReadCounts {
    /// A line a kind.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.sentences().iter().try_for_each(|sentence| writeln!(f, "{sentence}"))
    }
}

//! How a score is computed, as a value and as the string that stands beside every number.
//!
//! Two scores may be compared only if their protocol strings are equal.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// The frame in which distances are measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame {
    /// `original`: pixels of the image at its own size, as it is shown.
    Original,
    /// `stretched:S`: the image squashed to S×S pixels, each axis by its own scale.
    Stretched(u32),
    /// `padded:S`: the image scaled by S / max(W, H), and padded to S×S.
    Padded(u32),
}

impl Frame {
    /// By how much each axis of an image of `size` (width, height) is scaled on the way into the frame.
    ///
    /// Distances need no more than this: where the origin lies cancels.
    pub fn scale(self, size: (u32, u32)) -> [f64; 2] {
        let (width, height) = (f64::from(size.0), f64::from(size.1));
        match self {
            Self::Original => [1.0, 1.0],
            Self::Stretched(side) => [f64::from(side) / width, f64::from(side) / height],
            Self::Padded(side) => [f64::from(side) / width.max(height); 2],
        }
    }
}

/// The length L of which a threshold is the share α; it belongs to the image predicted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// `img`: the longer side of the image in the frame.
    Img,
    /// `bbox`: the longer side of the annotated box of the object.
    Bbox,
    /// `bbox-kp`: the longer side of the tight box of the image's key points.
    BboxKp,
    /// `bbox-padded`: the largest coordinate of a key point, plus 1. Historic code that took the minimum over the −1 with
    /// which it had padded its list of points published scores with this length under the name of `bbox-kp`.
    BboxPadded,
}

/// Which image the points are asked in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// `forward`: points of the source are predicted in the target.
    Forward,
    /// `backward`: points of the target are predicted in the source.
    Backward,
}

/// How the pairs' scores become one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Average {
    /// `image`: mean over pairs of the share of right points.
    Image,
    /// `point`: share of right points among the points of all pairs.
    Point,
    /// `category`: mean over classes of the mean over the pairs of each.
    Category,
}

/// Everything that has to be said for a PCK to be one number.
///
/// Its string form is `frame=original,length=bbox-kp,direction=forward,average=image`; parsing takes the keys in any order,
/// and what is left out is the [default](Protocol::default). The thresholds α are not in the string: reports give them
/// number by number.
#[derive(Clone, Debug, PartialEq)]
pub struct Protocol {
    /// The frame in which distances are measured.
    pub frame: Frame,
    /// What a threshold is a share of.
    pub length: Length,
    /// Which image the points are asked in.
    pub direction: Direction,
    /// How pairs are averaged.
    pub average: Average,
    /// The thresholds α, as shares of the length.
    pub alphas: Vec<f64>,
}

impl Default for Protocol {
    /// Original pixels, key points' box, forward, mean over pairs, α = .01, .05, .10, .15.
    fn default() -> Self {
        Self {
            frame: Frame::Original,
            length: Length::BboxKp,
            direction: Direction::Forward,
            average: Average::Image,
            alphas: vec![0.01, 0.05, 0.10, 0.15],
        }
    }
}

impl Protocol {
    /// The same protocol at other thresholds.
    ///
    /// # Panics
    ///
    /// If an α is not a positive number.
    pub fn with_alphas(self, alphas: &[f64]) -> Self {
        assert!(alphas.iter().all(|alpha| *alpha > 0.0 && alpha.is_finite()), "thresholds {alphas:?} must be positive");
        Self { alphas: alphas.to_vec(), ..self }
    }

    /// The same protocol but for the keys that `text` gives, in the form that a protocol is parsed from.
    ///
    /// # Errors
    ///
    /// [`ProtocolError`] where a part is no key with a value of its own.
    pub fn with_keys(self, text: &str) -> Result<Self, ProtocolError> {
        let mut protocol = self;
        let mut seen: Vec<&str> = Vec::new();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (key, value) = part.split_once('=').ok_or_else(|| ProtocolError::NoValue(part.to_owned()))?;
            match key {
                "frame" => protocol.frame = value.parse()?,
                "length" => protocol.length = value.parse()?,
                "direction" => protocol.direction = value.parse()?,
                "average" => protocol.average = value.parse()?,
                _ => return Err(ProtocolError::UnknownKey(key.to_owned())),
            }
            if seen.contains(&key) {
                return Err(ProtocolError::Repeated(key.to_owned()));
            }
            seen.push(key);
        }
        Ok(protocol)
    }
}

/// Why a string is no protocol.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum ProtocolError {
    /// Not of the form `key=value`.
    #[error("`{0}` in a protocol is not of the form key=value (example: {example})", example = Protocol::default())]
    NoValue(String),
    /// A key there is not.
    #[error("a protocol has no key `{0}`; its keys are frame, length, direction and average")]
    UnknownKey(String),
    /// A key given twice.
    #[error("the protocol gives `{0}` twice")]
    Repeated(String),
    /// A value there is not.
    #[error("`{value}` is no value of `{key}` in a protocol; expected {expected}")]
    UnknownValue {
        /// The key.
        key: &'static str,
        /// The value given.
        value: String,
        /// What may stand there.
        expected: &'static str,
    },
}

impl FromStr for Protocol {
    type Err = ProtocolError;

    fn from_str(text: &str) -> Result<Self, ProtocolError> {
        Self::default().with_keys(text)
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { frame, length, direction, average, alphas: _ } = self;
        write!(f, "frame={frame},length={length},direction={direction},average={average}")
    }
}

impl FromStr for Frame {
    type Err = ProtocolError;

    fn from_str(value: &str) -> Result<Self, ProtocolError> {
        let unknown = || ProtocolError::UnknownValue {
            key: "frame",
            value: value.to_owned(),
            expected: "original, stretched:S or padded:S, S a number of pixels",
        };
        if value == "original" {
            return Ok(Self::Original);
        }
        let (kind, side) = value.split_once(':').ok_or_else(unknown)?;
        let side = side.parse().ok().filter(|side| *side > 0).ok_or_else(unknown)?;
        match kind {
            "stretched" => Ok(Self::Stretched(side)),
            "padded" => Ok(Self::Padded(side)),
            _ => Err(unknown()),
        }
    }
}

impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Original => f.write_str("original"),
            Self::Stretched(side) => write!(f, "stretched:{side}"),
            Self::Padded(side) => write!(f, "padded:{side}"),
        }
    }
}

/// The string forms of an enum without fields, both ways.
macro_rules! named {
    ($kind:ident, $key:literal, $expected:literal, $($variant:ident = $name:literal),+) => {
        impl FromStr for $kind {
            type Err = ProtocolError;

            fn from_str(value: &str) -> Result<Self, ProtocolError> {
                match value {
                    $($name => Ok(Self::$variant),)+
                    _ => Err(ProtocolError::UnknownValue { key: $key, value: value.to_owned(), expected: $expected }),
                }
            }
        }

        impl fmt::Display for $kind {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self {
                    $(Self::$variant => $name,)+
                })
            }
        }
    };
}

named!(
    Length,
    "length",
    "img, bbox, bbox-kp or bbox-padded",
    Img = "img",
    Bbox = "bbox",
    BboxKp = "bbox-kp",
    BboxPadded = "bbox-padded"
);
named!(Direction, "direction", "forward or backward", Forward = "forward", Backward = "backward");
named!(Average, "average", "image, point or category", Image = "image", Point = "point", Category = "category");

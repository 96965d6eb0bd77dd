//! What became of an image: kept for pairs, or rejected and why.

use serde::{Deserialize, Serialize};

use crate::content::ImageOrigin;
use crate::names::{NameError, check_class_name, check_image_id};

/// One image that was looked at, a row of the index of images.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JudgedImage {
    /// Its place in the source's order, which is that of the index; no two images share one.
    pub number: u64,
    /// Its class.
    pub class: String,
    /// Its id in the class.
    pub id: String,
    /// Why it is not used; `None` where it is kept.
    pub rejection: Option<ImageRejection>,
    /// Share of its foreground cells that are discriminative, 0..=1; `None` where it could not be asked.
    pub score: Option<f32>,
    /// How many cells are discriminative.
    pub discriminative_cells: u32,
    /// Over how many blocks of its box they are spread.
    pub blocks: u32,
    /// The object's box, `[x1, y1, x2, y2]` in pixels of the upright image, where one was found.
    pub object_box: Option<[f32; 4]>,
    /// `[width, height]` of the upright image, where it could be decoded.
    pub size: Option<[u32; 2]>,
    /// Where it came from and what it held, where that was noted: without it, other images of the same names are taken for
    /// those that were labelled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Box<ImageOrigin>>,
}

/// Why an image is not used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageRejection {
    /// The kind of reason, one of a few, by which rejections are counted: `damaged`, `few discriminative cells` …
    pub reason: String,
    /// What there is to say of this image; may be empty.
    pub detail: String,
    /// The setting that decided, as `consistency.partners`, where one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<String>,
}

/// Why the record of an image cannot be kept.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum JudgedImageError {
    /// A name that the layout cannot hold.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A number that is none.
    #[error("image {class}/{id}: its {what} is {value}, which is no finite number")]
    NotFinite {
        /// The image's class.
        class: String,
        /// The image's id.
        id: String,
        /// The number's name.
        what: &'static str,
        /// The number.
        value: f32,
    },
}

impl JudgedImage {
    /// Whether the image is kept.
    pub fn kept(&self) -> bool {
        self.rejection.is_none()
    }

    /// Whether its names can stand in the layout and its numbers are finite.
    ///
    /// # Errors
    ///
    /// [`JudgedImageError`] with the first thing that does not hold.
    pub fn check(&self) -> Result<(), JudgedImageError> {
        check_class_name(&self.class)?;
        check_image_id(&self.id)?;
        let sides = self.object_box.iter().flatten().map(|&side| ("box", side));
        for (what, value) in self.score.iter().map(|&score| ("score", score)).chain(sides) {
            if !value.is_finite() {
                let (class, id) = (self.class.clone(), self.id.clone());
                return Err(JudgedImageError::NotFinite { class, id, what, value });
            }
        }
        Ok(())
    }
}

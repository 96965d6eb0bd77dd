//! What a drawn data set is like.

use serde::{Deserialize, Serialize};

/// A drawn data set. Every field has a default; unknown keys are errors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DrawnConfig {
    /// Side of the square images in pixels, 16 to 2048; default 128.
    pub size: u32,
    /// Images of each class in a data set of the caller's making; default 160. No single image depends on it.
    pub images_per_class: u64,
    /// Another seed is another data set; default 0.
    pub seed: u64,
    /// Random textured shapes behind the object; default 6.
    pub clutter: usize,
    /// At most this many random textured shapes in front of the object; default 2.
    pub occluders: usize,
    /// Half side of the largest occluder as a share of the object's longer side; default 0.11.
    pub occluder_size: f32,
    /// Largest in-plane turn in degrees, either way; default 35.
    pub rotation: f32,
    /// Least and greatest longer side of the object's box as a share of the image's side; default 0.68 and 0.95.
    pub span: [f32; 2],
    /// How far the object's box may reach over the image's edge, as a share of the side; default 0.04.
    pub overhang: f32,
    /// Scales the spread of lengths and joint angles and the bend and stretch of the whole; default 1, 0 leaves the
    /// figures nearly rigid.
    pub variation: f32,
    /// Strength of the light's gradient over the image; default 0.35.
    pub lighting: f32,
    /// Half width of the uniform noise on every channel, of 1; default 0.03.
    pub grain: f32,
}

impl Default for DrawnConfig {
    fn default() -> Self {
        Self {
            size: 128,
            images_per_class: 160,
            seed: 0,
            clutter: 6,
            occluders: 2,
            occluder_size: 0.11,
            rotation: 35.0,
            span: [0.68, 0.95],
            overhang: 0.04,
            variation: 1.0,
            lighting: 0.35,
            grain: 0.03,
        }
    }
}

impl DrawnConfig {
    /// Whether every field is in range.
    ///
    /// # Errors
    ///
    /// The first field that is not, its value and its range.
    pub fn check(&self) -> Result<(), String> {
        let ranges = [
            ("size", self.size as f32, 16.0, 2048.0),
            ("occluder_size", self.occluder_size, 0.0, 1.0),
            ("rotation", self.rotation, 0.0, 180.0),
            ("span[0]", self.span[0], 0.05, self.span[1].min(1.5)),
            ("span[1]", self.span[1], 0.05, 1.5),
            ("overhang", self.overhang, 0.0, 0.5),
            ("variation", self.variation, 0.0, 1.5),
            ("lighting", self.lighting, 0.0, 1.0),
            ("grain", self.grain, 0.0, 1.0),
        ];
        for (name, value, low, high) in ranges {
            if !(low..=high).contains(&value) {
                return Err(format!("drawn objects: {name} = {value} is outside {low}..={high}"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_field_out_of_range() {
        assert_eq!(DrawnConfig::default().check(), Ok(()));
        let config = DrawnConfig { span: [0.9, 0.5], ..DrawnConfig::default() };
        assert_eq!(config.check(), Err("drawn objects: span[0] = 0.9 is outside 0.05..=0.5".into()));
        let config = DrawnConfig { grain: f32::NAN, ..DrawnConfig::default() };
        assert!(config.check().is_err());
    }

    #[test]
    fn unknown_keys_are_errors() {
        assert!(serde_json::from_str::<DrawnConfig>(r#"{"size": 64}"#).is_ok());
        assert!(serde_json::from_str::<DrawnConfig>(r#"{"sise": 64}"#).is_err());
    }
}

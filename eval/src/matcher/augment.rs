//! Random crops, mirrored images and other colours, with the key points that move along.

use image::RgbImage;
use kornia_image::{Image, ImageError, ImageSize};
use kornia_imgproc::color::{gray_from_rgb, rgb_from_gray};
use kornia_imgproc::crop::crop_image;
use kornia_imgproc::enhance::{add_weighted, adjust_brightness};
use kornia_imgproc::flip::horizontal_flip;
use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

use crate::key_points::PixelBox;

/// How images are changed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AugmentConfig {
    /// The share of images that are cropped. Default 0.5.
    pub crop: f64,
    /// The share of pairs both of whose images are mirrored. Default 0.5.
    pub mirror: f64,
    /// Brightness is changed by up to this share of white. Default 0.1.
    pub brightness: f32,
    /// Contrast is changed by up to this share. Default 0.2.
    pub contrast: f32,
    /// Saturation is changed by up to this share. Default 0.2.
    pub saturation: f32,
}

impl Default for AugmentConfig {
    fn default() -> Self {
        Self { crop: 0.5, mirror: 0.5, brightness: 0.1, contrast: 0.2, saturation: 0.2 }
    }
}

/// What is done to an image.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Augmentation {
    /// Left, top, width and height of what is left of it, in pixels.
    pub crop: [u32; 4],
    /// Whether that is mirrored left to right.
    pub mirror: bool,
    /// Added to every value, as a share of white.
    pub brightness: f32,
    /// What the distance of every value from the mean is multiplied by.
    pub contrast: f32,
    /// What the distance of every value from its pixel's grey is multiplied by.
    pub saturation: f32,
}

impl Augmentation {
    /// Nothing is done to an image of `size` (width, height).
    pub fn none(size: (u32, u32)) -> Self {
        Self { crop: [0, 0, size.0, size.1], mirror: false, brightness: 0.0, contrast: 1.0, saturation: 1.0 }
    }

    /// Something is, at random: an image of `size`, whose crop keeps the box `keep`. It is not mirrored: see
    /// [`mirrored`](Self::mirrored).
    pub fn draw(config: &AugmentConfig, size: (u32, u32), keep: PixelBox, rng: &mut impl Rng) -> Self {
        let mut drawn = Self::none(size);
        if rng.random_bool(config.crop.clamp(0.0, 1.0)) {
            let [left, top, right, bottom] = keep;
            let (x, width) = cropped(left, right, size.0, rng);
            let (y, height) = cropped(top, bottom, size.1, rng);
            drawn.crop = [x, y, width, height];
        }
        let mut within = |reach: f32| if reach > 0.0 { rng.random_range(-reach..=reach) } else { 0.0 };
        drawn.brightness = within(config.brightness);
        drawn.contrast = 1.0 + within(config.contrast);
        drawn.saturation = 1.0 + within(config.saturation);
        drawn
    }

    /// The same, mirrored or not.
    ///
    /// A mirrored cat's left ear is where its right one was. Where a data set does not say which points are left and right,
    /// both images of a pair are mirrored or neither; where it does, [`mirror_ids`] finds the points of one alone.
    pub fn mirrored(self, mirror: bool) -> Self {
        Self { mirror, ..self }
    }

    /// `(width, height)` of what comes of it.
    pub fn size(&self) -> (u32, u32) {
        (self.crop[2], self.crop[3])
    }

    /// Where a point of the image is afterwards; outside the new image where the crop has cut it off.
    pub fn point(&self, [x, y]: [f32; 2]) -> [f32; 2] {
        let [left, top, width, _] = self.crop.map(|value| value as f32);
        let x = x - left;
        [if self.mirror { width - 1.0 - x } else { x }, y - top]
    }

    /// Whether the new image shows a point that [`point`](Self::point) gave.
    pub fn shows(&self, [x, y]: [f32; 2]) -> bool {
        let (width, height) = self.size();
        (-0.5..width as f32 - 0.5).contains(&x) && (-0.5..height as f32 - 0.5).contains(&y)
    }

    /// What of it changes pixels, as text: two augmentations of one name make the same image of the same image.
    pub fn name(&self) -> String {
        format!("{self:?}")
    }
}

/// Where an axis of `size` pixels begins and how long it is, such that `low..=high` stays.
fn cropped(low: f32, high: f32, size: u32, rng: &mut impl Rng) -> (u32, u32) {
    let last = size.saturating_sub(1);
    let low = (low.floor().max(0.0) as u32).min(last);
    let high = (high.ceil().max(0.0) as u32).clamp(low, last);
    let start = rng.random_range(0..=low);
    let end = rng.random_range(high..=last);
    (start, end - start + 1)
}

/// Does it to an image.
///
/// # Panics
///
/// If the crop is not within the image.
pub fn augment(image: &RgbImage, what: &Augmentation) -> RgbImage {
    let (width, height) = what.size();
    let changed = change(image, what)
        .unwrap_or_else(|error| panic!("a crop {:?} of an image of {:?}: {error}", what.crop, image.dimensions()));
    RgbImage::from_raw(width, height, changed).unwrap_or_else(|| unreachable!("a crop has three values a pixel"))
}

fn change(image: &RgbImage, what: &Augmentation) -> Result<Vec<u8>, ImageError> {
    let size = ImageSize { width: image.width() as usize, height: image.height() as usize };
    let [left, top, width, height] = what.crop.map(|value| value as usize);
    let whole = Image::<u8, 3>::from_size_slice(size, image.as_raw())?;
    let mut part = Image::<u8, 3>::from_size_val(ImageSize { width, height }, 0)?;
    crop_image(&whole, &mut part, left, top)?;
    if what.mirror {
        let mut mirrored = Image::<u8, 3>::from_size_val(part.size(), 0)?;
        horizontal_flip(&part, &mut mirrored)?;
        part = mirrored;
    }
    if (what.brightness, what.contrast, what.saturation) == (0.0, 1.0, 1.0) {
        return Ok(part.as_slice().to_vec());
    }
    let values: Vec<f32> = part.as_slice().iter().map(|&value| f32::from(value) / 255.0).collect();
    let image = Image::<f32, 3>::from_size_slice(part.size(), &values)?;
    let mut grey = Image::<f32, 1>::from_size_val(part.size(), 0.0)?;
    gray_from_rgb(&image, &mut grey)?;
    let mean = grey.as_slice().iter().sum::<f32>() / grey.as_slice().len().max(1) as f32;
    let mut shades = Image::<f32, 3>::from_size_val(part.size(), 0.0)?;
    rgb_from_gray(&grey, &mut shades)?;
    let mut coloured = Image::<f32, 3>::from_size_val(part.size(), 0.0)?;
    // v + s·(v − grey), then the same about the mean: c·v + (1 − c)·mean.
    add_weighted(&image, what.saturation, &shades, 1.0 - what.saturation, 0.0, &mut coloured)?;
    let mut contrasted = Image::<f32, 3>::from_size_val(part.size(), 0.0)?;
    add_weighted(&coloured, what.contrast, &coloured, 0.0, mean * (1.0 - what.contrast), &mut contrasted)?;
    let mut bright = Image::<f32, 3>::from_size_val(part.size(), 0.0)?;
    adjust_brightness(&contrasted, &mut bright, what.brightness, true)?;
    Ok(bright.as_slice().iter().map(|value| (value * 255.0).round() as u8).collect())
}

/// The points of a pair whose source alone is mirrored, where `opposite` says which of a class's key points is which on the
/// other side: `(source, target)` places in `ids`, for every key point whose opposite both images show.
pub fn mirror_ids(ids: &[u16], opposite: impl Fn(u16) -> u16) -> Vec<(usize, usize)> {
    let place = |wanted: u16| ids.iter().position(|&id| id == wanted);
    ids.iter().enumerate().filter_map(|(source, &id)| Some((source, place(opposite(id))?))).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    proptest! {
        #[test]
        fn a_crop_keeps_the_box_and_points_move_with_their_pixels(
            seed in any::<u64>(), width in 1_u32..40, height in 1_u32..40, mirror in any::<bool>(),
        ) {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let corner = |rng: &mut ChaCha8Rng| [rng.random_range(0..width), rng.random_range(0..height)];
            let (a, b) = (corner(&mut rng), corner(&mut rng));
            let keep = [a[0].min(b[0]), a[1].min(b[1]), a[0].max(b[0]), a[1].max(b[1])].map(|value| value as f32);
            let config = AugmentConfig { crop: 1.0, brightness: 0.0, contrast: 0.0, saturation: 0.0, mirror: 0.0 };
            let drawn = Augmentation::draw(&config, (width, height), keep, &mut rng).mirrored(mirror);
            let image = RgbImage::from_fn(width, height, |x, y| image::Rgb([x as u8, y as u8, 7]));
            let changed = augment(&image, &drawn);
            prop_assert_eq!(changed.dimensions(), drawn.size());
            for [x, y] in [a, b] {
                let point = drawn.point([x as f32, y as f32]);
                prop_assert!(drawn.shows(point));
                prop_assert_eq!(changed.get_pixel(point[0] as u32, point[1] as u32).0, [x as u8, y as u8, 7]);
            }
        }
    }

    #[test]
    fn colours_change_as_they_are_told_to() {
        let image = RgbImage::from_fn(2, 1, |x, _| image::Rgb([[200, 100, 0], [0, 0, 0]][x as usize]));
        let none = Augmentation::none((2, 1));
        assert_eq!(augment(&image, &none), image);
        let brighter = augment(&image, &Augmentation { brightness: 0.1, ..none });
        assert_eq!(brighter.get_pixel(1, 0).0, [26; 3]);
        let grey = augment(&image, &Augmentation { saturation: 0.0, ..none });
        let [r, g, b] = grey.get_pixel(0, 0).0;
        assert!(r == g && g == b && r > 0);
        let flat = augment(&image, &Augmentation { saturation: 0.0, contrast: 0.0, ..none });
        assert_eq!(flat.get_pixel(0, 0), flat.get_pixel(1, 0));
    }

    #[test]
    fn a_mirrored_left_eye_is_a_right_eye() {
        // 0 left eye, 1 right eye, 2 nose; the pair shows the left eye and the nose, or all three.
        let opposite = |id: u16| [1, 0, 2][usize::from(id)];
        assert_eq!(mirror_ids(&[0, 2], opposite), [(1, 1)]);
        assert_eq!(mirror_ids(&[0, 1, 2], opposite), [(0, 1), (1, 0), (2, 2)]);
    }
}

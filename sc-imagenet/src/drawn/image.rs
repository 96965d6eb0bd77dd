//! A drawn image and its exact correspondences.

use super::scene::Scene;
use image::{GrayImage, RgbImage};

/// A point on the object: a part, and where on it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Surface {
    /// The part's number; parts of one class have the same numbers in every instance.
    pub part: usize,
    /// The place in the part's own frame, within `-1..=1` (up to rounding).
    pub uv: [f32; 2],
}

/// One drawn image. All points are `[x, y]` in its pixels, the centre of the top-left pixel at `(0, 0)`.
#[derive(Debug, Clone)]
pub struct DrawnImage {
    /// The picture.
    pub image: RgbImage,
    /// The class's number.
    pub class: usize,
    /// Where each key point of the class is; `None` where it is hidden, by an occluder or by the object itself, or
    /// outside the image. Named by [`key_point_names`](super::key_point_names).
    pub key_points: Vec<Option<[f32; 2]>>,
    /// 255 where the pixel's centre shows the object, else 0.
    pub mask: GrayImage,
    /// The number plus one of the part that the pixel's centre shows, 0 where it does not show the object.
    pub parts: GrayImage,
    pub(super) scene: Scene,
}

impl DrawnImage {
    /// What of the object is seen at a point; `None` on the background, on an occluder and outside the image.
    pub fn surface(&self, point: [f32; 2]) -> Option<Surface> {
        let (width, height) = self.image.dimensions();
        let inside =
            (-0.5..=width as f32 - 0.5).contains(&point[0]) && (-0.5..=height as f32 - 0.5).contains(&point[1]);
        if !inside {
            return None;
        }
        let part = self.scene.owner(point)?;
        let layer = self.scene.object_layer(part)?;
        Some(Surface { part, uv: layer.part.uv(layer.placement.to_object(point)) })
    }

    /// [`surface`](Self::surface) at every pixel's centre, row by row: height × width entries.
    pub fn dense_map(&self) -> Vec<Option<Surface>> {
        let (width, height) = self.image.dimensions();
        (0..height)
            .flat_map(|y| (0..width).map(move |x| (x, y)))
            .map(|(x, y)| self.surface([x as f32, y as f32]))
            .collect()
    }

    /// Where `other` shows the point of the object that `self` shows at `point`: the same part at the same `(u, v)`.
    /// Exact. `None` where either image does not show it.
    ///
    /// # Panics
    ///
    /// If the images are of different classes.
    pub fn dense_match(&self, other: &DrawnImage, point: [f32; 2]) -> Option<[f32; 2]> {
        assert_eq!(self.class, other.class, "images of classes {} and {} do not correspond", self.class, other.class);
        let Surface { part, uv } = self.surface(point)?;
        other.scene.seen(part, uv, other.image.width() as f32)
    }

    /// The tight box of the mask: least x, least y, greatest x, greatest y; `None` if nothing is seen.
    pub fn mask_box(&self) -> Option<[u32; 4]> {
        self.mask.enumerate_pixels().filter(|(_, _, pixel)| pixel.0[0] > 0).fold(None, |found, (x, y, _)| {
            let [x0, y0, x1, y1] = found.unwrap_or([x, y, x, y]);
            Some([x0.min(x), y0.min(y), x1.max(x), y1.max(y)])
        })
    }

    /// The name of a part, as in "near foot".
    ///
    /// # Panics
    ///
    /// If the object has no such part.
    pub fn part_name(&self, part: usize) -> &'static str {
        match self.scene.object_layer(part) {
            Some(layer) => layer.part.name,
            None => panic!("part {part} of a drawn object of class {} does not exist", self.class),
        }
    }
}

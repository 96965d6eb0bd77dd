//! Painter's algorithm over signed distances, four samples a pixel.

use super::config::DrawnConfig;
use super::image::DrawnImage;
use super::scene::{Layer, Scene};
use super::texture::{Colour, hash};
use image::{GrayImage, RgbImage};

/// Sample offsets inside a pixel: 2×2.
const SAMPLES: [[f32; 2]; 4] = [[-0.25, -0.25], [0.25, -0.25], [-0.25, 0.25], [0.25, 0.25]];

/// Paints a scene.
pub(super) fn render(scene: Scene, class: usize, config: &DrawnConfig) -> DrawnImage {
    let side = config.size as usize;
    let mut canvas = Canvas { side, colours: vec![[[0.0; 3]; 4]; side * side], owners: vec![0; side * side] };
    canvas.fill(&scene.background);
    for layer in &scene.layers {
        canvas.paint(layer);
    }
    let size = config.size;
    let image = canvas.develop(&scene, config.grain);
    let parts = GrayImage::from_fn(size, size, |x, y| image::Luma([canvas.owners[y as usize * side + x as usize]]));
    let mask = GrayImage::from_fn(size, size, |x, y| {
        let [owner] = parts.get_pixel(x, y).0;
        image::Luma([if owner == 0 { 0 } else { 255 }])
    });
    DrawnImage { image, class, key_points: scene.key_points.clone(), mask, parts, scene }
}

struct Canvas {
    side: usize,
    colours: Vec<[Colour; 4]>,
    /// The owner of the front-most layer at each pixel's centre.
    owners: Vec<u8>,
}

impl Canvas {
    fn fill(&mut self, layer: &Layer) {
        for (k, pixel) in self.colours.iter_mut().enumerate() {
            let (x, y) = ((k % self.side) as f32, (k / self.side) as f32);
            for (colour, offset) in pixel.iter_mut().zip(SAMPLES) {
                *colour = layer.paint.colour(layer.part.uv([x + offset[0], y + offset[1]]));
            }
        }
    }

    fn paint(&mut self, layer: &Layer) {
        let (low, high) = layer.placement.bounds(&layer.part);
        let last = self.side as f32 - 1.0;
        let first = |axis: usize| (low[axis] - 1.0).floor().clamp(0.0, last) as usize;
        let end = |axis: usize| ((high[axis] + 2.0).ceil().clamp(0.0, last + 1.0)) as usize;
        let brush = Brush::new(layer, self.side);
        for y in first(1)..end(1) {
            for x in first(0)..end(0) {
                let centre = [x as f32, y as f32];
                let depth = brush.depth(centre);
                if depth < -1.5 {
                    continue;
                }
                let k = y * self.side + x;
                if depth >= 0.0 {
                    self.owners[k] = layer.owner;
                }
                for (colour, offset) in self.colours[k].iter_mut().zip(SAMPLES) {
                    let sample = [centre[0] + offset[0], centre[1] + offset[1]];
                    // Away from the outline the pixel's depth serves all its samples.
                    let depth = if depth > brush.line + 1.0 { depth } else { brush.depth(sample) };
                    if let Some(painted) = brush.colour(sample, depth) {
                        *colour = painted;
                    }
                }
            }
        }
    }

    /// Averages the samples, lights them and adds grain.
    fn develop(&self, scene: &Scene, grain: f32) -> RgbImage {
        let half = self.side as f32 * 0.5;
        RgbImage::from_fn(self.side as u32, self.side as u32, |x, y| {
            let samples = &self.colours[y as usize * self.side + x as usize];
            let offset = [x as f32 / half - 1.0, y as f32 / half - 1.0];
            let light = 1.0 + scene.light[0] * offset[0] + scene.light[1] * offset[1];
            image::Rgb(std::array::from_fn(|c| {
                let mean = samples.iter().map(|sample| sample[c]).sum::<f32>() / 4.0;
                let noise = hash(x as i32, (y * 3) as i32 + c as i32, scene.grain_seed) * 2.0 - 1.0;
                ((mean * light + noise * grain).clamp(0.0, 1.0) * 255.0 + 0.5) as u8
            }))
        })
    }
}

/// A layer ready to be sampled.
struct Brush<'a> {
    layer: &'a Layer,
    /// Width of the outline in pixels.
    line: f32,
    /// Pixels from the outline to the deepest point, about.
    thickness: f32,
}

impl<'a> Brush<'a> {
    fn new(layer: &'a Layer, side: usize) -> Self {
        let half = layer.part.half;
        let thickness = half[0].abs().min(half[1].abs()) * layer.placement.scale;
        Self { layer, line: (side as f32 / 128.0).min(0.25 * thickness), thickness }
    }

    /// How deep inside the part a pixel position lies, in pixels; negative outside.
    fn depth(&self, pixel: [f32; 2]) -> f32 {
        let p = self.layer.placement.to_object(pixel);
        -self.layer.part.distance(p) * self.layer.placement.scale
    }

    /// The colour of one sample at this depth, darker towards the outline as if the part were round.
    fn colour(&self, pixel: [f32; 2], depth: f32) -> Option<Colour> {
        if depth < 0.0 {
            return None;
        }
        if depth < self.line {
            return Some(self.layer.paint.outline);
        }
        let roundness = (depth / self.thickness).min(1.0);
        let shade = 0.7 + 0.3 * roundness * (2.0 - roundness);
        let uv = self.layer.part.uv(self.layer.placement.to_object(pixel));
        Some(self.layer.paint.colour(uv).map(|channel| channel * shade))
    }
}

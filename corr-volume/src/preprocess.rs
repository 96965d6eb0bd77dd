//! From an RGB image to a network's input tensor.

use std::borrow::Borrow;
use std::ops::Range;

use burn::tensor::{Device, Tensor, TensorData};
use image::{Rgb, RgbImage};
use kornia_image::{Image, ImageError, ImageSize};
use kornia_imgproc::interpolation::InterpolationMode;
use kornia_imgproc::resize::resize_fast_rgb;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// How 8-bit values are scaled: `(value − mean) / deviation`, per channel, in units of 0..=255.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Normalisation {
    /// What is subtracted, red, green, blue.
    pub mean: [f32; 3],
    /// What the rest is divided by.
    pub deviation: [f32; 3],
}

impl Normalisation {
    /// `(value − 127) / 128`, as EfficientNet-Lite was trained with.
    pub const EFFICIENTNET_LITE: Self = Self { mean: [127.0; 3], deviation: [128.0; 3] };

    fn apply(&self, channel: usize, value: u8) -> f32 {
        (f32::from(value) - self.mean[channel]) / self.deviation[channel]
    }
}

/// The most pixels of an image for one of the input, along a side, that the library's filter takes as they are: its weights
/// have 14 bits, and its first pass is as long as the image.
const MOST_PER_PIXEL: usize = 64;
/// To so many pixels for one of the input a longer side is shortened by means.
const MEANS_PER_PIXEL: usize = 16;

/// Stretches `image` to `input = (width, height)` pixels and normalises it: `[1, 3, height, width]`.
///
/// The aspect ratio is not kept; pixel centres map as [`Frame::stretched`](crate::Frame::stretched) has it. An image
/// that grows on both axes is interpolated bilinearly; one that shrinks on any is filtered bicubically with a kernel
/// widened by the factor, so that fine texture does not alias. A side of more than 64 times the input's is first shortened
/// by means of neighbouring pixels, so that a strip of any length takes no more memory than an image of its pixels.
///
/// # Panics
///
/// If the image or the input has no pixels.
pub fn preprocess(
    image: &RgbImage,
    input: (usize, usize),
    normalisation: &Normalisation,
    device: &Device,
) -> Tensor<4> {
    preprocess_batch(&[image], input, normalisation, device)
}

/// [`preprocess`] for several images at once, in parallel: `[images, 3, height, width]`.
///
/// # Panics
///
/// If there is no image, or an image or the input has no pixels.
pub fn preprocess_batch<I: Borrow<RgbImage> + Sync>(
    images: &[I],
    input: (usize, usize),
    normalisation: &Normalisation,
    device: &Device,
) -> Tensor<4> {
    let (width, height) = input;
    assert!(!images.is_empty(), "no image to preprocess");
    assert!(width > 0 && height > 0, "the input has no pixels: {width}×{height}");
    let mut values = vec![0.0; images.len() * 3 * height * width];
    values.par_chunks_exact_mut(3 * height * width).zip(images).for_each(|(planes, image)| {
        let image = image.borrow();
        let (w, h) = image.dimensions();
        assert!(w > 0 && h > 0, "the image has no pixels: {w}×{h}");
        let shortened = shortened(image, input);
        let image = shortened.as_ref().unwrap_or(image);
        let resized =
            stretch(image, input).unwrap_or_else(|error| panic!("resizing {w}×{h} to {width}×{height}: {error}"));
        normalise(resized.as_slice(), planes, normalisation);
    });
    let shape = [images.len(), 3, height, width];
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// An image with means in place of pixels along sides that are very much longer than the input's; none where no side is.
fn shortened(image: &RgbImage, (width, height): (usize, usize)) -> Option<RgbImage> {
    let (w, h) = (image.width() as usize, image.height() as usize);
    let (short_w, short_h) = (shortened_side(w, width), shortened_side(h, height));
    if (short_w, short_h) == (w, h) {
        return None;
    }
    let bounds = |side: usize, short: usize, at: u32| {
        let bound = |at: usize| (at * side / short) as u32;
        bound(at as usize)..bound(at as usize + 1)
    };
    Some(RgbImage::from_fn(short_w as u32, short_h as u32, |x, y| {
        mean(image, bounds(w, short_w, x), bounds(h, short_h, y))
    }))
}

fn shortened_side(side: usize, input: usize) -> usize {
    if side > MOST_PER_PIXEL * input { MEANS_PER_PIXEL * input } else { side }
}

/// The mean colour of a rectangle of pixels.
fn mean(image: &RgbImage, columns: Range<u32>, rows: Range<u32>) -> Rgb<u8> {
    let count = columns.len() as u64 * rows.len() as u64;
    let mut sums = [0_u64; 3];
    for y in rows {
        for x in columns.clone() {
            let pixel = image.get_pixel(x, y);
            for (sum, value) in sums.iter_mut().zip(pixel.0) {
                *sum += u64::from(value);
            }
        }
    }
    Rgb(sums.map(|sum| ((sum + count / 2) / count) as u8))
}

fn stretch(image: &RgbImage, (width, height): (usize, usize)) -> Result<Image<u8, 3>, ImageError> {
    let (w, h) = (image.width() as usize, image.height() as usize);
    let source = Image::from_size_slice(ImageSize { width: w, height: h }, image.as_raw())?;
    let mut target = Image::from_size_val(ImageSize { width, height }, 0)?;
    // The library's bilinear filter does not widen when it shrinks, and needs two pixels on each axis.
    let bilinear = width >= w && height >= h && w > 1 && h > 1;
    let filter = if bilinear { InterpolationMode::Bilinear } else { InterpolationMode::Bicubic };
    resize_fast_rgb(&source, &mut target, filter)?;
    Ok(target)
}

/// Interleaved bytes to normalised planes.
fn normalise(pixels: &[u8], planes: &mut [f32], normalisation: &Normalisation) {
    let area = planes.len() / 3;
    for (channel, plane) in planes.chunks_exact_mut(area).enumerate() {
        let table: Vec<f32> = (0..=255).map(|v| normalisation.apply(channel, v)).collect();
        for (value, pixel) in plane.iter_mut().zip(pixels.chunks_exact(3)) {
            *value = table[usize::from(pixel[channel])];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planes(image: &RgbImage, input: (usize, usize)) -> Vec<f32> {
        preprocess(image, input, &Normalisation::EFFICIENTNET_LITE, &Device::flex()).into_data().try_to_vec().unwrap()
    }

    #[test]
    fn an_image_of_the_input_size_is_only_normalised() {
        let image = RgbImage::from_fn(5, 3, |x, y| Rgb([(x * 40) as u8, (y * 90) as u8, 255]));
        let values = planes(&image, (5, 3));
        for (x, y, pixel) in image.enumerate_pixels() {
            for channel in 0..3 {
                let got = values[(channel * 3 + y as usize) * 5 + x as usize];
                assert_eq!(got, (f32::from(pixel[channel]) - 127.0) / 128.0);
            }
        }
    }

    #[test]
    fn a_ramp_keeps_its_pixel_centres_when_stretched() {
        let (w, h) = (60u32, 40u32);
        let image = RgbImage::from_fn(w, h, |x, y| Rgb([(4 * x) as u8, (4 * y) as u8, 7]));
        for (width, height) in [(90usize, 100usize), (30, 20), (41, 64), (120, 80)] {
            let values = planes(&image, (width, height));
            for y in height / 8..height * 7 / 8 {
                for x in width / 8..width * 7 / 8 {
                    let at = |channel: usize| values[(channel * height + y) * width + x] * 128.0 + 127.0;
                    let red = 4.0 * ((x as f32 + 0.5) * w as f32 / width as f32 - 0.5);
                    let green = 4.0 * ((y as f32 + 0.5) * h as f32 / height as f32 - 0.5);
                    assert!((at(0) - red).abs() <= 2.0, "{width}×{height}: {} for {red}", at(0));
                    assert!((at(1) - green).abs() <= 2.0, "{width}×{height}: {} for {green}", at(1));
                    assert!((at(2) - 7.0).abs() <= 1.0);
                }
            }
        }
    }

    /// The library's filter alone would need a gigabyte for it, and gives grey for it.
    #[test]
    fn a_strip_of_any_length_keeps_its_ramp() {
        let (long, side) = (400_000_u32, 32_usize);
        let across = RgbImage::from_fn(long, 16, |x, _| Rgb([(u64::from(x) * 256 / u64::from(long)) as u8, 90, 7]));
        let down = RgbImage::from_fn(16, long, |x, y| across.get_pixel(y, x).to_owned());
        let (across, down) = (planes(&across, (side, side)), planes(&down, (side, side)));
        for y in 0..side {
            for x in 2..side - 2 {
                let expected = (x as f32 + 0.5) * 256.0 / side as f32 - 0.5;
                for (name, values, at) in [("across", &across, y * side + x), ("down", &down, x * side + y)] {
                    let red = values[at] * 128.0 + 127.0;
                    assert!((red - expected).abs() <= 2.0, "{name}: {red} for {expected} at {x}");
                    let green = values[side * side + at] * 128.0 + 127.0;
                    assert!((green - 90.0).abs() <= 1.0, "{name}: {green} for 90 at {x}");
                }
            }
        }
    }

    #[test]
    fn a_single_pixel_fills_the_input() {
        let image = RgbImage::from_pixel(1, 1, Rgb([255, 127, 0]));
        let values = planes(&image, (4, 4));
        assert!(values[..16].iter().all(|v| *v == 1.0));
        assert!(values[16..32].iter().all(|v| *v == 0.0));
    }

    #[test]
    fn fine_texture_does_not_alias() {
        let image = RgbImage::from_fn(400, 400, |x, _| Rgb([if x % 2 == 0 { 255 } else { 0 }; 3]));
        for value in planes(&image, (90, 90)) {
            assert!(value.abs() < 0.15, "a grey of 127 is expected, got {value}");
        }
    }

    #[test]
    fn a_batch_is_its_images_in_order() {
        let images: Vec<RgbImage> = (0..3).map(|i| RgbImage::from_pixel(9, 7, Rgb([80 * i; 3]))).collect();
        let device = Device::flex();
        let norm = Normalisation::EFFICIENTNET_LITE;
        let batch = preprocess_batch(&images, (8, 8), &norm, &device);
        assert_eq!(batch.dims(), [3, 3, 8, 8]);
        for (i, image) in images.iter().enumerate() {
            let one = preprocess(image, (8, 8), &norm, &device);
            one.into_data().assert_eq(&batch.clone().narrow(0, i, 1).into_data(), true);
        }
    }
}

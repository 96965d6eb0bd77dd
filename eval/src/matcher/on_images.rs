//! A matcher behind a backbone: images in, a volume and points out; and its score.

use std::collections::HashMap;
use std::path::Path;

use burn::tensor::{Device, Tensor, TensorData};
use corr_volume::{Backbone, CorrVolume, Frame, Grid, preprocess};
use image::RgbImage;
use sc_imagenet::{DecodeError, DecodeLimits, decode};

use super::{Matcher, PointsInCells, Sample};
use crate::key_points::KeyPointPair;
use crate::pck::{PairScore, ScoreError, score_pair};
use crate::protocol::Protocol;

/// A backbone, and what a matcher sees of it.
#[derive(Clone, Debug)]
pub struct OnImages {
    /// The backbone; it does not learn.
    pub backbone: Backbone,
    /// The blocks (0-based, ascending) whose maps the matcher sees.
    pub blocks: Vec<usize>,
    /// Images are stretched to this many pixels a side.
    pub input: usize,
    /// Where it runs.
    pub device: Device,
}

/// Images that cannot be matched.
#[derive(Debug, thiserror::Error)]
pub enum MatchImagesError {
    /// An image file that cannot be read.
    #[error(transparent)]
    Image(#[from] DecodeError),
    /// A pair that cannot be scored.
    #[error(transparent)]
    Score(#[from] ScoreError),
}

impl OnImages {
    /// What the backbone says of an image: a map `[1, c_l, h_l, w_l]` of each block.
    pub fn maps(&self, image: &RgbImage) -> Vec<Tensor<4>> {
        let input = preprocess(image, (self.input, self.input), &self.backbone.normalisation(), &self.device);
        self.backbone.forward_from(input, 0, &self.blocks)
    }

    /// [`maps`](Self::maps) of an image file, which is decoded as [`sc_imagenet::decode()`] does.
    ///
    /// # Errors
    ///
    /// A file that cannot be read or decoded.
    pub fn maps_of(&self, path: &Path) -> Result<Vec<Tensor<4>>, MatchImagesError> {
        Ok(self.maps(&decode(path, &DecodeLimits { min_side: 1, ..DecodeLimits::default() })?))
    }

    /// How many channels each block's map has: what matchers are made for.
    pub fn channels(&self) -> Vec<usize> {
        self.blocks.iter().map(|&block| self.backbone.channels(block)).collect()
    }

    /// The grid of the first block, on which matchers answer by default.
    pub fn grid(&self) -> Grid {
        Grid::square(self.input.div_ceil(self.backbone.stride(self.blocks[0])))
    }

    /// The coordinate systems of an image of `size` (width, height).
    pub fn frame(&self, size: (u32, u32)) -> Frame {
        Frame::stretched(size, (self.input as u32, self.input as u32))
    }

    /// The volume of two images, and where `points` of the first, in its pixels, lie in the second, in its pixels.
    pub fn match_images(
        &self,
        matcher: &impl Matcher,
        images: [&RgbImage; 2],
        points: &[[f32; 2]],
    ) -> (CorrVolume, Vec<[f32; 2]>) {
        let maps = images.map(|image| self.maps(image));
        let sizes = images.map(RgbImage::dimensions);
        self.match_maps(matcher, [&maps[0], &maps[1]], sizes, points)
    }

    /// As [`match_images`](Self::match_images), from the images' maps and `sizes` (width, height).
    pub fn match_maps(
        &self,
        matcher: &impl Matcher,
        maps: [&[Tensor<4>]; 2],
        sizes: [(u32, u32); 2],
        points: &[[f32; 2]],
    ) -> (CorrVolume, Vec<[f32; 2]>) {
        let volume = matcher.volume(maps[0], maps[1]);
        if points.is_empty() {
            return (volume, Vec::new());
        }
        let [from, to] = sizes.map(|size| self.frame(size));
        let cells: Vec<f32> = points.iter().flat_map(|&point| from.to_cells(volume.source(), point)).collect();
        let cells = Tensor::from_data(TensorData::new(cells, [1, points.len(), 2]), &self.device);
        let answers: Vec<f32> = matcher.read(&volume, cells).points.into_data().iter::<f32>().collect();
        let found = answers.chunks_exact(2).map(|cell| to.from_cells(volume.target(), [cell[0], cell[1]])).collect();
        (volume, found)
    }

    /// Scores a pair from its images' maps, that of the points asked about first.
    ///
    /// # Errors
    ///
    /// A pair that cannot be scored under the protocol.
    pub fn score_maps(
        &self,
        matcher: &impl Matcher,
        maps: [&[Tensor<4>]; 2],
        pair: &KeyPointPair,
        protocol: &Protocol,
    ) -> Result<PairScore, ScoreError> {
        let (asked, predicted) = (protocol.direction.asked(pair), protocol.direction.predicted(pair));
        let (_, answers) = self.match_maps(matcher, maps, [asked.size, predicted.size], &asked.points);
        score_pair(pair, &answers, protocol)
    }

    /// A pair of a benchmark as a sample to learn from; its points are in cells of `grid`.
    ///
    /// # Errors
    ///
    /// Images that cannot be read.
    pub fn sample(&self, pair: &KeyPointPair, grid: Grid) -> Result<Sample, MatchImagesError> {
        let frames = [pair.source.size, pair.target.size].map(|size| self.frame(size));
        Ok(Sample {
            source: self.maps_of(&pair.source.path)?,
            target: self.maps_of(&pair.target.path)?,
            points: PointsInCells::of(pair, frames, grid),
        })
    }
}

/// Scores a matcher on pairs. Each image is read and run once and its maps are kept meanwhile. `told(done)` counts pairs.
///
/// # Errors
///
/// Images that cannot be read, pairs that cannot be scored under the protocol.
pub fn score_matcher(
    matcher: &impl Matcher,
    on: &OnImages,
    pairs: &[KeyPointPair],
    protocol: &Protocol,
    mut told: impl FnMut(usize),
) -> Result<Vec<PairScore>, MatchImagesError> {
    let mut maps: HashMap<&Path, Vec<Tensor<4>>> = HashMap::new();
    for image in pairs.iter().flat_map(|pair| [&pair.source, &pair.target]) {
        if !maps.contains_key(image.path.as_path()) {
            maps.insert(&image.path, on.maps_of(&image.path)?);
        }
    }
    let mut scores = Vec::with_capacity(pairs.len());
    for (done, pair) in (1..).zip(pairs) {
        let ends = [protocol.direction.asked(pair), protocol.direction.predicted(pair)];
        let ends = ends.map(|image| &maps[image.path.as_path()][..]);
        scores.push(on.score_maps(matcher, ends, pair, protocol)?);
        told(done);
    }
    Ok(scores)
}

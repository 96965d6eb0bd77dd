//! Masked voting on a GPU: mask, propagate, enhance.

use burn::tensor::Tensor;
use burn_cubecl::tensor::CubeTensor;
use corr_volume::CorrVolume;
use corr_volume::gpu::buffers::{beside, buffer, join, part, parts, tensor};
use cubecl::prelude::{CubeCount, CubeDim};

use super::evidence::evidence;
use super::hough::OffsetHistogram;
use super::propagate::propagate;
use crate::host::read;
use crate::voting::{EitherVote, VoteConfig, choose};

/// What [`vote`](crate::vote) answers, of a volume for which [`on_gpu`](corr_volume::gpu::buffers::on_gpu) holds and
/// arguments that have been checked. Masks may be on any device.
///
/// A mirrored target is never laid out: shifts and offsets count its columns from the other side. Beyond the input and
/// the result, memory is twice a part of the batch, and a part is what
/// [`MAX_BUFFER`](corr_volume::gpu::buffers::MAX_BUFFER) holds: a pair alone where its volume is large. Evidence below the
/// smallest normal `f32` may count as 0, as GPUs flush it.
pub(crate) fn vote(
    volume: &CorrVolume,
    source_mask: &Tensor<3>,
    target_mask: &Tensor<3>,
    config: &VoteConfig,
) -> CorrVolume {
    let pairs = Pairs::new(volume, source_mask, target_mask, config);
    let voted = pairs.map(|evidence| {
        if config.enhance {
            pairs.histogram(&evidence).enhance(&evidence);
        }
        tensor(evidence)
    });
    pairs.volume(voted)
}

/// What [`vote_either`](crate::vote_either) answers, as [`vote`]. What comes to the host are the peaks.
pub(crate) fn vote_either(
    volume: &CorrVolume,
    source_mask: &Tensor<3>,
    target_mask: &Tensor<3>,
    config: &VoteConfig,
) -> EitherVote {
    let oriented = |mirror| {
        let config = VoteConfig { mirror, ..config.clone() };
        let (voted, peaks) = vote_with_peaks(volume, source_mask, target_mask, &config);
        (voted.into_values(), read(peaks))
    };
    let (voted, peaks) = oriented(false);
    let (twin, mirrored_peaks) = oriented(true);
    let mirrored = choose(&peaks, &mirrored_peaks);
    let of_pair = |(pair, mirrored): (usize, &bool)| {
        let chosen = if *mirrored { &twin } else { &voted };
        chosen.clone().narrow(0, pair, 1)
    };
    let values = Tensor::cat(mirrored.iter().enumerate().map(of_pair).collect(), 0);
    EitherVote { volume: CorrVolume::new(values, volume.source(), volume.target()), mirrored, peaks, mirrored_peaks }
}

/// [`vote`] and, `[b]`, [`hough_peaks`].
fn vote_with_peaks(
    volume: &CorrVolume,
    source_mask: &Tensor<3>,
    target_mask: &Tensor<3>,
    config: &VoteConfig,
) -> (CorrVolume, Tensor<1>) {
    let pairs = Pairs::new(volume, source_mask, target_mask, config);
    let (voted, peaks) = pairs
        .map(|evidence| {
            let histogram = pairs.histogram(&evidence);
            let peaks = histogram.peaks(&evidence);
            if config.enhance {
                histogram.enhance(&evidence);
            }
            (tensor(evidence), peaks)
        })
        .into_iter()
        .unzip();
    (pairs.volume(voted), join(peaks))
}

/// How well the matches of each pair agree on one offset, `[b]`; see [`hough_peak`](crate::hough_peak).
pub(crate) fn hough_peaks(
    volume: &CorrVolume,
    source_mask: &Tensor<3>,
    target_mask: &Tensor<3>,
    config: &VoteConfig,
) -> Tensor<1> {
    let pairs = Pairs::new(volume, source_mask, target_mask, config);
    join(pairs.map(|evidence| pairs.histogram(&evidence).peaks(&evidence)))
}

struct Pairs<'a> {
    volume: &'a CorrVolume,
    source_mask: Tensor<3>,
    target_mask: Tensor<3>,
    config: &'a VoteConfig,
}

impl<'a> Pairs<'a> {
    fn new(volume: &'a CorrVolume, source_mask: &Tensor<3>, target_mask: &Tensor<3>, config: &'a VoteConfig) -> Self {
        let device = volume.values().device().without_autodiff();
        let there = |mask: &Tensor<3>| mask.clone().without_autodiff().to_device(&device);
        Self { volume, source_mask: there(source_mask), target_mask: there(target_mask), config }
    }

    /// What `then` makes of each part's propagated evidence, a buffer of its own.
    fn map<T>(&self, then: impl Fn(CubeTensor) -> T) -> Vec<T> {
        let (source, target, config) = (self.volume.source(), self.volume.target(), self.config);
        let values = self.volume.values();
        parts(self.volume.batch(), source.cells() * target.cells())
            .iter()
            .map(|pairs| {
                let evidence = evidence(
                    &buffer(part(&values, pairs)),
                    &buffer(part(&self.source_mask, pairs)),
                    &buffer(part(&self.target_mask, pairs)),
                    config,
                );
                if config.propagate {
                    propagate(&evidence, source, target, config.radius, config.own, config.mirror);
                }
                then(evidence)
            })
            .collect()
    }

    fn histogram(&self, evidence: &CubeTensor) -> OffsetHistogram {
        OffsetHistogram::of(evidence, self.volume.source(), self.volume.target(), self.config.mirror)
            .smoothed(self.config.hough_radius, self.config.hough_sigma)
    }

    /// What was voted, on the volume's device, which includes whether it has autodiff.
    fn volume(&self, voted: Vec<Tensor<3>>) -> CorrVolume {
        let values = beside(&self.volume.values(), join(voted));
        CorrVolume::new(values, self.volume.source(), self.volume.target())
    }
}

/// A launch with one unit for each element of a buffer.
pub(super) fn elementwise(buffer: &CubeTensor) -> (CubeCount, CubeDim) {
    let units = CubeDim::new_1d(256);
    let elements = buffer.meta.shape().iter().product();
    (cubecl::calculate_cube_count_elemwise(&buffer.client, elements, units), units)
}

//! Masked voting: mask, propagate, enhance.

use burn::tensor::Tensor;
#[cfg(feature = "wgpu")]
use corr_volume::gpu::buffers::on_gpu;
use corr_volume::{CorrVolume, Grid};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::host::{read, upload};
use crate::hough::OffsetHistogram;
use crate::mutual_softmax::mutual_softmax;
use crate::propagate::propagate;

/// How a volume is voted. Every step can be switched off for itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VoteConfig {
    /// Exponent p of the evidence `T = max(0, C)^p`. Default 2.
    pub power: f32,
    /// Above 0, the evidence is not the correlation but how much both images prefer the match:
    /// `T = √(softmax_j(C / τ) · softmax_i(C / τ))^p` with this τ. Default 0. For the volume of a trained
    /// student, whose correlations are peaked where raw ones are flat.
    pub temperature: f32,
    /// Weigh the evidence with both masks. Default true.
    pub mask: bool,
    /// Let neighbours that move alike support each other. Default true.
    pub propagate: bool,
    /// Radius of the propagation in cells; its Gaussian has σ = radius / 2. Default 3.
    pub radius: usize,
    /// Weigh the neighbours' support with the match's own evidence, `E = T · L`; off: `E = L`. Default true.
    pub own: bool,
    /// Multiply with the regularised Hough histogram of offsets. Default true.
    pub enhance: bool,
    /// Radius in bins of the Gaussian that smooths the histogram. Default 3, a 7×7 window.
    pub hough_radius: usize,
    /// Its σ in bins. Default 1.487.
    pub hough_sigma: f64,
    /// Take offsets after mirroring the target's columns (`x → width − 1 − x`), so that objects
    /// seen from opposite sides vote coherently. Default false.
    pub mirror: bool,
}

impl VoteConfig {
    /// For the volume of a trained student: mutual softmax of temperature .1, propagated, nothing else.
    ///
    /// A student has learnt what voting says. Voting its volume again with the full chain squares what is
    /// peaked already and loses; the smoothing alone gains.
    pub fn for_trained() -> Self {
        Self { power: 1.0, temperature: 0.1, mask: false, own: false, enhance: false, ..Self::default() }
    }
}

impl Default for VoteConfig {
    fn default() -> Self {
        Self {
            power: 2.0,
            temperature: 0.0,
            mask: true,
            propagate: true,
            radius: 3,
            own: true,
            enhance: true,
            hough_radius: 3,
            hough_sigma: 1.487,
            mirror: false,
        }
    }
}

/// What [`vote_either`] chose for each pair.
#[derive(Debug, Clone)]
pub struct EitherVote {
    /// The voted volume of the orientation chosen, in the target's own (unmirrored) cells.
    pub volume: CorrVolume,
    /// Whether the mirrored orientation was chosen, one for each pair.
    pub mirrored: Vec<bool>,
    /// Hough peak of the target as it is, one for each pair; see [`hough_peak`].
    pub peaks: Vec<f32>,
    /// Hough peak of the mirrored target.
    pub mirrored_peaks: Vec<f32>,
}

/// Votes a batch of volumes; no gradient flows through.
///
/// ```text
/// T_ij = m_i m_j max(0, C_ij)^p                                mask (or the mutual softmax for max(0, C))
/// E_ij = T_ij Σ_δ exp(−|δ|²/2σ²) T_{i+δ, j+δ},  σ = r/2         propagate, zero outside the grids
/// V_ij = E_ij (G ∗ H)(j − i),  H(o) = Σ_{j−i=o} E_ij           enhance
/// ```
///
/// The propagation is semi-local voting and the enhancement the regularised Hough matching of
/// Hyperpixel Flow (Min et al., ICCV 2019). The result does not depend on the number of threads.
///
/// With this crate's feature `wgpu`, an `f32` volume on burn's `wgpu` backend stays there and is voted by kernels, to within
/// 1e-4 of the same numbers. A volume on any other device comes to the host.
///
/// # Shapes
///
/// - volume: `[b, source_cells, target_cells]`
/// - source_mask, target_mask: `[b, height, width]` on the volume's grids, 0..=1
/// - output: as the volume, on its device
///
/// # Panics
///
/// If a mask does not fit the volume, or the power is not above 0.
pub fn vote(volume: &CorrVolume, source_mask: Tensor<3>, target_mask: Tensor<3>, config: &VoteConfig) -> CorrVolume {
    check(volume, &source_mask, &target_mask, config);
    #[cfg(feature = "wgpu")]
    if on_gpu(&volume.values()) {
        return crate::gpu::vote(volume, &source_mask, &target_mask, config);
    }
    let (values, _) = vote_batch(volume, source_mask, target_mask, config, Peak::Skip);
    wrap(values, volume)
}

/// How well the matches of each pair agree on one offset.
///
/// The largest bin of the smoothed Hough histogram as a share of all evidence, 0..=1, one value a
/// pair; 0 where the masks or the volume leave no evidence. Comparable between a target and its
/// mirrored twin (`config.mirror`).
///
/// # Panics
///
/// As [`vote`].
pub fn hough_peak(
    volume: &CorrVolume,
    source_mask: Tensor<3>,
    target_mask: Tensor<3>,
    config: &VoteConfig,
) -> Vec<f32> {
    check(volume, &source_mask, &target_mask, config);
    #[cfg(feature = "wgpu")]
    if on_gpu(&volume.values()) {
        return read(crate::gpu::hough_peaks(volume, &source_mask, &target_mask, config));
    }
    vote_batch(volume, source_mask, target_mask, config, Peak::Only).1
}

/// Votes with the target as it is and mirrored, and keeps for each pair the orientation with the
/// higher Hough peak (as it is, where both are equal). `config.mirror` is ignored.
///
/// # Panics
///
/// As [`vote`].
pub fn vote_either(
    volume: &CorrVolume,
    source_mask: Tensor<3>,
    target_mask: Tensor<3>,
    config: &VoteConfig,
) -> EitherVote {
    check(volume, &source_mask, &target_mask, config);
    #[cfg(feature = "wgpu")]
    if on_gpu(&volume.values()) {
        return crate::gpu::vote_either(volume, &source_mask, &target_mask, config);
    }
    let oriented = |mirror| {
        let config = VoteConfig { mirror, ..config.clone() };
        let masks = (source_mask.clone(), target_mask.clone());
        vote_batch(volume, masks.0, masks.1, &config, Peak::Also)
    };
    let (mut values, peaks) = oriented(false);
    let (twins, mirrored_peaks) = oriented(true);
    let mirrored = choose(&peaks, &mirrored_peaks);
    let size = volume.source().cells() * volume.target().cells();
    let pairs = values.chunks_exact_mut(size).zip(twins.chunks_exact(size));
    for ((kept, twin), _) in pairs.zip(&mirrored).filter(|(_, mirrored)| **mirrored) {
        kept.copy_from_slice(twin);
    }
    EitherVote { volume: wrap(values, volume), mirrored, peaks, mirrored_peaks }
}

/// Whether to take the mirrored orientation, pair by pair.
pub(crate) fn choose(peaks: &[f32], mirrored_peaks: &[f32]) -> Vec<bool> {
    peaks.iter().zip(mirrored_peaks).map(|(peak, mirrored)| mirrored > peak).collect()
}

/// Divides every row by its largest value, so that row maxima are 1 and the fixed temperature of a
/// soft readout means the same for voted volumes as for cosines. Rows without a positive value
/// become 0. Gradients do not flow through the maxima.
///
/// # Shapes
///
/// - volume, output: `[b, source_cells, target_cells]`
pub fn normalise_rows(volume: &CorrVolume) -> CorrVolume {
    let values = volume.relu().into_values();
    let largest = values.clone().detach().max_dim(2);
    let empty = largest.clone().lower_equal_elem(0.0);
    let values = values / largest.mask_fill(empty, 1.0);
    CorrVolume::new(values, volume.source(), volume.target())
}

#[derive(Clone, Copy, PartialEq)]
enum Peak {
    Skip,
    Also,
    Only,
}

fn wrap(values: Vec<f32>, volume: &CorrVolume) -> CorrVolume {
    let (source, target) = (volume.source(), volume.target());
    let shape = [volume.batch(), source.cells(), target.cells()];
    let values = upload(values, shape, &volume.values().device());
    CorrVolume::new(values, source, target)
}

fn vote_batch(
    volume: &CorrVolume,
    source_mask: Tensor<3>,
    target_mask: Tensor<3>,
    config: &VoteConfig,
    peak: Peak,
) -> (Vec<f32>, Vec<f32>) {
    let (source, target) = (volume.source(), volume.target());
    let source_mask = read(source_mask);
    let target_mask = read(target_mask);
    let mut values = read(volume.values());
    let peaks = values
        .par_chunks_mut(source.cells() * target.cells())
        .zip(source_mask.par_chunks(source.cells()))
        .zip(target_mask.par_chunks(target.cells()))
        .map(|((pair, source_mask), target_mask)| {
            load(pair, source_mask, target_mask, target, config);
            if config.propagate {
                propagate(pair, source, target, config.radius, config.own);
            }
            let mut share = 0.0;
            if config.enhance || peak != Peak::Skip {
                let histogram =
                    OffsetHistogram::of(pair, source, target).smoothed(config.hough_radius, config.hough_sigma);
                share = histogram.peak();
                if config.enhance && peak != Peak::Only {
                    histogram.enhance(pair, source, target);
                }
            }
            if config.mirror {
                mirror_columns(pair, target);
            }
            share
        })
        .collect();
    (values, peaks)
}

fn check(volume: &CorrVolume, source_mask: &Tensor<3>, target_mask: &Tensor<3>, config: &VoteConfig) {
    check_mask("source", source_mask, volume.batch(), volume.source());
    check_mask("target", target_mask, volume.batch(), volume.target());
    assert!(config.power > 0.0, "the power of the evidence is above 0, not {}", config.power);
    assert!(config.temperature >= 0.0, "the temperature of the evidence is 0 or above, not {}", config.temperature);
}

pub(crate) fn check_mask(which: &str, mask: &Tensor<3>, batch: usize, grid: Grid) {
    assert_eq!(
        mask.dims(),
        [batch, grid.height, grid.width],
        "the {which} mask has to be [batch, height, width] of the volume's {which} grid"
    );
}

/// Correlations become masked evidence, in place; the target is mirrored on its way in.
fn load(pair: &mut [f32], source_mask: &[f32], target_mask: &[f32], target: Grid, config: &VoteConfig) {
    if config.temperature > 0.0 {
        mutual_softmax(pair, target.cells(), config.temperature);
    }
    pair.par_chunks_mut(target.cells()).zip(source_mask).for_each(|(map, source_weight)| {
        match config.power {
            1.0 => map.iter_mut().for_each(|c| *c = c.max(0.0)),
            2.0 => map.iter_mut().for_each(|c| *c = c.max(0.0).powi(2)),
            3.0 => map.iter_mut().for_each(|c| *c = c.max(0.0).powi(3)),
            power => map.iter_mut().for_each(|c| *c = c.max(0.0).powf(power)),
        }
        if config.mask {
            for (t, target_weight) in map.iter_mut().zip(target_mask) {
                *t *= source_weight * target_weight;
            }
        }
    });
    if config.mirror {
        mirror_columns(pair, target);
    }
}

fn mirror_columns(pair: &mut [f32], target: Grid) {
    pair.par_chunks_exact_mut(target.width).for_each(|row| row.reverse());
}

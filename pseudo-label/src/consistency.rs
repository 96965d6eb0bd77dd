//! Which cells of an image can be relied on, and whether the image is kept.

use corr_volume::Grid;
use serde::{Deserialize, Serialize};

use crate::object_box::{CellBox, object_box};

/// How the consistency of an image with its partners is judged. Each check can be switched off by itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ConsistencyConfig {
    /// Ask for closed cycles. Default true.
    pub cycle: bool,
    /// A cycle is closed if it ends within this many cells of its start, or … Default 1.
    pub cycle_cells: f32,
    /// … within this share of the longer side of the object's box, whichever is more. Default 0.05.
    pub cycle_share: f32,
    /// Ask for peaked match distributions. Default true.
    pub peaked: bool,
    /// The least [`peakedness`](crate::peakedness()) of a match that counts, 0..=1. Default 0.3.
    pub least_peakedness: f32,
    /// Temperature of the distributions whose peakedness is asked for. Default 0.05, at which students are trained.
    pub temperature: f32,
    /// The least share of the partners with which a discriminative cell's match passes, 0..=1. Default 0.5.
    pub partners: f32,
    /// Consider the object alone: the foreground of the mask. Without it the object is the whole image. Default true.
    pub mask: bool,
    /// The least mask of a foreground cell, 0..=1. Default 0.5.
    pub foreground: f32,
    /// The least number of discriminative cells of an image that is kept. Default 8.
    pub least_cells: usize,
    /// The least number of the 4×4 blocks of the object's box that hold one. Default 4.
    pub least_blocks: usize,
}

impl Default for ConsistencyConfig {
    fn default() -> Self {
        Self {
            cycle: true,
            cycle_cells: 1.0,
            cycle_share: 0.05,
            peaked: true,
            least_peakedness: 0.3,
            temperature: 0.05,
            partners: 0.5,
            mask: true,
            foreground: 0.5,
            least_cells: 8,
            least_blocks: 4,
        }
    }
}

/// Blocks along each side of the object's box.
const BLOCKS: usize = 4;

/// What is known of an image's matches with one partner, one value for each cell of the image.
#[derive(Clone, Copy, Debug)]
pub struct PartnerMatches<'a> {
    /// How far from home the cell's cycle ends, cells; NaN where it does not close. Of the pair
    /// ([`cycle_errors`](crate::cycle_errors)), of a chain through a third image, or the worse of both
    /// ([`worst_errors`](crate::worst_errors)).
    pub cycle_errors: &'a [f32],
    /// How peaked the cell's match distribution is, 0..=1; see [`peakedness`](crate::peakedness()).
    pub peakedness: &'a [f32],
}

impl PartnerMatches<'_> {
    /// Panics if there is not one value of each for every cell.
    pub(crate) fn check(&self, grid: Grid) {
        let (errors, peakedness, cells) = (self.cycle_errors.len(), self.peakedness.len(), grid.cells());
        assert!(
            errors == cells && peakedness == cells,
            "an image of {grid} cells has a cycle error and a peakedness for each, got {errors} and {peakedness}"
        );
    }
}

/// Why an image is not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rejection {
    /// There was no other image of its class to compare it with.
    NoPartner,
    /// No cell is foreground.
    NoForeground,
    /// Too few cells are discriminative.
    FewCells,
    /// The discriminative cells lie in too few blocks of the object's box.
    FewBlocks,
}

impl std::fmt::Display for Rejection {
    /// The name that files use, as `few-cells`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::NoPartner => "no-partner",
            Self::NoForeground => "no-foreground",
            Self::FewCells => "few-cells",
            Self::FewBlocks => "few-blocks",
        })
    }
}

/// What became of an image.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// Its cells.
    pub grid: Grid,
    /// For each cell the share of the partners with which its match passes, 0..=1, foreground or not; 0 without partners.
    pub agreement: Vec<f32>,
    /// Whether each cell is discriminative.
    pub discriminative: Vec<bool>,
    /// The box of the object; every cell where there is none.
    pub object: CellBox,
    /// The share of the object's foreground cells that are discriminative, 0..=1.
    pub score: f32,
    /// How many cells are discriminative.
    pub cells: usize,
    /// How many of the 4×4 blocks of the box hold one.
    pub blocks: usize,
    /// Why the image is not kept; `None` if it is.
    pub rejection: Option<Rejection>,
}

/// How far from its start a closed cycle may end, cells: `max(cycle_cells, cycle_share · longer side of the box)`.
pub fn cycle_tolerance(object: &CellBox, config: &ConsistencyConfig) -> f32 {
    config.cycle_cells.max(config.cycle_share * object.longer_side() as f32)
}

/// Whether one match of a cell passes every check that is switched on. NaN passes none.
pub fn passes(cycle_error: f32, peakedness: f32, tolerance: f32, config: &ConsistencyConfig) -> bool {
    (!config.cycle || cycle_error <= tolerance) && (!config.peaked || peakedness >= config.least_peakedness)
}

/// Judges an image by its matches with its partners; `mask` is the foreground weight of each of its cells, 0..=1.
///
/// The object is the largest connected part of the foreground, and its box the tight one of that part. A foreground cell
/// in the box is *discriminative* if its match passes with at least one partner and at least the share
/// [`partners`](ConsistencyConfig::partners) of them. The image is kept if there are enough such cells in enough blocks of
/// the box; of several reasons not to, the first in the order of [`Rejection`] is given.
///
/// # Panics
///
/// If the mask or a partner's values are not one a cell.
pub fn judge(mask: &[f32], grid: Grid, partners: &[PartnerMatches<'_>], config: &ConsistencyConfig) -> Judgement {
    assert_eq!(mask.len(), grid.cells(), "a mask over a grid of {grid} has one value for each of its cells");
    partners.iter().for_each(|partner| partner.check(grid));

    let found = if config.mask { object_box(mask, grid, config.foreground) } else { Some(CellBox::whole(grid)) };
    let object = found.unwrap_or(CellBox::whole(grid));
    let tolerance = cycle_tolerance(&object, config);
    let block_of = |cell: usize| {
        let (row, column) = grid.row_col(cell);
        object.block(row, column, BLOCKS).filter(|_| !config.mask || mask[cell] >= config.foreground)
    };

    let (mut agreement, mut discriminative) = (Vec::new(), Vec::new());
    let (mut foreground, mut cells, mut held) = (0, 0, [false; BLOCKS * BLOCKS]);
    for cell in 0..grid.cells() {
        let passed = partners
            .iter()
            .filter(|partner| passes(partner.cycle_errors[cell], partner.peakedness[cell], tolerance, config))
            .count();
        let share = if passed == 0 { 0.0 } else { passed as f32 / partners.len() as f32 };
        let block = block_of(cell);
        let good = block.is_some() && passed > 0 && share >= config.partners;
        foreground += usize::from(block.is_some());
        if let (Some(block), true) = (block, good) {
            cells += 1;
            held[block] = true;
        }
        agreement.push(share);
        discriminative.push(good);
    }
    let blocks = held.iter().filter(|held| **held).count();
    let score = if foreground == 0 { 0.0 } else { cells as f32 / foreground as f32 };

    let rejection = if partners.is_empty() {
        Some(Rejection::NoPartner)
    } else if found.is_none() {
        Some(Rejection::NoForeground)
    } else if cells < config.least_cells {
        Some(Rejection::FewCells)
    } else if blocks < config.least_blocks {
        Some(Rejection::FewBlocks)
    } else {
        None
    };
    Judgement { grid, agreement, discriminative, object, score, cells, blocks, rejection }
}

//! Mirroring both images mirrors what is made of them.
//!
//! But for ties, which go to the first in row-major order, for the choice by chance, and for the number of blocks: the cells of
//! a side that is no multiple of four cannot be dealt out to four blocks alike from both ends.

use corr_volume::Grid;
use proptest::prelude::*;
use pseudo_label::{
    CellBox, ConsistencyConfig, KeyPointConfig, MatchField, PartnerMatches, cycle_errors, judge, pair_key_points,
    peakedness,
};

use crate::{grids, levels};

fn mirrored<T: Copy>(values: &[T], grid: Grid) -> Vec<T> {
    values.chunks(grid.width).flat_map(|row| row.iter().rev().copied()).collect()
}

fn mirrored_point([x, y]: [f32; 2], grid: Grid) -> [f32; 2] {
    [(grid.width - 1) as f32 - x, y]
}

/// The matches of mirrored cells in a mirrored image.
fn mirrored_field(points: &[[f32; 2]], grid: Grid, other: Grid) -> Vec<[f32; 2]> {
    let points: Vec<[f32; 2]> = points.iter().map(|point| mirrored_point(*point, other)).collect();
    mirrored(&points, grid)
}

fn mirrored_box(object: CellBox, grid: Grid) -> CellBox {
    CellBox { left: grid.width - object.right, right: grid.width - object.left, ..object }
}

/// Points of another image, some of them outside of it.
fn fields(grid: Grid, other: Grid) -> impl Strategy<Value = Vec<[f32; 2]>> {
    let (width, height) = (other.width as f32, other.height as f32);
    let point = (-1.0..width, -1.0..height).prop_map(|(x, y)| [x, y]);
    prop::collection::vec(point, grid.cells())
}

/// The mask of an object that is a box, with weights of its own inside.
fn masks(grid: Grid) -> impl Strategy<Value = (CellBox, Vec<f32>)> {
    let sides = (0..grid.width, 0..grid.width, 0..grid.height, 0..grid.height);
    (sides, prop::collection::vec(0.5f32..1.0, grid.cells())).prop_map(move |((a, b, c, d), weights)| {
        let object = CellBox { left: a.min(b), right: a.max(b) + 1, top: c.min(d), bottom: c.max(d) + 1 };
        let inside = |cell: usize| object.contains([(cell % grid.width) as f32, (cell / grid.width) as f32]);
        let weight = |(cell, weight): (usize, f32)| if inside(cell) { weight } else { weight - 0.5 };
        (object, weights.into_iter().enumerate().map(weight).collect())
    })
}

/// Numbers between 0 and 1 of which no two are alike.
fn distinct(cells: usize) -> impl Strategy<Value = Vec<f32>> {
    let values: Vec<f32> = (0..cells).map(|k| (k as f32 + 0.5) / cells as f32).collect();
    Just(values).prop_shuffle()
}

proptest! {
    #[test]
    fn cycle_errors_are_mirrored(
        (a, b, there, back) in (grids(), grids())
            .prop_flat_map(|(a, b)| (Just(a), Just(b), fields(a, b), fields(b, a))),
    ) {
        let errors = cycle_errors(&[MatchField::new(&there, a), MatchField::new(&back, b)]);
        let (there, back) = (mirrored_field(&there, a, b), mirrored_field(&back, b, a));
        let found = cycle_errors(&[MatchField::new(&there, a), MatchField::new(&back, b)]);
        for (found, wanted) in found.iter().zip(mirrored(&errors, a)) {
            prop_assert!((found - wanted).abs() < 1e-4, "{} is not {}", found, wanted);
        }
    }

    #[test]
    fn peakedness_does_not_change(
        (target, scores) in grids().prop_flat_map(|grid| (Just(grid), distinct(grid.cells()))),
        temperature in 0.02f32..1.0,
    ) {
        let one = peakedness(&scores, target, temperature);
        let other = peakedness(&mirrored(&scores, target), target, temperature);
        prop_assert!((one - other).abs() < 1e-5, "{} is not {}", other, one);
    }

    #[test]
    fn judgements_are_mirrored(
        (grid, (object, mask), partners) in grids().prop_flat_map(|grid| {
            let partner = (levels(grid.cells()), levels(grid.cells()));
            (Just(grid), masks(grid), prop::collection::vec(partner, 0..4))
        }),
        partners_share in 0.0f32..1.0, least_cells in 0usize..6,
    ) {
        let config = ConsistencyConfig { partners: partners_share, cycle_cells: 0.5, least_cells, least_blocks: 0, ..Default::default() };
        let judged = |mask: &[f32], partners: &[(Vec<f32>, Vec<f32>)]| {
            let partners: Vec<_> = partners
                .iter()
                .map(|(cycle_errors, peakedness)| PartnerMatches { cycle_errors, peakedness })
                .collect();
            judge(mask, grid, &partners, &config)
        };
        let one = judged(&mask, &partners);
        let others: Vec<_> = partners.iter().map(|(a, b)| (mirrored(a, grid), mirrored(b, grid))).collect();
        let other = judged(&mirrored(&mask, grid), &others);
        prop_assert_eq!(one.object, object);
        prop_assert_eq!(other.object, mirrored_box(object, grid));
        prop_assert_eq!(&other.agreement, &mirrored(&one.agreement, grid));
        prop_assert_eq!(&other.discriminative, &mirrored(&one.discriminative, grid));
        prop_assert_eq!((other.score, other.cells, other.rejection), (one.score, one.cells, one.rejection));
        if (object.right - object.left) % 4 == 0 {
            prop_assert_eq!(other.blocks, one.blocks);
        }
    }

    #[test]
    fn key_points_are_mirrored_and_stay_in_their_order(
        (a, b, there, (_, mask), (_, other_mask), sure) in (grids(), grids()).prop_flat_map(|(a, b)| {
            (Just(a), Just(b), fields(a, b), masks(a), masks(b), distinct(a.cells()))
        }),
        most in 0usize..12, spacing in 0.0f32..3.0,
    ) {
        let config = ConsistencyConfig { least_peakedness: 0.2, ..Default::default() };
        let choice = KeyPointConfig { most, spacing, ..Default::default() };
        let found = |there: &[[f32; 2]], mask: &[f32], other_mask: &[f32], sure: &[f32]| {
            let closed = vec![0.0; a.cells().max(b.cells())];
            let matches = PartnerMatches { cycle_errors: &closed[..a.cells()], peakedness: sure };
            let certain = vec![1.0; b.cells()];
            let back = PartnerMatches { cycle_errors: &closed[..b.cells()], peakedness: &certain };
            let (source, target) = (judge(mask, a, &[matches], &config), judge(other_mask, b, &[back], &config));
            pair_key_points(&source, &target, MatchField::new(there, a), matches, &config, &choice)
        };
        let one = found(&there, &mask, &other_mask, &sure);
        let other = found(
            &mirrored_field(&there, a, b),
            &mirrored(&mask, a),
            &mirrored(&other_mask, b),
            &mirrored(&sure, a),
        );
        prop_assert_eq!(other.len(), one.len());
        for (one, other) in one.iter().zip(&other) {
            prop_assert_eq!(other.source, mirrored_point(one.source, a));
            prop_assert_eq!(other.confidence, one.confidence);
            let [x, y] = mirrored_point(one.target, b);
            prop_assert!((other.target[0] - x).abs() < 1e-5 && other.target[1] == y, "{:?} and {:?}", one, other);
        }
    }
}

/// Four blocks of six cells have 2, 1, 2 and 1 of them, from whichever end they are counted.
#[test]
fn a_box_of_six_cells_has_blocks_that_are_not_mirrored() {
    let object = CellBox { left: 0, top: 0, right: 6, bottom: 1 };
    let blocks: Vec<_> = (0..6).map(|column| object.block(0, column, 4).unwrap()).collect();
    assert_eq!(blocks, [0, 0, 1, 2, 2, 3]);
}

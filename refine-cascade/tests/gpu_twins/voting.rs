//! Voting, its peaks, and the choice between two orientations.

use burn::tensor::{Device, Tensor};
use corr_volume::{CorrVolume, Grid};
use refine_cascade::{VoteConfig, hough_peak, vote, vote_either};

use super::tensors::{Host, adapter, assert_close, numbers};

struct Pair {
    values: Host<3>,
    source_mask: Host<3>,
    target_mask: Host<3>,
    source: Grid,
    target: Grid,
}

impl Pair {
    fn random(batch: usize, source: Grid, target: Grid, seed: u64) -> Self {
        // A share of every mask is exactly 0.
        let mask = |grid: Grid, seed| {
            Host::uniform([batch, grid.height, grid.width], -0.3, 1.0, seed).map(|_, value| value.max(0.0))
        };
        Self {
            values: Host::uniform([batch, source.cells(), target.cells()], -0.5, 1.0, seed),
            source_mask: mask(source, seed + 1),
            target_mask: mask(target, seed + 2),
            source,
            target,
        }
    }

    fn on(&self, device: &Device) -> (CorrVolume, Tensor<3>, Tensor<3>) {
        let volume = CorrVolume::new(self.values.on(device), self.source, self.target);
        (volume, self.source_mask.on(device), self.target_mask.on(device))
    }

    fn check(&self, config: &VoteConfig) {
        let Some(device) = adapter() else { return };
        let what = format!("{} to {}, {config:?}", self.source, self.target);
        let votes = |device: &Device| {
            let (volume, source_mask, target_mask) = self.on(device);
            numbers(vote(&volume, source_mask, target_mask, config).into_values())
        };
        assert_close(&votes(&device), &votes(&Device::flex()), 1e-4, 0.0, &what);
        let peaks = |device: &Device| {
            let (volume, source_mask, target_mask) = self.on(device);
            hough_peak(&volume, source_mask, target_mask, config)
        };
        assert_close(&peaks(&device), &peaks(&Device::flex()), 1e-4, 0.0, &format!("{what}, peaks"));
    }
}

fn configs() -> Vec<VoteConfig> {
    let default = VoteConfig::default;
    vec![
        default(),
        VoteConfig { mirror: true, power: 3.0, ..default() },
        VoteConfig::for_trained(),
        VoteConfig { temperature: 0.3, mirror: true, radius: 2, hough_radius: 1, ..VoteConfig::for_trained() },
        VoteConfig { power: 2.5, mask: false, radius: 1, ..default() },
        VoteConfig { radius: 0, hough_radius: 0, ..default() },
        VoteConfig { radius: 0, own: false, enhance: false, ..default() },
        VoteConfig { propagate: false, mirror: true, hough_sigma: 0.7, ..default() },
        VoteConfig { own: false, radius: 5, power: 1.0, ..default() },
    ]
}

#[test]
fn votes_agree_under_every_switch() {
    let pairs = [
        Pair::random(2, Grid::new(4, 5), Grid::new(4, 5), 1),
        Pair::random(1, Grid::new(3, 7), Grid::new(6, 2), 2),
        Pair::random(3, Grid::new(1, 1), Grid::new(3, 2), 3),
    ];
    for config in configs() {
        pairs.iter().for_each(|pair| pair.check(&config));
    }
}

#[test]
fn votes_agree_on_equal_scores_and_on_nothing_at_all() {
    let pair = Pair::random(1, Grid::new(4, 3), Grid::new(2, 5), 4);
    let (values, masks) = (pair.values.clone(), (pair.source_mask.clone(), pair.target_mask.clone()));
    let changed = |values: Host<3>, masks: (Host<3>, Host<3>)| Pair {
        values,
        source_mask: masks.0,
        target_mask: masks.1,
        source: pair.source,
        target: pair.target,
    };
    let nowhere = (masks.0.clone().map(|_, _| 0.0), masks.1.clone().map(|_, _| 0.0));
    for config in configs() {
        changed(values.clone().map(|_, _| 0.5), masks.clone()).check(&config);
        changed(values.clone().map(|_, value| -value.abs()), masks.clone()).check(&config);
        changed(values.clone(), nowhere.clone()).check(&config);
    }
}

#[test]
fn a_large_batch_goes_in_parts() {
    let pair = Pair::random(1025, Grid::new(1, 1), Grid::new(1, 2), 6);
    pair.check(&VoteConfig { temperature: 0.2, ..VoteConfig::default() });
}

#[test]
fn votes_agree_on_tiny_and_large_evidence() {
    let pair = Pair::random(1, Grid::new(4, 4), Grid::new(4, 4), 5);
    for scale in [1e-4, 1e4] {
        let values = pair.values.clone().map(|_, value| scale * value);
        let masks = (pair.source_mask.clone(), pair.target_mask.clone());
        let scaled =
            Pair { values, source_mask: masks.0, target_mask: masks.1, source: pair.source, target: pair.target };
        scaled.check(&VoteConfig::default());
        scaled.check(&VoteConfig { power: 1.0, ..VoteConfig::default() });
    }
}

#[test]
fn the_same_orientation_is_chosen() {
    let Some(device) = adapter() else { return };
    let (grid, pairs) = (Grid::new(3, 4), 4);
    let mut pair = Pair::random(pairs, grid, grid, 6);
    // Every other pair matches cells with their mirrored twins, the rest with themselves.
    let size = grid.cells() * grid.cells();
    pair.values = pair.values.map(|index, value| {
        let (row, column) = (index % size / grid.cells(), index % grid.cells());
        let mirrored = column / grid.width * grid.width + grid.width - 1 - column % grid.width;
        let match_of_row = if index / size % 2 == 0 { mirrored } else { column };
        if match_of_row == row { 1.0 } else { 0.1 * value }
    });
    pair.source_mask = pair.source_mask.map(|_, _| 1.0);
    pair.target_mask = pair.target_mask.map(|_, _| 1.0);
    let either = |device: &Device| {
        let (volume, source_mask, target_mask) = pair.on(device);
        vote_either(&volume, source_mask, target_mask, &VoteConfig::default())
    };
    let (found, wanted) = (either(&device), either(&Device::flex()));
    assert_eq!(wanted.mirrored, [true, false, true, false]);
    assert_eq!(found.mirrored, wanted.mirrored);
    assert_close(&found.peaks, &wanted.peaks, 1e-4, 0.0, "peaks");
    assert_close(&found.mirrored_peaks, &wanted.mirrored_peaks, 1e-4, 0.0, "mirrored peaks");
    assert_close(&numbers(found.volume.into_values()), &numbers(wanted.volume.into_values()), 1e-4, 0.0, "votes");
}

#[test]
fn votes_stay_on_the_device_of_the_volume() {
    let Some(device) = adapter() else { return };
    let pair = Pair::random(1, Grid::new(2, 3), Grid::new(3, 2), 7);
    for device in [device.clone(), device.autodiff()] {
        let (volume, ..) = pair.on(&device);
        // Masks may come from the host.
        let (_, source_mask, target_mask) = pair.on(&Device::flex());
        let voted = vote(&volume, source_mask, target_mask, &VoteConfig::default()).into_values();
        assert!(voted.device() == device && !voted.is_tracked());
    }
}

#[test]
fn a_transposed_volume_is_voted_as_it_is_read() {
    let Some(device) = adapter() else { return };
    let pair = Pair::random(2, Grid::new(3, 5), Grid::new(4, 2), 8);
    let votes = |device: &Device| {
        let (volume, source_mask, target_mask) = pair.on(device);
        numbers(vote(&volume.transpose(), target_mask, source_mask, &VoteConfig::default()).into_values())
    };
    assert_close(&votes(&device), &votes(&Device::flex()), 1e-4, 0.0, "transposed");
}

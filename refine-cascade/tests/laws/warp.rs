use burn::tensor::Device;
use corr_volume::Grid;
use proptest::prelude::*;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use refine_cascade::{Padding, ThinPlate, Warp, WarpConfig, warp_images, warp_targets};

use crate::naive::tensors::*;

fn sampled(seed: u64) -> Warp {
    Warp::sample(&WarpConfig::default(), &mut ChaCha8Rng::seed_from_u64(seed))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn inverting_undoes_applying(seed: u64, x in -1.0f64..1.0, y in -1.0f64..1.0) {
        let warp = sampled(seed);
        let back = warp.invert(warp.apply([x, y])).expect("mild splines can be inverted");
        assert_close(&back, &[x, y], 1e-8, 0.0);
    }

    #[test]
    fn targets_say_where_the_warped_image_looks(seed: u64) {
        // An image whose channels are its own coordinates: what a warped pixel shows is where it
        // looked, wherever the sample touches no border.
        let grid = Grid::new(9, 12);
        let device = Device::flex();
        let places: Vec<f64> = (0..216)
            .map(|k| if k < 108 { (k % 12) as f64 } else { ((k - 108) / 12) as f64 })
            .collect();
        let warps = [sampled(seed)];
        let image = tensor(&places, [1, 2, 9, 12], &device);
        let seen = numbers(warp_images(image, &warps, Padding::Zero));
        let targets = warp_targets(&warps, grid, &device);
        let weights = numbers(targets.weights);
        for (cell, point) in numbers(targets.points).chunks(2).enumerate() {
            let inner = (0.0..11.0).contains(&point[0]) && (0.0..8.0).contains(&point[1]);
            if inner {
                prop_assert_eq!(weights[cell], 1.0);
                assert_close(&[seen[cell], seen[108 + cell]], point, 1e-4, 0.0);
            }
            let outside = point[0] < -1.0 || point[0] > 12.0 || point[1] < -1.0 || point[1] > 9.0;
            if outside {
                prop_assert_eq!(weights[cell], 0.0);
                prop_assert_eq!([seen[cell], seen[108 + cell]], [0.0, 0.0]);
            }
        }
    }

    #[test]
    fn splines_pass_through_their_control_points(seed: u64, side in 2..5usize) {
        let jitter = uniform(side * side * 2, -0.3, 0.3, seed);
        let jitter: Vec<[f64; 2]> = jitter.chunks(2).map(|d| [d[0], d[1]]).collect();
        let spline = ThinPlate::through(&jitter);
        let place = |k: usize| 2.0 * k as f64 / (side - 1) as f64 - 1.0;
        for (k, displacement) in jitter.iter().enumerate() {
            let at = spline.at([place(k % side), place(k / side)]);
            assert_close(&at, displacement, 1e-9, 0.0);
        }
    }
}

#[test]
fn an_affine_displacement_bends_nothing() {
    let place = [-1.0, 0.0, 1.0];
    let move_of = |x: f64, y: f64| [0.1 + 0.2 * x - 0.1 * y, 0.05 * y - 0.3 * x];
    let displacements: Vec<[f64; 2]> = (0..9).map(|k| move_of(place[k % 3], place[k / 3])).collect();
    let spline = ThinPlate::through(&displacements);
    assert_close(&spline.at([0.3, -0.7]), &move_of(0.3, -0.7), 1e-12, 0.0);
}

#[test]
fn the_identity_and_the_mirror_are_exact() {
    let device = Device::flex();
    let values = uniform(2 * 3 * 20, 0.0, 1.0, 1);
    let image = tensor::<4>(&values, [2, 3, 4, 5], &device);
    let warps = [Warp::identity(), Warp::affine([[-1.0, 0.0], [0.0, 1.0]], [0.0, 0.0])];
    let found = numbers(warp_images(image.clone(), &warps, Padding::Zero));
    let mirrored = numbers(image.flip([3]));
    let values: Vec<f64> = values.iter().map(|v| f64::from(*v as f32)).collect();
    assert_close(&found[..60], &values[..60], 1e-6, 0.0);
    assert_close(&found[60..], &mirrored[60..], 1e-6, 0.0);
    let targets = warp_targets(&warps, Grid::new(2, 3), &device);
    let columns: Vec<f64> = numbers(targets.points).chunks(2).map(|p| p[0]).collect();
    let wanted = [0.0, 1.0, 2.0, 0.0, 1.0, 2.0, 2.0, 1.0, 0.0, 2.0, 1.0, 0.0];
    assert_close(&columns, &wanted, 1e-6, 0.0);
    assert_eq!(numbers(targets.weights), [1.0; 12]);
}

#[test]
fn beyond_the_edge_is_the_mean_where_asked() {
    let image = tensor::<4>(&[1.0, 2.0, 3.0, 6.0], [1, 1, 2, 2], &Device::flex());
    let away = [Warp::affine([[1.0, 0.0], [0.0, 1.0]], [9.0, 0.0])];
    let found = numbers(warp_images(image.clone(), &away, Padding::Mean));
    assert_eq!(found, [3.0; 4]);
    assert_eq!(numbers(warp_images(image, &away, Padding::Zero)), [0.0; 4]);
}

#[test]
fn one_seed_one_warp() {
    assert_eq!(sampled(7), sampled(7));
    assert_ne!(sampled(7), sampled(8));
}

#[test]
fn nothing_to_draw_is_the_identity() {
    let still = WarpConfig {
        rotation: 0.0,
        scale: [1.0, 1.0],
        shear: 0.0,
        translation: 0.0,
        tps: 1.0,
        tps_jitter: 0.0,
        ..WarpConfig::default()
    };
    let warp = Warp::sample(&still, &mut ChaCha8Rng::seed_from_u64(0));
    assert_close(&warp.apply([0.3, -0.6]), &[0.3, -0.6], 1e-12, 0.0);
}

#[test]
#[should_panic(expected = "a warp is invertible")]
fn a_singular_warp_is_refused() {
    Warp::affine([[1.0, 2.0], [2.0, 4.0]], [0.0, 0.0]);
}

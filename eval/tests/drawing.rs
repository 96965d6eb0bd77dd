//! Pictures of matches: what is drawn where.

use eval::{DrawnMatch, draw_matches, side_by_side, warp_source};
use image::{Rgb, RgbImage};

fn grey(width: u32, height: u32) -> RgbImage {
    RgbImage::from_pixel(width, height, Rgb([200, 200, 200]))
}

fn changed(picture: &RgbImage, blank: &RgbImage) -> Vec<(u32, u32)> {
    picture
        .enumerate_pixels()
        .filter(|(x, y, pixel)| blank.get_pixel(*x, *y) != *pixel)
        .map(|(x, y, _)| (x, y))
        .collect()
}

#[test]
fn images_stand_beside_one_another() {
    let blank = side_by_side(&[&grey(60, 30), &RgbImage::new(40, 50)]);
    assert_eq!(blank.dimensions(), (103, 50));
    assert_eq!(blank.get_pixel(59, 29), &Rgb([200, 200, 200]));
    assert_eq!(blank.get_pixel(60, 0), blank.get_pixel(0, 49), "the gap and the room below are background");
    assert_eq!(blank.get_pixel(63, 49), &Rgb([0, 0, 0]));
}

#[test]
fn a_match_is_two_dots_and_a_line() {
    let (source, target) = (grey(60, 60), grey(60, 60));
    let blank = side_by_side(&[&source, &target]);
    let of = |source_point, target_point, confidence| {
        draw_matches(&source, &target, &[DrawnMatch { source: source_point, target: target_point, confidence }])
    };
    let sure = of([10.0, 20.0], [50.0, 40.0], 1.0);
    let pixels = changed(&sure, &blank);
    for expected in [(10, 20), (113, 40), (61, 30)] {
        assert!(pixels.contains(&expected), "{expected:?}");
    }
    // Everything drawn lies within reach of the straight line from (10, 20) to (113, 40).
    for (x, y) in pixels {
        let on_line = 20.0 + (x as f32 - 10.0) * 20.0 / 103.0;
        assert!((y as f32 - on_line).abs() < 5.0 && (6..=117).contains(&x), "({x}, {y})");
    }
    let distance = |picture: &RgbImage| (0..3).map(|c| picture.get_pixel(40, 26)[c].abs_diff(200) as u32).sum::<u32>();
    assert!(distance(&sure) > 2 * distance(&of([10.0, 20.0], [50.0, 40.0], 0.0)), "an unsure match is fainter");
}

#[test]
fn nothing_outside_the_world_panics() {
    let (source, target) = (grey(20, 10), grey(1, 1));
    let far = [[-1e9, 5.0], [1e9, -1e9], [f32::NAN, 0.0], [0.0, f32::INFINITY], [3.0, 3.0]];
    let matches: Vec<_> =
        far.iter().flat_map(|&source| far.map(|target| DrawnMatch { source, target, confidence: f32::NAN })).collect();
    draw_matches(&source, &target, &matches);
    draw_matches(&source, &target, &[]);
    assert_eq!(side_by_side(&[]).dimensions(), (0, 0));
}

#[test]
fn warping_samples_between_pixels() {
    let source = RgbImage::from_fn(4, 4, |x, y| Rgb([40 * x as u8, 40 * y as u8, 0]));
    assert_eq!(warp_source(&source, (4, 4), Some), source);
    let shifted = warp_source(&source, (4, 4), |[x, y]| Some([x + 0.5, y]));
    assert_eq!(shifted.get_pixel(1, 2), &Rgb([60, 80, 0]));
    assert_eq!(shifted.get_pixel(3, 2), &Rgb([96, 96, 96]), "half a pixel outside");
    let empty = warp_source(&source, (2, 1), |_| None);
    assert!(empty.pixels().all(|pixel| pixel == &Rgb([96, 96, 96])));
}

//! What the drawn data set promises: pure, varied, exact, and not to be solved by position or colour.

use sc_imagenet::drawn::{DrawnConfig, DrawnImage, class_names, draw, draw_all, key_point_names};
use std::collections::HashSet;

const INSTANCES: u64 = 12;

fn distance(a: [f32; 2], b: [f32; 2]) -> f32 {
    (a[0] - b[0]).hypot(a[1] - b[1])
}

/// All ordered pairs of two different images of one class.
fn pairs(images: &[DrawnImage]) -> impl Iterator<Item = (&DrawnImage, &DrawnImage)> {
    images.iter().enumerate().flat_map(move |(i, a)| {
        images.iter().enumerate().filter(move |(j, b)| i != *j && a.class == b.class).map(move |(_, b)| (a, b))
    })
}

/// Key points seen in both images.
fn shared_key_points(a: &DrawnImage, b: &DrawnImage) -> Vec<([f32; 2], [f32; 2])> {
    a.key_points.iter().zip(&b.key_points).filter_map(|(p, q)| Some(((*p)?, (*q)?))).collect()
}

/// Share of key points that `matcher` brings within a tenth of the longer side of the target's key points' box,
/// over all pairs.
fn pck(images: &[DrawnImage], matcher: impl Fn(&DrawnImage, &DrawnImage, [f32; 2]) -> [f32; 2]) -> f32 {
    let (mut right, mut total) = (0, 0);
    for (a, b) in pairs(images) {
        let shared = shared_key_points(a, b);
        let extent = |axis: usize| {
            let along = || shared.iter().map(|(_, q)| q[axis]);
            along().fold(f32::NEG_INFINITY, f32::max) - along().fold(f32::INFINITY, f32::min)
        };
        let threshold = 0.1 * extent(0).max(extent(1));
        total += shared.len();
        right += shared.iter().filter(|(p, q)| distance(matcher(a, b, *p), *q) <= threshold).count();
    }
    right as f32 / total as f32
}

#[test]
fn an_image_is_a_pure_function_of_its_arguments() {
    let config = DrawnConfig::default();
    let all = draw_all(3..5, &config);
    for (k, again) in all.iter().enumerate() {
        let once = draw(k / 2, 3 + k as u64 % 2, &config);
        assert_eq!(once.image, again.image);
        assert_eq!(once.key_points, again.key_points);
        assert_eq!(once.dense_map(), again.dense_map());
    }
    let pictures: HashSet<_> = all.iter().map(|drawn| drawn.image.as_raw()).collect();
    assert_eq!(pictures.len(), all.len(), "two images are the same");
    let other = DrawnConfig { seed: 1, ..config.clone() };
    assert_ne!(draw(0, 3, &other).image, all[0].image);
    assert_ne!(draw(0, 3, &other).key_points, all[0].key_points);
}

#[test]
fn clutter_leaves_the_object_alone() {
    let bare = DrawnConfig { clutter: 0, occluders: 0, ..DrawnConfig::default() };
    let full = DrawnConfig { clutter: 12, ..bare.clone() };
    for class in 0..class_names().len() {
        let (a, b) = (draw(class, 0, &bare), draw(class, 0, &full));
        assert_eq!(a.key_points, b.key_points);
        assert_eq!(a.parts, b.parts);
        assert_ne!(a.image, b.image);
    }
}

#[test]
fn occluders_hide_what_lies_behind_them() {
    let bare = DrawnConfig { occluders: 0, ..DrawnConfig::default() };
    let hidden = DrawnConfig { occluders: 6, occluder_size: 0.3, ..bare.clone() };
    let seen = |config: &DrawnConfig| -> (usize, usize) {
        let images = draw_all(0..4, config);
        let points = images.iter().flat_map(|drawn| &drawn.key_points).flatten().count();
        let pixels = images.iter().flat_map(|drawn| drawn.mask.pixels()).filter(|pixel| pixel.0[0] > 0).count();
        (points, pixels)
    };
    let ((points, pixels), (fewer_points, fewer_pixels)) = (seen(&bare), seen(&hidden));
    assert!(fewer_points < points && fewer_points > 0, "{fewer_points} of {points} key points");
    assert!(fewer_pixels < pixels && fewer_pixels > 0, "{fewer_pixels} of {pixels} pixels");
}

#[test]
fn key_points_lie_on_the_object_and_are_mostly_seen() {
    for (class, name) in class_names().into_iter().enumerate() {
        let names = key_point_names(class);
        assert!((8..=12).contains(&names.len()), "{name} has {} key points", names.len());
        assert_eq!(names.iter().collect::<HashSet<_>>().len(), names.len(), "{name} repeats a name");
        let mut seen = vec![0; names.len()];
        for index in 0..40 {
            let drawn = draw(class, index, &DrawnConfig::default());
            assert_eq!(drawn.key_points.len(), names.len());
            for (k, point) in drawn.key_points.iter().enumerate() {
                let Some([x, y]) = *point else { continue };
                seen[k] += 1;
                let (x, y) = (x.round() as i64, y.round() as i64);
                let near = |dx: i64, dy: i64| -> bool {
                    let inside = (0..128).contains(&(x + dx)) && (0..128).contains(&(y + dy));
                    inside && drawn.mask.get_pixel((x + dx) as u32, (y + dy) as u32).0[0] == 255
                };
                let on = (-1..=1).any(|dy| (-1..=1).any(|dx| near(dx, dy)));
                assert!(on, "{name} {index}: {} at ({x}, {y}) is off the mask", names[k]);
            }
        }
        for (k, count) in seen.into_iter().enumerate() {
            assert!(count >= 20, "{name}: {} is seen in {count} of 40 images", names[k]);
        }
    }
}

#[test]
fn the_dense_map_agrees_with_the_key_points_and_with_itself() {
    let images = draw_all(0..6, &DrawnConfig::default());
    let mut matched = 0;
    for (a, b) in pairs(&images) {
        for (p, q) in shared_key_points(a, b) {
            let found = a.dense_match(b, p);
            assert!(found.is_some_and(|found| distance(found, q) < 0.05), "{p:?} → {found:?}, not {q:?}");
        }
        for k in (0..128 * 128).step_by(37) {
            let p = [(k % 128) as f32, (k / 128) as f32];
            let Some(q) = a.dense_match(b, p) else { continue };
            matched += 1;
            let uv = [a.surface(p), b.surface(q)].map(|surface| surface.map(|surface| surface.part));
            assert!(uv[0].is_some() && uv[0] == uv[1], "{p:?} and {q:?} are on {uv:?}");
            // Rounding may push a point on an outline just outside its part: then there is no way back.
            let back = b.dense_match(a, q);
            assert!(back.is_none_or(|back| distance(back, p) < 0.05), "{p:?} → {q:?} → {back:?}");
        }
    }
    assert!(matched > 5_000, "{matched} dense matches");
}

#[test]
fn parts_mask_and_dense_map_are_one() {
    for drawn in draw_all(0..2, &DrawnConfig::default()) {
        let dense = drawn.dense_map();
        for ((part, mask), surface) in drawn.parts.pixels().zip(drawn.mask.pixels()).zip(dense) {
            assert_eq!(part.0[0], surface.map_or(0, |surface| surface.part as u8 + 1));
            assert_eq!(mask.0[0] == 255, surface.is_some());
            if let Some(surface) = surface {
                assert!(surface.uv.iter().all(|x| x.abs() <= 1.001), "{surface:?}");
                assert!(!drawn.part_name(surface.part).is_empty());
            }
        }
    }
}

#[test]
fn objects_fill_a_fair_share_of_the_image() {
    for (class, name) in class_names().into_iter().enumerate() {
        let mut shares: Vec<f32> = (0..40)
            .map(|index| {
                let mask = draw(class, index, &DrawnConfig::default()).mask;
                mask.pixels().filter(|pixel| pixel.0[0] > 0).count() as f32 / (128.0 * 128.0)
            })
            .collect();
        shares.sort_by(f32::total_cmp);
        let (least, median, most) = (shares[0], shares[20], shares[39]);
        assert!(least >= 0.06 && median >= 0.12 && most <= 0.6, "{name}: {least}, {median}, {most}");
    }
}

#[test]
fn neither_position_nor_colour_solves_it() {
    let images = draw_all(0..INSTANCES, &DrawnConfig::default());
    let identity = pck(&images, |_, _, p| p);
    assert!(identity < 0.25, "the identity map finds {identity}");
    // The pixel of the target's object nearest in colour: knows even where the object is.
    let colour = pck(&images, |a, b, [x, y]| {
        let wanted = a.image.get_pixel(x.round() as u32, y.round() as u32).0;
        let unlike = |pixel: [u8; 3]| pixel.iter().zip(wanted).map(|(&c, w)| c.abs_diff(w) as u32).sum::<u32>();
        let on_object = b.image.enumerate_pixels().filter(|(x, y, _)| b.mask.get_pixel(*x, *y).0[0] > 0);
        let best = on_object.min_by_key(|(_, _, pixel)| unlike(pixel.0));
        best.map_or([0.0; 2], |(x, y, _)| [x as f32, y as f32])
    });
    assert!(colour < 0.2, "the nearest colour finds {colour}");
    println!("identity {identity:.3}, nearest colour {colour:.3}");
}

#[test]
fn size_and_clutter_are_free() {
    let config = DrawnConfig { size: 48, clutter: 0, occluders: 0, ..DrawnConfig::default() };
    let drawn = draw(1, 7, &config);
    assert_eq!(drawn.image.dimensions(), (48, 48));
    assert_eq!(drawn.dense_map().len(), 48 * 48);
    let [x0, y0, x1, y1] = drawn.mask_box().expect("a car is seen");
    assert!(x1 - x0 > 24 && y1 > y0 && x1 < 48);
}

#[test]
#[should_panic(expected = "class 99 was asked for")]
fn there_is_no_such_class() {
    draw(99, 0, &DrawnConfig::default());
}

#[test]
#[should_panic(expected = "do not correspond")]
fn classes_do_not_correspond() {
    let config = DrawnConfig::default();
    let _ = draw(0, 0, &config).dense_match(&draw(1, 0, &config), [64.0, 64.0]);
}

#[test]
fn occluders_of_no_size_are_none() {
    let config = DrawnConfig { size: 64, occluders: 6, ..DrawnConfig::default() };
    for index in 0..INSTANCES {
        let none = draw(0, index, &DrawnConfig { occluders: 0, ..config.clone() });
        assert_eq!(draw(0, index, &DrawnConfig { occluder_size: 0.0, ..config.clone() }).image, none.image);
        // Smaller than any pixel: not seen, and no trouble.
        draw(0, index, &DrawnConfig { occluder_size: 1e-30, ..config.clone() });
    }
}

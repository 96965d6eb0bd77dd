//! Drawn objects: an endless labelled data set with exact correspondences, from nothing but a seed.
//!
//! Each class is a figure of textured parts joined at angles, with lengths that differ from instance to instance. A
//! part's outline and the *kind* of its texture (spokes, stripes, dots …) belong to the class; its colours are drawn
//! anew for every instance from the same distribution as those of the background, the clutter and the occluders.
//! Objects are bent, stretched, turned, scaled and shifted. Neither colour nor position therefore tells which point
//! corresponds to which; structure does.
//!
//! An image is a pure function of ([`DrawnConfig`], class, index): see [`draw`]. Splits are ranges of indices.

mod classes;
mod config;
mod dice;
mod figure;
mod image;
mod placement;
mod render;
mod scene;
mod shape;
mod texture;

pub use config::DrawnConfig;
pub use image::{DrawnImage, Surface};

use classes::{CLASSES, Class};
use rayon::prelude::*;
use std::ops::Range;

/// The names of the classes; a class's number is its place in this list.
pub fn class_names() -> Vec<&'static str> {
    CLASSES.iter().map(|class| class.name).collect()
}

/// The names of a class's key points, in the order of [`DrawnImage::key_points`].
///
/// # Panics
///
/// If there is no such class.
pub fn key_point_names(class: usize) -> Vec<&'static str> {
    class_of(class).key_points.iter().map(|key_point| key_point.name).collect()
}

/// Draws one image: a pure function of its arguments. `index` counts the instances of the class and knows no end.
///
/// # Panics
///
/// If there is no such class, or the configuration is out of range (see [`DrawnConfig::check`]).
pub fn draw(class: usize, index: u64, config: &DrawnConfig) -> DrawnImage {
    if let Err(complaint) = config.check() {
        panic!("{complaint}");
    }
    let scene = scene::Scene::compose(class_of(class), class, index, config);
    render::render(scene, class, config)
}

/// Draws the images `indices` of every class in parallel, class by class in ascending order of index.
///
/// # Panics
///
/// As [`draw`] does.
pub fn draw_all(indices: Range<u64>, config: &DrawnConfig) -> Vec<DrawnImage> {
    let jobs: Vec<(usize, u64)> =
        (0..CLASSES.len()).flat_map(|class| indices.clone().map(move |index| (class, index))).collect();
    jobs.into_par_iter().map(|(class, index)| draw(class, index, config)).collect()
}

fn class_of(class: usize) -> &'static Class {
    match CLASSES.get(class) {
        Some(found) => found,
        None => panic!("class {class} was asked for, there are {}", CLASSES.len()),
    }
}

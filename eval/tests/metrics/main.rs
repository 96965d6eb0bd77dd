//! Every metric: by hand, against values of a script that shares no code with the crate, by laws, and on real flow.

mod by_hand;
mod coverage;
mod golden;
mod laws;
#[path = "../../../xtask/tests/skips/mod.rs"]
mod skips;
mod tss_sample;

use eval::{KeyPointImage, KeyPointPair, Protocol};

/// An image of class `Duck` with the given key points.
fn image(name: &str, size: (u32, u32), key_points: &[Option<[f32; 2]>]) -> KeyPointImage {
    KeyPointImage {
        path: name.into(),
        class: "Duck".to_owned(),
        size,
        key_points: key_points.to_vec(),
        object_box: None,
    }
}

/// A pair of two images of 100×100 pixels.
fn pair(source: &[Option<[f32; 2]>], target: &[Option<[f32; 2]>]) -> KeyPointPair {
    KeyPointPair::new(&image("s.png", (100, 100), source), &image("t.png", (100, 100), target)).unwrap()
}

fn protocol(text: &str, alphas: &[f64]) -> Protocol {
    text.parse::<Protocol>().unwrap().with_alphas(alphas)
}

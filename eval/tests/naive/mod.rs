//! PCK by plain loops over one pair after the other, each protocol written out as its own formula.

use eval::{Average, Direction, Frame, KeyPointPair, Length, Protocol};

/// The share of right points of one pair.
pub fn pck_of_pair(pair: &KeyPointPair, predicted: &[[f32; 2]], protocol: &Protocol, alpha: f64) -> f64 {
    let image = if protocol.direction == Direction::Forward { &pair.target } else { &pair.source };
    let (width, height) = (image.size.0 as f64, image.size.1 as f64);
    let (scale_x, scale_y) = match protocol.frame {
        Frame::Original => (1.0, 1.0),
        Frame::Stretched(side) => (side as f64 / width, side as f64 / height),
        Frame::Padded(side) if width > height => (side as f64 / width, side as f64 / width),
        Frame::Padded(side) => (side as f64 / height, side as f64 / height),
    };
    let in_frame = |corner: [f32; 4]| {
        let [left, top, right, bottom] = corner.map(f64::from);
        [left * scale_x, top * scale_y, right * scale_x, bottom * scale_y]
    };
    let length = match protocol.length {
        Length::Img if width * scale_x > height * scale_y => width * scale_x,
        Length::Img => height * scale_y,
        Length::Bbox | Length::BboxKp => {
            let object = if protocol.length == Length::Bbox { image.object_box.unwrap() } else { image.key_point_box };
            let [left, top, right, bottom] = in_frame(object);
            if right - left > bottom - top { right - left } else { bottom - top }
        }
        Length::BboxPadded => {
            let [_, _, right, bottom] = in_frame(image.key_point_box);
            (if right > bottom { right } else { bottom }) + 1.0
        }
    };
    let mut right = 0;
    for (p, q) in predicted.iter().zip(&image.points) {
        let dx = p[0] as f64 * scale_x - q[0] as f64 * scale_x;
        let dy = p[1] as f64 * scale_y - q[1] as f64 * scale_y;
        if dx.powi(2) + dy.powi(2) <= (alpha * length).powi(2) {
            right += 1;
        }
    }
    right as f64 / image.points.len() as f64
}

/// The average of pairs: (class, points, share of right points).
pub fn average(pairs: &[(String, usize, f64)], average: Average) -> f64 {
    match average {
        Average::Image => pairs.iter().map(|pair| pair.2).sum::<f64>() / pairs.len() as f64,
        Average::Point => {
            let right: f64 = pairs.iter().map(|pair| pair.1 as f64 * pair.2).sum();
            right / pairs.iter().map(|pair| pair.1).sum::<usize>() as f64
        }
        Average::Category => {
            let mut classes: Vec<_> = pairs.iter().map(|pair| pair.0.clone()).collect();
            classes.sort();
            classes.dedup();
            let mean = |class: &String| {
                let of_class: Vec<_> = pairs.iter().filter(|pair| pair.0 == *class).map(|pair| pair.2).collect();
                of_class.iter().sum::<f64>() / of_class.len() as f64
            };
            classes.iter().map(mean).sum::<f64>() / classes.len() as f64
        }
    }
}

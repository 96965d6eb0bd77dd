//! Car from its right side; plane from above.

use super::super::dice::Dice;
use super::super::figure::{Figure, Pose};
use super::super::shape::CAPSULE;
use super::super::shape::Shape::{Block, Ellipse, Polygon};
use super::super::texture::Texture::{Across, Along, Blotches, Checks, Dots, Plain, Rings, Spokes};
use super::{Class, TAPER, key};

pub(super) const CAR: Class = Class {
    name: "car",
    key_points: &[
        key("front hub", "front hub", 0.0, 0.0),
        key("rear hub", "rear hub", 0.0, 0.0),
        key("headlight", "headlight", 0.0, 0.0),
        key("tail light", "tail light", 0.0, 0.0),
        key("front bumper", "front bumper", 0.2, 0.0),
        key("rear bumper", "rear bumper", -0.2, 0.0),
        key("front window", "front window", 0.0, 0.0),
        key("rear window", "rear window", 0.0, 0.0),
        key("roof front", "cabin", 0.4, -0.88),
        key("roof rear", "cabin", -0.55, -0.88),
        key("door handle", "door handle", 0.0, 0.0),
        key("mirror", "mirror", 0.0, 0.0),
    ],
    build: car,
};

pub(super) const PLANE: Class = Class {
    name: "plane",
    key_points: &[
        key("nose", "nose", 0.4, 0.0),
        key("cockpit", "cockpit", 0.0, 0.0),
        key("fuselage middle", "fuselage", 0.0, 0.0),
        key("tail cone", "fuselage", -0.92, 0.0),
        key("left wing tip", "left wing", 0.88, 0.1),
        key("right wing tip", "right wing", 0.88, 0.1),
        key("left engine", "left engine", 0.5, 0.0),
        key("right engine", "right engine", 0.5, 0.0),
        key("left tailplane tip", "left tailplane", 0.8, 0.0),
        key("right tailplane tip", "right tailplane", 0.8, 0.0),
    ],
    build: plane,
};

const CABIN: &[[f32; 2]] = &[[-1.0, 1.0], [-0.65, -1.0], [0.45, -1.0], [1.0, 1.0]];
const REAR_PANE: &[[f32; 2]] = &[[-1.0, 1.0], [-0.5, -1.0], [1.0, -1.0], [1.0, 1.0]];
const FRONT_PANE: &[[f32; 2]] = &[[-1.0, 1.0], [-1.0, -1.0], [0.35, -1.0], [1.0, 1.0]];

fn car(figure: &mut Figure, dice: &mut Dice) {
    let half = [dice.about(0.88, 0.12), dice.about(0.21, 0.2)];
    let hull_pose = Pose::root().turned(dice.angle(0.0, 3.0));
    let cabin_half = [dice.about(0.52, 0.2), dice.about(0.2, 0.25)];
    let cabin_pose = hull_pose.moved(dice.between(-0.2, 0.02), -half[1] - cabin_half[1] * 0.9);
    let cabin = figure.part("cabin", Polygon(CABIN), Plain, cabin_pose, cabin_half);
    let pane = [cabin_half[0] * 0.3, cabin_half[1] * 0.62];
    figure.part("rear window", Polygon(REAR_PANE), Along(4), cabin.pose_at([-0.45, 0.05]), pane);
    figure.part("front window", Polygon(FRONT_PANE), Checks(4, 4), cabin.pose_at([0.32, 0.05]), pane);

    let bumper = [0.09, half[1] * 0.35];
    figure.part("rear bumper", Block(0.6), Across(3), hull_pose.moved(-half[0], half[1] * 0.5), bumper);
    figure.part("front bumper", Block(0.6), Along(3), hull_pose.moved(half[0], half[1] * 0.5), bumper);
    let hull = figure.part("hull", Block(0.55), Blotches(4), hull_pose, half);
    let light = [dice.about(0.085, 0.2), dice.about(0.075, 0.2)];
    figure.part("headlight", Ellipse, Rings(2), hull.pose_at([0.86, -0.3]), light);
    figure.part("tail light", Block(0.2), Along(3), hull.pose_at([-0.9, -0.3]), [light[1], light[0]]);
    let handle = hull.pose_at([dice.between(-0.2, -0.1), -0.35]);
    figure.part("door handle", CAPSULE, Across(3), handle, [0.1, 0.035]);
    let mirror = cabin.pose_at([0.72, 0.72]).turned(dice.angle(-25.0, 15.0));
    figure.part("mirror", Block(0.5), Dots(2, 2), mirror, [0.08, 0.06]);

    let radius = dice.about(0.22, 0.16);
    let sink = half[1] * dice.between(0.75, 1.05);
    let axles = [("rear tyre", "rear hub", -0.58, 6), ("front tyre", "front hub", 0.56, 10)];
    for (tyre, hub, u, spokes) in axles {
        let axle = hull_pose.moved(dice.about(u, 0.1) * half[0], sink).turned(dice.angle(0.0, 180.0));
        figure.part(tyre, Ellipse, Plain, axle, [radius, radius]);
        figure.part(hub, Ellipse, Spokes(spokes), axle, [radius * 0.62, radius * 0.62]);
    }
}

fn plane(figure: &mut Figure, dice: &mut Dice) {
    let half = [dice.about(0.85, 0.1), dice.about(0.15, 0.2)];
    let fuselage = Pose::root();
    let sweep = dice.angle(20.0, 18.0);
    let span = dice.about(0.42, 0.18);
    let chord = dice.about(0.2, 0.2);
    let root = dice.between(-0.1, 0.2);
    let tail_sweep = dice.angle(25.0, 15.0);
    let tail = [dice.about(0.2, 0.2), dice.about(0.12, 0.2)];

    // The wings flap a little on their own: a banking plane foreshortens one of them.
    let bank = [dice.about(1.0, 0.2), dice.about(1.0, 0.2)];
    let sides = [
        (-1.0, ["left tailplane", "left engine", "left wing"], [Across(3), Along(3), Along(5)]),
        (1.0, ["right tailplane", "right engine", "right wing"], [Along(3), Dots(3, 2), Checks(6, 3)]),
    ];
    for (k, (side, names, textures)) in sides.into_iter().enumerate() {
        let quarter = std::f32::consts::FRAC_PI_2 * side;
        let stub = fuselage.moved(-half[0] * 0.82, 0.0).turned(quarter + side * tail_sweep);
        let tail_half = [tail[0] * bank[k], tail[1]];
        figure.part(names[0], Polygon(TAPER), textures[0], stub.moved(tail_half[0] * 1.15, 0.0), tail_half);
        let shoulder = fuselage.moved(root, 0.0).turned(quarter + side * sweep);
        let reach = span * bank[k];
        let pod = Pose::new(shoulder.outward([reach * 1.0, -side * chord * 0.7]), dice.angle(0.0, 5.0));
        figure.part(names[1], CAPSULE, textures[1], pod, [0.16, 0.085]);
        figure.part(names[2], Polygon(TAPER), textures[2], shoulder.moved(reach * 1.05, 0.0), [reach, chord]);
    }

    let nose = fuselage.moved(half[0] * 0.95, 0.0);
    figure.part("nose", Ellipse, Rings(2), nose, [dice.about(0.15, 0.3), half[1] * 0.85]);
    let hull = figure.part("fuselage", CAPSULE, Dots(13, 3), fuselage, half);
    figure.part("cockpit", Block(0.7), Across(3), hull.pose_at([0.74, 0.0]), [0.1, half[1] * 0.72]);
    let fin = hull.pose_at([-0.72, 0.0]).turned(dice.angle(180.0, 8.0));
    figure.part("tail fin", Polygon(TAPER), Across(4), fin, [0.14, 0.05]);
}

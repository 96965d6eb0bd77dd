//! Guitar, desk lamp, teapot.

use super::super::dice::Dice;
use super::super::figure::{Figure, Pose};
use super::super::shape::Shape::{Block, Ellipse, Polygon, Ring};
use super::super::texture::Texture::{Across, Along, Blotches, Checks, Dots, Plain, Rings, Spokes};
use super::{Class, POINTED, TAPER, key};

pub(super) const GUITAR: Class = Class {
    name: "guitar",
    key_points: &[
        key("sound hole", "sound hole", 0.0, 0.0),
        key("bridge", "bridge", 0.0, 0.0),
        key("lower end", "lower bout", -0.88, 0.0),
        key("lower left", "lower bout", 0.0, -0.88),
        key("lower right", "lower bout", 0.0, 0.88),
        key("upper left", "upper bout", 0.3, -0.75),
        key("upper right", "upper bout", 0.3, 0.75),
        key("neck middle", "neck", 0.2, 0.0),
        key("nut", "neck", 0.92, 0.0),
        key("head end", "head", 0.55, 0.0),
        key("left peg", "left peg", 0.0, 0.0),
        key("right peg", "right peg", 0.0, 0.0),
    ],
    build: guitar,
};

pub(super) const LAMP: Class = Class {
    name: "lamp",
    key_points: &[
        key("base left", "base", -0.75, 0.2),
        key("base right", "base", 0.75, 0.2),
        key("switch", "switch", 0.0, 0.0),
        key("lower arm", "lower arm", 0.0, 0.0),
        key("elbow", "elbow", 0.0, 0.0),
        key("upper arm", "upper arm", 0.0, 0.0),
        key("wrist", "wrist", 0.0, 0.0),
        key("shade rear rim", "shade", 0.85, -0.85),
        key("shade front rim", "shade", 0.85, 0.85),
        key("bulb", "bulb", 0.5, 0.0),
    ],
    build: lamp,
};

pub(super) const TEAPOT: Class = Class {
    name: "teapot",
    key_points: &[
        key("knob", "knob", 0.0, 0.0),
        key("lid left", "lid", -0.7, 0.2),
        key("lid right", "lid", 0.7, 0.2),
        key("spout tip", "spout tip", 0.6, 0.0),
        key("spout middle", "spout", 0.05, 0.0),
        key("handle top", "handle", -0.2, -0.87),
        key("handle outer", "handle", -0.87, 0.0),
        key("handle bottom", "handle", -0.2, 0.87),
        key("belly", "band", 0.0, 0.0),
        key("foot left", "foot", -0.8, 0.2),
        key("foot right", "foot", 0.8, 0.2),
    ],
    build: teapot,
};

const HEADSTOCK: &[[f32; 2]] =
    &[[-1.0, -0.5], [-0.5, -1.0], [1.0, -0.8], [0.75, 0.0], [1.0, 0.8], [-0.5, 1.0], [-1.0, 0.5]];
const SHADE: &[[f32; 2]] = &[[-1.0, -0.3], [-0.5, -0.4], [1.0, -1.0], [1.0, 1.0], [-0.5, 0.4], [-1.0, 0.3]];

fn guitar(figure: &mut Figure, dice: &mut Dice) {
    // u runs from the body's lower end to the head; the whole leans like a guitar on its stand.
    let axis = Pose::root().turned(dice.angle(-60.0, 10.0));
    let lower = [dice.about(0.38, 0.12), dice.about(0.48, 0.12)];
    let upper = [dice.about(0.3, 0.12), dice.about(0.37, 0.12)];
    let waist = dice.about(0.42, 0.12);
    let upper_pose = axis.moved(waist, 0.0);
    let length = dice.about(0.34, 0.2);
    let neck_half = [length, dice.about(0.1, 0.15)];
    let nut = upper_pose.moved(upper[0] * 0.75 + 2.0 * length, 0.0);

    let tilt = nut.turned(dice.angle(0.0, 9.0));
    let head_half = [dice.about(0.18, 0.15), dice.about(0.14, 0.2)];
    for (name, texture, side) in [("left peg", Rings(1), -1.0), ("right peg", Along(2), 1.0)] {
        let peg = tilt.moved(head_half[0] * dice.between(0.7, 1.1), side * (head_half[1] + 0.04));
        figure.part(name, Ellipse, texture, peg, [0.075, 0.085]);
    }
    figure.part("head", Polygon(HEADSTOCK), Checks(4, 4), tilt.moved(head_half[0] * 0.9, 0.0), head_half);
    figure.part("upper bout", Ellipse, Along(7), upper_pose, upper);
    let body = figure.part("lower bout", Ellipse, Blotches(4), axis, lower);
    let guard = axis.moved(0.1, lower[1] * 0.45).turned(dice.angle(20.0, 15.0));
    figure.part("guard", Polygon(TAPER), Dots(4, 3), guard, [0.2, 0.12]);
    let neck = upper_pose.moved(upper[0] * 0.75 + length, 0.0);
    figure.part("neck", Block(0.2), Across(9), neck, neck_half);
    let hole = dice.about(0.14, 0.18);
    figure.part("sound hole", Ellipse, Rings(3), axis.moved(waist * 0.75, 0.0), [hole, hole]);
    let bridge = body.pose_at([-0.35, 0.0]).turned(dice.angle(0.0, 8.0));
    figure.part("bridge", Block(0.3), Along(6), bridge, [0.07, dice.about(0.19, 0.2)]);
}

fn lamp(figure: &mut Figure, dice: &mut Dice) {
    let base_half = [dice.about(0.42, 0.18), dice.about(0.12, 0.2)];
    let base_pose = Pose::root().moved(0.0, 0.8);
    let foot = base_pose.moved(dice.between(-0.15, 0.05), -base_half[1] * 0.6).turned(dice.angle(-105.0, 28.0));
    let thickness = dice.about(0.085, 0.15);
    let elbow = figure.limb("lower arm", Across(7), foot, dice.about(0.62, 0.18), thickness);
    let base = figure.part("base", Block(0.8), Blotches(4), base_pose, base_half);
    figure.part("switch", Ellipse, Rings(1), base.pose_at([0.35, -0.1]), [0.09, 0.065]);

    let upper = elbow.turned(dice.angle(70.0, 32.0));
    let wrist = figure.limb("upper arm", Checks(8, 2), upper, dice.about(0.55, 0.18), thickness * 0.9);
    let knob = thickness * 1.5;
    figure.part("elbow", Ellipse, Spokes(6), elbow, [knob, knob]);

    let facing = wrist.turned(dice.angle(75.0, 32.0));
    let shade_half = [dice.about(0.3, 0.15), dice.about(0.36, 0.2)];
    let shade_pose = facing.moved(shade_half[0] * 0.9, 0.0);
    let bulb = shade_pose.moved(shade_half[0] * 1.0, 0.0);
    figure.part("bulb", Ellipse, Plain, bulb, [dice.about(0.15, 0.15), 0.15]);
    figure.part("shade", Polygon(SHADE), Along(7), shade_pose, shade_half);
    figure.part("wrist", Ellipse, Rings(2), wrist, [knob * 0.9, knob * 0.9]);
}

fn teapot(figure: &mut Figure, dice: &mut Dice) {
    let half = [dice.about(0.52, 0.15), dice.about(0.44, 0.18)];
    let body_pose = Pose::root();
    let foot_half = [half[0] * dice.between(0.5, 0.7), 0.09];
    figure.part("foot", Block(0.3), Across(9), body_pose.moved(0.0, half[1] * 0.98), foot_half);
    let handle_half = [dice.about(0.3, 0.2), dice.about(0.32, 0.15)];
    let handle = body_pose.moved(-half[0] * 0.95, dice.between(-0.12, 0.02)).turned(dice.angle(0.0, 14.0));
    figure.part("handle", Ring(0.72), Spokes(22), handle, handle_half);

    let root = body_pose.moved(half[0] * 0.75, half[1] * 0.25).turned(dice.angle(-25.0, 18.0));
    let spout = dice.about(0.24, 0.2);
    figure.part("spout", Polygon(TAPER), Along(4), root.moved(spout * 0.8, 0.0), [spout, dice.about(0.19, 0.15)]);
    let bend = root.moved(spout * 1.5, 0.0).turned(dice.angle(-30.0, 22.0));
    let tip = dice.about(0.15, 0.25);
    figure.part("spout tip", Block(0.5), Across(4), bend.moved(tip * 0.9, 0.0), [tip + 0.06, 0.09]);

    let body = figure.part("body", Ellipse, Dots(6, 6), body_pose, half);
    figure.part("band", Block(0.4), Checks(12, 2), body.pose_at([0.0, 0.1]), [half[0] * 0.88, half[1] * 0.22]);
    let lid_half = [half[0] * dice.between(0.5, 0.68), dice.about(0.13, 0.25)];
    let lid_pose = body.pose_at([0.0, -0.9]).turned(dice.angle(0.0, 8.0));
    let knob = dice.about(0.095, 0.2);
    figure.part("knob", Ellipse, Rings(1), lid_pose.moved(0.0, -lid_half[1] - knob * 0.6), [knob, knob]);
    figure.part("lid", Ellipse, Across(7), lid_pose, lid_half);
    let mark = body.pose_at([0.0, 0.62]).turned(std::f32::consts::FRAC_PI_2);
    figure.part("mark", Polygon(POINTED), Plain, mark, [0.08, 0.1]);
}

//! Bird, fish, quadruped: seen from their right, heading to the right of the image.

use super::super::dice::Dice;
use super::super::figure::{Figure, Pose};
use super::super::shape::Shape::{Block, Ellipse, Polygon};
use super::super::texture::Texture::{Across, Along, Blotches, Checks, Dots, Plain, Rings};
use super::{Class, POINTED, TAPER, key};

pub(super) const BIRD: Class = Class {
    name: "bird",
    key_points: &[
        key("eye", "eye", 0.0, 0.0),
        key("beak tip", "beak", 0.75, 0.0),
        key("crest tip", "crest", 0.65, 0.0),
        key("breast", "body", 0.75, 0.35),
        key("back", "body", -0.5, -0.72),
        key("wing root", "wing", -0.7, 0.0),
        key("wing tip", "wing", 0.85, 0.35),
        key("tail tip", "tail", 0.85, 0.0),
        key("near foot", "near foot", 0.4, 0.0),
        key("far foot", "far foot", 0.4, 0.0),
    ],
    build: bird,
};

pub(super) const FISH: Class = Class {
    name: "fish",
    key_points: &[
        key("eye", "eye", 0.0, 0.0),
        key("mouth", "mouth", 0.3, 0.0),
        key("gill", "gill", 0.0, 0.0),
        key("forehead", "face", 0.1, -0.8),
        key("dorsal fin tip", "dorsal fin", -0.8, -0.7),
        key("pectoral fin tip", "pectoral fin", 0.75, 0.0),
        key("pelvic fin tip", "pelvic fin", 0.7, 0.0),
        key("belly", "body", -0.45, 0.65),
        key("tail root", "body", -0.85, 0.0),
        key("tail upper tip", "tail fin", 0.85, -0.8),
        key("tail lower tip", "tail fin", 0.85, 0.8),
    ],
    build: fish,
};

pub(super) const QUADRUPED: Class = Class {
    name: "quadruped",
    key_points: &[
        key("eye", "eye", 0.0, 0.0),
        key("nose", "snout", 0.7, 0.0),
        key("ear tip", "ear", 0.6, 0.0),
        key("neck", "neck", -0.35, 0.0),
        key("back", "body", 0.0, -0.75),
        key("belly", "body", 0.0, 0.8),
        key("rump", "body", -0.8, -0.35),
        key("tail tip", "tail tuft", 0.5, 0.0),
        key("near fore foot", "near fore foot", 0.0, 0.0),
        key("near hind foot", "near hind foot", 0.0, 0.0),
        key("far fore foot", "far fore foot", 0.0, 0.0),
        key("far hind foot", "far hind foot", 0.0, 0.0),
    ],
    build: quadruped,
};

const FAN: &[[f32; 2]] = &[[-1.0, -0.35], [0.8, -1.0], [1.0, 0.0], [0.8, 1.0], [-1.0, 0.35]];
const WING: &[[f32; 2]] = &[[-1.0, -0.4], [-0.3, -1.0], [0.5, -0.6], [1.0, 0.4], [0.55, 0.55], [0.2, 1.0], [-0.6, 0.8]];
const FORKED: &[[f32; 2]] = &[[-1.0, -0.25], [1.0, -1.0], [0.5, 0.0], [1.0, 1.0], [-1.0, 0.25]];
const SAIL: &[[f32; 2]] = &[[-1.0, 1.0], [-1.0, -0.9], [-0.6, -1.0], [0.5, 0.1], [1.0, 1.0]];

fn bird(figure: &mut Figure, dice: &mut Dice) {
    let body_pose = Pose::root().turned(dice.angle(-22.0, 18.0));
    let half = [dice.about(0.55, 0.15), dice.about(0.34, 0.15)];
    let rump = body_pose.moved(-half[0] * 0.8, 0.0).turned(dice.angle(185.0, 22.0));
    let tail = dice.about(0.32, 0.3);
    figure.part("tail", Polygon(FAN), Along(5), rump.moved(tail * 0.8, 0.0), [tail, dice.about(0.17, 0.3)]);

    for (leg, foot, x) in [("far leg", "far foot", 0.2), ("near leg", "near foot", -0.12)] {
        let hip = Pose::new(body_pose.outward([x * half[0], half[1] * 0.75]), dice.angle(95.0, 25.0));
        let length = dice.about(0.32, 0.25);
        let ankle = figure.limb(leg, Across(5), hip, length, dice.about(0.045, 0.2));
        let flat = Pose::new(ankle.outward([0.0, 0.0]), dice.angle(0.0, 12.0));
        let texture = if x > 0.0 { Plain } else { Along(3) };
        figure.part(foot, Polygon(TAPER), texture, flat.moved(0.06, 0.0), [0.13, 0.06]);
    }

    let body = figure.part("body", Ellipse, Dots(6, 4), body_pose, half);
    let throat = body.pose_at([0.72, -0.35]).turned(dice.angle(-35.0, 30.0));
    let crown = figure.limb("neck", Along(4), throat, dice.about(0.2, 0.5), dice.about(0.14, 0.1));
    let facing = Pose::new(crown.outward([0.08, 0.0]), dice.angle(0.0, 25.0));
    let radius = dice.about(0.21, 0.12);
    let beak = dice.about(0.17, 0.35);
    let beak_pose = facing.moved(radius + beak * 0.6, 0.03).turned(dice.angle(5.0, 10.0));
    figure.part("beak", Polygon(POINTED), Along(2), beak_pose, [beak, dice.about(0.085, 0.2)]);
    let crest = dice.about(0.17, 0.35);
    let crest_pose = facing.turned(dice.angle(-125.0, 18.0)).moved(radius + crest * 0.5, 0.0);
    figure.part("crest", Polygon(POINTED), Across(4), crest_pose, [crest, 0.09]);
    let head = figure.part("head", Ellipse, Plain, facing, [radius, radius * 0.92]);
    figure.part("eye", Ellipse, Rings(2), head.pose_at([0.3, -0.15]), [0.08, 0.08]);

    let shoulder = body.pose_at([0.4, -0.15]).turned(dice.angle(170.0, 28.0));
    let wing = dice.about(0.42, 0.2);
    let wing_half = [wing, -dice.about(0.24, 0.2)];
    figure.part("wing", Polygon(WING), Checks(6, 4), shoulder.moved(wing * 0.7, 0.0), wing_half);
}

fn fish(figure: &mut Figure, dice: &mut Dice) {
    let body_pose = Pose::root();
    let half = [dice.about(0.7, 0.12), dice.about(0.36, 0.22)];
    let root = body_pose.moved(-half[0] * 0.9, 0.0).turned(dice.angle(180.0, 22.0));
    let tail = dice.about(0.26, 0.25);
    let tail_half = [tail, -dice.about(0.38, 0.25)];
    figure.part("tail fin", Polygon(FORKED), Along(7), root.moved(tail * 0.75, 0.0), tail_half);
    let fin = dice.about(0.2, 0.35);
    let fin_pose = body_pose.moved(-0.08, -half[1] * 0.85 - fin * 0.6).turned(dice.angle(0.0, 8.0));
    figure.part("dorsal fin", Polygon(SAIL), Across(7), fin_pose, [dice.about(0.36, 0.2), fin]);
    let pelvic = dice.about(0.19, 0.3);
    let pelvic_pose = body_pose.moved(-0.22, half[1] * 0.8).turned(dice.angle(115.0, 22.0));
    figure.part("pelvic fin", Polygon(POINTED), Along(4), pelvic_pose.moved(pelvic * 0.8, 0.0), [pelvic, 0.14]);

    let lips = body_pose.moved(half[0] * 0.98, half[1] * 0.1).turned(dice.angle(15.0, 20.0));
    figure.part("mouth", Block(0.8), Along(2), lips, [0.1, 0.085]);
    let body = figure.part("body", Ellipse, Checks(9, 6), body_pose, half);
    let face_half = [half[0] * 0.36, half[1] * 0.74];
    let face = figure.part("face", Ellipse, Plain, body.pose_at([0.6, 0.0]), face_half);
    let gill = face.pose_at([-0.78, 0.05]).turned(dice.angle(0.0, 12.0));
    figure.part("gill", Ellipse, Along(5), gill, [0.07, dice.about(0.19, 0.15)]);
    let eye = dice.about(0.095, 0.2);
    figure.part("eye", Ellipse, Rings(2), face.pose_at([0.28, -0.28]), [eye, eye]);
    let flap = dice.about(0.2, 0.25);
    let flap_pose = body.pose_at([0.22, 0.25]).turned(dice.angle(150.0, 32.0));
    figure.part("pectoral fin", Polygon(FAN), Across(4), flap_pose.moved(flap * 0.7, 0.0), [flap, 0.13]);
}

fn quadruped(figure: &mut Figure, dice: &mut Dice) {
    let body_pose = Pose::root().turned(dice.angle(0.0, 6.0));
    let half = [dice.about(0.55, 0.18), dice.about(0.27, 0.18)];
    let dock = body_pose.moved(-half[0] * 0.9, -half[1] * 0.35).turned(dice.angle(140.0, 40.0));
    let tuft = figure.limb("tail", Across(7), dock, dice.about(0.3, 0.35), 0.045);
    figure.part("tail tuft", Ellipse, Along(3), tuft.moved(0.06, 0.0), [0.12, 0.075]);

    let [thigh, shin, girth] = [dice.about(0.3, 0.22), dice.about(0.28, 0.22), dice.about(0.085, 0.2)];
    let mut leg = |figure: &mut Figure, names: [&'static str; 3], x: f32, knee: f32, near: bool| {
        let lean = dice.angle(90.0, 26.0);
        let hip = Pose::new(body_pose.outward([x * half[0], half[1] * 0.45]), lean);
        let texture = if near { Across(5) } else { Plain };
        let joint = figure.limb(names[0], texture, hip, thigh, girth * 1.25);
        let ankle = figure.limb(names[1], Plain, joint.turned(dice.angle(knee, 18.0)), shin, girth * 0.8);
        let flat = Pose::new(ankle.outward([0.02, 0.0]), dice.angle(0.0, 10.0));
        let hoof = if near { Along(2) } else { Across(3) };
        figure.part(names[2], Block(0.5), hoof, flat.moved(0.04, 0.0), [0.125, 0.07]);
    };
    leg(figure, ["far hind thigh", "far hind shin", "far hind foot"], -0.5, 12.0, false);
    leg(figure, ["far fore thigh", "far fore shin", "far fore foot"], 0.85, -4.0, false);

    let body = figure.part("body", Ellipse, Blotches(5), body_pose, half);
    leg(figure, ["near hind thigh", "near hind shin", "near hind foot"], -0.85, 12.0, true);
    leg(figure, ["near fore thigh", "near fore shin", "near fore foot"], 0.5, -4.0, true);

    let withers = body.pose_at([0.78, -0.25]).turned(dice.angle(-52.0, 24.0));
    let poll = figure.limb("neck", Across(6), withers, dice.about(0.34, 0.35), dice.about(0.14, 0.15));
    let facing = Pose::new(poll.outward([0.03, 0.0]), dice.angle(15.0, 25.0));
    let skull = [dice.about(0.22, 0.12), dice.about(0.165, 0.12)];
    let ear = dice.about(0.15, 0.35);
    let ear_pose = facing.moved(-skull[0] * 0.4, -skull[1] * 0.75).turned(dice.angle(-105.0, 25.0));
    figure.part("ear", Polygon(POINTED), Along(3), ear_pose.moved(ear * 0.7, 0.0), [ear, dice.about(0.09, 0.2)]);
    let snout = facing.moved(skull[0] * 1.0, skull[1] * 0.2).turned(dice.angle(8.0, 8.0));
    figure.part("snout", Block(0.7), Dots(4, 3), snout, [dice.about(0.16, 0.25), 0.11]);
    let head = figure.part("head", Ellipse, Plain, facing, skull);
    figure.part("eye", Ellipse, Rings(2), head.pose_at([0.2, -0.25]), [0.07, 0.07]);
}

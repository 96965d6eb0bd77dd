#!/usr/bin/env python3
"""Writes metrics.json: random inputs and the scores that they should get, from the formulas alone.

    python3 eval/tests/golden/metrics.py

Needs numpy and nothing of this project. Each metric is written here as its formula says it, by another way than the
crate goes where there is one: squared distances instead of roots, the stretched image threshold as
(dx/W)^2 + (dy/H)^2 <= a^2, the padded length as the box round a list that was padded with -1, polygons pixel by pixel
in whole numbers. Inputs are 64ths, which f32 holds exactly, and no case lies so near a threshold that rounding decides it.
A second run gives the same bytes: the random numbers are those of Python's own generator, whose stream is guaranteed.
"""

import json
import random
from pathlib import Path

import numpy as np

ALPHAS = [0.01, 0.05, 0.1, 0.15]
FRAMES = ["original", "stretched:240", "padded:100"]
LENGTHS = ["img", "bbox", "bbox-kp", "bbox-padded"]
DIRECTIONS = ["forward", "backward"]
AVERAGES = ["image", "point", "category"]
MARGIN = 1e-6

rng = random.Random(20240607)


def number(low, high):
    """A random 64th."""
    return rng.randint(int(low * 64), int(high * 64)) / 64


def point(size, beyond=0):
    return [number(-beyond, size[0] + beyond), number(-beyond, size[1] + beyond)]


# ---------------------------------------------------------------- key points


def scaled(xy, size, frame):
    """Coordinates in the frame."""
    xy = np.asarray(xy, dtype=np.float64)
    kind, _, side = frame.partition(":")
    if kind == "original":
        return xy
    if kind == "stretched":
        return xy * float(side) / np.array(size, dtype=np.float64)
    return xy * float(side) / max(size)


def length_of(image, frame, length):
    """The length of which a threshold is a share."""
    if length == "img":
        kind, _, side = frame.partition(":")
        return float(max(image["size"])) if kind == "original" else float(side)
    if length == "bbox":
        corners = scaled(np.reshape(image["box"], (2, 2)), image["size"], frame)
        return float(np.max(corners[1] - corners[0]))
    shown = [p for p in image["key_points"] if p is not None]
    corners = scaled(shown, image["size"], frame)
    if length == "bbox-padded":
        corners = np.concatenate([corners, [[-1.0, -1.0]]])
    return float(np.max(corners.max(axis=0) - corners.min(axis=0)))


def squared(p, q, size, frame):
    """Squared distance of each p to each q in the frame; NaN where p has no number."""
    p = np.array([[np.nan if x is None else x for x in xy] for xy in p], dtype=np.float64)
    q = np.asarray(q, dtype=np.float64)
    return np.sum((scaled(p, size, frame)[:, None] - scaled(q, size, frame)[None]) ** 2, axis=-1)


def sides(pair, direction):
    """The image asked in, the one predicted in, and the answers."""
    if direction == "forward":
        return pair["source"], pair["target"], pair["forward"]
    return pair["target"], pair["source"], pair["backward"]


def shared_ids(pair):
    both = zip(pair["source"]["key_points"], pair["target"]["key_points"])
    return [i for i, (s, t) in enumerate(both) if s is not None and t is not None]


def right_points(pair, frame, length, direction):
    """Whether each point is right, [alpha, point]."""
    _, image, answers = sides(pair, direction)
    truth = [image["key_points"][i] for i in shared_ids(pair)]
    if frame.startswith("stretched") and length == "img":
        p = np.array([[np.nan if x is None else x for x in xy] for xy in answers["points"]])
        relative = (p - np.array(truth)) / np.array(image["size"], dtype=np.float64)
        return np.array([np.sum(relative**2, axis=1) <= a**2 for a in ALPHAS])
    reach = length_of(image, frame, length)
    distance = np.diagonal(squared(answers["points"], truth, image["size"], frame))
    return np.array([distance <= (a * reach) ** 2 for a in ALPHAS])


def averaged(classes, right, average):
    """right: one [alpha, point] array a pair."""
    shares = np.array([of_pair.mean(axis=1) for of_pair in right])
    if average == "image":
        return shares.mean(axis=0)
    if average == "point":
        return np.concatenate(right, axis=1).mean(axis=1)
    of_class = [shares[[c == name for c in classes]].mean(axis=0) for name in sorted(set(classes))]
    return np.mean(of_class, axis=0)


def confusion(pair, frame, length, direction, rivals):
    """Right, swapped and missed points, each [alpha, point]."""
    _, image, answers = sides(pair, direction)
    shared = shared_ids(pair)
    known = shared if rivals == "shared" else [i for i, p in enumerate(image["key_points"]) if p is not None]
    reach = length_of(image, frame, length)
    distance = squared(answers["points"], [image["key_points"][i] for i in known], image["size"], frame)
    kinds = np.zeros((3, len(ALPHAS), len(shared)), dtype=bool)
    for row, own in enumerate(shared):
        column = known.index(own)
        own_distance = distance[row, column]
        others = np.delete(distance[row], column)
        nearest_other = others.min() if others.size else np.inf
        for level, a in enumerate(ALPHAS):
            limit = (a * reach) ** 2
            if np.isnan(own_distance):
                kind = 2
            elif own_distance <= limit and own_distance <= nearest_other:
                kind = 0
            elif nearest_other < own_distance and nearest_other <= limit:
                kind = 1
            else:
                kind = 2
            kinds[kind, level, row] = True
    return kinds


def candidates(pair, frame, length, direction):
    """Confidences and whether each candidate is right, [alpha, candidate], and how many are wanted."""
    _, _, answers = sides(pair, direction)
    right = right_points(pair, frame, length, direction)
    absent = np.zeros((len(ALPHAS), len(answers["unshared_confidence"])), dtype=bool)
    confidence = np.array(answers["confidence"] + answers["unshared_confidence"], dtype=np.float64)
    return confidence, np.concatenate([right, absent], axis=1), right.shape[1]


def average_precision(confidence, right, wanted):
    """Precision times the step of recall, summed over the distinct confidences."""
    total, before = 0.0, 0.0
    for limit in sorted(set(confidence.tolist()), reverse=True):
        chosen = confidence >= limit
        recall = np.sum(right & chosen) / wanted
        total += (recall - before) * np.sum(right & chosen) / np.sum(chosen)
        before = recall
    return total


def key_point_average_precision(pairs, frame, length, direction, average):
    found = [candidates(pair, frame, length, direction) for pair in pairs]
    classes = [pair["class"] for pair in pairs]
    if average == "image":
        groups = [[i] for i in range(len(pairs))]
    elif average == "point":
        groups = [list(range(len(pairs)))]
    else:
        groups = [[i for i, c in enumerate(classes) if c == name] for name in sorted(set(classes))]
    values = []
    for level in range(len(ALPHAS)):
        of_group = []
        for group in groups:
            confidence = np.concatenate([found[i][0] for i in group])
            right = np.concatenate([found[i][1][level] for i in group])
            of_group.append(average_precision(confidence, right, sum(found[i][2] for i in group)))
        values.append(float(np.mean(of_group)))
    return values


def decided(pair):
    """Whether no comparison of the pair is so close that rounding decides it."""
    for frame in FRAMES:
        for length in LENGTHS:
            for direction in DIRECTIONS:
                _, image, answers = sides(pair, direction)
                reach = length_of(image, frame, length)
                shown = [p for p in image["key_points"] if p is not None]
                distance = np.sqrt(squared(answers["points"], shown, image["size"], frame))
                distance = distance[~np.isnan(distance).any(axis=1)]
                for a in ALPHAS:
                    if np.any((np.abs(distance - a * reach) < MARGIN) & (distance > 0)):
                        return False
                for row in distance:
                    gaps = np.diff(np.sort(row))
                    if np.any((gaps < MARGIN) & (gaps > 0)):
                        return False
    return True


def random_pair(index, kind):
    count = 1 if kind == "one" else rng.randint(3, 7)

    def image():
        size = [rng.randint(60, 400), rng.randint(60, 400)]
        points = [point(size) for _ in range(count)]
        if kind == "border":
            points[0], points[1], points[2] = [0.0, 0.0], [size[0] - 1.0, size[1] - 1.0], [0.0, size[1] - 1.0]
        if kind == "duplicate":
            points[1] = list(points[0])
        beyond = 50 if kind == "box beyond" else 0
        left, right = sorted([number(-beyond, size[0] / 3), number(size[0] / 2, size[0] + beyond)])
        top, bottom = sorted([number(-beyond, size[1] / 3), number(size[1] / 2, size[1] + beyond)])
        return {"size": size, "key_points": points, "box": [left, top, right, bottom]}

    pair = {"id": f"{kind} {index}", "class": rng.choice("abc"), "source": image(), "target": image()}
    if count > 3:
        pair["source"]["key_points"][count - 1] = None
        if count > 4:
            pair["target"]["key_points"][count - 2] = None
    shared = shared_ids(pair)
    for direction, asked, predicted in [("forward", "source", "target"), ("backward", "target", "source")]:
        image = pair[predicted]
        answers = []
        for i in shared:
            chance = rng.random()
            if chance < 0.15:
                answers.append(list(image["key_points"][i]))
            elif chance < 0.3:
                goal = rng.choice([p for p in image["key_points"] if p is not None])
                answers.append([goal[0] + number(-2, 2), goal[1] + number(-2, 2)])
            elif chance < 0.9:
                spread = rng.choice([3, 12, 40])
                goal = image["key_points"][i]
                answers.append([goal[0] + number(-spread, spread), goal[1] + number(-spread, spread)])
            else:
                answers.append([None, number(0, 50)])
        lonely = sum(p is not None for p in pair[asked]["key_points"]) - len(shared)
        pair[direction] = {
            "points": answers,
            "confidence": [rng.randint(0, 16) / 16 for _ in shared],
            "unshared_confidence": [rng.randint(0, 16) / 16 for _ in range(lonely)],
        }
    return pair


def key_point_cases():
    kinds = ["plain"] * 10 + ["one", "one", "border", "border", "duplicate", "duplicate", "box beyond", "box beyond"]
    pairs = []
    for index, kind in enumerate(kinds):
        pair = random_pair(index, kind)
        while not decided(pair):
            pair = random_pair(index, kind)
        pairs.append(pair)
    classes = [pair["class"] for pair in pairs]
    cases = []
    for frame in FRAMES:
        for length in LENGTHS:
            for direction in DIRECTIONS:
                right = [right_points(pair, frame, length, direction) for pair in pairs]
                found = {
                    rivals: [confusion(pair, frame, length, direction, rivals) for pair in pairs]
                    for rivals in ["shared", "shown"]
                }
                for average in AVERAGES:
                    kinds = {}
                    for rivals, of_pairs in found.items():
                        of_kind = [[of_pair[kind] for of_pair in of_pairs] for kind in range(3)]
                        kinds[rivals] = [averaged(classes, points, average).tolist() for points in of_kind]
                    cases.append(
                        {
                            "protocol": f"frame={frame},length={length},direction={direction},average={average}",
                            "pck": averaged(classes, right, average).tolist(),
                            "right_swapped_missed": kinds,
                            "kap": key_point_average_precision(pairs, frame, length, direction, average),
                        }
                    )
    return {"alphas": ALPHAS, "pairs": pairs, "cases": cases}


# ---------------------------------------------------------------------- flow


def flow_case(subset):
    """A small flow, its truth, a mask, and the share of right pixels with and without the mask."""
    width, height = rng.randint(4, 7), rng.randint(3, 6)
    other = [rng.randint(40, 200), rng.randint(40, 200)]
    limit = 0.05 * max(other)
    while True:
        truth = np.array([[number(-30, 30), number(-30, 30)] for _ in range(width * height)])
        error = np.array([[number(-limit, limit), number(-limit, limit)] for _ in range(width * height)])
        distance = np.hypot(error[:, 0], error[:, 1])
        if np.all(np.abs(distance - limit) > MARGIN):
            break
    predicted = truth + error
    known = np.array([rng.random() < 0.8 for _ in range(width * height)])
    answered = np.array([rng.random() < 0.9 for _ in range(width * height)])
    mask = np.array([rng.random() < 0.6 for _ in range(width * height)])
    known[0] = mask[0] = True
    truth[~known] = 1e10
    right = (distance <= limit) & answered
    written = [[float(u), float(v)] if ok else [None, float(v)] for (u, v), ok in zip(predicted, answered)]
    return {
        "subset": subset,
        "size": [width, height],
        "other_size": other,
        "truth": truth.tolist(),
        "predicted": written,
        "mask": mask.tolist(),
        "share": float(right[known].mean()),
        "foreground_share": float(right[known & mask].mean()),
    }


def flow_cases():
    pairs = [flow_case(subset) for subset in ["FG3DCar", "FG3DCar", "JODS", "PASCAL", "PASCAL", "PASCAL"]]
    scores = {}
    for key in ["share", "foreground_share"]:
        names = ["FG3DCar", "JODS", "PASCAL"]
        means = [100 * float(np.mean([pair[key] for pair in pairs if pair["subset"] == name])) for name in names]
        scores[key] = {"subsets": dict(zip(names, means)), "average": float(np.mean(means))}
    return {"pairs": pairs, "scores": scores}


# --------------------------------------------------------------------- masks


def inside(polygon, size):
    """Even-odd, a pixel at a time, in whole 64ths; None where a centre lies on a slanted edge."""
    vertices = [(round(x * 64), round(y * 64)) for x, y in polygon]
    mask = np.zeros((size[1], size[0]), dtype=bool)
    for row in range(size[1]):
        for column in range(size[0]):
            x, y = column * 64, row * 64
            odd = False
            for (xa, ya), (xb, yb) in zip(vertices, vertices[1:] + vertices[:1]):
                if (ya > y) != (yb > y):
                    # The edge crosses the row to the right of the pixel if this has the sign of yb - ya.
                    side = (xa - x) * (yb - ya) + (y - ya) * (xb - xa)
                    if side == 0 and xa != xb:
                        return None
                    odd ^= side * (yb - ya) > 0
            mask[row, column] = odd
    return mask


def mask_case(kind):
    size = [1, 1] if kind == "one pixel" else [rng.randint(8, 24), rng.randint(8, 24)]
    while True:
        truth = [point(size, 2) for _ in range(rng.randint(3, 8))]
        predicted = [[x + number(-3, 3), y + number(-3, 3)] for x, y in truth]
        if kind == "whole numbers":
            truth = [[2.0, 3.0], [6.0, 3.0], [6.0, 7.0], [2.0, 7.0]]
            predicted = [[3.0, 3.0], [7.0, 3.0], [7.0, 8.0], [3.0, 8.0]]
        if kind == "empty":
            predicted = predicted[:2]
        masks = inside(truth, size), inside(predicted, size)
        if masks[0] is not None and masks[1] is not None:
            break
    both, either = np.sum(masks[0] & masks[1]), np.sum(masks[0] | masks[1])
    return {
        "size": size,
        "truth": truth,
        "predicted": predicted,
        "label_accuracy": float(np.mean(masks[0] == masks[1])),
        "iou": float(both / either) if either else 1.0,
    }


def localisation_case():
    boxes = [[number(-20, 30), number(-20, 30), number(40, 200), number(40, 200)] for _ in range(2)]
    asked, predicted = ([point([200, 200]) for _ in range(6)] for _ in range(2))

    def relative(points, corners):
        corners = np.reshape(corners, (2, 2))
        return (np.array(points) - corners[0]) / (corners[1] - corners[0])

    error = np.abs(relative(asked, boxes[0]) - relative(predicted, boxes[1])).sum(axis=1) / 2
    return {"boxes": boxes, "asked": asked, "predicted": predicted, "error": float(error.mean())}


def main():
    kinds = ["plain"] * 8 + ["whole numbers", "empty", "one pixel"]
    golden = {
        "key_points": key_point_cases(),
        "flow": flow_cases(),
        "masks": [mask_case(kind) for kind in kinds],
        "localisation": [localisation_case() for _ in range(4)],
    }
    path = Path(__file__).with_name("metrics.json")
    path.write_text(json.dumps(golden, separators=(",", ":"), allow_nan=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

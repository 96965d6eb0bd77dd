#!/usr/bin/env python3
"""Walks a data set in the layout of SC-ImageNet, and fails at the first thing that the published loaders would trip over.

    walk_layout.py FOLDER [--max-points 40] [--images-left-out]

FOLDER holds Layout, PairAnnotation and JPEGImages, or a folder SC-IMAGENET that does. It is written from the description
of the layout alone, needs nothing but Python's own library, and shares no code with the writer.
"""

import argparse
import json
import math
import os
import re
import sys

INTEGER_KEYS = ["viewpoint_variation", "scale_variation", "truncation", "occlusion"]


def expect(condition, *message):
    if not condition:
        sys.exit(" ".join(str(part) for part in message))


def names(folder):
    expect(os.path.isdir(folder), folder, "is no folder")
    return sorted(os.listdir(folder))


def read_list(path):
    with open(path, encoding="utf-8", newline="") as file:
        text = file.read()
    expect(text == "" or text.endswith("\n"), path, "has no newline at its end")
    # as the loaders do: what is behind the last newline is dropped
    return text.split("\n")[:-1]


def take_apart(path, line):
    match = re.fullmatch(r"([0-9]+)-([^-:/\\]+)-([^-:/\\]+):([^-:/\\]+)", line)
    expect(match, path, "has a line that is no pair:", repr(line))
    _, source, target, category = match.groups()
    return source, target, category


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def are_numbers(values, count):
    return isinstance(values, list) and len(values) == count and all(is_number(value) for value in values)


def walk_annotation(path, category, max_points):
    def no_constant(name):
        expect(False, path, "holds", name, "which is no JSON")

    with open(path, encoding="utf-8") as file:
        pair = json.load(file, parse_constant=no_constant)
    expect(isinstance(pair, dict), path, "is no object")
    points = pair.get("src_kps")
    expect(isinstance(points, list) and 1 <= len(points) <= max_points, path, "has not 1 to", max_points, "src_kps")
    for key in ["src_kps", "trg_kps"]:
        values = pair.get(key)
        expect(isinstance(values, list) and len(values) == len(points), path, key, "is not as long as src_kps")
        expect(all(are_numbers(point, 2) for point in values), path, key, "is no list of [x, y]")
    for key in ["src_bndbox", "trg_bndbox"]:
        sides = pair.get(key)
        are_integers = are_numbers(sides, 4) and all(isinstance(side, int) for side in sides)
        expect(are_integers, path, key, "is no [x1, y1, x2, y2] of integers")
        left, top, right, bottom = sides
        expect(left < right and top < bottom, path, key, "is no box:", pair[key])
    expect(pair.get("category") == category, path, "is of category", pair.get("category"))
    for key in INTEGER_KEYS:
        expect(isinstance(pair.get(key), int) and not isinstance(pair[key], bool), path, key, "is no integer")
    for key in ["confidence", "cycle_error", "agreement"]:
        expect(key not in pair or are_numbers(pair[key], len(points)), path, key, "is not one number a point")
    return len(points)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--max-points", type=int, default=40)
    parser.add_argument("--images-left-out", action="store_true")
    arguments = parser.parse_args()

    base = os.path.join(arguments.folder, "SC-IMAGENET")
    if not os.path.isdir(base):
        base = arguments.folder
    folders = ["Layout", "PairAnnotation"] if arguments.images_left_out else ["JPEGImages", "Layout", "PairAnnotation"]
    expect(names(base) == folders, base, "holds", names(base), "instead of", folders)
    lists = os.path.join(base, "Layout", "large")
    expect(names(os.path.join(base, "Layout")) == ["large"], "Layout holds more than `large`")
    expect(names(lists) == ["trn.txt", "val.txt"], lists, "holds", names(lists))
    annotations = os.path.join(base, "PairAnnotation")
    expect(names(annotations) == ["trn", "val"], annotations, "holds", names(annotations))

    seen, images, counts, points = set(), set(), [], 0
    for split in ["trn", "val"]:
        path = os.path.join(lists, split + ".txt")
        lines = read_list(path)
        counts.append(len(lines))
        for line in lines:
            source, target, category = take_apart(path, line)
            expect(line not in seen, path, "has a pair twice:", line)
            seen.add(line)
            images.update([(category, source), (category, target)])
            annotation = os.path.join(annotations, split, line + ".json")
            expect(os.path.isfile(annotation), annotation, "is not there")
            points += walk_annotation(annotation, category, arguments.max_points)
        extra = set(names(os.path.join(annotations, split))) - {line + ".json" for line in lines}
        expect(not extra, "annotations of no pair:", sorted(extra)[:5])

    categories = sorted({category for category, _ in images})
    if not arguments.images_left_out:
        folder = os.path.join(base, "JPEGImages")
        expect(names(folder) == categories, folder, "holds", names(folder), "instead of", categories)
        for category, image in sorted(images):
            path = os.path.join(folder, category, category + "_" + image + ".JPEG")
            expect(os.path.isfile(path) and os.path.getsize(path) > 0, path, "is not there, or is empty")
        for category in categories:
            for name in names(os.path.join(folder, category)):
                match = re.fullmatch(re.escape(category) + r"_[^-:/\\]+\.JPEG", name)
                expect(match, os.path.join(folder, category, name), "is not <category>_<image id>.JPEG")
    print(f"{counts[0]} pairs in trn, {counts[1]} in val, {points} key points, {len(categories)} classes")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Reads every pair of a data set as the published training loaders of CATs and DHPF do, augmentation included.

    published_loaders.py FOLDER

FOLDER holds SC-ImageNet, as CATs calls it, and SC-IMAGENET, as DHPF does. It is written from the description of what these
loaders do, needs nothing but Python's own library, and fails where they would.
"""

import glob
import json
import os
import random
import struct
import sys

DRAWS = 8
IMAGE_SIDE = 256
FLOW_CELLS = 16


def expect(condition, *message):
    if not condition:
        sys.exit(" ".join(str(part) for part in message))


def image_size(path):
    """Width and height by the header of a PNG or JPEG, whatever the file is called."""
    with open(path, "rb") as file:
        content = file.read()
    if content.startswith(b"\x89PNG"):
        return struct.unpack(">II", content[16:24])
    expect(content.startswith(b"\xff\xd8"), path, "is neither PNG nor JPEG")
    at = 2
    while True:
        marker, length = content[at + 1], struct.unpack(">H", content[at + 2 : at + 4])[0]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", content[at + 5 : at + 9])
            return width, height
        at += 2 + length


def read_list(path):
    with open(path, encoding="utf-8", newline="") as file:
        return file.read().split("\n")[:-1]


def flipped(width, points, box):
    left, top, right, bottom = box
    return [[width - 1 - x, y] for x, y in points], [width - right, top, width - left, bottom]


def cropped(size, points, box):
    """CATs' random_crop: a frame that holds the box, resized to the input's side; its points are cut off at its edges."""
    (width, height), (box_left, box_top, box_right, box_bottom) = size, box
    left, top = random.randint(0, box_left), random.randint(0, box_top)
    crop_height = random.randint(box_bottom, height) - top
    crop_width = random.randint(box_right, width) - left
    expect(crop_width > 0 and crop_height > 0, "a crop of", crop_width, "x", crop_height)
    return [
        [
            min(max((x - left) * (IMAGE_SIDE / crop_width), 0), IMAGE_SIDE - 1),
            min(max((y - top) * (IMAGE_SIDE / crop_height), 0), IMAGE_SIDE - 1),
        ]
        for x, y in points
    ]


def resized(size, points):
    return [[x * (IMAGE_SIDE / size[0]), y * (IMAGE_SIDE / size[1])] for x, y in points]


def flow(name, source, target):
    """CATs' flow from key points on a grid of 16 × 16 cells."""
    grid = [[(0.0, 0.0)] * FLOW_CELLS for _ in range(FLOW_CELLS)]
    cell = IMAGE_SIDE / FLOW_CELLS
    for from_, to in zip(source, target):
        (sx, sy), (tx, ty) = [[int(x // cell) for x in point] for point in (from_, to)]
        expect(all(0 <= at < FLOW_CELLS for at in (sx, sy, tx, ty)), name, "has a point outside:", from_, to)
        grid[ty][tx] = (sx - tx, sy - ty)
    return grid


def read_pairs(base, most_points):
    """What both loaders read: lists, annotations found by a pattern, images by category; yields what they make of a pair."""
    categories = sorted(os.listdir(os.path.join(base, "JPEGImages")))
    for split in ["trn", "val"]:
        for line in read_list(os.path.join(base, "Layout", "large", split + ".txt")):
            source, target = line.split("-")[1], line.split("-")[2].split(":")[0]
            category = line.split(":")[1]
            categories.index(category)
            found = glob.glob("%s/%s.json" % (os.path.join(glob.escape(base), "PairAnnotation", split), line))
            expect(found, line, "has no annotation")
            with open(found[0], encoding="utf-8") as file:
                pair = json.load(file)
            expect(len(pair["src_kps"]) <= most_points, line, "has", len(pair["src_kps"]), "key points")
            for key in ["category", "viewpoint_variation", "scale_variation", "truncation", "occlusion"]:
                pair[key]
            sides = []
            for side, image in [("src", source), ("trg", target)]:
                path = os.path.join(base, "JPEGImages", category, "%s_%s.JPEG" % (category, image))
                sides.append((image_size(path), pair[side + "_kps"], pair[side + "_bndbox"]))
            yield line, sides


def read_as_cats(base):
    count = 0
    for line, sides in read_pairs(base, 40):
        for _ in range(DRAWS):
            views = []
            for size, points, box in sides:
                if random.random() < 0.5:
                    points, box = flipped(size[0], points, box)
                views.append(cropped(size, points, box) if random.random() < 0.75 else resized(size, points))
            flow(line, *views)
        count += 1
    return count


def read_as_dhpf(base):
    count = 0
    for line, sides in read_pairs(base, 400):
        for (width, height), _, (left, top, right, bottom) in sides:
            expect(0 <= left < right <= width and 0 <= top < bottom <= height, line, "has a box outside its image")
        count += 1
    return count


def main():
    random.seed(7)
    folder = sys.argv[1]
    cats = read_as_cats(os.path.join(folder, "SC-ImageNet"))
    dhpf = read_as_dhpf(os.path.join(folder, "SC-IMAGENET"))
    expect(cats == dhpf, "CATs reads", cats, "pairs, DHPF", dhpf)
    print(f"{cats} pairs")


if __name__ == "__main__":
    main()

"""Texts for compositing programs, read back by small parsers of their formats."""

import csv
import io
import re
from fractions import Fraction

import numpy as np
import pytest
from turnover_material import HEIGHT, WIDTH, face_at

from konterfei.geometry import Crop, FaceType
from konterfei.turnover import Key, after_effects, nuke, outline, table

FRAMES = [3, 4, 5, 9]
SIZE = 64


def crop(index):
    return Crop.fit(face_at(x=150 + 3 * index, roll=0.1 * index).landmarks, FaceType.WHOLE, SIZE)


@pytest.fixture
def keys():
    return [Key(i + 1, i, Fraction(i, 25), outline(crop(i), HEIGHT), SIZE) for i in FRAMES]


def read_nuke(text):
    """A node's knobs: name -> text; and curves: name -> one dict (frame -> value) per axis."""
    body = re.fullmatch(r"CornerPin2D \{\n(.*)\n\}\n", text, re.S)[1]
    knobs = {line.split()[0]: line.strip().split(" ", 1)[1] for line in body.splitlines()}
    curves = {}
    for name, value in knobs.items():
        found = re.fullmatch(r"\{\{curve ([^}]*)\} \{curve ([^}]*)\}\}", value)
        if found:
            curves[name] = [
                {int(key[1:]): float(number) for key, number in zip(*[iter(axis.split())] * 2, strict=True)}
                for axis in found.groups()
            ]
    return knobs, curves


def test_nukes_corner_pin_says_the_same_as_the_crops_matrix(keys):
    """A pin is the map that takes from1...from4 to to1...to4; pixel centres of the crop land where the matrix says."""
    knobs, curves = read_nuke(nuke("face0", keys))
    assert set(curves) == {"to1", "to2", "to3", "to4"} and knobs["name"] == "konterfei_face0"
    start = np.array([[float(v) for v in knobs[f"from{n}"].strip("{}").split()] for n in (1, 2, 3, 4)])
    for index in FRAMES:
        target = np.array([[axis[index + 1] for axis in curves[f"to{n}"]] for n in (1, 2, 3, 4)])
        affine, rest, *_ = np.linalg.lstsq(np.column_stack([start, np.ones(4)]), target, rcond=None)
        assert rest.max() < 1e-4  # a similarity: four corners agree on one affine map
        for x, y in [(0, 0), (10, 50), (63, 63)]:  # pixel of the crop, y down -> Nuke: centre at + 0.5, y up
            there = np.array([x + 0.5, SIZE - (y + 0.5), 1]) @ affine
            frame_x, frame_y = (crop(index).frame_from_crop @ np.array([[x, y]], float))[0]
            assert there == pytest.approx([frame_x + 0.5, HEIGHT - (frame_y + 0.5)], abs=2e-3)


def test_corners_begin_at_the_bottom_left_and_go_round(keys):
    upright = outline(Crop.fit(face_at(roll=0.0).landmarks, FaceType.WHOLE, SIZE), HEIGHT)
    assert upright[0, 0] < upright[1, 0] and upright[0, 1] < upright[3, 1]
    assert upright[2] == pytest.approx(upright[1] + upright[3] - upright[0])


def test_the_table_holds_pixels_and_fractions(keys):
    rows = list(csv.DictReader(io.StringIO(table(keys, WIDTH, HEIGHT))))
    assert [int(row["frame"]) for row in rows] == [i + 1 for i in FRAMES]
    for row, key in zip(rows, keys, strict=True):
        assert float(row["top_left_x"]) == pytest.approx(key.corners[3, 0], abs=1e-3)
        assert float(row["top_left_y_fraction"]) * HEIGHT == pytest.approx(key.corners[3, 1], abs=1e-3)
        assert float(row["seconds"]) == pytest.approx(int(row["plate_index"]) / 25)


def test_after_effects_keys_count_from_the_top_left(keys):
    text = after_effects(keys, WIDTH, HEIGHT, Fraction(25))
    assert text.startswith("Adobe After Effects 8.0 Keyframe Data\n") and text.endswith("End of Keyframe Data\n")
    blocks = dict(re.findall(r"Effects\tCorner Pin #1\t([^\n]*)\n\tFrame\tX pixels\tY pixels\t\n((?:\t.*\n)*)", text))
    assert list(blocks) == ["Upper Left #2", "Upper Right #3", "Lower Left #4", "Lower Right #5"]
    first = [float(value) for value in blocks["Upper Left #2"].splitlines()[0].split()]
    assert first == pytest.approx([3, keys[0].corners[3, 0], HEIGHT - keys[0].corners[3, 1]], abs=1e-3)
    assert all(len(block.splitlines()) == len(keys) for block in blocks.values())

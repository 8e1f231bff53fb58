from dataclasses import replace

import numpy as np
import pytest

from konterfei.geometry import smooth_hull_mask
from konterfei.occluders.unknown import Unknown
from occluder_scenes import LANDMARKS, S, clean_frame, in_crop, overlap, view, with_disk

WITHIN = smooth_hull_mask(view(clean_frame()).crop.crop_from_frame @ LANDMARKS, (S, S)) > 0.5
CHEEK = LANDMARKS[31] + [-30, 20]


@pytest.mark.parametrize("color", [(40, 60, 50), (240, 240, 235), (90, 120, 60)], ids=["dark", "white", "green"])
@pytest.mark.parametrize("radius", [12, 30])
def test_finds_what_the_model_did_not_learn(color, radius):
    frame, ball = with_disk(clean_frame(), CHEEK, radius, color)
    found = Unknown().find(view(frame, clean_frame(1)))
    assert overlap(found, in_crop(ball), WITHIN) > 0.75
    assert ((found > 0.02) & (in_crop(ball) == 0) & WITHIN).sum() < 0.015 * WITHIN.sum()


def test_what_the_model_learned_is_not_found():
    frame, _ = with_disk(clean_frame(), CHEEK, 30)
    assert Unknown().find(view(frame, frame)).max() == 0


def test_faint_and_small_differences_are_no_things():
    skin = clean_frame()[tuple(np.rint(CHEEK[::-1]).astype(int))].astype(int)
    faint, _ = with_disk(clean_frame(), CHEEK, 25, skin - 18)
    glint, _ = with_disk(clean_frame(), CHEEK, 3, (255, 255, 255))
    for frame in (faint, glint):
        assert Unknown().find(view(frame, clean_frame(1))).max() == 0


def test_a_model_in_training_misses_much_and_is_not_believed_so_soon():
    frame, _ = with_disk(clean_frame(), CHEEK, 25, (170, 130, 110))
    known = view(frame, clean_frame(1))
    assert Unknown().find(known).max() == 1
    vague = np.clip(known.rebuilt + 0.06 * np.float32([1, -1, 1]), 0, 1)
    assert Unknown().find(replace(known, rebuilt=vague)).max() == 0


def test_a_model_that_knows_nothing_of_the_face_says_nothing():
    shown = view(clean_frame())
    assert Unknown().find(replace(shown, rebuilt=1 - shown.rebuilt)).max() == 0

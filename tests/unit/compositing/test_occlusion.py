from dataclasses import replace

import cv2
import numpy as np
import pytest

from drawn_hands import draw_hand
from konterfei.compositing import MergeSettings, Swapped, close_gaps, cut_face, merge_frame, prepare, uncover
from konterfei.geometry import FaceType
from konterfei.occluders import OCCLUDERS
from occluder_scenes import LANDMARKS, MODEL, clean_frame, face, with_disk

PLAIN = MergeSettings(mode="overlay", color="none", color_smoothing=0.0)
FACE = face()


@pytest.fixture(scope="module")
def occluders():
    return {name: OCCLUDERS.load(name)(1) for name in OCCLUDERS}


@pytest.fixture(scope="module")
def hand():
    """A hand before the chin, and where it is. [480, 640, 3] uint8, [480, 640]"""
    return draw_hand(clean_frame(), np.add(LANDMARKS.mean(axis=0), [10, 160]), 85, 0.0, (170, 120, 95))


def drawn(frame, known=None):
    """What a model draws that makes faces blue, and knows the face as it is in the frame `known`."""
    crop, aligned = cut_face(frame, FACE, FaceType.FULL, MODEL)
    ones = np.ones((MODEL, MODEL), np.float32)
    blue = np.broadcast_to(np.float32([0.1, 0.2, 0.9]), (MODEL, MODEL, 3)).copy()
    rebuilt = cut_face(frame if known is None else known, FACE, FaceType.FULL, MODEL)[1].astype(np.float32) / 255
    return Swapped(crop=crop, aligned=aligned, image=blue, mask=ones, plate_mask=ones), rebuilt


def merged(frame, mask, occluders, known=None):
    settings = replace(PLAIN, mask=mask)
    raw, rebuilt = drawn(frame, known)
    asked = {name: occluders[name] for name in settings.occluders}
    return merge_frame(frame, [FACE], [uncover(frame, FACE, raw, asked, rebuilt)], settings)


def painted_over(frame, result, truth):
    """Which part of what is before the face is not as in the plate."""
    core = cv2.erode(truth, np.ones((5, 5))) > 0.99
    inside = cv2.fillConvexPoly(
        np.zeros(truth.shape, np.uint8), np.rint(cv2.convexHull(LANDMARKS.astype(np.float32))).astype(np.int32), 1
    )
    core &= inside > 0
    assert core.sum() > 300
    return float((np.abs(result.astype(int) - frame).max(axis=-1)[core] > 8).mean())


@pytest.mark.parametrize("mask", ["visible", "visible_known"])
def test_a_hand_is_not_painted_over(occluders, hand, mask):
    frame, truth = hand
    assert painted_over(frame, merged(frame, "learned_hull", occluders), truth) > 0.7
    assert painted_over(frame, merged(frame, mask, occluders), truth) < 0.05


def test_what_the_model_does_not_know_is_not_painted_over(occluders):
    frame, truth = with_disk(clean_frame(), LANDMARKS[31] + [-30, 20], 28)
    assert painted_over(frame, merged(frame, "learned_hull", occluders, clean_frame(1)), truth) > 0.9
    assert painted_over(frame, merged(frame, "visible_known", occluders, clean_frame(1)), truth) < 0.05


@pytest.mark.parametrize("mask", ["visible", "visible_known"])
def test_a_free_face_is_swapped_as_ever(occluders, mask):
    frame = clean_frame()
    assert np.array_equal(merged(frame, mask, occluders), merged(frame, "learned_hull", occluders))


def test_only_what_the_mask_asks_for_is_looked_for():
    assert MergeSettings(mask="learned_hull").occluders == ()
    assert MergeSettings(mask="visible").occluders == ("hands",)
    assert MergeSettings(mask="visible_known").occluders == ("hands", "unknown")
    assert MergeSettings(mask="visible_known", dfl_exact="defaults").occluders == ()


def test_colours_are_measured_beside_the_hand(occluders, hand):
    """Else the face changes its colour when a hand comes before it."""
    settings = replace(PLAIN, color="rct", mask="visible")

    def plate_colour(frame, asked):
        raw, _ = drawn(frame)
        return np.asarray(prepare(FACE, uncover(frame, FACE, raw, asked), settings).colors.plate.mean)

    hands = {"hands": occluders["hands"]}
    free = plate_colour(clean_frame(), hands)
    before = prepare(FACE, drawn(hand[0])[0], replace(settings, mask="learned_hull")).colors.plate.mean
    beside = plate_colour(hand[0], hands)
    assert np.abs(beside - free).max() < 0.3 * np.abs(np.asarray(before) - free).max()


def at(left, name="hands"):
    """A face with a square before it, `left` px from the crop's edge."""
    raw, _ = drawn(clean_frame())
    front = np.zeros((256, 256), np.float32)
    if left is not None:
        front[100:160, left : left + 60] = 1
    return replace(raw, fronts={name: front}, alpha=np.ones((256, 256), np.float32))


def test_a_hand_that_is_missed_once_is_there():
    missed = close_gaps(at(None), at(80), at(90))
    assert missed.fronts["hands"].sum() == 60 * 50  # where both neighbours have it
    assert missed.alpha is None


@pytest.mark.parametrize(
    ("before", "now", "after"),
    [(None, None, 80), (80, None, None), (None, 80, None), (80, 80, 80), (20, None, 120)],
    ids=["comes", "goes", "flashes", "stays", "elsewhere"],
)
def test_nothing_else_is_made_up(before, now, after):
    one = at(now)
    assert close_gaps(one, at(before), at(after)) is one
    assert close_gaps(at(None), None, at(after)).fronts["hands"].max() == 0


def test_gaps_are_closed_for_each_kind_apart():
    one = at(None)
    assert close_gaps(one, at(80), at(80, "unknown")) is one

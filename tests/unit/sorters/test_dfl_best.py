"""DeepFaceLab's best faces against its published steps, and its orders by single figures."""

import cv2
import numpy as np
import pytest

from konterfei.reporting import Recorder
from konterfei.sorters import SORTERS, Wish
from sorting_material import measures


def distance(one, other):
    counts = [(roots.astype(np.float64) ** 2).astype(np.float32) for roots in (one, other)]
    return cv2.compareHist(*counts, cv2.HISTCMP_BHATTACHARYYA)


def bin_of(value, low, high, count):
    edges = np.linspace(low, high, count)
    for number in range(count):
        is_first, is_last = number == 0, number == count - 1
        if (is_first or value >= edges[number]) and (is_last or value < edges[number + 1]):
            return number
    raise AssertionError


def published(faces, quality, target):
    """The steps one by one: places of chosen faces, in their order."""
    each = round(target / 128)
    bins = [[] for _ in range(128)]
    for row in range(len(faces)):
        bins[bin_of(-faces.dfl_pose[row, 1], -1.2, 1.2, 128)].append(row)
    each += sum(max(0, each - len(some)) for some in bins) // 128
    chosen = []
    for some in bins:
        some = sorted(some, key=lambda row: quality[row], reverse=True)[: each * 10]
        levels = [[] for _ in range(each)]
        for row in some:
            levels[bin_of(faces.dfl_pose[row, 0], -np.pi / 2, np.pi / 2, each)].append(row)
        for level in levels:
            scores = {
                a: round(sum(distance(faces.grey_histogram[a], faces.grey_histogram[b]) for b in level if b != a), 5)
                for a in level
            }
            level.sort(key=scores.get, reverse=True)
        taken = []
        while len(taken) < each and any(levels):
            for level in levels:
                if level:
                    taken.append(level.pop(0))
        chosen += taken[:each]
    return chosen


@pytest.mark.parametrize(("name", "figure"), [("final", "blur"), ("final-fast", "area")])
@pytest.mark.parametrize("target", [130, 400])
def test_best_faces_are_the_published_steps(name, figure, target):
    faces = measures(900)
    order = SORTERS.load(name)(faces, Wish(count=target), Recorder())
    wanted = published(faces, getattr(faces, figure), target)
    assert order.rows[: len(faces) - order.rest].tolist() == wanted
    assert 100 < len(wanted) < 900


def test_fewer_than_a_face_for_each_direction_takes_some_nevertheless():
    faces = measures(300)
    order = SORTERS.load("final")(faces, Wish(count=10), Recorder())
    assert 0 < len(faces) - order.rest <= 128


@pytest.mark.parametrize("name", ["blur", "motion-blur"])
def test_faces_without_any_sharpness_are_left_out(name):
    faces = measures(20)
    figure = faces.blur if name == "blur" else faces.motion_blur
    figure[[3, 8]] = 0
    order = SORTERS.load(name)(faces, Wish(), Recorder())
    assert order.rest == 2
    assert order.rows[-2:].tolist() == [3, 8]


def test_oneface_leaves_out_all_faces_of_frames_with_several():
    faces = measures(6, frames=np.array([0, 1, 1, 2, 3, 3]), sources=("a", "a", "a", "a", "a", "b"))
    order = SORTERS.load("oneface")(faces, Wish(), Recorder())
    assert order.rows.tolist() == [0, 3, 4, 5, 1, 2]
    assert order.rest == 2
    assert SORTERS.load("oneface")(faces.take([0, 3, 4]), Wish(), Recorder()).rest == 0


def test_time_goes_by_video_and_frame():
    faces = measures(4, frames=np.array([5, 2, 1, 9]), sources=("b", "a", "b", "a"))
    assert SORTERS.load("time")(faces, Wish(), Recorder()).rows.tolist() == [1, 3, 2, 0]

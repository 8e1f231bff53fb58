"""What a shot asks for and its source lacks."""

import numpy as np
import pytest

from konterfei.curation.lacking import KINDS, TOLERANCES, gaps, nearest

AXES = [axis for kind in KINDS for axis in TOLERANCES[kind]]


def faces(count, **changes):
    return {axis: np.broadcast_to(np.asarray(changes.get(axis, 0.0), float), count).copy() for axis in AXES}


def test_a_shot_lacks_nothing_of_itself():
    rng = np.random.default_rng(2)
    shot = {axis: rng.normal(0, 1, 40) for axis in AXES}
    found = nearest(shot, shot)
    assert (found.lacking() == -1).all() and gaps(found, np.zeros(40), np.arange(40.0)) == []
    assert all(found.covered(kind) == 1 and (found.row[kind] == np.arange(40)).all() for kind in KINDS)


def test_a_turned_head_lacks_a_pose_by_as_much_as_it_is_turned():
    source = faces(3, yaw=[-10, 0, 10])
    found = nearest(faces(4, yaw=[0, 20, 40, 64]), source)
    assert found.distance["pose"] * TOLERANCES["pose"]["yaw"] == pytest.approx([0, 10, 30, 54])
    assert list(found.lacking()) == [-1, -1, 0, 0]
    assert found.covered("pose") == 0.5
    assert list(found.row["pose"]) == [1, 2, 2, 2]


def test_an_expression_counts_only_in_the_pose_that_it_is_asked_in():
    source = faces(2, yaw=[0, 40], mouth_open=[0, 0.5])
    found = nearest(faces(2, yaw=[0, 40], mouth_open=[0.5, 0.5]), source)
    assert [KINDS[n] if n >= 0 else "" for n in found.lacking()] == ["expression", ""]


def test_light_is_asked_apart_from_expression():
    source = faces(2, mouth_open=[0, 0.5], light_side=[1, 0])
    found = nearest(faces(1, mouth_open=0.5, light_side=1), source)
    assert list(found.lacking()) == [-1]
    found = nearest(faces(1, light_side=-1), source)
    assert [KINDS[n] for n in found.lacking()] == ["light"]


def test_frames_are_gathered_to_stretches_of_time_the_longest_first():
    seconds = np.r_[np.arange(5) * 0.04, 3 + np.arange(9) * 0.04, 9.0]
    shot = faces(15, yaw=np.r_[[50] * 5, [40, 41, 42, 60, 44, 43, 42, 41, 40], 0])
    found = gaps(nearest(shot, faces(1)), np.zeros(15), seconds)
    assert [(gap.rows[0], gap.rows[-1], len(gap.rows)) for gap in found] == [(5, 13, 9), (0, 4, 5)]
    assert found[0].worst == 8 and found[0].nearest == 0 and found[0].distance == pytest.approx(5)
    both = gaps(nearest(shot, faces(1)), np.r_[np.zeros(9), np.ones(6)], seconds)
    assert [len(gap.rows) for gap in both] == [5, 5, 4]

"""Shapes seen from the front: nothing of place, size and pose is left in them, all of the expression is."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from konterfei.curation.shapes import EXPRESSIONS, expressions, frontal_shapes, jumps, misfits, own_usual
from posed_faces import landmarks

angles = st.floats(-50, 50)


@given(yaw=angles, pitch=angles)
def test_the_pose_leaves_no_trace(yaw, pitch):
    ahead, turned = frontal_shapes(np.stack([landmarks(), landmarks(yaw, pitch)]))
    assert np.abs(turned - ahead).max() < 1e-4
    seen = expressions(np.stack([ahead, turned]))
    assert set(seen) == set(EXPRESSIONS)
    assert all(abs(values[0] - values[1]) < 1e-3 for values in seen.values())


@given(yaw=angles, pitch=st.floats(-20, 20), mouth=st.floats(0, 30))
def test_an_open_mouth_is_as_open_from_the_side_and_an_eighth_less_from_above(yaw, pitch, mouth):
    ahead, aside, above = expressions(
        frontal_shapes(np.stack([landmarks(mouth=mouth), landmarks(yaw, 0, mouth), landmarks(yaw, pitch, mouth)]))
    )["mouth_open"]
    assert aside == pytest.approx(ahead, abs=1e-3)
    assert ahead * 0.87 - 1e-3 < above <= ahead + 1e-3


@given(
    scale=st.floats(0.1, 10),
    angle=st.floats(-3, 3),
    shift=st.tuples(st.floats(-500, 500), st.floats(-500, 500)),
    yaw=angles,
)
def test_place_size_and_turn_in_the_frame_leave_no_trace(scale, angle, shift, yaw):
    points = landmarks(yaw, 5, 6).astype(np.float64)
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    one, other = frontal_shapes(np.stack([points, points @ turn.T + shift]))
    assert np.allclose(one, other, atol=1e-5)


def test_axes_grow_with_what_they_are_named_for():
    points = np.stack([landmarks(mouth=0), landmarks(mouth=20)] + [landmarks()] * 4)
    points[2, [17, 18, 19, 20, 21, 22, 23, 24, 25, 26], 1] -= 4
    points[3, [48, 54], 1] -= 4
    points[4, [48, 54], 0] += [-3, 3]
    points[5, [43, 44], 1] += 3
    axes = expressions(frontal_shapes(points))
    assert axes["mouth_open"][1] > axes["mouth_open"][0] + 0.2
    assert axes["brows_up"][2] > axes["brows_up"][0] + 0.04
    assert axes["smile"][3] > axes["smile"][0] + 0.04
    assert axes["mouth_width"][4] > axes["mouth_width"][0] + 0.05
    assert axes["eyes_open"][5] < axes["eyes_open"][0] - 0.05
    assert axes["wink"][5] < axes["wink"][0] - 0.1  # the image-right eye is the one less open


def test_what_is_usual_is_measured_with_a_shut_mouth():
    axes = expressions(frontal_shapes(np.stack([landmarks(mouth=m) for m in [0] * 5 + [30] * 4])))
    usual = own_usual(axes)
    assert usual["smile"] == pytest.approx(axes["smile"][0])
    assert usual["mouth_open"] == usual["wink"] == 0


def test_the_face_whose_mouth_slipped_fits_worst():
    rng = np.random.default_rng(3)
    points = np.stack([landmarks(yaw, 0, mouth) for yaw, mouth in rng.uniform([-30, 0], [30, 20], (80, 2))])
    points += rng.normal(0, 0.2, points.shape).astype(np.float32)
    points[17, 48:68] += [12, 9]
    points[40, 36:42] += [0, -12]
    found = misfits(frontal_shapes(points))
    assert set(np.argsort(found)[-2:]) == {17, 40}
    assert found[[17, 40]].min() > 0.15
    assert np.delete(found, [17, 40]).max() < 0.06
    assert len(misfits(np.zeros((0, 68, 2)))) == 0


def test_one_face_that_jumps_is_told_and_its_neighbours_are_not():
    points = np.stack([landmarks(shift=(2.0 * n, n)) for n in range(12)])
    seconds, strands = np.arange(12) / 25, np.zeros(12, np.int64)
    even = jumps(points, strands, seconds)
    assert np.isnan(even[[0, 1, 10, 11]]).all()
    assert np.nanmax(even) < 1e-5
    points[6] += [20, 0]
    told = jumps(points, strands, seconds)
    assert told[6] > 0.35
    assert np.nanmax(np.delete(told, 6)) < 0.06


def test_neighbours_are_of_one_track_and_near_in_time():
    points = np.stack([landmarks()] * 10)
    seconds = np.array([0, 1, 2, 3, 4, 0, 1, 2, 9, 10]) / 25
    strands = np.array([0] * 5 + [1] * 5)
    assert list(np.flatnonzero(np.isfinite(jumps(points, strands, seconds)))) == [2]
    assert np.isnan(jumps(points[:3], strands[:3], seconds[:3])).all()

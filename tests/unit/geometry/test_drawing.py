"""Lines over faces: at the right place, in the right direction, and never in the picture that was given."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from konterfei.geometry import HEAD_68, head_pose
from konterfei.geometry.drawing import GREEN, RED, axes_of, draw_landmarks, draw_lines, draw_mask_edge

ANGLES = st.floats(-1.0, 1.0)


def empty():
    return np.zeros((120, 120, 3), np.uint8)


def test_a_line_is_where_its_points_are_and_the_picture_stays():
    image = empty()
    drawn = draw_lines(image, [[10, 20], [100, 20]], GREEN, closed=False)
    assert drawn[20, 55] == pytest.approx(GREEN, abs=40)
    assert not drawn[30:].any() and not image.any()


def test_landmarks_have_a_dot_each():
    points = (HEAD_68[:, :2] - HEAD_68[:, :2].min(0)) * 0.6 + 5
    drawn = draw_landmarks(empty(), points)
    for x, y in np.rint(points).astype(int):
        assert drawn[y, x].min() > 120


def test_the_edge_of_a_mask_is_drawn_and_not_its_inside():
    mask = np.zeros((120, 120), np.uint8)
    mask[30:90, 30:90] = 255
    drawn = draw_mask_edge(empty(), mask, RED)
    assert drawn[30, 60].any() and drawn[60, 89].any()
    assert not drawn[60, 60].any() and not drawn[10, 10].any()


def test_far_away_points_do_no_harm():
    assert not draw_lines(empty(), [[1e9, 1e9], [2e9, 1e9]], RED, closed=True).any()


@given(ANGLES, ANGLES, ANGLES)
def test_axes_are_the_pose_that_the_landmarks_show(pitch, yaw, roll):
    """Points turned by the axes have the pose that the axes were made of."""
    axes = axes_of((pitch, yaw, roll))
    points = HEAD_68[:, :2] @ axes[:2] - HEAD_68[:, 2:] @ axes[2:]
    assert head_pose(points) == pytest.approx((pitch, yaw, roll), abs=1e-3)


def test_a_nose_that_points_left_is_drawn_to_the_left():
    axes = axes_of((0.0, 0.6, 0.0))
    assert axes[2, 0] < -0.5 and abs(axes[2, 1]) < 1e-9  # yaw > 0: the nose to the image's left
    assert axes_of((0.5, 0.0, 0.0))[2, 1] < -0.4  # pitch > 0: looking up
    assert axes_of((0.0, 0.0, 0.3))[0] == pytest.approx([np.cos(0.3), np.sin(0.3)])

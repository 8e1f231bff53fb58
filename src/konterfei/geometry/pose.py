"""Which way a head looks, from its landmarks.

Signs, for all functions here: **yaw** > 0 with the nose to the image's left of the head's centre, **pitch** > 0 looking
up, **roll** > 0 with the head turned clockwise on the screen. Radians.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from konterfei.geometry.landmarks import checked
from konterfei.geometry.tables import HEAD_68

Array = NDArray[Any]

# Jaw, brows and nose without its bridge: the points DeepFaceLab estimates pose from.
_RIGID: Final = np.array([*range(27), *range(30, 36)])
_PERSPECTIVE_STEPS: Final = 8


class Pose(NamedTuple):
    """Pitch, yaw and roll in radians; signs as the module says."""

    pitch: float
    yaw: float
    roll: float


def pose(points_aligned: ArrayLike, size: int) -> Pose:
    """DeepFaceLab's estimate, for sorting and records that must agree with it. Prefer `head_pose`.

    It often finds the mirrored solution behind the camera: **roll is meaningless** (often cut off at +-pi/2) and the
    figures depend on the OpenCV version. Yaw keeps its sign and about its size.

    Args:
        points_aligned: [68, 2] in the space of a crop
        size: side of that crop, px; also taken as the focal length
    """
    camera = np.array([[size, 0, size / 2], [0, size, size / 2], [0, 0, 1]], dtype=np.float64)
    image_points = checked(points_aligned)[_RIGID].astype(np.float64)
    _, turn, _ = cv2.solvePnP(HEAD_68[_RIGID], image_points, camera, np.zeros((4, 1)))
    x, y, z = np.clip(_euler(cv2.Rodrigues(turn)[0]), -np.pi / 2, np.pi / 2)
    return Pose(float(-x), float(y), float(z))


def head_pose(points_frame: ArrayLike, frame_size: tuple[int, int] | None = None) -> Pose:
    """Which way the head looks as seen from the camera: always the solution before the camera, roll in (-pi, pi].

    Scaled-orthographic least squares, brought to perspective by iteration (POSIT, DeMenthon and Davis 1995) with a
    focal length of the frame's longer side. Angles are relative to the line of sight through the head, so a head that
    faces the camera has pose zero wherever it stands in the frame. Linear in the points: no local minima, no flips.

    Args:
        points_frame: [68, 2]
        frame_size: (width, height), px; None stays with the orthographic estimate (right for long lenses, and for
            landmarks in a crop)

    Raises:
        ValueError: when the points fall together.
    """
    head = HEAD_68[_RIGID]
    centre = head.mean(axis=0)
    head = head - centre
    points = checked(points_frame)[_RIGID].astype(np.float64)
    middle = points.mean(axis=0)
    solve = np.linalg.pinv(head)
    turn, scale = _orthographic(solve, points - middle)
    if frame_size is not None:
        focal = float(max(frame_size))
        for _ in range(_PERSPECTIVE_STEPS):
            # depth of each point relative to the head's; kept off the camera's plane for absurdly near heads
            depth = np.clip(1.0 + scale / focal * (head @ turn[2]), 0.5, 2.0)[:, None]
            flat = (points - middle) * depth
            turn, scale = _orthographic(solve, flat - flat.mean(axis=0))
    x, y, z = _euler(turn)
    return Pose(float(-x), float(y), float(z))


def _orthographic(solve: Array, points: Array) -> tuple[Array, float]:
    """Rotation [3, 3] and scale of the scaled-orthographic view nearest to the linear fit of `points` [N, 2]."""
    linear = (solve @ points).T
    u, singular, vt = np.linalg.svd(linear, full_matrices=False)
    if singular[1] < 1e-9:
        raise ValueError("cannot estimate a pose: the landmarks fall together")
    rows = u @ vt
    return np.stack([rows[0], rows[1], np.cross(rows[0], rows[1])]), float(singular.mean())


def _euler(rotation: Array) -> tuple[float, float, float]:
    """Angles about x, y, z of `rotation` = Rz Ry Rx."""
    level = float(np.hypot(rotation[0, 0], rotation[1, 0]))
    y = float(np.arctan2(-rotation[2, 0], level))
    if level < 1e-6:
        return float(np.arctan2(-rotation[1, 2], rotation[1, 1])), y, 0.0
    x = float(np.arctan2(rotation[2, 1], rotation[2, 2]))
    return x, y, float(np.arctan2(rotation[1, 0], rotation[0, 0]))

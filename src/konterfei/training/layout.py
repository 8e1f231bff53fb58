"""Where somebody's face has its parts, and a face with its parts where somebody else has them."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import Delaunay

from konterfei.geometry import MIRRORED, head_pose
from konterfei.geometry.triangles import piecewise

Array = NDArray[Any]

_PARTS = (slice(17, 22), slice(22, 27), slice(27, 36), slice(36, 42), slice(42, 48), slice(48, 68))
"""Landmarks that move as one: brows, nose, eyes, mouth. How far a mouth is open or a brow bent is what a face says,
not where it has its parts."""
_MOST = 2000  # faces of a person that are looked at
_RIDGE = 1e-3  # of variance 1: what is not seen to vary explains nothing
_STEPS = np.linspace(0, 1, 5)
_BORDER = np.array([(x, y) for x in _STEPS for y in _STEPS if x in (0, 1) or y in (0, 1)])
"""Points that stay where they are, in sides."""
_COARSE = 2  # the map is made at so many times less pixels a side: it is piecewise linear
_STAY = np.array([[_COARSE, 0, (_COARSE - 1) / 2], [0, _COARSE, (_COARSE - 1) / 2]])


def layout_between(ours: Array, theirs: Array) -> Array:
    """How far each landmark of one person lies from where another one has it: the jaw's one by one, parts as wholes.

    What heads that turn, nod and open their mouths do to landmarks is much more than what people differ by, and no two
    facesets do the same. So both are fitted at once, least squares: where the person has the landmark, plus what yaw
    (twice), pitch and the mouth do to it, which is the same for both. Without that, of two people of whom one looks
    down into the camera, layouts differ by the camera. People are taken for symmetrical.

    Args:
        ours, theirs: landmarks of crops of one size and face type. [N, 68, 2], [M, 68, 2]

    Returns:
        [68, 2], in the pixels of the landmarks
    """
    both = [points[np.linspace(0, len(points) - 1, min(len(points), _MOST)).astype(int)] for points in (ours, theirs)]
    count = len(both[0])
    points = np.concatenate(both).astype(np.float64)
    doing = np.stack([_doing(one) for one in points])
    doing = (doing - doing.mean(axis=0)) / (doing.std(axis=0) + 1e-6)
    is_theirs = np.arange(len(points)) >= count
    terms = np.column_stack([~is_theirs, is_theirs, doing])
    weights = np.where(is_theirs, 1 / len(both[1]), 1 / count)[:, None]  # both people count alike
    ridge = np.diag([0.0, 0.0, *[_RIDGE] * doing.shape[1]])
    fitted = np.linalg.solve(terms.T @ (weights * terms) + ridge, terms.T @ (weights * points.reshape(len(points), -1)))
    shift: Array = (fitted[1] - fitted[0]).reshape(-1, 2)
    for part in _PARTS:
        shift[part] = shift[part].mean(axis=0)
    return (shift + shift[MIRRORED] * [-1, 1]) / 2


def _doing(points: Array) -> Array:
    """What a face is doing that moves its landmarks: turning, nodding, opening the mouth. [5]"""
    pose = head_pose(points)
    opening = np.linalg.norm(points[66] - points[62]) / np.linalg.norm(points[36:42].mean(0) - points[42:48].mean(0))
    return np.array([pose.yaw, pose.yaw**2, pose.pitch, pose.yaw * pose.pitch, opening])


class Mover:
    """Moves the landmarks of faces, and the picture with them, triangle by triangle; the border of the crop stays.

    Args:
        landmarks: some faces', in pixels of their crops; the triangles are those of their mean. [N, 68, 2]
        side: of the crops, px.
    """

    def __init__(self, landmarks: Array, side: int) -> None:
        self._border = _BORDER * (side - 1)
        mean = np.asarray(landmarks, np.float64).mean(axis=0)
        self._triangles = Delaunay(np.concatenate([mean, self._border])).simplices

    def of(self, face: Array, points: Array, moved: Array) -> Array:
        """The face with its landmarks elsewhere.

        Args:
            face: RGB. [S, S, 3] uint8
            points: its landmarks. [68, 2]
            moved: where they are to be. [68, 2]

        Returns:
            [S, S, 3] uint8
        """
        side = face.shape[0]
        there = (np.concatenate([moved, self._border]) + 0.5) / _COARSE - 0.5
        here = np.concatenate([points, self._border])
        positions, _ = piecewise(there, here, self._triangles, side // _COARSE, _STAY)
        both = cv2.resize(positions, (side, side))
        return cv2.remap(face, both[..., 0], both[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)

"""Where somebody's face has its parts, and a face with its parts where somebody else has them."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import Delaunay

from konterfei.geometry.triangles import piecewise

Array = NDArray[Any]

_PARTS = (slice(17, 22), slice(22, 27), slice(27, 36), slice(36, 42), slice(42, 48), slice(48, 68))
"""Landmarks that move as one: brows, nose, eyes, mouth. How far a mouth is open or a brow bent is what a face says,
not where it has its parts."""
_STEPS = np.linspace(0, 1, 5)
_BORDER = np.array([(x, y) for x in _STEPS for y in _STEPS if x in (0, 1) or y in (0, 1)])
"""Points that stay where they are, in sides."""
_COARSE = 2  # the map is made at so many times less pixels a side: it is piecewise linear
_STAY = np.array([[_COARSE, 0, (_COARSE - 1) / 2], [0, _COARSE, (_COARSE - 1) / 2]])


def layout_between(ours: Array, theirs: Array) -> Array:
    """How far each landmark of one person lies from where another one has it: the jaw's one by one, parts as wholes.

    Args:
        ours, theirs: landmarks of crops of one size and face type, several of each person, so that looks and
            expressions cancel out. [N, 68, 2], [M, 68, 2]

    Returns:
        [68, 2], in the pixels of the landmarks
    """
    shift: Array = np.median(theirs, axis=0) - np.median(ours, axis=0)
    for part in _PARTS:
        shift[part] = shift[part].mean(axis=0)
    return shift


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

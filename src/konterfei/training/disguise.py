"""A face in disguise: the texture of somebody else's face on its landmarks, in its own light.

A network of many people that often sees faces so, and still has to draw the true one of whom it is told, cannot learn
who it is from what it sees: what it reads there is pose, expression and light.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import Delaunay

from konterfei.geometry.triangles import piecewise

Array = NDArray[Any]

_OWN = (slice(36, 42), slice(42, 48), slice(60, 68))
"""Landmarks around eyes and inner mouth: what looks and speaks stays the face's own."""
_FOREHEAD = 0.5
"""How far above the brows a disguise reaches, in lengths of the nose; the brows themselves are in it wholly."""
_COARSE = 2  # the map between both faces is made at so many times less pixels a side: it is piecewise linear
_LIGHT = 1 / 7  # standard deviation of the blur that leaves light alone, as a share of the side
_DARK = 8.0  # level that keeps quotients of dark places in bounds
_MOST_GAIN = 3.0
_SOFT = 2.0  # standard deviation of the seam, px at 144


class Disguise:
    """Puts textures from face to face, triangle by triangle of landmarks.

    Args:
        landmarks: some faces', in any pixels of one size; the triangles are those of their mean. [N, 68, 2]
    """

    def __init__(self, landmarks: Array) -> None:
        mean = np.asarray(landmarks, np.float64).mean(axis=0)
        self._triangles = Delaunay(_with_forehead(mean)).simplices

    def of(self, face: Array, points: Array, other: Array, others_points: Array) -> Array:
        """The face with the texture of the other one within its landmarks and somewhat above.

        Args:
            face, other: RGB. [S, S, 3] uint8
            points, others_points: their landmarks, in their pixels. [68, 2]

        Returns:
            [S, S, 3] uint8
        """
        side = face.shape[0]
        x, y, inside = self._map(_with_forehead(points), _with_forehead(others_points), side)
        texture = cv2.remap(other, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        lit = texture * _gains(face, texture, inside)
        weight = _weights(points, inside)
        mixed: Array = (face + weight * (np.clip(lit, 0, 255) - face)).round().astype(np.uint8)
        return mixed

    def _map(self, points: Array, others: Array, side: int) -> tuple[Array, Array, Array]:
        """Where in the other face each pixel's texture lies, x and y, and which pixels lie within the points.

        [S, S] float32 twice; [S, S] float32, 0 or 1 but for the rim
        """
        ours = (points + 0.5) / _COARSE - 0.5
        # Beyond the landmarks: the map of both faces as wholes.
        small, numbers = piecewise(ours, others, self._triangles, side // _COARSE, _affine(ours, others))
        both = cv2.resize(small, (side, side))
        inside = cv2.resize((numbers >= 0).astype(np.float32), (side, side))
        return both[..., 0], both[..., 1], inside


def _with_forehead(points: Array) -> Array:
    """The landmarks and five points above the brows. [68, 2] -> [73, 2]"""
    between = (points[21] + points[22]) / 2
    brows = np.stack([points[18], points[20], between, points[23], points[25]])
    return np.concatenate([points, brows + _FOREHEAD * (points[27] - points[33])])


def _affine(ours: Array, theirs: Array) -> Array:
    """The affine map that brings points nearest to points. [N, 2] twice -> [2, 3]"""
    known = np.column_stack([ours, np.ones(len(ours))])
    return np.linalg.lstsq(known, np.asarray(theirs, np.float64), rcond=None)[0].T


def _gains(face: Array, texture: Array, inside: Array) -> Array:
    """What gives the texture the face's own light: quotients of both without detail. [S, S, 3] float32"""
    side = face.shape[0]
    small = max(8, side // 4)
    size = (small, small)
    within = cv2.resize(inside, size, interpolation=cv2.INTER_AREA)[..., None]
    weight = cv2.GaussianBlur(within, (0, 0), _LIGHT * small)[..., None] + 1e-3

    def light(image: Array) -> Array:
        coarse = cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.float32)
        return cv2.GaussianBlur(coarse * within, (0, 0), _LIGHT * small) / weight

    gains = (light(face) + _DARK) / (light(texture) + _DARK)
    return cv2.resize(np.clip(gains, 1 / _MOST_GAIN, _MOST_GAIN), (side, side))


def _weights(points: Array, inside: Array) -> Array:
    """How much of the texture is taken: none of eyes and inner mouth, nothing at the rim. [S, S, 1] float32"""
    side = inside.shape[0]
    own = np.zeros((side, side), np.uint8)
    for part in _OWN:
        cv2.fillPoly(own, [np.round(points[part]).astype(np.int32)], 1)
    reach = np.ones((5, 5), np.uint8)
    taken = cv2.erode((inside > 0.99).astype(np.uint8), reach, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    seam = taken.astype(np.float32) * (1 - cv2.dilate(own, reach))
    return cv2.GaussianBlur(seam, (0, 0), _SOFT * side / 144)[..., None]

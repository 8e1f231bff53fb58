"""Piecewise affine maps: pictures that follow points, triangle by triangle."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def piecewise(ours: Array, theirs: Array, triangles: Array, side: int, elsewhere: Array) -> tuple[Array, Array]:
    """Where each pixel of our picture lies in theirs.

    Args:
        ours: points in our picture, px. [N, 2]
        theirs: the same points in theirs, px. [N, 2]
        triangles: of points. [T, 3]
        side: of our picture, px.
        elsewhere: affine map of pixels that lie in no triangle. [2, 3]

    Returns:
        x and y there [side, side, 2] float32; the number of each pixel's triangle, -1 = none [side, side] int16
    """
    numbers = np.full((side, side), -1, np.int16)
    for number, corners in enumerate(np.round(ours[triangles] * 16).astype(np.int32)):
        cv2.fillConvexPoly(numbers, corners, number, lineType=cv2.LINE_8, shift=4)
    maps = np.concatenate([_affine_maps(ours[triangles], theirs[triangles]), elsewhere[None]])  # -1 is the last
    of_each = maps.astype(np.float32)[numbers]
    x = np.arange(side, dtype=np.float32)
    return of_each[..., 0] * x[None, :, None] + of_each[..., 1] * x[:, None, None] + of_each[..., 2], numbers


def _affine_maps(ours: Array, theirs: Array) -> Array:
    """Affine maps of triangles onto triangles; flat ones go to one point. [T, 3, 2] twice -> [T, 2, 3]"""
    edges, others = (t[:, 1:] - t[:, :1] for t in (ours, theirs))  # [T, 2 edges, 2]
    (ax, ay), (bx, by) = edges[:, 0].T, edges[:, 1].T
    area = ax * by - ay * bx
    area = np.where(np.abs(area) < 1e-2, np.inf, area)
    inverse = np.stack([np.stack([by, -bx], axis=-1), np.stack([-ay, ax], axis=-1)], axis=1) / area[:, None, None]
    linear = others.transpose(0, 2, 1) @ inverse
    offset = theirs[:, 0] - np.einsum("tij,tj->ti", linear, ours[:, 0])
    return np.concatenate([linear, offset[..., None]], axis=2)

"""How much of a face is covered: pixels of its skin that do not look like its skin.

Skin's colour is nearly one over a face, and its brightness goes over smoothly. Both are fitted to the face itself,
with little weight for what does not fit; what is far from the fit is hair, a microphone, a hard shadow, text. A hand of
the same skin is not seen, nor is what lies over the eyes or the mouth alone.
"""

from __future__ import annotations

from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from konterfei.geometry import (
    LEFT_BROW,
    LEFT_EYE,
    OUTER_LIP,
    RIGHT_BROW,
    RIGHT_EYE,
    Similarity,
    hull_mask,
)

Array = NDArray[Any]

_SIDE: Final = 64
"""Side of the picture that is looked at, px."""
_FACE: Final = 44
"""Of it, side of the mean face's square."""
_FEATURES: Final = (RIGHT_EYE, LEFT_EYE, RIGHT_BROW, LEFT_BROW, OUTER_LIP)
_NOSTRILS: Final = slice(31, 36)
_STEPS: Final = 4
_LIGHT: Final = 26.0
"""Lightness (8-bit Lab) that skin differs from its smooth course, by pores, wrinkles, stubble."""
_COLOR: Final = 8.0
"""The same for a and b."""
_FAR: Final = 2.2
"""Of these together, from where on a pixel is not this skin."""
_LEAST: Final = 60
"""Pixels of skin without which nothing is told."""


def occlusion(image: Array, points: Array, unit_from_crop: Similarity) -> float:
    """Share of the skin within the face that is covered, 0 to 1; NaN where too little of it is in the picture.

    Args:
        image: RGB. [S, S, 3] uint8
        points: landmarks in the crop. [68, 2]
        unit_from_crop: the map to the mean face's square.
    """
    margin = (_SIDE - _FACE) / 2
    to_small = Similarity.of(_FACE, 0.0, (margin, margin - 0.06 * _SIDE)) @ unit_from_crop
    finer = int(np.clip(round(1 / max(to_small.scale, 1e-3)), 1, 8))
    large = Similarity.of(finer, 0.0, (finer / 2 - 0.5,) * 2) @ to_small
    side = _SIDE * finer
    small = cv2.warpAffine(image, large.matrix, (side, side), borderMode=cv2.BORDER_REPLICATE)
    small = cv2.resize(small, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    skin = _skin(to_small @ points.astype(np.float64))
    if np.count_nonzero(skin) < _LEAST:
        return float("nan")
    far = _distance(cv2.cvtColor(small, cv2.COLOR_RGB2LAB)[skin].astype(np.float64), *np.nonzero(skin))
    return float((far > _FAR).mean())


def _skin(points: Array) -> Array:
    """Cheeks, nose, chin, upper lip: the hull up to the brows without what is no skin. [S, S] bool"""
    features: Array = np.zeros((_SIDE, _SIDE), np.uint8)
    for part in _FEATURES:
        cv2.fillConvexPoly(features, cv2.convexHull(np.rint(points[part]).astype(np.int32)), 1)
    features = cv2.dilate(features, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5)))
    cv2.polylines(features, [np.rint(points[_NOSTRILS]).astype(np.int32)], isClosed=False, color=1, thickness=2)
    face: Array = hull_mask(points, (_SIDE, _SIDE), 0.0).astype(np.uint8)
    face = cv2.erode(face, np.ones((3, 3), np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=0)
    return (face > 0) & (features == 0)


def _distance(colors: Array, y: Array, x: Array) -> Array:
    """How far each pixel is from smooth skin, in what skin differs by. colors: Lab [N, 3]; gives [N]"""
    u, v = (2 * axis / (_SIDE - 1) - 1 for axis in (x, y))
    bent = np.stack([np.ones_like(u), u, v, u * u, u * v, v * v], 1)
    flat = bent[:, :3]
    scale = np.array([_LIGHT, _COLOR, _COLOR])
    some = slice(None, None, 3)  # pixels to fit to
    few_bent, few_flat, few = bent[some], flat[some], colors[some] / scale
    away = few - np.partition(few, len(few) // 2, axis=0)[len(few) // 2]
    light = color = np.zeros(0)
    # wide first: a face lit from one side is far from its median everywhere
    for step in range(_STEPS):
        wide = 1.0 + 1.5 * (_STEPS - 1 - step) / _STEPS
        weight = 1 / (1 + np.einsum("ij,ij->i", away, away) / wide**2) ** 2
        light, color = _fit(few_bent, few[:, :1], weight), _fit(few_flat, few[:, 1:], weight)
        away = few - np.hstack([few_bent @ light, few_flat @ color])
    far = colors / scale - np.hstack([bent @ light, flat @ color])
    return np.sqrt(np.einsum("ij,ij->i", far, far))


def _fit(basis: Array, values: Array, weight: Array) -> Array:
    weighted = basis * weight[:, None]
    return np.linalg.solve(weighted.T @ basis + 1e-3 * np.eye(basis.shape[1]), weighted.T @ values)

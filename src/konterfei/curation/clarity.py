"""How sharp a face looks: fine detail of its features by their coarse shape, freed of noise, at one scale of the face.

Eyes, brows, nose and mouth have edges in every face; skin has few. So detail is measured on the features, and what skin
shows of the same fineness (noise, grain, blocks of a codec) is taken off. It is compared with the coarse shape of the
same features, so that light and contrast cancel out; along and across separately, so that a smear in one direction is
not made good by the other.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from konterfei.geometry import (
    LEFT_BROW,
    LEFT_EYE,
    NOSE_BASE,
    OUTER_LIP,
    RIGHT_BROW,
    RIGHT_EYE,
    Similarity,
    hull_mask,
)

Array = NDArray[Any]

_SIDE: Final = 160
"""Side of the picture that is measured, px."""
_FACE: Final = 128
"""Of it, side of the mean face's square: eyes some 70 px apart."""
_FINE: Final = (0.7, 1.4, 2.8)
"""Standard deviations of the blurs between which detail lies, px."""
_COARSE: Final = (2.4, 5.4)
"""The same for the coarse shape, px of half the size, on top of the last of `_FINE`."""
_USUAL: Final = ((0.9, 1.1), (0.7, 0.8), (0.6, 0.6))
"""What sharp portraits have of detail by coarse shape: fine to coarse, along and across."""
_LEAST_SKIN: Final = 50
"""Pixels from which noise can be told."""
_MEDIAN_OF_SQUARES: Final = 0.455
"""Of normal numbers of variance 1."""
_WHITE: Final = (1.15, 0.18, 0.017)
"""Squares of white noise in the bands by those in the finest, and a margin: chance must not count as detail."""
_UNREST: Final = (1.15, 1.0, 0.6)
"""Share of the skin's unrest that is taken for noise, fine to coarse: coarse unrest is wrinkles."""
_FEATURES: Final = (RIGHT_EYE, LEFT_EYE, RIGHT_BROW, LEFT_BROW, NOSE_BASE, OUTER_LIP)


def sharpness(grey: Array, points: Array, unit_from_crop: Similarity) -> float:
    """0 (nothing but blobs) up to about 1 (every lash): a face enlarged, smeared, out of focus has less.

    Args:
        grey: the crop. [S, S] uint8
        points: landmarks in it. [68, 2]
        unit_from_crop: the map to the mean face's square.
    """
    margin = (_SIDE - _FACE) / 2
    to_small = Similarity.of(_FACE, 0.0, (margin, margin)) @ unit_from_crop
    small = _cut(grey, to_small)
    features, skin = _where(to_small @ points.astype(np.float64))
    return _detail(small, features, skin)


def _cut(grey: Array, to_small: Similarity) -> Array:
    finer = min(int(1 / max(to_small.scale, 1e-3)), 8)
    if finer > 1:
        large = Similarity.of(finer, 0.0, (finer / 2 - 0.5,) * 2) @ to_small
        side = _SIDE * finer
        cut = cv2.warpAffine(grey, large.matrix, (side, side), borderMode=cv2.BORDER_REPLICATE)
        return cv2.resize(cut, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    cut = cv2.warpAffine(grey, to_small.matrix, (_SIDE, _SIDE), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return cut.astype(np.float32)


def _where(points: Array) -> tuple[Array, Array]:
    """Pixels of the features and of skin. [S, S] bool each"""
    features = np.zeros((_SIDE, _SIDE), np.uint8)
    for part in _FEATURES:
        cv2.fillConvexPoly(features, cv2.convexHull(np.rint(points[part]).astype(np.int32)), 1)
    near = cv2.dilate(features, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (9, 9)))
    face = cv2.erode(
        hull_mask(points, (_SIDE, _SIDE), 0.0).astype(np.uint8),
        np.ones((7, 7), np.uint8),
        borderType=cv2.BORDER_CONSTANT,
        borderValue=0,
    )
    far = cv2.dilate(features, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (17, 17)))
    return near > 0, (face > 0) & (far == 0)


def _detail(small: Array, features: Array, skin: Array) -> float:
    levels = [small, *(cv2.GaussianBlur(small, (0, 0), sigma) for sigma in _FINE)]
    bands = [a - b for a, b in pairwise(levels)]
    fine = np.stack([_slopes(band, _places(features)).mean(axis=1) for band in bands]) - _noise(bands, skin)
    half = [np.ascontiguousarray(levels[-1][::2, ::2])]
    half += [cv2.GaussianBlur(half[0], (0, 0), sigma) for sigma in _COARSE]
    inside = _places(features[::2, ::2])
    shape = sum(_slopes(a - b, inside).mean(axis=1) for a, b in pairwise(half)) + 1e-3
    shares = np.sqrt(np.maximum(fine, 0) / shape) / np.array(_USUAL)  # [3 bands, 2 directions]
    shares = shares / np.cbrt(1 + shares**3)  # more than usual is sharpening by hand, not detail
    finest_last = np.minimum.accumulate(shares[::-1])  # fine detail upon missing coarser detail is a codec's ringing
    return float(np.sqrt(finest_last.prod(axis=1)).mean())


def _places(where: Array) -> Array:
    """Number of each pixel that has one above and one to the left. [M] int; at least one"""
    width = where.shape[1]
    places = np.flatnonzero(where)
    places = places[(places >= width) & (places % width > 0)]
    return places if len(places) else np.array([width + 1])


def _slopes(band: Array, places: Array) -> Array:
    """Squared differences to the pixel above and to the one on the left. [2, M] float64"""
    flat = band.reshape(-1)
    here = flat[places]
    slopes = np.stack([here - flat[places - band.shape[1]], here - flat[places - 1]]).astype(np.float64)
    return slopes * slopes


def _noise(bands: list[Array], skin: Array) -> Array:
    """What noise has of each band's squares. [3, 2] float64"""
    places = _places(skin)[::2]
    count = len(places)
    if count < _LEAST_SKIN:
        return np.zeros((len(bands), 2))
    middle = count // 2
    seen = np.stack([np.partition(_slopes(band, places), middle, axis=1)[:, middle] for band in bands])
    seen /= _MEDIAN_OF_SQUARES
    white = seen[0] * np.array(_WHITE)[:, None]
    return np.maximum(white, np.array(_UNREST)[:, None] * seen)

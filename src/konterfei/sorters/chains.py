"""Orders by likeness of the pictures: each face is compared with each, row by row, so that memory stays small.

20,000 faces are 200 million comparisons. Histograms are compared as DeepFaceLab does (Bhattacharyya's distance, as
OpenCV defines it: the root of 1 less the product of the shares' roots). Pixels are compared on pictures of 24 px, where
the original takes whole crops: the order is nearly the same, in a thousandth of the time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from konterfei.io.face_measures import FaceMeasures
from konterfei.reporting import Reporter, check
from konterfei.sorters import Order, Wish, by_value

Array = NDArray[Any]

_CHUNK: Final = 20_000
"""Faces of one chain; DeepFaceLab makes as many chains as that asks for, but no more than about `_MOST`."""
_MOST: Final = 12
_BLOCK: Final = 256
"""Rows compared with all others at once."""
_TELL: Final = 64


def hist(faces: FaceMeasures, wish: Wish, reporter: Reporter) -> Order:
    """Difference of the histograms to the face before: Bhattacharyya's distances of R, G and B, 0 to 3."""
    count = len(faces)
    chunk = max(_CHUNK, -(-count // _MOST))
    rows, values = np.zeros(count, np.int64), np.full(count, np.nan)
    reporter.start("comparing histograms", count, "faces")
    for start in range(0, count, chunk):
        roots = unit_roots(faces.histograms[start : start + chunk])
        own, steps = _chain(list(np.moveaxis(roots, 1, 0)), _histograms_apart, np.argmin, reporter, start)
        rows[start : start + chunk] = own + start
        values[start + own] = steps
    reporter.finish()
    return Order(rows=rows, values=values, is_rising=True)


def hist_dissim(faces: FaceMeasures, wish: Wish, reporter: Reporter) -> Order:
    """Sum of the differences of the face's histogram to all others': Bhattacharyya's distances."""
    reporter.start("comparing histograms", len(faces), "faces")
    values = dissimilarity(faces.masked_histogram, reporter)
    reporter.finish()
    return by_value(values)


def absdiff(faces: FaceMeasures, wish: Wish, reporter: Reporter) -> Order:
    """Difference to the face before: mean over the pixels of small pictures, 0 to 255."""
    return _by_pixels(faces, np.argmin, reporter)


def absdiff_dissim(faces: FaceMeasures, wish: Wish, reporter: Reporter) -> Order:
    """Difference to the face before: mean over the pixels of small pictures, 0 to 255."""
    return _by_pixels(faces, np.argmax, reporter)


def unit_roots(roots: Array) -> Array:
    """Roots of shares as float32 whose squares sum to 1. [..., 256], any kind"""
    floats = roots.astype(np.float32)
    return floats / np.maximum(np.linalg.norm(floats, axis=-1, keepdims=True), 1e-9)


def dissimilarity(roots: Array, reporter: Reporter | None = None) -> Array:
    """Of each histogram the sum of Bhattacharyya's distances to all others.

    Args:
        roots: of the shares. [N, 256], any kind
        reporter: is told how many are done.

    Returns:
        [N] float64
    """
    units = unit_roots(roots)
    sums = np.zeros(len(units))
    for start in range(0, len(units), _BLOCK):
        some = units[start : start + _BLOCK]
        apart = some @ units.T
        np.subtract(1, apart, out=apart)
        np.maximum(apart, 0, out=apart)
        np.sqrt(apart, out=apart)
        own = np.arange(len(some))
        apart[own, start + own] = 0  # rounding: a face is no different from itself
        sums[start : start + _BLOCK] = apart.sum(axis=1, dtype=np.float64)
        if reporter is not None:
            reporter.advance(start + len(some))
            check(reporter)
    return sums


def _by_pixels(faces: FaceMeasures, choose: Callable[[Array], Any], reporter: Reporter) -> Order:
    small = np.ascontiguousarray(faces.thumb.reshape(len(faces), -1))
    reporter.start("comparing pictures", len(faces), "faces")
    rows, steps = _chain([small], _pixels_apart, choose, reporter)
    reporter.finish()
    values = np.full(len(faces), np.nan)
    values[rows] = steps / small.shape[1]
    return Order(rows=rows, values=values, is_rising=True)


def _chain(
    features: list[Array],
    apart: Callable[[list[Array], int], Array],
    choose: Callable[[Array], Any],
    reporter: Reporter,
    done: int = 0,
) -> tuple[Array, Array]:
    """From the first face to the nearest that is left, and so on.

    Args:
        features: arrays [N, ...] that `apart` compares; a copy of them is put in order.
        apart: (features, i) -> how far face i is from each one after it.
        choose: which of these is next: the nearest or the farthest.
        reporter: is told `done` and what is finished here.

    Returns:
        rows in order [N], and how far each is from the one before it, NaN for the first [N]
    """
    features = [np.ascontiguousarray(one).copy() for one in features]
    rows = np.arange(len(features[0]))
    steps = np.full(len(rows), np.nan)
    for last in range(len(rows) - 1):
        distances = apart(features, last)
        nearest = int(choose(distances))
        steps[last + 1] = distances[nearest]
        here, there = last + 1, last + 1 + nearest
        for held in (*features, rows):  # what is left lies behind what is done: nothing is looked at twice
            held[[here, there]] = held[[there, here]]
        if last % _TELL == 0:
            reporter.advance(done + last)
            check(reporter)
    reporter.advance(done + len(rows))
    return rows, steps


def _histograms_apart(channels: list[Array], row: int) -> Array:
    total = np.zeros(len(channels[0]) - row - 1, np.float32)
    for units in channels:
        total += np.sqrt(np.maximum(1 - units[row + 1 :] @ units[row], 0))
    return total


def _pixels_apart(pictures: list[Array], row: int) -> Array:
    (small,) = pictures
    return cv2.batchDistance(small[row + 1 :], small[row : row + 1], cv2.CV_32S, normType=cv2.NORM_L1, K=1)[0][:, 0]

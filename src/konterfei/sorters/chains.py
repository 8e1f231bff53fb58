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
_PIVOTS: Final = 12
"""Faces whose distances to all others say which can be near."""
_TRIED: Final = 48
"""Of these, as many as are looked at to know how near the nearest is at most."""
_ROUNDING: Final = 4e-3
"""Of distances near 0, by float32."""


def hist(faces: FaceMeasures, wish: Wish, reporter: Reporter) -> Order:
    """Difference of the histograms to the face before: Bhattacharyya's distances of R, G and B, 0 to 3."""
    count = len(faces)
    chunk = max(_CHUNK, -(-count // _MOST))
    rows, values = np.zeros(count, np.int64), np.full(count, np.nan)
    reporter.start("comparing histograms", count, "faces")
    for start in range(0, count, chunk):
        features = _pivoted(unit_roots(faces.histograms[start : start + chunk]))
        own, steps = _chain(features, _nearest_histogram, reporter, start)
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

    def next_one(features: list[Array], row: int) -> tuple[int, float]:
        (left,) = features
        apart = cv2.batchDistance(left[row + 1 :], left[row : row + 1], cv2.CV_32S, normType=cv2.NORM_L1, K=1)[0][:, 0]
        chosen = int(choose(apart))
        return chosen, float(apart[chosen])

    reporter.start("comparing pictures", len(faces), "faces")
    rows, steps = _chain([small], next_one, reporter)
    reporter.finish()
    values = np.full(len(faces), np.nan)
    values[rows] = steps / small.shape[1]
    return Order(rows=rows, values=values, is_rising=True)


def _chain(
    features: list[Array], next_one: Callable[[list[Array], int], tuple[int, float]], reporter: Reporter, done: int = 0
) -> tuple[Array, Array]:
    """From the first face to the nearest that is left, and so on.

    Args:
        features: arrays [N, ...] that describe the faces; a copy of them is put in order.
        next_one: (features, i) -> which one after face i comes next, counted from the one right after it, and how far
            it is.
        reporter: is told `done` and what is finished here.

    Returns:
        rows in order [N], and how far each is from the one before it, NaN for the first [N]
    """
    features = [np.array(one, order="C") for one in features]
    rows = np.arange(len(features[0]))
    steps = np.full(len(rows), np.nan)
    for last in range(len(rows) - 1):
        nearest, steps[last + 1] = next_one(features, last)
        here, there = last + 1, last + 1 + nearest
        for held in (*features, rows):  # what is left lies behind what is done: nothing is looked at twice
            held[[here, there]] = held[[there, here]]
        if last % _TELL == 0:
            reporter.advance(done + last)
            check(reporter)
    reporter.advance(done + len(rows))
    return rows, steps


def _pivoted(roots: Array) -> list[Array]:
    """Roots [N, 3, 256] as a list of channels [N, 256], and how far each face is from some of them [N, P] before it."""
    channels = [np.ascontiguousarray(roots[:, channel]) for channel in range(roots.shape[1])]
    some = np.unique(np.linspace(0, len(roots) - 1, _PIVOTS).astype(int))
    everyone = np.arange(len(roots))
    return [np.stack([_apart(channels, row, everyone) for row in some], axis=1), *channels]


def _nearest_histogram(features: list[Array], row: int) -> tuple[int, float]:
    """The exact nearest, without looking at most: Bhattacharyya's distance keeps to the triangle's inequality."""
    from_pivots, *channels = features
    left = from_pivots[row + 1 :]
    least = np.abs(left - from_pivots[row]).max(axis=1)
    few = np.argpartition(least, _TRIED)[:_TRIED] if len(least) > _TRIED else np.arange(len(least))
    reach = float(_apart(channels, row, row + 1 + few).min()) + _ROUNDING
    near = np.flatnonzero(least <= reach)
    apart = _apart(channels, row, row + 1 + near)
    chosen = int(np.argmin(apart))
    return int(near[chosen]), float(apart[chosen])


def _apart(channels: list[Array], row: int, others: Array) -> Array:
    """Sum over the channels of how far face `row` is from `others`. [M] float32"""
    total = np.zeros(len(others), np.float32)
    for units in channels:
        total += np.sqrt(np.maximum(1 - units[others] @ units[row], 0))
    return total
